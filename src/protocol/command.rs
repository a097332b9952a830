//! Wishes of a client. Review commands carry the hash of the tree that was shown; the others are idempotent.

use crate::model::{Autonomy, Draft, Favour, Limits, ProposalId, RunId, TrialId};
use serde::{Deserialize, Serialize};

/// One wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Let a proposal run.
    Accept {
        /// Which.
        proposal: ProposalId,
        /// The tree that was shown; refused when it is not the current one. Null accepts the current one.
        tree: Option<String>,
    },
    /// Let it never run.
    Veto {
        /// Which.
        proposal: ProposalId,
        /// The tree that was shown.
        tree: Option<String>,
        /// Why.
        reason: String,
    },
    /// Replace it by a new revision of the reviewer's.
    Edit {
        /// Which.
        proposal: ProposalId,
        /// The revision that was edited.
        tree: Option<String>,
        /// The whole new revision, as edits of the parent's tree.
        draft: Box<Draft>,
        /// Accept it once it is checked (the cockpit's own `e`).
        accepted: bool,
    },
    /// Ask the proposer for a new revision.
    Revise {
        /// Which.
        proposal: ProposalId,
        /// What to do better.
        comment: String,
    },
    /// Take the last review back.
    Undo {
        /// Which.
        proposal: ProposalId,
    },
    /// Hand in a proposal.
    Propose {
        /// The node to build on; the incumbent when null.
        parent: Option<TrialId>,
        /// The name to record.
        proposer: String,
        /// Its body.
        draft: Box<Draft>,
        /// Accepted as handed in (the cockpit's own `i` and `b`).
        accepted: bool,
    },
    /// Let an agent turn an idea into a proposal, which is reviewed like any other.
    Idea {
        /// The idea, in a sentence or a few.
        text: String,
        /// The node to build on; the incumbent when null.
        parent: Option<TrialId>,
        /// Which role; a generalist when null.
        to: Option<String>,
    },
    /// Ask agents of a kind more or less often than their results say.
    Favour {
        /// Which, and by how much; 0 is never.
        favour: Favour,
    },
    /// Refuse proposals that touch what a pattern names, or no longer; the researcher's own are free.
    Forbid {
        /// A pattern of paths in the tree.
        glob: String,
        /// Set or lift.
        on: bool,
    },
    /// Change who proposes.
    Proposers {
        /// The new list, in the order of their turns.
        proposers: Vec<String>,
    },
    /// Start nothing new.
    Pause,
    /// Start again.
    Unpause,
    /// End a run.
    Kill {
        /// Which.
        run: RunId,
    },
    /// Run a trial again with fresh seeds.
    Replicate {
        /// Which.
        trial: TrialId,
        /// How many more runs.
        runs: u32,
    },
    /// Change what may pass without a person.
    Autonomy {
        /// The new mode.
        mode: Autonomy,
    },
    /// Let proposals of this proposer pass from now on.
    LetPass {
        /// The proposer's name.
        proposer: String,
    },
    /// Say something to the agents.
    Steer {
        /// What.
        text: String,
        /// To which role.
        to: Option<String>,
    },
    /// Extend a node before others, or no longer.
    Pin {
        /// Which.
        trial: TrialId,
        /// Set or clear.
        on: bool,
    },
    /// Do not extend a node, or do again.
    Prune {
        /// Which.
        trial: TrialId,
        /// Set or clear.
        on: bool,
    },
    /// Change where the study ends, and go on if it had ended.
    Extend {
        /// The new limits, whole.
        limits: Limits,
        /// Go on even where the target is reached: it is lifted.
        #[serde(default)]
        beyond: bool,
    },
    /// End the study: after the running runs, or now.
    Stop {
        /// Kill what runs.
        now: bool,
    },
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Number of the fact that recorded it (the current one where it changed nothing).
    pub seq: u64,
    /// The node that it made or was about.
    pub trial: Option<TrialId>,
    /// The request that it made or was about.
    pub proposal: Option<ProposalId>,
}
