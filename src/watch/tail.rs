//! One growing file, followed whatever happens to it.
//!
//! Growth is read on; truncation, rotation and deletion with a new file start again at 0. A file that was written anew with the same
//! beginning (`to_csv` after each epoch, or write and rename) is *not* read again: the bytes before the offset are compared, and where
//! they agree, reading goes on. A file that shrank gets a moment to come back. Of a file that is huge when first seen, only the end is read.
//! Never blocks: anything but a regular file is refused, and a confined tail follows no symbolic link.

use super::reader::HEAD_BYTES;
use crate::beneath;
use rustix::fs::OFlags;
use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A file larger than this when first seen is read from its end: the last so many bytes.
pub const FIRST_SIGHT_BYTES: u64 = 256 << 20;
/// Most bytes that one read returns, so that a long file does not starve the others.
const READ_BYTES: u64 = 4 << 20;
/// Bytes before the offset that are remembered, to tell the same content from other.
const MEMORY_BYTES: usize = 64;
/// How long a file that shrank may take to come back with the same beginning.
const PATIENCE: Duration = Duration::from_millis(120);
/// Longest header that is read from a huge file.
const HEADER_BYTES: usize = 64 << 10;

/// Where a tail stands: what must be stored to go on after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First byte that was read.
    pub begin: u64,
    /// First byte that was not.
    pub offset: u64,
    /// Fingerprint of the bytes before `offset`.
    pub before: u64,
}

/// What one look at the file gave. The bytes are in the caller's buffer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The bytes belong to other content than those before: a reader must start afresh.
    pub restarted: bool,
    /// The file before it was complete (rotated away), so that its half line may be taken as whole; false after a truncation.
    pub complete: bool,
    /// There may be more to read at once.
    pub more: bool,
    /// Bytes at the file's beginning that are not read, since it was huge; only in the first look.
    pub skipped: u64,
}

/// How patient a look is with a file that shrank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// The run goes on: a file being written anew gets its moment.
    Patient,
    /// The run has ended: what is there is all.
    Final,
}

/// A followed file.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    links: Links,
    open: Option<Open>,
    begin: u64,
    offset: u64,
    before: Vec<u8>,
    shrunk: Option<Instant>,
    align: bool,
}

/// Whether the path may hold symbolic links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Links {
    /// The path is ours.
    Follow,
    /// The path is a trial's, below this directory: no link is followed on the way there either.
    Beneath(PathBuf),
}

#[derive(Debug)]
struct Open {
    file: File,
    id: (u64, u64),
    changed: (i64, i64),
}

impl Tail {
    /// Returns a tail that has read nothing. The file need not exist.
    pub fn new(path: PathBuf, links: Links) -> Self {
        Self { path, links, open: None, begin: 0, offset: 0, before: Vec::new(), shrunk: None, align: false }
    }

    /// Whether the file still holds what stood before a stored place.
    pub fn holds(&self, place: &Place) -> bool {
        let Ok(Some((file, meta))) = self.open_path() else { return false };
        meta.len() >= place.offset && bytes_before(&file, place.offset).is_ok_and(|bytes| fingerprint(&bytes) == place.before)
    }

    /// Starts at a given byte when the file is first opened, whatever its size.
    pub fn begin_at(&mut self, begin: u64) {
        (self.begin, self.offset) = (begin, begin);
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { begin: self.begin, offset: self.offset, before: fingerprint(&self.before) }
    }

    /// First line of the file, at most 64 KiB: the header of a table whose beginning is not read.
    pub fn first_line(&self) -> Option<Vec<u8>> {
        let mut line = vec![0; HEADER_BYTES];
        let n = self.open.as_ref()?.file.read_at(&mut line, 0).ok()?;
        line.truncate(n);
        let end = line.iter().position(|b| *b == b'\n')?;
        line.truncate(end + 1);
        Some(line)
    }

