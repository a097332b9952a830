//! One trial in one line.

use crate::model::{Decision, Label, RunNo, RunPhase, Status, Study, Trial, Verdict, number};
use crate::propose::agent::line;

/// Most characters of a hypothesis, of a failure's detail, of a reason.
const HYPOTHESIS: usize = 170;
const DETAIL: usize = 150;
const REASON: usize = 200;

/// How much better a trial is than what it was compared with (else than its first parent); positive when better.
pub fn gain(study: &Study, trial: &Trial) -> Option<f64> {
    if let Some(comparison) = &trial.comparison {
        return Some(comparison.gain).filter(|g| g.is_finite());
    }
    let parent = study.trial(*trial.parents.first()?)?.score?;
    Some(study.settings.goal.gain(trial.score?, parent)).filter(|g| g.is_finite())
}

/// What came of a trial: verdict with score and delta, failure with its detail, or a person's no with the reason.
pub fn outcome(study: &Study, trial: &Trial) -> String {
    if let Some(failure) = trial.failure.as_ref() {
        return format!("{}: {}", failure.label.word(), quoted(&failure.detail, DETAIL));
    }
    if trial.status == Status::Vetoed {
        return match veto(trial) {
            Some(reason) => format!("vetoed: {}", quoted(reason, REASON)),
            None => "vetoed".to_owned(),
        };
    }
    let word = match (trial.verdict, trial.status) {
        (Some(Verdict::Keep), _) if trial.verified => "keep, verified",
        (Some(Verdict::RolledBack), _) => "kept once, rolled back",
        (Some(verdict), _) => verdict.word(),
        (None, _) if trial.score.is_some() && trial.proposal.is_some() => "not decided yet, being confirmed:",
        (None, status) if trial.proposal.is_some() => status.word(),
        (None, _) => "baseline",
    };
    let mut text = word.to_owned();
    if let Some(score) = trial.score {
        text.push_str(&format!(" {}", number::short(score)));
    }
    if let Some(gain) = gain(study, trial) {
        text.push_str(&format!(" ({}{})", delta(gain), over_parent(study, trial)));
    }
    let runs = trial.scores().len();
    if runs > 1 {
        text.push_str(&format!(", {runs} runs"));
    }
    text
}

/// Against another node than its parent a good change can lose: what it gained where it was made says more of the idea.
fn over_parent(study: &Study, trial: &Trial) -> String {
    let own = || {
        let against = trial.comparison.as_ref()?.against;
        let parent = study.trial(*trial.parents.first()?).filter(|parent| parent.id != against)?;
        let gain = study.settings.goal.gain(trial.score?, parent.score?);
        gain.is_finite().then(|| format!(" vs {against}; {} vs its parent {}", delta(gain), parent.id))
    };
    own().unwrap_or_default()
}

/// The run whose log and curves tell most: the last that has ended, else the last. One that has just begun has written nothing.
pub fn telling_run(trial: &Trial) -> Option<RunNo> {
    let ended = trial.runs.iter().rev().find(|run| run.phase != RunPhase::Running);
    ended.or(trial.runs.last()).map(|run| run.id)
}

/// A whole line: number, outcome, part of the recipe, hypothesis.
pub fn row(study: &Study, trial: &Trial) -> String {
    let surface = trial.surface.as_deref().map(|s| format!(" [{}]", line(s, 24))).unwrap_or_default();
    let text = if trial.hypothesis.is_empty() { String::new() } else { format!(" {}", quoted(&trial.hypothesis, HYPOTHESIS)) };
    format!("- {} {}{surface}{text}", trial.id, outcome(study, trial))
}

/// With a sign, so that `+` reads as better.
pub(super) fn delta(gain: f64) -> String {
    if gain > 0.0 { format!("+{}", number::rough(gain)) } else { number::rough(gain) }
}

/// Foreign text on one line, in double quotes of our own.
pub(super) fn quoted(text: &str, most: usize) -> String {
    format!("\"{}\"", line(text, most).replace('"', "'"))
}

/// The reason of the last veto.
pub(super) fn veto(trial: &Trial) -> Option<&str> {
    let review = trial.reviews.iter().rev().find(|r| r.decision == Decision::Veto)?;
    review.reason.as_deref().filter(|reason| !reason.trim().is_empty())
}

/// Whether the trial says something about its idea.
pub(super) fn told(trial: &Trial) -> bool {
    match &trial.failure {
        Some(failure) => !failure.label.not_the_codes_fault() && failure.label != Label::Duplicate,
        None => trial.verdict.is_some() || trial.status == Status::Vetoed,
    }
}
