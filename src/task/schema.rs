//! The sections of `task.toml` as types: what was written, checked, with defaults filled in.
//!
//! Paths stay text as written. `path`, `patch`, `brief`, `data.path` and `evaluator.files` are relative to the task file;
//! `editable`, `protected`, `keep`, `needs`, `inputs`, `surfaces.paths` and `live.files` to the root of the repository's tree.

use crate::model::{Aggregate, Goal, KnobValue, NoisePlan};
use std::{collections::BTreeMap, time::Duration};

/// What is optimised.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Name, metric and goal.
    pub task: About,
    /// What the paper reports.
    pub reference: Option<Reference>,
    /// The code and what of it may be edited.
    pub repository: Repository,
    /// Data granted to runs or to the evaluator.
    pub data: Vec<Data>,
    /// What is built once before the first run.
    pub setup: Option<Setup>,
    /// The entry command.
    pub run: Entry,
    /// Limits of one run.
    pub budget: Budget,
    /// The program that owns the score.
    pub evaluator: Evaluator,
    /// Candidate code that scoring must run, in its own sandbox.
    pub inference: Option<Inference>,
    /// Legality checks, in the order of the file.
    pub gates: Vec<Gate>,
    /// What to watch while it runs.
    pub live: Live,
    /// What the sandbox must and may do.
    pub sandbox: Sandbox,
    /// Parts of the recipe, in the order of the file.
    pub surfaces: Vec<Surface>,
    /// Bounds of knobs, in the order of the file.
    pub knobs: Vec<Knob>,
    /// An enumerated combinatorial space.
    pub space: Option<Space>,
    /// Which artifacts stay.
    pub retention: Retention,
}

/// `[task]`
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// Letters, digits, `-`, `_` and `.`; studies are named after it.
    pub name: String,
    /// For people; the name where none is given.
    pub title: String,
    /// A key of the evaluator's JSON.
    pub metric: String,
    /// Which way is better.
    pub goal: Goal,
    /// Reached and verified, the study may stop.
    pub target: Option<f64>,
    /// Files that agents read.
    pub brief: Vec<String>,
    /// How the noise of one run is known; `sd = 0` counts as unknown.
    pub noise: NoisePlan,
    /// Smaller differences do not matter; positive.
    pub min_effect: Option<f64>,
}

/// `[reference]`
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// In the metric's unit.
    pub value: f64,
    /// Where it stands.
    pub source: Option<String>,
    /// How it was measured.
    pub protocol: Option<String>,
}

/// `[repository]`
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// Directory, `.` by default.
    pub path: String,
    /// Cloned on first use, instead of `path`.
    pub url: Option<String>,
    /// The revision of `url`.
    pub rev: Option<String>,
    /// A diff applied on top.
    pub patch: Option<String>,
    /// Globs; `**` by default. Everything else is protected.
    pub editable: Vec<String>,
    /// Globs that win over `editable`.
    pub protected: Vec<String>,
    /// Largest diff of one proposal, added plus removed lines.
    pub max_changed_lines: Option<u32>,
}

/// `[[data]]`
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// File or directory.
    pub path: String,
    /// Hash of the file, 64 lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// For the evaluator alone.
    pub hidden: bool,
}

/// `[setup]`
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Run once by `sh -c`.
    pub command: String,
    /// Its own limit.
    pub wall: Duration,
}

/// `[run]`
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Run by `sh -c` in the tree's root.
    pub command: String,
    /// How the program is told its seed.
    pub seed: SeedForm,
    /// Runs that make one score, at least 1.
    pub seeds: u32,
    /// How they are put together.
    pub aggregate: Aggregate,
    /// Added to the environment of a run.
    pub env: BTreeMap<String, String>,
    /// Globs of files that stay in the working directory between runs.
    pub keep: Vec<String>,
    /// A cheap check before the run.
    pub preflight: Option<Preflight>,
}

impl Entry {
    /// Returns the command of a run with this seed, and the environment variable that goes with it.
    pub fn seeded(&self, seed: u64) -> (String, Option<(String, String)>) {
        match &self.seed {
            SeedForm::Env(name) => (self.command.clone(), Some((name.clone(), seed.to_string()))),
            SeedForm::Arg(form) => (format!("{} {}", self.command.trim_end(), form.replace("{seed}", &seed.to_string())), None),
            SeedForm::None => (self.command.clone(), None),
        }
    }
}

/// How a program is told its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeedForm {
    /// In an environment variable.
    Env(String),
    /// As text added to the command, with `{seed}` in it.
    Arg(String),
    /// Not at all.
    None,
}

