//! How keys look that nobody named: a beginning, and what must follow it.
//!
//! Made so that a log of training is left alone: `sk-learn`, `PAD_TOKEN=<|pad|>` and `SORT_KEY=val_loss` are no keys.

use std::ops::Range;

/// Beyond this a body is taken as it is: nothing waits for its end.
const LONGEST: usize = 4096;
/// The same for a private key.
const LONGEST_BLOCK: usize = 16 << 10;
/// Between a name and its value: `': "`, ` = `.
const LONGEST_GAP: usize = 8;

/// What follows a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Letters, digits, `-` and `_`, so many at least, one of them a digit.
    Word(usize),
    /// The same without `-` and `_`.
    Alnum(usize),
    /// Three parts with dots between them.
    Jwt,
    /// What follows `Bearer ` and its like; the word itself stays.
    Credential,
    /// `user:password@` of an address; the password goes.
    Userinfo,
    /// `=` or `:` and a value; the name stays.
    Assigned,
    /// A private key up to its last line.
    Block,
}

use Body::{Alnum, Assigned, Block, Credential, Jwt, Userinfo, Word};

/// All beginnings.
pub(super) const HEADS: &[(&str, Body)] = &[
    ("sk-", Word(20)),
    ("sk_live_", Word(16)),
    ("sk_test_", Word(16)),
    ("rk_live_", Word(16)),
    ("gsk_", Word(20)),
    ("xai-", Word(20)),
    ("nvapi-", Word(20)),
    ("r8_", Alnum(30)),
    ("ghp_", Alnum(30)),
    ("gho_", Alnum(30)),
    ("ghu_", Alnum(30)),
    ("ghs_", Alnum(30)),
    ("ghr_", Alnum(30)),
    ("github_pat_", Word(20)),
    ("glpat-", Word(16)),
    ("npm_", Alnum(30)),
    ("pypi-", Word(40)),
    ("hf_", Alnum(30)),
    ("AKIA", Alnum(16)),
    ("ASIA", Alnum(16)),
    ("AIza", Word(30)),
    ("xoxb-", Word(10)),
    ("xoxp-", Word(10)),
    ("xoxa-", Word(10)),
    ("xoxr-", Word(10)),
    ("xoxs-", Word(10)),
    ("eyJ", Jwt),
    ("Bearer ", Credential),
    ("bearer ", Credential),
    ("BEARER ", Credential),
    ("Basic ", Credential),
    ("basic ", Credential),
    ("://", Userinfo),
    ("_KEY", Assigned),
    ("_TOKEN", Assigned),
    ("_SECRET", Assigned),
    ("PASSWORD", Assigned),
    ("PASSWD", Assigned),
    ("api_key", Assigned),
    ("apikey", Assigned),
    ("api-key", Assigned),
    ("access_token", Assigned),
    ("secret_key", Assigned),
    ("password", Assigned),
    ("-----BEGIN ", Block),
];

/// What a look at a body found.
pub(super) struct Look {
    /// What to cover.
    pub(super) cover: Option<Range<usize>>,
    /// The text ended before it could be told, or before the body did.
    pub(super) open: bool,
}

const NOTHING: Look = Look { cover: None, open: false };

/// Whether a beginning at `at` does not go on from a word: `task-` holds no `sk-`.
pub(super) fn apart(bytes: &[u8], at: usize, head: &[u8]) -> bool {
    let inside =
        matches!(head.first(), Some(b'_' | b':' | b'P' | b'p' | b'a' | b's')) && !head.starts_with(b"sk") && !head.starts_with(b"pypi");
    let before = at.checked_sub(1).and_then(|i| bytes.get(i));
    inside || !before.is_some_and(u8::is_ascii_alphanumeric)
}

