//! The truth of a study: an append-only file of JSON lines, each durable before its effect and chained to the one before.
//!
//! One engine writes (`Journal`, under a lock); anyone reads (`read`, `read_from`, `verify`) without lock or change. A
//! torn last line is cut by the next writer; an altered line is refused with its number. Beside it lie two files that
//! can always be deleted: a snapshot of the study, which makes reading fast, and `head.json`, which lists and the home
//! screen read. Knows the model and the file system, and nothing of what the facts mean. Tested by truncation and
//! alteration at every byte, by injected disk faults, and by replay of random facts.

mod error;
pub mod head;
mod line;
mod lock;
mod read;
mod replace;
mod scan;
mod sink;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

pub use error::JournalError;
pub use head::Head;
pub use line::{Cursor, Hash};
pub use lock::{Owner, owner};
pub use read::{Reading, Tail, Verified, read, read_from, verify};
pub use writer::{Journal, Opened, SnapshotPlace};

/// The journal's file in a study's directory.
pub const FILE: &str = "journal.jsonl";
