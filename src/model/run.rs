//! One execution of a trial's code with one seed, and what came of it.

use super::{Millis, RunNo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// One of the first runs of the unchanged repository: they measure the noise.
    Baseline,
    /// The first look at a proposal.
    Screen,
    /// A second look at an apparent gain.
    Confirm,
    /// A fresh run for the headline comparison.
    Certify,
    /// A spot check.
    Audit,
    /// A round of the final race.
    Race,
    /// The same commit and seed once more.
    Replay,
}

impl RunKind {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Screen => "screen",
            Self::Confirm => "confirm",
            Self::Certify => "certify",
            Self::Audit => "audit",
            Self::Race => "race",
            Self::Replay => "replay",
        }
    }
}

/// The closed set of failure labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The edit does not fit the parent's files.
    ApplyFailed,
    /// The edit touches what it may not.
    OutOfBounds,
    /// The same tree was decided or vetoed before.
    Duplicate,
    /// The cheap check before the run said no.
    PreflightFailed,
    /// The program ended with an error.
    Crashed,
    /// The memory limit, or the machine, ended it.
    OutOfMemory,
    /// The watched metric became NaN or infinite.
    Diverged,
    /// Neither output nor processor time for a long while.
    Stalled,
    /// Over the wall-clock budget.
    TimedOut,
    /// The evaluator ended with an error or found no artifact.
    EvalFailed,
    /// The evaluator ran over its own limit.
    EvalTimedOut,
    /// A gate's bound was missed.
    GateFailed,
    /// The evaluator printed something other than one finite score.
    InvalidScore,
    /// The evaluator's files changed.
    Tampered,
    /// Ended early by a rule.
    StoppedEarly,
    /// A person ended it.
    Killed,
    /// The shim vanished.
    LostSupervisor,
    /// The machine's fault: reboot, disk, driver.
    Infrastructure,
}

impl Label {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::ApplyFailed => "apply_failed",
            Self::OutOfBounds => "out_of_bounds",
            Self::Duplicate => "duplicate",
            Self::PreflightFailed => "preflight_failed",
            Self::Crashed => "crashed",
            Self::OutOfMemory => "out_of_memory",
            Self::Diverged => "diverged",
            Self::Stalled => "stalled",
            Self::TimedOut => "timed_out",
            Self::EvalFailed => "eval_failed",
            Self::EvalTimedOut => "eval_timed_out",
            Self::GateFailed => "gate_failed",
            Self::InvalidScore => "invalid_score",
            Self::Tampered => "tampered",
            Self::StoppedEarly => "stopped_early",
            Self::Killed => "killed",
            Self::LostSupervisor => "lost_supervisor",
            Self::Infrastructure => "infrastructure",
        }
    }

    /// Whether the code is not to blame, so that the same tree may be tried again.
    pub fn not_the_codes_fault(self) -> bool {
        matches!(self, Self::Infrastructure | Self::LostSupervisor | Self::Killed)
    }
}

/// A failure with its evidence: the exception's last line, the signal, the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which of the closed set.
    pub label: Label,
    /// The evidence in one line.
    pub detail: String,
}

impl Failure {
    /// A failure with its evidence.
    pub fn new(label: Label, detail: impl Into<String>) -> Self {
        Self { label, detail: detail.into() }
    }
}

/// What one gate said of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The gate's key.
    pub key: String,
    /// The measured value; null where the evaluator gave none.
    pub value: Option<f64>,
    /// Whether the bound holds.
    pub ok: bool,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Wanted on a slot; the shim may or may not have started.
    Running,
    /// The code has ended; the evaluator works on its artifacts.
    Evaluating,
    /// Ended, with a score or a failure.
    Ended,
}

/// One run of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number within the trial.
    pub id: RunNo,
    /// Why it was started.
    pub kind: RunKind,
    /// The seed that the harness handed over.
    pub seed: u64,
    /// Index of the slot.
    pub slot: u32,
    /// Hash of the tree that ran.
    pub tree: String,
    /// The run that this one repeats after a failure that was not the code's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunNo>,
    /// How far it has come.
    pub phase: RunPhase,
    /// A person asked for its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kill: bool,
    /// Its accept was taken back, or its baseline is tried anew: it counts for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
    /// The evaluator's score; null without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The score that the run printed itself, where the task names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_reported: Option<f64>,
    /// Other numbers of the evaluator, without the holdout.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Gates in the task's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<GateResult>,
    /// Why it has no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Hash of the list of its artifacts; null where it left none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<String>,
    /// Wall-clock seconds of the command.
    pub seconds: f64,
    /// Largest resident memory of its processes, in bytes.
    pub peak_memory_bytes: u64,
    /// GPUs it held.
    pub gpus: u32,
    /// When it was put on its slot.
    pub scheduled: Millis,
    /// When its process started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Millis>,
    /// When its score or failure was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Millis>,
    /// It ran elsewhere, with a seed that nobody knows, and left no log here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}
