//! From an ended evaluation to score, metrics, holdout and gates, or to a failure with its reason.

use super::{
    gates::{self, Gate},
    json,
};
use crate::{
    model::{Failure, GateResult, Label, redact},
    run::{Status, durable},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io, path::Path};

/// Longest standard output of an evaluator that is read, in bytes.
pub const STDOUT_MAX: usize = 1 << 20;
/// Metrics that are kept beside the score: an event must stay small.
const METRICS_MAX: usize = 64;
/// A larger score is none: its square would be no number, and with it no noise and no comparison.
const SCORE_MAX: f64 = 1e150;
const FILE: &str = "evaluation.json";

/// What the harness measured itself; it wins over anything that an evaluator prints under the same key.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Wall-clock seconds of the run.
    pub run_seconds: f64,
    /// Its largest resident memory.
    pub peak_memory_bytes: u64,
    /// Size of its collected artifacts.
    pub artifact_bytes: u64,
}

impl Measured {
    pub(super) fn values(self) -> [(String, f64); 3] {
        [
            ("run_seconds".to_owned(), self.run_seconds),
            ("peak_memory_bytes".to_owned(), self.peak_memory_bytes as f64),
            ("artifact_bytes".to_owned(), self.artifact_bytes as f64),
        ]
    }
}

/// How an evaluator's answer is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The key of the score.
    pub metric: String,
    /// The key that stays sealed.
    pub holdout: Option<String>,
    /// The gates of the final stage.
    pub gates: Vec<Gate>,
    /// What the harness measured.
    pub measured: Measured,
}

/// What one evaluation said; `evaluation.json` in the run directory. The holdout leaves that file when the study is over.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The score; none with a failure.
    pub score: Option<f64>,
    /// The evaluator's other numbers, without the holdout.
    pub metrics: BTreeMap<String, f64>,
    /// The sealed number.
    pub holdout: Option<f64>,
    /// All gates of the final stage.
    pub gates: Vec<GateResult>,
    /// Why there is no score.
    pub failure: Option<Failure>,
    /// The sha256 of each artifact that was scored, by its path.
    #[serde(default)]
    pub artifacts: BTreeMap<String, String>,
}

impl Evaluation {
    /// An evaluation that came to nothing.
    pub fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// Writes it durably into the run directory.
    pub fn save(&self, run_dir: &Path) -> io::Result<()> {
        let mut value = serde_json::to_value(self)?;
        redact::ours().value(&mut value);
        durable::write_json(&run_dir.join(FILE), &value, durable::Keep::Durable)
    }

    /// Reads what `save` wrote; none when it is not there whole.
    pub fn load(run_dir: &Path) -> Option<Self> {
        durable::read_json(&run_dir.join(FILE))
    }

    /// Turns values into a score under the rules: the metric must be there, all gates must hold.
    pub(super) fn settle(mut values: BTreeMap<String, f64>, rules: &Rules) -> Self {
        values.extend(rules.measured.values());
        let holdout = rules.holdout.as_ref().and_then(|key| values.remove(key));
        let score = values.get(&rules.metric).copied().filter(|v| v.is_finite());
        let (gates, missed) = gates::check(&rules.gates, &values);
        let failure = match score {
            None => Some(Failure::new(Label::InvalidScore, format!("`{}` has no value", rules.metric))),
            Some(v) if v.abs() > SCORE_MAX => {
                let detail = format!("`{}` is {v:e}: too large to be compared with anything", rules.metric);
                Some(Failure::new(Label::InvalidScore, detail))
            }
            Some(_) => missed,
        };
        values.remove(&rules.metric);
        for (key, _) in rules.measured.values() {
            values.remove(&key);
        }
        let metrics = values.into_iter().filter(|(_, v)| v.is_finite()).take(METRICS_MAX).collect();
        Self { score: score.filter(|_| failure.is_none()), metrics, holdout, gates, failure, artifacts: BTreeMap::new() }
    }
}

/// Reads an ended evaluation. `stdout` is all of its standard output, up to `STDOUT_MAX` bytes.
pub fn read(stdout: &[u8], status: &Status, rules: &Rules) -> Evaluation {
    if let Some(failure) = &status.failure {
        return Evaluation::failed(of_the_evaluator(failure));
    }
    if stdout.len() > STDOUT_MAX || status.stdout_bytes > STDOUT_MAX as u64 {
        let detail = format!("the evaluator printed {} bytes; one JSON object is expected", status.stdout_bytes.max(stdout.len() as u64));
        return Evaluation::failed(Failure::new(Label::InvalidScore, detail));
    }
    let invalid = |detail: String| Evaluation::failed(Failure::new(Label::InvalidScore, detail));
    let object = match json::one_object(stdout) {
        Ok(object) => object,
        // Facts are read by proposers: what the evaluator printed beside its object may be the sealed number.
        Err(detail) if rules.holdout.is_some() => return invalid(without_numbers(&detail)),
        Err(detail) => return invalid(detail),
    };
    let measured = rules.measured.values().map(|(key, _)| key);
    let of_harness = |key: &String| measured.contains(key);
    match object.get(&rules.metric) {
        _ if of_harness(&rules.metric) => {}
        Some(value) => {
            if let Some(word) = json::not_finite(value) {
                return invalid(format!("`{}` is {word}", rules.metric));
            }
            if !value.is_number() {
                return invalid(format!("`{}` is {}, not a number", rules.metric, json::kind(value)));
            }
        }
        None => {
            let keys: Vec<&str> = object.keys().filter(|k| Some(*k) != rules.holdout.as_ref()).map(String::as_str).take(8).collect();
            let keys = crate::model::Safe::line(&keys.join(", "));
            return invalid(format!("the evaluator's JSON has no `{}`; it has: {keys}", rules.metric));
        }
    }
    for gate in rules.gates.iter().filter(|g| !of_harness(&g.key)) {
        if let Some(word) = object.get(&gate.key).and_then(json::not_finite) {
            return invalid(format!("`{}`, the key of a gate, is {word}", gate.key));
        }
    }
    let values = object.into_iter().filter_map(|(key, value)| Some((key, value.as_f64()?))).filter(|(_, v)| v.is_finite()).collect();
    Evaluation::settle(values, rules)
}

/// The text with a mark for every digit that is quoted in it.
fn without_numbers(detail: &str) -> String {
    let mut quoted = false;
    let mark = |c: char| {
        quoted ^= c == '`';
        if quoted && c.is_numeric() { '#' } else { c }
    };
    detail.chars().map(mark).collect()
}

/// The same evidence under the evaluator's labels; what is the machine's or a person's doing stays as it is.
fn of_the_evaluator(failure: &Failure) -> Failure {
    let detail = &failure.detail;
    match failure.label {
        Label::TimedOut => Failure::new(Label::EvalTimedOut, detail.clone()),
        Label::OutOfMemory => Failure::new(Label::EvalFailed, format!("out of memory: {detail}")),
        label if label.not_the_codes_fault() => failure.clone(),
        _ => Failure::new(Label::EvalFailed, detail.clone()),
    }
}

#[cfg(test)]
mod tests;
