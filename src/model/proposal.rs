//! What a proposer hands over: a hypothesis and edits, with revisions, bound to the tree that results.

use super::redact::Redactor;
use super::{Assignment, Millis, ProposalId, Spend, TrialId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a proposal relates to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// A fresh start from the baseline.
    Draft,
    /// A change that should raise the parent's score.
    Improve,
    /// A repair of a parent that failed.
    Debug,
    /// Two parents; the first is the base of the diff.
    Crossover,
    /// A removal that tests whether a part of the recipe matters.
    Ablate,
}

impl Operator {
    /// The word shown and stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Improve => "improve",
            Self::Debug => "debug",
            Self::Crossover => "crossover",
            Self::Ablate => "ablate",
        }
    }
}

/// One change to the tree of the parent. Paths are relative to the tree's root, with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// Replaces the one place where `search` stands in the file.
    Replace {
        /// The file.
        path: String,
        /// Lines that must be found: exactly, else whitespace-insensitively, else by a unique fuzzy match.
        search: String,
        /// What stands there afterwards.
        replace: String,
    },
    /// Writes a whole file, new or not.
    Write {
        /// The file.
        path: String,
        /// Its new content.
        content: String,
    },
    /// Removes a file.
    Delete {
        /// The file.
        path: String,
    },
    /// A unified diff, applied with tolerance for shifted line numbers and wrong counts.
    Patch {
        /// The diff's text.
        patch: String,
    },
}

/// The value of a knob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KnobValue {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// One of named choices.
    Choice(String),
}

impl std::fmt::Display for KnobValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{}", super::number::short(*v)),
            Self::Choice(v) => f.write_str(v),
        }
    }
}

/// The body of one revision, stored beside the journal as `proposals/p0012/rev-1.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// One sentence: what changes and why it should help.
    pub hypothesis: String,
    /// The part of the recipe that it touches, where known.
    #[serde(default)]
    pub surface: Option<String>,
    /// Expected change of the metric, positive when better, where the proposer gives one.
    #[serde(default)]
    pub expected: Option<f64>,
    /// The changes, applied in order to the parent's tree.
    pub edits: Vec<Edit>,
    /// Knob values of the resulting tree that the proposer set (empty for free edits).
    #[serde(default)]
    pub knobs: BTreeMap<String, KnobValue>,
    /// The proposer's reasoning in plain lines: for a sampler, the numbers behind the choice.
    #[serde(default)]
    pub reasoning: String,
}

impl Draft {
    /// Why the edits must not be stored, if they bring in the very value of a variable that holds a key: code is never altered
    /// silently, so it is refused. `before` gives a file of the parent's tree; what stands there already is the user's own.
    pub fn key_in_edits(&self, redactor: &Redactor, before: impl Fn(&str) -> Option<String>) -> Option<String> {
        let added = |patch: &str, sign: char| patch.lines().filter(|l| l.starts_with(sign)).collect::<Vec<_>>().join("\n");
        self.edits.iter().find_map(|edit| {
            let (place, new, old) = match edit {
                Edit::Replace { path, search, replace } => (path.as_str(), replace.clone(), search.clone()),
                Edit::Write { path, content } => match redactor.value_in(content) {
                    Some(_) => (path.as_str(), content.clone(), before(path).unwrap_or_default()),
                    None => return None,
                },
                Edit::Delete { .. } => return None,
                Edit::Patch { patch } => ("the patch", added(patch, '+'), added(patch, '-')),
            };
            let name = redactor.value_in(&new).filter(|name| redactor.value_in(&old) != Some(name))?;
            Some(format!(
                "the edit to {place} holds the value of ${name}, which must not be stored: take it out, and let the code do without the key"
            ))
        })
    }
}

/// Size of a diff against the first parent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStat {
    /// Files touched.
    pub files: u32,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
}

/// A request to a proposer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub id: ProposalId,
    /// Who was asked: `knobs/tpe`, `knobs/random`, `researcher`, …
    pub proposer: String,
    /// The nodes it builds on; the first is the base of the diff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<TrialId>,
    /// How it relates to them.
    pub operator: Operator,
    /// Counter of the study's random decisions at the time of asking.
    pub decision: u64,
    /// When it was asked for.
    pub asked: Millis,
    /// The engine asked a proposer of the settings; else it was handed in unasked.
    #[serde(default)]
    pub requested: bool,
    /// The node that came of it, once handed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialId>,
    /// Why nothing came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Who was asked had no idea worth a run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gave_up: bool,
    /// Number of the last fact before the request that tells proposers something.
    #[serde(default)]
    pub news: u64,
    /// Which specialist was asked, and for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Box<Assignment>>,
    /// What its models cost so far.
    #[serde(default, skip_serializing_if = "Spend::is_nothing")]
    pub spend: Spend,
}

/// Who decided in a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reviewer {
    /// A person, from the cockpit or `ctl`.
    Human,
    /// A rule of the researcher's.
    Rule,
    /// The autonomy mode `auto`.
    Auto,
    /// Whoever proposed it: of a revision that was asked for.
    Proposer,
}

/// What a review said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// May run.
    Accept,
    /// Must not run.
    Veto,
    /// Replaced by a new revision of the reviewer's.
    Edit,
    /// Sent back with a comment.
    Revise,
}

/// One review of one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub by: Reviewer,
    /// What.
    pub decision: Decision,
    /// Why, in the reviewer's words.
    pub reason: Option<String>,
    /// Hash of the tree that was shown.
    pub tree: Option<String>,
    /// When.
    pub at: Millis,
}

/// How much may pass without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Autonomy {
    /// Every proposal waits.
    Ask,
    /// Only those wait that the rules call risky.
    AskRisky,
    /// None waits.
    Auto,
}

impl Autonomy {
    /// The word shown, stored and typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::AskRisky => "ask-risky",
            Self::Auto => "auto",
        }
    }

    /// The next mode in the order that the key `m` walks.
    pub fn next(self) -> Self {
        match self {
            Self::Ask => Self::AskRisky,
            Self::AskRisky => Self::Auto,
            Self::Auto => Self::Ask,
        }
    }
}
