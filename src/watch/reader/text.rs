//! Log text: the task's patterns, and JSON objects that fill a line.
//!
//! Works on bytes, since logs need not be UTF-8. Colours and cursor movements are removed first, and a carriage return ends a line,
//! so that each state of a progress bar is read. Every match of every pattern counts.

use super::{Losses, Reader, Reading, StepFields, json_lines::Objects, lines::Ends, lines::Lines, number, step_rank};
use regex::bytes::Regex;
use std::{borrow::Cow, sync::Arc};

/// A pattern of the task that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The regular expression does not compile.
    #[error("live pattern `{pattern}` is no regular expression that can be used: {why}")]
    Syntax {
        /// As the task gives it.
        pattern: String,
        /// The compiler's last line.
        why: String,
    },
    /// Nothing in it says which metric it reads.
    #[error("live pattern `{pattern}` names no metric: write a group as `(?P<name>…)`, or set `primary` for a single unnamed group")]
    Nameless {
        /// As the task gives it.
        pattern: String,
    },
}

/// The compiled patterns of a task, shared by all its runs' files.
#[derive(Debug, Default)]
pub struct Patterns {
    list: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    /// Group number, key, and rank if it is the step.
    groups: Vec<(usize, Arc<str>, Option<usize>)>,
}

impl Patterns {
    /// Compiles the patterns of a task.
    ///
    /// Named groups are keys, but `step`, `epoch` and their like, which give the step. A single unnamed group reads `primary`.
    /// `printed` are keys that the task itself takes from standard output: each is read as `key: number` or `key=number`.
    ///
    /// Errors: the first pattern that does not compile or names nothing.
    pub fn compile(patterns: &[String], primary: Option<&str>, printed: &[String]) -> Result<Self, PatternError> {
        let mut list = Vec::new();
        for pattern in patterns {
            let regex = compile(pattern)?;
            let mut groups: Vec<_> = regex
                .capture_names()
                .enumerate()
                .filter_map(|(at, name)| name.map(|name| (at, Arc::from(name), step_rank(name))))
                .collect();
            if groups.is_empty() && regex.captures_len() == 2 {
                groups.extend(primary.map(|key| (1, Arc::from(key), None)));
            }
            if groups.is_empty() {
                return Err(PatternError::Nameless { pattern: pattern.clone() });
            }
            list.push(Pattern { regex, groups });
        }
        for key in printed {
            let number = r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?i:nan|inf(?:inity)?)";
            let regex = compile(&format!(r#"(?:^|[^\w./-]){}["']?\s*[:=]\s*({number})"#, regex::escape(key)))?;
            list.push(Pattern { regex, groups: vec![(1, Arc::from(key.as_str()), None)] });
        }
        Ok(Self { list })
    }
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    Regex::new(pattern).map_err(|error| PatternError::Syntax {
        pattern: pattern.to_owned(),
        why: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

/// Reads log text.
pub struct Text {
    lines: Lines,
    matcher: Matcher,
}

struct Matcher {
    patterns: Arc<Patterns>,
    objects: Objects,
    steps: StepFields,
    rubbish: u64,
}

impl Text {
    /// Returns a reader at the start of a log.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        let matcher = Matcher { patterns, objects: Objects::default(), steps: StepFields::default(), rubbish: 0 };
        Self { lines: Lines::new(Ends::NewlineOrReturn), matcher }
    }
}

impl Reader for Text {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Reading>) {
        let Self { lines, matcher } = self;
        lines.feed(bytes, |line| matcher.line(line, out));
    }

    fn finish(&mut self, out: &mut Vec<Reading>) {
        let Self { lines, matcher } = self;
        lines.finish(|line| matcher.line(line, out));
    }

    fn losses(&self) -> Losses {
        Losses { rubbish: self.matcher.rubbish, too_long: self.lines.too_long }
    }
}

impl Matcher {
    fn line(&mut self, line: &[u8], out: &mut Vec<Reading>) {
        let line = plain(line);
        let trimmed = line.trim_ascii();
        if trimmed.starts_with(b"{") && trimmed.ends_with(b"}") {
            let before = out.len();
            if !self.objects.read(trimmed, out) {
                self.rubbish += 1;
            }
            // An object that gave its numbers is not read a second time by a pattern for the same key.
            if out.len() > before {
                return;
            }
        }
        for pattern in &self.patterns.list {
            for found in pattern.regex.captures_iter(&line) {
                let start = out.len();
                for (group, key, rank) in &pattern.groups {
                    let Some(value) = found.get(*group).and_then(|m| number::lenient(m.as_bytes())) else { continue };
                    match rank {
                        Some(rank) => self.steps.hold(*rank, key, value),
                        None => out.push(Reading { key: Arc::clone(key), step: None, value }),
                    }
                }
                self.steps.settle(start, out);
            }
        }
    }
}

/// Removes terminal control sequences: CSI (`ESC [ … letter`), OSC (`ESC ] … BEL` or `ESC \`) and two-byte escapes.
fn plain(line: &[u8]) -> Cow<'_, [u8]> {
    if !line.contains(&0x1b) {
        return Cow::Borrowed(line);
    }
    let mut text = Vec::with_capacity(line.len());
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != 0x1b {
            text.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'[') => {
                bytes.by_ref().find(|b| (0x40..=0x7e).contains(b));
            }
            Some(b']') => {
                while let Some(byte) = bytes.next() {
                    if byte == 0x07 || (byte == 0x1b && bytes.next_if_eq(&b'\\').is_some()) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    Cow::Owned(text)
}