impl Body {
    /// Looks at what follows the beginning at `start..end`.
    pub(super) fn look(self, bytes: &[u8], start: usize, end: usize) -> Look {
        if !apart(bytes, start, bytes.get(start..end).unwrap_or_default()) {
            return NOTHING;
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        match self {
            Word(least) => {
                let (to, open) = run(bytes, end, word);
                Look { cover: (to - end >= least && random(bytes, end..to)).then_some(start..to), open }
            }
            Alnum(least) => {
                let (to, open) = run(bytes, end, |b| b.is_ascii_alphanumeric());
                Look { cover: (to - end >= least && random(bytes, end..to)).then_some(start..to), open }
            }
            Jwt => {
                let (to, open) = run(bytes, end, |b| word(b) || b == b'.');
                let body = bytes.get(end..to).unwrap_or_default();
                let dots = body.iter().filter(|b| **b == b'.').count();
                let whole = body.len() >= 30 && (1..=4).contains(&dots) && body.windows(4).any(|w| w == b".eyJ");
                Look { cover: whole.then_some(start..to), open }
            }
            Credential => {
                let (to, open) = run(bytes, end, |b| b.is_ascii_alphanumeric() || b"._~+/=-".contains(&b));
                Look { cover: (to - end >= 12 && random(bytes, end..to)).then_some(end..to), open }
            }
            Userinfo => {
                let (to, open) = run(bytes, end, |b| b > b' ' && b != 0x7f && !b"/\\\"'<>?#`@".contains(&b));
                let rest = bytes.get(end..to).unwrap_or_default();
                let ends_so = bytes.get(to) == Some(&b'@');
                let cover = match rest.iter().position(|b| *b == b':') {
                    Some(colon) if ends_so && end + colon + 1 < to => Some(end + colon + 1..to),
                    None if ends_so && rest.len() >= 20 => Some(end..to),
                    _ => None,
                };
                Look { cover, open }
            }
            Assigned => assigned(bytes, end),
            Block => block(bytes, start, end),
        }
    }
}

/// Where a run of such bytes ends, and whether that is where the text ends.
fn run(bytes: &[u8], from: usize, good: impl Fn(u8) -> bool) -> (usize, bool) {
    let rest = bytes.get(from..).unwrap_or_default();
    let n = rest.iter().take(LONGEST).take_while(|b| good(**b)).count();
    (from + n, n == rest.len() && n < LONGEST)
}

/// A digit and a letter: names of things seldom have both at this length.
fn random(bytes: &[u8], range: Range<usize>) -> bool {
    let body = bytes.get(range).unwrap_or_default();
    body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic)
}

fn assigned(bytes: &[u8], end: usize) -> Look {
    let rest = bytes.get(end..).unwrap_or_default();
    // In text that was written as JSON a quote has a backslash before it; any other escape is a character of its own.
    let quoted = |i: usize| rest.get(i) == Some(&b'\\') && rest.get(i + 1) == Some(&b'"');
    let in_gap = |i: &usize| rest.get(*i).is_some_and(|b| b" \t\"'=:]".contains(b)) || quoted(*i);
    let gap = (0..LONGEST_GAP).take_while(in_gap).count();
    let signs: Vec<u8> = rest.iter().take(gap).copied().filter(|b| matches!(b, b'=' | b':')).collect();
    if gap == rest.len() && gap < LONGEST_GAP {
        return Look { cover: None, open: true };
    }
    // `==` asks and does not tell.
    if signs.len() != 1 {
        return NOTHING;
    }
    let from = end + gap;
    let (to, open) = run(bytes, from, |b| b > b' ' && b != 0x7f && !b"\\\"'`,;<>()[]{}|".contains(&b));
    Look { cover: (to - from >= 12 && random(bytes, from..to)).then_some(from..to), open }
}

fn block(bytes: &[u8], start: usize, end: usize) -> Look {
    let rest = bytes.get(end..).unwrap_or_default();
    let rest = rest.get(..rest.len().min(LONGEST_BLOCK)).unwrap_or_default();
    let cut = rest.len() == LONGEST_BLOCK;
    let at = |what: &[u8], from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        tail.windows(what.len()).position(|w| w == what).map(|i| from + i)
    };
    let label = rest.iter().take(64).take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b' ').count();
    let title = rest.get(..label).unwrap_or_default();
    if label == rest.len() && label < 64 {
        return Look { cover: None, open: true };
    }
    if !title.ends_with(b"PRIVATE KEY") {
        return NOTHING;
    }
    // A JSON string ends with it.
    let quote = rest.iter().position(|b| *b == b'"').unwrap_or(rest.len());
    let from = end + label + 5.min(rest.len() - label);
    let to = match at(b"-----END ", label) {
        Some(last) if last < quote => return Look { cover: (from < end + last).then_some(from..end + last), open: false },
        _ if quote < rest.len() => end + quote,
        _ => end + rest.iter().skip(label).take_while(|b| b.is_ascii_alphanumeric() || b"+/=-\\\r\n".contains(b)).count() + label,
    };
    let _ = start;
    Look { cover: (from < to).then_some(from..to), open: quote == rest.len() && !cut }
}
