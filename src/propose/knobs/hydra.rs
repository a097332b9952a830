//! Hydra's `defaults:` lists: an entry `- optimizer: adam` chooses among the files of the directory `optimizer`.
//!
//! The siblings are its choices, and what the file of a choice sets matters only under that choice.

use super::{format::Format, found::Site, scan::Scan};
use crate::model::KnobValue;
use std::collections::BTreeMap;

/// The group that a scalar of a `defaults:` list chooses from: `defaults.1.optimizer` is `optimizer`.
pub(super) fn group(name: &str) -> Option<&str> {
    let (index, group) = name.strip_prefix("defaults.")?.split_once('.')?;
    let numbered = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
    let group = group.trim_start_matches('/').split('@').next().unwrap_or(group);
    (numbered && !group.is_empty()).then_some(group)
}

/// The files of a group, by their names without ending, seen from a directory or one above it.
pub(super) fn members(scan: &Scan, dir: &str, group: &str) -> Vec<(String, String)> {
    let mut base = dir;
    loop {
        let prefix = if base.is_empty() { format!("{group}/") } else { format!("{base}/{group}/") };
        let of = |path: &String| {
            let name = path.strip_prefix(&prefix)?;
            let name = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))?;
            (!name.contains('/')).then(|| (name.to_owned(), path.clone()))
        };
        let found: Vec<(String, String)> = scan.paths.iter().filter_map(of).collect();
        if !found.is_empty() || base.is_empty() {
            return found;
        }
        base = base.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

/// Gives the entries of `defaults:` lists their choices. Returns for each file of a group the entry that chooses it (its
/// place in `literals`) and the value under which it does.
pub(super) fn choices(scan: &mut Scan) -> BTreeMap<String, (usize, KnobValue)> {
    let mut chosen_by = BTreeMap::new();
    for i in 0..scan.literals.len() {
        let Some(literal) = scan.literals.get(i).filter(|l| l.format == Format::Yaml) else { continue };
        let Some(group) = group(&literal.found.name).map(str::to_owned) else { continue };
        let dir = literal.path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let members = members(scan, dir, &group);
        for (name, path) in &members {
            chosen_by.entry(path.clone()).or_insert((i, KnobValue::Choice(name.clone())));
        }
        let choices = members.into_iter().map(|(name, _)| KnobValue::Choice(name)).collect();
        if let Some(literal) = scan.literals.get_mut(i) {
            literal.found.choices = choices;
            literal.found.site = Site::Setting;
            // The index in the list tells nobody anything.
            literal.name = literal.name.replace(&literal.found.name, &format!("defaults.{group}"));
        }
    }
    chosen_by
}
