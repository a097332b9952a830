//! The last facts of a study, read from the end of its journal without a fold: the feed of a client that has just come.

use crate::{journal, model::Record};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Facts handed out at most.
pub const RECENT: usize = 200;

/// Bytes read from the end: enough for `RECENT` facts of the usual size.
const WINDOW: u64 = 256 << 10;

/// Returns the last facts up to number `seq`, oldest first and without gaps; fewer where they are large. Lines are not
/// checked against the chain: that is the business of whoever folded the study.
pub fn recent(study_dir: &Path, seq: u64) -> Vec<Record> {
    let mut records = read_end(study_dir).unwrap_or_default();
    records.retain(|r| r.seq <= seq);
    let mut expected = seq;
    let mut kept =
        records.iter().rev().take(RECENT).take_while(|r| std::mem::replace(&mut expected, r.seq.saturating_sub(1)) == r.seq).count();
    kept = records.len() - kept;
    records.drain(..kept);
    records
}

fn read_end(study_dir: &Path) -> Option<Vec<Record>> {
    let mut file = File::open(study_dir.join(journal::FILE)).ok()?;
    let length = file.metadata().ok()?.len();
    let from = length.saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes).ok()?;
    // The first line of a window in the middle of the file is a piece of one and reads as none.
    Some(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
