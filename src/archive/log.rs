//! Parts of a run's logs, for clients. The pieces of a stream are found by `run::capture`; what lies between them was not
//! kept. The evaluator's two streams count as one, error output last.

use crate::model::redact;
use crate::protocol::{LogPart, LogStream};
use crate::run::capture::{Piece, pieces, read_pieces};
use std::io;
use std::path::Path;

/// Bytes handed out at most.
const LONGEST: u64 = 64 << 10;
/// Bytes on either side that are looked at as well.
const AROUND: u64 = 4 << 10;

/// Returns at most `len` bytes (64 KiB at most) of a log from `offset`, counted from the end when negative. What was not kept
/// is skipped; a log that is not there yet is empty. `sealed` leaves out the evaluator's standard output. Characters cut at either end are left out, so that parts join.
pub fn part(run_dir: &Path, stream: LogStream, sealed: bool, offset: i64, len: u32) -> Result<LogPart, String> {
    let failed = |e: io::Error| format!("the log in {} cannot be read: {e}", run_dir.display());
    let pieces = match stream {
        // Its script joins the two streams.
        LogStream::Stdout | LogStream::Setup => pieces(run_dir, "stdout"),
        LogStream::Stderr => pieces(run_dir, "stderr"),
        LogStream::Evaluator if sealed => pieces(&run_dir.join("evaluation"), "stderr"),
        LogStream::Evaluator => evaluator(&run_dir.join("evaluation")),
    }
    .map_err(failed)?;
    let total = pieces.last().map_or(0, |(start, length, _)| start + length);
    let wanted = if offset < 0 { total.saturating_sub(offset.unsigned_abs()) } else { offset.unsigned_abs().min(total) };
    let (start, bytes) = covered(&pieces, wanted, LONGEST.min(u64::from(len))).map_err(failed)?;
    Ok(join(start, total, &bytes))
}

/// Reads with some of what stands around it, and covers keys: one that is cut by either end is no less a key.
fn covered(pieces: &[Piece], from: u64, len: u64) -> io::Result<(u64, Vec<u8>)> {
    let (start, mut bytes) = read_pieces(pieces, from.saturating_sub(AROUND), len + 2 * AROUND)?;
    redact::ours().cover(&mut bytes);
    let before = usize::try_from(from.saturating_sub(start)).unwrap_or(usize::MAX);
    if before > 0 && before >= bytes.len() {
        // What was not kept lies between the two.
        let (start, mut bytes) = read_pieces(pieces, from, len)?;
        redact::ours().cover(&mut bytes);
        return Ok((start, bytes));
    }
    bytes.drain(..before);
    bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    Ok((start.max(from), bytes))
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
    let mut all = pieces(dir, "stdout")?;
    let end = all.last().map_or(0, |(start, length, _)| start + length);
    all.extend(pieces(dir, "stderr")?.into_iter().map(|(start, length, path)| (start + end, length, path)));
    Ok(all)
}
