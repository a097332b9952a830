//! Reads all files of a tree that may hold knobs: their literals, and what they tell of each other.

use super::{
    format::Format,
    found::Found,
    python::{self, Facts},
    shell,
};
use std::collections::{BTreeMap, BTreeSet};

/// A literal of the tree.
#[derive(Debug)]
pub(super) struct Literal {
    pub path: String,
    pub format: Format,
    pub found: Found,
    /// Unique in the tree once [`name`] was called.
    pub name: String,
    /// A proposal may change the file.
    pub editable: bool,
}

/// A tree that was read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub literals: Vec<Literal>,
    /// All paths that were handed over, readable or not.
    pub paths: BTreeSet<String>,
    pub facts: BTreeMap<String, Facts>,
    pub scripts: BTreeMap<String, shell::Script>,
    pub skipped: Vec<(String, String)>,
}

/// Reads the editable files and the fixed ones, which tell and are not turned.
pub(super) fn scan(editable: &BTreeMap<String, String>, fixed: &BTreeMap<String, String>) -> Scan {
    let mut out = Scan::default();
    for (files, may_change) in [(editable, true), (fixed, false)] {
        for (path, source) in files {
            out.paths.insert(path.clone());
            let Some(format) = Format::of(path) else { continue };
            match read(&mut out, path, source, format) {
                Ok(found) => out.literals.extend(found.into_iter().map(|found| Literal {
                    path: path.clone(),
                    format,
                    name: found.name.clone(),
                    found,
                    editable: may_change,
                })),
                Err(reason) => out.skipped.push((path.clone(), reason)),
            }
        }
    }
    // Stable by path, whether editable or not.
    out.literals.sort_by(|a, b| (&a.path, a.found.place.start).cmp(&(&b.path, b.found.place.start)));
    out.skipped.sort();
    out
}

fn read(out: &mut Scan, path: &str, source: &str, format: Format) -> Result<Vec<Found>, String> {
    match format {
        Format::Python => {
            let module = python::read(source)?;
            out.facts.insert(path.to_owned(), module.facts);
            Ok(module.literals)
        }
        Format::Shell => {
            let literals = format.literals(source)?;
            out.scripts.insert(path.to_owned(), shell::read(source)?);
            Ok(literals)
        }
        Format::Yaml | Format::Toml | Format::Json | Format::Gin => format.literals(source),
    }
}

/// Gives literals unique names: their own, after their file where two files share it, counted where one file has it twice.
///
/// A literal that is `live` keeps its own name beside dead ones: what the run uses is what a person means.
pub(super) fn name(literals: &mut [Literal], live: impl Fn(usize, &Literal) -> bool) {
    let mut files: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    let alive: Vec<bool> = literals.iter().enumerate().map(|(i, l)| live(i, l)).collect();
    for (literal, alive) in literals.iter().zip(&alive) {
        let (all, living) = files.entry(literal.name.clone()).or_default();
        all.insert(literal.path.clone());
        if *alive {
            living.insert(literal.path.clone());
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (literal, alive) in literals.iter_mut().zip(alive) {
        let (all, living) = files.get(&literal.name).map_or((0, 0), |(a, l)| (a.len(), l.len()));
        let own = all == 1 || (alive && living == 1);
        let name = if own { literal.name.clone() } else { format!("{}:{}", literal.path, literal.name) };
        let times = seen.entry(name.clone()).or_insert(0);
        *times += 1;
        literal.name = if *times > 1 { format!("{name}#{times}") } else { name };
    }
}
