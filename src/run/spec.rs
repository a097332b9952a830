//! What to run, and how it ended: the two ends of a run directory.

use super::Sandbox;
use crate::model::{Failure, Millis};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What a shim runs and within which limits; `spec.json` in the run directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// What it is, for people: `wind-power t0007/run-1`.
    pub label: String,
    /// Run by `/bin/sh -c`.
    pub command: String,
    /// Working directory of the command.
    pub cwd: PathBuf,
    /// The complete environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Beside `env` the command gets what its submit handed over in private, which is on no disk.
    #[serde(default)]
    pub inherit: bool,
    /// Wall-clock budget of the command, in seconds of CLOCK_BOOTTIME.
    pub wall_secs: f64,
    /// Seconds between TERM and KILL.
    pub grace_secs: f64,
    /// Largest resident memory of all its processes together, in bytes.
    pub memory_bytes: Option<u64>,
    /// Largest growth of the files under `watched_dirs`, in bytes; also what its logs may take beside them.
    pub output_bytes: Option<u64>,
    /// Directories that the command may write.
    pub watched_dirs: Vec<PathBuf>,
    /// Ended as stalled after so many seconds with neither output nor 1 % of a processor.
    pub stall_secs: Option<f64>,
    /// Files locked for the life of the shim: one per GPU, and one for the user of its sandbox.
    #[serde(alias = "gpu_locks")]
    pub locks: Vec<PathBuf>,
    /// What contains it; none for commands of the user's own, which are not contained.
    #[serde(default)]
    pub sandbox: Option<Sandbox>,
}

/// How a run ended; `status.json` in the run directory, written by the shim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Process id of the command; none when it never started.
    pub pid: Option<u32>,
    /// Its start time in clock ticks since boot.
    pub pid_start: Option<u64>,
    /// Identity of the machine's boot.
    pub boot_id: String,
    /// When the command started.
    pub started: Option<Millis>,
    /// When all its processes were gone.
    pub ended: Millis,
    /// Wall-clock seconds of the command, by CLOCK_BOOTTIME.
    pub seconds: f64,
    /// Its exit code, when it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it failed; none when it ended well within its limits.
    pub failure: Option<Failure>,
    /// Largest resident memory of its processes together, in bytes.
    pub peak_memory_bytes: u64,
    /// Growth of the files under the watched directories, in bytes.
    pub file_bytes: u64,
    /// Bytes it wrote to standard output.
    pub stdout_bytes: u64,
    /// How many of them are not kept.
    pub stdout_dropped_bytes: u64,
    /// Bytes it wrote to standard error.
    pub stderr_bytes: u64,
    /// How many of them are not kept.
    pub stderr_dropped_bytes: u64,
}

impl Status {
    /// The status of a command that never started.
    pub(super) fn unstarted(boot_id: String) -> Self {
        Self {
            pid: None,
            pid_start: None,
            boot_id,
            started: None,
            ended: super::time::now(),
            seconds: 0.0,
            exit_code: None,
            signal: None,
            failure: None,
            peak_memory_bytes: 0,
            file_bytes: 0,
            stdout_bytes: 0,
            stdout_dropped_bytes: 0,
            stderr_bytes: 0,
            stderr_dropped_bytes: 0,
        }
    }
}
