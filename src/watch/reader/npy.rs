//! NumPy's `.npy`: a scalar or a short list of numbers is a result, a list that is named like a curve (`val_losses`) is one, anything
//! larger is data and only remarked.
//!
//! Format: NEP 1 and `numpy.lib.format`, versions 1 to 3. Object arrays hold pickles, which are programs: refused.

use super::{
    Losses, Reader, Reading,
    scalar::{self, Kind},
};
use std::{fmt::Write, sync::Arc};

/// First bytes of every such file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read.
const MAX_HEADER: usize = 64 << 10;
/// Longest list that is taken for results.
const MAX_RESULTS: usize = 32;
/// Longest list that is taken for a curve.
const MAX_CURVE: usize = 1 << 16;
/// Parts of the names of curves.
const CURVES: [&str; 14] =
    ["acc", "accs", "accuracies", "accuracy", "bpb", "curve", "history", "loss", "losses", "lr", "lrs", "ppl", "returns", "rewards"];

/// Reads one array; its name is the file's.
pub struct Npy {
    name: String,
    curve: bool,
    pending: Vec<u8>,
    state: State,
}

enum State {
    Head,
    Values(Layout),
    Done,
    /// Not for reading, and why.
    Closed {
        remark: String,
        rubbish: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    kind: Kind,
    width: usize,
    big: bool,
    /// None for a scalar.
    length: Option<usize>,
}

impl Npy {
    /// Returns a reader; `name` is the file's name without `.npy`.
    pub fn new(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let curve = lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| CURVES.contains(&part));
        Self { name: name.to_owned(), curve, pending: Vec::new(), state: State::Head }
    }

    fn values(&self, layout: Layout, out: &mut Vec<Reading>) {
        let each = self.pending.chunks_exact(layout.width).take(layout.length.unwrap_or(1));
        if self.curve && layout.length.is_some() {
            let key: Arc<str> = self.name.as_str().into();
            out.extend(each.enumerate().filter_map(|(at, bytes)| {
                Some(Reading { key: Arc::clone(&key), step: Some(at as f64), value: scalar::read(layout.kind, bytes, layout.big)? })
            }));
            return;
        }
        for (at, bytes) in each.enumerate() {
            let key: Arc<str> = if layout.length.is_some() { format!("{}[{at}]", self.name) } else { self.name.clone() }.into();
            out.extend(scalar::read(layout.kind, bytes, layout.big).map(|value| Reading { key, step: None, value }));
        }
    }
}

impl Reader for Npy {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        if matches!(self.state, State::Done | State::Closed { .. }) {
            return;
        }
        self.pending.extend_from_slice(bytes);
        if matches!(self.state, State::Head)
            && let Some((taken, state)) = head(&self.pending, if self.curve { MAX_CURVE } else { MAX_RESULTS })
        {
            self.pending.drain(..taken);
            self.state = state;
        }
        if let State::Values(layout) = self.state
            && self.pending.len() >= layout.width * layout.length.unwrap_or(1)
        {
            self.values(layout, out);
            self.state = State::Done;
        }
        if matches!(self.state, State::Done | State::Closed { .. }) {
            self.pending = Vec::new();
        }
    }

    fn finish(&mut self, _out: &mut Vec<Reading>) {
        let torn = matches!(self.state, State::Values(_)) || (matches!(self.state, State::Head) && !self.pending.is_empty());
        if torn {
            self.state = State::Closed { remark: "the array is not complete".into(), rubbish: true };
        }
    }

    fn losses(&self) -> Losses {
        Losses { rubbish: u64::from(matches!(self.state, State::Closed { rubbish: true, .. })), too_long: 0 }
    }

    fn remark(&self) -> Option<String> {
        match &self.state {
            State::Closed { remark, .. } => Some(remark.clone()),
            State::Head | State::Values(_) | State::Done => None,
        }
    }
}

/// Reads the header; none while it is not all there. With it the number of bytes that it takes.
fn head(bytes: &[u8], longest: usize) -> Option<(usize, State)> {
    let closed = |remark: &str, rubbish| Some((0, State::Closed { remark: remark.to_owned(), rubbish }));
    if bytes.iter().zip(MAGIC).any(|(a, b)| a != b) {
        return closed("no NumPy array", true);
    }
    let (&major, rest) = bytes.get(MAGIC.len()..)?.split_first()?;
    let rest = rest.get(1..)?;
    let (length, start) = match major {
        1 => (usize::from(u16::from_le_bytes(*rest.first_chunk()?)), 10),
        2 | 3 => (u32::from_le_bytes(*rest.first_chunk()?) as usize, 12),
        _ => return closed("a NumPy array of an unknown version", true),
    };
    if length > MAX_HEADER {
        return closed("its header is too long", true);
    }
    let text = String::from_utf8_lossy(bytes.get(start..start + length)?).into_owned();
    let state = layout(&text, longest).unwrap_or_else(|(remark, rubbish)| State::Closed { remark, rubbish });
    Some((start + length, state))
}

/// The text behind a key of the header's dictionary.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn layout(text: &str, longest: usize) -> Result<State, (String, bool)> {
    let broken = || ("its header cannot be read".to_owned(), true);
    let shape = entry(text, "shape").and_then(|s| s.strip_prefix('(')?.split_once(')')).ok_or_else(broken)?.0;
    let sizes: Vec<usize> = shape
        .split(',')
        .map(|size| size.trim().trim_end_matches('L'))
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().map_err(|_| broken()))
        .collect::<Result<_, _>>()?;
    let mut shown = String::new();
    for (at, size) in sizes.iter().enumerate() {
        let _ = write!(shown, "{}{size}", if at > 0 { "x" } else { "" });
    }
    let descr = entry(text, "descr").ok_or_else(broken)?;
    let Some(descr) = descr.strip_prefix('\'').and_then(|d| d.split('\'').next()) else {
        return Err((format!("an array of {shown} records, not of numbers"), false));
    };
    let (order, kind) = match descr.split_at_checked(1) {
        Some((order @ ("<" | ">" | "|" | "="), kind)) => (order, kind),
        _ => ("|", descr),
    };
    let (letter, width) = kind.split_at_checked(1).ok_or_else(broken)?;
    let kind = match letter {
        "f" => Kind::Float,
        "i" => Kind::Signed,
        "u" => Kind::Unsigned,
        "b" => Kind::Bool,
        "O" => return Err(("an array of Python objects, which are programs: not read".into(), false)),
        _ => return Err((format!("an array of `{descr}`, not of numbers"), false)),
    };
    let width: usize = width.parse().map_err(|_| broken())?;
    let length = match sizes.as_slice() {
        [] => None,
        [length] if *length <= longest => Some(*length),
        _ => return Err((format!("an array of {shown} numbers: data, not metrics"), false)),
    };
    if scalar::read(kind, vec![0; width.min(9)].as_slice(), false).is_none() {
        return Err((format!("numbers of the type `{descr}` are not read"), false));
    }
    Ok(State::Values(Layout { kind, width, big: order == ">", length }))
}

#[cfg(test)]
mod tests;
