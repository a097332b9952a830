//! Metric readers: bytes in, readings out. Incremental, and pure over the bytes.
//!
//! A reader takes a file in pieces of any size and gives the same readings whatever the pieces (a property test holds it).
//! It never fails: what it cannot read is counted. It knows no file, clock or thread.

mod csv;
mod json_lines;
mod lines;
mod number;
mod scan;
mod text;

#[cfg(test)]
mod tests;

pub use csv::Csv;
pub use json_lines::JsonLines;
pub use lines::MAX_LINE_BYTES;
pub use text::{PatternError, Patterns, Text};

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
}

/// The formats, told apart by the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// A header, then rows.
    Csv,
    /// Log text: patterns, and JSON objects that fill a line.
    Text,
}

impl Format {
    /// Returns the format that a file name stands for; anything unknown is read as log text.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" | "json" => Self::JsonLines,
            "csv" | "tsv" => Self::Csv,
            _ => Self::Text,
        }
    }

    /// Returns a fresh reader.
    pub fn reader(self, patterns: &Arc<Patterns>) -> Box<dyn Reader> {
        match self {
            Self::JsonLines => Box::new(JsonLines::new()),
            Self::Csv => Box::new(Csv::new()),
            Self::Text => Box::new(Text::new(Arc::clone(patterns))),
        }
    }
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
