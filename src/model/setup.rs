//! How far the environment of a study's runs has come: what `[setup]` builds, and the evaluator's preparation that needs it.

use super::{Failure, Millis};
use serde::{Deserialize, Serialize};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupStage {
    /// To be built, or looked for in the cache.
    Wanted,
    /// Its command runs, or waits for another study that builds the same.
    Building,
    /// Built; the evaluator's preparation runs in it.
    Preparing,
    /// Runs may start.
    Ready,
    /// It failed, and the study with it.
    Failed,
}

impl SetupStage {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Building => "building",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

/// The environment of a study's runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// How far it has come.
    pub stage: SetupStage,
    /// The evaluator's preparation follows.
    pub prepare: bool,
    /// Its limit, in seconds.
    pub wall_secs: f64,
    /// Attempts that have ended.
    pub ended: u32,
    /// The next attempt repeats one that a hiccup of the network or the machine ended.
    pub repeats: bool,
    /// The content that it is named by.
    pub hash: Option<String>,
    /// When the present stage began.
    pub since: Option<Millis>,
    /// What it waits for, in words.
    pub waiting: Option<String>,
    /// Seconds that the last attempt took.
    pub seconds: f64,
    /// It lay in the cache.
    pub cached: bool,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The last lines of its log, where it failed.
    pub tail: Vec<String>,
}

impl Setup {
    /// The number of the attempt that is under way or comes next, from 1.
    pub fn attempt(&self) -> u32 {
        self.ended.saturating_add(1)
    }

    /// The attempt whose log is of interest: the one under way, else the last one.
    pub fn log_attempt(&self) -> u32 {
        if self.stage == SetupStage::Building { self.attempt() } else { self.ended.max(1) }
    }

    /// Whether a command of it runs.
    pub fn in_flight(&self) -> bool {
        matches!(self.stage, SetupStage::Building | SetupStage::Preparing)
    }
}
