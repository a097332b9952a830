//! The score that a run prints itself, where the task chooses one by `from = "stdout:val_bpb"` or a pattern with a group.
//! What a key looks like in a log is `task::SelfReport`'s to say.

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

/// Where a self-reported score is found: the last match on its stream wins.
#[derive(Debug, Clone)]
pub struct SelfReport {
    stream: Stream,
    pattern: Regex,
}

impl SelfReport {
    /// A pattern whose group `value`, or else whose first group, is the number, such as `task::SelfReport` gives. Errors: it
    /// does not compile.
    pub fn new(stream: Stream, pattern: &str) -> Result<Self, regex::Error> {
        Ok(Self { stream, pattern: Regex::new(pattern)? })
    }

    /// The last number on one line: thousands may be separated; NaN and infinities are numbers here.
    fn on_line(&self, line: &str) -> Option<f64> {
        let (mut last, mut at) = (None, 0);
        // A match goes beyond its number, and the next one may begin there.
        while let Some(found) = self.pattern.captures_at(line, at) {
            let Some(number) = found.name("value").or_else(|| found.get(1)).filter(|n| n.end() > at) else { break };
            last = number.as_str().trim().replace([',', '_'], "").parse().ok().or(last);
            at = number.end();
        }
        last
    }

    /// The last number in a piece of a log; lines end with `\n`, `\r` or both.
    pub fn last_value(&self, log: &str) -> Option<f64> {
        log.rsplit(['\n', '\r']).find_map(|line| self.on_line(line))
    }

    /// Which output is read.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Reads the whole kept log of a run and returns the score under the rules. `others` are the keys of gates, looked for on
    /// the same stream.
    pub fn evaluate(&self, others: &[(String, Self)], executor: &dyn Executor, run_dir: &Path, rules: &Rules) -> Evaluation {
        let mut values = BTreeMap::new();
        let mut look = |line: &str| {
            for (key, report) in others.iter().map(|(key, report)| (key, report)).chain([(&rules.metric, self)]) {
                if let Some(value) = report.on_line(line) {
                    values.insert(key.clone(), value);
                }
            }
        };
        if let Err(error) = each_line(executor, run_dir, self.stream, &mut look) {
            return Evaluation::failed(Failure::new(Label::Infrastructure, error.to_string()));
        }
        let measured = rules.measured.values().iter().any(|(key, _)| *key == rules.metric);
        match values.get(&rules.metric) {
            Some(value) if value.is_finite() => Evaluation::settle(values, rules),
            _ if measured => Evaluation::settle(values, rules),
            Some(value) => {
                let word = crate::model::number::short(*value);
                Evaluation::failed(Failure::new(Label::InvalidScore, format!("the run printed {word} for `{}`", rules.metric)))
            }
            None => Evaluation::failed(Failure::new(
                Label::InvalidScore,
                format!("the run printed no `{}` on {}", rules.metric, self.stream.word()),
            )),
        }
    }
}

/// Hands over each line of a stream; a carriage return ends one too.
fn each_line(executor: &dyn Executor, run_dir: &Path, stream: Stream, look: &mut dyn FnMut(&str)) -> Result<(), crate::run::RunError> {
    let (mut offset, mut line) = (0, Vec::new());
    loop {
        let part = executor.log(run_dir, stream, offset, PART)?;
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

    /// As a task names it.
    fn named(from: &str) -> SelfReport {
        SelfReport::new(Stream::Stdout, &crate::task::SelfReport::parse(from).unwrap().pattern).unwrap()
    }

    #[test]
    fn numbers_in_logs() {
        let log = "step 1 val_bpb: 3.5\nstep 2 val_bpb: 0.997900\r\nother_val_bpb: 7\n";
        for (from, log, want) in [
            ("stdout:val_bpb", log, Some(0.9979)),
            ("stdout:val_bpb", "val_bpb=1\rval_bpb=2\r", Some(2.0)),
            ("stdout:loss", "{\"step\": 3, \"loss\": 1.25e-3}", Some(0.00125)),
            ("stdout:loss", "{'loss': 12}", Some(12.0)),
            ("stdout:acc", "| acc | 93.1 |", Some(93.1)),
            ("stdout:tokens", "tokens: 1,234,567", Some(1_234_567.0)),
            ("stdout:loss", "train_loss: 3\nlossy 4", None),
            ("stdout:eval/loss", "eval/loss: -.5", Some(-0.5)),
            (r"stdout:final ([\d.]+)%", "final 12.5%", Some(12.5)),
            (r"stdout:(\w+) is (?P<value>[\d.]+)", "it is 4", Some(4.0)),
            ("stdout:loss", "", None),
            ("stdout:loss", "the loss is 4.", None),
            ("stdout:loss", "loss 4.", Some(4.0)),
            ("stdout:val_bpb", "val_bpb:          0.997900", Some(0.9979)),
            ("stdout:val_bpb", "step 3 val_bpb=1.5 val_bpb=1.25", Some(1.25)),
            ("stdout:val_bpb", "{\"step\": 3, \"val_bpb\": 1e-3}", Some(0.001)),
            ("stdout:val_bpb", "best_val_bpb: 2", None),
            ("stdout:val_bpb", "val_bpb_old: 2", None),
            ("stdout:val_bpb", "val_bpb 12_000", Some(12_000.0)),
            ("stdout:acc", "acc: 93.5%", Some(93.5)),
            ("stdout:acc", "acc: high", None),
            ("stdout:acc", "acc5 0.9", None),
            ("stdout:val_loss: ([\\d.]+)", "epoch 1 val_loss: 0.25", Some(0.25)),
            ("stdout:a (?P<unit>\\w+) (?P<value>\\d+)", "a ms 17", Some(17.0)),
            ("stdout:(x?)", "xyz", None),
        ] {
            assert_eq!(named(from).last_value(log), want, "{from} in {log:?}");
        }
        assert!(named("stdout:loss").last_value("loss: nan").unwrap().is_nan());
        assert!(named("stdout:x").last_value("x: -inf").unwrap().is_infinite());
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_searched(
            line in ".{0,200}",
            from in proptest::sample::select(vec!["stdout:val_bpb", r"stdout:x*(\d*)y?", "stdout:(a)|b", r"stdout:é(.?)"]),
        ) {
            let _ = named(from).last_value(&line);
        }
    }
}