    /// Reads what is new into `buffer`, which is emptied first; at most 4 MiB a call.
    ///
    /// A file that is not there (yet, or no more) is no error. Errors: whatever opening or reading it gives.
    pub fn look(&mut self, buffer: &mut Vec<u8>, mood: Mood, now: Instant) -> io::Result<Look> {
        buffer.clear();
        let mut look = Look::default();
        let meta = match &self.links {
            Links::Follow => std::fs::metadata(&self.path),
            Links::Beneath(_) => std::fs::symlink_metadata(&self.path),
        };
        let meta = match meta {
            Ok(meta) => Some(meta),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
            Err(error) => return Err(error),
        };
        if let Some(open) = &mut self.open {
            let same = meta.as_ref().is_some_and(|m| identity(m) == open.id);
            if same {
                let meta = meta.unwrap_or(open.file.metadata()?);
                let changed = (meta.mtime(), meta.mtime_nsec());
                if meta.len() < self.offset {
                    if self.waits(mood, now) {
                        return Ok(look);
                    }
                    self.restart(&mut look);
                } else if meta.len() > self.offset || changed != open.changed {
                    open.changed = changed;
                    if bytes_before(&open.file, self.offset)? != self.before {
                        self.restart(&mut look);
                    }
                }
                self.shrunk = None;
            } else {
                // Rotated or deleted: the old file may still be written to, so it is read to its end first.
                self.read(buffer)?;
                if !buffer.is_empty() || meta.is_none() {
                    look.more = !buffer.is_empty();
                    return Ok(look);
                }
                let Some((file, meta)) = self.open_path()? else { return Ok(look) };
                let goes_on = meta.len() >= self.offset && bytes_before(&file, self.offset)? == self.before;
                if !goes_on && meta.len() < self.offset && self.waits(mood, now) {
                    return Ok(look);
                }
                self.open = Some(Open::new(file, &meta));
                self.shrunk = None;
                if !goes_on {
                    self.restart(&mut look);
                    look.complete = true;
                }
            }
        } else {
            let Some((file, meta)) = self.open_path()? else { return Ok(look) };
            self.open = Some(Open::new(file, &meta));
            if self.offset == 0 && meta.len() > FIRST_SIGHT_BYTES {
                self.begin_at(meta.len() - FIRST_SIGHT_BYTES);
                self.align = true;
                look.skipped = self.begin;
            }
            if let Some(open) = &self.open {
                self.before = bytes_before(&open.file, self.offset)?;
            }
        }
        let n = self.read(buffer)?;
        look.more = n as u64 == READ_BYTES;
        if self.align && n > 0 {
            // The first line of the part that is read has lost its head.
            let cut = buffer.iter().position(|b| *b == b'\n').map_or(n, |at| at + 1);
            self.align = cut == n;
            buffer.drain(..cut);
            self.begin += cut as u64;
        }
        Ok(look)
    }

    /// Whether a file that shrank is given a moment more.
    fn waits(&mut self, mood: Mood, now: Instant) -> bool {
        mood == Mood::Patient && now.saturating_duration_since(*self.shrunk.get_or_insert(now)) < PATIENCE
    }

    fn restart(&mut self, look: &mut Look) {
        look.restarted = true;
        self.begin_at(0);
        self.before.clear();
        self.shrunk = None;
        self.align = false;
    }

    fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let Some(open) = &self.open else { return Ok(0) };
        let length = open.file.metadata()?.len().saturating_sub(self.offset).min(READ_BYTES);
        buffer.resize(usize::try_from(length).unwrap_or_default(), 0);
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match open.file.read_at(rest, self.offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.offset += filled as u64;
        self.before.extend_from_slice(buffer.get(filled.saturating_sub(MEMORY_BYTES)..).unwrap_or_default());
        let surplus = self.before.len().saturating_sub(MEMORY_BYTES);
        self.before.drain(..surplus);
        Ok(filled)
    }

    fn open_path(&self) -> io::Result<Option<(File, Metadata)>> {
        open(&self.path, &self.links)
    }
}

/// Opens a regular file without blocking; nothing if it is not there.
///
/// Errors: the file system's, or that it is something else.
pub(super) fn open(path: &Path, links: &Links) -> io::Result<Option<(File, Metadata)>> {
    let opened = match links {
        Links::Follow => {
            let flags = OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
        }
        Links::Beneath(root) => beneath::file(root, path.strip_prefix(root).unwrap_or(path)),
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error),
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Some((file, meta)))
}

/// First bytes of a file, for `Format::of`; empty if there are none yet, or it cannot be read.
pub(super) fn head(path: &Path, links: &Links) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    let n = open(path, links).ok().flatten().and_then(|(file, _)| file.read_at(&mut bytes, 0).ok()).unwrap_or(0);
    bytes.truncate(n);
    bytes
}

impl Open {
    fn new(file: File, meta: &Metadata) -> Self {
        Self { file, id: identity(meta), changed: (meta.mtime(), meta.mtime_nsec()) }
    }
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Up to 64 bytes that stand before an offset.
fn bytes_before(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let start = offset.saturating_sub(MEMORY_BYTES as u64);
    let mut bytes = vec![0; usize::try_from(offset - start).unwrap_or_default()];
    match file.read_exact_at(&mut bytes, start) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        other => other.map(|()| bytes),
    }
}

/// FNV-1a, 64 bits: stable between versions, and collisions between honest files are out of the question at this length.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
