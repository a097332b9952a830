//! Text from outside (logs, models, file names, git messages) made fit to be drawn or printed.
//!
//! What would act on a terminal, or on the order or the presence of what is read, is shown as a mark and never executed:
//! `␛` for an escape sequence, `␇` for a bell, `<U+202E>` for what turns the direction. Pure; tested by tables and properties.

use std::{borrow::Cow, fmt, fmt::Write};
use unicode_width::UnicodeWidthChar;

/// Longest text kept, in bytes; what follows is counted.
const LONGEST: usize = 4096;
/// Most marks on one character: more are a tower over the lines above.
const MOST_COMBINING: usize = 4;
/// Stands where an escape sequence stood.
const ESCAPE: char = '␛';

/// One line of text without control sequences: nothing in it can move a cursor, set a title or reorder characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Safe(String);

/// What becomes of sequences and carriage returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// As a terminal would have shown it: whole sequences become one mark, a progress bar its last state.
    Log,
    /// As it stands in the file: nothing is left out.
    Code,
}

impl Safe {
    /// Cleans one line of a log, a message, a name.
    ///
    /// Colours are left out, other sequences leave one `␛`; of a line with carriage returns the last segment stays
    /// (progress bars); tabs become spaces.
    pub fn line(text: &str) -> Self {
        let text = text.trim_end_matches(['\r', '\n']);
        Self(cleaned(text.rsplit('\r').next().unwrap_or(text), How::Log))
    }

    /// Cleans one line of code that somebody judges: every character of it is shown, be it as a mark.
    pub fn code(text: &str) -> Self {
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self(cleaned(text.strip_suffix('\r').unwrap_or(text), How::Code))
    }

    /// Cleans a text of several lines, line by line.
    pub fn lines(text: &str) -> Vec<Self> {
        text.split('\n').map(Self::line).collect()
    }

    /// Cleans bytes; what is not UTF-8 becomes U+FFFD.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::line(&String::from_utf8_lossy(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether a terminal draws all of the text and does nothing else: the last wall before it.
pub fn drawable(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b)) || !text.chars().any(|c| c.is_control() || is_invisible(c))
}

/// The last wall before a text is printed: whatever passed another way loses its force here. Line ends, tabs and colours stay, since
/// they are our own where foreign text was cleaned before.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\n' || b == b'\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match colour(rest) {
            Some(length) => {
                out.push_str(rest.get(..length).unwrap_or_default());
                length
            }
            None => {
                match c {
                    '\n' | '\t' => out.push(c),
                    // Of a file of another system.
                    '\r' if rest.starts_with("\r\n") => {}
                    c if c.is_control() || is_invisible(c) => mark(&mut out, c),
                    c => out.push(c),
                }
                c.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// One line of JSON, with what a terminal would act on escaped as `\u….`: the same value, drawn inert.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    if drawable(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn cleaned(text: &str, how: How) -> String {
    if text.len() <= LONGEST && text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let (mut rest, mut last, mut combining) = (text, None, 0);
    while let Some(c) = rest.chars().next() {
        if out.len() >= LONGEST {
            let _ = write!(out, "… +{} bytes", rest.len());
            break;
        }
        let mut length = c.len_utf8();
        // The marks of ours are none.
        let pictograph = last.is_some_and(|l| l >= '\u{2190}' && !('\u{2400}'..='\u{243f}').contains(&l));
        match c {
            '\t' => out.push_str("    "),
            '\n' if how == How::Log => out.push(' '),
            '\u{1b}' | '\u{80}'..='\u{9f}' if how == How::Log => {
                let (taken, quiet) = sequence(rest);
                length = taken;
                if !quiet && c == '\u{1b}' && !out.ends_with(ESCAPE) {
                    out.push(ESCAPE);
                } else if !quiet && c != '\u{1b}' {
                    mark(&mut out, c);
                }
            }
            // They change how wide the picture before them is, on which terminals and libraries disagree.
            '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' if pictograph => {}
            '\u{feff}' if how == How::Log && out.is_empty() => {}
            c if c.is_control() || is_invisible(c) => mark(&mut out, c),
            c if c.width() == Some(0) => {
                combining += 1;
                if last.is_none_or(|l| l == ' ') && combining == 1 {
                    out.push('◌');
                }
                if combining <= MOST_COMBINING {
                    out.push(c);
                }
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            c => out.push(c),
        }
        // After a mark of ours nothing may join with what stood before it.
        last = Some(if c.is_control() || is_invisible(c) { ' ' } else { c });
        combining = 0;
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// Shows a character that shows nothing itself.
fn mark(out: &mut String, c: char) {
    match u32::from(c) {
        code @ 0..0x20 => out.push(char::from_u32(0x2400 + code).unwrap_or('\u{fffd}')),
        0x7f => out.push('␡'),
        code => {
            let _ = write!(out, "<U+{code:04X}>");
        }
    }
}

/// What takes no place, turns the direction, or looks like nothing: a name that differs only by these is a trap.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Bytes of the control sequence that the text begins with, and whether it says nothing worth a mark (colours, the end of a line erased).
///
/// A string (title, clipboard, device control) goes with its payload when it ends; one that does not end swallows nothing.
fn sequence(text: &str) -> (usize, bool) {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return (0, true) };
    let (kind, head) = match (first, chars.next()) {
        ('\u{1b}', Some(c)) => (c, 1 + c.len_utf8()),
        ('\u{1b}', None) => return (1, false),
        ('\u{9b}', _) => ('[', 2),
        ('\u{90}', _) => ('P', 2),
        ('\u{98}', _) => ('X', 2),
        ('\u{9d}', _) => (']', 2),
        ('\u{9e}', _) => ('^', 2),
        ('\u{9f}', _) => ('_', 2),
        (c, _) => return (c.len_utf8(), false),
    };
    let rest = text.get(head..).unwrap_or_default();
    match kind {
        '[' => {
            let body = rest.bytes().take_while(|b| (0x20..0x40).contains(b)).count();
            match rest.as_bytes().get(body) {
                Some(b'm' | b'K') => (head + body + 1, true),
                Some(0x40..0x7f) => (head + body + 1, false),
                _ => (head + body, false),
            }
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            let ends = |c: char| matches!(c, '\u{7}' | '\u{18}' | '\u{1a}' | '\u{1b}' | '\u{9c}');
            match rest.find(ends) {
                Some(at) => {
                    let tail = rest.get(at..).unwrap_or_default();
                    let end = match tail.chars().next() {
                        Some('\u{1b}') => 2 * usize::from(tail.starts_with("\u{1b}\\")),
                        Some(c) => c.len_utf8(),
                        None => 0,
                    };
                    (head + at + end, false)
                }
                None => (head, false),
            }
        }
        ' '..='/' => {
            let more = rest.bytes().take_while(|b| (0x20..0x30).contains(b)).count();
            let last = usize::from(rest.as_bytes().get(more).is_some_and(|b| (0x30..0x7f).contains(b)));
            (head + more + last, false)
        }
        '0'..='~' => (head, false),
        _ => (1, false),
    }
}

/// Bytes of the colour that the text begins with.
fn colour(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let length = body.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':')).count();
    (body.as_bytes().get(length) == Some(&b'm')).then_some(length + 3)
}

#[cfg(test)]
mod tests;
