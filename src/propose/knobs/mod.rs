//! Knobs: literals in sources and files of settings that a sampler may turn, each with its place, kind and a sensible range.
//!
//! [`discover`] reads a tree's Python, shell scripts, YAML, TOML, JSON and gin; [`rewrite`] changes the literals' bytes and
//! nothing else. One file reads one format (`python`, `shell`, `yaml` …) into named literals (`found`). `reach` follows the
//! run command, `shadow` finds what is set elsewhere, `choices` and `conditions` what the code tells of a setting, `ranges`
//! gives ranges by name and value, or as the task says ([`Bound`]). Knows neither git nor the disk. Tested by tables and by
//! proptest on arbitrary text.

mod bound;
mod choices;
mod chosen;
mod conditions;
mod format;
#[cfg(test)]
mod formats_tests;
mod found;
mod gin;
mod hydra;
mod json;
mod names;
mod pairs;
mod python;
mod ranges;
mod reach;
mod rewrite;
mod scan;
mod shadow;
mod shell;
#[cfg(test)]
mod tests;
mod toml;
mod yaml;

pub use bound::{Bound, BoundKind};
pub use rewrite::{RewriteError, rewrite};

use crate::{model::KnobValue, task::nearest_word};
use found::{Site, leaf};
use scan::{Literal, Scan};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Bytes of a file that is still searched for knobs.
pub const LARGEST: u64 = 1 << 20;

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
    /// A name without quotes (YAML, shell).
    Bare,
    /// A power of two as `2**14`.
    Power,
}

/// When a knob matters: under some values of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Name of the other knob, a switch or a choice.
    pub knob: String,
    /// Its values under which this one matters.
    pub equals: Vec<KnobValue>,
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
    /// Only halvings and doublings in the range are meant (widths, batch sizes): powers of two where the value is one.
    pub powers_of_two: bool,
    /// Zero is meant too, beside a logarithmic range (weight decay that is switched off).
    pub zero: bool,
    /// Its value in this source.
    pub value: KnobValue,
    /// The literal's text.
    pub text: String,
    /// How it is written.
    pub form: Form,
    /// When it matters; always, where none.
    pub active: Option<Active>,
    /// It says how long a run trains; its range ends at its value.
    pub budget: bool,
    /// The rule that gave the range, for people.
    pub rule: &'static str,
}

/// A literal that is not turned.
#[derive(Debug, Clone, PartialEq)]
pub struct Aside {
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// Its value in this source.
    pub value: KnobValue,
    /// Why it is not turned.
    pub reason: String,
}

/// What was found in a tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Discovery {
    /// The knobs, by path and place.
    pub knobs: Vec<Knob>,
    /// Files that could not be read: path and reason.
    pub skipped: Vec<(String, String)>,
    /// Bounds that fit no literal, or more than one: name and reason.
    pub unmatched: Vec<(String, String)>,
    /// Literals that are not turned, by path and place.
    pub aside: Vec<Aside>,
}

/// What a tree is beside its editable files.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// The run command: what it does not reach is not turned, what it sets itself neither.
    pub command: Option<&'a str>,
    /// Files that no proposal may change, but that tell of the others.
    pub fixed: BTreeMap<String, String>,
}

/// Whether a path may hold knobs, by its name alone.
pub fn is_source(path: &str) -> bool {
    format::Format::of(path).is_some()
}

/// The word for a path's format (`Python`, `YAML` …); none where it holds no knobs.
pub fn format_word(path: &str) -> Option<&'static str> {
    format::Format::of(path).map(format::Format::word)
}

/// Finds the knobs of a tree's files, without a run command. Paths that hold none are ignored.
///
/// Where the task lists knobs (any bound that does not exclude), only the listed ones are turned; otherwise every literal
/// whose name and value tell a sensible range, minus the excluded ones. A listed knob is taken even where its name looks
/// like something that is no knob (a seed, a path): the task knows best.
pub fn discover(sources: &BTreeMap<String, String>, bounds: &[Bound]) -> Discovery {
    discover_around(sources, bounds, &Around::default())
}

