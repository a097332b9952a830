//! Text from outside (logs, models, file names, git messages) made fit to be drawn or printed.

use std::fmt;

/// Longest text kept, in bytes.
const LONGEST: usize = 4096;

/// One line of text without control sequences: nothing in it can move a cursor, set a title or reorder characters.
///
/// Escape sequences are removed with their payload; of a line with carriage returns the last segment stays (progress
/// bars); tabs become spaces; other control, bidirectional and zero-width characters are dropped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Safe(String);

impl Safe {
    /// Cleans one line.
    pub fn line(text: &str) -> Self {
        let text = text.trim_end_matches(['\r', '\n']);
        let text = text.rsplit('\r').next().unwrap_or(text);
        let mut out = String::with_capacity(text.len().min(LONGEST));
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\u{1b}' => skip_escape(&mut chars),
                '\u{9b}' => skip_csi(&mut chars),
                '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
                '\t' => out.push_str("    "),
                '\n' => out.push(' '),
                c if c.is_control() || is_invisible(c) => {}
                c => out.push(c),
            }
            if out.len() >= LONGEST {
                out.push('…');
                break;
            }
        }
        Self(out)
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

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            chars.next();
            chars.next();
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

/// A control sequence ends with a byte from `@` to `~`.
fn skip_csi(chars: &mut Chars<'_>) {
    for c in chars.by_ref() {
        if ('@'..='~').contains(&c) {
            return;
        }
    }
}

/// A string sequence ends with BEL or with ESC `\`.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next();
                return;
            }
            _ => {}
        }
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_do_not_pass() {
        for (text, want) in [
            ("plain", "plain"),
            ("a\u{1b}[31mred\u{1b}[0m", "ared"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]52;c;aGk=\u{1b}\\after", "after"),
            ("\u{1b}P1;2|payload\u{1b}\\x", "x"),
            ("10%\r20%\r30%", "30%"),
            ("a\tb", "a    b"),
            ("ev\u{202e}il\u{200b}", "evil"),
            ("bell\u{7}", "bell"),
            ("\u{9b}2Jx", "x"),
            ("cut \u{1b}", "cut "),
            ("line\r\n", "line"),
        ] {
            assert_eq!(Safe::line(text).as_str(), want, "{text:?}");
        }
        assert!(Safe::line(&"x".repeat(10_000)).as_str().len() < 4_200);
    }
}
