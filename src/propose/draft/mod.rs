//! From a parent's tree to a proposal that turns a few knobs: a diff that a person can read at a glance.
//!
//! `axes` maps knobs to a sampler's space and back to readable values, `choose` picks the point, `words` says why. Pure:
//! the same request gives the same draft. Tested by a simulated study of a dozen trials.

mod axes;
mod choose;
#[cfg(test)]
mod tests;
mod words;

pub use choose::MOST_CHANGES;

use super::{
    knobs::{Discovery, Knob, RewriteError, rewrite},
    samplers::{self, Outcome, Sampler},
};
use crate::model::{Draft, Edit, Goal, KnobValue, TrialId};
use axes::Axis;
use std::collections::BTreeMap;

/// What a draft is made from.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Who chooses.
    pub sampler: Sampler,
    /// The knobs of the parent's tree, with their places and values there. Ranges should be those of the baseline's tree
    /// ([`anchor`]), so that they do not wander with the incumbent.
    pub knobs: &'a [Knob],
    /// The parent's files by path; those with a knob must be there.
    pub sources: &'a BTreeMap<String, String>,
    /// All trials so far in order of arrival, the parent and the baseline included.
    pub history: &'a [Seen],
    /// Which way is better.
    pub goal: Goal,
    /// The metric's name, for the words.
    pub metric: &'a str,
    /// Standard deviation of one run's score, where known.
    pub noise_sd: Option<f64>,
    /// Counter-based: mixed from the study's seed and the decision's number.
    pub seed: u64,
}

/// A trial that a sampler learns from.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its number.
    pub trial: TrialId,
    /// The knob values of its whole tree ([`values`]); what a proposer set alone is not enough.
    pub knobs: BTreeMap<String, KnobValue>,
    /// What came of it, in the metric's own unit: `Pending` for what waits, runs or was vetoed, `Crash` for a failure.
    pub outcome: Outcome,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum NoDraft {
    /// The tree has no knob.
    #[error("no knob to turn in the editable files; list some under [[knob]] or use another proposer")]
    NoKnobs,
    /// Everything in reach was tried.
    #[error("all values of the {knobs} knobs around this parent were tried")]
    Exhausted {
        /// How many knobs there are.
        knobs: usize,
    },
    /// A knob's file was not handed over.
    #[error("the source of {path} is missing")]
    NoSource {
        /// The file.
        path: String,
    },
    /// The knobs do not belong to these sources.
    #[error("{path}: {error}")]
    Rewrite {
        /// The file.
        path: String,
        /// What is wrong.
        error: RewriteError,
    },
}

/// The values of a tree's knobs, by name.
pub fn values(knobs: &[Knob]) -> BTreeMap<String, KnobValue> {
    knobs.iter().map(|k| (k.name.clone(), k.value.clone())).collect()
}

/// Takes the ranges of the baseline's knobs over to a parent's, by name; knobs that are new keep their own.
pub fn anchor(parent: Discovery, baseline: &[Knob]) -> Vec<Knob> {
    let mut knobs = parent.knobs;
    for knob in &mut knobs {
        if let Some(first) = baseline.iter().find(|b| b.name == knob.name && b.form == knob.form) {
            knob.kind = first.kind.clone();
            knob.powers_of_two = first.powers_of_two;
            knob.zero = first.zero;
            knob.active.clone_from(&first.active);
        }
    }
    knobs
}

/// Makes a proposal.
pub fn draft(request: &Request<'_>) -> Result<Draft, NoDraft> {
    let axes: Vec<Axis<'_>> = axes::ordered(request.knobs);
    if axes.is_empty() {
        return Err(NoDraft::NoKnobs);
    }
    let exhausted = NoDraft::Exhausted { knobs: axes.len() };
    let mut rng = samplers::rng(request.seed);
    let chosen = choose::choose(request, &axes, &mut rng).ok_or(exhausted)?;
    let changes: Vec<(&Knob, KnobValue)> = chosen.changes.iter().filter_map(|c| Some((axes.get(c.axis)?.knob, c.to.clone()))).collect();
    let mut by_path: BTreeMap<&str, Vec<(&Knob, KnobValue)>> = BTreeMap::new();
    for (knob, value) in &changes {
        by_path.entry(&knob.path).or_default().push((knob, value.clone()));
    }
    let mut edits = Vec::new();
    for (path, changes) in by_path {
        let source = request.sources.get(path).ok_or_else(|| NoDraft::NoSource { path: path.to_owned() })?;
        let content = rewrite(source, &changes).map_err(|error| NoDraft::Rewrite { path: path.to_owned(), error })?;
        edits.push(Edit::Write { path: path.to_owned(), content });
    }
    Ok(Draft {
        hypothesis: words::hypothesis(request, &axes, &chosen),
        surface: words::surface(&axes, &chosen),
        // A density ratio says where to look, not how much is to be won.
        expected: None,
        edits,
        knobs: changes.into_iter().map(|(knob, value)| (knob.name.clone(), value)).collect(),
        reasoning: words::reasoning(request, &axes, &chosen),
    })
}
