//! A baseline without a score, where agents can mend code: the study goes on with the first repair that has one, and what follows is
//! measured against it. The tree of the baseline stays what the user handed in.

use super::reports::{DETAIL, cut};
use super::{agents, budget, schedule};
use crate::model::{Caution, Event, Failure, Millis, Noise, NoisePlan, Status, Study, Trial, TrialId, Verdict};
use crate::search::mend::{self, Mend};

/// Longest reason in what is said of a failure, in characters.
const REASON: usize = 300;

/// Whether a failed baseline is being mended, so that nothing but repairs is asked for, and nothing else runs.
pub(super) fn under_way(study: &Study) -> bool {
    mend::baseline(study).is_some()
}

/// What follows a baseline that failed: people are told that it is mended, or why the study cannot go on.
pub(super) fn settle(study: &Study, failure: Option<&Failure>) -> Result<Vec<Event>, String> {
    let last = |chars| match failure {
        Some(f) => format!("every baseline run failed, last with {}: {}", f.label.word(), cut(&f.detail, chars)),
        None => "no baseline run gave a score".to_owned(),
    };
    let told = study.cautions.contains(&Caution::Mending);
    if hopeful(study) {
        let text = format!("{}; agents are asked to mend it, and scores are measured against the first repair that has one", last(REASON));
        return Ok(if told { Vec::new() } else { vec![Event::Cautioned { about: Caution::Mending, text }] });
    }
    if !told {
        return Err(last(DETAIL));
    }
    Err(format!("{}; {}", last(REASON), given_up(study)))
}

/// Whether a repair is under way, or somebody can be asked for one.
fn hopeful(study: &Study) -> bool {
    match mend::baseline(study) {
        Some(Mend::UnderWay) => true,
        Some(Mend::Due(_)) => {
            let by_agents = study.settings.proposers.iter().any(|p| p == agents::NAME);
            by_agents && room(study) && !budget::spent(study) && agents::ask(study, study.decisions).is_some()
        }
        Some(Mend::GivenUp) | None => false,
    }
}

fn room(study: &Study) -> bool {
    study.settings.limits.trials.is_none_or(|n| study.trials_used < n)
}

/// What became of the repairs, and what a person can do.
fn given_up(study: &Study) -> String {
    let repairs = study.trials.iter().filter(|t| mend::mends(t)).count();
    let last = study.proposals.values().rev().find_map(|p| {
        let trial = p.trial.and_then(|id| study.trial(id)).filter(|t| mend::mends(t));
        match (trial, p.assignment.is_some()) {
            (Some(t), _) => {
                let why = t.failure.as_ref().map(|f| format!("{}: {}", f.label.word(), cut(&f.detail, REASON)));
                let said = || t.reviews.last().and_then(|r| r.reason.clone()).map(|r| format!("{}: {}", t.status.word(), cut(&r, REASON)));
                Some(format!("{} ended as {}", t.id, why.or_else(said).unwrap_or_else(|| t.status.word().into())))
            }
            (None, true) => Some(cut(p.failed.as_deref()?, REASON)),
            (None, false) => None,
        }
    });
    let tried = match (repairs, last) {
        (0, None) => "no agent can be asked to mend it".to_owned(),
        (n, last) => format!("{n} repairs did not help{}", last.map(|why| format!(", the last: {why}")).unwrap_or_default()),
    };
    format!("{tried}. Look at `trialdeck log STUDY t0000`, mend the repository and start a new study, or resume to try again")
}

/// Asks for the repair that is due.
pub(super) fn request(study: &Study, now: Millis) -> Option<Event> {
    let due = matches!(mend::baseline(study), Some(Mend::Due(_)));
    let asked = due && room(study) && study.settings.proposers.iter().any(|p| p == agents::NAME) && agents::may_ask(study, now);
    asked.then(|| agents::ask(study, study.decisions)).flatten()
}

/// The first repair with a score takes the place of the baseline: the search builds on it, what was written on the broken one makes
/// room, and the noise is measured by it.
pub(super) fn mended(study: &Study, trial: &Trial) -> Vec<Event> {
    let runs = wanted(study).saturating_sub(scores(trial));
    let mut events = vec![
        Event::Judged { trial: trial.id, verdict: Verdict::Keep, verified: false, comparison: None, failure: None },
        Event::BaselineMended { trial: trial.id, runs },
        Event::IncumbentMoved { trial: trial.id, from: study.incumbent },
    ];
    let left = |t: &&Trial| t.id != trial.id && t.runs.is_empty() && t.parents.first() == Some(&TrialId::BASELINE) && !mend::mends(t);
    let left = study.open.iter().filter_map(|id| study.trial(*id)).filter(left).filter(|t| !t.status.is_final());
    events.extend(left.map(|t| {
        let detail = format!("it was written on the baseline, which failed; {} mended it, and the search builds on that", trial.id);
        Event::Staled { trial: t.id, detail }
    }));
    events
}

/// Runs of what stands in for the baseline: as many as of the baseline itself.
fn wanted(study: &Study) -> u32 {
    study.settings.baseline_runs.max(1)
}

fn scores(trial: &Trial) -> u32 {
    trial.own_scores().len() as u32
}

/// Whether what stands in for the baseline is still being measured: until then nothing is judged by it.
pub(super) fn measuring(study: &Study) -> bool {
    let Some(trial) = study.reference.and_then(|id| study.trial(id)) else { return false };
    let goes_on = trial.in_flight() || (trial.replicates_wanted > 0 && schedule::may_start(study));
    goes_on && scores(trial) < wanted(study)
}

/// Says once that the noise of what stands in for the baseline could not be measured.
pub(super) fn unknown_noise(study: &Study) -> Option<Event> {
    let unknown = matches!(study.noise, Noise::Unknown { .. }) && study.settings.noise == NoisePlan::Measure;
    let due = study.reference.is_some() && unknown && !measuring(study) && !study.cautions.contains(&Caution::NoiseUnknown);
    let text = super::judge::unknown_noise(study).filter(|_| due && study.state == crate::model::StudyState::Running)?;
    Some(Event::Cautioned { about: Caution::NoiseUnknown, text })
}

/// Whether a trial may run although nothing has a score yet.
pub(super) fn may_run(study: &Study, trial: &Trial) -> bool {
    study.reference().is_some_and(|t| t.score.is_some()) || (mend::mends(trial) && trial.status != Status::Done && under_way(study))
}
