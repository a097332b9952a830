//! JSON lines: one object a line, its numeric fields are the readings.
//!
//! Fast because keys repeat from line to line: a known key costs one comparison and no allocation.

use super::{Losses, Reader, Reading, StepFields, lines::Ends, lines::Lines, scan, step_rank};
use std::{collections::HashMap, sync::Arc};

/// Keys that are remembered; a file with more still reads, only slower.
const MAX_KNOWN: usize = 4096;

/// Reads one object a line.
#[derive(Default)]
pub struct JsonLines {
    lines: Option<Lines>,
    objects: Objects,
    rubbish: u64,
}

impl JsonLines {
    /// Returns a reader at the start of a file.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Reader for JsonLines {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        let Self { lines, objects, rubbish } = self;
        lines.get_or_insert_with(|| Lines::new(Ends::Newline)).feed(bytes, |line| take(objects, rubbish, line, out));
    }

    fn finish(&mut self, out: &mut Vec<Reading>) {
        let Self { lines, objects, rubbish } = self;
        if let Some(lines) = lines {
            lines.finish(|line| take(objects, rubbish, line, out));
        }
    }

    fn losses(&self) -> Losses {
        Losses { rubbish: self.rubbish, too_long: self.lines.as_ref().map_or(0, |l| l.too_long) }
    }
}

fn take(objects: &mut Objects, rubbish: &mut u64, line: &[u8], out: &mut Vec<Reading>) {
    if !objects.read(line, out) && !line.trim_ascii().is_empty() {
        *rubbish += 1;
    }
}

/// Reads objects and remembers their keys.
#[derive(Default)]
pub(super) struct Objects {
    known: Vec<Known>,
    places: HashMap<Box<[u8]>, usize>,
    steps: StepFields,
}

struct Known {
    raw: Box<[u8]>,
    name: Arc<str>,
    rank: Option<usize>,
}

impl Objects {
    /// Appends the numbers of the object that fills `line`; false, and nothing appended, if it is no object.
    pub(super) fn read(&mut self, line: &[u8], out: &mut Vec<Reading>) -> bool {
        let start = out.len();
        let Self { known, places, steps } = self;
        // Lines of one file name their fields in the same order: the next key is most likely the one after the last.
        let mut expected = 0;
        let whole = scan::object(line, &mut |raw, value| {
            if raw.is_empty() {
                return;
            }
            let place = match known.get(expected) {
                Some(next) if *next.raw == *raw => Some(expected),
                _ => places.get(raw).copied(),
            };
            let place = place.or_else(|| learn(known, places, raw));
            let fresh;
            let field = match place.and_then(|place| known.get(place)) {
                Some(field) => field,
                None => {
                    fresh = Known::new(raw);
                    &fresh
                }
            };
            expected = place.map_or(expected, |place| place + 1);
            match field.rank {
                Some(rank) => steps.hold(rank, &field.name, value),
                None => out.push(Reading { key: Arc::clone(&field.name), step: None, value }),
            }
        });
        if whole.is_none() {
            out.truncate(start);
            steps.held.clear();
            return false;
        }
        steps.settle(start, out);
        true
    }
}

/// Whether `text` holds objects on at least two lines of their own: JSON lines, whatever the file is called.
pub(super) fn is_lines(text: &[u8]) -> bool {
    let object = |line: &[u8]| scan::object(line, &mut |_, _| {}).is_some();
    let mut lines = text.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.next().is_some_and(object) && lines.next().is_some_and(|line| line.trim_ascii_start().starts_with(b"{"))
}

fn learn(known: &mut Vec<Known>, places: &mut HashMap<Box<[u8]>, usize>, raw: &[u8]) -> Option<usize> {
    if known.len() >= MAX_KNOWN {
        return None;
    }
    let place = known.len();
    known.push(Known::new(raw));
    places.insert(raw.into(), place);
    Some(place)
}

impl Known {
    fn new(raw: &[u8]) -> Self {
        let name: Arc<str> = String::from_utf8_lossy(raw).into();
        Self { raw: raw.into(), rank: step_rank(&name), name }
    }
}
