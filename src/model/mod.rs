//! The vocabulary of the house and the state of a study as the fold of its facts.
//!
//! Knows no IO, clock, environment or randomness; imports no other room. Tested by tables beside the code.

mod agent;
mod apply;
pub mod arms;
pub mod conversation;
pub mod curve;
mod diff;
mod event;
mod flag;
mod ids;
mod imported;
mod metric_name;
mod mix;
pub mod number;
mod proposal;
pub mod redact;
mod run;
mod safe;
#[doc(hidden)]
pub mod sample;
mod settings;
mod setup;
pub mod signal;
mod study;
mod subject;
mod superseded;
mod tier;
mod trial;

pub use agent::{Agents, Assignment, Caution, Faults, Favour, ModelSettings, Quiet, RoleSettings, Spend, Steer};
pub use apply::{FORMAT, apply, create};
pub use diff::{Diff, DiffLine, DiffOptions, FileDiff, FileStatus, Hunk, LineKind};
pub use event::{Event, Record};
pub use flag::{Flag, FlagKind, Implausible, Mark, flagged};
pub use ids::{BadId, Millis, ProposalId, RunId, RunNo, TrialId};
pub use imported::{ImportedFrom, ImportedTrial, Origin};
pub use metric_name::names_a_metric;
pub use mix::splitmix64;
pub use proposal::{Autonomy, Decision, DiffStat, Draft, Edit, KnobValue, Operator, Proposal, Review, Reviewer};
pub use run::{Failure, GateResult, Label, Run, RunKind, RunPhase};
pub use safe::{Safe, drawable, printable, printable_json};
pub use settings::{
    Aggregate, EndReason, Goal, Limits, Noise, NoisePlan, PolicyName, ScoreSource, Settings, SettingsChange, SlotInfo, StudyState, Times,
};
pub use setup::{Setup, SetupStage};
pub use signal::{Batch, GpuMeter, GpuProcess, Point, Telemetry};
pub use study::{Best, Note, Study};
pub use superseded::Superseded;
pub use tier::Tier;
pub use trial::{Comparison, Status, Trial, Verdict};

use std::collections::{BTreeMap, BTreeSet};
