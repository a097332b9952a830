//! Knobs: literals in Python source that a sampler may turn, each with its byte range, kind and a sensible range.
//!
//! [`discover`] reads a tree's sources, [`rewrite`] changes the literals' bytes and nothing else. Ranges come from names
//! and values (`ranges`), or from the task ([`Bound`]). A file that does not parse yields no knob and a reason.
//! Tested by tables and by proptest on arbitrary text.

mod names;
mod python;
mod ranges;
mod rewrite;
#[cfg(test)]
mod tests;

pub use rewrite::{RewriteError, rewrite};

use crate::model::KnobValue;
use std::{collections::BTreeMap, ops::Range};

/// What values a knob may take. Both ends of a range belong to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A finite number.
    Float {
        /// Smallest.
        lo: f64,
        /// Largest.
        hi: f64,
        /// Searched on a logarithmic scale; `lo` is positive then.
        log: bool,
    },
    /// A whole number.
    Int {
        /// Smallest.
        lo: i64,
        /// Largest.
        hi: i64,
        /// Searched on a logarithmic scale; `lo` is at least 1 then.
        log: bool,
    },
    /// `True` or `False`.
    Bool,
    /// One of these.
    Choice(Vec<KnobValue>),
}

/// How the literal is written, which decides how a new value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number, with its sign.
    Number,
    /// `True` or `False`.
    Word,
    /// A plain string literal.
    Text,
    /// The string `store_true` or `store_false` of an argparse flag without a default.
    Action,
}

/// A literal that may be turned.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// Unique in its tree: `LEARNING_RATE`, `opt.lr`, `Config.dropout`; `path:name` where two files share a name.
    pub name: String,
    /// The file.
    pub path: String,
    /// Byte range of the literal in the file, its sign included.
    pub place: Range<usize>,
    /// Line of the literal, from 1.
    pub line: usize,
    /// What values it may take.
    pub kind: Kind,
    /// Only powers of two in the range are meant (widths, batch sizes).
    pub powers_of_two: bool,
    /// Zero is meant too, beside a logarithmic range (weight decay that is switched off).
    pub zero: bool,
    /// Its value in this source.
    pub value: KnobValue,
    /// The literal's text.
    pub text: String,
    /// How it is written.
    pub form: Form,
}

/// The type that a task gives a knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKind {
    /// A finite number.
    Float,
    /// A whole number.
    Int,
    /// `True` or `False`.
    Bool,
    /// One of the choices.
    Choice,
}

/// What a task says of a knob (`[[knob]]`). What it leaves open is found from name and value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bound {
    /// The knob's name, or the end of it after a dot or colon where that is unique.
    pub name: String,
    /// Its type.
    pub kind: Option<BoundKind>,
    /// Smallest and largest value.
    pub range: Option<(f64, f64)>,
    /// Whether the range is searched on a logarithmic scale.
    pub log: Option<bool>,
    /// The choices, where it is one of a list.
    pub choices: Vec<KnobValue>,
    /// Not to be touched.
    pub exclude: bool,
}

/// What was found in a tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovery {
    /// The knobs, by path and place.
    pub knobs: Vec<Knob>,
    /// Files that could not be read as Python: path and reason.
    pub skipped: Vec<(String, String)>,
    /// Bounds that fit no literal, or more than one: name and reason.
    pub unmatched: Vec<(String, String)>,
}

/// Finds the knobs of a tree's Python files (`.py`; other paths are ignored).
///
/// Where the task lists knobs (any bound that does not exclude), only the listed ones are turned; otherwise every literal
/// whose name and value tell a sensible range, minus the excluded ones. A listed knob is taken even where its name looks
/// like something that is no knob (a seed, a path): the task knows best.
pub fn discover(sources: &BTreeMap<String, String>, bounds: &[Bound]) -> Discovery {
    let mut out = Discovery::default();
    let mut found: Vec<(&str, python::Found)> = Vec::new();
    for (path, source) in sources.iter().filter(|(path, _)| path.ends_with(".py")) {
        match python::literals(source) {
            Ok(literals) => found.extend(literals.into_iter().map(|l| (path.as_str(), l))),
            Err(reason) => out.skipped.push((path.clone(), reason)),
        }
    }
    let names = unique_names(&found);
    let mut bound_of: BTreeMap<usize, &Bound> = BTreeMap::new();
    for bound in bounds {
        let fits: Vec<usize> = exact(&names, &bound.name).into_iter().chain(ends_with(&names, &bound.name)).collect();
        match fits.as_slice() {
            [] => out.unmatched.push((bound.name.clone(), "no literal of that name in the editable Python files".into())),
            [one] => {
                bound_of.insert(*one, bound);
            }
            many if bound.exclude => bound_of.extend(many.iter().map(|i| (*i, bound))),
            many => {
                let all: Vec<&str> = many.iter().filter_map(|i| names.get(*i)).map(String::as_str).collect();
                out.unmatched.push((bound.name.clone(), format!("fits {}: write one of them in full", all.join(", "))));
            }
        }
    }
    let listed = bounds.iter().any(|b| !b.exclude);
    for (i, ((path, found), name)) in found.iter().zip(&names).enumerate() {
        let range = match bound_of.get(&i) {
            Some(bound) if bound.exclude => continue,
            Some(bound) => ranges::bounded(found, bound).map_err(|reason| out.unmatched.push((bound.name.clone(), reason))).ok(),
            None if listed => continue,
            None => ranges::guess(found),
        };
        let Some(range) = range else { continue };
        out.knobs.push(Knob {
            name: name.clone(),
            path: (*path).to_owned(),
            place: found.place.clone(),
            line: found.line,
            kind: range.kind,
            powers_of_two: range.powers_of_two,
            zero: range.zero,
            value: range.value,
            text: found.text.clone(),
            form: found.form,
        });
    }
    out
}

/// Names a literal after its file where two files share a name, and counts those that one file has twice.
fn unique_names(found: &[(&str, python::Found)]) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, literal) in found {
        let paths = files.entry(&literal.name).or_default();
        if !paths.contains(path) {
            paths.push(path);
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    found
        .iter()
        .map(|(path, literal)| {
            let shared = files.get(literal.name.as_str()).is_some_and(|p| p.len() > 1);
            let name = if shared { format!("{path}:{}", literal.name) } else { literal.name.clone() };
            let times = seen.entry(name.clone()).or_insert(0);
            *times += 1;
            if *times > 1 { format!("{name}#{times}") } else { name }
        })
        .collect()
}

fn exact(names: &[String], wanted: &str) -> Option<usize> {
    names.iter().position(|n| n == wanted)
}

fn ends_with(names: &[String], wanted: &str) -> Vec<usize> {
    if exact(names, wanted).is_some() {
        return Vec::new();
    }
    let ends = |n: &String| n.strip_suffix(wanted).is_some_and(|rest| rest.ends_with(['.', ':']));
    names.iter().enumerate().filter(|(_, n)| ends(n)).map(|(i, _)| i).collect()
}
