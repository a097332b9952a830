//! Splits a shell script into commands and words with their places. It expands nothing and runs nothing.
//!
//! A word is kept as segments, so that a value inside quotes or after a `=` has a place of its own. Here-documents, comments
//! and redirections are passed over; what is not understood becomes an opaque segment.

use std::ops::Range;

/// What a piece of a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Says what it is, with or without quotes.
    Plain,
    /// `$NAME` or `${NAME}`.
    Variable(String),
    /// `${NAME:-text}`; the range is the text's.
    Default(String, Range<usize>),
    /// Anything else that a shell would expand.
    Opaque,
}

/// A piece of a word, without its quotes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub range: Range<usize>,
    pub kind: Kind,
    pub quoted: bool,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Word {
    pub segments: Vec<Segment>,
    /// `name=(` … `)`: the words between.
    pub list: Option<Vec<Word>>,
}

impl Word {
    /// What the word says, where no shell would change it.
    pub(super) fn text(&self, source: &str) -> Option<String> {
        let plain = self.segments.iter().all(|s| s.kind == Kind::Plain);
        plain.then(|| self.segments.iter().filter_map(|s| source.get(s.range.clone())).collect())
    }

    /// The plain text at its beginning.
    pub(super) fn head<'s>(&self, source: &'s str) -> &'s str {
        self.segments.first().filter(|s| s.kind == Kind::Plain).and_then(|s| source.get(s.range.clone())).unwrap_or_default()
    }

    /// The one segment that stands from `offset` of the head on; none where there are several or none.
    pub(super) fn value(&self, offset: usize) -> Option<Segment> {
        let first = self.segments.first()?;
        let start = first.range.start + offset;
        match (start < first.range.end, self.segments.as_slice()) {
            (true, [only]) => Some(Segment { range: start..only.range.end, ..only.clone() }),
            (false, [_, second]) => Some(second.clone()),
            _ => None,
        }
    }
}

/// Returns the commands of a part of a script: each is its words.
pub(super) fn commands(source: &str, part: Range<usize>) -> Vec<Vec<Word>> {
    let mut scanner = Scanner { source, at: part.start, end: part.end.min(source.len()), heredocs: Vec::new() };
    let mut out = Vec::new();
    let mut command: Vec<Word> = Vec::new();
    while let Some(byte) = scanner.peek() {
        match byte {
            b' ' | b'\t' | b'\r' => scanner.at += 1,
            b'\\' if scanner.continues() => {}
            b'#' => scanner.skip_line(),
            b'\n' => {
                out.push(std::mem::take(&mut command));
                scanner.at += 1;
                scanner.skip_heredocs();
            }
            b'<' | b'>' => scanner.redirection(),
            b'&' if scanner.byte(1) == Some(b'>') => scanner.at += 1,
            b';' | b'&' | b'|' | b'(' | b')' => {
                out.push(std::mem::take(&mut command));
                scanner.at += 1;
            }
            _ => {
                let word = scanner.word();
                // `2>`: a number of a file, not a word.
                let number = word.head(source).bytes().all(|b| b.is_ascii_digit()) && matches!(scanner.peek(), Some(b'<' | b'>'));
                if !number {
                    command.push(word);
                }
            }
        }
    }
    out.push(command);
    out.retain(|c| !c.is_empty());
    out
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
    end: usize,
    heredocs: Vec<String>,
}

