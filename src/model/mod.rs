//! The vocabulary of the house and the state of a study as the fold of its facts.
//!
//! Knows no IO, clock, environment or randomness; imports no other room. Tested by tables beside the code.

mod apply;
pub mod curve;
mod diff;
mod event;
mod ids;
pub mod number;
mod proposal;
mod run;
mod safe;
mod settings;
pub mod signal;
mod study;
mod trial;

pub use apply::{FORMAT, apply, create};
pub use diff::{Diff, DiffLine, DiffOptions, FileDiff, FileStatus, Hunk, LineKind};
pub use event::{Event, Record};
pub use ids::{BadId, Millis, ProposalId, RunId, RunNo, TrialId};
pub use proposal::{Autonomy, Decision, DiffStat, Draft, Edit, KnobValue, Operator, Proposal, Review, Reviewer};
pub use run::{Failure, GateResult, Label, Run, RunKind, RunPhase};
pub use safe::Safe;
pub use settings::{
    Aggregate, EndReason, Goal, Limits, Noise, NoisePlan, PolicyName, ScoreSource, Settings, SettingsChange, SlotInfo, StudyState, Times,
};
pub use signal::{Batch, GpuMeter, GpuProcess, Point, Telemetry};
pub use study::{Best, Note, Study};
pub use trial::{Comparison, Status, Trial, Verdict};

use std::collections::{BTreeMap, BTreeSet};
