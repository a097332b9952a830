//! One supervised process tree per run: the executor's contract, the local executor, the supervisor shim, limits, slots
//! and the environment that a run sees.
//!
//! A run directory starts at most once. Its shim outlives the engine, keeps the budget and writes `status.json`; the
//! engine only observes. Knows no journal and no evaluator. Tested by tables beside the code and, with the real binary,
//! in `tests/shim.rs`.

pub mod capture;
pub mod durable;
pub mod environment;
pub mod evidence;
mod exception;
mod executor;
pub mod interpreter;
mod local;
pub mod packages;
mod process;
pub mod sandbox;
pub mod setup;
mod shim;
pub mod slots;
mod spec;
mod status_file;
pub mod time;

pub use environment::{EnvPlan, environment};
pub use executor::{Executor, LogPart, Observation, RunError, Stream};
pub use local::Local;
pub use sandbox::Sandbox;
pub use shim::shim_main;
pub use spec::{Spec, Status};

/// Names inside a run directory.
pub(crate) mod names {
    /// What to run: written by `submit`.
    pub(crate) const SPEC: &str = "spec.json";
    /// Exclusive: who took the directory.
    pub(crate) const CLAIM: &str = "claim";
    /// The supervisor and, once it runs, the command.
    pub(crate) const PID: &str = "pid.json";
    /// Not empty once the command is in its sandbox.
    pub(crate) const ENTERED: &str = "entered";
    /// How it ended: a preallocated slot of two checksummed copies.
    pub(crate) const STATUS: &str = "status.json";
    /// The wish to end it.
    pub(crate) const CANCEL: &str = "cancel.json";
    /// What a started shim waits for, in words.
    pub(crate) const WAITING: &str = "waiting";
    /// What the shim itself had to say.
    pub(crate) const SHIM_LOG: &str = "shim.log";
}
