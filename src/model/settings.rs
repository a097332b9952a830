//! The settings of a study that decisions depend on. First values come with `StudyCreated`; later changes are events.

use super::{Autonomy, Millis};
use serde::{Deserialize, Serialize};

/// Which way the metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Lower is better.
    Minimize,
    /// Higher is better.
    Maximize,
}

impl Goal {
    /// How much better `candidate` is than `reference`, in the metric's unit: positive when better, whatever the goal.
    pub fn gain(self, candidate: f64, reference: f64) -> f64 {
        match self {
            Self::Minimize => reference - candidate,
            Self::Maximize => candidate - reference,
        }
    }

    /// Whether `candidate` is strictly better than `reference`.
    pub fn better(self, candidate: f64, reference: f64) -> bool {
        self.gain(candidate, reference) > 0.0
    }

    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minimize => "minimize",
            Self::Maximize => "maximize",
        }
    }
}

/// How the noise of one run is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "plan")]
pub enum NoisePlan {
    /// From the baseline's runs and every replicated node.
    Measure,
    /// Given by the task.
    Given {
        /// Standard deviation of one run's score, in the metric's unit; 0 counts as unknown.
        sd: f64,
    },
}

/// How the runs of one score are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Arithmetic mean.
    Mean,
    /// Median.
    Median,
}

/// Who owns the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreSource {
    /// The evaluator's own process.
    Evaluator,
    /// The run itself; shown as `self` everywhere.
    #[serde(rename = "self")]
    SelfReported,
}

/// Which node to extend next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyName {
    /// Always the incumbent: keep or revert.
    Hillclimb,
    /// Drafts first, then the best node, with repairs of failed ones (AIDE).
    Greedy,
}

impl PolicyName {
    /// The word shown, stored and typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hillclimb => "hillclimb",
            Self::Greedy => "greedy",
        }
    }
}

/// Where the study ends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Trials whose first run may start; none is unlimited.
    pub trials: Option<u32>,
    /// Seconds of work of the engine; none is unlimited.
    pub seconds: Option<f64>,
    /// Money for models; none is unlimited.
    pub usd: Option<f64>,
    /// Tokens of models, sent and received; none is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// What the decisions of a study depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the task.
    pub task: String,
    /// The task's title, or its name.
    pub title: String,
    /// The live metric that matters most (`[live] primary`): curves show it first.
    #[serde(default)]
    pub primary: Option<String>,
    /// The metric's key.
    pub metric: String,
    /// Which way is better.
    pub goal: Goal,
    /// Reached and verified, the study may stop.
    pub target: Option<f64>,
    /// What the task's source reports, where it says so.
    #[serde(default)]
    pub reference: Option<f64>,
    /// Smaller differences do not matter.
    pub min_effect: Option<f64>,
    /// How the noise is known.
    pub noise: NoisePlan,
    /// Runs of the unchanged repository at the start.
    pub baseline_runs: u32,
    /// Runs that make one score.
    pub seeds_per_score: u32,
    /// How they are put together.
    pub aggregate: Aggregate,
    /// Whether the program takes a seed at all.
    pub seeded: bool,
    /// The evaluator gives a holdout score.
    pub has_holdout: bool,
    /// Who owns the score.
    pub score_source: ScoreSource,
    /// Tier of the sandbox, `A` to `E`.
    pub isolation: String,
    /// The study's seed: all randomness is counted from it.
    pub seed: u64,
    /// What may pass without a person.
    pub autonomy: Autonomy,
    /// Which node to extend next.
    pub policy: PolicyName,
    /// Who proposes: `tpe`, `random`; several take turns.
    pub proposers: Vec<String>,
    /// Where it ends.
    pub limits: Limits,
    /// Wall-clock budget of one run, in seconds.
    pub wall_secs: f64,
    /// GPUs of one run.
    pub gpus: u32,
    /// The specialists, where agents propose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Box<super::Agents>>,
}

/// A place to run, as the engine found it at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInfo {
    /// What it is called on the screen: `GPU 0`, `CPU 1`.
    pub name: String,
    /// UUIDs of its GPUs; empty for a share of the CPU.
    pub gpus: Vec<String>,
    /// Threads that a run may use.
    pub threads: u32,
}

/// Why a study is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The limit of trials.
    Trials,
    /// The limit of time.
    Time,
    /// The limit of money.
    Cost,
    /// The target was reached and verified.
    Target,
    /// Nothing new to propose.
    Exhausted,
    /// A person stopped it.
    User,
    /// Every baseline run failed.
    Baseline,
    /// The environment of its runs could not be built.
    Setup,
}

impl EndReason {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trials => "trials",
            Self::Time => "time",
            Self::Cost => "cost",
            Self::Target => "target",
            Self::Exhausted => "exhausted",
            Self::User => "user",
            Self::Baseline => "baseline",
            Self::Setup => "setup",
        }
    }
}

/// How far a study has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyState {
    /// Work is being started.
    Running,
    /// Nothing new starts; what runs goes on.
    Paused,
    /// Over.
    Finished,
    /// Over without a usable baseline.
    Failed,
}

impl StudyState {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// What is known of the noise of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "noise")]
pub enum Noise {
    /// Pooled over replicated nodes.
    Measured {
        /// Standard deviation of one run.
        sd: f64,
        /// Degrees of freedom.
        nu: u32,
    },
    /// Given by the task.
    Given {
        /// Standard deviation of one run.
        sd: f64,
    },
    /// Too few runs, or a seed without effect.
    Unknown {
        /// Equal scores under different seeds were seen, or sd = 0 was given.
        seed_without_effect: bool,
    },
}

/// A change of settings after the study's creation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "setting")]
pub enum SettingsChange {
    /// What may pass without a person.
    Autonomy {
        /// The new mode.
        mode: Autonomy,
    },
    /// Where it ends.
    Limits {
        /// The new limits, whole.
        limits: Limits,
    },
    /// The score at which it ends; none when it was lifted.
    Target {
        /// The new target.
        target: Option<f64>,
    },
    /// Who proposes.
    Proposers {
        /// The new list.
        proposers: Vec<String>,
    },
    /// Which node to extend next.
    Policy {
        /// The new policy.
        policy: PolicyName,
    },
    /// How runs are contained from now on.
    Isolation {
        /// The new tier.
        tier: super::Tier,
    },
    /// Agents of this kind are asked more or less often than their results say.
    Favour {
        /// Which, and by how much.
        favour: super::Favour,
    },
    /// Proposals that touch what this pattern names are refused, but for the researcher's own.
    Forbidden {
        /// A pattern of paths in the tree: `models/**`.
        glob: String,
        /// Set or lifted.
        on: bool,
    },
    /// Proposals of this proposer pass under `ask` and `ask-risky`.
    LetPass {
        /// The proposer's name, as stored in its proposals.
        proposer: String,
    },
}

/// Marks for the moment of a person's absence.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Handed in.
    pub proposed: Option<Millis>,
    /// Allowed to run.
    pub accepted: Option<Millis>,
    /// First process started.
    pub started: Option<Millis>,
    /// Decided.
    pub finished: Option<Millis>,
}
