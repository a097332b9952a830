//! What the readers see in a directory, for a person who wants to get patterns right. Keeps counts, stores nothing.
//!
//! The same readers, tails and names as for a run. Of log text the last part is kept, so that patterns can be proposed with the lines
//! that they come from. Tested on files that are written while it looks.

use super::{
    discover::{GlobError, Globs},
    names::{self, Fate, Names},
    reader::{self, Candidate, Ends, Format, Lines, Losses, PatternError, Patterns, Reader, Reading},
    tail::{self, Links, Mood, Tail},
    whole::Whole,
};
use crate::model::signal::loose_float;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Most files that are looked into.
const MAX_FILES: usize = 200;
/// Lines of log text that are kept.
const KEPT_LINES: usize = 2000;
/// Longest part of a kept line.
const KEPT_BYTES: usize = 500;
/// Suggestions for one pattern, or one file.
const SUGGESTIONS: usize = 3;
/// Time between two walks for new files.
const BETWEEN_WALKS: Duration = Duration::from_secs(1);
/// Directories of programs and their parts.
const PASSED_OVER: [&str; 5] = ["node_modules", "site-packages", "__pycache__", "venv", "wandb"];
/// Ends of names that promise metrics.
const LIKELY: [&str; 13] =
    [".wandb", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".log", ".out", ".err", ".txt", ".npy", "stdout", "stderr"];

/// Why nothing can be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// The place.
    #[error("{path} cannot be read: {source}")]
    Place {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is known of one metric of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeySeen {
    /// Its name in a run: untrusted text.
    pub key: String,
    /// Values.
    pub count: u64,
    /// Where the last value stands; none if the file gives no step.
    pub step: Option<f64>,
    /// The last value.
    #[serde(with = "loose_float")]
    pub last: f64,
    /// Patterns that read it, counted from 1; empty if none did.
    pub patterns: Vec<usize>,
}

/// A pattern that would read something, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The line's text, without control sequences: untrusted.
    pub text: String,
    /// The metric.
    pub key: String,
    /// A regular expression for it.
    pub pattern: String,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileSeen {
    /// Relative to the place that was asked for: untrusted text.
    pub file: String,
    /// What it is read as; none if nothing reads it.
    pub format: Option<&'static str>,
    /// Its size.
    pub bytes: u64,
    /// Lines read; none for a format without lines.
    pub lines: Option<u64>,
    /// Lines or records that look like none of the format.
    pub rubbish: u64,
    /// Lines or records that are too long, skipped.
    pub too_long: u64,
    /// Its metrics, in the order of their names.
    pub keys: Vec<KeySeen>,
    /// Why it gives nothing.
    pub why: Option<String>,
}

/// How one pattern fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatternSeen {
    /// As it was given.
    pub pattern: String,
    /// Lines that it matches.
    pub lines: u64,
    /// Where it matches nothing: the nearest lines that look like metrics.
    pub nearest: Vec<Suggestion>,
}

/// What is seen at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Files, by path.
    pub files: Vec<FileSeen>,
    /// Patterns, as given.
    pub patterns: Vec<PatternSeen>,
    /// Files that were not looked into, by the end of their names.
    pub others: Vec<(String, u64)>,
    /// There was more than was looked at.
    pub cut: bool,
}

/// A place that is looked at again and again.
pub struct Survey {
    root: PathBuf,
    globs: Globs,
    /// Only files whose names promise metrics.
    likely: bool,
    given: Vec<String>,
    patterns: Arc<Patterns>,
    hits: Vec<u64>,
    names: Names,
    files: BTreeMap<PathBuf, Looked>,
    others: BTreeMap<String, BTreeSet<PathBuf>>,
    cut: bool,
    walked: Option<Instant>,
}

struct Looked {
    kind: Option<Format>,
    log: Arc<str>,
    path: PathBuf,
    tail: Tail,
    whole: Option<Whole>,
    reader: Option<Box<dyn Reader>>,
    ended: bool,
    lines: Option<Lines>,
    bytes: u64,
    counted: u64,
    kept: VecDeque<String>,
    keys: BTreeMap<String, KeySeen>,
    losses: Losses,
    why: Option<String>,
}

