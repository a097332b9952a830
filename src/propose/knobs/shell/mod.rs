//! Reads the options that a shell script sets: `--lr 1e-4`, `--lr=0.1`, `opt.lr=0.1`, `lr=0.01` that is used as `$lr`,
//! `LR=0.1 python train.py`, `ARGS="--lr 0.1"` and `ARGS=(--lr 0.1)`.
//!
//! Only options that stand behind a training script count: `curl --retry 3` sets no knob. Values of loops, options with
//! several values, and variables that are assigned twice are left alone. The same reader tells what a run command names.

mod words;

use super::{
    found::{self, Found, Site},
    yaml::is_key,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};
use words::{Kind, Segment, Word};

/// What a script, or a command line, says.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub literals: Vec<Found>,
    /// Options and environment variables that are set, with or without a literal: name and line.
    pub sets: Vec<(String, usize)>,
    /// Options that get a value which cannot be told.
    pub open: BTreeSet<String>,
    /// Every plain word, and every plain value of an option or variable: what may name a file.
    pub words: Vec<String>,
}

/// Reads a script. What is not understood is passed over.
pub(super) fn read(source: &str) -> Result<Script, String> {
    let mut reader = Reader { source, script: Script::default(), variables: Vec::new(), uses: BTreeMap::new(), times: BTreeMap::new() };
    let start = if source.starts_with('\u{feff}') { 3 } else { 0 };
    for command in words::commands(source, start..source.len()) {
        reader.command(&command);
    }
    reader.finish();
    Ok(reader.script)
}

/// A variable's one value, and whether children see it.
struct Variable {
    name: String,
    value: Segment,
    exported: bool,
}

struct Reader<'s> {
    source: &'s str,
    script: Script,
    variables: Vec<Variable>,
    /// The option that a variable is handed to.
    uses: BTreeMap<String, String>,
    /// How often a variable is assigned.
    times: BTreeMap<String, usize>,
}

/// Words that stand before a command.
const BEFORE: &[&str] = &["do", "then", "else", "if", "elif", "while", "until", "time", "exec", "nohup", "sudo", "env", "!", "{", "eval"];
/// Words that declare variables.
const DECLARES: &[&str] = &["export", "local", "declare", "readonly", "typeset"];

