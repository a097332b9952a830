//! Failed nodes that are worth a repair: what ran and failed by its own fault, each once, not too deep, not long ago. And what a
//! rule refused before it ran, whose idea may be legal in another form.

use super::{Choice, Repair, mend, pinned};
use crate::model::{Decision, Label, Operator, PolicyName, Reviewer, Status, Study, Trial, TrialId};

/// Repairs in a row of one idea: what three did not mend, a fourth rarely does.
pub const DEPTH: usize = 3;
/// Adaptations in a row of one refused idea.
pub const ADAPTS: usize = 2;
/// An older failure was drafted for a recipe that no longer stands.
const RECENT: usize = 30;
/// Requests for one repair of which nothing came, after which the node is left alone.
pub(super) const TRIES: usize = 2;

/// The newest failed node that nobody mends yet, under a policy without a rule of its own for that. None when there is
/// none, when the last request of agents was a repair too (a recipe that always fails must not be all that is tried), and
/// when a person wants another node extended.
pub fn next(study: &Study) -> Option<Choice> {
    let last = study.proposals.values().rev().find(|p| p.assignment.as_ref().is_some_and(|a| a.idea.is_none()));
    if last.is_some_and(|p| p.operator == Operator::Debug) || pinned(study).is_some() {
        return None;
    }
    // The baseline's own failure, and those of its repairs, are `mend`'s.
    let own = |t: &Trial| mendable(t) && !mend::of_baseline(study, t);
    let wanted = |t: &&Trial| own(t) && depth(study, t, DEPTH) < DEPTH && !in_hand(study, t.id);
    study.trials.iter().rev().take(RECENT).find(wanted).map(choice)
}

/// A refused proposal whose idea may come in a form that is legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapt {
    /// The refused one.
    pub refused: TrialId,
    /// The same operator once more, on the same nodes, or on the one that the search moved on to. What was refused is not built upon: its
    /// edit would hide what is wrong with it.
    pub choice: Choice,
}

/// The newest proposal of an agent that a rule refused (out of bounds, not applicable, a gate of the tree, a veto by rule), or
/// that could not be carried over to where the search is now, and that nobody was asked to adapt yet; not what is too deep a chain of adaptations itself, and not while a person wants another node
/// extended.
pub fn adapt(study: &Study) -> Option<Adapt> {
    if pinned(study).is_some() {
        return None;
    }
    let request = |t: &Trial| t.proposal.and_then(|p| study.proposals.get(&p)).filter(|p| p.requested);
    let by_agent = |t: &Trial| request(t).is_some_and(|p| p.assignment.is_some());
    let tries = |id: TrialId| study.proposals.values().filter(move |p| p.assignment.as_deref().is_some_and(|a| a.adapts == Some(id)));
    let in_hand = |id: TrialId| tries(id).any(|p| p.failed.is_none() || p.gave_up) || tries(id).count() >= TRIES;
    let moved = study.settings.policy == PolicyName::Hillclimb;
    // Hill climbing draws no number.
    let onto = |t: &Trial| match t.status {
        Status::Stale => super::choose(study, study.settings.policy, Repair::Unable, 0).parents,
        _ => t.parents.clone(),
    };
    let stands = |t: &Trial| onto(t).iter().all(|p| study.trial(*p).is_some_and(|p| p.tree.is_some() && !p.pruned));
    let another_form = |t: &Trial| refused(t) || (moved && t.status == Status::Stale);
    let wanted = |t: &&Trial| another_form(t) && by_agent(t) && stands(t) && !in_hand(t.id) && adapted(study, t) < ADAPTS;
    let trial = study.trials.iter().rev().take(RECENT).find(wanted)?;
    let parents = onto(trial);
    let why = match &trial.failure {
        _ if trial.status == Status::Stale => {
            let now = parents.first().map(ToString::to_string).unwrap_or_default();
            format!("{} could not be carried over to {now}: its idea anew, as far as that has it not", trial.id)
        }
        Some(failure) => format!("{} was refused as {}: its idea in a form that is legal", trial.id, failure.label.word()),
        None => format!("{} was vetoed by a rule: its idea in a form that is legal", trial.id),
    };
    Some(Adapt { refused: trial.id, choice: Choice { parents, operator: trial.operator, why } })
}

/// Adaptations in a row that led to this proposal, counted no further than is allowed.
fn adapted(study: &Study, trial: &Trial) -> usize {
    let before = |t: &Trial| study.proposals.get(&t.proposal?)?.assignment.as_deref()?.adapts.filter(|id| *id < t.id);
    let chain = std::iter::successors(before(trial), |id| study.trial(*id).and_then(before));
    chain.take(ADAPTS).count()
}

/// Whether a rule refused it for what another form of the same idea need not do.
fn refused(trial: &Trial) -> bool {
    let by_rule = trial.reviews.last().is_some_and(|r| r.by == Reviewer::Rule && r.decision == Decision::Veto);
    let label = trial.failure.as_ref().map(|f| f.label);
    match trial.status {
        Status::Vetoed => by_rule,
        Status::Rejected => {
            matches!(label, Some(Label::OutOfBounds | Label::ApplyFailed | Label::PreflightFailed | Label::GateFailed))
        }
        _ => false,
    }
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
