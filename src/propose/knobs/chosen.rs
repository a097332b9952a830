//! Which names of a module the run command spares: those that it uses only under another choice than the command's.
//!
//! `models[args.model]` picks one class of a table, `if args.task == "imputation":` one of several experiments. Where the
//! command says the setting in plain words, an import that serves another choice alone is not followed: its code never
//! runs, beyond the top of its module, and an argument that only it reads is no knob. Careful by design: one use outside
//! of such a condition, or a setting that is not plainly given, and the import counts. Tested with the formats.

use super::{
    conditions::holds,
    found::Site,
    names,
    python::{Facts, Guard},
    scan::Scan,
    shell::Script,
};
use crate::model::KnobValue;
use std::collections::{BTreeMap, BTreeSet};

/// Uses of one name in a module beyond which they are not all known.
const ALL_KNOWN: usize = 64;

/// What the command chooses.
pub(super) struct Chosen {
    /// Texts that it gives a setting, itself or in the scripts that it runs.
    given: BTreeMap<String, BTreeSet<String>>,
    /// The one setting that picks from a table.
    tables: BTreeMap<String, String>,
}

impl Chosen {
    /// Reads what the command and the scripts among the files that it names say.
    pub(super) fn of(scan: &Scan, command: &Script, named: &BTreeSet<String>) -> Self {
        let mut given: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut open: BTreeSet<String> = command.open.clone();
        let mut take = |name: &str, value: &KnobValue| {
            if let KnobValue::Choice(text) = value {
                given.entry(name.to_owned()).or_default().insert(text.clone());
            }
        };
        for found in command.literals.iter().filter(|f| f.site == Site::Flag) {
            take(found.told(), &found.value);
        }
        for (path, script) in scan.scripts.iter().filter(|(path, _)| named.contains(*path)) {
            open.extend(script.open.iter().cloned());
            for literal in scan.literals.iter().filter(|l| l.path == *path && l.found.site == Site::Flag) {
                let told = literal.found.told();
                take(told, &literal.found.value);
                // What may be turned itself is no choice that stands.
                let listed = |l: &&super::scan::Literal| l.found.site == Site::Argument && l.found.name == told;
                if names::recipe(&names::words(told)) || scan.literals.iter().find(listed).is_some_and(|l| !l.found.choices.is_empty()) {
                    open.insert(told.to_owned());
                }
            }
        }
        given.retain(|name, _| !open.contains(name));
        Self { given, tables: tables(scan) }
    }

    /// Whether a module needs a name only for what the command does not choose.
    pub(super) fn spares(&self, facts: &Facts, name: &str) -> bool {
        let Some(uses) = facts.uses.get(name) else { return false };
        let never = |guards: &[Guard]| guards.iter().any(|g| self.never(g));
        uses.len() < ALL_KNOWN && uses.iter().filter(|u| u.bare).all(|u| never(&u.guards)) && uses.iter().any(|u| u.bare)
    }

    /// Whether a condition never holds.
    fn never(&self, guard: &Guard) -> bool {
        let setting = match guard.setting.strip_prefix("[]") {
            Some(table) => self.tables.get(table),
            None => Some(&guard.setting).filter(|_| !guard.bare),
        };
        let texts = guard.values.iter().all(|v| matches!(v, KnobValue::Choice(_)));
        let Some(given) = setting.and_then(|s| self.given.get(s)).filter(|_| texts) else { return false };
        given.iter().all(|text| !holds(guard, &KnobValue::Choice(text.clone())))
    }
}

/// Tables from which one setting picks, wherever they are used.
fn tables(scan: &Scan) -> BTreeMap<String, String> {
    let mut picks: BTreeMap<&str, (BTreeSet<&Option<String>>, usize)> = BTreeMap::new();
    for (table, (by, times)) in scan.facts.values().flat_map(|f| &f.picked) {
        let all = picks.entry(table).or_default();
        all.0.extend(by);
        all.1 += times;
    }
    let uses = |table: &str| scan.facts.values().filter_map(|f| f.uses.get(table)).map(Vec::len).max().unwrap_or(0);
    let total = |table: &str| scan.facts.values().filter_map(|f| f.uses.get(table)).map(Vec::len).sum::<usize>();
    picks
        .into_iter()
        .filter_map(|(table, (by, times))| match by.into_iter().collect::<Vec<_>>().as_slice() {
            [Some(setting)] if uses(table) < ALL_KNOWN && total(table) <= times => Some((table.to_owned(), setting.clone())),
            _ => None,
        })
        .collect()
}
