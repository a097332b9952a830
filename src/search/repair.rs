//! Failed nodes that are worth a repair: what ran and failed by its own fault, each once, not too deep, not long ago.

use super::{Choice, pinned};
use crate::model::{Label, Operator, Status, Study, Trial, TrialId};

/// Repairs in a row of one idea: what three did not mend, a fourth rarely does.
pub const DEPTH: usize = 3;
/// An older failure was drafted for a recipe that no longer stands.
const RECENT: usize = 30;
/// Requests for one repair of which nothing came, after which the node is left alone.
const TRIES: usize = 2;

/// The newest failed node that nobody mends yet, under a policy without a rule of its own for that. None when there is
/// none, when the last request of agents was a repair too (a recipe that always fails must not be all that is tried), and
/// when a person wants another node extended.
pub fn next(study: &Study) -> Option<Choice> {
    let last = study.proposals.values().rev().find(|p| p.assignment.as_ref().is_some_and(|a| a.idea.is_none()));
    if last.is_some_and(|p| p.operator == Operator::Debug) || pinned(study).is_some() {
        return None;
    }
    let wanted = |t: &&Trial| t.id != TrialId::BASELINE && mendable(t) && depth(study, t, DEPTH) < DEPTH && !in_hand(study, t.id);
    study.trials.iter().rev().take(RECENT).find(wanted).map(choice)
}

/// The repair of a node.
pub(super) fn choice(trial: &Trial) -> Choice {
    let why = match &trial.failure {
        Some(failure) => format!("a repair of {}, which ended in {}", trial.id, failure.label.word()),
        None => format!("a repair of {}", trial.id),
    };
    Choice { parents: vec![trial.id], operator: Operator::Debug, why }
}

/// Whether somebody mends it, has tried, or could not often enough.
fn in_hand(study: &Study, id: TrialId) -> bool {
    let repairs = || study.proposals.values().rev().filter(|p| p.operator == Operator::Debug && p.parents.first() == Some(&id));
    repairs().any(|p| p.failed.is_none()) || repairs().count() >= TRIES
}

/// Whether a change of code could help: it ran and failed by its own fault.
pub(super) fn mendable(trial: &Trial) -> bool {
    let own_fault = trial.failure.as_ref().is_some_and(|f| match f.label {
        Label::PreflightFailed
        | Label::Crashed
        | Label::OutOfMemory
        | Label::Diverged
        | Label::Stalled
        | Label::TimedOut
        | Label::EvalFailed
        | Label::EvalTimedOut
        | Label::GateFailed
        | Label::InvalidScore => true,
        Label::ApplyFailed
        | Label::OutOfBounds
        | Label::Duplicate
        | Label::Tampered
        | Label::StoppedEarly
        | Label::Killed
        | Label::LostSupervisor
        | Label::Infrastructure => false,
    });
    own_fault && trial.status == Status::Done && trial.tree.is_some() && !trial.pruned && trial.imported.is_none()
}

/// Repairs in a row that led to this node, counted no further than one beyond `most`.
pub(super) fn depth(study: &Study, trial: &Trial, most: usize) -> usize {
    let (mut depth, mut node) = (0, trial);
    while node.operator == Operator::Debug && depth <= most {
        depth += 1;
        match node.parents.first().filter(|p| **p < node.id).and_then(|p| study.trial(*p)) {
            Some(parent) => node = parent,
            None => break,
        }
    }
    depth
}
