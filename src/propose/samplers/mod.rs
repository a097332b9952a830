//! Samplers over a space of parameters: pure functions from history and seed to the next point.
//!
//! Everything is minimised. Randomness is counter-based: the same history and seed give the same suggestion. Points that
//! were evaluated or are pending are never suggested while a new one exists. Tested on known functions (`benches/samplers.rs`
//! prints the regret).

mod kernel;
mod random;
mod space;
#[cfg(test)]
mod tests;
mod tpe;

pub use space::{Condition, Domain, Param, Space, Value};
pub use tpe::Model;

use crate::model::splitmix64;
use std::collections::HashSet;

/// Which sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampler {
    /// Uniform draws without repetition.
    Random,
    /// Tree-structured Parzen estimator, multivariate and group-wise.
    Tpe,
}

impl Sampler {
    /// The word shown, stored and typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Tpe => "tpe",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Random, Self::Tpe].into_iter().find(|s| s.word() == word)
    }
}

/// What came of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// A score, lower is better.
    Score(f64),
    /// It failed; ranks after every score, whatever they are.
    Crash,
    /// It has not ended.
    Pending,
}

/// A point that was suggested before.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// One value for each parameter of the space; those of inactive parameters are ignored.
    pub values: Vec<Value>,
    /// What came of it.
    pub outcome: Outcome,
}

/// The next point.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// One value for each parameter of the space.
    pub values: Vec<Value>,
    /// The numbers behind it, named.
    pub numbers: Vec<(String, f64)>,
}

/// Suggests the next point; none when the space is finite and every point is known.
pub fn suggest(sampler: Sampler, space: &Space, history: &[Observation], seed: u64) -> Option<Suggestion> {
    let mut rng = rng(seed);
    let known: HashSet<Vec<i64>> = history.iter().map(|o| space.key(&o.values)).collect();
    match sampler {
        Sampler::Random => random::suggest(space, &known, &mut rng),
        Sampler::Tpe => tpe::suggest(space, history, &known, &mut rng),
    }
}

/// A generator for one decision. Neighbouring seeds are mixed first (splitmix64), so that they share nothing.
pub fn rng(seed: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(splitmix64(seed))
}
