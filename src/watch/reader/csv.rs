//! CSV and TSV with a header. Fields may be quoted; a quoted field does not span lines.
//!
//! The delimiter is the one of `,`, tab, `;` and `|` that the header uses most. A later row of words only is a new header: some
//! trainers write one each time they start again. A table without a header gives `column_1`, `column_2` and so on. A first column without
//! a name is an index, as pandas writes it: not read.

use super::{Losses, Reader, Reading, StepFields, lines::Ends, lines::Lines, number, step_rank};
use std::{borrow::Cow, sync::Arc};

/// Reads a table.
pub struct Csv {
    lines: Lines,
    table: Table,
}

#[derive(Default)]
struct Table {
    columns: Vec<Column>,
    delimiter: u8,
    steps: StepFields,
    rubbish: u64,
}

struct Column {
    name: Arc<str>,
    rank: Option<usize>,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Returns a reader at the start of a file.
    pub fn new() -> Self {
        Self { lines: Lines::new(Ends::Newline), table: Table::default() }
    }
}

impl Reader for Csv {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        let Self { lines, table } = self;
        lines.feed(bytes, |line| table.row(line, out));
    }

    fn finish(&mut self, out: &mut Vec<Reading>) {
        let Self { lines, table } = self;
        lines.finish(|line| table.row(line, out));
    }

    fn losses(&self) -> Losses {
        Losses { rubbish: self.table.rubbish, too_long: self.lines.too_long }
    }
}

impl Table {
    fn row(&mut self, line: &[u8], out: &mut Vec<Reading>) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_end();
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        if self.columns.is_empty() {
            self.delimiter = delimiter(line);
        }
        let fields = split(line, self.delimiter);
        let numbers = fields.iter().filter(|f| value(f).is_some()).count();
        let named = |f: &Cow<'_, [u8]>| !matches!(f.trim_ascii(), b"" | b"NA" | b"N/A" | b"None" | b"null" | b"-");
        let indexed = fields.len() > 1 && fields.first().is_some_and(|f| f.trim_ascii().is_empty());
        if numbers == 0 && fields.iter().skip(usize::from(indexed)).all(named) && fields.len() >= self.columns.len().min(2) {
            self.columns = fields.iter().map(|f| Column::new(String::from_utf8_lossy(f.trim_ascii()).into_owned())).collect();
            return;
        }
        if numbers == 0 {
            self.rubbish += 1;
            return;
        }
        if self.columns.is_empty() {
            self.columns = (1..=fields.len()).map(|n| Column::new(format!("column_{n}"))).collect();
        }
        let start = out.len();
        for (column, field) in self.columns.iter().zip(&fields) {
            let Some(value) = value(field) else { continue };
            match column.rank {
                Some(rank) => self.steps.hold(rank, &column.name, value),
                None if column.name.is_empty() => {}
                None => out.push(Reading { key: Arc::clone(&column.name), step: None, value }),
            }
        }
        self.steps.settle(start, out);
    }
}

impl Column {
    fn new(name: String) -> Self {
        Self { rank: step_rank(&name), name: name.into() }
    }
}

fn value(field: &[u8]) -> Option<f64> {
    let field = field.trim_ascii();
    number::whole(field).or_else(|| number::non_finite(field))
}

fn delimiter(header: &[u8]) -> u8 {
    let count = |delimiter: u8| split(header, delimiter).len();
    // `max_by_key` takes the last of equals, so the most usual one comes last.
    [b'|', b';', b'\t', b','].into_iter().max_by_key(|d| count(*d)).unwrap_or(b',')
}

/// Splits a row at the delimiters outside quotes; `""` within quotes is one quote.
fn split(line: &[u8], delimiter: u8) -> Vec<Cow<'_, [u8]>> {
    let mut fields = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, &byte) in line.iter().enumerate() {
        if byte == b'"' {
            quoted = !quoted;
        } else if byte == delimiter && !quoted {
            fields.push(unquote(line.get(start..at).unwrap_or_default()));
            start = at + 1;
        }
    }
    fields.push(unquote(line.get(start..).unwrap_or_default()));
    fields
}

fn unquote(field: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = field.trim_ascii().strip_prefix(b"\"") else { return Cow::Borrowed(field) };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    if !inner.contains(&b'"') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().peekable();
    while let Some(&byte) = bytes.next() {
        plain.push(byte);
        if byte == b'"' {
            bytes.next_if_eq(&&b'"');
        }
    }
    Cow::Owned(plain)
}
