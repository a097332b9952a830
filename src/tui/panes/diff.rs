//! A diff as rows: file and hunk heads, line numbers, changed words, one column or two. Only rows on the screen are made.

use crate::model::{Diff, DiffLine, FileStatus, Hunk, LineKind};
use crate::tui::ink::{self, Ground, Line};
use crate::tui::theme::Role;
use std::collections::BTreeSet;

/// Longest line whose words are compared.
const LONGEST_COMPARED: usize = 400;

/// One row, by place in the diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffRow {
    /// Head of a file.
    File(usize),
    /// Head of a hunk; `n` counts over all files.
    Hunk {
        /// File.
        file: usize,
        /// Hunk in the file.
        hunk: usize,
        /// Hunk in the diff.
        n: usize,
    },
    /// A line.
    Line {
        /// File.
        file: usize,
        /// Hunk in the file.
        hunk: usize,
        /// Hunk in the diff.
        n: usize,
        /// Line in the hunk.
        line: usize,
    },
    /// Two lines beside each other.
    Pair {
        /// File.
        file: usize,
        /// Hunk in the file.
        hunk: usize,
        /// Hunk in the diff.
        n: usize,
        /// The old one.
        old: Option<usize>,
        /// The new one.
        new: Option<usize>,
    },
    /// Something was left out.
    Note,
    /// Nothing.
    Blank,
}

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Columns.
    pub width: usize,
    /// The current hunk, where one is.
    pub current: Option<usize>,
    /// Whether hunks can be taken and left.
    pub choose: bool,
    /// Hunks left out.
    pub left_out: &'a BTreeSet<usize>,
    /// Columns skipped.
    pub shift: usize,
}

/// All rows.
pub fn index(diff: &Diff, side_by_side: bool) -> Vec<DiffRow> {
    let mut rows = Vec::new();
    let mut n = 0;
    for (file, f) in diff.files.iter().enumerate() {
        if file > 0 {
            rows.push(DiffRow::Blank);
        }
        rows.push(DiffRow::File(file));
        for (hunk, h) in f.hunks.iter().enumerate() {
            rows.push(DiffRow::Hunk { file, hunk, n });
            if side_by_side {
                pairs(h, |old, new| rows.push(DiffRow::Pair { file, hunk, n, old, new }));
            } else {
                rows.extend((0..h.lines.len()).map(|line| DiffRow::Line { file, hunk, n, line }));
            }
            n += 1;
        }
    }
    if diff.truncated {
        rows.push(DiffRow::Note);
    }
    rows
}

/// Hunks of all files before this one.
pub fn first_hunk_of(diff: &Diff, file: usize) -> usize {
    diff.files.iter().take(file).map(|f| f.hunks.len()).sum()
}

/// File of a hunk counted over the diff.
pub fn file_of_hunk(diff: &Diff, n: usize) -> usize {
    let mut seen = 0;
    for (file, f) in diff.files.iter().enumerate() {
        seen += f.hunks.len();
        if n < seen {
            return file;
        }
    }
    diff.files.len().saturating_sub(1)
}

fn pairs(hunk: &Hunk, mut row: impl FnMut(Option<usize>, Option<usize>)) {
    let (mut removed, mut added): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let flush = |removed: &mut Vec<usize>, added: &mut Vec<usize>, row: &mut dyn FnMut(Option<usize>, Option<usize>)| {
        for i in 0..removed.len().max(added.len()) {
            row(removed.get(i).copied(), added.get(i).copied());
        }
        removed.clear();
        added.clear();
    };
    for (at, line) in hunk.lines.iter().enumerate() {
        match line.kind {
            LineKind::Removed if added.is_empty() => removed.push(at),
            LineKind::Removed => {
                flush(&mut removed, &mut added, &mut row);
                removed.push(at);
            }
            LineKind::Added => added.push(at),
            LineKind::Context => {
                flush(&mut removed, &mut added, &mut row);
                row(Some(at), Some(at));
            }
        }
    }
    flush(&mut removed, &mut added, &mut row);
}

/// Columns of one line number.
fn gutter(diff: &Diff, file: usize) -> usize {
    let last = diff.files.get(file).and_then(|f| f.hunks.last()).and_then(|h| h.lines.last());
    let most = last.map_or(0, |l| l.old_no.unwrap_or(0).max(l.new_no.unwrap_or(0)));
    most.to_string().len().max(3)
}

