//! What went wrong and is worth knowing: near misses with their numbers, and lessons by failure label.

use super::card::{lawful, margin};
use super::effect::Effect;
use super::fit::Section;
use super::row::{gain, quoted, told};
use crate::model::{Label, Study, Trial, Verdict, number};
use crate::task::{Gate, Task};
use std::collections::BTreeMap;

/// A gate missed by at most this share of its bound was missed by a little.
const LITTLE: f64 = 0.05;
const NEAR_MISSES: usize = 8;
const EXAMPLES: usize = 2;

pub(super) fn near_misses(study: &Study, task: &Task) -> Section {
    let effect = Effect::of(study);
    let lines: Vec<String> = study
        .trials
        .iter()
        .skip(1)
        .rev()
        .filter_map(|trial| {
            let what = missed_gate(task, trial).or_else(|| within_noise(study, trial, effect))?;
            Some(format!("- {} {what} {}", trial.id, quoted(&trial.hypothesis, 130)))
        })
        .take(NEAR_MISSES)
        .collect();
    Section::new("Near misses: ideas that may only need a smaller dose, or one more part", 1300, 100, lines)
}

/// The gate that was missed by a little, with by how much.
fn missed_gate(task: &Task, trial: &Trial) -> Option<String> {
    if trial.failure.as_ref()?.label != Label::GateFailed {
        return None;
    }
    trial.gates.iter().filter(|result| !result.ok).find_map(|result| {
        let gate: &Gate = task.gates.iter().find(|g| g.key == result.key)?;
        let value = result.value?;
        let (by, words) = margin(gate, value)?;
        let bound = if gate.max.is_some_and(|max| value > max) { gate.max } else { gate.min }?;
        (by <= LITTLE * bound.abs().max(f64::MIN_POSITIVE)).then(|| format!("missed a gate: {words}{}", other_numbers(task, trial)))
    })
}

/// What the evaluator measured although the trial was not legal.
fn other_numbers(task: &Task, trial: &Trial) -> String {
    let Some(run) = trial.runs.last() else { return String::new() };
    // The engine keeps the holdout out of them; a second wall costs nothing.
    let open = run.metrics.iter().filter(|(key, _)| Some(key.as_str()) != task.evaluator.holdout.as_deref());
    let numbers: Vec<String> = open.take(3).map(|(key, value)| format!("{} {}", key, number::short(*value))).collect();
    if numbers.is_empty() { String::new() } else { format!("; {}", numbers.join(", ")) }
}

fn within_noise(study: &Study, trial: &Trial, effect: Option<Effect>) -> Option<String> {
    let (effect, gain) = (effect?, gain(study, trial)?);
    let undone = matches!(trial.verdict, Some(Verdict::Revert | Verdict::Undecided | Verdict::RolledBack));
    (undone && trial.failure.is_none() && gain.abs() <= effect.sd)
        .then(|| format!("{}, inside of one sd of the noise", super::row::outcome(study, trial)))
}

pub(super) fn lessons(study: &Study) -> Section {
    let mut by_label: BTreeMap<Label, Vec<&Trial>> = BTreeMap::new();
    for trial in study.trials.iter().skip(1).filter(|t| told(t)) {
        if let Some(failure) = &trial.failure {
            by_label.entry(failure.label).or_default().push(trial);
        }
    }
    let mut groups: Vec<(Label, Vec<&Trial>)> = by_label.into_iter().collect();
    groups.sort_by_key(|(label, trials)| (std::cmp::Reverse(trials.len()), *label));
    let lines = groups.into_iter().map(|(label, trials)| {
        let examples = trials.iter().rev().take(EXAMPLES).filter_map(|t| {
            let failure = t.failure.as_ref()?;
            Some(format!("{} {}: {}", t.id, quoted(&t.hypothesis, 80), quoted(&failure.detail, 110)))
        });
        let examples: Vec<String> = examples.collect();
        format!("- {} x{}: {}. {}", label.word(), trials.len(), examples.join("; "), lawful(label))
    });
    Section::new("Lessons from failures", 1500, 90, lines.collect())
}
