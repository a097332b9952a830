//! One file that is written anew rather than appended to, read as a whole each time it changed.
//!
//! What an earlier state gave is not given again: the readings are compared, and those behind the common beginning are new. A half-written
//! file gives nothing and is looked at again.

use super::{
    reader::{self, Format, Losses, Patterns, Reading},
    tail::{self, Links, Mood},
};
use std::{
    fs::Metadata,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
};

/// Looks at a file that is not whole, before only a further change makes it worth another.
const PATIENCE: u8 = 25;

/// A followed file.
pub(super) struct Whole {
    path: PathBuf,
    links: Links,
    stamp: Option<Stamp>,
    given: Vec<Reading>,
    /// From before a restart of the engine: how many readings were stored, and their fingerprint.
    restored: Option<(u64, u64)>,
    tries: u8,
    pub(super) bytes: u64,
}

/// What tells two states of a file apart without reading them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    id: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self { id: (meta.dev(), meta.ino()), length: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Readings that were not there before.
    pub(super) fresh: Vec<Reading>,
    pub(super) losses: Losses,
    pub(super) remark: Option<String>,
    /// It holds one object a line after all: such a file grows, and is not to be read as a whole.
    pub(super) lines: bool,
}

impl Whole {
    pub(super) fn new(path: PathBuf, links: Links, restored: Option<(u64, u64)>) -> Self {
        Self { path, links, stamp: None, given: Vec::new(), restored, tries: 0, bytes: 0 }
    }

    /// Readings given so far, and their fingerprint.
    pub(super) fn given(&self) -> (u64, u64) {
        (self.given.len() as u64, fingerprint(&self.given))
    }

    /// Reads the file if it changed. A file that is not there is no error.
    ///
    /// Errors: whatever opening or reading it gives.
    pub(super) fn look(&mut self, format: Format, patterns: &Arc<Patterns>, mood: Mood) -> io::Result<Option<State>> {
        let Some((file, meta)) = tail::open(&self.path, &self.links)? else { return Ok(None) };
        let stamp = Stamp::of(&meta);
        let again = self.tries > 0 && (self.tries < PATIENCE || mood == Mood::Final);
        if self.stamp == Some(stamp) && !again {
            return Ok(None);
        }
        if self.stamp != Some(stamp) {
            self.tries = 0;
        }
        self.stamp = Some(stamp);
        self.bytes = meta.len();
        let mut reader = format.reader(&self.path, patterns);
        let mut readings = Vec::new();
        let mut head = Vec::new();
        let mut piece = vec![0; 1 << 16];
        let mut file = file.take(reader::MAX_DOCUMENT_BYTES as u64 + 1);
        loop {
            let n = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = piece.get(..n).unwrap_or_default();
            if head.len() < reader::HEAD_BYTES {
                head.extend_from_slice(read);
            }
            reader.feed(read, &mut readings);
        }
        if format == Format::Json && reader::grew_to_lines(&head) {
            return Ok(Some(State { lines: true, ..State::default() }));
        }
        reader.finish(&mut readings);
        let losses = reader.losses();
        let half = losses.rubbish > 0;
        self.tries = if half { self.tries.saturating_add(1) } else { 0 };
        if half && mood == Mood::Patient && self.tries < PATIENCE {
            return Ok(None);
        }
        let fresh = self.fresh(readings);
        Ok(Some(State { fresh, losses, remark: reader.remark(), lines: false }))
    }

    /// Leaves out what was given before.
    fn fresh(&mut self, readings: Vec<Reading>) -> Vec<Reading> {
        if readings.is_empty() {
            return readings;
        }
        let known = match self.restored.take() {
            Some((n, print)) => {
                let n = usize::try_from(n).unwrap_or(usize::MAX);
                if readings.get(..n).is_some_and(|old| fingerprint(old) == print) { n } else { 0 }
            }
            None => self.given.iter().zip(&readings).take_while(|(old, new)| same(old, new)).count(),
        };
        let fresh = readings.get(known..).unwrap_or_default().to_vec();
        self.given = readings;
        fresh
    }
}

fn same(old: &Reading, new: &Reading) -> bool {
    old.key == new.key && old.step.map(f64::to_bits) == new.step.map(f64::to_bits) && old.value.to_bits() == new.value.to_bits()
}

/// Of readings: equal in one version of the program, which is all that a restart needs.
fn fingerprint(readings: &[Reading]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for reading in readings {
        (&*reading.key, reading.step.map(f64::to_bits), reading.value.to_bits()).hash(&mut hasher);
    }
    hasher.finish()
}
