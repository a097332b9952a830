//! A history that another program wrote: where it comes from, and what one row of it says.
//!
//! Only data: the readers of foreign files are in `import`, the writer is `engine::history`.

use super::{DiffStat, Failure, GateResult, Millis, Operator, Status, TrialId, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a study came from that was not searched here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedFrom {
    /// The format: `autoresearch`, `recipes`, `aide`.
    pub format: String,
    /// Name of the file, without its directory. A copy lies in the study's `imported/`.
    pub file: String,
    /// Rows that were read, the baseline included.
    pub rows: u32,
    /// Of them unreadable.
    pub unreadable: u32,
    /// Why the search cannot go on from here; null when it can.
    pub fixed: Option<String>,
}

/// What the source says of a trial beside what every trial has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What the source calls it: an experiment's number, a commit, a node.
    pub name: String,
    /// The source's own word for its outcome, as written; empty when it has none.
    pub word: String,
    /// Line of the file, or number of the node, from 1.
    pub line: u32,
    /// Its free notes, cut.
    #[serde(default)]
    pub notes: String,
}

/// One row of a history, with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedTrial {
    /// The nodes it builds on.
    pub parents: Vec<TrialId>,
    /// How it relates to them.
    pub operator: Operator,
    /// Who suggested it.
    pub proposer: String,
    /// The part of the recipe.
    pub surface: Option<String>,
    /// One sentence, cut.
    pub hypothesis: String,
    /// Expected change, positive when better.
    pub expected: Option<f64>,
    /// Its commit in the study's store; null for a history without code.
    pub commit: Option<String>,
    /// Its tree.
    pub tree: Option<String>,
    /// Size of its diff.
    pub diff: Option<DiffStat>,
    /// `done`, or `unreadable`.
    pub status: Status,
    /// What the source decided; null for the baseline and for what cannot be read.
    pub verdict: Option<Verdict>,
    /// Its score; null on failure.
    pub score: Option<f64>,
    /// A failed row's number.
    pub self_reported: Option<f64>,
    /// Why it has no score.
    pub failure: Option<Failure>,
    /// Its other numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Gates of the source.
    pub gates: Vec<GateResult>,
    /// Seconds that it took; 0 where the source does not say.
    pub seconds: f64,
    /// When it was proposed, where the source says.
    pub proposed: Option<Millis>,
    /// When it was decided, where the source says.
    pub finished: Option<Millis>,
    /// What the source says beside.
    pub origin: Origin,
}
