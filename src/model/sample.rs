//! Plain settings for tests and benches: each names only what matters to it. Nothing else uses them; a real study's come
//! from its task.

use super::{Aggregate, Autonomy, Goal, Limits, NoisePlan, PolicyName, ScoreSource, Settings};

/// A task that minimises `loss`, measures its noise and decides everything by itself.
pub fn settings() -> Settings {
    Settings {
        task: "sample".into(),
        title: "Sample".into(),
        primary: None,
        metric: "loss".into(),
        goal: Goal::Minimize,
        target: None,
        reference: None,
        min_effect: None,
        noise: NoisePlan::Measure,
        baseline_runs: 3,
        seeds_per_score: 1,
        aggregate: Aggregate::Mean,
        seeded: true,
        has_holdout: false,
        score_source: ScoreSource::Evaluator,
        isolation: "E".into(),
        seed: 0,
        autonomy: Autonomy::Auto,
        policy: PolicyName::Hillclimb,
        proposers: vec!["tpe".into()],
        limits: Limits::default(),
        wall_secs: 1.0,
        gpus: 0,
        agents: None,
    }
}
