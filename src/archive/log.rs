//! Parts of a run's logs. A stream is `NAME.log`, its beginning, and rolling pieces `NAME.log.<offset>` named by the offset of
//! their first byte; what lies between was not kept. The evaluator's two streams count as one, error output last.

use crate::protocol::{LogPart, LogStream};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes handed out at most.
const LONGEST: u64 = 64 << 10;

/// A file of a log: offset of its first byte, length, path.
type Piece = (u64, u64, PathBuf);

/// Returns at most `len` bytes (64 KiB at most) of a log from `offset`, counted from the end when negative. What was not kept
/// is skipped; a log that is not there yet is empty. `sealed` leaves out the evaluator's standard output. Characters cut at either end are left out, so that parts join.
pub fn part(run_dir: &Path, stream: LogStream, sealed: bool, offset: i64, len: u32) -> Result<LogPart, String> {
    let failed = |e: io::Error| format!("the log in {} cannot be read: {e}", run_dir.display());
    let pieces = match stream {
        LogStream::Stdout => pieces(run_dir, "stdout", 0),
        LogStream::Stderr => pieces(run_dir, "stderr", 0),
        LogStream::Evaluator if sealed => pieces(&run_dir.join("evaluation"), "stderr", 0),
        LogStream::Evaluator => evaluator(&run_dir.join("evaluation")),
    }
    .map_err(failed)?;
    let total = pieces.last().map_or(0, |(start, length, _)| start + length);
    let wanted = if offset < 0 { total.saturating_sub(offset.unsigned_abs()) } else { offset.unsigned_abs().min(total) };
    let (start, bytes) = read(&pieces, wanted, LONGEST.min(u64::from(len))).map_err(failed)?;
    Ok(join(start, total, &bytes))
}

/// Leaves out the rest of a character at the beginning, and the beginning of one at the end while more may come.
fn join(start: u64, total: u64, bytes: &[u8]) -> LogPart {
    let continues = |b: &&u8| **b & 0b1100_0000 == 0b1000_0000;
    let skipped = if start == 0 { 0 } else { bytes.iter().take(3).take_while(continues).count() };
    let body = bytes.get(skipped..).unwrap_or_default();
    let tail = body.iter().rev().take(3).take_while(continues).count();
    let lead = body.len().checked_sub(tail + 1).and_then(|at| body.get(at)).copied().unwrap_or(0);
    let needed = [(0b1100_0000, 2), (0b1110_0000, 3), (0b1111_0000, 4)].into_iter().rev().find(|(mask, _)| lead & mask == *mask);
    let cut = if needed.is_some_and(|(_, needed)| tail + 1 < needed) && body.len() > 3 { tail + 1 } else { 0 };
    let body = body.get(..body.len() - cut).unwrap_or_default();
    let offset = start + skipped as u64;
    LogPart { offset, next: offset + body.len() as u64, total, text: String::from_utf8_lossy(body).into_owned() }
}

fn evaluator(dir: &Path) -> io::Result<Vec<Piece>> {
    let mut all = pieces(dir, "stdout", 0)?;
    let end = all.last().map_or(0, |(start, length, _)| start + length);
    all.extend(pieces(dir, "stderr", end)?);
    Ok(all)
}

/// The files of one stream in order, with `shift` added to their offsets.
fn pieces(dir: &Path, stream: &str, shift: u64) -> io::Result<Vec<Piece>> {
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let (head, prefix) = (format!("{stream}.log"), format!("{stream}.log."));
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
            found.push((start + shift, meta.len(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn read(pieces: &[Piece], from: u64, len: u64) -> io::Result<(u64, Vec<u8>)> {
    let (mut start, mut bytes) = (from, Vec::new());
    for (first, length, path) in pieces {
        let next = start + bytes.len() as u64;
        if first + length <= next || bytes.len() as u64 >= len {
            continue;
        }
        if *first > next {
            // What comes after a gap is another part.
            if !bytes.is_empty() {
                break;
            }
            start = *first;
        }
        let at = (start + bytes.len() as u64).saturating_sub(*first);
        let mut file = match File::open(path) {
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
