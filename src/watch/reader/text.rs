//! Log text: the task's patterns, JSON objects that fill a line, and, for a task that gives no pattern, what `auto` finds.
//!
//! Works on bytes, since logs need not be UTF-8. Colours and cursor movements are removed first, and a carriage return ends a line,
//! so that each state of a progress bar is read. Every match of every pattern counts.

use super::{Losses, Reader, Reading, StepFields, auto::Auto, json_lines::Objects, lines::Ends, lines::Lines, number, step_rank};
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
    /// What the patterns leave is read automatically.
    automatic: bool,
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
        Ok(Self { list, automatic: false })
    }

    /// Returns which patterns match a line from which control sequences were removed, counted from 0.
    pub fn matching(&self, line: &[u8]) -> impl Iterator<Item = usize> {
        self.list.iter().enumerate().filter(|(_, pattern)| pattern.regex.is_match(line)).map(|(at, _)| at)
    }

    /// Returns which patterns read a key, counted from 0.
    pub fn of_key(&self, key: &str) -> impl Iterator<Item = usize> {
        self.list.iter().enumerate().filter(move |(_, pattern)| pattern.groups.iter().any(|(_, name, _)| **name == *key)).map(|(at, _)| at)
    }

    /// Returns them with what trainers commonly print read as well, from the lines and for the keys that the patterns leave.
    pub fn and_automatic(mut self) -> Self {
        self.automatic = true;
        self
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
    auto: Option<Auto>,
    rubbish: u64,
}

impl Text {
    /// Returns a reader at the start of a log.
    pub fn new(patterns: Arc<Patterns>) -> Self {
        let auto = patterns.automatic.then(Auto::default);
        let matcher = Matcher { patterns, objects: Objects::default(), steps: StepFields::default(), auto, rubbish: 0 };
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
        let mut trimmed = line.trim_ascii();
        if self.auto.is_some() && trimmed.ends_with(b"}") {
            trimmed = behind_bar(trimmed);
        }
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
        let begin = out.len();
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
        if let Some(auto) = &mut self.auto {
            auto.read(&line);
            // A pattern that names no step gets that of its line.
            out.iter_mut().skip(begin).filter(|r| r.step.is_none()).for_each(|r| r.step = auto.step);
            auto.give(out, begin);
        }
    }
}

/// What stands behind a progress bar that did not end its line: the bar goes to standard error, the object to standard output.
fn behind_bar(line: &[u8]) -> &[u8] {
    let bar = line.windows(2).position(|w| w == b"]{").filter(|at| line.get(..*at).is_some_and(|bar| bar.windows(2).any(|w| w == b" [")));
    bar.and_then(|at| line.get(at + 1..)).unwrap_or(line)
}

/// Removes terminal control sequences: CSI (`ESC [ … letter`), OSC (`ESC ] … BEL` or `ESC \`) and two-byte escapes.
pub(in crate::watch) fn plain(line: &[u8]) -> Cow<'_, [u8]> {
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