impl Survey {
    /// Prepares to look at a directory, or at one file. Without patterns, what trainers commonly print is read; without globs, the
    /// files whose names promise metrics are.
    ///
    /// Errors: a place that is not there, a pattern or a glob that cannot be used.
    pub fn open(place: &Path, patterns: &[String], globs: &[String]) -> Result<Self, SurveyError> {
        let bad = |source| SurveyError::Place { path: place.to_owned(), source };
        let file = std::fs::metadata(place).map_err(bad)?.is_file();
        let (root, wanted) = match (place.parent(), place.file_name()) {
            (Some(parent), Some(name)) if file => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                (parent.to_owned(), vec![globset::escape(&name.to_string_lossy())])
            }
            _ if globs.is_empty() => (place.to_owned(), vec!["**/*".to_owned()]),
            _ => (place.to_owned(), globs.to_vec()),
        };
        let compiled = Patterns::compile(patterns, Some("value"), &[])?;
        let compiled = if patterns.is_empty() { compiled.and_automatic() } else { compiled };
        Ok(Self {
            root,
            globs: Globs::compile(&wanted)?,
            likely: globs.is_empty() && !file,
            given: patterns.to_vec(),
            patterns: Arc::new(compiled),
            hits: vec![0; patterns.len()],
            names: Names::default(),
            files: BTreeMap::new(),
            others: BTreeMap::new(),
            cut: false,
            walked: None,
        })
    }

    /// Reads what is new. True if anything was. `last` says that nothing more will come: half lines are whole ones.
    pub fn look(&mut self, now: Instant, last: bool) -> bool {
        let mut changed = false;
        if self.walked.is_none_or(|then| now.saturating_duration_since(then) >= BETWEEN_WALKS) {
            self.walked = Some(now);
            changed |= self.walk();
        }
        let mood = if last { Mood::Final } else { Mood::Patient };
        let mut buffer = Vec::new();
        for file in self.files.values_mut() {
            loop {
                let (fresh, more, restarted) = file.read(&self.patterns, mood, now, &mut buffer);
                changed |= restarted || !buffer.is_empty() || !fresh.is_empty();
                file.count_lines(&buffer, &self.patterns, &mut self.hits, false);
                file.take(fresh, &self.patterns, &mut self.names);
                if !more {
                    break;
                }
            }
            if last && !file.ended {
                file.ended = true;
                let mut readings = Vec::new();
                if let Some(reader) = file.reader.as_mut().filter(|_| file.whole.is_none()) {
                    reader.finish(&mut readings);
                }
                file.count_lines(&[], &self.patterns, &mut self.hits, true);
                file.take(readings, &self.patterns, &mut self.names);
            }
        }
        changed
    }

    fn walk(&mut self) -> bool {
        let found = self.globs.walk(&self.root);
        let mut changed = false;
        self.cut |= found.cut;
        for relative in found.files {
            if self.files.contains_key(&relative) {
                continue;
            }
            let history = relative.extension().is_some_and(|end| end == "wandb");
            let hidden = |part: &str| part.starts_with('.') || (PASSED_OVER.contains(&part) && !(history && part == "wandb"));
            if self.likely && relative.components().any(|part| part.as_os_str().to_str().is_some_and(hidden)) {
                continue;
            }
            if self.likely && !likely(&relative) {
                let end = relative.extension().map_or_else(|| "no ending".to_owned(), |e| format!(".{}", e.to_string_lossy()));
                changed |= self.others.entry(end).or_default().insert(relative);
                continue;
            }
            if self.files.len() >= MAX_FILES {
                self.cut = true;
                break;
            }
            let path = self.root.join(&relative);
            let name = relative.to_string_lossy().into_owned();
            self.files.insert(relative, Looked::new(&name, path, &self.patterns));
            changed = true;
        }
        changed
    }

    /// Says what was seen so far.
    pub fn report(&self) -> Report {
        let mut proposals = Vec::new();
        for (name, file) in &self.files {
            proposals.extend(file.proposals(&name.to_string_lossy()));
        }
        let patterns = self.given.iter().zip(&self.hits).map(|(pattern, lines)| PatternSeen {
            pattern: pattern.clone(),
            lines: *lines,
            nearest: if *lines == 0 { nearest(pattern, &proposals) } else { Vec::new() },
        });
        Report {
            files: self.files.iter().map(|(name, file)| file.seen(name)).collect(),
            patterns: patterns.collect(),
            others: self.others.iter().map(|(end, files)| (end.clone(), files.len() as u64)).collect(),
            cut: self.cut,
        }
    }
}

