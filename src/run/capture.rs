//! The logs of a run: the first 64 MiB in `stdout.log`, then the last 192 MiB in rolling segments beside it, named
//! `stdout.log.<offset>` by the offset of their first byte. What is not kept is counted; the pipe is always drained, so
//! that a command never blocks on its own output.

use super::{LogPart, RunError, Stream};
use crate::model::redact::{self, Redactor};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes let go after a write that failed, for instance on a full disk.
const RETRY_AFTER: u64 = 1 << 20;

/// How much of a stream's end is remembered.
const LAST: usize = 64 << 10;

/// How much of a stream is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// The beginning.
    pub(super) head: u64,
    /// One rolling segment.
    pub(super) segment: u64,
    /// How many segments stay.
    pub(super) segments: usize,
}

impl Caps {
    /// 64 MiB and the last 192 MiB (reference: a flood of 10.7 GB kept 256 MiB on disk).
    pub(super) const USUAL: Self = Self { head: 64 << 20, segment: 16 << 20, segments: 12 };
}

/// Counters of both streams, shared with the supervisor.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Bytes written by the command: stdout, stderr.
    pub(super) written: [AtomicU64; 2],
    /// Bytes of them that were not kept.
    pub(super) dropped: [AtomicU64; 2],
    /// Bytes on disk of both streams.
    kept: AtomicU64,
    /// Bytes that both may keep on disk.
    pub(super) allowance: AtomicU64,
}

impl Counters {
    pub(super) fn new(allowance: u64) -> Arc<Self> {
        Arc::new(Self { allowance: AtomicU64::new(allowance), ..Self::default() })
    }

    /// Bytes that one stream's command wrote, and how many of them are not kept.
    pub(super) fn of(&self, stream: Stream) -> (u64, u64) {
        let read = |counters: &[AtomicU64; 2]| counters.get(stream as usize).map_or(0, |c| c.load(Ordering::Relaxed));
        (read(&self.written), read(&self.dropped))
    }

    /// Bytes written to both streams.
    pub(super) fn total(&self) -> u64 {
        self.written.iter().map(|w| w.load(Ordering::Relaxed)).sum()
    }
}

/// One stream on its way to disk.
pub(super) struct Capture {
    dir: PathBuf,
    stream: Stream,
    caps: Caps,
    counters: Arc<Counters>,
    file: Option<File>,
    /// Bytes in the open file, and whether it is the head.
    in_file: u64,
    in_head: bool,
    segments: Vec<(PathBuf, u64)>,
    /// Bytes to let go before the disk is tried again.
    skip: u64,
    /// The end of the stream, kept or not: evidence that a full disk cannot take away.
    last: Vec<u8>,
}

impl Capture {
    /// Creates the log.
    pub(super) fn create(dir: &Path, stream: Stream, caps: Caps, counters: Arc<Counters>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(head_path(dir, stream))?;
        Ok(Self {
            dir: dir.to_owned(),
            stream,
            caps,
            counters,
            file: Some(file),
            in_file: 0,
            in_head: true,
            segments: Vec::new(),
            skip: 0,
            last: Vec::new(),
        })
    }

