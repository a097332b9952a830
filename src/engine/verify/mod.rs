//! `verify`: is a study what it says it is? The chain of its journal, its object store, its evaluator, and kept scores made
//! again from kept artifacts. Reads only, so a study that is being worked on can be looked at as well.

mod chain;
mod evaluator;
mod scores;
mod store;

pub use chain::{Chain, chain};
pub use evaluator::evaluator;
pub use scores::{Recomputed, Scope, scores};
pub use store::store;

use serde::Serialize;

/// Something that is wrong, or could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: a file with its line, an object, a run.
    pub place: String,
    /// What.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), mend: mend.into() }
    }
}

/// One of the four looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// `chain`, `store`, `evaluator` or `scores`.
    pub check: &'static str,
    /// How much was looked at, for people.
    pub looked_at: String,
    /// What is wrong.
    pub wrong: Vec<Finding>,
    /// What could not be looked at.
    pub not_checked: Vec<Finding>,
    /// Scores that were made again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Recomputed>,
}

impl Check {
    fn new(check: &'static str) -> Self {
        Self { check, ..Self::default() }
    }

    /// A look that could not be taken.
    pub fn skipped(check: &'static str, why: &str, mend: &str) -> Self {
        let not_checked = vec![Finding::new(check, why, mend)];
        Self { looked_at: "not looked at".into(), not_checked, ..Self::new(check) }
    }

    fn wrong(&mut self, place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) {
        self.wrong.push(Finding::new(place, what, mend));
    }

    fn leave(&mut self, place: impl Into<String>, why: impl Into<String>, mend: impl Into<String>) {
        self.not_checked.push(Finding::new(place, why, mend));
    }
}
