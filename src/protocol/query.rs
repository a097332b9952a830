//! Questions with bounded answers: from the engine, or from the directory of a study without one.

use super::document::TrialDocument;
use crate::model::conversation::Turn;
use crate::model::{Comparison, Diff, DiffOptions, Draft, Proposal, ProposalId, RunId, TrialId};
use serde::{Deserialize, Serialize};

/// Which of a run's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The evaluator's two streams.
    Evaluator,
    /// Of the study's setup, whichever run is named.
    Setup,
}

/// What a diff is taken against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The first parent.
    Parent,
    /// The baseline.
    Baseline,
    /// The best trial.
    Best,
    /// A certain trial.
    Trial(TrialId),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "snake_case")]
pub enum Query {
    /// All of one trial.
    Trial {
        /// Which.
        trial: TrialId,
    },
    /// What a trial changes.
    Diff {
        /// Which.
        trial: TrialId,
        /// Against what.
        against: Against,
        /// How.
        options: DiffOptions,
        /// Of this revision; of the current one when none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
    },
    /// The content of files of a trial's tree, at most 1 MiB in all.
    Files {
        /// Which; its own tree.
        trial: TrialId,
        /// The paths; all changed ones when empty.
        paths: Vec<String>,
    },
    /// Paths that a proposal may edit.
    Editable {
        /// Whose tree.
        trial: TrialId,
    },
    /// A part of a log.
    Log {
        /// Which run.
        run: RunId,
        /// Which stream.
        stream: LogStream,
        /// First byte; counted from the end when negative.
        offset: i64,
        /// At most so many bytes (64 KiB at most).
        len: u32,
    },
    /// One curve, decimated.
    Series {
        /// Which run.
        run: RunId,
        /// Which metric.
        key: String,
        /// Two points a column at most.
        width: u32,
    },
    /// What came of each kind of agent that was asked.
    Arms,
    /// Names of a run's metrics.
    SeriesKeys {
        /// Which run.
        run: RunId,
    },
    /// What was said between a proposer and its model, at most 256 KiB of it.
    Conversation {
        /// Which proposal.
        proposal: ProposalId,
        /// Of this revision alone.
        #[serde(default)]
        revision: Option<u32>,
        /// First entry; counted from the end when negative.
        #[serde(default)]
        offset: i64,
    },
}

/// All of one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialDetail {
    /// What `show` prints.
    pub document: TrialDocument,
    /// The request.
    pub request: Option<Proposal>,
    /// The current revision's body.
    pub draft: Option<Draft>,
    /// The numbers behind the verdict.
    pub comparison: Option<Comparison>,
}

/// A part of a log.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// Offset of the first byte.
    pub offset: u64,
    /// Offset to ask for next; the text itself may be longer or shorter than its bytes.
    pub next: u64,
    /// Length of the whole log.
    pub total: u64,
    /// The text; what is not UTF-8 is replaced.
    pub text: String,
}

/// One curve, at most two points a column.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Steps.
    pub steps: Vec<f64>,
    /// Values; null is NaN.
    pub values: Vec<Option<f64>>,
    /// Points before decimation.
    pub total: u64,
}

/// One metric of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySummary {
    /// Its name.
    pub key: String,
    /// Points.
    pub count: u64,
    /// Last value; null is NaN.
    pub last: Option<f64>,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileText {
    /// Its path.
    pub path: String,
    /// Its text; null when it is not text, too large or absent.
    pub text: Option<String>,
}

/// A part of a conversation.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationPart {
    /// Number of the first entry.
    pub offset: u64,
    /// Number to ask for next.
    pub next: u64,
    /// Entries in all.
    pub total: u64,
    /// Them. Texts are not safe to draw; of very long ones the middle is left out.
    pub turns: Vec<Turn>,
    /// What is wrong with the record, where something is.
    pub trouble: Option<String>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// To `Trial`.
    Trial {
        /// All of it.
        detail: Box<TrialDetail>,
    },
    /// To `Diff`.
    Diff {
        /// It.
        diff: Diff,
    },
    /// To `Files`.
    Files {
        /// In the order asked for.
        files: Vec<FileText>,
    },
    /// To `Editable`.
    Editable {
        /// In path order.
        paths: Vec<String>,
    },
    /// To `Log`.
    Log {
        /// It.
        part: LogPart,
    },
    /// To `Series`.
    Series {
        /// It.
        curve: Curve,
    },
    /// To `Arms`.
    Arms {
        /// In the order of their names.
        rows: Vec<crate::model::arms::ArmRow>,
    },
    /// To `SeriesKeys`.
    SeriesKeys {
        /// By name.
        keys: Vec<KeySummary>,
    },
    /// To `Conversation`.
    Conversation {
        /// It.
        part: ConversationPart,
    },
}
