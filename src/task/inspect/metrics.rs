//! Patterns of metrics: from what the source prints, and from the lines of logs that lie in the repository.
//!
//! Pure. A line becomes a pattern once one of its values has the name of a metric; of all values, the one that looks most
//! like a score of held-back data is suggested. Tested by tables.

use super::python::Printed;
use super::template::Piece;
use crate::model::{Goal, names_a_metric};
use regex::Regex;

/// A number as programs print it.
pub const NUMBER: &str = r"[-+]?\d*\.?\d+(?:e[-+]?\d+)?|-?inf|nan";

/// A value on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// `val_loss`; `step` and `epoch` count progress.
    pub key: String,
    /// The text in front of it, as it is printed: `val loss `.
    pub label: String,
}

/// A line that a program prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricLine {
    /// With a named group for each value.
    pub pattern: String,
    /// In their order.
    pub values: Vec<Value>,
    /// `train.py:12`, or the log file.
    pub at: String,
}

/// A value that may be the score.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its key.
    pub key: String,
    /// What `stdout:` takes: the key itself, or a pattern whose group `value` is the number.
    pub pattern: String,
    /// The same to be typed after `--metric`.
    pub typed: String,
    /// The better end, as the name tells it; none where it does not.
    pub goal: Option<Goal>,
    /// Where it is printed.
    pub at: String,
    /// How much it looks like a score of held-back data.
    pub points: i32,
}

const HELD_BACK: &[&str] = &["val", "valid", "validation", "vali", "test", "eval", "dev", "holdout", "heldout"];
const STEPS: &[&str] = &["step", "steps", "iter", "iters", "iteration", "epoch", "ep", "batch", "round", "episode"];