fn likely(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.contains("tfevents") || LIKELY.iter().any(|end| name.ends_with(end))
}

/// Orders suggestions by how many of a pattern's words their line holds.
fn nearest(pattern: &str, proposals: &[Suggestion]) -> Vec<Suggestion> {
    let lower = pattern.to_ascii_lowercase();
    let words: BTreeSet<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 2).collect();
    let missing = |s: &Suggestion| {
        let text = s.text.to_ascii_lowercase();
        words.iter().filter(|word| !text.contains(**word) && !s.key.contains(**word)).count()
    };
    let mut list: Vec<&Suggestion> = proposals.iter().collect();
    list.sort_by_key(|s| missing(s));
    list.into_iter().take(SUGGESTIONS).cloned().collect()
}

impl Looked {
    fn new(name: &str, path: PathBuf, patterns: &Arc<Patterns>) -> Self {
        let head = tail::head(&path, &Links::Follow);
        let (kind, why) = match Format::of(&path, &head) {
            Ok(format) => (Some(format), None),
            Err(why) => (None, Some(format!("not read: {why}"))),
        };
        let lined = |format: Format| match format {
            Format::JsonLines | Format::Csv => Some(Lines::new(Ends::Newline)),
            Format::Text => Some(Lines::new(Ends::NewlineOrReturn)),
            Format::Json | Format::TfEvents | Format::Npy | Format::Wandb => None,
        };
        Self {
            kind,
            log: names::log(name, kind.unwrap_or(Format::Text)),
            tail: Tail::new(path.clone(), Links::Follow),
            whole: kind.filter(|k| k.whole()).map(|_| Whole::new(path.clone(), Links::Follow, None)),
            reader: kind.map(|k| k.reader(&path, patterns)),
            ended: false,
            lines: kind.and_then(lined),
            bytes: std::fs::metadata(&path).map_or(0, |m| m.len()),
            path,
            counted: 0,
            kept: VecDeque::new(),
            keys: BTreeMap::new(),
            losses: Losses::default(),
            why,
        }
    }

    /// Returns new readings, whether there is more at once, and whether the file began again.
    fn read(&mut self, patterns: &Arc<Patterns>, mood: Mood, now: Instant, buffer: &mut Vec<u8>) -> (Vec<Reading>, bool, bool) {
        buffer.clear();
        let Some(kind) = self.kind else { return (Vec::new(), false, false) };
        if let Some(whole) = &mut self.whole {
            return match whole.look(kind, patterns, mood) {
                Ok(Some(state)) if state.lines => {
                    let (name, log) = (self.path.clone(), Arc::clone(&self.log));
                    *self = Self::new("", name, patterns);
                    self.log = log;
                    (Vec::new(), true, true)
                }
                Ok(Some(state)) => {
                    self.losses = state.losses;
                    self.why = state.remark;
                    self.bytes = whole.bytes;
                    (state.fresh, false, true)
                }
                Ok(None) => (Vec::new(), false, false),
                Err(error) => {
                    self.why = Some(format!("cannot be read: {error}"));
                    (Vec::new(), false, false)
                }
            };
        }
        let look = match self.tail.look(buffer, mood, now) {
            Ok(look) => look,
            Err(error) => {
                self.why = Some(format!("cannot be read: {error}"));
                return (Vec::new(), false, false);
            }
        };
        if look.restarted {
            let mut fresh = Self::new("", self.path.clone(), patterns);
            fresh.log = Arc::clone(&self.log);
            std::mem::swap(&mut fresh.tail, &mut self.tail);
            *self = fresh;
        }
        let mut fresh = Vec::new();
        if let Some(reader) = &mut self.reader {
            reader.feed(buffer, &mut fresh);
            self.losses = reader.losses();
        }
        self.bytes = self.tail.place().offset;
        (fresh, look.more, look.restarted)
    }

