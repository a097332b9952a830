//! Which node to extend next, and how: one policy a file, each a pure choice from the study and one random number.
//!
//! Knows nothing of proposers beyond whether they can repair code; which specialist is asked is `bandit`, what changes when
//! nothing is kept is `plateau`, which failure is mended is `repair`, and `mend` where it is the
//! baseline. Nodes that were pruned, failed, or have no verdict
//! that can be told (pending, undecided, rolled back) are never built upon; a person's pin goes before any policy.
//! Tested by tables and by a race against random search on a bowl.

pub mod bandit;
pub mod draw;
mod greedy;
mod hillclimb;
pub mod mend;
pub mod plateau;
pub mod repair;
mod standing;
#[cfg(test)]
mod tests;

pub use draw::{draw, run_seed};
pub use standing::standing;

use crate::model::{Operator, PolicyName, Status, Study, Trial, TrialId, Verdict, number};

/// What the next proposal is to build on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The nodes; the first is the base of the diff.
    pub parents: Vec<TrialId>,
    /// How the proposal relates to them.
    pub operator: Operator,
    /// Why, in one line for people.
    pub why: String,
}

/// What the proposer whose turn it is can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// It reads code and can mend a node that failed.
    Able,
    /// A sampler of values: it cannot mend code.
    Unable,
}

/// Chooses the node to extend and the operator.
///
/// `draw` is one number of `draw::draw`; the same study and number give the same choice. Total: while nothing has a
/// score the baseline is extended.
pub fn choose(study: &Study, policy: PolicyName, repair: Repair, draw: u64) -> Choice {
    if let Some(choice) = pinned(study) {
        return choice;
    }
    match policy {
        PolicyName::Hillclimb => hillclimb::choose(study),
        PolicyName::Greedy => greedy::choose(study, repair, draw),
    }
}

/// The best of the nodes that a person wants extended.
fn pinned(study: &Study) -> Option<Choice> {
    let trial = best_of(study, |t| t.pinned)?;
    Some(Choice { parents: vec![trial.id], operator: Operator::Improve, why: format!("{}, pinned", named(trial)) })
}

/// Whether a node may be built upon: it ran, has a score, was not pruned, and its verdict can be told.
fn extensible(trial: &Trial) -> bool {
    let told = match trial.verdict {
        Some(Verdict::Keep | Verdict::Revert) => true,
        Some(Verdict::Undecided | Verdict::RolledBack) => false,
        None => trial.id == TrialId::BASELINE,
    };
    let ran = trial.id == TrialId::BASELINE || trial.status == Status::Done;
    told && ran && !trial.pruned && trial.tree.is_some() && trial.failure.is_none() && trial.score.is_some()
}

/// The best extensible node for which `wanted` holds; the earliest of equals.
fn best_of(study: &Study, wanted: impl Fn(&Trial) -> bool) -> Option<&Trial> {
    let mut best: Option<(&Trial, f64)> = None;
    for trial in study.trials.iter().filter(|t| extensible(t) && wanted(t)) {
        let Some(score) = trial.score.filter(|s| s.is_finite()) else { continue };
        if best.is_none_or(|(_, least)| study.settings.goal.better(score, least)) {
            best = Some((trial, score));
        }
    }
    best.map(|(trial, _)| trial)
}

/// A node with its score, for people.
fn named(trial: &Trial) -> String {
    trial.score.map_or_else(|| trial.id.to_string(), |score| format!("{} ({})", trial.id, number::short(score)))
}
