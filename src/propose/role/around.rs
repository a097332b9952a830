//! What a prompt may speak of: the task, the role's part of it, the request, and how far the study is.
//!
//! Only what the task file and settings say stands here, never what a model or a run wrote: that is in the digest, as data.

use super::Role;
use crate::model::{Goal, Noise, Study, Verdict, number};
use crate::propose::agent::{Scene, tools};
use crate::task::{BudgetKind, Gate, SeedForm, Task};
use serde::Serialize;

/// Shares of the budget at which a study is no longer early, and at which it is late.
const EARLY: f64 = 0.3;
const LATE: f64 = 0.7;
/// The same in trials, where nothing limits them.
const EARLY_TRIALS: u32 = 12;
const LATE_TRIALS: u32 = 60;

/// The variables of a template. Its fields' names are a contract with `prompts/*.md` and the prompts of users.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Around {
    pub(super) role: OfRole,
    pub(super) task: OfTask,
    /// The role's own parts of the recipe; empty where it is for all of them.
    pub(super) surfaces: Vec<OfSurface>,
    /// The parts of others.
    pub(super) others: Vec<OfSurface>,
    /// It may touch only files of its parts.
    pub(super) bound: bool,
    pub(super) operator: &'static str,
    pub(super) parents: Vec<String>,
    /// The part that was chosen for this proposal.
    pub(super) surface: Option<String>,
    /// The researcher's idea that is to become an edit.
    pub(super) idea: bool,
    /// A reviewer sent a revision back.
    pub(super) revise: bool,
    pub(super) study: OfStudy,
    pub(super) tools: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OfRole {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) turns: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OfTask {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) metric: String,
    /// `lower` or `higher`.
    pub(super) better: &'static str,
    pub(super) command: String,
    /// `wall`, `steps`, `tokens` or `flops`: what is held equal between trials.
    pub(super) budget: &'static str,
    pub(super) wall: String,
    pub(super) gpus: u32,
    /// In GiB, rounded to a tenth; null without a limit.
    pub(super) memory_gib: Option<f64>,
    pub(super) seeded: bool,
    pub(super) seeds_per_score: u32,
    pub(super) max_changed_lines: Option<u32>,
    pub(super) editable: Vec<String>,
    pub(super) protected: Vec<String>,
    pub(super) target: Option<String>,
    pub(super) gates: Vec<String>,
    pub(super) self_reported: bool,
    pub(super) brief: bool,
    pub(super) preflight: bool,
    pub(super) space: Option<String>,
    pub(super) network: bool,
    /// Files that the run has to leave for its score.
    pub(super) needs: Vec<String>,
    /// The command that runs the trial's code on what the run left; null without one.
    pub(super) inference: Option<String>,
    /// What it is given that training never sees, and its limit.
    pub(super) inference_inputs: Vec<String>,
    pub(super) inference_wall: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OfSurface {
    pub(super) name: String,
    pub(super) paths: Vec<String>,
    pub(super) hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OfStudy {
    pub(super) name: String,
    /// `early`, `middle` or `late`.
    pub(super) phase: &'static str,
    pub(super) trials_used: u32,
    pub(super) trials_limit: Option<u32>,
    pub(super) keeps: u32,
    /// Decided trials since the last keep.
    pub(super) since_keep: u32,
    pub(super) noise_known: bool,
}

impl Around {
    pub(super) fn of(role: &Role, scene: &Scene, task: &Task, study: &Study) -> Self {
        let bound = role.bound(task);
        let (surfaces, others): (Vec<OfSurface>, Vec<OfSurface>) =
            of_surfaces(task).into_iter().partition(|surface| bound.contains(&surface.name));
        Self {
            role: OfRole { name: role.name.clone(), title: role.title.clone(), turns: role.limits.turns },
            task: of_task(task, study),
            surfaces,
            others,
            bound: role.allowed(task).is_some(),
            operator: scene.operator.word(),
            parents: scene.parents.iter().map(ToString::to_string).collect(),
            surface: scene.assignment.surface.clone(),
            idea: scene.assignment.idea.is_some(),
            revise: scene.revise.is_some(),
            study: of_study(study),
            tools: tools::available(role, task).into_iter().map(str::to_owned).collect(),
        }
    }
}

fn of_task(task: &Task, study: &Study) -> OfTask {
    let limit = |gate: &Gate| match (gate.min, gate.max) {
        (Some(min), Some(max)) => format!("{} from {} to {}", gate.key, number::short(min), number::short(max)),
        (Some(min), None) => format!("{} at least {}", gate.key, number::short(min)),
        (None, Some(max)) => format!("{} at most {}", gate.key, number::short(max)),
        (None, None) => gate.key.clone(),
    };
    OfTask {
        name: task.task.name.clone(),
        title: task.task.title.clone(),
        metric: task.task.metric.clone(),
        better: match task.task.goal {
            Goal::Minimize => "lower",
            Goal::Maximize => "higher",
        },
        command: task.run.command.clone(),
        budget: match task.budget.kind {
            BudgetKind::Wall => "wall",
            BudgetKind::Steps => "steps",
            BudgetKind::Tokens => "tokens",
            BudgetKind::Flops => "flops",
        },
        wall: seconds(study.settings.wall_secs),
        gpus: study.settings.gpus,
        memory_gib: task.budget.memory_bytes.map(|bytes| (bytes as f64 / f64::from(1 << 30) * 10.0).round() / 10.0),
        seeded: task.run.seed != SeedForm::None,
        seeds_per_score: study.settings.seeds_per_score,
        max_changed_lines: task.repository.max_changed_lines,
        editable: task.repository.editable.clone(),
        protected: task.repository.protected.clone(),
        target: study.settings.target.map(number::short),
        gates: task.gates.iter().map(limit).collect(),
        self_reported: study.settings.score_source == crate::model::ScoreSource::SelfReported,
        brief: !task.task.brief.is_empty(),
        preflight: task.run.preflight.is_some(),
        space: task.space.as_ref().map(|space| space.writes.clone()),
        network: task.sandbox.network,
        needs: task.evaluator.needs.clone(),
        inference: task.inference.as_ref().map(|inference| inference.command.clone()),
        inference_inputs: task.inference.iter().flat_map(|inference| inference.inputs.clone()).collect(),
        inference_wall: task.inference.as_ref().map(|inference| seconds(inference.wall.as_secs_f64())),
    }
}

fn of_surfaces(task: &Task) -> Vec<OfSurface> {
    super::bind::surfaces_of(task)
        .into_iter()
        .map(|name| match task.surfaces.iter().find(|s| s.name == name) {
            Some(surface) => OfSurface { name, paths: surface.paths.clone(), hint: surface.hint.clone() },
            None => OfSurface { name, paths: task.space.iter().map(|s| s.writes.clone()).collect(), hint: None },
        })
        .collect()
}

fn of_study(study: &Study) -> OfStudy {
    let decided = |verdict: Verdict| study.trials.iter().skip(1).filter(|t| t.verdict == Some(verdict)).count() as u32;
    let since_keep = study.trials.iter().skip(1).rev().filter(|t| t.verdict.is_some()).take_while(|t| t.verdict != Some(Verdict::Keep));
    OfStudy {
        name: study.name.clone(),
        phase: phase(study),
        trials_used: study.trials_used,
        trials_limit: study.settings.limits.trials,
        keeps: decided(Verdict::Keep),
        since_keep: since_keep.count() as u32,
        noise_known: !matches!(study.noise, Noise::Unknown { .. }),
    }
}

/// How far a study is, by whichever of its limits is nearest.
pub(crate) fn phase(study: &Study) -> &'static str {
    let limits = &study.settings.limits;
    let of = |used: f64, limit: Option<f64>| limit.filter(|l| *l > 0.0).map(|l| used / l);
    let shares = [
        of(f64::from(study.trials_used), limits.trials.map(f64::from)),
        of(study.active_millis as f64 / 1000.0, limits.seconds),
        of(study.spend.usd, limits.usd),
        of((study.spend.prompt_tokens + study.spend.completion_tokens) as f64, limits.tokens.map(|t| t as f64)),
    ];
    let late = |share: f64| {
        if share < EARLY {
            "early"
        } else if share < LATE {
            "middle"
        } else {
            "late"
        }
    };
    match shares.into_iter().flatten().reduce(f64::max) {
        Some(share) => late(share),
        None if study.trials_used < EARLY_TRIALS => "early",
        None if study.trials_used < LATE_TRIALS => "middle",
        None => "late",
    }
}

/// Seconds for people: `45 s`, `5 min`, `2.5 h`.
pub(crate) fn seconds(secs: f64) -> String {
    if secs < 120.0 {
        format!("{} s", number::rough(secs))
    } else if secs < 7200.0 {
        format!("{} min", number::rough(secs / 60.0))
    } else {
        format!("{} h", number::rough(secs / 3600.0))
    }
}
