//! Gains that are too good for the study's own history: set aside, rerun with fresh seeds, and only then judged.

use crate::decide::{self, History, Rule};
use crate::model::{Event, Run, RunKind, Status, Study, Trial};

/// Runs of a gain that was set aside, in scores.
const RERUNS: u32 = 2;

/// Runs of a kind that a trial needs before it is judged.
pub(super) fn wanted(study: &Study, trial: &Trial, kind: RunKind) -> u32 {
    let scores = if kind == RunKind::Confirm && trial.implausible.is_some() { RERUNS } else { 1 };
    study.settings.seeds_per_score.saturating_mul(scores)
}

/// Scores that say something of the noise: a gain that was set aside is no sample of it, but its reruns are.
pub(super) fn believed(trial: &Trial) -> Vec<f64> {
    let counts = |r: &&Run| trial.implausible.is_none() || r.kind != RunKind::Screen;
    trial.live_runs().filter(counts).filter_map(|r| r.score).collect()
}

/// Sets an apparent gain aside where the study's own history speaks against it.
pub(super) fn doubt(study: &Study, trial: &Trial, screen: &[f64], rule: &Rule) -> Option<Event> {
    let baseline = study.reference()?.score?;
    let held = |t: &&Trial| t.implausible.as_ref().is_none_or(|i| i.held_up != Some(false));
    // Numbers of another machine say nothing of what is usual here.
    let measured = |t: &&Trial| !t.own_scores().is_empty();
    let finished = study.trials.iter().filter(|t| t.id != trial.id && t.status == Status::Done);
    let scores: Vec<f64> = finished.filter(measured).filter(held).filter_map(|t| t.score).collect();
    let anchors = [study.settings.target, study.settings.reference];
    let goal = study.settings.goal;
    let anchor = anchors.into_iter().flatten().max_by(|a, b| goal.gain(*a, *b).total_cmp(&0.0));
    let implausible = decide::implausible(rule, screen, &History { scores: &scores, baseline, anchor })?;
    Some(Event::SetAside { trial: trial.id, implausible: Box::new(implausible) })
}

/// What the reruns of a gain that was set aside say, once.
pub(super) fn rerun(trial: &Trial, screen: &[f64], fresh: &[f64], rule: &Rule) -> Option<Event> {
    let pending = trial.implausible.as_ref().is_some_and(|i| i.held_up.is_none());
    let gain = trial.comparison.as_ref().filter(|_| pending)?.gain;
    let said = decide::rerun(rule, screen, fresh, gain)?;
    Some(Event::Rerun { trial: trial.id, held_up: said.held_up, mean: said.mean, distance: said.distance, allowed: said.allowed })
}
