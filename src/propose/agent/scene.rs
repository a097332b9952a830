//! What one proposal is about: who was asked, for what, on which nodes.

use crate::model::{Assignment, Draft, Operator, TrialId};

/// One request to a specialist.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// How the proposal relates to its parents.
    pub operator: Operator,
    /// The nodes it builds on; the first is the base of the diff.
    pub parents: Vec<TrialId>,
    /// Which specialist, which model, and what to look at.
    pub assignment: Assignment,
    /// The random number of the decision.
    pub draw: u64,
    /// An own earlier revision that came back with a comment.
    pub revise: Option<Revise>,
    /// The node that this proposal has made already, where it is revised or carried over: it is no duplicate of itself.
    pub trial: Option<TrialId>,
}

/// A revision that a reviewer sent back.
#[derive(Debug, Clone, PartialEq)]
pub struct Revise {
    /// What the reviewer wants.
    pub comment: String,
    /// What was handed in.
    pub draft: Draft,
    /// The number of that revision, from 1.
    pub revision: u32,
}

impl Scene {
    /// A first request: nothing was handed in yet.
    pub fn new(operator: Operator, parents: Vec<TrialId>, assignment: Assignment, draw: u64) -> Self {
        Self { operator, parents, assignment, draw, revise: None, trial: None }
    }

    /// The node whose tree the edits are applied to.
    pub fn base(&self) -> TrialId {
        self.parents.first().copied().unwrap_or(TrialId::BASELINE)
    }
}
