//! Reads the scalars of a JSON file by their dotted path; comments, trailing commas and JSON5's keys and quotes are
//! tolerated. Strings with escapes, numbers that are no decimals and long arrays are left alone.

use super::{
    Form,
    found::{self, Found, Site},
    yaml::{MOST_ITEMS, is_key},
};
use crate::model::KnobValue;

/// Deeper nesting is no configuration.
const DEEPEST: usize = 64;

/// Returns the scalars, or why the file cannot be read. A file that is no object at its top is data: none.
pub(super) fn literals(source: &str) -> Result<Vec<Found>, String> {
    let mut reader = Reader { source, at: if source.starts_with('\u{feff}') { 3 } else { 0 }, out: Vec::new() };
    reader.space()?;
    if reader.peek() != Some(b'{') {
        return Ok(Vec::new());
    }
    reader.value(&mut Vec::new(), Site::Setting, 0)?;
    reader.space()?;
    if reader.peek().is_some() {
        return Err(reader.wrong("something after the end"));
    }
    Ok(reader.out)
}

struct Reader<'s> {
    source: &'s str,
    at: usize,
    out: Vec<Found>,
}

impl<'s> Reader<'s> {
    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> String {
        format!("not valid JSON, line {}: {what}", found::line_of(self.source, self.at))
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks and comments.
    fn space(&mut self) -> Result<(), String> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let comment = rest.get(blank..).unwrap_or_default();
            if comment.starts_with("//") {
                self.at += blank + comment.find('\n').unwrap_or(comment.len());
            } else if comment.starts_with("/*") {
                let end = comment.find("*/").ok_or_else(|| self.wrong("a comment without its end"))?;
                self.at += blank + end + 2;
            } else {
                self.at += blank;
                return Ok(());
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// A string in either quotes; its text between them, none where it has escapes.
    fn string(&mut self) -> Result<Option<&'s str>, String> {
        let quote = self.peek().unwrap_or(b'"');
        let start = self.at + 1;
        let mut escapes = false;
        let mut at = start;
        while let Some(byte) = self.source.as_bytes().get(at) {
            match byte {
                b'\\' => {
                    escapes = true;
                    at += 1;
                }
                b'\n' if !escapes => break,
                _ if *byte == quote => {
                    self.at = at + 1;
                    return Ok(self.source.get(start..at).filter(|_| !escapes));
                }
                _ => {}
            }
            at += 1;
        }
        Err(self.wrong("a string without its end"))
    }

    /// A run of letters, digits and signs.
    fn word(&mut self) -> &'s str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || "_$+-.".contains(c))).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn value(&mut self, path: &mut Vec<String>, site: Site, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("nested deeper than a file of settings".into());
        }
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.object(path, depth),
            Some(b'[') => self.array(path, depth),
            Some(b'"' | b'\'') => {
                if let Some(text) = self.string()? {
                    self.push(path, start, KnobValue::Choice(text.to_owned()), Form::Text, site);
                }
                Ok(())
            }
            Some(_) => {
                let word = self.word();
                if word.is_empty() {
                    return Err(self.wrong("a value is missing"));
                }
                if let Some(value) = found::number(word) {
                    self.push(path, start, value, Form::Number, site);
                } else if let "true" | "false" = word {
                    self.push(path, start, KnobValue::Bool(word == "true"), Form::Word, site);
                }
                Ok(())
            }
            None => Err(self.wrong("it ends too early")),
        }
    }

    fn push(&mut self, path: &[String], start: usize, value: KnobValue, form: Form, site: Site) {
        if !path.is_empty() && path.iter().all(|key| is_key(key)) {
            self.out.push(Found::new(path.join("."), self.source, start..self.at, value, form, site));
        }
    }

    fn object(&mut self, path: &mut Vec<String>, depth: usize) -> Result<(), String> {
        self.take(b'{');
        loop {
            self.space()?;
            if self.take(b'}') {
                return Ok(());
            }
            let key = match self.peek() {
                Some(b'"' | b'\'') => self.string()?.unwrap_or_default(),
                _ => self.word(),
            };
            self.space()?;
            if !self.take(b':') {
                return Err(self.wrong("a `:` is missing"));
            }
            self.space()?;
            path.push(key.to_owned());
            self.value(path, Site::Setting, depth + 1)?;
            path.pop();
            self.space()?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.wrong("a `,` is missing"));
            }
        }
    }

    fn array(&mut self, path: &mut Vec<String>, depth: usize) -> Result<(), String> {
        self.take(b'[');
        let before = self.out.len();
        let mut n = 0;
        loop {
            self.space()?;
            if self.take(b']') {
                if n > MOST_ITEMS {
                    self.out.truncate(before);
                }
                return Ok(());
            }
            path.push(n.to_string());
            self.value(path, Site::Item, depth + 1)?;
            path.pop();
            n += 1;
            self.space()?;
            if !self.take(b',') && self.peek() != Some(b']') {
                return Err(self.wrong("a `,` is missing"));
            }
        }
    }
}
