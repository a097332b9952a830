//! A client's side: one link to a study, live over the socket or cold from its directory, and the mirror of what it holds.

mod caller;
mod cold;
mod connection;
mod link;
mod mirror;
pub mod studies;
#[cfg(test)]
mod tests;

pub use caller::Caller;
pub use cold::read_study;
pub use connection::ConnectError;
pub use link::{OpenOptions, open};
pub use mirror::Mirror;

use crate::protocol::{Ack, Answer, Command, Query, Signal, Snapshot, Update};
use tokio::sync::mpsc;

/// What a client sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A wish; the number comes back with its acknowledgement.
    Command(u64, Command),
    /// A question; the number comes back with its answer.
    Query(u64, Query),
}

/// What a client hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// All that a client holds, at one moment: at the start, after a gap, after a reconnect.
    Snapshot(Box<Snapshot>),
    /// A fact and what it changed.
    Update(Box<Update>),
    /// Something that may be missed.
    Signal(Signal),
    /// To a command.
    Acked(u64, Result<Ack, String>),
    /// To a query.
    Answered(u64, Result<Box<Answer>, String>),
    /// The state of the link changed.
    Link(LinkState),
}

/// The state of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// To a living engine.
    Live {
        /// Its process id.
        pid: u32,
    },
    /// The engine was lost; trying again.
    Reconnecting {
        /// Why.
        why: String,
    },
    /// No engine: what the directory holds. Commands are refused.
    Cold,
}

/// A link to one study. Dropping it ends it.
pub struct Link {
    /// To the study.
    pub requests: mpsc::Sender<Request>,
    /// From the study.
    pub incoming: mpsc::Receiver<Incoming>,
}
