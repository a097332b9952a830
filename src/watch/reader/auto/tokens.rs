//! Cuts a line of a log into words, numbers and marks.
//!
//! What looks like a number but is a date, a clock, a version, an address or a hash is `Junk`, so that no form takes it for a value.

use super::super::number;
use std::ops::Range;

/// One piece of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum What {
    /// Letters, and what holds names together.
    Word,
    /// A number. `fine` when it has a decimal point or exponent, or is not finite. An attached unit lies within the token, not in `digits`.
    Number { value: f64, fine: bool, digits: usize },
    /// `:` or `=`.
    Assign,
    /// `(`, `[` or `{`; `call` when a word stands directly before it.
    Open { call: bool },
    /// `)`, `]` or `}`.
    Close,
    /// `/`.
    Slash,
    /// What separates statements: `|`, `,`, `;`, a tab, a dash between spaces, a full stop.
    Break,
    /// Looks like a number and is none.
    Junk,
    /// Any other mark.
    Other,
}

/// Longest line that is looked at; progress and metrics are shorter.
const LONGEST: usize = 4096;
/// Longest unit that is attached to its number.
const UNIT: usize = 12;

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'.' | b'/' | b'@' | b'+' | b'-' | b'\'')
}

/// Fills `tokens` with those of a line.
pub(super) fn cut(line: &[u8], tokens: &mut Vec<Token>) {
    tokens.clear();
    let line = line.get(..LONGEST).unwrap_or(line);
    let byte = |at: usize| line.get(at).copied().unwrap_or(0);
    let mut at = 0;
    while at < line.len() {
        let start = at;
        let before = start.checked_sub(1).map_or(b' ', byte);
        let what = match byte(at) {
            b' ' | b'"' | b'\'' | b'`' | b'*' | b'\r' => {
                at += 1;
                continue;
            }
            b'\t' | b'|' | b',' | b';' => mark(&mut at, What::Break),
            b'.' if !byte(at + 1).is_ascii_digit() => mark(&mut at, What::Break),
            b'-' if before == b' ' && matches!(byte(at + 1), b' ' | 0) => mark(&mut at, What::Break),
            b':' | b'=' if matches!(byte(at + 1), b':' | b'=' | b'>') => {
                at += 1;
                mark(&mut at, What::Other)
            }
            b':' | b'=' => mark(&mut at, What::Assign),
            b'(' | b'[' | b'{' => mark(&mut at, What::Open { call: byte(start) == b'(' && before.is_ascii_alphanumeric() }),
            b')' | b']' | b'}' => mark(&mut at, What::Close),
            b'/' => mark(&mut at, What::Slash),
            0xe2 if [b'\x82', b'\x83', b'\x91'].contains(&byte(at + 2)) && matches!(byte(at + 1), 0x94 | 0x95) => {
                // The vertical lines of drawn tables.
                at += 3;
                What::Break
            }
            0xc2 if byte(at + 1) == 0xb1 => {
                // `±`
                at += 2;
                What::Other
            }
            b'0'..=b'9' | b'-' | b'+' | b'.' => figure(line, &mut at),
            first if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 => word(line, &mut at),
            _ => mark(&mut at, What::Other),
        };
        tokens.push(Token { what, at: start..at });
    }
}

fn mark(at: &mut usize, what: What) -> What {
    *at += 1;
    what
}

fn word(line: &[u8], at: &mut usize) -> What {
    let rest = line.get(*at..).unwrap_or_default();
    let mut length = rest.iter().position(|b| !in_word(*b)).unwrap_or(rest.len());
    while length > 1 && rest.get(length - 1).is_some_and(|b| matches!(b, b'.' | b'-' | b'+' | b'\'' | b'/')) {
        length -= 1;
    }
    *at += length;
    match number::non_finite(rest.get(..length).unwrap_or_default()) {
        Some(value) => What::Number { value, fine: true, digits: length },
        None => What::Word,
    }
}

fn figure(line: &[u8], at: &mut usize) -> What {
    let rest = line.get(*at..).unwrap_or_default();
    let signed = usize::from(rest.first().is_some_and(|b| matches!(b, b'-' | b'+')));
    let letters = rest.iter().skip(signed).take_while(|b| b.is_ascii_alphabetic()).count();
    if signed == 1 && letters > 0 {
        let word = rest.get(..signed + letters).unwrap_or_default();
        *at += word.len();
        return number::non_finite(word).map_or(What::Other, |value| What::Number { value, fine: true, digits: word.len() });
    }
    let Some((value, digits)) = grouped(rest).or_else(|| number::decimal(rest)) else {
        *at += 1;
        return What::Other;
    };
    let taken = rest.get(..digits).unwrap_or_default();
    let fine = taken.iter().any(|b| matches!(b, b'.' | b'e' | b'E')) || !value.is_finite();
    let tail = rest.get(digits..).unwrap_or_default();
    let unit = tail.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'%' | b'/') || **b >= 0x80).count();
    // `12/100` is two numbers, `2ms/step` one with a unit.
    let unit = if tail.first() == Some(&b'/') { 0 } else { unit };
    let next = |n: usize| tail.get(unit + n).copied().unwrap_or(b' ');
    let joined = next(0).is_ascii_digit()
        || matches!(next(0), b'_' | b'@')
        || (matches!(next(0), b'.' | b':' | b'-') && (next(1).is_ascii_alphanumeric()));
    if unit > UNIT || joined {
        let end = rest.iter().position(|b| !in_word(*b) && *b != b':').unwrap_or(rest.len());
        *at += end.max(1);
        return What::Junk;
    }
    *at += digits + unit;
    What::Number { value, fine, digits }
}

/// Reads `1,234,567.8`; nothing without a separator.
fn grouped(rest: &[u8]) -> Option<(f64, usize)> {
    let digits = |from: usize| rest.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let sign = usize::from(rest.first().is_some_and(|b| matches!(b, b'-' | b'+')));
    let first = digits(sign);
    let mut end = sign + first;
    if first == 0 || first > 3 {
        return None;
    }
    while rest.get(end) == Some(&b',') && digits(end + 1) == 3 {
        end += 4;
    }
    if end == sign + first {
        return None;
    }
    if rest.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    let plain: Vec<u8> = rest.get(..end)?.iter().copied().filter(|b| *b != b',').collect();
    number::whole(&plain).map(|value| (value, end))
}
