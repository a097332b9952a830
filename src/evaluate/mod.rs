//! The score: a process of its own from a pristine copy that no trial can touch, fed with nothing but the artifacts that
//! the task names, read as one JSON object.
//!
//! Order of one evaluation: `Pristine::check`, `collect`, the command of `spec` through the executor, `read`,
//! `Pristine::check` again, `Evaluation::save`. Failures are data (`model::Failure`). Knows the executor's trait and no
//! other room of its layer.

mod artifacts;
mod collect;
mod command;
mod fingerprint;
mod gates;
mod json;
mod pristine;
mod reading;
mod self_report;

pub use artifacts::{Artifact, Artifacts, DIRECTORY as ARTIFACTS};
pub use collect::{Rest, collect};
pub use command::{Plan, spec};
pub use gates::{Bounds, Gate, Stage, check as check_gates, of_stage};
pub use pristine::{EvaluateError, Pristine, Whole};
pub use reading::{Evaluation, Measured, Rules, STDOUT_MAX, read};
pub use self_report::SelfReport;
