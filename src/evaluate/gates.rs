//! Legality checks with a bound. Pure.

use crate::model::{Failure, GateResult, Label, number};
use std::collections::BTreeMap;

/// When a gate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the tree, before anything runs.
    Tree,
    /// After the cheap check before the run.
    Preflight,
    /// With the score.
    Final,
}

/// What a value must keep to; both ends are allowed values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Not below.
    pub min: Option<f64>,
    /// Not above.
    pub max: Option<f64>,
}

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What is measured: a key of the evaluator's JSON, or `run_seconds`, `peak_memory_bytes`, `artifact_bytes`.
    pub key: String,
    /// Its bounds.
    pub bounds: Bounds,
    /// When it is checked.
    pub stage: Stage,
}

/// The gates of one stage, in the task's order.
pub fn of_stage(gates: &[Gate], stage: Stage) -> Vec<Gate> {
    gates.iter().filter(|g| g.stage == stage).cloned().collect()
}

/// Checks all gates; the failure names every one that was missed, with value and bound. A gate without a value is missed.
pub fn check(gates: &[Gate], values: &BTreeMap<String, f64>) -> (Vec<GateResult>, Option<Failure>) {
    let (mut results, mut missed) = (Vec::new(), Vec::new());
    for gate in gates {
        let value = values.get(&gate.key).copied().filter(|v| v.is_finite());
        let why = match value {
            None => Some(format!("{}: no value", gate.key)),
            Some(v) => match gate.bounds {
                Bounds { max: Some(max), .. } if v > max => Some(format!("{} is {}, over {}", gate.key, whole(v), whole(max))),
                Bounds { min: Some(min), .. } if v < min => Some(format!("{} is {}, under {}", gate.key, whole(v), whole(min))),
                Bounds { .. } => None,
            },
        };
        results.push(GateResult { key: gate.key.clone(), value, ok: why.is_none() });
        missed.extend(why);
    }
    let failure = (!missed.is_empty()).then(|| Failure::new(Label::GateFailed, missed.join("; ")));
    (results, failure)
}

/// Numbers of bytes are told to the last digit.
fn whole(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value}") } else { number::short(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound() {
        let gate = |key: &str, min, max, stage| Gate { key: key.into(), bounds: Bounds { min, max }, stage };
        let values = BTreeMap::from([("a".to_owned(), 16_000_001.0), ("b".to_owned(), 0.5), ("n".to_owned(), f64::NAN)]);
        for (gate, want) in [
            (gate("a", None, Some(16e6), Stage::Final), Some("a is 16000001, over 16000000")),
            (gate("b", Some(0.75), None, Stage::Final), Some("b is 0.5, under 0.75")),
            (gate("b", Some(0.5), Some(0.5), Stage::Final), None),
            (gate("c", Some(0.0), None, Stage::Final), Some("c: no value")),
            (gate("n", None, Some(1.0), Stage::Final), Some("n: no value")),
        ] {
            let (results, failure) = check(std::slice::from_ref(&gate), &values);
            assert_eq!(failure.map(|f| f.detail).as_deref(), want, "{gate:?}");
            assert_eq!(results[0].ok, want.is_none());
        }
        let gates =
            [gate("a", None, Some(1.0), Stage::Tree), gate("b", None, Some(0.0), Stage::Final), gate("b", None, Some(1.0), Stage::Final)];
        let (results, failure) = check(&gates, &values);
        assert_eq!(results.iter().map(|r| r.ok).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(failure.unwrap().detail, "a is 16000001, over 1; b is 0.5, over 0");
        assert_eq!(of_stage(&gates, Stage::Final).len(), 2);
    }
}
