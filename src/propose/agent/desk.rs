//! What one proposal remembers between its tool calls.

use crate::model::{Draft, Edit, TrialId};
use std::collections::{BTreeMap, BTreeSet};

/// The desk of one specialist at work on one proposal.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Desk {
    /// The edit that was tried last, fit or not.
    pub last: Option<Draft>,
    /// The edits that fitted last: what is handed in where none are given.
    pub fits: Option<Vec<Edit>>,
    /// The tree of the last edit that fitted.
    pub fitting: Option<String>,
    /// Near duplicates that the agent was told of.
    pub told_near: BTreeSet<TrialId>,
    /// It was told that an edit holds nothing but what is flagged.
    pub told_only: bool,
    /// It has argued for one of them, which it may do once.
    pub argued: bool,
    /// Files that it read, with how often: what it edits without having read is guessed.
    pub read: BTreeMap<String, u32>,
    /// Edits refused in a row.
    pub refused: u32,
    /// Calls in all.
    pub calls: u32,
    /// Preflights that ran.
    pub preflights: u32,
}
