//! What travels over the socket: one JSON object a line, versioned, bounded.

use super::{Ack, Answer, Command, Header, Query, Row};
use crate::model::conversation::Thought;
use crate::model::{Batch, ProposalId, Record, RunId, Telemetry};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of the wire. A client with another one is told so and leaves.
pub const VERSION: u32 = 1;

/// Longest line that either side accepts, in bytes.
pub const LONGEST_LINE: usize = 64 << 20;

/// A client's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToEngine {
    /// The first message.
    Hello {
        /// The client's `VERSION`.
        version: u32,
        /// Only looks: its commands are refused.
        watch: bool,
        /// Wants signals as well as facts.
        signals: bool,
    },
    /// A wish.
    Command {
        /// Number to answer under.
        id: u64,
        /// It.
        command: Box<Command>,
    },
    /// A question.
    Query {
        /// Number to answer under.
        id: u64,
        /// It.
        query: Query,
    },
    /// Asks for a new snapshot.
    Refresh,
}

/// The engine's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToClient {
    /// The first message.
    Hello {
        /// The engine's `VERSION`.
        version: u32,
        /// The engine's process id.
        pid: u32,
        /// The study's name.
        study: String,
    },
    /// All that a client holds, at one moment.
    Snapshot(Box<Snapshot>),
    /// A fact and what it changed.
    Update(Box<Update>),
    /// Something that may be missed.
    Signal(Signal),
    /// To a command.
    Acked {
        /// Its number.
        id: u64,
        /// What became of it, or why it was refused.
        result: Result<Ack, String>,
    },
    /// To a query.
    Answered {
        /// Its number.
        id: u64,
        /// The answer, or why there is none.
        result: Result<Box<Answer>, String>,
    },
    /// The client was too slow; a snapshot follows.
    Lagged,
    /// The engine is leaving.
    Bye {
        /// Why.
        reason: String,
    },
}

/// All that a client holds, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Number of the last fact.
    pub seq: u64,
    /// The study at a glance.
    pub header: Header,
    /// One row a trial, in order.
    pub rows: Vec<Row>,
    /// The last facts, oldest first.
    pub recent: Vec<Record>,
}

/// A fact and what it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The fact.
    pub record: Record,
    /// The study after it.
    pub header: Header,
    /// The rows that it changed.
    pub rows: Vec<Row>,
}

/// Something that may be missed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    /// New points.
    Points {
        /// Of one run.
        batch: Batch,
    },
    /// A log grew.
    LogGrew {
        /// Of which run.
        run: RunId,
        /// Length of standard output, bytes.
        stdout: u64,
        /// Length of standard error, bytes.
        stderr: u64,
    },
    /// The log of the setup grew.
    SetupLog {
        /// Its length, bytes.
        bytes: u64,
        /// Its last line, made safe.
        last: String,
    },
    /// A reading of the machine.
    Telemetry {
        /// It.
        telemetry: Box<Telemetry>,
    },
    /// A proposer at work, as it happens.
    Thought {
        /// On which request.
        proposal: ProposalId,
        /// The next piece.
        thought: Thought,
    },
    /// What a proposer has said so far in the attempt that is under way: in place of all that was heard of it before. Comes
    /// when an attempt begins, to a client that attaches in its middle, and to one that was too slow to hear all.
    Heard {
        /// On which request.
        proposal: ProposalId,
        /// Which revision it writes.
        revision: u32,
        /// Bytes at the start that are not kept any more.
        lost: u64,
        /// In order, joined.
        thoughts: Vec<Thought>,
    },
}

/// Writes one message as a line.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads one line.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}
