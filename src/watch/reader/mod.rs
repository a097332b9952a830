//! Metric readers: bytes in, readings out. Incremental, and pure over the bytes.
//!
//! A reader takes a file in pieces of any size and gives the same readings whatever the pieces (a property test holds it). Formats that
//! are written anew each time (`Format::whole`) are read at `finish`, by a fresh reader each time.
//! It never fails: what it cannot read is counted. It knows no file, clock or thread.

mod auto;
mod checksum;
mod csv;
mod document;
mod json_lines;
mod lines;
mod npy;
mod number;
mod scalar;
mod scan;
mod suggest;
mod text;
mod tfevents;
mod wandb;
mod wire;

#[cfg(test)]
mod tests;

pub use csv::Csv;
pub use document::{Document, MAX_DOCUMENT_BYTES};
pub use json_lines::JsonLines;
pub use lines::MAX_LINE_BYTES;
pub(in crate::watch) use lines::{Ends, Lines};
pub use npy::Npy;
pub use suggest::{Candidate, suggest};
pub(in crate::watch) use text::plain;
pub use text::{PatternError, Patterns, Text};
pub use tfevents::TfEvents;
pub use wandb::Wandb;

use std::{path::Path, sync::Arc};

/// One value as the run wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Name of the metric. Untrusted text.
    pub key: Arc<str>,
    /// Step, epoch or another running number; none where the line gave none.
    pub step: Option<f64>,
    /// Its value, which may be NaN or infinite.
    pub value: f64,
}

/// What a reader could not use.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Losses {
    /// Lines that look like none of the format.
    pub rubbish: u64,
    /// Lines longer than `MAX_LINE_BYTES`, skipped.
    pub too_long: u64,
}

/// Reads one growing file.
pub trait Reader: Send {
    /// Takes the next bytes and appends what they say to `out`. A half line is kept until the rest comes.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>);
    /// The file has ended: a half line is taken as a whole one.
    fn finish(&mut self, out: &mut Vec<Reading>);
    /// What could not be used so far.
    fn losses(&self) -> Losses;
    /// Why a file of the right format gives nothing, for a person.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// The formats, told apart by the file's name and its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// One JSON document, written anew each time.
    Json,
    /// A header, then rows.
    Csv,
    /// Log text: patterns, and JSON objects that fill a line.
    Text,
    /// A TensorBoard event file.
    TfEvents,
    /// A NumPy array.
    Npy,
    /// An offline file of W&B.
    Wandb,
}

/// Why a file is read by nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Its bytes are no text, and no format that is known.
    #[error("binary, and of no format that is known")]
    Binary,
}

/// First bytes of a file that `Format::of` wants to see.
pub const HEAD_BYTES: usize = 4096;

impl Format {
    /// Returns the format of a file; `head` is its beginning, as far as it is there yet. Any unknown text is read as a log.
    ///
    /// Errors: nothing reads such a file.
    pub fn of(path: &Path, head: &[u8]) -> Result<Self, Unread> {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_ascii_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if name.contains("tfevents") {
            return Ok(Self::TfEvents);
        }
        if extension == "npy" || head.starts_with(npy::MAGIC) {
            return Ok(Self::Npy);
        }
        if extension == "wandb" {
            return Ok(Self::Wandb);
        }
        // A log may hold a stray NUL; many of them, early, are another kind of file.
        if head.iter().filter(|b| **b == 0).count() > head.len() / 32 {
            return Err(Unread::Binary);
        }
        Ok(match extension {
            "jsonl" | "ndjson" => Self::JsonLines,
            // Some write JSON lines under this name.
            "json" if json_lines::is_lines(head) => Self::JsonLines,
            "json" => Self::Json,
            "csv" | "tsv" => Self::Csv,
            _ => Self::Text,
        })
    }

    /// Whether such a file is written anew rather than appended to, so that it has to be read as a whole each time.
    pub fn whole(self) -> bool {
        match self {
            Self::Json | Self::Npy => true,
            Self::JsonLines | Self::Csv | Self::Text | Self::TfEvents | Self::Wandb => false,
        }
    }

    /// What the format is called, for a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::JsonLines => "JSON lines",
            Self::Json => "JSON",
            Self::Csv => "table",
            Self::Text => "log text",
            Self::TfEvents => "TensorBoard events",
            Self::Npy => "NumPy array",
            Self::Wandb => "W&B history",
        }
    }

    /// Returns a fresh reader for a file; `path` names what has no name of its own.
    pub fn reader(self, path: &Path, patterns: &Arc<Patterns>) -> Box<dyn Reader> {
        match self {
            Self::JsonLines => Box::new(JsonLines::new()),
            Self::Json => Box::new(Document::new()),
            Self::Csv => Box::new(Csv::new()),
            Self::Text => Box::new(Text::new(Arc::clone(patterns))),
            Self::TfEvents => Box::new(TfEvents::new()),
            Self::Wandb => Box::new(Wandb::new()),
            Self::Npy => Box::new(Npy::new(&path.file_stem().unwrap_or_default().to_string_lossy())),
        }
    }
}

/// Whether the beginning of a `.json` file says that it is JSON lines after all.
pub fn grew_to_lines(head: &[u8]) -> bool {
    json_lines::is_lines(head)
}

/// Fields that count the progress of a run, the most telling first.
const STEP_NAMES: [&str; 6] = ["step", "global_step", "iter", "iteration", "_step", "epoch"];

/// Returns the rank of a step field, 0 for the most telling, or nothing for any other field.
fn step_rank(key: &str) -> Option<usize> {
    STEP_NAMES.iter().position(|name| name.eq_ignore_ascii_case(key))
}

/// The fields of one line that count progress: the most telling becomes the step, the others stay values.
#[derive(Default)]
struct StepFields {
    held: Vec<(usize, Arc<str>, f64)>,
}

impl StepFields {
    fn hold(&mut self, rank: usize, key: &Arc<str>, value: f64) {
        self.held.push((rank, Arc::clone(key), value));
    }

    /// Ends a line: gives `fresh`, its readings, their step, and appends the fields that were not chosen.
    fn settle(&mut self, start: usize, out: &mut Vec<Reading>) {
        let chosen = self.held.iter().filter(|(_, _, v)| v.is_finite()).min_by_key(|(rank, _, _)| *rank).map(|(rank, _, v)| (*rank, *v));
        for (rank, key, value) in self.held.drain(..) {
            if chosen.is_none_or(|(best, _)| best != rank) {
                out.push(Reading { key, step: None, value });
            }
        }
        if let Some((_, step)) = chosen {
            for reading in out.iter_mut().skip(start) {
                reading.step = Some(step);
            }
        }
    }
}