/// `[run] preflight`
#[derive(Debug, Clone, PartialEq)]
pub struct Preflight {
    /// Run by `sh -c` in the tree's root.
    pub command: String,
    /// Its own limit.
    pub wall: Duration,
}

/// What is held equal between trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// Wall-clock time.
    Wall,
    /// Optimiser steps.
    Steps,
    /// Training tokens.
    Tokens,
    /// Floating-point operations.
    Flops,
}

/// `[budget]`: limits of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// What is held equal between trials.
    pub kind: BudgetKind,
    /// Wall-clock time.
    pub wall: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Resident memory of all its processes, bytes.
    pub memory_bytes: Option<u64>,
    /// GPUs; none given means 1 where there is one, else 0.
    pub gpus: Option<u32>,
    /// Files plus logs, bytes.
    pub output_bytes: Option<u64>,
}

/// `[evaluator]`
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluator {
    /// Where the score comes from.
    pub scoring: Scoring,
    /// Files and directories copied to the pristine evaluator.
    pub files: Vec<String>,
    /// Artifacts collected from the run.
    pub needs: Vec<String>,
    /// Limit of one evaluation.
    pub wall: Duration,
    /// Run once when the study is made: writes `public/` and `hidden/`.
    pub prepare: Option<String>,
    /// Key of the sealed score.
    pub holdout: Option<String>,
}

/// Where the score comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Scoring {
    /// A command in the evaluator's own process, run by `sh -c`; prints one JSON object.
    Command(String),
    /// The run's own words; everything that shows the score says `self`.
    SelfReported(super::SelfReport),
}

/// `[inference]`
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Run by `sh -c`.
    pub command: String,
    /// Inputs, without labels.
    pub inputs: Vec<String>,
    /// Its own limit.
    pub wall: Duration,
}

/// When a gate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the tree, before anything runs.
    Tree,
    /// After the preflight command.
    Preflight,
    /// On the evaluator's numbers.
    Final,
}

/// `[[gate]]`: a legality check with a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// A key of the evaluator's JSON, or one that the harness measures.
    pub key: String,
    /// Smallest legal value.
    pub min: Option<f64>,
    /// Largest legal value.
    pub max: Option<f64>,
    /// When it is checked.
    pub stage: Stage,
}

impl Gate {
    /// Whether the value is legal; NaN is not.
    pub fn holds(&self, value: f64) -> bool {
        !value.is_nan() && self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

/// `[live]`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Regular expressions on lines of output; named groups are metrics.
    pub stdout: Vec<String>,
    /// Globs of metric files.
    pub files: Vec<String>,
    /// The metric shown first.
    pub primary: Option<String>,
}

pub use crate::model::Tier;

/// `[sandbox]`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sandbox {
    /// Weakest tier accepted.
    pub require: Option<Tier>,
    /// Whether runs may use the network.
    pub network: bool,
    /// Paths outside the task that runs may read.
    pub read: Vec<String>,
}

/// One entry of `[surfaces]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Its key.
    pub name: String,
    /// Globs.
    pub paths: Vec<String>,
    /// For agents.
    pub hint: Option<String>,
}

/// `[[knob]]`
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// As in the source.
    pub name: String,
    /// Its type and range.
    pub bounds: KnobBounds,
}

/// Type and range of a knob. Both ends of a range belong to it.
#[derive(Debug, Clone, PartialEq)]
pub enum KnobBounds {
    /// Not to be touched (`exclude = true`).
    Excluded,
    /// A finite number.
    Float {
        /// Smallest.
        low: f64,
        /// Largest.
        high: f64,
        /// Searched on a logarithmic scale; `low` is positive then.
        log: bool,
    },
    /// A whole number.
    Int {
        /// Smallest.
        low: i64,
        /// Largest.
        high: i64,
        /// Searched on a logarithmic scale; `low` is positive then.
        log: bool,
    },
    /// `true` or `false`.
    Bool,
    /// One of at least two values.
    Choice(Vec<KnobValue>),
}

/// `[space]`
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The file that a cell is written to.
    pub writes: String,
    /// In the order of the file.
    pub axes: Vec<Axis>,
}

/// One axis of the space.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The surface that it belongs to.
    pub surface: String,
    /// Its key.
    pub name: String,
    /// Its values, at least one.
    pub values: Vec<KnobValue>,
}

/// `[retention]`: whose artifacts stay. Those of running trials always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Of all trials.
    All,
    /// Of kept trials and of the best so many.
    KeptAndTop(u32),
}
