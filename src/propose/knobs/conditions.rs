//! When a knob matters: only under a value of another one, where all code that reads it stands under that condition, or
//! where it lies in the file of one of Hydra's choices.
//!
//! Careful by design: one use that stands under no condition, or under another, and the knob counts always.

use super::{
    Active, Kind, Knob,
    found::leaf,
    python::{Facts, Guard, Use},
};
use crate::model::KnobValue;
use std::collections::BTreeMap;

/// Gives the knobs their conditions.
/// `bare` says for each knob that its code names it as it is (`LR`), not as a member of something (`args.lr`).
pub(super) fn attach(knobs: &mut [Knob], bare: &[bool], facts: &[&Facts], chosen: &BTreeMap<String, (String, KnobValue)>) {
    let mut found: Vec<(usize, Active)> = Vec::new();
    for (i, knob) in knobs.iter().enumerate() {
        let by_choice = chosen.get(&knob.path).map(|(name, value)| Active { knob: name.clone(), equals: vec![value.clone()] });
        let by_choice = by_choice.filter(|a| knobs.iter().any(|k| k.name == a.knob));
        if let Some(active) = by_choice.or_else(|| by_code(knob, bare.get(i).copied().unwrap_or(true), knobs, facts)) {
            found.push((i, active));
        }
    }
    for (i, active) in found {
        // Two knobs cannot wait for each other.
        let back = knobs.iter().find(|k| k.name == active.knob).and_then(|k| k.active.as_ref()).is_some();
        if let Some(knob) = knobs.get_mut(i).filter(|_| !back) {
            knob.active = Some(active);
        }
    }
}

fn by_code(knob: &Knob, bare: bool, knobs: &[Knob], facts: &[&Facts]) -> Option<Active> {
    let own = leaf(&knob.name);
    let uses: Vec<&Use> = facts.iter().filter_map(|f| f.uses.get(own)).flatten().filter(|u| bare || !u.bare).collect();
    let first = uses.first()?;
    // The innermost condition is the nearest reason; any that all uses share will do.
    for guard in first.guards.iter().rev().filter(|g| g.setting != own) {
        let Some(control) = control(knob, knobs, &guard.setting) else { continue };
        let Some(values) = control_values(control) else { continue };
        let mut equals: Vec<KnobValue> = Vec::new();
        let all = uses.iter().all(|u| {
            let same: Vec<&Guard> = u.guards.iter().filter(|g| g.setting == guard.setting).collect();
            let allowed = |v: &KnobValue| same.iter().all(|g| holds(g, v));
            equals.extend(values.iter().filter(|v| allowed(v)).cloned());
            !same.is_empty()
        });
        let equals: Vec<KnobValue> = values.iter().filter(|v| equals.contains(v)).cloned().collect();
        if all && !equals.is_empty() && equals.len() < values.len() {
            return Some(Active { knob: control.name.clone(), equals });
        }
    }
    None
}

/// Whether a condition holds where its setting has a value. Upper and lower case are one: code calls `.lower()`.
pub(super) fn holds(guard: &Guard, value: &KnobValue) -> bool {
    let same = |v: &KnobValue| match (v, value) {
        (KnobValue::Choice(a), KnobValue::Choice(b)) => a.eq_ignore_ascii_case(b),
        // `if args.use_norm:` with 0 or 1.
        (KnobValue::Bool(a), KnobValue::Int(b)) => *a == (*b != 0),
        // `if args.scheduler:` holds for any name.
        (KnobValue::Bool(a), KnobValue::Choice(b)) => *a != b.is_empty(),
        (a, b) => a == b,
    };
    guard.values.iter().any(same) == guard.holds
}

/// The knob that a condition speaks of: the one of that name that is nearest by its prefix.
fn control<'k>(knob: &Knob, knobs: &'k [Knob], setting: &str) -> Option<&'k Knob> {
    let all: Vec<&Knob> = knobs.iter().filter(|k| leaf(&k.name) == setting && k.name != knob.name).collect();
    let prefix = |name: &str| name.rsplit_once('.').map_or(String::new(), |(p, _)| p.to_owned());
    match all.as_slice() {
        [one] => Some(one),
        many => {
            let mut near = many.iter().filter(|k| k.path == knob.path && prefix(&k.name) == prefix(&knob.name));
            near.next().filter(|_| near.next().is_none()).copied()
        }
    }
}

fn control_values(control: &Knob) -> Option<Vec<KnobValue>> {
    match &control.kind {
        Kind::Bool => Some(vec![KnobValue::Bool(false), KnobValue::Bool(true)]),
        Kind::Choice(choices) => Some(choices.clone()),
        Kind::Float { .. } | Kind::Int { .. } => None,
    }
}
