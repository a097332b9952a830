//! From a task and the choices of the command line to the settings that a study's decisions depend on.

use super::{Scoring, SeedForm, Task};
use crate::model::{Autonomy, Limits, PolicyName, ScoreSource, Settings};

/// What the user chose beside the task.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// The study's seed.
    pub seed: u64,
    /// What may pass without a person.
    pub autonomy: Autonomy,
    /// Which node to extend next.
    pub policy: PolicyName,
    /// Who proposes.
    pub proposers: Vec<String>,
    /// Where the study ends.
    pub limits: Limits,
    /// Tier of the sandbox that will be used, `A` to `E`.
    pub isolation: String,
    /// Runs of the unchanged repository at the start.
    pub baseline_runs: u32,
    /// Whether this machine has a GPU: `gpus` of a task that does not say defaults to 1 then, else to 0.
    pub has_gpu: bool,
    /// The specialists, where agents propose.
    pub agents: Option<Box<crate::model::Agents>>,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            seed: 0,
            autonomy: Autonomy::Ask,
            policy: PolicyName::Hillclimb,
            proposers: vec!["tpe".into()],
            limits: Limits::default(),
            isolation: "E".into(),
            baseline_runs: 3,
            has_gpu: false,
            agents: None,
        }
    }
}

impl Task {
    /// Returns the settings of a study of this task.
    pub fn settings(&self, choices: &Choices) -> Settings {
        Settings {
            task: self.task.name.clone(),
            title: self.task.title.clone(),
            primary: self.live.primary.clone(),
            metric: self.task.metric.clone(),
            goal: self.task.goal,
            target: self.task.target,
            reference: self.reference.as_ref().map(|r| r.value),
            min_effect: self.task.min_effect,
            noise: self.task.noise,
            baseline_runs: choices.baseline_runs,
            seeds_per_score: self.run.seeds,
            aggregate: self.run.aggregate,
            seeded: self.run.seed != SeedForm::None,
            has_holdout: self.evaluator.holdout.is_some(),
            score_source: match self.evaluator.scoring {
                Scoring::Command(_) => ScoreSource::Evaluator,
                Scoring::SelfReported(_) => ScoreSource::SelfReported,
            },
            isolation: choices.isolation.clone(),
            seed: choices.seed,
            autonomy: choices.autonomy,
            policy: choices.policy,
            proposers: choices.proposers.clone(),
            limits: choices.limits,
            wall_secs: self.budget.wall.as_secs_f64(),
            gpus: self.gpus(choices.has_gpu),
            agents: choices.agents.clone(),
        }
    }

    /// GPUs of one run.
    pub fn gpus(&self, has_gpu: bool) -> u32 {
        self.budget.gpus.unwrap_or(u32::from(has_gpu))
    }
}
