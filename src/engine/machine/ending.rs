//! Where a study ends: limits, target, nothing left to try, a person's wish; and the fresh runs that its headline rests on.

use super::agents::{self, NAME};
use super::budget;
use super::schedule::live_runs;
use crate::model::{Best, Caution, EndReason, Event, Millis, Noise, Quiet, RunKind, Status, Study, StudyState, Trial, TrialId, arms};
use crate::search::plateau::{self, Rung};

/// Proposals in a row that start nothing, after which the study is exhausted.
const FRUITLESS: u32 = 20;

/// Fresh runs of a provisional best before the study ends.
const CERTIFY_RUNS: u32 = 2;

/// Asks for the end once a limit or the target is reached.
pub(super) fn limits(study: &Study, now: Millis) -> Vec<Event> {
    if study.stopping.is_some() {
        return Vec::new();
    }
    let reason = if study.settings.limits.seconds.is_some_and(|limit| study.active_seconds(now) >= limit) {
        EndReason::Time
    } else if reached_target(study).is_some() {
        EndReason::Target
    } else if (study.fruitless >= FRUITLESS || nothing_helps(study) || agents::given_up(study).is_some())
        && study.state == StudyState::Running
    {
        EndReason::Exhausted
    } else {
        return Vec::new();
    };
    vec![Event::StopAsked { now: false, reason }]
}

/// Says once that nothing was kept for a while, and what models have cost.
pub(super) fn cautions(study: &Study) -> Vec<Event> {
    let flat = if by_agents(study) && !study.cautions.contains(&Caution::Flat) { plateau::flat(study) } else { 0 };
    if study.stopping.is_none() && plateau::rung(flat) >= Rung::Warn {
        let text = format!(
            "nothing was kept for {flat} trials; from {} on agents take turns at fresh drafts, crossovers and ablations, from {} on at the \
             least used part of the recipe",
            plateau::DIVERSIFY,
            plateau::SWITCH
        );
        return vec![Event::Cautioned { about: Caution::Flat, text }];
    }
    if study.stopping.is_none() && by_agents(study) && !study.cautions.contains(&Caution::TurnedOff) && arms::all_off(study) {
        return vec![Event::Cautioned { about: Caution::TurnedOff, text: Quiet::TurnedOff.told().into() }];
    }
    budget::cautions(study)
}

/// Agents cost money: a study that nobody bounded ends when they have tried everything on the ladder for long.
fn nothing_helps(study: &Study) -> bool {
    let limits = &study.settings.limits;
    limits.trials.is_none() && limits.seconds.is_none() && by_agents(study) && plateau::rung(plateau::flat(study)) == Rung::Stop
}

fn by_agents(study: &Study) -> bool {
    study.settings.proposers.iter().any(|p| p == NAME)
}

/// The target and the verified best, once that is as good.
pub(super) fn reached_target(study: &Study) -> Option<(f64, &Best)> {
    let (target, best) = (study.settings.target?, study.best.as_ref()?);
    (best.verified && study.settings.goal.gain(best.score, target) >= 0.0).then_some((target, best))
}

/// Ends the study when nothing is in flight and nothing more may start.
pub(super) fn settle(study: &Study) -> Vec<Event> {
    if study.runs_in_flight().next().is_some() || study.setup.as_ref().is_some_and(crate::model::Setup::in_flight) {
        return Vec::new();
    }
    if study.stopping.is_some() {
        return over(study.reason.unwrap_or(EndReason::User), last_refusal(study));
    }
    if study.state != StudyState::Running || study.baseline().is_none_or(|b| b.status != Status::Done) {
        return Vec::new();
    }
    let used_up = study.settings.limits.trials.is_some_and(|n| study.trials_used >= n);
    // A trial whose accept was taken back was counted already: the study waits for the next word on it.
    let undecided = study
        .open
        .iter()
        .filter_map(|id| study.trial(*id))
        .any(|t| !t.runs.is_empty() && (!t.status.is_final() || t.replicates_wanted > 0));
    let reason = match (used_up, budget::over(study)) {
        (true, _) => EndReason::Trials,
        (false, true) => EndReason::Cost,
        (false, false) => return Vec::new(),
    };
    if undecided {
        return Vec::new();
    }
    match provisional(study) {
        Some(trial) => vec![Event::ReplicatesAsked { trial, runs: CERTIFY_RUNS, certify: true }],
        None => over(reason, None),
    }
}

/// The incumbent, when it is kept but not yet certified and had no fresh runs for it.
fn provisional(study: &Study) -> Option<TrialId> {
    if !matches!(study.noise, Noise::Measured { .. } | Noise::Given { .. }) {
        return None;
    }
    let trial: &Trial = study.trial(study.incumbent).filter(|t| t.id != study.reference_id() && !t.verified)?;
    let certified = live_runs(trial).iter().filter(|r| r.kind == RunKind::Certify).count() as u32;
    (certified < CERTIFY_RUNS).then_some(trial.id)
}

fn over(reason: EndReason, detail: Option<String>) -> Vec<Event> {
    vec![Event::StateChanged { state: StudyState::Finished, reason: Some(reason), detail }]
}

/// When nothing could be proposed, the reason of the last attempt is what a person needs to read.
fn last_refusal(study: &Study) -> Option<String> {
    if study.reason != Some(EndReason::Exhausted) {
        return None;
    }
    if study.fruitless < FRUITLESS
        && let Some(why) = agents::given_up(study)
    {
        return Some(format!(
            "every agent has given up on what is known, and nothing is under way; the last: {why}. Tell them more with `trialdeck ctl \
             STUDY steer TEXT` after `trialdeck resume STUDY --trials +20`"
        ));
    }
    if study.fruitless < FRUITLESS {
        let flat = plateau::flat(study);
        return Some(format!("{flat} trials in a row were not kept; to try more say how many, with --trials +20 or --time +2h"));
    }
    let last = study.proposals.values().next_back()?;
    let why = match (&last.failed, last.trial.and_then(|id| study.trial(id))) {
        (Some(why), _) => why.clone(),
        (None, Some(trial)) => {
            trial.failure.as_ref().map_or_else(|| trial.status.word().to_owned(), |f| format!("{}: {}", f.label.word(), f.detail))
        }
        (None, None) => return None,
    };
    Some(format!("{FRUITLESS} proposals in a row started nothing; the last: {why}"))
}
