//! Walks the parsed document section by section, takes typed values out and notes everything that is wrong with them.
//!
//! A getter that finds a problem notes it and returns a blank value; `parse` hands no task out while there are problems.

use super::{
    Unused,
    problem::{Problem, place},
    quantity::{self, BadQuantity},
    words::nearest_word,
};
use std::{cell::RefCell, ops::Range, time::Duration};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// The sections of the file and their keys, for the reader and for the nearest word.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    ("task", &["name", "title", "metric", "goal", "target", "brief", "noise", "min_effect"]),
    ("reference", &["value", "source", "protocol"]),
    ("repository", &["path", "url", "rev", "patch", "editable", "protected", "max_changed_lines"]),
    ("data", &["path", "sha256", "hidden"]),
    ("setup", &["command", "wall"]),
    ("run", &["command", "seed", "seeds", "aggregate", "env", "keep", "preflight"]),
    ("budget", &["kind", "wall", "grace", "memory", "gpus", "output"]),
    ("evaluator", &["command", "from", "files", "needs", "wall", "prepare", "holdout"]),
    ("inference", &["command", "inputs", "wall"]),
    ("gate", &["key", "min", "max", "stage"]),
    ("live", &["stdout", "files", "primary"]),
    ("sandbox", &["require", "network", "read"]),
    ("surfaces", &[]),
    ("knob", &["name", "type", "range", "log", "choices", "exclude"]),
    ("space", &["writes", "axes"]),
    ("retention", &["artifacts"]),
];

/// The words of `task.toml`.
pub(super) const TASK: Vocabulary =
    Vocabulary { sections: SECTIONS, lists: &["data", "gate", "knob"], usual: &["task", "run", "budget", "evaluator"] };

/// The words that a kind of file may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary {
    /// Sections and their keys; no keys means that any is good.
    pub(crate) sections: &'static [(&'static str, &'static [&'static str])],
    /// Sections written with two brackets.
    pub(crate) lists: &'static [&'static str],
    /// Sections that people write most: a key of several is taken for one of theirs.
    pub(crate) usual: &'static [&'static str],
}

impl Vocabulary {
    pub(super) fn keys_of(&self, section: &str) -> &'static [&'static str] {
        self.sections.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
    }

    /// The section that a key belongs to.
    pub(super) fn owner_of(&self, key: &str) -> Option<&'static str> {
        let usual = self.sections.iter().filter(|(name, _)| self.usual.contains(name));
        usual.chain(self.sections).find(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name)
    }

    /// A section's name as it is written: `[run]`, `[[gate]]`.
    pub(super) fn written(&self, section: &str) -> String {
        if self.lists.contains(&section) { format!("[[{section}]]") } else { format!("[{section}]") }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Spot<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// Collects what is found on the way.
pub(crate) struct Walk<'t> {
    text: &'t str,
    pub(super) words: Vocabulary,
    /// Lines with a syntax error: what was understood of them is not worth a second problem.
    torn: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    unused: RefCell<Vec<Unused>>,
}

impl<'t> Walk<'t> {
    pub(crate) fn new(text: &'t str, words: Vocabulary, syntax: &[Problem]) -> Self {
        Self { text, words, torn: syntax.iter().map(|p| p.line).collect(), problems: RefCell::default(), unused: RefCell::default() }
    }

    pub(crate) fn problem(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Option<String>>) {
        let problem = Problem::at(self.text, span, &message.into(), hint.into());
        if !self.torn.contains(&problem.line) {
            self.problems.borrow_mut().push(problem);
        }
    }

    /// Notes what is not there, unless it may only have been unreadable.
    pub(super) fn absent(&self, span: Range<usize>, message: String, hint: String) {
        if self.torn.is_empty() {
            self.problem(span, message, hint);
        }
    }

    /// Notes a whole section that is not there; the caret stands at the end of the text, where it is to be added.
    pub(super) fn absent_section(&self, section: &str, example: &str) {
        let end = self.text.trim_end().len();
        self.absent(
            end..end,
            format!("{} is missing", self.words.written(section)),
            format!("add\n{}\n{example}", self.words.written(section)),
        );
    }

    pub(crate) fn unused(&self, key: &str, span: &Range<usize>, essential: bool, why: &'static str) {
        let line = place(self.text, span.start).0;
        self.unused.borrow_mut().push(Unused { key: key.to_owned(), line, essential, why });
    }

    /// The line of a place, from 1.
    pub(crate) fn line_of(&self, span: &Range<usize>) -> usize {
        place(self.text, span.start).0
    }

    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<Unused>) {
        (self.problems.into_inner(), self.unused.into_inner())
    }
}