fn words(key: &str) -> Vec<String> {
    key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn any(words: &[String], wanted: &[&str]) -> bool {
    words.iter().any(|w| wanted.contains(&w.as_str()))
}

fn is_step(key: &str) -> bool {
    matches!(words(key).as_slice(), [word] if STEPS.contains(&word.as_str()))
}

/// The name of a value by the text in front of it: `, val loss ` gives `val_loss` and the text `val loss`.
fn label(before: &str) -> Option<(String, String, String)> {
    let line = before.rsplit(['\n', '\r', '\t']).next().unwrap_or(before);
    let found = regex(r"(?P<words>[A-Za-z][\w@./-]*(?: [A-Za-z][\w@-]*)?)(?P<sep>\s*[:=|]+\s*|\s+)$").and_then(|r| {
        let found = r.captures(line)?;
        Some((found.name("words")?.as_str().to_owned(), found.name("sep")?.as_str().to_owned()))
    })?;
    let (mut text, sep) = found;
    // Two words are one name only where the second alone would not tell (`train loss`, `Test MSE`), and a comma ends one.
    if let Some((first, second)) = text.clone().split_once(' ') {
        let first_tells =
            any(&words(first), HELD_BACK) || any(&words(first), &["train", "training", "average", "avg", "mean", "best", "final"]);
        if !first_tells || !names_a_metric(second) {
            second.clone_into(&mut text);
        }
    }
    let key: String =
        text.trim_matches(['.', '-', '/']).chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let key = key.trim_matches('_').to_owned();
    (!key.is_empty() && key.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((key, text, sep))
}

fn regex(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

fn escaped(text: &str) -> String {
    text.split(' ').map(regex::escape).collect::<Vec<_>>().join(r"\s+")
}

fn separator(sep: &str) -> &'static str {
    match sep.trim() {
        ":" => r"\s*:\s*",
        "=" => r"\s*=\s*",
        "|" => r"\s*\|\s*",
        "" => r"\s+",
        _ => r"[\s:=|]+",
    }
}

/// The pattern of a printed line; none where no value has the name of a metric.
pub fn of_printed(path: &str, printed: &Printed) -> Option<MetricLine> {
    let mut before = String::new();
    let mut values: Vec<Value> = Vec::new();
    let mut pattern = String::new();
    for piece in &printed.pieces {
        match piece {
            Piece::Text(text) => before.push_str(text),
            Piece::Value(_) => {
                if let Some((key, text, sep)) = label(&before)
                    && (names_a_metric(&key) || is_step(&key))
                    && values.iter().all(|v| v.key != key)
                {
                    if !pattern.is_empty() {
                        pattern.push_str(".*?");
                    }
                    let number = if is_step(&key) { r"\d+".to_owned() } else { NUMBER.to_owned() };
                    let group = if matches!(key.as_str(), "ep" | "epoch") { "epoch" } else { key.as_str() };
                    let edge = if text.starts_with(|c: char| c.is_alphanumeric()) { r"\b" } else { "" };
                    pattern.push_str(&format!("{edge}{}{}(?P<{group}>{number})", escaped(&text), separator(&sep)));
                    values.push(Value { key, label: format!("{text}{sep}") });
                }
                before.clear();
            }
        }
    }
    let known = values.iter().any(|v| names_a_metric(&v.key));
    (known && regex(&pattern).is_some()).then(|| MetricLine { pattern, values, at: format!("{path}:{}", printed.line) })
}

/// The patterns of the lines of a log: `key: number`, `key=number`, `key number` with the key of a metric.
pub fn of_log(path: &str, text: &str) -> Vec<MetricLine> {
    let Some(find) = regex(&format!(r"(?P<before>[A-Za-z][\w@./-]*(?: [A-Za-z][\w@-]*)?(?:\s*[:=|]\s*|\s+))(?P<n>{NUMBER})(?:[^\w.]|$)"))
    else {
        return Vec::new();
    };
    let mut out: Vec<MetricLine> = Vec::new();
    for line in text.lines().take(20_000) {
        let mut pieces = Vec::new();
        for found in find.captures_iter(line) {
            pieces.extend(found.name("before").map(|b| Piece::Text(b.as_str().to_owned())));
            pieces.push(Piece::Value(String::new()));
        }
        if let Some(mut made) = of_printed(path, &Printed { line: 0, pieces })
            && out.iter().all(|l| l.pattern != made.pattern)
        {
            path.clone_into(&mut made.at);
            out.push(made);
        }
        if out.len() >= 8 {
            break;
        }
    }
    out
}

/// The values that may be the score, the likeliest first. `far` marks lines of files that the entry does not run.
pub fn candidates(lines: &[(MetricLine, bool)]) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = Vec::new();
    for (order, (line, far)) in lines.iter().enumerate() {
        for value in line.values.iter().filter(|v| names_a_metric(&v.key)) {
            let words = words(&value.key);
            let mut points = 0;
            points += if any(&words, HELD_BACK) { 40 } else { 0 };
            points -= if any(&words, &["train", "training"]) { 30 } else { 0 };
            // A bare `loss` is the training loss more often than not; a bare `mse` or `accuracy` is a result.
            points += if words == ["loss"] { -10 } else { 5 };
            points += if any(&words, &["bpb", "final", "average", "avg", "mean"]) { 8 } else { 0 };
            points -= if any(&words, &["best"]) { 15 } else { 0 };
            // A line of its own without a step is a summary.
            points += if line.values.iter().any(|v| is_step(&v.key)) { 0 } else { 6 };
            points -= if *far { 60 } else { 0 };
            points -= i32::try_from(order.min(20)).unwrap_or(20) / 4;
            let (text, sep) = value.label.split_at(value.label.trim_end_matches([' ', ':', '=', '|']).len());
            let edge = if text.starts_with(|c: char| c.is_alphanumeric()) { r"(?:^|[^\w./-])" } else { "" };
            // A plain key is found by its name alone, which reads better.
            let plain = text == value.key && matches!(sep.trim(), "" | ":" | "=");
            let pattern = if plain { text.to_owned() } else { format!("{edge}{}{}(?P<value>{NUMBER})", escaped(text), separator(sep)) };
            let typed = format!(r"{}{}(\S+)", escaped(text), separator(sep));
            match out.iter_mut().find(|c| c.key == value.key) {
                Some(known) if known.points >= points => {}
                Some(known) => {
                    *known =
                        Candidate { key: value.key.clone(), pattern, typed, goal: Goal::of_metric(&value.key), at: line.at.clone(), points }
                }
                None => out.push(Candidate {
                    key: value.key.clone(),
                    pattern,
                    typed,
                    goal: Goal::of_metric(&value.key),
                    at: line.at.clone(),
                    points,
                }),
            }
        }
    }
    out.sort_by_key(|c| std::cmp::Reverse(c.points));
    out
}

#[cfg(test)]
mod tests {
    use super::super::python;
    use super::*;
    use crate::task::SelfReport;

    /// The number that such a `from` reads on a line, as the evaluator does.
    fn read(from: &str, line: &str) -> Option<f64> {
        SelfReport::parse(&format!("stdout:{from}")).unwrap().on_line(line)
    }

    fn lines(source: &str) -> Vec<MetricLine> {
        python::read(source).unwrap().printed.iter().filter_map(|p| of_printed("t.py", p)).collect()
    }

    #[test]
    fn prints_become_patterns_that_read_what_is_printed() {
        for (source, line, want) in [
            ("print(f'epoch {e} val_loss {v:.3f}')\n", "epoch 3 val_loss 0.412", &[("epoch", "3"), ("val_loss", "0.412")][..]),
            (
                "print(f\"step {i}: train loss {l['train']:.4f}, val loss {l['val']:.4f}\")\n",
                "step 250: train loss 1.9, val loss 2.0e-1",
                &[("step", "250"), ("train_loss", "1.9"), ("val_loss", "2.0e-1")],
            ),
            ("print('mse:{}, mae:{}'.format(mse, mae))\n", "mse:0.23, mae:0.31", &[("mse", "0.23"), ("mae", "0.31")]),
            (
                "print(\"Epoch: {0}, Steps: {1} | Train Loss: {2:.7f} Vali Loss: {3:.7f}\".format(a, b, c, d))\n",
                "Epoch: 1, Steps: 20 | Train Loss: 0.5 Vali Loss: 0.25",
                &[("epoch", "1"), ("train_loss", "0.5"), ("vali_loss", "0.25")],
            ),
            ("print('Average mAP: {:>4.2f} (%)'.format(m))\n", "Average mAP: 62.60 (%)", &[("average_map", "62.60")]),
            ("print('acc %.2f%%, loss %g' % (a, l))\n", "acc 93.10%, loss 1e-05", &[("acc", "93.10"), ("loss", "1e-05")]),
            ("logger.info('val_auc=' + str(auc))\n", "INFO val_auc=0.91", &[("val_auc", "0.91")]),
            ("print('test accuracy', acc)\n", "test accuracy 0.93", &[("test_accuracy", "0.93")]),
            ("print(f'{loss=:.3f}')\n", "loss=nan", &[("loss", "nan")]),
        ] {
            let found = lines(source);
            let [made] = found.as_slice() else { panic!("{source}: {found:?}") };
            let regex = Regex::new(&made.pattern).unwrap();
            let captures = regex.captures(line).unwrap_or_else(|| panic!("{} on {line}", made.pattern));
            for (key, value) in want {
                assert_eq!(captures.name(key).map(|m| m.as_str()), Some(*value), "{key} of {} on {line}", made.pattern);
            }
        }
        for source in ["print(f'saved to {path}')\n", "print(f'{k}: {v}')\n", "print('time: {}'.format(t))\n"] {
            assert_eq!(lines(source), [], "{source}");
        }
    }

    #[test]
    fn the_score_is_that_of_held_back_data() {
        let made = lines("print(f'step {i} loss {l}')\nprint(f'train_acc {a} val_acc {b}')\nprint(f'epoch {e} best val_loss {v}')\n");
        let found = candidates(&made.into_iter().map(|l| (l, false)).collect::<Vec<_>>());
        assert_eq!(found.iter().map(|c| c.key.as_str()).collect::<Vec<_>>(), ["val_acc", "best_val_loss", "loss", "train_acc"]);
        assert_eq!(found[0].goal, Some(Goal::Maximize));
        for (pattern, line) in [(&found[0].pattern, "train_acc 0.5 val_acc 0.75"), (&found[0].typed, "train_acc 0.5 val_acc 0.75")] {
            assert_eq!(read(pattern, line), Some(0.75), "{pattern}");
        }
        let spaced = lines("print(f'step {i}: val loss {v:.3f}')\n").into_iter().map(|l| (l, false)).collect::<Vec<_>>();
        assert_eq!(read(&candidates(&spaced)[0].pattern, "step 3: val loss 1.5e-05, x 2"), Some(1.5e-5));
    }

    #[test]
    fn logs_tell_patterns_too() {
        let found =
            of_log("log.txt", "starting\nepoch 1 train_loss: 0.5 val_loss: 0.75\nepoch 2 train_loss: 0.4 val_loss: 0.7\nsaved 3 files\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].values.iter().map(|v| v.key.as_str()).collect::<Vec<_>>(), ["epoch", "train_loss", "val_loss"]);
    }

    proptest::proptest! {
        #[test]
        fn any_log_is_read(text in "[ -~\\n]{0,400}") {
            for line in of_log("x", &text) {
                proptest::prop_assert!(Regex::new(&line.pattern).is_ok());
            }
        }
    }
}