/// One row as a line.
pub fn draw(diff: &Diff, row: DiffRow, look: &Look<'_>) -> Line {
    match row {
        DiffRow::Blank => Line::default(),
        DiffRow::Note => Line::of("… the rest of this diff is too large to be shown", Role::Warn).cut(look.width),
        DiffRow::File(file) => file_head(diff, file, look),
        DiffRow::Hunk { file, hunk, n } => {
            let Some(h) = diff.files.get(file).and_then(|f| f.hunks.get(hunk)) else { return Line::default() };
            let mut line = marker(look, n);
            if look.choose {
                let left = look.left_out.contains(&n);
                line.push(if left { "[ ] " } else { "[x] " }, if left { Role::Warn } else { Role::Ok });
            }
            line.push(ink::clean(&h.header), Role::DiffHunk);
            if look.left_out.contains(&n) {
                line.push("  left out", Role::Warn);
            }
            line.cut(look.width)
        }
        DiffRow::Line { file, hunk, n, line } => {
            let Some(h) = diff.files.get(file).and_then(|f| f.hunks.get(hunk)) else { return Line::default() };
            let Some(l) = h.lines.get(line) else { return Line::default() };
            let digits = gutter(diff, file);
            let number = |no: Option<u32>| no.map_or_else(|| " ".repeat(digits), |n| format!("{n:>digits$}"));
            let mut out = marker(look, n);
            out.push(format!("{} {} ", number(l.old_no), number(l.new_no)), Role::Dim);
            body(out, h, line, look, n, look.width)
        }
        DiffRow::Pair { file, hunk, n, old, new } => {
            let Some(h) = diff.files.get(file).and_then(|f| f.hunks.get(hunk)) else { return Line::default() };
            let digits = gutter(diff, file);
            let room = look.width.saturating_sub(2);
            let (left, right) = (room / 2, room - room / 2);
            let half = |at: Option<usize>, old: bool, columns: usize| -> Line {
                let Some((at, l)) = at.and_then(|a| h.lines.get(a).map(|l| (a, l))) else { return Line::default().pad(columns) };
                let no = if old { l.old_no } else { l.new_no };
                let number = no.map_or_else(|| " ".repeat(digits), |n| format!("{n:>digits$}"));
                body(Line::of(format!("{number} "), Role::Dim), h, at, look, n, columns).pad(columns)
            };
            let mut line = marker(look, n);
            line.spans.extend(half(old, true, left).spans);
            line.push("│", Role::Guide);
            line.spans.extend(half(new, false, right).spans);
            line
        }
    }
}

fn marker(look: &Look<'_>, n: usize) -> Line {
    let here = look.current == Some(n);
    Line::of(if here { "▌" } else { " " }, Role::Accent)
}

fn file_head(diff: &Diff, file: usize, look: &Look<'_>) -> Line {
    let Some(f) = diff.files.get(file) else { return Line::default() };
    let mut right = Line::default();
    let word = match f.status {
        FileStatus::Added => "new file ",
        FileStatus::Deleted => "deleted ",
        FileStatus::Renamed => "renamed ",
        FileStatus::Modified => "",
    };
    right.push(word, Role::Dim);
    if f.binary {
        right.push("not text ", Role::Dim);
    }
    right.push(format!("+{}", f.added), Role::DiffAdd);
    right.push(format!(" −{}", f.removed), Role::DiffDel);
    let room = look.width.saturating_sub(right.width() + 2);
    let name = match &f.old_path {
        Some(old) => format!("{} → {}", ink::clean(old), ink::clean(&f.path)),
        None => ink::clean(&f.path),
    };
    Line::of(ink::cut_middle(&name, room), Role::DiffMeta).with_right(right, look.width)
}

/// Sign and text of a line, with its changed words, cut to `columns` in all.
fn body(mut out: Line, hunk: &Hunk, at: usize, look: &Look<'_>, n: usize, columns: usize) -> Line {
    let Some(l) = hunk.lines.get(at) else { return out };
    let (sign, role, word_role, ground) = match l.kind {
        LineKind::Context => (" ", Role::Text, Role::Text, Ground::Plain),
        LineKind::Added => ("+", Role::DiffAdd, Role::DiffAddWord, Ground::Added),
        LineKind::Removed => ("−", Role::DiffDel, Role::DiffDelWord, Ground::Removed),
    };
    if look.left_out.contains(&n) && l.kind != LineKind::Context {
        out.push(format!("{sign} "), Role::Dim);
        out.push(ink::skip(&ink::code(&l.text), look.shift), Role::Dim);
        return out.cut(columns);
    }
    out.push(format!("{sign} "), role);
    let pieces = partner(hunk, at).and_then(|other| words(l, other));
    match pieces {
        Some(pieces) => {
            let mut skip = look.shift;
            for (text, changed) in pieces {
                let shown = ink::skip(&text, skip);
                skip = skip.saturating_sub(ink::width(&text));
                out.push(shown, if changed { word_role } else { role });
            }
        }
        None => out.push(ink::skip(&ink::code(&l.text), look.shift), if l.kind == LineKind::Context { Role::Dim } else { role }),
    }
    out.cut(columns).on(ground)
}

