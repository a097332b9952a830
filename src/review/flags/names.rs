//! What a name says: a seed, a limit of time, a split of the data. By whole words: `seed_points`, `max_time_steps` and
//! `train_batch_size` are none of these.

/// Parts of the data.
pub(super) const SUBSETS: &[&str] =
    &["train", "training", "tr", "val", "va", "valid", "validation", "test", "te", "dev", "holdout", "eval"];
/// Parts that are not for training.
const HELD_BACK: &[&str] = &["val", "valid", "validation", "test", "dev", "holdout", "eval"];
/// Shares of the data.
const SHARES: &[&str] = &["split", "ratio", "frac", "fraction", "share", "percent", "pct", "portion", "proportion"];
/// What data are called.
const DATA: &[&str] = &["data", "set", "ds", "dataset", "idx", "ids", "index", "indices", "files", "rows", "examples", "docs", "x", "y"];
const UNITS: &[&str] = &["seconds", "secs", "sec", "s", "minutes", "mins", "min", "hours", "hrs", "h", "ms"];

/// The words of an identifier in lower case: `maxWallclockSeconds`, `--max-time`, `SEED2`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
        } else {
            if c.is_uppercase() && before.is_lowercase() {
                words.push(String::new());
            }
            if let Some(last) = words.last_mut() {
                last.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    words.retain(|w| !w.is_empty());
    if let Some(last) = words.last_mut() {
        let bare = last.trim_end_matches(|c: char| c.is_ascii_digit());
        if !bare.is_empty() {
            *last = bare.to_owned();
        }
    }
    words.retain(|w| !w.chars().all(|c| c.is_ascii_digit()));
    words
}

fn pair(words: &[String], first: &[&str], second: &[&str]) -> bool {
    words.windows(2).any(|w| matches!(w, [a, b] if first.contains(&a.as_str()) && second.contains(&b.as_str())))
}

fn is(words: &[String], want: &[&str]) -> bool {
    words.iter().map(String::as_str).eq(want.iter().copied())
}

/// Whether a name is that of a seed; `own` are the names by which the program is told the harness's.
pub(super) fn seed(name: &str, own: &[String]) -> bool {
    let bare = name.trim_start_matches('-');
    if own.iter().any(|o| o == bare) || bare.eq_ignore_ascii_case("PYTHONHASHSEED") {
        return true;
    }
    let words = words(bare);
    let follows =
        ["everything", "all", "value", "base", "offset", "number", "int", "torch", "worker", "start", "list", "range", "id", "idx"];
    words.last().is_some_and(|w| w == "seed" || w == "seeds")
        || pair(&words, &["random", "rand"], &["state"])
        || pair(&words, &["manual", "random", "hash"], &["seed"])
        || words.len() == 2 && pair(&words, &["seed"], &follows)
}

/// Whether calling this seeds a generator.
pub(super) fn seeds(callee: &str, own: &[String]) -> bool {
    let last = last(callee);
    seed(last, own)
        || matches!(last, "default_rng" | "RandomState" | "PRNGKey" | "SeedSequence" | "PCG64" | "MT19937" | "Philox")
        || matches!(callee, "random.Random" | "Random" | "random.SystemRandom" | "jax.random.key")
}

/// The last part of a dotted path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Whether a name is that of a limit of time. A bare `timeout` is one only where it stands for itself, not in a request.
pub(super) fn time_limit(name: &str, alone: bool) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let unit_last = UNITS.contains(&last) || matches!(last, "time" | "walltime" | "wallclock" | "runtime" | "limit" | "budget");
    if is(&words, &["timeout"]) || is(&words, &["time", "out"]) {
        return alone;
    }
    let walls = words.iter().any(|w| w == "walltime" || w == "wallclock")
        || pair(&words, &["wall"], &["clock", "time", "limit", "seconds", "secs", "minutes", "hours", "budget"]);
    let limits = pair(&words, &["time", "runtime"], &["limit", "budget", "cap", "max"])
        || pair(&words, &["max", "maximum", "budget", "limit"], &["seconds", "secs", "minutes", "hours", "runtime", "walltime"])
        || pair(&words, &["train", "training"], &["seconds", "minutes", "hours"])
        || pair(&words, &["seconds", "minutes", "hours"], &["budget", "limit"])
        || pair(&words, &["max", "maximum"], &["time"]) && unit_last
        || pair(&words, &["max"], &["train", "training", "run"]) && pair(&words, &["train", "training", "run"], &["time"]) && unit_last;
    walls || limits || is(&words, &["deadline"])
}

