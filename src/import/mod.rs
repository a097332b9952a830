//! Histories that other programs wrote, read into plain rows: pure, from text to `History`.
//!
//! Knows the three formats and the vocabulary; neither disk nor git nor how a study is written (that is `engine::history`).
//! Whatever a file holds, nothing panics and no row is lost: a row that cannot be understood becomes `unreadable`. Tested by
//! tables of odd rows beside each reader, and by properties on random text.

mod aide;
mod autoresearch;
mod metric;
mod recipes;
mod table;
#[cfg(test)]
mod tests;

use crate::model::{Failure, GateResult, Goal, Millis, Operator, Status, Verdict};
use std::collections::BTreeMap;

/// Which program wrote the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// karpathy/autoresearch: `commit  val_bpb  memory_gb  status  description`.
    Autoresearch,
    /// The results tables of the CMU recipes.
    Recipes,
    /// AIDE's `journal.json`.
    Aide,
}

impl Format {
    /// The word typed and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Autoresearch => "autoresearch",
            Self::Recipes => "recipes",
            Self::Aide => "aide",
        }
    }
}

/// What the user says of a file that does not say it itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The column or key of the score.
    pub metric: Option<String>,
    /// Which way is better.
    pub goal: Option<Goal>,
}

/// A history.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Which program wrote it.
    pub format: Format,
    /// Name of the task; none where the format has no word for it.
    pub task: Option<String>,
    /// The task in words.
    pub title: Option<String>,
    /// The metric's key.
    pub metric: String,
    /// Which way is better.
    pub goal: Goal,
    /// The baseline, then every trial. At least one; a parent stands before its children.
    pub rows: Vec<Row>,
    /// What a person should know of the reading, a line each.
    pub warnings: Vec<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What the source calls it.
    pub name: String,
    /// Its own word for the outcome.
    pub word: String,
    /// Line of the file, or number of the node, from 1.
    pub line: u32,
    /// Places of the rows that it builds on, each smaller than its own.
    pub parents: Vec<usize>,
    /// How it relates to them.
    pub operator: Operator,
    /// Who suggested it.
    pub proposer: String,
    /// The part of the recipe.
    pub surface: Option<String>,
    /// One sentence.
    pub hypothesis: String,
    /// Expected change, positive when better.
    pub expected: Option<f64>,
    /// `done` or `unreadable`.
    pub status: Status,
    /// What the source decided.
    pub verdict: Option<Verdict>,
    /// Its score.
    pub score: Option<f64>,
    /// A failed row's number.
    pub self_reported: Option<f64>,
    /// Why it has no score.
    pub failure: Option<Failure>,
    /// Its other numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Gates that the source checked.
    pub gates: Vec<GateResult>,
    /// Seconds that it took.
    pub seconds: f64,
    /// When it was proposed.
    pub proposed: Option<Millis>,
    /// When it was decided.
    pub finished: Option<Millis>,
    /// Free notes.
    pub notes: String,
    /// Its code, where the source holds it.
    pub code: Option<String>,
}

impl Row {
    /// A row of which nothing is known but its place.
    fn blank(line: u32) -> Self {
        Self {
            name: String::new(),
            word: String::new(),
            line,
            parents: Vec::new(),
            operator: Operator::Improve,
            proposer: String::new(),
            surface: None,
            hypothesis: String::new(),
            expected: None,
            status: Status::Done,
            verdict: None,
            score: None,
            self_reported: None,
            failure: None,
            metrics: BTreeMap::new(),
            gates: Vec::new(),
            seconds: 0.0,
            proposed: None,
            finished: None,
            notes: String::new(),
            code: None,
        }
    }
}

/// Why nothing can be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No header, or no row.
    #[error("it holds no {0}")]
    Empty(&'static str),
    /// Another kind of file.
    #[error("it is not {expected}: {found}")]
    Other {
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// No column is known to be the score.
    #[error("none of its columns is known to be the score; name it with --metric, one of: {}", columns.join(", "))]
    Metric {
        /// What could be meant.
        columns: Vec<String>,
    },
    /// `--metric` names none of the columns.
    #[error("--metric {metric}: it has no such column; it has {}", columns.join(", "))]
    NoColumn {
        /// What was asked for.
        metric: String,
        /// What there is.
        columns: Vec<String>,
    },
    /// The direction cannot be told.
    #[error("whether a lower or a higher {metric} is better is not said; add --goal minimize or --goal maximize")]
    Goal {
        /// The metric.
        metric: String,
    },
}

/// Reads a file's bytes. Errors: in words that end a sentence about the file.
pub fn read(format: Format, bytes: &[u8], hints: &Hints) -> Result<History, ImportError> {
    let text = String::from_utf8_lossy(bytes);
    let mut history = match format {
        Format::Autoresearch => autoresearch::read(&text, hints),
        Format::Recipes => recipes::read(&text, hints),
        Format::Aide => aide::read(&text, hints),
    }?;
    if matches!(text, std::borrow::Cow::Owned(_)) {
        history.warnings.push("some bytes are not UTF-8 and show as �".into());
    }
    Ok(history)
}