/// The line on the other side that this one probably replaced.
fn partner(hunk: &Hunk, at: usize) -> Option<&DiffLine> {
    let kind = hunk.lines.get(at)?.kind;
    let is = |i: usize, k: LineKind| hunk.lines.get(i).is_some_and(|l| l.kind == k);
    let mut start = at;
    while start > 0 && is(start - 1, kind) {
        start -= 1;
    }
    let mut end = at;
    while is(end, kind) {
        end += 1;
    }
    let nth = at - start;
    match kind {
        LineKind::Context => None,
        LineKind::Removed => hunk.lines.get(end + nth).filter(|_| (end..=end + nth).all(|i| is(i, LineKind::Added))),
        LineKind::Added => {
            let mut first = start;
            while first > 0 && is(first - 1, LineKind::Removed) {
                first -= 1;
            }
            hunk.lines.get(first + nth).filter(|_| first + nth < start)
        }
    }
}

/// The pieces of a line and whether each is changed; none when the two lines have little in common.
fn words(line: &DiffLine, other: &DiffLine) -> Option<Vec<(String, bool)>> {
    let (mine, theirs) = (ink::code(&line.text), ink::code(&other.text));
    if mine.len().max(theirs.len()) > LONGEST_COMPARED {
        return None;
    }
    let (a, b) = (tokens(&mine), tokens(&theirs));
    let diff = similar::TextDiff::from_slices(&b, &a);
    if diff.ratio() < 0.35 {
        return None;
    }
    let mut pieces: Vec<(String, bool)> = Vec::new();
    for change in diff.iter_all_changes() {
        let changed = match change.tag() {
            similar::ChangeTag::Delete => continue,
            similar::ChangeTag::Insert => true,
            similar::ChangeTag::Equal => false,
        };
        match pieces.last_mut() {
            Some((text, c)) if *c == changed => text.push_str(change.value()),
            _ => pieces.push((change.value().to_owned(), changed)),
        }
    }
    Some(pieces)
}

/// Names and numbers whole, everything else character by character: how code is read.
fn tokens(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        let word = c.is_alphanumeric() || c == '_' || c == '.';
        if at > start && !(word && in_word) {
            out.extend(text.get(start..at));
            start = at;
        }
        in_word = word;
    }
    out.extend(text.get(start..).filter(|t| !t.is_empty()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(lines: &[(LineKind, &str)]) -> Hunk {
        let line =
            |(kind, text): &(LineKind, &str)| DiffLine { kind: *kind, text: (*text).into(), old_no: None, new_no: None, no_newline: false };
        Hunk {
            header: "@@ -1 +1 @@".into(),
            old_start: 0,
            old_lines: 0,
            new_start: 0,
            new_lines: 0,
            lines: lines.iter().map(line).collect(),
        }
    }

    #[test]
    fn changed_words_are_found_and_unlike_lines_are_left_alone() {
        use LineKind::{Added, Context, Removed};
        let h = hunk(&[
            (Context, "x"),
            (Removed, "rate = 0.2"),
            (Removed, "a"),
            (Added, "rate = 0.031"),
            (Added, "zzzzzz(qq)"),
            (Added, "more"),
        ]);
        assert_eq!(partner(&h, 1).map(|l| l.text.as_str()), Some("rate = 0.031"));
        assert_eq!(partner(&h, 3).map(|l| l.text.as_str()), Some("rate = 0.2"));
        assert_eq!(partner(&h, 5), None, "an added line without a removed one");
        assert_eq!(partner(&h, 0), None);
        let pieces = words(&h.lines[3], &h.lines[1]).unwrap();
        assert_eq!(pieces, [("rate = ".to_owned(), false), ("0.031".to_owned(), true)]);
        assert_eq!(words(&h.lines[4], &h.lines[2]), None);
    }

    #[test]
    fn side_by_side_puts_what_replaced_what_on_one_row() {
        use LineKind::{Added, Context, Removed};
        let h = hunk(&[(Context, "x"), (Removed, "a"), (Removed, "b"), (Added, "c"), (Context, "y"), (Added, "d")]);
        let mut rows = Vec::new();
        pairs(&h, |old, new| rows.push((old, new)));
        assert_eq!(rows, [(Some(0), Some(0)), (Some(1), Some(3)), (Some(2), None), (Some(4), Some(4)), (None, Some(5))]);
    }
}
