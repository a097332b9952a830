//! Autonomy: what may pass without a person.
//!
//! A ruling is a pure function of the study and the proposal; the engine turns `Passes` into a `Reviewed` fact and
//! leaves what `Waits` in the queue. What an edit touches that is no idea is told by `flags`, from its diff, before any
//! compute is spent; a ruling knows no diff and no proposer beyond its name. Tested by tables.

pub mod flags;
#[cfg(test)]
mod tests;

use crate::model::{Autonomy, Decision, Flag, Reviewer, Status, Study, Trial, flagged};

/// What the rules say of one checked proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may run.
    Passes {
        /// Who let it pass: `Auto` for the mode, `Rule` for a rule of the researcher's.
        by: Reviewer,
        /// Why, for the record.
        reason: String,
    },
    /// It does not run.
    Vetoed {
        /// Why, for the record.
        reason: String,
    },
    /// A person decides.
    Waits {
        /// Why, in a few words for the queue.
        why: String,
    },
}

/// Says whether a proposal that was checked and waits may pass without a person.
///
/// A person's word comes first: what a person took back waits in every mode, or the rule that let it pass would let it
/// pass again at once; and a person's edit waits for its own accept unless the mode is `auto`.
///
/// A flagged proposal waits for a person whoever made it. Where nobody is asked it passes, unless it changes nothing but
/// the seed, a time limit or what is printed of the metric: that could only look like a gain.
pub fn ruling(study: &Study, trial: &Trial) -> Ruling {
    let waits = |why: &str| Ruling::Waits { why: why.to_owned() };
    let passes = |by, reason: String| Ruling::Passes { by, reason };
    if taken_back(trial) {
        return waits("the decision on it was taken back");
    }
    if sent_back(trial) {
        return waits("another revision of it was asked for");
    }
    let flags = flagged(trial.flags.iter().map(Flag::mark));
    if study.settings.autonomy == Autonomy::Auto {
        if let Some(flags) = flags.as_ref().filter(|_| flags::is_empty_edit(&trial.flags)) {
            return Ruling::Vetoed { reason: format!("it {flags}: no compute is spent on that; a person may undo this and accept it") };
        }
        if let Some(flags) = flags {
            return passes(Reviewer::Auto, format!("autonomy is auto; flagged: {flags}"));
        }
        return passes(Reviewer::Auto, "autonomy is auto".into());
    }
    if edited_by_a_person(trial) {
        return waits("it was edited; its new tree has not been accepted");
    }
    if let Some(flags) = flags {
        return waits(&format!("it is flagged: {flags}"));
    }
    if study.let_pass.contains(&trial.proposer) {
        return passes(Reviewer::Rule, format!("proposals of {} pass", trial.proposer));
    }
    match study.settings.autonomy {
        Autonomy::AskRisky if only_sets_knobs(trial) => passes(Reviewer::Rule, "a knob sampler's change of values is not risky".into()),
        Autonomy::AskRisky => waits("autonomy is ask-risky, and it is more than a knob sampler's change of values"),
        Autonomy::Ask | Autonomy::Auto => waits("autonomy is ask"),
    }
}

/// A knob sampler writes nothing but values of knobs that lie within their ranges.
fn only_sets_knobs(trial: &Trial) -> bool {
    trial.proposer.starts_with("knobs/") && !trial.knobs.is_empty()
}

/// An accept or veto that stands last, although the proposal waits, was undone: `ReviewUndone` leaves it on record. What passed
/// by rule and was carried over to another node since has another tree, on which nobody decided yet.
pub fn taken_back(trial: &Trial) -> bool {
    trial.status == Status::Waiting
        && trial.reviews.last().is_some_and(|review| {
            matches!(review.decision, Decision::Accept | Decision::Veto) && (review.by == Reviewer::Human || review.tree == trial.tree)
        })
}

/// The very tree that a person wanted better: its proposer had no other, or the wish was taken back.
fn sent_back(trial: &Trial) -> bool {
    trial.reviews.last().is_some_and(|review| review.decision == Decision::Revise && review.tree.is_some() && review.tree == trial.tree)
}

fn edited_by_a_person(trial: &Trial) -> bool {
    let last_edit = trial.reviews.iter().rev().find(|review| review.decision == Decision::Edit);
    last_edit.is_some_and(|review| review.by == Reviewer::Human)
}