    fn count_lines(&mut self, bytes: &[u8], patterns: &Patterns, hits: &mut [u64], last: bool) {
        let text = self.kind == Some(Format::Text);
        let (counted, kept) = (&mut self.counted, &mut self.kept);
        let mut line = |line: &[u8]| {
            *counted += 1;
            if !text {
                return;
            }
            let line = reader::plain(line);
            for at in patterns.matching(&line) {
                if let Some(hit) = hits.get_mut(at) {
                    *hit += 1;
                }
            }
            if kept.len() == KEPT_LINES {
                kept.pop_front();
            }
            kept.push_back(String::from_utf8_lossy(line.get(..KEPT_BYTES).unwrap_or(&line)).into_owned());
        };
        if let Some(lines) = &mut self.lines {
            lines.feed(bytes, &mut line);
            if last {
                lines.finish(&mut line);
            }
        }
    }

    fn take(&mut self, readings: Vec<Reading>, patterns: &Patterns, names: &mut Names) {
        for reading in readings {
            let (key, before) = match names.of(&self.log, &reading, |_| false) {
                Fate::Own | Fate::Again => (Arc::clone(&reading.key), 0),
                Fate::Further(name) => (name, 0),
                // What it said so far was shown under the name that it has in the file.
                Fate::Parted(name, left_out) => (name, left_out.len() as u64),
            };
            if before > 0 {
                self.keys.remove(&*reading.key);
            }
            match self.keys.get_mut(&*key) {
                Some(seen) => {
                    seen.count += 1;
                    seen.step = reading.step;
                    seen.last = reading.value;
                }
                None => {
                    let text = self.kind == Some(Format::Text);
                    let patterns = if text { patterns.of_key(&reading.key).map(|at| at + 1).collect() } else { Vec::new() };
                    let seen = KeySeen { key: key.to_string(), count: 1 + before, step: reading.step, last: reading.value, patterns };
                    self.keys.insert(key.to_string(), seen);
                }
            }
        }
    }

    /// Patterns for what its kept lines hold.
    fn proposals(&self, file: &str) -> Vec<Suggestion> {
        if self.kind != Some(Format::Text) {
            return Vec::new();
        }
        let first = self.counted - self.kept.len() as u64 + 1;
        let found = reader::suggest(&self.kept);
        found
            .into_iter()
            .map(|Candidate { key, pattern, sample, .. }| {
                let at = self.kept.iter().rposition(|line| line.trim().starts_with(sample.trim())).unwrap_or(0);
                Suggestion { file: file.to_owned(), line: first + at as u64, text: sample, key, pattern }
            })
            .collect()
    }

    fn seen(&self, name: &Path) -> FileSeen {
        let empty = if self.bytes == 0 { "empty" } else { "no metric in it" };
        FileSeen {
            file: name.to_string_lossy().into_owned(),
            format: self.kind.map(Format::word),
            bytes: self.bytes,
            lines: self.lines.as_ref().map(|_| self.counted),
            rubbish: self.losses.rubbish,
            too_long: self.losses.too_long,
            keys: self.keys.values().cloned().collect(),
            why: self
                .why
                .clone()
                .or_else(|| self.reader.as_ref().and_then(|r| r.remark()))
                .or_else(|| self.keys.is_empty().then(|| empty.into())),
        }
    }
}

#[cfg(test)]
mod tests;