/// Whether a name is that of a share of the data, or of the number that cuts them.
pub(super) fn split(name: &str) -> bool {
    let words = words(name);
    // How much of the training data a run draws is a part of the recipe.
    let train = pair(&words, &["train", "training", "tr"], &["share", "frac", "fraction", "portion", "proportion", "percent", "pct"]);
    (pair(&words, SUBSETS, SHARES) && !train)
        || pair(&words, &["split"], &["ratio", "frac", "fraction", "percent", "at", "idx", "index", "point"])
        || is(&words, &["data", "split"])
        || is(&words, &["n", "splits"])
        || words.len() == 2 && pair(&words, &["n", "num"], SUBSETS)
        || words.len() == 2 && pair(&words, SUBSETS, &["len", "count"])
}

/// Whether a name is that of a size of a subset, which is a share where its value is one.
pub(super) fn subset_size(name: &str) -> bool {
    let words = words(name);
    words.len() <= 3 && pair(&words, SUBSETS, &["size"])
}

/// Whether a name is that of the folds of a cross-validation.
pub(super) fn fold(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str).unwrap_or_default();
    words.len() <= 2 && (matches!(last, "fold" | "folds") || pair(&words, &["fold"], &["idx", "index", "id", "number"]))
}

/// Whether a name is that of a part of the data.
pub(super) fn subset(name: &str) -> bool {
    let words = words(name);
    words.len() == 2 && (pair(&words, SUBSETS, DATA) || pair(&words, DATA, SUBSETS))
}

/// Whether calling this splits data.
pub(super) fn splits(callee: &str) -> bool {
    matches!(
        last(callee),
        "train_test_split"
            | "random_split"
            | "KFold"
            | "StratifiedKFold"
            | "GroupKFold"
            | "RepeatedKFold"
            | "ShuffleSplit"
            | "GroupShuffleSplit"
            | "StratifiedShuffleSplit"
            | "TimeSeriesSplit"
    )
}

/// Whether a text names a part of the data, as in `train+test` or `shards/val_*.bin`: for training, and held back.
pub(super) fn subsets_in(text: &str) -> (bool, bool) {
    let words = words(text);
    (words.iter().any(|w| w == "train" || w == "training"), words.iter().any(|w| HELD_BACK.contains(&w.as_str())))
}

/// Whether calling this prints or logs numbers.
pub(super) fn prints(callee: &str) -> bool {
    let mut parts = callee.rsplit('.');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match last {
        "print" | "pprint" | "rprint" => true,
        "write" => matches!(before, "stdout" | "stderr" | "tqdm"),
        "info" | "debug" | "warning" | "error" => {
            before.to_lowercase().ends_with("log") || matches!(before, "logging" | "logger" | "_logger")
        }
        "log" | "log_dict" => matches!(before, "wandb" | "self" | "accelerator" | "fabric" | "logger" | "run" | "trainer"),
        "log_metric" | "log_metrics" | "add_scalar" | "add_scalars" | "set_postfix" | "set_postfix_str" | "set_description" => true,
        _ => false,
    }
}

/// Whether a word is that of a metric; `metric` is the task's.
pub(super) fn is_metric(text: &str, metric: &str) -> bool {
    const METRICS: &[&str] = &[
        "loss",
        "losses",
        "acc",
        "accuracy",
        "score",
        "scores",
        "metric",
        "metrics",
        "bpb",
        "ppl",
        "perplexity",
        "auc",
        "auroc",
        "f",
        "mse",
        "mae",
        "rmse",
        "mape",
        "bleu",
        "rouge",
        "wer",
        "cer",
        "iou",
        "map",
        "recall",
        "precision",
        "error",
        "err",
        "reward",
        "elo",
        "top",
    ];
    (!metric.is_empty() && text.contains(metric)) || words(text).iter().any(|w| METRICS.contains(&w.as_str()))
}

/// Whether a name says how often something is printed.
pub(super) fn cadence(name: &str) -> bool {
    let words = words(name);
    pair(&words, &["log", "logging", "print", "printing", "report"], &["interval", "every"])
        || is(&words, &["print", "freq"])
        || is(&words, &["logging", "steps"])
}

/// Whether an assignment to this path puts something else in the clock's place.
pub(super) fn clock(path: &str) -> bool {
    let (before, last) = path.rsplit_once('.').unwrap_or(("", path));
    if before.is_empty() || before == "self" {
        return false;
    }
    match last {
        "perf_counter" | "perf_counter_ns" | "monotonic" | "monotonic_ns" | "process_time" | "time_ns" | "elapsed_time" => true,
        "time" | "sleep" | "clock_gettime" => before == "time",
        "synchronize" | "Event" | "record" => before.contains("cuda"),
        "datetime" => before == "datetime",
        "now" | "utcnow" => before.ends_with("datetime"),
        "default_timer" => before == "timeit",
        _ => false,
    }
}

/// Whether this is a module or class that holds a clock.
pub(super) fn holds_clock(path: &str) -> bool {
    matches!(path, "time" | "timeit" | "datetime" | "datetime.datetime" | "torch.cuda" | "torch.cuda.Event")
}
