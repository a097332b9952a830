//! Which literals are dead because something nearer to the run sets the same: the command line over a script, a script
//! over a file of settings, that over a default in the code.

use super::{
    format::Format,
    found::{Site, leaf},
    reach::Reach,
    scan::{Literal, Scan},
};
use std::collections::BTreeMap;

/// Returns for each dead literal (its place in `literals`) what sets it instead, as a sentence.
pub(super) fn shadowed(scan: &Scan, reach: &Reach) -> BTreeMap<usize, String> {
    let mut out = BTreeMap::new();
    let settings = settings(scan, reach);
    for (i, literal) in scan.literals.iter().enumerate() {
        let flag = literal.found.site == Site::Flag;
        // A shell passes its own options on: the command that runs it shadows none of them.
        if flag || !reach.has(&literal.path) {
            continue;
        }
        let reason = command_line(scan, reach, literal)
            .or_else(|| overriding_module(scan, reach, literal))
            .or_else(|| by_settings(literal, &settings))
            .or_else(|| by_calls(scan, reach, literal));
        if let Some(reason) = reason {
            out.insert(i, reason);
        }
    }
    out
}

/// Whether an option of a command line means a literal.
fn means(literal: &Literal, option: &str) -> bool {
    let name = literal.found.name.as_str();
    match literal.found.site {
        Site::Argument | Site::Environment => name == option,
        // nanoGPT's and fire's way: a module's variable, a parameter or a field of that name.
        Site::Variable | Site::Parameter | Site::Field => leaf(name) == option,
        Site::Setting | Site::Entry | Site::Item => name == option,
        Site::Constant | Site::Flag => false,
    }
}

fn command_line(scan: &Scan, reach: &Reach, literal: &Literal) -> Option<String> {
    let name = literal.found.name.as_str();
    if reach.command.sets.iter().any(|(option, _)| means(literal, option)) {
        return Some(format!("the run command sets {}", leaf(name)));
    }
    // Without a command nobody knows which of the scripts is run.
    reach.files.as_ref()?;
    scan.scripts.iter().filter(|(path, _)| reach.has(path) && **path != literal.path).find_map(|(path, script)| {
        let (_, line) = script.sets.iter().find(|(option, _)| means(literal, option))?;
        Some(format!("{path}:{line} sets it"))
    })
}

/// nanoGPT's config/*.py: a module that the command hands to another sets its variables.
fn overriding_module(scan: &Scan, reach: &Reach, literal: &Literal) -> Option<String> {
    if literal.format != Format::Python || !matches!(literal.found.site, Site::Variable | Site::Constant) {
        return None;
    }
    let python: Vec<&str> = reach.command.words.iter().map(|w| w.trim_start_matches("./")).filter(|w| w.ends_with(".py")).collect();
    let (first, rest) = python.split_first()?;
    if *first != literal.path {
        return None;
    }
    let by = scan.literals.iter().find(|l| rest.contains(&l.path.as_str()) && l.found.name == literal.found.name)?;
    Some(format!("{}:{} sets it", by.path, by.found.line))
}

/// What reached files of settings set, by dotted name: path and line.
fn settings<'s>(scan: &'s Scan, reach: &Reach) -> BTreeMap<&'s str, (&'s str, usize)> {
    let mut out = BTreeMap::new();
    if reach.files.is_some() {
        for l in scan.literals.iter().filter(|l| l.format.is_settings() && reach.has(&l.path)) {
            out.entry(l.found.name.as_str()).or_insert((l.path.as_str(), l.found.line));
        }
    }
    out
}

/// A default in the code under a file of settings: `lr`, or the whole path below a dictionary's name.
fn by_settings(literal: &Literal, settings: &BTreeMap<&str, (&str, usize)>) -> Option<String> {
    if literal.format != Format::Python {
        return None;
    }
    let name = literal.found.name.as_str();
    let key = match literal.found.site {
        Site::Entry | Site::Field | Site::Item => name.split_once('.').map_or(name, |(_, rest)| rest),
        Site::Argument => name,
        Site::Constant | Site::Variable | Site::Parameter | Site::Environment | Site::Flag | Site::Setting => return None,
    };
    let (path, line) = settings.get(key)?;
    Some(format!("{path}:{line} sets it"))
}

/// A field that every call of its class sets, as far as the keywords can be told.
fn by_calls(scan: &Scan, reach: &Reach, literal: &Literal) -> Option<String> {
    if literal.found.site != Site::Field {
        return None;
    }
    let (class, field) = literal.found.name.split_once('.')?;
    let mut calls = 0;
    for facts in scan.facts.iter().filter(|(path, _)| reach.has(path)).map(|(_, facts)| facts) {
        for keywords in facts.calls.get(class).into_iter().flatten() {
            let Some(keywords) = keywords else { continue };
            calls += 1;
            if !keywords.contains(field) {
                return None;
            }
        }
    }
    (calls > 0).then(|| format!("every call of {class} sets it"))
}
