//! Walks one JSON object for its numbers, without building a value.
//!
//! Lenient where Python is: NaN and Infinity, and the printed form of a dictionary (single quotes, `None`, `True`, `nan`).
//! Strings, booleans, nulls and arrays are stepped over; objects within are walked as `outer.inner`.

use super::number::{decimal, non_finite};

/// Deepest nesting that is followed; deeper lines are rubbish.
const MAX_DEPTH: usize = 32;

/// A place in the line. All steps answer nothing when the line is no object.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Calls `number` for each numeric field of the object that fills `line`; nothing if the line is no such object.
///
/// Fields before the fault may have been given already: the caller takes them back.
pub(super) fn object(line: &[u8], number: &mut impl FnMut(&[u8], f64)) -> Option<()> {
    let mut cursor = Cursor { bytes: line, at: 0 };
    cursor.space();
    let mut prefix = Vec::new();
    cursor.object(&mut prefix, 0, number)?;
    cursor.space();
    (cursor.at == line.len()).then_some(())
}

/// Calls `member` for each member of the list or object that fills `text`, with its key as it is written (empty in a list) and the text
/// of its value. Returns whether it is a list; none, and what was given is to be taken back, if the text is neither.
pub(super) fn members<'a>(text: &'a [u8], member: &mut impl FnMut(&'a [u8], &'a [u8])) -> Option<bool> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    cursor.space();
    let list = cursor.peek() == b'[';
    let close = if list { b']' } else { b'}' };
    cursor.expect(if list { b'[' } else { b'{' })?;
    cursor.space();
    let mut more = cursor.expect(close).is_none();
    while more {
        let mut key = &b""[..];
        if !list {
            key = cursor.string()?.0;
            cursor.space();
            cursor.expect(b':')?;
            cursor.space();
        }
        let start = cursor.at;
        cursor.value(1)?;
        member(key, text.get(start..cursor.at)?);
        cursor.space();
        more = cursor.expect(b',').is_some();
        if !more {
            cursor.expect(close)?;
        }
        cursor.space();
    }
    cursor.space();
    (cursor.at == text.len()).then_some(list)
}

/// Returns the number that fills `text`.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let mut cursor = Cursor { bytes: text, at: 0 };
    let value = cursor.scalar()?;
    value.filter(|_| cursor.at == text.len())
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    /// Steps over a string and returns what stands between its quotes, and whether that holds a backslash.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        let quote = self.peek();
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match *self.bytes.get(at)? {
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                byte if byte == quote => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some((self.bytes.get(start..at)?, escaped))
    }

    fn object(&mut self, prefix: &mut Vec<u8>, depth: usize, number: &mut impl FnMut(&[u8], f64)) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.expect(b'{')?;
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let (raw, escaped) = self.string()?;
            let decoded;
            let key = if escaped {
                decoded = unescape(raw);
                decoded.as_slice()
            } else {
                raw
            };
            self.space();
            self.expect(b':')?;
            self.space();
            match self.peek() {
                b'{' => {
                    let length = prefix.len();
                    prefix.extend_from_slice(key);
                    prefix.push(b'.');
                    self.object(prefix, depth + 1, number)?;
                    prefix.truncate(length);
                }
                b'"' | b'\'' => {
                    self.string()?;
                }
                b'[' => self.array(depth + 1)?,
                _ => {
                    if let Some(value) = self.scalar()? {
                        if prefix.is_empty() {
                            number(key, value);
                        } else {
                            let length = prefix.len();
                            prefix.extend_from_slice(key);
                            number(prefix, value);
                            prefix.truncate(length);
                        }
                    }
                }
            }
            self.space();
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.space();
                }
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Steps over an array, whatever it holds.
    fn array(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.expect(b'[')?;
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.space();
                }
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Steps over a value.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek() {
            b'[' => self.array(depth)?,
            b'{' => self.object(&mut Vec::new(), depth, &mut |_, _| {})?,
            b'"' | b'\'' => {
                self.string()?;
            }
            _ => {
                self.scalar()?;
            }
        }
        Some(())
    }

    /// Reads a number, or steps over a word that stands for none.
    fn scalar(&mut self) -> Option<Option<f64>> {
        let rest = self.bytes.get(self.at..)?;
        if let Some((value, length)) = decimal(rest) {
            self.at += length;
            return Some(Some(value));
        }
        let length = rest.iter().position(|b| !b.is_ascii_alphabetic() && !matches!(b, b'-' | b'+')).unwrap_or(rest.len());
        let word = rest.get(..length)?;
        self.at += length;
        match word {
            b"true" | b"false" | b"null" | b"True" | b"False" | b"None" => Some(None),
            _ => non_finite(word).map(Some),
        }
    }
}

/// Resolves the escapes of a key; one that JSON does not know stays as it was written.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or_else(|_| raw.to_vec(), String::into_bytes)
}
