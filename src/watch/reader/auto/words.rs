//! The words that make a number in a log a metric: what trainers call their measures, their counters, and what is neither.
//!
//! A list can only ever be a guess; the forms in `pairs` decide how much a guess is trusted. Pure, no state.

use super::super::step_rank;

/// How much a name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Class {
    /// Any other word.
    Other,
    /// Something that is counted beside the metrics: time, memory, throughput.
    Meter,
    /// A metric.
    Metric,
}

/// Parts of names that make them metrics.
const METRICS: &[&str] = &[
    "acc",
    "accuracy",
    "ap",
    "auc",
    "auprc",
    "auroc",
    "bleu",
    "bpb",
    "bpc",
    "brier",
    "ce",
    "cer",
    "cost",
    "crps",
    "dice",
    "ece",
    "elbo",
    "entropy",
    "err",
    "error",
    "f1",
    "fid",
    "fitness",
    "iou",
    "kappa",
    "kl",
    "likelihood",
    "logloss",
    "loss",
    "losses",
    "lr",
    "mae",
    "map",
    "mape",
    "mase",
    "mcc",
    "metric",
    "miou",
    "mrr",
    "mse",
    "mspe",
    "ndcg",
    "nll",
    "nmse",
    "objective",
    "pearson",
    "perplexity",
    "ppl",
    "precision",
    "psnr",
    "r2",
    "recall",
    "regret",
    "reward",
    "rmse",
    "rouge",
    "score",
    "smape",
    "spearman",
    "ssim",
    "top1",
    "top5",
    "wer",
    "xent",
];

/// Ends of run-together names (`logloss`, `trainloss`).
const ENDS: &[&str] = &["loss", "accuracy", "mse", "bpb", "rmse"];

/// Parts of names of what is measured beside.
const METERS: &[&str] = &[
    "bytes",
    "dt",
    "duration",
    "elapsed",
    "flops",
    "fps",
    "lrm",
    "mem",
    "memory",
    "mfu",
    "norm",
    "params",
    "parameters",
    "percent",
    "rate",
    "runtime",
    "samples",
    "sec",
    "seconds",
    "secs",
    "size",
    "speed",
    "std",
    "throughput",
    "time",
    "tok",
    "tokens",
    "usage",
    "vram",
    "wps",
];

/// Words that stand before a metric's and belong to its name.
const QUALIFIERS: &[&str] = &[
    "absolute",
    "actor",
    "aux",
    "average",
    "avg",
    "balanced",
    "best",
    "class",
    "critic",
    "cross",
    "current",
    "dev",
    "discriminator",
    "ema",
    "eval",
    "evaluation",
    "final",
    "generator",
    "global",
    "grad",
    "gradient",
    "last",
    "learn",
    "learning",
    "left",
    "macro",
    "max",
    "maximum",
    "mean",
    "median",
    "micro",
    "min",
    "minimum",
    "old",
    "peak",
    "policy",
    "root",
    "running",
    "smoothed",
    "squared",
    "test",
    "testing",
    "top",
    "total",
    "train",
    "training",
    "val",
    "vali",
    "valid",
    "validation",
    "value",
    "weighted",
];

/// Names of places, settings and messages that stand before numbers and are no measures.
const NEVER: &[&str] = &[
    "batch_size",
    "char",
    "code",
    "col",
    "column",
    "core",
    "cpu",
    "cuda",
    "debug",
    "device",
    "devices",
    "dropout",
    "epochs",
    "eta",
    "exception",
    "gpu",
    "host",
    "id",
    "index",
    "info",
    "iters",
    "iterations",
    "line",
    "localhost",
    "momentum",
    "node",
    "note",
    "num_workers",
    "patience",
    "pid",
    "port",
    "python",
    "rank",
    "run",
    "seed",
    "status",
    "steps",
    "total_steps",
    "v_num",
    "version",
    "warning",
    "weight_decay",
    "worker",
    "world_size",
];

/// Words for a running number, beside those of `STEP_NAMES`, and the one whose rank they take.
const STEP_WORDS: &[(&str, &str)] = &[
    ("ep", "epoch"),
    ("it", "iter"),
    ("iters", "iter"),
    ("batch", "iter"),
    ("timestep", "step"),
    ("update", "iteration"),
    ("episode", "iteration"),
    ("round", "iteration"),
    ("generation", "iteration"),
];

/// Ends of names of source files: `train.py:12` is a place.
const SOURCES: &[&str] = &[".py", ".cc", ".cpp", ".cu", ".c", ".h", ".rs", ".go", ".js", ".sh"];

/// Units that stand apart from their number.
const UNITS: &[&str] = &[
    "b",
    "bytes",
    "kb",
    "mb",
    "gb",
    "tb",
    "kib",
    "mib",
    "gib",
    "ms",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "h",
    "hours",
    "nats",
    "bits",
    "db",
    "percent",
    "points",
    "it/s",
    "s/it",
    "samples/s",
    "tokens/s",
    "tok/s",
    "params",
    "parameters",
];

fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
}

/// Returns what a single word says.
pub(in super::super) fn class(word: &str) -> Class {
    let word = word.to_ascii_lowercase();
    let metric = |part: &str| METRICS.contains(&part) || ENDS.iter().any(|end| part.ends_with(end));
    if parts(&word).any(metric) {
        Class::Metric
    } else if parts(&word).any(|part| METERS.contains(&part)) {
        Class::Meter
    } else {
        Class::Other
    }
}

/// Whether a word may stand within a metric's name of several words.
pub(super) fn qualifies(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    lower.len() == 1 || parts(&lower).all(|part| QUALIFIERS.contains(&part) || part.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a word names no measure, whatever number follows.
pub(super) fn never(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    NEVER.contains(&lower.as_str())
        || SOURCES.iter().any(|end| lower.ends_with(end))
        || ["Error", "Exception", "Warning"].iter().any(|end| word.ends_with(end) && word.len() > end.len())
}

/// Whether a word is a unit.
pub(super) fn unit(word: &str) -> bool {
    UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word))
}

/// Returns the rank of a word that counts progress, as `step_rank` does.
pub(super) fn counter(word: &str) -> Option<usize> {
    step_rank(word).or_else(|| STEP_WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).and_then(|(_, like)| step_rank(like)))
}

/// Whether a rank is that of an epoch.
pub(super) fn is_epoch(rank: usize) -> bool {
    step_rank("epoch") == Some(rank)
}