impl Reader<'_> {
    fn command(&mut self, command: &[Word]) {
        let mut words = command;
        let mut declares = "";
        loop {
            let Some((first, rest)) = words.split_first() else { return };
            let text = first.text(self.source).unwrap_or_default();
            if BEFORE.contains(&text.as_str()) {
                words = rest;
            } else if let Some(word) = DECLARES.iter().find(|d| **d == text) {
                declares = word;
                words = rest;
            } else if matches!(text.as_str(), "for" | "select" | "read") {
                // The variable of a loop has many values.
                if let Some(name) = rest.first().and_then(|w| w.text(self.source)) {
                    *self.times.entry(name).or_insert(0) += 2;
                }
                return;
            } else if !declares.is_empty() && text.starts_with('-') {
                words = rest;
            } else {
                break;
            }
        }
        let assigned = words.iter().take_while(|w| assignment(w, self.source).is_some()).count();
        let (assignments, rest) = words.split_at(assigned);
        let prefix = !rest.is_empty() && declares.is_empty();
        for word in assignments {
            self.assign(word, declares == "export" || prefix);
        }
        self.script.words.extend(rest.iter().filter_map(|w| w.text(self.source)));
        if let Some(options) = behind_script(rest, self.source) {
            self.options(options);
        }
    }

    fn assign(&mut self, word: &Word, exported: bool) {
        let Some(name) = assignment(word, self.source) else { return };
        *self.times.entry(name.to_owned()).or_insert(0) += 1;
        if let Some(list) = &word.list {
            self.script.words.extend(list.iter().filter_map(|w| w.text(self.source)));
            return self.options(list);
        }
        let Some(value) = word.value(name.len() + 1) else { return };
        let text = self.source.get(value.range.clone()).unwrap_or_default();
        if value.quoted
            && text.trim_start().trim_start_matches(['\\', '\n', '\r', ' ', '\t']).starts_with('-')
            && text.contains([' ', '\n'])
        {
            // `OPTS="--lr 0.1 …"`
            for command in words::commands(self.source, value.range) {
                self.options(&command);
            }
            return;
        }
        if value.kind == Kind::Plain {
            self.script.words.push(text.to_owned());
        }
        if exported {
            self.script.sets.push((name.to_owned(), found::line_of(self.source, value.range.start)));
        }
        self.variables.push(Variable { name: name.to_owned(), value, exported });
    }

    /// Options, and Hydra's `key=value`.
    fn options(&mut self, words: &[Word]) {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            let head = word.head(self.source);
            let (key, inline) = match head.split_once('=') {
                Some((key, _)) => (key, true),
                None => (head, false),
            };
            if let Some(name) = option_name(key) {
                let line = word.segments.first().map_or(1, |s| found::line_of(self.source, s.range.start));
                self.script.sets.push((name.clone(), line));
                if inline {
                    self.option(name, word.value(key.len() + 1));
                    continue;
                }
                let values = words.iter().skip(at).take_while(|w| option_name(w.head(self.source)).is_none()).count();
                at += usize::from(values > 0);
                let one = values == 1 || words.get(at).is_none_or(|w| w.text(self.source).is_none_or(|t| found::number(&t).is_none()));
                if values > 0 && one {
                    self.option(name, words.get(at - 1).and_then(|w| w.value(0)));
                }
            } else if inline {
                let key_name = key.trim_start_matches('+');
                let first = key_name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
                if first && is_key(key_name) {
                    let line = word.segments.first().map_or(1, |s| found::line_of(self.source, s.range.start));
                    self.script.sets.push((key_name.to_owned(), line));
                    self.option(key_name.to_owned(), word.value(key.len() + 1));
                }
            }
        }
    }

    fn option(&mut self, name: String, value: Option<Segment>) {
        let Some(value) = value else {
            self.script.open.insert(name);
            return;
        };
        match &value.kind {
            Kind::Plain => {
                self.script.words.push(self.source.get(value.range.clone()).unwrap_or_default().to_owned());
                self.push(name, value.range, Site::Flag, None);
            }
            Kind::Variable(variable) => {
                self.uses.entry(variable.clone()).or_insert(name);
            }
            Kind::Default(_, range) => self.push(name, range.clone(), Site::Flag, None),
            Kind::Opaque => drop(self.script.open.insert(name)),
        }
    }

    fn push(&mut self, name: String, place: Range<usize>, site: Site, meaning: Option<String>) {
        let text = self.source.get(place.clone()).unwrap_or_default();
        // A bare word is a choice where the source names choices; quotes stay outside of the place.
        if let Some((value, form)) = found::bare(text) {
            let mut found = Found::new(name, self.source, place, value, form, site);
            found.meaning = meaning;
            self.script.literals.push(found);
        }
    }

    fn finish(&mut self) {
        let known = |name: &str| self.variables.iter().any(|v| v.name == *name) && self.times.get(name).is_none_or(|n| *n <= 1);
        self.script.open.extend(self.uses.iter().filter(|(variable, _)| !known(variable)).map(|(_, option)| option.clone()));
        for variable in std::mem::take(&mut self.variables) {
            let used = self.uses.get(&variable.name).cloned();
            if self.times.get(&variable.name).is_some_and(|n| *n > 1) || !(variable.exported || used.is_some()) {
                continue;
            }
            let site = if used.is_some() { Site::Flag } else { Site::Environment };
            match variable.value.kind {
                Kind::Plain => self.push(variable.name, variable.value.range, site, used),
                Kind::Default(_, range) => self.push(variable.name, range, site, used),
                Kind::Variable(_) | Kind::Opaque => {}
            }
        }
    }
}

/// The name of `name=…`.
fn assignment<'s>(word: &Word, source: &'s str) -> Option<&'s str> {
    let first = word.segments.first().filter(|s| !s.quoted)?;
    let (name, _) = source.get(first.range.clone())?.split_once('=')?;
    let fits = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then_some(name)
}

/// The name of an option as argparse keeps it: `--weight-decay` is `weight_decay`.
fn option_name(text: &str) -> Option<String> {
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let fits = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    fits.then(|| name.replace('-', "_"))
}

/// The words behind a training script: behind `….py`, `….sh`, `-m module`, or a program that trains by its name.
fn behind_script<'w>(words: &'w [Word], source: &str) -> Option<&'w [Word]> {
    let texts: Vec<Option<String>> = words.iter().map(|w| w.text(source)).collect();
    let is_script = |t: &Option<String>| t.as_ref().is_some_and(|t| !t.starts_with('-') && (t.ends_with(".py") || t.ends_with(".sh")));
    let module = texts.iter().position(|t| t.as_deref() == Some("-m")).map(|at| at + 2);
    let program = texts.first().and_then(Option::as_deref).is_some_and(|t| {
        let name = t.rsplit('/').next().unwrap_or(t);
        name.contains("train") || name.contains("finetune")
    });
    let from = texts.iter().position(is_script).map(|at| at + 1).or(module).or(program.then_some(1))?;
    words.get(from..)
}
