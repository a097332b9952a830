//! Progress bars: tqdm (`12%|█▏ | 12/100 [00:03<00:20, 3.9it/s, loss=0.43]`), Keras (`12/100 [==>…] - loss: 0.43`) and rich, as
//! Lightning draws with it (`Epoch 3/9 ━━━╸━━ 25/100 0:00:02 • 0:00:18 46.2it/s loss: 0.43`).
//!
//! Tells where a line's statements are, and how far the bar is; the share, the times and the rates are no metrics.

use super::super::number;
use std::ops::Range;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Bar {
    /// What stands before it: its description.
    pub(in super::super) before: Range<usize>,
    /// What stands behind it: its statements.
    pub(in super::super) after: Range<usize>,
    pub(in super::super) done: f64,
    pub(in super::super) total: Option<f64>,
    /// tqdm's, rather than Keras's.
    pub(in super::super) bracketed: bool,
}

fn find(line: &[u8], what: &[u8]) -> Option<usize> {
    line.windows(what.len()).position(|w| w == what)
}

/// Returns the bar that a line draws.
pub(super) fn of(line: &[u8]) -> Option<Bar> {
    tqdm(line).or_else(|| open_ended(line)).or_else(|| keras(line)).or_else(|| rich(line))
}

fn tqdm(line: &[u8]) -> Option<Bar> {
    let share = find(line, b"%|")?;
    let drawn = line.get(share + 2..)?;
    let counts = share + 2 + drawn.iter().position(|b| *b == b'|')? + 1;
    let rest = line.get(counts..)?;
    let open = find(rest, b" [")?;
    let (done, total) = rest.get(..open)?.trim_ascii().split_at_checked(find(rest.get(..open)?.trim_ascii(), b"/")?)?;
    let digits = line.get(..share)?.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    Some(Bar {
        before: 0..described(line, share - digits),
        after: statements(line, counts + open + 2),
        done: scaled(done)?,
        total: scaled(total.get(1..)?).filter(|t| *t > 0.0),
        bracketed: true,
    })
}

/// `12it [00:03, 3.9it/s, loss=0.43]`: no total is known.
fn open_ended(line: &[u8]) -> Option<Bar> {
    let unit = find(line, b"it [")?;
    let digits = line.get(..unit)?.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let done = number::whole(line.get(unit - digits..unit)?)?;
    let timed = line.get(unit + 4..)?.first().is_some_and(u8::is_ascii_digit);
    timed.then(|| Bar { before: 0..described(line, unit - digits), after: statements(line, unit + 4), done, total: None, bracketed: true })
}

/// Where the description ends, without the colon that closes it.
fn described(line: &[u8], end: usize) -> usize {
    line.get(..end).and_then(|d| d.iter().rposition(|b| !matches!(b, b' ' | b':'))).map_or(0, |at| at + 1)
}

/// Behind the time and the rate.
fn statements(line: &[u8], open: usize) -> Range<usize> {
    let inside = line.get(open..).unwrap_or_default();
    let end = inside.iter().rposition(|b| *b == b']').unwrap_or(inside.len());
    let start = inside.iter().position(|b| *b == b',').map_or(end, |at| at + 1);
    open + start.min(end)..open + end
}

fn keras(line: &[u8]) -> Option<Bar> {
    let start = line.iter().position(|b| *b != b' ')?;
    let counts = line.get(start..)?.split(|b| *b == b' ').next()?;
    let (done, total) = counts.split_at_checked(find(counts, b"/")?)?;
    let after = start + counts.len();
    let drawn = line.get(after..)?.trim_ascii_start();
    if !(drawn.starts_with(b"[=") || drawn.starts_with(b"[>") || drawn.starts_with(b"[.") || drawn.starts_with("━".as_bytes())) {
        return None;
    }
    Some(Bar {
        before: 0..start,
        after: after..line.len(),
        done: number::whole(done)?,
        total: number::whole(total.get(1..)?),
        bracketed: false,
    })
}

fn rich(line: &[u8]) -> Option<Bar> {
    let heavy = "━".as_bytes();
    let start = find(line, heavy)?;
    let length = line.get(start..)?.iter().take_while(|b| !b.is_ascii()).count();
    let counts = line.get(start + length..)?.trim_ascii_start();
    let counts = counts.get(..counts.iter().position(|b| *b == b' ').unwrap_or(counts.len()))?;
    let (done, total) = counts.split_at_checked(find(counts, b"/")?)?;
    let after = start + length + find(line.get(start + length..)?, counts)? + counts.len();
    Some(Bar {
        before: 0..described(line, start),
        after: after..line.len(),
        done: number::whole(done)?,
        total: number::whole(total.get(1..)?).filter(|t| *t > 0.0),
        bracketed: false,
    })
}

/// `1.2k`, `3M`: tqdm's own short form.
fn scaled(text: &[u8]) -> Option<f64> {
    let (digits, factor) = match text.split_last()? {
        (b'k', rest) => (rest, 1e3),
        (b'M', rest) => (rest, 1e6),
        (b'G', rest) => (rest, 1e9),
        _ => (text, 1.0),
    };
    number::whole(digits).map(|value| value * factor)
}
