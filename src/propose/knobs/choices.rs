//! Choices and types that one place tells of another: argparse's `choices=` for a script's option of that name, and the
//! texts with which the code compares a part of the recipe.

use super::{
    format::Format,
    found::{Site, leaf},
    names,
    python::Facts,
    scan::Scan,
};
use crate::model::KnobValue;
use std::collections::{BTreeMap, BTreeSet};

/// Most choices that comparisons may tell; more are a registry, whose members differ in more than one way.
const MOST: usize = 8;

/// Gives the literals the choices and types that other places tell.
pub(super) fn complete(scan: &mut Scan, facts: &[(String, Facts)]) {
    let declared: BTreeMap<String, (Vec<KnobValue>, bool)> = scan
        .literals
        .iter()
        .filter(|l| matches!(l.found.site, Site::Argument | Site::Field))
        .map(|l| (leaf(&l.found.name).to_owned(), (l.found.choices.clone(), l.found.float)))
        .collect();
    let mut compared: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (setting, texts) in facts.iter().flat_map(|(_, f)| &f.compared) {
        compared.entry(setting).or_default().extend(texts.iter().map(String::as_str));
    }
    for literal in &mut scan.literals {
        let found = &mut literal.found;
        let told = leaf(found.told()).to_owned();
        if matches!(found.site, Site::Flag | Site::Setting | Site::Environment)
            && let Some((choices, float)) = declared.get(&told)
        {
            found.float |= *float;
            if found.choices.is_empty() && choices.contains(&found.value) {
                found.choices.clone_from(choices);
            }
        }
        let KnobValue::Choice(value) = &found.value else { continue };
        if !found.choices.is_empty()
            || literal.format == Format::Shell && found.site == Site::Variable
            || !names::recipe(&names::words(&told))
        {
            continue;
        }
        if let Some(texts) = compared.get(told.as_str())
            && texts.contains(value.as_str())
            && (2..=MOST).contains(&texts.len())
        {
            found.choices = texts.iter().filter(|t| !t.is_empty()).map(|t| KnobValue::Choice((*t).to_owned())).collect();
        }
    }
}
