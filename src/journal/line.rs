//! The form of one line:
//! `{"seq":7,"at":1700000000000,"prev":"<sha256 of the line before>","event":"…",…,"sum":"<16 hex digits>"}`.
//!
//! The sum is the beginning of the sha256 of all bytes before `,"sum"`; it convicts an altered *last* line, which has no
//! successor that could. The head and the sum have one spelling each, so a reader checks them as bytes and parses JSON
//! only for the fact itself.

use crate::model::{Event, Millis, Record, redact};
use sha2::{Digest, Sha256};
use std::fmt;

/// The sha256 of a line's bytes without the line end; all zeros before the first line.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn hex(self) -> [u8; 64] {
        let mut out = [0; 64];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        out
    }

    /// Reads the 64 hexadecimal digits of `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(out))
    }
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.hex()))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Number of the record before it; 0 at the beginning.
    pub seq: u64,
    /// Bytes before it.
    pub offset: u64,
    /// Bytes before the record before it.
    pub last_start: u64,
    /// Hash of the record before it.
    pub hash: Hash,
}

/// Why a line was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    Altered(String),
    Newer(String),
}

const SUM_KEY: &[u8] = b",\"sum\":\"";
const SUM_DIGITS: usize = 16;
/// `,"sum":"0123456789abcdef"}`
const SUM_LEN: usize = SUM_KEY.len() + SUM_DIGITS + 2;

/// Writes the line after `cursor`, with its line end; returns the record as a reader will see it.
///
/// The fact is read back before anything reaches the disk: a number that JSON cannot hold must not make a study unreadable.
pub(super) fn encode(cursor: &mut Cursor, at: Millis, event: &Event, out: &mut Vec<u8>) -> Result<Record, String> {
    let mut fact = serde_json::to_value(event).map_err(|e| e.to_string())?;
    // What a run or a person wrote may hold a key; the journal is read by more eyes and kept for longer than either.
    let body = if redact::ours().value(&mut fact) { serde_json::to_vec(&fact) } else { serde_json::to_vec(event) };
    let body = body.map_err(|e| e.to_string())?;
    let event: Event = serde_json::from_slice(&body).map_err(|e| format!("{e} in {}", String::from_utf8_lossy(&body)))?;
    let fields = body.strip_prefix(b"{").and_then(|b| b.strip_suffix(b"}")).ok_or("not an object")?;
    seal(cursor, at, fields, out);
    Ok(Record { seq: cursor.seq, at, event })
}

/// Writes the line with these fields after `cursor` and moves the cursor past it.
pub(super) fn seal(cursor: &mut Cursor, at: Millis, fields: &[u8], out: &mut Vec<u8>) {
    let seq = cursor.seq + 1;
    let mut line = format!("{{\"seq\":{seq},\"at\":{},\"prev\":\"{}\",", at.0, cursor.hash).into_bytes();
    line.extend_from_slice(fields);
    let sum = sum(&Sha256::digest(&line).into());
    line.extend_from_slice(SUM_KEY);
    line.extend_from_slice(&sum);
    line.extend_from_slice(b"\"}");
    *cursor = Cursor { seq, hash: Hash::of(&line), last_start: cursor.offset, offset: cursor.offset + line.len() as u64 + 1 };
    out.append(&mut line);
    out.push(b'\n');
}

fn sum(digest: &[u8; 32]) -> [u8; SUM_DIGITS] {
    let mut out = [0; SUM_DIGITS];
    for (o, d) in out.iter_mut().zip(Hash(*digest).hex()) {
        *o = d;
    }
    out
}

/// Reads the line (without its end) after `cursor` and moves the cursor past it. The bytes are used up.
pub(super) fn decode(cursor: &mut Cursor, line: &mut [u8]) -> Result<Record, Refusal> {
    let altered = |detail: &str| Refusal::Altered(detail.to_owned());
    let hash = intact(line).ok_or_else(|| altered("its own checksum does not fit"))?;
    let length = line.len();
    let head = Head::parse(line).ok_or_else(|| altered("it is no record"))?;
    if head.prev != cursor.hash {
        return Err(altered("it does not follow the line before"));
    }
    if head.seq != cursor.seq + 1 {
        return Err(Refusal::Altered(format!("its number is {} where {} is due", head.seq, cursor.seq + 1)));
    }
    // The fact's fields lie between the head's last comma and the sum's: with braces in their places they are its JSON.
    let fields = line.get_mut(head.length - 1..length - SUM_LEN + 1).ok_or_else(|| altered("it holds no fact"))?;
    if let Some(first) = fields.first_mut() {
        *first = b'{';
    }
    if let Some(last) = fields.last_mut() {
        *last = b'}';
    }
    // The line is as it was written, so what cannot be read was written by another program.
    let event = serde_json::from_slice(fields).map_err(|e| Refusal::Newer(e.to_string()))?;
    if let Event::StudyCreated { format, .. } = &event
        && *format > crate::model::FORMAT
    {
        return Err(Refusal::Newer(format!("its format is {format}, and this program knows {}", crate::model::FORMAT)));
    }
    *cursor = Cursor { seq: head.seq, hash, last_start: cursor.offset, offset: cursor.offset + length as u64 + 1 };
    Ok(Record { seq: head.seq, at: head.at, event })
}

/// The hash of a line whose own checksum fits.
pub(super) fn intact(line: &[u8]) -> Option<Hash> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(SUM_LEN)?)?;
    let digits = tail.strip_prefix(SUM_KEY)?.strip_suffix(b"\"}")?;
    let mut hasher = Sha256::new();
    hasher.update(body);
    let own = sum(&hasher.clone().finalize().into());
    if own.as_slice() != digits {
        return None;
    }
    hasher.update(tail);
    Some(Hash(hasher.finalize().into()))
}

struct Head {
    seq: u64,
    at: Millis,
    prev: Hash,
    /// Bytes up to and with the comma after `prev`.
    length: usize,
}

impl Head {
    fn parse(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"{\"seq\":")?;
        let (seq, rest) = number(rest)?;
        let rest = rest.strip_prefix(b",\"at\":")?;
        let (at, rest) = number(rest)?;
        let rest = rest.strip_prefix(b",\"prev\":\"")?;
        let (prev, rest) = rest.split_at_checked(64)?;
        let rest = rest.strip_prefix(b"\",")?;
        Some(Self { seq, at: Millis(at), prev: Hash::parse(std::str::from_utf8(prev).ok()?)?, length: line.len() - rest.len() })
    }
}

fn number<T: std::str::FromStr>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let end = bytes.iter().position(|b| !b.is_ascii_digit() && *b != b'-')?;
    let (digits, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}