    /// Drains a pipe until its last writer is gone; returns the last 64 KiB. Keys are covered before anything is kept.
    ///
    /// `quiet` says whether nothing came for a moment: then what might have been the beginning of a key is kept as it is.
    pub(super) fn drain<P: Read>(mut self, mut pipe: P, redactor: &Redactor, mut quiet: impl FnMut(&P) -> bool) -> Vec<u8> {
        let mut keys = redact::Stream::new(redactor);
        let mut buffer = vec![0; 64 << 10];
        loop {
            if keys.waits() && quiet(&pipe) {
                self.keep_on(keys.flush());
            }
            match pipe.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.keep_on(keys.flush());
                    return self.last;
                }
                Ok(n) => self.keep_on(keys.push(buffer.get(..n).unwrap_or_default())),
            }
        }
    }

    fn keep_on(&mut self, bytes: &[u8]) {
        self.remember(bytes);
        self.take(bytes);
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.last.extend_from_slice(bytes);
        if self.last.len() > 2 * LAST {
            self.last.drain(..self.last.len() - LAST);
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let kept = self.counters.kept.load(Ordering::Relaxed);
            let allowed = self.counters.allowance.load(Ordering::Relaxed).saturating_sub(kept);
            let n = if self.skip > 0 || allowed == 0 { 0 } else { self.room().min(allowed).min(bytes.len() as u64) };
            let (now, later) = bytes.split_at(usize::try_from(n).unwrap_or(0));
            if now.is_empty() {
                self.drop_bytes(later.len() as u64);
                return;
            }
            self.keep(now);
            bytes = later;
        }
    }

    /// Room in the open file; a full or closed one is replaced by the next segment.
    fn room(&mut self) -> u64 {
        let cap = if self.in_head { self.caps.head } else { self.caps.segment };
        if self.file.is_some() && self.in_file < cap {
            return cap - self.in_file;
        }
        if !self.in_head
            && let Some(last) = self.segments.last_mut()
        {
            last.1 = self.in_file;
        }
        while self.segments.len() >= self.caps.segments.max(1) {
            let (path, len) = self.segments.remove(0);
            if fs::remove_file(path).is_ok() {
                self.counters.kept.fetch_sub(len, Ordering::Relaxed);
                self.count(&self.counters.dropped, len);
            }
        }
        let path = segment_path(&self.dir, self.stream, self.written());
        self.file = File::create(&path).ok();
        self.segments.push((path, 0));
        (self.in_file, self.in_head) = (0, false);
        self.caps.segment
    }

    fn keep(&mut self, bytes: &[u8]) {
        let len = bytes.len() as u64;
        if self.file.as_mut().is_some_and(|f| f.write_all(bytes).is_ok()) {
            self.counters.kept.fetch_add(len, Ordering::Relaxed);
            self.in_file += len;
            self.count(&self.counters.written, len);
        } else {
            if let Some(file) = &self.file {
                let _ = file.set_len(self.in_file);
            }
            self.skip = RETRY_AFTER;
            self.drop_bytes(len);
        }
    }

    /// Counts bytes that are not kept. The next byte kept starts a file of its own, so that names go on telling offsets.
    fn drop_bytes(&mut self, len: u64) {
        self.file = None;
        self.skip = self.skip.saturating_sub(len);
        self.count(&self.counters.dropped, len);
        self.count(&self.counters.written, len);
    }

    fn written(&self) -> u64 {
        self.counters.written.get(self.stream as usize).map_or(0, |w| w.load(Ordering::Relaxed))
    }

    fn count(&self, counters: &[AtomicU64; 2], len: u64) {
        if let Some(counter) = counters.get(self.stream as usize) {
            counter.fetch_add(len, Ordering::Relaxed);
        }
    }
}

/// Where the beginning of a log lies.
pub fn head_path(dir: &Path, stream: Stream) -> PathBuf {
    dir.join(format!("{}.log", stream.word()))
}

fn segment_path(dir: &Path, stream: Stream, offset: u64) -> PathBuf {
    dir.join(format!("{}.log.{offset:015}", stream.word()))
}

/// A file of a log: offset of its first byte, length, path.
pub type Piece = (u64, u64, PathBuf);

