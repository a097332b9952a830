//! Reading without a lock and without changing anything: for clients of a study whose engine may or may not live.

use super::line::{Cursor, Hash};
use super::scan::Scan;
use super::{JournalError, snapshot};
use crate::model::{Record, Study};
use std::path::Path;

/// A study as its journal has it.
#[derive(Debug)]
pub struct Reading {
    /// The fold of all whole records.
    pub study: Study,
    /// The place after the last of them, to go on from with `read_from`.
    pub cursor: Cursor,
    /// An unfinished line follows: a write in progress, or a torn end that the next engine will cut.
    pub torn: bool,
}

/// Records that came after a place.
#[derive(Debug)]
pub struct Tail {
    /// In order.
    pub records: Vec<Record>,
    /// The place after the last of them.
    pub cursor: Cursor,
    /// An unfinished line follows.
    pub torn: bool,
}

/// What a full check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whole records.
    pub records: u64,
    /// Hash of the last one.
    pub hash: Hash,
    /// Bytes of an unfinished line after it.
    pub torn_bytes: u64,
}

/// Reads a study. With a snapshot that fits, only what came after it is read and checked; the whole chain is the business
/// of `verify` and of the engine's start.
///
/// Errors: `Missing`, `Empty`, `Altered` and `Newer` with the line's number.
pub fn read(study_dir: &Path) -> Result<Reading, JournalError> {
    let (study, cursor) = match snapshot::load(study_dir) {
        Some((study, cursor)) => (Some(study), cursor),
        None => (None, Cursor::default()),
    };
    let mut scan = Scan::open(study_dir, cursor)?;
    match scan.fold(study)? {
        Some(study) => Ok(Reading { study, cursor: scan.cursor, torn: scan.torn > 0 }),
        None => Err(JournalError::Empty { path: scan.path().to_owned() }),
    }
}

/// Reads the records that came after a place, as `Reading` or an earlier `Tail` gave it.
///
/// Errors: `Replaced` when the file is shorter than that, or its next line does not continue what was read: read it anew,
/// which tells an altered line from one that took another's place.
pub fn read_from(study_dir: &Path, cursor: Cursor) -> Result<Tail, JournalError> {
    let mut scan = Scan::open(study_dir, cursor)?;
    let mut records = Vec::new();
    loop {
        match scan.next() {
            Ok(Some(record)) => records.push(record),
            Ok(None) => break,
            // A batch that found no room is cut back, and another one may stand in its place.
            Err(JournalError::Altered { path, .. }) if records.is_empty() && cursor.seq > 0 => return Err(JournalError::Replaced { path }),
            Err(e) => return Err(e),
        }
    }
    Ok(Tail { records, cursor: scan.cursor, torn: scan.torn > 0 })
}

/// Checks every line of a journal: checksums, numbers, chain, and that each is understood.
pub fn verify(study_dir: &Path) -> Result<Verified, JournalError> {
    let mut scan = Scan::open(study_dir, Cursor::default())?;
    scan.fold(None)?;
    Ok(Verified { records: scan.cursor.seq, hash: scan.cursor.hash, torn_bytes: scan.torn })
}
