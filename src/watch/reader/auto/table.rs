//! Tables drawn with bars, row by row: a header and rows of numbers, or rows of `| name | number |` in sections.

use super::{
    super::{number, step_rank},
    pairs, words,
};
use std::ops::Range;

/// What one cell gives.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Cell {
    pub(in super::super) key: String,
    pub(in super::super) value: f64,
    /// As `step_rank`.
    pub(in super::super) rank: Option<usize>,
    /// Which of the row's cells the number stands in.
    pub(in super::super) column: usize,
    /// The row is a name and a number, and here stands the name.
    pub(in super::super) name: Option<Range<usize>>,
}

/// What the rows before said.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    section: String,
    step: Option<f64>,
}

/// Most columns of a table.
const MAX_COLUMNS: usize = 64;

/// Splits a row that begins and ends with a bar, drawn or plain.
fn cells(line: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut bars = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        let drawn = byte == 0xe2 && matches!(line.get(at + 1..at + 3), Some([0x94, 0x82 | 0x83] | [0x95, 0x91]));
        let width = if byte == b'|' {
            1
        } else if drawn {
            3
        } else {
            0
        };
        if width > 0 {
            bars.push(at..at + width);
        } else if bars.is_empty() && byte != b' ' {
            return None;
        }
        at += width.max(1);
    }
    let end = bars.last()?.end;
    if bars.len() < 3 || bars.len() > MAX_COLUMNS || !line.get(end..)?.trim_ascii().is_empty() {
        return None;
    }
    Some(bars.windows(2).filter_map(|pair| Some(pair.first()?.end..pair.get(1)?.start)).collect())
}

impl Table {
    /// Reads a row; none if the line is no row of a table. The second value is the row's step.
    pub(super) fn row(&mut self, line: &[u8]) -> Option<(Vec<Cell>, Option<f64>)> {
        let Some(ranges) = cells(line) else {
            // A rule closes what was open.
            if line.len() > 2 && line.iter().all(|b| matches!(b, b'-' | b'=' | b'+' | b' ')) {
                self.section.clear();
            }
            return None;
        };
        let text = |range: &Range<usize>| line.get(range.clone()).unwrap_or_default().trim_ascii();
        let numbers: Vec<Option<f64>> = ranges.iter().map(|r| number::lenient(text(r))).collect();
        let none = Some((Vec::new(), None));
        if numbers.iter().all(Option::is_none) {
            let rule = ranges.iter().all(|r| text(r).iter().all(|b| matches!(b, b'-' | b'=' | b':' | b'+')));
            let empty = ranges.iter().filter(|r| text(r).is_empty()).count();
            if let ([name, _], 1) = (ranges.as_slice(), empty)
                && text(name).ends_with(b"/")
            {
                self.section = String::from_utf8_lossy(text(name)).into_owned();
            } else if !rule && empty == 0 {
                self.header = ranges.iter().map(|r| pairs::key(text(r))).collect();
                self.section.clear();
                self.step = None;
            }
            return none;
        }
        if let ([name, _], [None, Some(value)]) = (ranges.as_slice(), numbers.as_slice()) {
            let bare = pairs::key(text(name));
            if bare.is_empty() || words::never(&bare) {
                return none;
            }
            let cell = Cell { key: format!("{}{bare}", self.section), value: *value, rank: None, column: 1, name: Some(name.clone()) };
            return Some((vec![cell], None));
        }
        if self.header.len() != ranges.len() {
            return none;
        }
        let named = self.header.iter().zip(&numbers).enumerate().filter(|(_, (key, _))| !key.is_empty() && !words::never(key));
        let row: Vec<Cell> = named
            .filter_map(|(column, (key, value))| {
                Some(Cell { key: key.clone(), value: (*value)?, rank: step_rank(key), column, name: None })
            })
            .collect();
        let own = row.iter().filter(|c| c.rank.is_some() && c.value.is_finite()).min_by_key(|c| c.rank).map(|c| c.value);
        // The last row of a run may say `eval` where the epoch stands.
        self.step = own.or(self.step);
        Some((row, self.step))
    }
}