/// The files of one stream in order, `name` as in their names; none while there is no log.
pub fn pieces(dir: &Path, name: &str) -> io::Result<Vec<Piece>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let (head, prefix) = (format!("{name}.log"), format!("{name}.log."));
    let mut found: Vec<Piece> = Vec::new();
    for entry in listing {
        let entry = entry?;
        let name = entry.file_name();
        let start = match name.to_str() {
            Some(name) if name == head => Some(0),
            Some(name) => name.strip_prefix(&prefix).and_then(|n| n.parse::<u64>().ok()),
            None => None,
        };
        if let (Some(start), Ok(meta)) = (start, entry.metadata())
            && meta.is_file()
        {
            found.push((start, meta.len(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Reads at most `len` bytes of a log's pieces from `from` on, and returns where they begin: what is not kept is skipped, and
/// what comes after a gap is another part.
pub fn read_pieces(pieces: &[Piece], from: u64, len: u64) -> io::Result<(u64, Vec<u8>)> {
    let (mut start, mut bytes) = (from, Vec::new());
    for (first, length, path) in pieces {
        let next = start + bytes.len() as u64;
        if first + length <= next || bytes.len() as u64 >= len {
            continue;
        }
        if *first > next {
            if !bytes.is_empty() {
                break;
            }
            start = *first;
        }
        let at = (start + bytes.len() as u64).saturating_sub(*first);
        let mut file = match open_piece(path) {
            Ok(file) => file,
            // Rolled away since it was listed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        file.seek(SeekFrom::Start(at))?;
        file.take((len - bytes.len() as u64).min(length - at)).read_to_end(&mut bytes)?;
    }
    Ok((start, bytes))
}

/// A log is ours; a name that leads elsewhere, or to a pipe, was put there by somebody else.
fn open_piece(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Returns at most `max` bytes from `offset`, counted in bytes that the command wrote; skips what is not kept.
pub fn read(dir: &Path, stream: Stream, offset: u64, max: usize) -> Result<LogPart, RunError> {
    let failed = |e| RunError::io("read", &head_path(dir, stream), e);
    let pieces = pieces(dir, stream.word()).map_err(failed)?;
    let end = pieces.last().map_or(0, |(start, len, _)| start + len);
    let (offset, bytes) = read_pieces(&pieces, offset.min(end), max as u64).map_err(failed)?;
    Ok(LogPart { offset, bytes, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Caps = Caps { head: 10, segment: 4, segments: 2 };

    fn capture(text: &[u8], caps: Caps, allowance: u64) -> (tempfile::TempDir, Arc<Counters>) {
        let dir = tempfile::tempdir().unwrap();
        let counters = Counters::new(allowance);
        Capture::create(dir.path(), Stream::Stdout, caps, counters.clone()).unwrap().drain(text, &Redactor::new([]), |_| false);
        (dir, counters)
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let text: Vec<u8> = (b'a'..=b'z').collect();
        let (dir, counters) = capture(&text, SMALL, 1000);
        assert_eq!(counters.written[0].load(Ordering::Relaxed), 26);
        for (offset, max, want) in [
            (0, 100, (0, "abcdefghij")),
            (3, 4, (3, "defg")),
            (8, 3, (8, "ij")),
            (10, 100, (18, "stuvwxyz")),
            (20, 3, (20, "uvw")),
            (26, 5, (26, "")),
            (900, 5, (26, "")),
        ] {
            let part = read(dir.path(), Stream::Stdout, offset, max).unwrap();
            assert_eq!((part.offset, String::from_utf8(part.bytes).unwrap().as_str()), want, "from {offset}, {max} bytes");
            assert_eq!(part.end, 26);
        }
        assert_eq!(counters.dropped[0].load(Ordering::Relaxed), 8);
    }

    #[test]
    fn keys_are_covered_before_they_are_kept() {
        let key = "sk-proj-0123456789abcdefghij";
        let text = format!("{}{key}\nlast words: {key}", "x\n".repeat(40_000));
        let (dir, counters) = capture(text.as_bytes(), Caps::USUAL, u64::MAX);
        let log = fs::read_to_string(dir.path().join("stdout.log")).unwrap();
        assert_eq!(log, text.replace(key, "[redacted]******************"));
        assert_eq!(counters.written[0].load(Ordering::Relaxed), text.len() as u64, "places in the log stay true");
    }

    #[test]
    fn nothing_is_kept_beyond_the_allowance() {
        let (dir, counters) = capture(&[b'x'; 100], Caps::USUAL, 40);
        assert_eq!(counters.written[0].load(Ordering::Relaxed), 100);
        assert_eq!(counters.dropped[0].load(Ordering::Relaxed), 60);
        let on_disk: u64 = pieces(dir.path(), "stdout").unwrap().iter().map(|p| p.1).sum();
        assert_eq!(on_disk, 40);
    }

    #[test]
    fn a_log_that_is_not_there_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path(), Stream::Stderr, 5, 5).unwrap(), LogPart { offset: 0, bytes: Vec::new(), end: 0 });
    }
}
