//! What starts next: reviews by rule, runs on free slots.

use crate::model::{Decision, Event, Reviewer, RunKind, RunNo, Status, Study, StudyState, Trial, TrialId};
use crate::review::{self, Ruling};
use crate::search;
use std::collections::BTreeSet;

pub(super) fn may_start(study: &Study) -> bool {
    study.state == StudyState::Running && study.stopping.is_none()
}

/// Passes what the autonomy and the rules let pass.
pub(super) fn reviews(study: &Study) -> Vec<Event> {
    if !may_start(study) {
        return Vec::new();
    }
    let waiting = study.open.iter().filter_map(|id| study.trial(*id)).filter(|t| t.status == Status::Waiting);
    // What is to be carried over to another node is looked at there.
    let waiting = waiting.filter(|t| super::rebase::due(study, t).is_none());
    waiting
        .filter_map(|trial| match review::ruling(study, trial) {
            Ruling::Passes { by, reason } => Some(Event::Reviewed {
                trial: trial.id,
                by,
                decision: Decision::Accept,
                reason: Some(reason).filter(|r| !r.is_empty()),
                tree: trial.tree.clone(),
            }),
            Ruling::Vetoed { reason } => Some(Event::Reviewed {
                trial: trial.id,
                by: Reviewer::Rule,
                decision: Decision::Veto,
                reason: Some(reason),
                tree: trial.tree.clone(),
            }),
            Ruling::Waits { .. } => None,
        })
        .collect()
}

/// A seed of the harness's that no run of the trial had, whatever became of it.
fn fresh_seed(study: &Study, trial: &Trial) -> u64 {
    let used: BTreeSet<u64> = trial.runs.iter().map(|r| r.seed).collect();
    let seed = |n: u32| search::run_seed(study.settings.seed, trial.id, RunNo(n));
    let next = trial.next_run().0;
    // Two numbers in 2^31 meet rarely; the numbers above belong to no run of any study yet.
    (0..=used.len() as u32).map(|n| seed(next | (n << 24))).find(|s| !used.contains(s)).unwrap_or_else(|| seed(next))
}

/// A run that some trial wants.
struct WantedRun {
    trial: TrialId,
    kind: RunKind,
    retry_of: Option<RunNo>,
}

/// Puts wanted runs on free slots.
pub(super) fn runs(study: &Study) -> Vec<Event> {
    if !may_start(study) || !super::setup::is_ready(study) {
        return Vec::new();
    }
    let busy: BTreeSet<u32> =
        study.runs_in_flight().filter(|(_, r)| r.phase == crate::model::RunPhase::Running).map(|(_, r)| r.slot).collect();
    let Some(slot) = (0..study.slots.len() as u32).find(|s| !busy.contains(s)) else {
        return Vec::new();
    };
    let Some(wanted) = next_run(study) else { return Vec::new() };
    let Some(trial) = study.trial(wanted.trial) else { return Vec::new() };
    let Some(tree) = trial.tree.clone() else { return Vec::new() };
    let run = trial.id.run(trial.next_run());
    let seed = match wanted.retry_of.and_then(|no| trial.run(no)) {
        Some(before) => before.seed,
        None => fresh_seed(study, trial),
    };
    vec![Event::RunScheduled { run, kind: wanted.kind, seed, slot, tree, retry_of: wanted.retry_of, gpus: study.settings.gpus }]
}

/// The most urgent wanted run: retries and the baseline, then confirmations, then replicates, then accepted proposals in order.
fn next_run(study: &Study) -> Option<WantedRun> {
    let open = || study.open.iter().filter_map(|id| study.trial(*id));
    retry(study)
        .or_else(|| {
            open().find(|t| t.advanced && t.verdict.is_none() && wants_more(study, t, RunKind::Confirm)).map(|t| plain(t, RunKind::Confirm))
        })
        .or_else(|| {
            study
                .baseline()
                .filter(|b| b.status != Status::Done && baseline_runs(b) < study.settings.baseline_runs)
                .map(|b| plain(b, RunKind::Baseline))
        })
        .or_else(|| open().find(|t| t.status == Status::Done && t.replicates_wanted > 0).map(|t| plain(t, RunKind::Certify)))
        .or_else(|| {
            open()
                .filter(|t| super::mend::may_run(study, t))
                .filter(|t| !t.advanced && in_hand(t) && wants_more(study, t, RunKind::Screen))
                // What is to be carried over to another node runs there.
                .filter(|t| super::rebase::due(study, t).is_none())
                .filter(|t| {
                    !live_runs(t).is_empty() || study.settings.limits.trials.is_none_or(|n| study.trials_used < n) || !t.runs.is_empty()
                })
                .min_by_key(|t| (live_runs(t).is_empty(), t.times.accepted, t.id))
                .map(|t| plain(t, RunKind::Screen))
        })
}

fn plain(trial: &Trial, kind: RunKind) -> WantedRun {
    WantedRun { trial: trial.id, kind, retry_of: None }
}

fn in_hand(trial: &Trial) -> bool {
    matches!(trial.status, Status::Queued | Status::Running | Status::Evaluating) && trial.id != TrialId::BASELINE
}

/// Runs that count.
pub(super) fn live_runs(trial: &Trial) -> Vec<&crate::model::Run> {
    trial.live_runs().collect()
}

fn count(trial: &Trial, kind: RunKind) -> u32 {
    live_runs(trial).iter().filter(|r| r.kind == kind && r.retry_of.is_none()).count() as u32
}

/// Runs of the baseline that count: what a stop of the whole study cut short is run anew once it goes on.
pub(super) fn baseline_runs(baseline: &Trial) -> u32 {
    let stopped = |r: &crate::model::Run| !r.kill && r.failure.as_ref().is_some_and(|f| f.label == crate::model::Label::Killed);
    let cut_short = live_runs(baseline).into_iter().filter(|r| r.kind == RunKind::Baseline && r.retry_of.is_none() && stopped(r)).count();
    count(baseline, RunKind::Baseline) - cut_short as u32
}

fn wants_more(study: &Study, trial: &Trial, kind: RunKind) -> bool {
    // A failed run decides the trial, so nothing more is started for it.
    let failed = live_runs(trial).iter().any(|r| r.failure.is_some() && !retried(trial, r.id));
    !failed && count(trial, kind) < super::set_aside::wanted(study, trial, kind)
}

/// Whether a later run repeats this one.
pub(super) fn retried(trial: &Trial, run: RunNo) -> bool {
    trial.runs.iter().any(|r| r.retry_of == Some(run))
}

/// A run that ended through no fault of its code is repeated once.
fn retry(study: &Study) -> Option<WantedRun> {
    study.open.iter().filter_map(|id| study.trial(*id)).find_map(|t| {
        live_runs(t).into_iter().find(|r| wants_retry(t, r)).map(|r| WantedRun { trial: t.id, kind: r.kind, retry_of: Some(r.id) })
    })
}

/// Whether a run is to be repeated: the machine's fault, not a person's act, and not a repeat itself.
pub(super) fn wants_retry(trial: &Trial, run: &crate::model::Run) -> bool {
    use crate::model::Label::{Infrastructure, LostSupervisor};
    run.failure.as_ref().is_some_and(|f| matches!(f.label, Infrastructure | LostSupervisor))
        && run.retry_of.is_none()
        && !run.kill
        && !retried(trial, run.id)
}
