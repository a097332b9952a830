//! The score that a run prints itself, where the task chooses one: `from = "stdout:val_bpb"` or a pattern with a group.

use super::reading::{Evaluation, Rules};
use crate::{
    model::{Failure, Label},
    run::{Executor, Stream},
};
use regex::Regex;
use std::{collections::BTreeMap, path::Path};

/// Bytes read at once.
const PART: usize = 1 << 20;
/// Longest line that is searched; the rest of a longer one is not.
const LINE_MAX: usize = 64 << 10;

/// Where a self-reported score is found: the last match on standard output wins.
#[derive(Debug, Clone)]
pub struct SelfReport {
    /// What is looked for, for messages.
    name: String,
    pattern: Regex,
}

/// A source that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// Not a regular expression.
    #[error("`{text}` is not a regular expression: {why}")]
    Pattern {
        /// What was given.
        text: String,
        /// The last line of the parser's complaint.
        why: String,
    },
    /// No group to take the number from.
    #[error("`{text}` has no group for the number; write for instance `val_loss: ([\\d.]+)`")]
    NoGroup {
        /// What was given.
        text: String,
    },
}

impl SelfReport {
    /// Reads `stdout:KEY` or a pattern whose group named `value`, else its first group, is the number.
    pub fn parse(text: &str) -> Result<Self, BadSource> {
        let source = text.strip_prefix("stdout:").unwrap_or(text).trim();
        let is_key = !source.is_empty() && source.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c));
        if is_key {
            return Self::compile(source, &key_pattern(source));
        }
        let found = Self::compile(source, source)?;
        if found.pattern.captures_len() < 2 {
            return Err(BadSource::NoGroup { text: source.to_owned() });
        }
        Ok(found)
    }

    fn compile(name: &str, pattern: &str) -> Result<Self, BadSource> {
        let pattern = Regex::new(pattern).map_err(|error| BadSource::Pattern {
            text: name.to_owned(),
            why: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })?;
        Ok(Self { name: name.to_owned(), pattern })
    }

    /// The last number on one line.
    fn on_line(&self, line: &str) -> Option<f64> {
        let found = self.pattern.captures_iter(line).last()?;
        found.name("value").or_else(|| found.get(1))?.as_str().replace('_', "").parse().ok()
    }

    /// Reads the whole kept log of a run and returns the score under the rules. Keys of gates are looked for in the same way.
    pub fn evaluate(&self, executor: &dyn Executor, run_dir: &Path, rules: &Rules) -> Evaluation {
        let mut wanted = vec![(rules.metric.clone(), self.clone())];
        for gate in &rules.gates {
            if let Ok(report) = Self::compile(&gate.key, &key_pattern(&gate.key)) {
                wanted.push((gate.key.clone(), report));
            }
        }
        let mut values = BTreeMap::new();
        let mut look = |line: &str| {
            for (key, report) in &wanted {
                if let Some(value) = report.on_line(line) {
                    values.insert(key.clone(), value);
                }
            }
        };
        if let Err(error) = each_line(executor, run_dir, &mut look) {
            return Evaluation::failed(Failure::new(Label::Infrastructure, error.to_string()));
        }
        let measured = rules.measured.values().iter().any(|(key, _)| *key == rules.metric);
        match values.get(&rules.metric) {
            Some(value) if value.is_finite() => Evaluation::settle(values, rules),
            _ if measured => Evaluation::settle(values, rules),
            Some(value) => {
                let word = crate::model::number::short(*value);
                Evaluation::failed(Failure::new(Label::InvalidScore, format!("the run printed {} for `{}`", word, self.name)))
            }
            None => Evaluation::failed(Failure::new(Label::InvalidScore, format!("the run printed no `{}`", self.name))),
        }
    }
}

/// `key: 1.5`, `key=1.5`, `key 1.5`, `"key": 1.5`.
fn key_pattern(key: &str) -> String {
    let number = r"[-+]?(?:\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)\b)";
    format!(r#"(?:^|[^\w.]){}["']?(?:\s*[:=]\s*|\s+)({number})"#, regex::escape(key))
}

/// Hands over each line of standard output; a carriage return ends one too.
fn each_line(executor: &dyn Executor, run_dir: &Path, look: &mut dyn FnMut(&str)) -> Result<(), crate::run::RunError> {
    let (mut offset, mut line) = (0, Vec::new());
    loop {
        let part = executor.log(run_dir, Stream::Stdout, offset, PART)?;
        if part.offset > offset {
            // A gap: what was begun does not go on behind it.
            line.clear();
        }
        for byte in &part.bytes {
            match byte {
                b'\n' | b'\r' => {
                    look(&String::from_utf8_lossy(&line));
                    line.clear();
                }
                _ if line.len() < LINE_MAX => line.push(*byte),
                _ => {}
            }
        }
        offset = part.offset + part.bytes.len() as u64;
        if part.bytes.is_empty() {
            look(&String::from_utf8_lossy(&line));
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_patterns() {
        for (source, line, want) in [
            ("stdout:val_bpb", "val_bpb:          0.997900", Some(0.9979)),
            ("stdout:val_bpb", "step 3 val_bpb=1.5 val_bpb=1.25", Some(1.25)),
            ("stdout:val_bpb", "{\"step\": 3, \"val_bpb\": 1e-3}", Some(0.001)),
            ("stdout:val_bpb", "best_val_bpb: 2", None),
            ("stdout:val_bpb", "val_bpb_old: 2", None),
            ("stdout:val_bpb", "val_bpb 12_000", Some(12_000.0)),
            ("stdout:acc", "acc: 93.5%", Some(93.5)),
            ("stdout:acc", "acc: high", None),
            ("stdout:eval/loss", "eval/loss: -.5", Some(-0.5)),
            ("loss", "loss 3", Some(3.0)),
            ("val_loss: ([\\d.]+)", "epoch 1 val_loss: 0.25", Some(0.25)),
            ("stdout:a (?P<unit>\\w+) (?P<value>\\d+)", "a ms 17", Some(17.0)),
        ] {
            assert_eq!(SelfReport::parse(source).unwrap().on_line(line), want, "{source} on {line:?}");
        }
        assert!(SelfReport::parse("stdout:x").unwrap().on_line("x: NaN").unwrap().is_nan());
        assert!(SelfReport::parse("stdout:x").unwrap().on_line("x: -inf").unwrap().is_infinite());
        assert!(matches!(SelfReport::parse("a (").unwrap_err(), BadSource::Pattern { .. }));
        assert!(matches!(SelfReport::parse("a: \\d+").unwrap_err(), BadSource::NoGroup { .. }));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_searched(line in ".{0,200}") {
            let _ = SelfReport::parse("stdout:val_bpb").unwrap().on_line(&line);
        }
    }
}
