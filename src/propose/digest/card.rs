//! The failure card of a trial: what happened, why, the evidence, and what would have been legal.
//!
//! Evidence comes from the facts (label, gates, seconds, memory) and, where a log is at hand, from its deepest exception.

mod trace;

pub use trace::{Trace, deepest};

use super::row::{quoted, veto};
use crate::model::{Label, Reviewer, Run, Status, Study, Trial, TrialId, number};
use crate::propose::agent::{data, end, line, log_lines};
use crate::propose::role::seconds;
use crate::task::{Gate, Task};
use std::fmt;

/// Bytes of the log's end that stand on a card.
const TAIL: usize = 700;

/// Why a trial has no score, or was not allowed to have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The trial.
    pub trial: TrialId,
    /// What happened, in words.
    pub what: String,
    /// Why, as far as it is known.
    pub why: String,
    /// Numbers, frames, exceptions; one a line.
    pub evidence: Vec<String>,
    /// What would have been legal, or is to be done instead.
    pub legal: String,
    /// The end of its log, delimited.
    pub log: Option<String>,
}

impl Card {
    /// The card, line by line.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("- what: {}", self.what), format!("- why: {}", self.why)];
        lines.extend(self.evidence.iter().map(|e| format!("- evidence: {e}")));
        lines.push(format!("- legal would be: {}", self.legal));
        lines.extend(self.log.clone());
        lines
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// The card of a trial that failed or was vetoed; none for one that did neither. `log` is the end of its last run's log, errors last.
pub fn card(study: &Study, task: &Task, trial: TrialId, log: Option<&str>) -> Option<Card> {
    let trial = study.trial(trial)?;
    if trial.failure.is_none() && trial.status == Status::Vetoed {
        return Some(vetoed(trial));
    }
    // The trial's own failure is that of its last run; a run's stands alone while the trial is still open.
    let run = trial.runs.last();
    let failure = trial.failure.as_ref().or_else(|| run.and_then(|r| r.failure.as_ref()))?;
    let mut evidence = Vec::new();
    if let Some(run) = run {
        evidence.push(spent(study, task, run));
        // A slow machine and a slow idea look alike, but for what the same code took elsewhere.
        let parent = trial.parents.first().and_then(|id| study.trial(*id));
        if let Some((parent, took)) = parent.and_then(|p| Some((p.id, super::sights::took(p)?))) {
            evidence.push(format!("runs of its parent {parent} took {took}"));
        }
        for result in run.gates.iter().filter(|g| !g.ok) {
            let gate = task.gates.iter().find(|g| g.key == result.key);
            evidence.push(match (gate, result.value) {
                (Some(gate), Some(value)) => match margin(gate, value) {
                    Some((_, words)) => words,
                    None => format!("{} is {}, which is no number to compare", gate.key, number::short(value)),
                },
                (_, Some(value)) => format!("{} is {}", line(&result.key, 60), number::short(value)),
                (_, None) => format!("{} was not measured", line(&result.key, 60)),
            });
        }
        for (key, value) in run.metrics.iter().filter(|(key, _)| Some(key.as_str()) != task.evaluator.holdout.as_deref()).take(4) {
            evidence.push(format!("{} was {}", line(key, 60), number::short(*value)));
        }
    }
    let text = log.map(log_lines);
    let trace = text.as_deref().and_then(deepest);
    if let Some(trace) = &trace {
        evidence.extend(trace.lines());
    }
    let log = text.filter(|t| !t.trim().is_empty()).map(|t| data("end of its log", end(&t, TAIL)));
    let why = match &trace {
        Some(trace) => format!("{}; {}", quoted(&failure.detail, 300), quoted(&trace.exception, 200)),
        None => quoted(&failure.detail, 400),
    };
    Some(Card {
        trial: trial.id,
        what: format!("{} {}: {}", trial.id, failure.label.word(), said(failure.label)),
        why,
        evidence,
        legal: allowed(study, task, run, failure.label),
        log,
    })
}

fn vetoed(trial: &Trial) -> Card {
    let by_rule = trial.reviews.last().is_some_and(|r| r.by == Reviewer::Rule);
    Card {
        trial: trial.id,
        what: format!("{} was vetoed by {} before it ran", trial.id, if by_rule { "a rule" } else { "a person" }),
        why: veto(trial).map_or_else(|| "no reason was given".to_owned(), |reason| quoted(reason, 400)),
        evidence: Vec::new(),
        legal: "another proposal that does without what the reason names".to_owned(),
        log: None,
    }
}

fn spent(study: &Study, task: &Task, run: &Run) -> String {
    let limit = task.budget.memory_bytes.map(|limit| format!(" of {}", limit >> 20)).unwrap_or_default();
    let memory =
        if run.peak_memory_bytes > 0 { format!(", peak memory {}{limit} MiB", run.peak_memory_bytes >> 20) } else { String::new() };
    format!("the run took {} of {}{memory}", seconds(run.seconds), seconds(study.settings.wall_secs))
}

/// By how much a value misses a gate, as a number and in words; none where it holds or cannot be compared.
pub(super) fn margin(gate: &Gate, value: f64) -> Option<(f64, String)> {
    let words = |by: f64, side: &str, bound: f64| {
        let share = if bound == 0.0 { String::new() } else { format!(", {} %", number::rough(by / bound.abs() * 100.0)) };
        let word = if side == "at most" { "over" } else { "short" };
        format!("{} is {}, {side} {} is legal: {} {word}{share}", gate.key, number::short(value), number::short(bound), number::short(by))
    };
    match (gate.max, gate.min) {
        (Some(max), _) if value > max => Some((value - max, words(value - max, "at most", max))),
        (_, Some(min)) if value < min => Some((min - value, words(min - value, "at least", min))),
        _ => None,
    }
}

/// What a label means, for somebody who has not read its definition.
fn said(label: Label) -> &'static str {
    match label {
        Label::ApplyFailed => "the edit does not fit the parent's files",
        Label::OutOfBounds => "the edit touches what it may not",
        Label::Duplicate => "the same code was decided or vetoed before",
        Label::PreflightFailed => "the cheap check before the run said no",
        Label::Crashed => "the program ended with an error",
        Label::OutOfMemory => "the memory limit ended it",
        Label::Diverged => "the watched metric became NaN or infinite",
        Label::Stalled => "neither output nor processor time for a long while",
        Label::TimedOut => "it ran over the wall-clock budget and was ended",
        Label::EvalFailed => "the evaluator ended with an error or found no artifact",
        Label::EvalTimedOut => "the evaluator ran over its own limit",
        Label::GateFailed => "a gate's bound was missed",
        Label::InvalidScore => "the evaluator did not get one finite score",
        Label::Tampered => "the evaluator's files changed",
        Label::StoppedEarly => "a rule ended it early",
        Label::Killed => "a person ended it",
        Label::LostSupervisor => "its supervisor vanished",
        Label::Infrastructure => "the machine's fault",
    }
}

