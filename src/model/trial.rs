//! A node of the experiment tree.

use super::{
    DiffStat, Failure, Flag, GateResult, Implausible, KnobValue, Mark, Operator, Origin, ProposalId, Review, Run, RunNo, RunPhase,
    Superseded, Times, TrialId,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a trial has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being checked: does it apply, is it in bounds, is it new.
    Proposed,
    /// Waiting for review.
    Waiting,
    /// A person or rule said no.
    Vetoed,
    /// Refused by a rule; see the failure.
    Rejected,
    /// Its parent moved.
    Stale,
    /// Accepted, waiting for a slot.
    Queued,
    /// A run of it is on a slot.
    Running,
    /// Its runs have ended and the evaluator works.
    Evaluating,
    /// A verdict was given.
    Done,
    /// A damaged row of an import.
    Unreadable,
}

impl Status {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Waiting => "waiting",
            Self::Vetoed => "vetoed",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Evaluating => "evaluating",
            Self::Done => "done",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether nothing more happens to it of itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Vetoed | Self::Rejected | Self::Stale | Self::Done | Self::Unreadable)
    }
}

/// What the statistics say of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better than the incumbent.
    Keep,
    /// Not better, or failed.
    Revert,
    /// It cannot be told.
    Undecided,
    /// Kept once, and taken back when later runs said otherwise.
    RolledBack,
}

impl Verdict {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Revert => "revert",
            Self::Undecided => "undecided",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// The numbers behind a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The trial that it was compared with.
    pub against: TrialId,
    /// Mean of the candidate's runs.
    pub candidate: f64,
    /// Mean of the other's runs.
    pub reference: f64,
    /// Difference, positive when better.
    pub gain: f64,
    /// Runs of the candidate.
    pub n_candidate: u32,
    /// Runs of the other.
    pub n_reference: u32,
    /// Pooled standard deviation of one run; null when unknown.
    pub sd: Option<f64>,
    /// Its degrees of freedom.
    pub nu: u32,
    /// The statistic; null when the noise is unknown.
    pub t: Option<f64>,
    /// The bound that it had to reach.
    pub needed: Option<f64>,
}

/// A node of the experiment tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number.
    pub id: TrialId,
    /// The nodes it builds on; none for the baseline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<TrialId>,
    /// The request it came from; none for the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<ProposalId>,
    /// How it relates to its parents.
    pub operator: Operator,
    /// Who suggested it.
    pub proposer: String,
    /// The part of the recipe it touches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<String>,
    /// One sentence.
    pub hypothesis: String,
    /// Expected change of the metric, positive when better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
    /// Current revision, from 1.
    pub revision: u32,
    /// Those before it, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Superseded>,
    /// Its commit in the study's store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Hash of its tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Size of its diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<DiffStat>,
    /// Knob values that the proposer set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub knobs: BTreeMap<String, KnobValue>,
    /// What a reviewer should know of the current revision, found before compute was spent on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// Its gain was set aside as too good for the study's own history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implausible: Option<Implausible>,
    /// How far it has come.
    pub status: Status,
    /// What the statistics say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Whether the gain was certified by fresh runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
    /// Mean (or the task's aggregate) of its valid runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The same of what the runs printed themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_reported: Option<f64>,
    /// The holdout, once unsealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Its runs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
    /// Why it has no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The gates of its last run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateResult>,
    /// All reviews, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// The numbers behind the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// An apparent gain that waits for its confirming run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advanced: bool,
    /// Valid runs at the time of the verdict.
    pub judged_runs: u32,
    /// Extra runs that a person asked for.
    pub replicates_wanted: u32,
    /// Marks of time.
    pub times: Times,
    /// A person wants it extended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// A person does not want it extended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pruned: bool,
    /// What a reviewer wants of the revision that its proposer writes now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revise: Option<String>,
    /// What the history says of it that it was imported from; null for a trial of this study's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Origin>,
}

impl Trial {
    /// Its flags and, where its gain was set aside, that one.
    pub fn all_flags(&self) -> Vec<Flag> {
        self.flags.iter().cloned().chain(self.implausible.as_ref().map(Implausible::flag)).collect()
    }

    /// The same without their evidence.
    pub fn marks(&self) -> Vec<Mark> {
        let implausible = self.implausible.as_ref().map(|_| Mark { flag: super::FlagKind::Implausible, only: false });
        self.flags.iter().map(Flag::mark).chain(implausible).collect()
    }

    /// Runs that count: those of a review that was taken back do not, nor does an imported one beside a score measured here.
    pub fn live_runs(&self) -> impl Iterator<Item = &Run> {
        let measured = !self.own_scores().is_empty();
        self.runs.iter().filter(move |r| !(r.undone || (r.imported && measured)))
    }

    /// Scores of its valid runs, in order.
    pub fn scores(&self) -> Vec<f64> {
        self.live_runs().filter_map(|r| r.score).collect()
    }

    /// The same without imported ones, whatever there is.
    pub fn own_scores(&self) -> Vec<f64> {
        self.runs.iter().filter(|r| !r.undone && !r.imported).filter_map(|r| r.score).collect()
    }

    /// The run with the given number.
    pub fn run(&self, no: RunNo) -> Option<&Run> {
        self.runs.iter().find(|r| r.id == no)
    }

    /// The same, to change.
    pub fn run_mut(&mut self, no: RunNo) -> Option<&mut Run> {
        self.runs.iter_mut().find(|r| r.id == no)
    }

    /// Number of the next run.
    pub fn next_run(&self) -> RunNo {
        RunNo(self.runs.last().map_or(1, |r| r.id.0 + 1))
    }

    /// Whether a run of it has not ended.
    pub fn in_flight(&self) -> bool {
        self.runs.iter().any(|r| r.phase != RunPhase::Ended)
    }

    /// Seconds times GPUs of all its runs.
    pub fn gpu_seconds(&self) -> f64 {
        // A sum of nothing would be -0.
        self.runs.iter().map(|r| r.seconds * f64::from(r.gpus)).fold(0.0, |sum, seconds| sum + seconds)
    }
}
