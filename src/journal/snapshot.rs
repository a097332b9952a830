//! The snapshot cache: the study as it was after one record, so that a cold reader folds only what came later.
//!
//! Lines of JSON: a head that says which record of which journal it belongs to and what all the rest must hash to; the
//! study without its trials; then its trials in groups, which several threads read at once. Whatever does not fit makes
//! it ignored, never an error: the journal is the truth.

use super::line::{Cursor, Hash, intact};
use super::{FILE, JournalError, replace};
use crate::model::{FORMAT, Study, Trial};
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek, SeekFrom};
use std::{fs::File, path::Path};

pub(super) const SNAPSHOT: &str = "study.snapshot.json";
/// Trials of one line.
const GROUP: usize = 512;
/// More threads than this do not make reading faster.
const THREADS: usize = 4;

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// Another version of the program may fold differently.
    version: String,
    seq: u64,
    hash: String,
    offset: u64,
    last_start: u64,
    sha256: String,
}

/// Writes the snapshot of a study at a place in its journal.
pub(super) fn save(study_dir: &Path, cursor: &Cursor, study: &Study) -> Result<(), JournalError> {
    let unwritable = |e: serde_json::Error| JournalError::Unwritable { detail: format!("snapshot: {e}") };
    let mut frame = study.clone();
    let trials = std::mem::take(&mut frame.trials);
    let mut body = serde_json::to_vec(&frame).map_err(unwritable)?;
    for group in trials.chunks(GROUP) {
        body.push(b'\n');
        serde_json::to_writer(&mut body, group).map_err(unwritable)?;
    }
    let head = Head {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        seq: cursor.seq,
        hash: cursor.hash.to_string(),
        offset: cursor.offset,
        last_start: cursor.last_start,
        sha256: Hash::of(&body).to_string(),
    };
    let head = serde_json::to_vec(&head).map_err(unwritable)?;
    replace::replace(study_dir, SNAPSHOT, &[&head, b"\n", &body])
}

/// The snapshot and its place, when it is whole and the journal holds the record that it names.
pub(super) fn load(study_dir: &Path) -> Option<(Study, Cursor)> {
    let bytes = std::fs::read(study_dir.join(SNAPSHOT)).ok()?;
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let (head, body) = bytes.split_at_checked(end)?;
    let body = body.strip_prefix(b"\n")?;
    let head: Head = serde_json::from_slice(head).ok()?;
    if head.format != FORMAT || head.version != env!("CARGO_PKG_VERSION") || head.sha256 != Hash::of(body).to_string() {
        return None;
    }
    let cursor = Cursor { seq: head.seq, offset: head.offset, last_start: head.last_start, hash: Hash::parse(&head.hash)? };
    if !journal_holds(study_dir, &cursor)? {
        return None;
    }
    let study = parse(body)?;
    (study.seq == cursor.seq).then_some((study, cursor))
}

fn parse(body: &[u8]) -> Option<Study> {
    let mut lines = body.split(|b| *b == b'\n');
    let mut study: Study = serde_json::from_slice(lines.next()?).ok()?;
    let groups: Vec<&[u8]> = lines.collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS);
    let share = groups.len().div_ceil(threads).max(1);
    let parsed: Option<Vec<Vec<Vec<Trial>>>> = std::thread::scope(|scope| {
        let readers: Vec<_> = groups.chunks(share).map(|groups| scope.spawn(|| parse_groups(groups))).collect();
        readers.into_iter().map(|reader| reader.join().ok().flatten()).collect()
    });
    study.trials = parsed?.into_iter().flatten().flatten().collect();
    Some(study)
}

fn parse_groups(groups: &[&[u8]]) -> Option<Vec<Vec<Trial>>> {
    groups.iter().map(|group| serde_json::from_slice(group).ok()).collect()
}

/// Whether the line that ends at the cursor is the one that the cursor means.
fn journal_holds(study_dir: &Path, cursor: &Cursor) -> Option<bool> {
    let length = cursor.offset.checked_sub(cursor.last_start)?;
    let mut file = File::open(study_dir.join(FILE)).ok()?;
    if file.metadata().ok()?.len() < cursor.offset {
        return Some(false);
    }
    file.seek(SeekFrom::Start(cursor.last_start)).ok()?;
    let mut line = vec![0; usize::try_from(length).ok()?];
    file.read_exact(&mut line).ok()?;
    Some(line.strip_suffix(b"\n").and_then(intact) == Some(cursor.hash))
}
