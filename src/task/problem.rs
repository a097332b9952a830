//! What is wrong with a task file: every problem with its place, a caret and how to mend it.

use crate::model::Safe;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::{fmt, ops::Range};

/// More than this many are counted, not drawn: such a file is not a task file.
const DRAWN: usize = 30;

/// One problem of a task file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong, in one line.
    pub message: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How to mend it; may have several lines.
    pub hint: Option<String>,
    /// Bytes of the text under the caret.
    pub span: Range<usize>,
}

impl Problem {
    /// Control sequences of the text do not reach the message.
    pub(super) fn at(text: &str, span: Range<usize>, message: &str, hint: Option<String>) -> Self {
        let (line, column) = place(text, span.start);
        let hint = hint.map(|h| Safe::lines(&h).iter().map(Safe::as_str).collect::<Vec<_>>().join("\n"));
        Self { message: Safe::line(message).into_string(), line, column, hint, span }
    }
}

/// All problems of one task file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// At least one.
    pub list: Vec<Problem>,
    file: String,
    text: String,
}

impl Problems {
    pub(crate) fn new(file: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|p| (p.span.start, p.span.end));
        list.dedup();
        Self { list, file: Safe::line(file).into_string(), text: text.to_owned() }
    }

    /// The file, as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Draws every problem: place, line, caret, mend. Without `colour` there is no escape sequence in it.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for problem in self.list.iter().take(DRAWN) {
            let annotation = AnnotationKind::Primary.span(drawable(&self.text, &problem.span));
            let snippet = Snippet::source(self.text.as_str()).path(self.file.as_str()).annotation(annotation);
            let mut group: Group<'_> = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
            if let Some(hint) = &problem.hint {
                group = group.element(Level::HELP.message(hint.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        match self.list.len() {
            1 => out.push_str("1 problem"),
            n => out.push_str(&format!("{n} problems")),
        }
        out.push_str(&format!(" in {}", self.file));
        if self.list.len() > DRAWN {
            out.push_str(&format!("; the first {DRAWN} are shown"));
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// Returns line and column, both from 1, of a byte of the text.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..floor(text, at)).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Cuts a span to whole characters of its first line, so that a caret can stand under it.
fn drawable(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let first_line = text.get(start..end).unwrap_or_default().split(['\n', '\r']).next().unwrap_or_default();
    start..start + first_line.len()
}