/// What to do about a label, in one sentence for people and models.
pub(super) fn lawful(label: Label) -> &'static str {
    match label {
        Label::ApplyFailed => "Read the file again and quote its lines as they stand.",
        Label::OutOfBounds => "Stay inside of the editable files of your part.",
        Label::Duplicate => "Look at what that trial gave, and propose something else.",
        Label::PreflightFailed => "Run the preflight before you submit.",
        Label::Crashed => "Mend the frame that raised, not the idea.",
        Label::OutOfMemory => "Make the largest tensor or structure smaller, or free it earlier.",
        Label::Diverged => "Lower the step size or add warm-up, clipping or a guard where numbers grow.",
        Label::Stalled => "Look for a wait without an end: a loader, a lock, an input.",
        Label::TimedOut => "Count start-up, evaluation and saving; leave a margin, since machines differ.",
        Label::EvalFailed => "Write the artifact that the evaluator needs, at the same path and in the same form.",
        Label::EvalTimedOut => "Make what the evaluator loads or runs cheaper.",
        Label::GateFailed => "Keep the idea and pay for the gate elsewhere in the same edit.",
        Label::InvalidScore => "Look for NaN, missing rows or a wrong shape in what is written at the end.",
        Label::Tampered => "Leave the evaluator alone.",
        Label::StoppedEarly => "It was behind at the same time; a change must show early too, or say when it will.",
        Label::Killed | Label::LostSupervisor | Label::Infrastructure => "The idea was not judged.",
    }
}

/// What would have been legal here, with the task's numbers.
fn allowed(study: &Study, task: &Task, run: Option<&Run>, label: Label) -> String {
    let wall = study.settings.wall_secs;
    let general = lawful(label);
    match label {
        Label::TimedOut => {
            format!("a run that ends within {} on this machine, output written; {general}", seconds(wall))
        }
        Label::OutOfMemory => match task.budget.memory_bytes {
            Some(limit) => format!("less than {} MiB over all processes; {general}", limit >> 20),
            None => format!("less memory than the machine has; {general}"),
        },
        Label::GateFailed => {
            let gates = run.map(|r| r.gates.as_slice()).unwrap_or_default();
            let missed = gates.iter().filter(|g| !g.ok).filter_map(|g| task.gates.iter().find(|gate| gate.key == g.key));
            let bounds: Vec<String> = missed.map(super::task::bound).collect();
            if bounds.is_empty() { general.to_owned() } else { format!("{}; {general}", bounds.join(", ")) }
        }
        Label::EvalFailed | Label::InvalidScore if !task.evaluator.needs.is_empty() => {
            format!("a run that leaves {} as the evaluator reads it; {general}", line(&task.evaluator.needs.join(", "), 160))
        }
        Label::OutOfBounds => format!("edits of {}; {general}", line(&task.repository.editable.join(", "), 160)),
        Label::PreflightFailed => match &task.run.preflight {
            Some(preflight) => {
                format!("`{}` ends well within {}; {general}", line(&preflight.command, 120), seconds(preflight.wall.as_secs_f64()))
            }
            None => general.to_owned(),
        },
        Label::ApplyFailed
        | Label::Duplicate
        | Label::Crashed
        | Label::Diverged
        | Label::Stalled
        | Label::EvalFailed
        | Label::EvalTimedOut
        | Label::InvalidScore
        | Label::Tampered
        | Label::StoppedEarly
        | Label::Killed
        | Label::LostSupervisor
        | Label::Infrastructure => general.to_owned(),
    }
}