impl Scanner<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        let at = self.at + ahead;
        (at < self.end).then(|| self.source.as_bytes().get(at).copied()).flatten()
    }

    fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    /// Passes `\` and the end of the line.
    fn continues(&mut self) -> bool {
        let length = match (self.byte(1), self.byte(2)) {
            (Some(b'\n'), _) => 2,
            (Some(b'\r'), Some(b'\n')) => 3,
            _ => return false,
        };
        self.at += length;
        true
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    fn redirection(&mut self) {
        let here = self.peek() == Some(b'<') && self.byte(1) == Some(b'<') && self.byte(2) != Some(b'<');
        while matches!(self.peek(), Some(b'<' | b'>' | b'&' | b'-' | b'|')) {
            self.at += 1;
        }
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        if self.peek().is_some_and(|b| !matches!(b, b'\n' | b';' | b'(' | b')')) {
            let target = self.word();
            if here && let Some(text) = target.text(self.source) {
                self.heredocs.push(text);
            }
        }
    }

    fn skip_heredocs(&mut self) {
        for delimiter in std::mem::take(&mut self.heredocs) {
            while self.at < self.end {
                let start = self.at;
                self.skip_line();
                let line = self.source.get(start..self.at).unwrap_or_default().trim();
                self.at = (self.at + 1).min(self.end);
                if line == delimiter {
                    break;
                }
            }
        }
    }

    /// A word from here on; always at least one byte further.
    fn word(&mut self) -> Word {
        let mut word = Word::default();
        let begin = self.at;
        while let Some(byte) = self.peek() {
            let from = self.at;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')' | b'<' | b'>' => break,
                b'(' if word.head(self.source).ends_with('=') && word.segments.len() == 1 => {
                    word.list = Some(self.list());
                    return word;
                }
                b'(' => break,
                b'\\' if matches!((self.byte(1), self.byte(2)), (Some(b'\n'), _) | (Some(b'\r'), Some(b'\n'))) => break,
                b'\\' => {
                    self.at = (self.at + 1 + self.next_char(1)).min(self.end);
                    word.segments.push(Segment { range: from..self.at, kind: Kind::Opaque, quoted: false });
                }
                b'\'' => {
                    let close = self.source.get(from + 1..self.end).and_then(|s| s.find('\'')).map_or(self.end, |n| from + 1 + n);
                    self.at = (close + 1).min(self.end);
                    word.segments.push(Segment { range: (from + 1).min(close)..close, kind: Kind::Plain, quoted: true });
                }
                b'"' => {
                    let segment = self.double_quoted();
                    word.segments.push(segment);
                }
                b'$' | b'`' => {
                    let segment = self.expansion();
                    word.segments.push(segment);
                }
                _ => {
                    let stop = |c: char| " \t\r\n;&|()<>\\'\"$`".contains(c);
                    let rest = self.source.get(from..self.end).unwrap_or_default();
                    self.at = from + rest.find(stop).unwrap_or(rest.len());
                    let glob = self.source.get(from..self.at).is_some_and(|t| t.contains(['*', '?', '{', '~']));
                    let kind = if glob { Kind::Opaque } else { Kind::Plain };
                    word.segments.push(Segment { range: from..self.at, kind, quoted: false });
                }
            }
        }
        if self.at == begin {
            self.at += self.next_char(0).max(1);
        }
        word
    }

    /// Bytes of the character that stands `ahead` bytes from here.
    fn next_char(&self, ahead: usize) -> usize {
        self.source.get(self.at + ahead..self.end).and_then(|s| s.chars().next()).map_or(0, char::len_utf8)
    }

    /// The words of `( … )`.
    fn list(&mut self) -> Vec<Word> {
        self.at += 1;
        let mut words = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'\\' if self.continues() => {}
                b'#' => self.skip_line(),
                b')' => {
                    self.at += 1;
                    break;
                }
                _ => words.push(self.word()),
            }
        }
        words
    }

    fn double_quoted(&mut self) -> Segment {
        let start = self.at + 1;
        self.at = start;
        let mut kind = Kind::Plain;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => break,
                b'\\' => {
                    kind = Kind::Opaque;
                    self.at = (self.at + 1 + self.next_char(1)).min(self.end);
                }
                b'$' | b'`' => {
                    let alone = self.at == start && kind == Kind::Plain;
                    let inner = self.expansion();
                    kind = if alone && self.peek() == Some(b'"') { inner.kind } else { Kind::Opaque };
                }
                _ => {
                    // What follows an expansion makes the whole more than that.
                    if kind != Kind::Plain {
                        kind = Kind::Opaque;
                    }
                    self.at += self.next_char(0).max(1);
                }
            }
        }
        let range = start.min(self.end)..self.at.min(self.end);
        self.at = (self.at + 1).min(self.end);
        Segment { range, kind, quoted: true }
    }

    /// `$x`, `${…}`, `$(…)` or `` `…` ``.
    fn expansion(&mut self) -> Segment {
        let from = self.at;
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let mut kind = Kind::Opaque;
        match (self.peek(), self.byte(1)) {
            (Some(b'$'), Some(b'{')) => {
                self.at = self.closing(from + 2, b'{', b'}');
                let inner = self.source.get(from + 2..self.at.saturating_sub(1)).unwrap_or_default();
                if is_name(inner) {
                    kind = Kind::Variable(inner.to_owned());
                } else if let Some((name, default)) = inner.split_once(":-").or_else(|| inner.split_once('-'))
                    && is_name(name)
                    && !default.contains(['$', '`', '"', '\'', '\\', '{', '\n'])
                {
                    let end = self.at.saturating_sub(1);
                    kind = Kind::Default(name.to_owned(), end - default.len()..end);
                }
            }
            (Some(b'$'), Some(b'(')) => self.at = self.closing(from + 2, b'(', b')'),
            (Some(b'$'), _) => {
                let rest = self.source.get(from + 1..self.end).unwrap_or_default();
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.at = from + 1 + length;
                let name = rest.get(..length).unwrap_or_default();
                if is_name(name) {
                    kind = Kind::Variable(name.to_owned());
                }
            }
            _ => {
                let rest = self.source.get(from + 1..self.end).unwrap_or_default();
                self.at = rest.find('`').map_or(self.end, |n| from + n + 2);
            }
        }
        self.at = self.at.clamp((from + 1).min(self.end), self.end);
        Segment { range: from..self.at, kind, quoted: false }
    }

    /// Behind the bracket that closes the one before `from`; quotes inside hide theirs.
    fn closing(&self, from: usize, open: u8, close: u8) -> usize {
        let bytes = self.source.as_bytes();
        let mut depth = 1;
        let mut quote = None;
        let mut at = from;
        while at < self.end {
            let Some(byte) = bytes.get(at).copied() else { break };
            match quote {
                Some(q) if byte == q => quote = None,
                Some(_) => {}
                None if byte == b'\'' || byte == b'"' => quote = Some(byte),
                None if byte == open => depth += 1,
                None if byte == close => {
                    depth -= 1;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                None => {}
            }
            at += 1;
        }
        self.end
    }
}
