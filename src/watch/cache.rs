//! `metrics.jsonl`: every point of a run as one short line, `{"k":key,"s":step,"v":value,"t":ms}`.
//!
//! Each batch of points ends with one line that says how far each file was read, `{"m":[…]}`. A batch counts only with that line: after a
//! kill the lines behind the last one are cut off and read again from their files, so that no point is lost and none comes twice.

use super::tail::Place;
use crate::model::{Millis, Point, signal::loose_float};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Bytes that are held back while the disk is full; beyond it new points are not stored (they were shown).
const MAX_HELD_BYTES: usize = 8 << 20;

/// A point as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) k: Cow<'a, str>,
    #[serde(with = "loose_float")]
    pub(super) s: f64,
    #[serde(with = "loose_float")]
    pub(super) v: f64,
    pub(super) t: i64,
}

/// How far one file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Path relative to the slot, or `:stdout`.
    pub(super) p: String,
    /// First byte read.
    b: u64,
    /// First byte not read.
    o: u64,
    /// Fingerprint of the bytes before it.
    h: u64,
    /// Readings taken since `b`.
    pub(super) n: u64,
}

#[derive(Serialize, Deserialize)]
struct Marks<L> {
    m: L,
}

impl Mark {
    pub(super) fn new(path: &str, place: Place, taken: u64) -> Self {
        Self { p: path.to_owned(), b: place.begin, o: place.offset, h: place.before, n: taken }
    }

    /// Of a file that is read as a whole: how many readings it gave, and their fingerprint.
    pub(super) fn whole(path: &str, (n, print): (u64, u64)) -> Self {
        Self { p: path.to_owned(), b: 0, o: 0, h: print, n }
    }

    /// What `whole` was made of.
    pub(super) fn readings(&self) -> (u64, u64) {
        (self.n, self.h)
    }

    pub(super) fn place(&self) -> Place {
        Place { begin: self.b, offset: self.o, before: self.h }
    }
}

/// The file is ours: a link or a pipe in its place was put there by somebody else.
fn no_link() -> i32 {
    use rustix::fs::OFlags;
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

/// The open cache of one run.
#[derive(Debug)]
pub(super) struct Cache {
    file: File,
    length: u64,
    held: Vec<u8>,
}

impl Cache {
    /// Opens or makes the cache, calls `seen` for each point that counts, and cuts off the rest.
    pub(super) fn open(path: &Path, mut seen: impl FnMut(Point)) -> io::Result<(Self, BTreeMap<String, Mark>)> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).custom_flags(no_link()).open(path)?;
        let mut marks = BTreeMap::new();
        let mut batch = Vec::new();
        let (mut length, mut at) = (0, 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = reader.read_until(b'\n', &mut line)?;
            if n == 0 || line.last() != Some(&b'\n') {
                break;
            }
            at += n as u64;
            if let Ok(row) = serde_json::from_slice::<Row<'_>>(&line) {
                batch.push(Point { key: row.k.into_owned(), step: row.s, value: row.v, at: Millis(row.t) });
            } else if let Ok(Marks { m }) = serde_json::from_slice::<Marks<Vec<Mark>>>(&line) {
                marks.extend(m.into_iter().map(|mark| (mark.p.clone(), mark)));
                batch.drain(..).for_each(&mut seen);
                length = at;
            }
        }
        file.set_len(length)?;
        Ok((Self { file, length, held: Vec::new() }, marks))
    }

    /// Adds a point to the batch.
    pub(super) fn push(&mut self, point: &Point) {
        let start = self.held.len();
        let row = Row { k: Cow::Borrowed(&point.key), s: point.step, v: point.value, t: point.at.0 };
        if start > MAX_HELD_BYTES || serde_json::to_writer(&mut self.held, &row).is_err() {
            self.held.truncate(start);
            return;
        }
        self.held.push(b'\n');
    }

    /// Writes the batch and its marks.
    ///
    /// Errors: the disk's; then the batch is held and written with the next.
    pub(super) fn flush(&mut self, marks: &[Mark]) -> io::Result<()> {
        let start = self.held.len();
        serde_json::to_writer(&mut self.held, &Marks { m: marks })?;
        self.held.push(b'\n');
        if let Err(error) = self.file.write_all(&self.held) {
            // A torn batch must not stand before the next one.
            self.file.set_len(self.length)?;
            self.held.truncate(start);
            return Err(error);
        }
        self.length += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }
}

/// Calls `row` for each point of a cache that a run may still be writing. A line that is none is passed over.
///
/// Errors: the file's; one that is not there is an empty cache, since a run may print nothing.
pub(super) fn read(path: &Path, mut wanted: impl FnMut(&[u8]) -> bool, mut row: impl FnMut(Row<'_>)) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).custom_flags(no_link()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
            return Ok(());
        }
        if wanted(&line)
            && let Ok(point) = serde_json::from_slice(&line)
        {
            row(point);
        }
    }
}