/// Finds the knobs as [`discover`] does, with what is known around the files.
///
/// With a run command only the files that it reaches count, and a literal that something nearer to the run sets is not
/// turned: the command line before a script, a script before a file of settings, that before a default in the code.
pub fn discover_around(sources: &BTreeMap<String, String>, bounds: &[Bound], around: &Around<'_>) -> Discovery {
    let mut scan = scan::scan(sources, &around.fixed);
    let after = reach::cut(&mut scan, around.command);
    let chosen_by = hydra::choices(&mut scan);
    let reach = reach::reach(&scan, around.command);
    let facts: Vec<(String, python::Facts)> =
        scan.facts.iter().filter(|(p, _)| reach.has(p)).map(|(p, f)| (p.clone(), f.clone())).collect();
    choices::complete(&mut scan, &facts);
    let shadowed = shadow::shadowed(&scan, &reach);
    let unread = unread(&scan, &facts);
    let live = |i: usize, l: &Literal| l.editable && reach.has(&l.path) && !shadowed.contains_key(&i) && !unread.contains(&i);
    scan::name(&mut scan.literals, live);
    let mut out = Discovery { skipped: scan.skipped.clone(), aside: after, ..Discovery::default() };
    let bound_of = matched(&scan, bounds, &mut out.unmatched);
    let listed = bounds.iter().any(|b| !b.exclude);
    let mut bare = Vec::new();
    for (i, literal) in scan.literals.iter().enumerate() {
        let found = &literal.found;
        let range = match bound_of.get(&i) {
            Some(_) if !literal.editable => Err("its file is protected".to_owned()),
            Some(bound) if bound.exclude => Err("[[knob]] of the task excludes it".to_owned()),
            Some(bound) => ranges::bounded(found, bound).inspect_err(|reason| out.unmatched.push((bound.name.clone(), reason.clone()))),
            None if !reach.has(&literal.path) => Err("the run command does not reach its file".to_owned()),
            None => match (shadowed.get(&i), ranges::guess(found)) {
                (_, Err(reason)) => Err(reason.to_owned()),
                (Some(reason), Ok(_)) => Err(reason.clone()),
                (None, Ok(_)) if unread.contains(&i) => Err("no code reads it".to_owned()),
                (None, Ok(_)) if !literal.editable => Err("its file is protected".to_owned()),
                (None, Ok(_)) if listed => Err("[[knob]] of the task lists others alone".to_owned()),
                (None, Ok(range)) => Ok(range),
            },
        };
        match range {
            Ok(range) => {
                bare.push(matches!(found.site, Site::Constant | Site::Variable | Site::Parameter));
                out.knobs.push(knob(literal, range));
            }
            Err(reason) => out.aside.push(Aside {
                name: literal.name.clone(),
                path: literal.path.clone(),
                line: found.line,
                value: found.value.clone(),
                reason,
            }),
        }
    }
    let chosen_by =
        chosen_by.into_iter().filter_map(|(path, (i, value))| Some((path, (scan.literals.get(i)?.name.clone(), value)))).collect();
    let facts: Vec<&python::Facts> = facts.iter().map(|(_, f)| f).collect();
    pairs::keep_order(&mut out.knobs);
    conditions::attach(&mut out.knobs, &bare, &facts, &chosen_by);
    out
}

fn knob(literal: &Literal, range: ranges::Range) -> Knob {
    let found = &literal.found;
    Knob {
        name: literal.name.clone(),
        path: literal.path.clone(),
        place: found.place.clone(),
        line: found.line,
        kind: range.kind,
        powers_of_two: range.powers_of_two,
        zero: range.zero,
        value: range.value,
        text: found.text.clone(),
        form: found.form,
        active: None,
        budget: range.budget,
        rule: range.rule,
    }
}

/// The bound of each literal that one names; what fits none, or several, is noted.
fn matched<'b>(scan: &Scan, bounds: &'b [Bound], unmatched: &mut Vec<(String, String)>) -> BTreeMap<usize, &'b Bound> {
    let names: Vec<&str> = scan.literals.iter().map(|l| l.name.as_str()).collect();
    let mut bound_of: BTreeMap<usize, &Bound> = BTreeMap::new();
    for bound in bounds {
        let fits = match names.iter().position(|n| *n == bound.name) {
            Some(exact) => vec![exact],
            None => ends_with(&names, &bound.name),
        };
        match fits.as_slice() {
            [] => {
                let near = nearest_word(&bound.name, names.iter().flat_map(|n| [*n, leaf(n)]));
                let meant = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                unmatched.push((bound.name.clone(), format!("no literal of that name in the editable files{meant}")));
            }
            [one] => {
                bound_of.insert(*one, bound);
            }
            many if bound.exclude => bound_of.extend(many.iter().map(|i| (*i, bound))),
            many => {
                let all: Vec<&str> = many.iter().filter_map(|i| names.get(*i)).copied().collect();
                unmatched.push((bound.name.clone(), format!("fits {}: write one of them in full", all.join(", "))));
            }
        }
    }
    bound_of
}

fn ends_with(names: &[&str], wanted: &str) -> Vec<usize> {
    let ends = |n: &str| n.strip_suffix(wanted).is_some_and(|rest| rest.ends_with(['.', ':']));
    names.iter().enumerate().filter(|(_, n)| ends(n)).map(|(i, _)| i).collect()
}

/// Arguments that no code reads, where most arguments of their file are read by name and none are handed on as a whole.
fn unread(scan: &Scan, facts: &[(String, python::Facts)]) -> BTreeSet<usize> {
    if facts.iter().any(|(_, f)| f.wholesale) {
        return BTreeSet::new();
    }
    let is_read = |literal: &Literal| facts.iter().any(|(_, f)| f.uses.get(&literal.found.name).is_some_and(|u| u.iter().any(|u| !u.bare)));
    let mut out = BTreeSet::new();
    for path in facts.iter().map(|(path, _)| path) {
        let own = scan.literals.iter().enumerate().filter(|(_, l)| l.path == *path && l.found.site == Site::Argument);
        let (read, not): (Vec<_>, Vec<_>) = own.partition(|(_, l)| is_read(l));
        if read.len() > not.len() {
            out.extend(not.into_iter().map(|(i, _)| i));
        }
    }
    out
}