/// One table of the document.
pub(crate) struct Section<'w> {
    pub(crate) walk: &'w Walk<'w>,
    table: &'w DeTable<'w>,
    /// As a person would say it: `[run]`, `[run] preflight`.
    title: String,
    /// Dotted: `run`, `run.preflight`.
    pub(crate) prefix: String,
    pub(crate) header: Range<usize>,
    /// Keys that are there under a mistyped name: what was meant, and what was written.
    mistyped: Vec<(&'static str, &'w str)>,
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn list_words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(crate) fn integer(value: &toml::de::DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

pub(crate) fn float(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(i) => integer(i).map(|i| i as f64),
        DeValue::Float(f) => f.as_str().parse().ok(),
        _ => None,
    }
}

impl<'w> Section<'w> {
    /// Opens a table and notes the keys that it should not have. `known` empty means that any key is good.
    pub(super) fn open(
        walk: &'w Walk<'w>,
        title: String,
        prefix: String,
        key: Range<usize>,
        value: &'w Spanned<DeValue<'w>>,
        known: &[&'static str],
    ) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("{title} must be a table, not {}", kind(value.get_ref()));
            let hint = if prefix.contains('.') { "write it as { … }".to_owned() } else { format!("write {title} on a line of its own") };
            walk.problem(value.span(), message, hint);
            return None;
        };
        let mut section = Self { walk, table, title, prefix, header: key, mistyped: Vec::new() };
        if !known.is_empty() {
            section.refuse_unknown(known);
        }
        Some(section)
    }

    /// Notes unknown keys. A value under a mistyped key is checked like the one that was meant.
    fn refuse_unknown(&mut self, known: &[&'static str]) {
        for key in self.table.keys().filter(|k| !known.contains(&k.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let absent = known.iter().copied().filter(|word| !self.table.contains_key(*word));
            let near = nearest_word(name, absent);
            let owner = if self.prefix.contains('.') { None } else { self.walk.words.owner_of(name) };
            let hint = match (owner, near) {
                (Some(section), _) => format!("`{name}` belongs to {}", self.walk.words.written(section)),
                (None, Some(word)) => {
                    if let Some(word) = known.iter().copied().find(|w| *w == word) {
                        self.mistyped.push((word, name));
                    }
                    format!("did you mean `{word}`?")
                }
                (None, None) => format!("{} knows {}", self.title, list_words(known.iter().copied())),
            };
            self.walk.problem(key.span(), format!("unknown key `{name}` in {}", self.title), hint);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<(&'w Spanned<DeString<'w>>, &'w Spanned<DeValue<'w>>)> {
        let written = self.mistyped.iter().find(|(meant, _)| *meant == key).map_or(key, |(_, written)| written);
        self.table.get_key_value(written)
    }

    /// All entries in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'w Spanned<DeString<'w>>, &'w Spanned<DeValue<'w>>)> + use<'w> {
        self.table.iter()
    }

    /// The line of a key, from 1.
    pub(crate) fn line(&self, key: &str) -> Option<usize> {
        self.get(key).map(|(k, _)| self.walk.line_of(&k.span()))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn key_span(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.header.clone(), |(k, _)| k.span())
    }

    pub(crate) fn missing(&self, key: &str, example: &str) {
        let message = format!("`{key}` is missing in {}", self.title);
        self.walk.absent(self.header.clone(), message, format!("add\n{example}"));
    }

    pub(crate) fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, want: &str, example: &str) {
        let message = format!("`{key}` must be {want}, not {}", kind(value.get_ref()));
        self.walk.problem(value.span(), message, format!("write {key} = {example}"));
    }

    /// A text with something in it.
    pub(crate) fn text(&self, key: &str, example: &str) -> Option<Spot<String>> {
        let (_, value) = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.walk.problem(value.span(), format!("`{key}` is empty"), format!("write {key} = {example}"));
                None
            }
            DeValue::String(text) => Some(Spot { value: text.clone().into_owned(), span: value.span() }),
            other => {
                let example = match other {
                    DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                        quoted(self.walk.text.get(value.span()).unwrap_or_default())
                    }
                    _ => example.to_owned(),
                };
                self.wrong(key, value, "a text", &example);
                None
            }
        }
    }

    /// A text that must be there; blank after a problem.
    pub(crate) fn need_text(&self, key: &str, example: &str) -> Spot<String> {
        if !self.has(key) {
            self.missing(key, &format!("{key} = {example}"));
        }
        self.text(key, example).unwrap_or(Spot { value: String::new(), span: self.header.clone() })
    }

    /// A finite number.
    pub(crate) fn number(&self, key: &str, example: &str) -> Option<Spot<f64>> {
        let (_, value) = self.get(key)?;
        match float(value.get_ref()) {
            Some(number) if number.is_finite() => Some(Spot { value: number, span: value.span() }),
            Some(_) => {
                self.walk.problem(value.span(), format!("`{key}` must be finite"), format!("write {key} = {example}"));
                None
            }
            None => {
                let example = match value.get_ref() {
                    DeValue::String(text) if text.parse().is_ok_and(f64::is_finite) => text.as_ref(),
                    _ => example,
                };
                self.wrong(key, value, "a number", example);
                None
            }
        }
    }

    /// A whole number of at least `least`.
    pub(crate) fn whole(&self, key: &str, least: u32, example: &str) -> Option<u32> {
        let (_, value) = self.get(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong(key, value, "a whole number", example);
            return None;
        };
        match integer(number).and_then(|n| u32::try_from(n).ok()) {
            Some(n) if n >= least => Some(n),
            _ => {
                let message = format!("`{key}` must be a whole number from {least} to {}", u32::MAX);
                self.walk.problem(value.span(), message, format!("write {key} = {example}"));
                None
            }
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let (_, value) = self.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong(key, value, "true or false", "true");
        None
    }

    /// A list of texts with something in them.
    pub(crate) fn texts(&self, key: &str, example: &str) -> Vec<Spot<String>> {
        let Some((_, value)) = self.get(key) else { return Vec::new() };
        let items = match value.get_ref() {
            DeValue::Array(items) => items,
            DeValue::String(text) => {
                self.wrong(key, value, "a list of texts", &format!("[{}]", quoted(text)));
                return Vec::new();
            }
            _ => {
                self.wrong(key, value, "a list of texts", example);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) if !text.trim().is_empty() => {
                    texts.push(Spot { value: text.clone().into_owned(), span: item.span() })
                }
                DeValue::String(_) => {
                    self.walk.problem(item.span(), format!("an entry of `{key}` is empty"), format!("write {key} = {example}"))
                }
                other => {
                    let message = format!("an entry of `{key}` must be a text, not {}", kind(other));
                    self.walk.problem(item.span(), message, format!("write {key} = {example}"));
                }
            }
        }
        texts
    }

    /// Entries of a list as written, good or not.
    pub(super) fn texts_given(&self, key: &str) -> Option<usize> {
        match self.get(key)?.1.get_ref() {
            DeValue::Array(items) => Some(items.len()),
            _ => None,
        }
    }

    /// One of a closed set of words.
    pub(crate) fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let example = quoted(words.first().map_or("", |(word, _)| word));
        let spot = self.text(key, &example)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == spot.value) {
            return Some(*value);
        }
        let names = words.iter().map(|(word, _)| *word);
        let hint = match nearest_word(&spot.value, names.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of {}", list_words(names)),
        };
        self.walk.problem(spot.span, format!("`{}` is not a valid `{key}`", spot.value), hint);
        None
    }

    fn quantity<T>(&self, key: &str, what: &str, example: &str, read: impl Fn(&str) -> Result<T, BadQuantity>) -> Option<Spot<T>> {
        let (_, value) = self.get(key)?;
        let spot = match value.get_ref() {
            DeValue::Integer(n) => Spot { value: n.as_str().to_owned(), span: value.span() },
            DeValue::String(_) => self.text(key, example)?,
            _ => {
                self.wrong(key, value, what, example);
                return None;
            }
        };
        match read(&spot.value) {
            Ok(value) => Some(Spot { value, span: spot.span }),
            Err(error) => {
                let hint = match &error {
                    BadQuantity::NoUnit { text } => format!("write {key} = \"{text}s\" for seconds, or \"{text}m\" for minutes"),
                    _ => format!("write {key} = {example}"),
                };
                let message = match &error {
                    BadQuantity::NoUnit { text } => format!("`{key}` has no unit: `{text}`"),
                    other => format!("`{key}`: {other}"),
                };
                self.walk.problem(spot.span, message, hint);
                None
            }
        }
    }

    /// A positive duration.
    pub(crate) fn duration(&self, key: &str, example: &str) -> Option<Duration> {
        let spot = self.quantity(key, "a duration", example, quantity::duration)?;
        if spot.value.is_zero() {
            self.walk.problem(spot.span, format!("`{key}` must be longer than nothing"), format!("write {key} = {example}"));
            return None;
        }
        Some(spot.value)
    }

    /// A positive size in bytes.
    pub(crate) fn bytes(&self, key: &str, example: &str) -> Option<u64> {
        let spot = self.quantity(key, "a size", example, quantity::bytes)?;
        if spot.value == 0 {
            self.walk.problem(spot.span, format!("`{key}` must be more than nothing"), format!("write {key} = {example}"));
            return None;
        }
        Some(spot.value)
    }

    /// A table under a key of this one.
    pub(crate) fn table(&self, key: &str, known: &[&'static str]) -> Option<Section<'w>> {
        let (k, value) = self.get(key)?;
        let title = format!("{} {key}", self.title);
        Section::open(self.walk, title, format!("{}.{key}", self.prefix), k.span(), value, known)
    }
}
