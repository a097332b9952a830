//! What clients and the engine say to each other: commands, snapshot, queries, signals, framing, versions.
//!
//! Pure data and pure projections of a study; opens no connection (`socket` only says where one is). `document` is the JSON contract of `show --json`.

mod command;
pub mod document;
pub mod lines;
mod query;
mod rows;
pub mod socket;
mod wire;

pub use command::{Ack, Command};
pub use query::{Against, Answer, ConversationPart, Curve, FileText, KeySummary, LogPart, LogStream, Query, TrialDetail};
pub use rows::{AgentNames, Back, Header, Row, RunningRow, ThinkingRow, header, proposing, row, slot_utilisation, snapshot, update};
pub use wire::{LONGEST_LINE, Signal, Snapshot, ToClient, ToEngine, Update, VERSION, decode, encode};
