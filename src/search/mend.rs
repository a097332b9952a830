//! A baseline that failed, before anything can be measured: which node is mended, and when that is given up.
//!
//! Whatever the policy, nothing else is tried meanwhile: what builds on code that does not run would not run either.

use super::Choice;
use super::repair::{self, DEPTH, TRIES, depth, mendable};
use crate::model::{Operator, Proposal, Status, Study, Trial, TrialId};

/// How far mending a baseline that failed has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// Somebody is to be asked for this repair.
    Due(Choice),
    /// A repair is being written, reviewed, run or scored.
    UnderWay,
    /// Nothing more is tried.
    GivenUp,
}

/// How the mending of the baseline stands; none where it has a score, is still measured, or was mended.
///
/// The newest failure is mended: the baseline's, or that of its last repair. It is given up once `DEPTH` repairs in a row led to it, once
/// `TRIES` answers for it started nothing, or where no change of code could help.
pub fn baseline(study: &Study) -> Option<Mend> {
    let baseline = study.baseline().filter(|b| b.status == Status::Done && b.score.is_none() && b.failure.is_some())?;
    if study.reference.is_some() {
        return None;
    }
    // What was tried on a baseline that was then measured anew says nothing of this failure.
    let since = baseline.times.finished;
    let open = study.open.iter().filter_map(|id| study.trial(*id)).any(|t| mends(t) && !t.status.is_final());
    let asked = study.asked.iter().filter_map(|id| study.proposals.get(id)).any(|p| p.operator == Operator::Debug);
    if open || asked || baseline.in_flight() {
        return Some(Mend::UnderWay);
    }
    let failed = |t: &&Trial| mends(t) && mendable(t) && t.times.finished >= since;
    let newest = study.trials.iter().rev().find(failed).unwrap_or(baseline);
    let came_to_nothing = |p: &&Proposal| p.requested && Some(p.asked) >= since && fruitless(study, p);
    let answers = study.proposals.values().filter(|p| p.operator == Operator::Debug && p.parents.first() == Some(&newest.id));
    let over = !mendable(newest) || depth(study, newest, DEPTH) >= DEPTH || answers.filter(came_to_nothing).count() >= TRIES;
    Some(if over { Mend::GivenUp } else { Mend::Due(repair::choice(newest)) })
}

/// Whether a trial may be what mends a baseline that failed: a repair, or what a person wrote.
pub fn mends(trial: &Trial) -> bool {
    trial.id != TrialId::BASELINE && (trial.operator == Operator::Debug || trial.proposer == "researcher")
}

/// Whether repairs alone lead from the baseline to this node.
pub(super) fn of_baseline(study: &Study, trial: &Trial) -> bool {
    let mut node = trial;
    while let Some(parent) = node.parents.first().filter(|p| node.operator == Operator::Debug && **p < node.id) {
        let Some(next) = study.trial(*parent) else { return false };
        node = next;
    }
    node.id == TrialId::BASELINE
}

/// Whether somebody answered, and nothing came of it that could have a score. A server that was away is no answer: how often that may
/// happen is counted elsewhere.
fn fruitless(study: &Study, request: &Proposal) -> bool {
    let trial = request.trial.and_then(|id| study.trial(id));
    request.gave_up || trial.is_some_and(|t| t.status.is_final() && !mendable(t))
}
