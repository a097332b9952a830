//! A tab-separated table: its header, and every line as cells. An empty cell is a missing value.

/// Most names of columns in a message, and characters of each.
const NAMES: usize = 12;
const NAME: usize = 40;

/// A table.
pub(super) struct Table<'a> {
    /// Names of the columns.
    pub columns: Vec<&'a str>,
    /// Every line below with its number in the file, from 1; blank ones left out.
    pub lines: Vec<(u32, Vec<&'a str>)>,
}

impl<'a> Table<'a> {
    /// Splits a text. None without a header.
    pub fn new(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.split('\n').enumerate().filter_map(|(n, line)| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let number = u32::try_from(n + 1).unwrap_or(u32::MAX);
            (!line.trim().is_empty()).then(|| (number, line.split('\t').collect::<Vec<_>>()))
        });
        let (_, header) = lines.next()?;
        Some(Self { columns: header.into_iter().map(str::trim).collect(), lines: lines.collect() })
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| *c == name)
    }

    /// The cell below a column; none where the column or the cell is missing, or the cell is empty.
    pub fn cell<'c>(&self, cells: &'c [&'a str], name: &str) -> Option<&'c str> {
        cells.get(self.column(name)?).map(|c| c.trim()).filter(|c| !c.is_empty())
    }

    /// What is said of a table without a column that its format has. The file may be anything, so little of it is repeated.
    pub fn lacks(&self, needed: &str) -> String {
        let names = self.names();
        let other = match names.first().map(String::as_str) {
            Some(first) if first.starts_with('{') => "; it looks like a journal of AIDE (--from aide)",
            Some("commit") => "; it looks like a table of autoresearch (--from autoresearch)",
            Some("exp_id") => "; it looks like a table of the recipes (--from recipes)",
            Some(_) | None => "",
        };
        let mut shown: Vec<String> = names.iter().take(NAMES).map(|n| n.chars().take(NAME).collect()).collect();
        if names.len() > NAMES || names.iter().any(|n| n.chars().count() > NAME) {
            shown.push("…".into());
        }
        format!("its header has no column `{needed}` (tab-separated: {}){other}", shown.join(", "))
    }

    /// The names of the columns, to be shown.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().filter(|c| !c.is_empty()).map(|c| (*c).to_owned()).collect()
    }
}

/// A finite number as tables write it; a plus sign may stand before it.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.trim().parse::<f64>().ok().filter(|v| v.is_finite())
}

/// Text of a cell: one that a spreadsheet quoted loses its quotes, and white space is single.
pub(super) fn text(cell: &str) -> String {
    let cell = cell.trim();
    let inner = cell.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
    let unquoted = inner.map_or_else(|| cell.to_owned(), |c| c.replace("\"\"", "\""));
    let mut out = String::with_capacity(unquoted.len());
    for word in unquoted.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// How often each word was met that is not known, and on which line first.
#[derive(Default)]
pub(super) struct Unknown(Vec<(String, u32, u32)>);

impl Unknown {
    /// Counts one.
    pub fn add(&mut self, word: &str, line: u32) {
        match self.0.iter_mut().find(|(known, ..)| known == word) {
            Some((_, count, _)) => *count += 1,
            None => self.0.push((word.to_owned(), 1, line)),
        }
    }

    /// One line a word; of many, the first ones.
    pub fn warnings(self, fate: &str) -> Vec<String> {
        const MOST: usize = 8;
        let more = self.0.len().saturating_sub(MOST);
        let mut out: Vec<String> = self
            .0
            .into_iter()
            .take(MOST)
            .map(|(word, count, line)| {
                let word: String = word.chars().take(40).collect();
                let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows, the first") };
                format!("the status `{word}` ({rows} on line {line}) is not known: {fate}")
            })
            .collect();
        if more > 0 {
            out.push(format!("{more} more statuses are not known"));
        }
        out
    }
}
