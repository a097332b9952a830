//! Automatic reading of log text, for tasks that give no pattern: what trainers commonly print, and nothing that is prose.
//!
//! Statements (`pairs`), progress bars (`bar`) and tables (`table`). Keeps two things from line to line: a table's header, and the epoch
//! that a line of its own announced (`Epoch 3/10`), which stands for the lines below that count none themselves.

mod bar;
mod pairs;
mod table;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

pub(super) use bar::Bar;
pub(super) use pairs::key;
pub(super) use words::{Class, class};

use pairs::{Line, Step};
use std::{collections::HashMap, ops::Range, sync::Arc};
use table::Table;

/// Most names that one file may give; junk must not fill the list of metrics.
const MAX_NAMES: usize = 256;

/// A metric that a line gave, and where.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) key: Arc<str>,
    pub(super) step: Option<f64>,
    pub(super) value: f64,
    pub(super) place: Place,
}

/// Where in its line a value stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Behind its name.
    Statement { name: Range<usize>, number: Range<usize> },
    /// In a column of a table.
    Column(usize),
    /// In a row of its own, behind its name.
    Row(Range<usize>),
    /// It is another count of the line: `epoch` beside `step`.
    Count { name: Range<usize>, number: Range<usize> },
}

/// The reader of one text.
#[derive(Debug, Default)]
pub(super) struct Auto {
    line: Line,
    table: Table,
    names: HashMap<Box<[u8]>, Arc<str>>,
    /// Epoch, and whether it counts from one.
    announced: Option<(f64, bool)>,
    /// What the last line gave.
    pub(super) found: Vec<Found>,
    /// The step that was chosen, if it stands in the line as a word and a number.
    pub(super) counted: Option<(Range<usize>, Range<usize>)>,
    /// The column of the last line's step, if it is a row of a table.
    pub(super) column: Option<usize>,
    /// The bar of the last line.
    pub(super) bar: Option<Bar>,
    /// The step of the last line.
    pub(super) step: Option<f64>,
}

impl Auto {
    /// Reads a line from which control sequences were removed; `found` says what it gave.
    pub(super) fn read(&mut self, text: &[u8]) {
        self.found.clear();
        (self.counted, self.column, self.bar, self.step) = (None, None, None, None);
        if let Some((cells, step)) = self.table.row(text) {
            let chosen = cells.iter().filter(|c| c.rank.is_some()).min_by_key(|c| c.rank).map(|c| c.column);
            for cell in cells {
                if chosen != Some(cell.column)
                    && let Some(key) = self.intern(cell.key.as_bytes())
                {
                    let place = cell.name.map_or(Place::Column(cell.column), Place::Row);
                    self.found.push(Found { key, step, value: cell.value, place });
                }
            }
            (self.column, self.step) = (chosen, step);
            return;
        }
        if !text.iter().any(u8::is_ascii_digit)
            && !text.windows(3).any(|w| w.eq_ignore_ascii_case(b"nan") || w.eq_ignore_ascii_case(b"inf"))
        {
            return;
        }
        self.bar = bar::of(text);
        let parts = self.bar.as_ref().map_or([0..text.len(), 0..0], |bar| [bar.before.clone(), bar.after.clone()]);
        let mut steps: Vec<Step> = Vec::new();
        let mut heading = false;
        for part in parts {
            let offset = part.start;
            if part.is_empty() {
                continue;
            }
            self.line.read(text.get(part).unwrap_or_default());
            heading |= self.line.heading;
            steps.extend(self.line.steps.drain(..).map(|mut step| {
                step.name = step.name.start + offset..step.name.end + offset;
                step.number = step.number.start + offset..step.number.end + offset;
                step
            }));
            let mut pairs = std::mem::take(&mut self.line.pairs);
            for pair in pairs.drain(..) {
                let name = pair.name.start + offset..pair.name.end + offset;
                let number = pair.number.start + offset..pair.number.end + offset;
                if let Some(key) = text.get(name.clone()).and_then(|name| self.intern(name)) {
                    self.found.push(Found { key, step: None, value: pair.value, place: Place::Statement { name, number } });
                }
            }
            self.line.pairs = pairs;
        }
        if heading && self.bar.is_none() {
            self.announced =
                steps.iter().find(|s| s.rank.is_some_and(words::is_epoch)).map(|s| (s.value, s.total.is_some())).or(self.announced);
            return;
        }
        let step = self.choose(text, &steps);
        self.step = step;
        for found in &mut self.found {
            found.step = step;
        }
    }

    /// Chooses what stands for the step, and gives the other counts as values if there is anything beside them.
    fn choose(&mut self, text: &[u8], steps: &[Step]) -> Option<f64> {
        let epoch = steps.iter().position(|s| s.rank.is_some_and(words::is_epoch));
        let bar = self.bar.as_ref().and_then(|bar| bar.total.map(|total| (bar.done, total)));
        let within = |from: usize| {
            let counted = steps.iter().skip(from).find_map(|s| s.total.filter(|total| *total > 0.0).map(|total| (s.value, total)));
            counted.or(bar).map(|(done, total)| (done / total).min(1.0))
        };
        let whole = |value: f64, from_one: bool| if from_one { (value - 1.0).max(0.0) } else { value };
        if let Some((at, step)) = epoch.and_then(|at| steps.get(at).map(|step| (at, step)))
            && let Some(share) = within(at + 1)
        {
            return Some(whole(step.value, step.total.is_some()) + share);
        }
        if let Some(chosen) = steps.iter().filter(|s| s.rank.is_some()).min_by_key(|s| s.rank) {
            self.counted = Some((chosen.name.clone(), chosen.number.clone()));
            let others = steps.iter().filter(|s| s.rank.is_some() && s.rank != chosen.rank);
            for other in others.filter(|_| !self.found.is_empty()).cloned().collect::<Vec<_>>() {
                if let Some(key) = text.get(other.name.clone()).and_then(|name| self.intern(name)) {
                    let place = Place::Count { name: other.name, number: other.number };
                    self.found.push(Found { key, step: None, value: other.value, place });
                }
            }
            return Some(chosen.value);
        }
        match (self.announced, within(0)) {
            (Some((epoch, from_one)), Some(share)) => Some(whole(epoch, from_one) + share),
            (Some((epoch, _)), None) => Some(epoch),
            (None, _) => steps.first().map(|s| s.value).or(self.bar.as_ref().map(|bar| bar.done)),
        }
    }

    fn intern(&mut self, raw: &[u8]) -> Option<Arc<str>> {
        if let Some(known) = self.names.get(raw) {
            return Some(Arc::clone(known));
        }
        if self.names.len() >= MAX_NAMES {
            return None;
        }
        let name: Arc<str> = key(raw).into();
        self.names.insert(raw.into(), Arc::clone(&name));
        Some(name)
    }

    /// Gives what the last line said, but keys that are among those from `start` on already.
    pub(super) fn give(&self, out: &mut Vec<super::Reading>, start: usize) {
        let given = out.len();
        for found in &self.found {
            let taken = out.iter().take(given).skip(start).any(|r| r.key == found.key);
            if !taken {
                out.push(super::Reading { key: Arc::clone(&found.key), step: found.step, value: found.value });
            }
        }
    }
}
