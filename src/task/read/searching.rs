//! What the search may do: surfaces, bounds of knobs, an enumerated space.

use super::Root;
use crate::{
    model::KnobValue,
    task::{
        schema::{Axis, Knob, KnobBounds, Space, Surface},
        walk::{Section, Spot, float, integer},
        words::nearest_word,
    },
};
use std::collections::BTreeSet;
use toml::{Spanned, de::DeValue};

pub(super) fn surfaces(root: &Root<'_>) -> Vec<Surface> {
    let Some(section) = root.section("surfaces") else { return Vec::new() };
    let mut surfaces = Vec::new();
    for (key, _) in section.entries() {
        let name = key.get_ref().as_ref();
        let Some(table) = section.table(name, &["paths", "hint"]) else { continue };
        if !table.has("paths") {
            table.missing("paths", &format!("{name} = {{ paths = [\"train.py\"] }}"));
        } else if table.texts_given("paths") == Some(0) {
            let message = format!("the surface `{name}` has no paths");
            section.walk.problem(table.key_span("paths"), message, "write paths = [\"train.py\"]".to_owned());
        }
        let hint = table.text("hint", "\"learning rate, optimiser, schedule\"").map(|t| t.value);
        surfaces.push(Surface { name: name.to_owned(), paths: table.globs("paths", "[\"train.py\"]"), hint });
    }
    surfaces
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Float,
    Int,
    Bool,
    Choice,
}

pub(super) fn knobs(root: &Root<'_>) -> Vec<Knob> {
    const KINDS: &[(&str, Kind)] = &[("float", Kind::Float), ("int", Kind::Int), ("bool", Kind::Bool), ("choice", Kind::Choice)];
    let mut names = BTreeSet::new();
    let mut knobs = Vec::new();
    for section in root.sections("knob") {
        let name = section.need_text("name", "\"learning_rate\"");
        if !name.value.is_empty() && !names.insert(name.value.clone()) {
            let message = format!("the knob `{}` is there twice", name.value);
            section.walk.problem(name.span, message, "remove one of the two".to_owned());
        }
        let excluded = section.flag("exclude").unwrap_or(false);
        if !excluded && !section.has("type") {
            section.missing("type", "type = \"float\"   # float, int, bool or choice; or exclude = true");
        }
        let kind = section.word("type", KINDS);
        refuse_misplaced(&section, kind);
        let bounds = match kind {
            _ if excluded => Some(KnobBounds::Excluded),
            Some(Kind::Float) => float_range(&section),
            Some(Kind::Int) => int_range(&section),
            Some(Kind::Bool) => Some(KnobBounds::Bool),
            Some(Kind::Choice) => choices(&section),
            None => None,
        };
        if let Some(bounds) = bounds {
            knobs.push(Knob { name: name.value, bounds });
        }
    }
    knobs
}

fn refuse_misplaced(section: &Section<'_>, kind: Option<Kind>) {
    let Some(kind) = kind else { return };
    let ranged = matches!(kind, Kind::Float | Kind::Int);
    for (key, fits, types) in
        [("range", ranged, "`float` and `int`"), ("log", ranged, "`float` and `int`"), ("choices", kind == Kind::Choice, "`choice`")]
    {
        if section.has(key) && !fits {
            let message = format!("`{key}` does not fit this type of knob");
            section.walk.problem(
                section.key_span(key),
                message,
                format!("`{key}` goes with knobs of type {types}; remove it or change `type`"),
            );
        }
    }
}

/// The two ends of a range; none after a problem.
fn range<'w>(section: &Section<'w>, example: &str) -> Option<(&'w Spanned<DeValue<'w>>, &'w Spanned<DeValue<'w>>)> {
    let Some((_, value)) = section.get("range") else {
        section.missing("range", &format!("range = {example}"));
        return None;
    };
    let DeValue::Array(items) = value.get_ref() else {
        section.wrong("range", value, "a list of two numbers", example);
        return None;
    };
    if let (2, Some(low), Some(high)) = (items.len(), items.first(), items.get(1)) {
        return Some((low, high));
    }
    let message = format!("`range` has {} numbers instead of two", items.len());
    section.walk.problem(value.span(), message, format!("write range = {example}: lowest and highest"));
    None
}

/// Notes a range that is empty, or that has no logarithm.
fn check_range<T: PartialOrd + Copy>(section: &Section<'_>, low: &Spot<T>, high: &Spot<T>, zero: T, log: bool) -> bool {
    if low.value >= high.value {
        section.walk.problem(low.span.start..high.span.end, "the range is empty: its first number must be the smaller one", {
            "write range = [lowest, highest]".to_owned()
        });
        return false;
    }
    if log && low.value <= zero {
        let hint = "start the range above 0, or remove log = true".to_owned();
        section.walk.problem(low.span.clone(), "a logarithmic range must be positive", hint);
        return false;
    }
    true
}

fn float_range(section: &Section<'_>) -> Option<KnobBounds> {
    const EXAMPLE: &str = "[1e-5, 1e-2]";
    let log = section.flag("log").unwrap_or(false);
    let (low, high) = range(section, EXAMPLE)?;
    let end = |value: &Spanned<DeValue<'_>>| match float(value.get_ref()).filter(|n| n.is_finite()) {
        Some(number) => Some(Spot { value: number, span: value.span() }),
        None => {
            section.walk.problem(value.span(), "an end of the range is not a finite number", format!("write range = {EXAMPLE}"));
            None
        }
    };
    let (low, high) = (end(low), end(high));
    let (low, high) = (low?, high?);
    check_range(section, &low, &high, 0.0, log).then_some(KnobBounds::Float { low: low.value, high: high.value, log })
}

fn int_range(section: &Section<'_>) -> Option<KnobBounds> {
    const EXAMPLE: &str = "[8, 256]";
    let log = section.flag("log").unwrap_or(false);
    let (low, high) = range(section, EXAMPLE)?;
    let end = |value: &Spanned<DeValue<'_>>| {
        if let DeValue::Integer(number) = value.get_ref()
            && let Some(number) = integer(number)
        {
            return Some(Spot { value: number, span: value.span() });
        }
        let hint = format!("write range = {EXAMPLE}, or type = \"float\"");
        section.walk.problem(value.span(), "an end of the range is not a whole number", hint);
        None
    };
    let (low, high) = (end(low), end(high));
    let (low, high) = (low?, high?);
    check_range(section, &low, &high, 0, log).then_some(KnobBounds::Int { low: low.value, high: high.value, log })
}

fn choices(section: &Section<'_>) -> Option<KnobBounds> {
    const EXAMPLE: &str = "[\"cosine\", \"linear\"]";
    if !section.has("choices") {
        section.missing("choices", &format!("choices = {EXAMPLE}"));
        return None;
    }
    let values = values(section, "choices", EXAMPLE)?;
    if values.len() < 2 {
        let hint = format!("write choices = {EXAMPLE}, or exclude = true to leave the knob alone");
        section.walk.problem(section.key_span("choices"), "a choice needs at least two values", hint);
        return None;
    }
    Some(KnobBounds::Choice(values))
}

/// A list of plain values, each once; none after a problem.
fn values(section: &Section<'_>, key: &str, example: &str) -> Option<Vec<KnobValue>> {
    let (_, list) = section.get(key)?;
    let DeValue::Array(items) = list.get_ref() else {
        section.wrong(key, list, "a list of values", example);
        return None;
    };
    let mut values = Vec::new();
    let mut fine = true;
    for item in items.iter() {
        let value = match item.get_ref() {
            DeValue::String(text) => Some(KnobValue::Choice(text.to_string())),
            DeValue::Integer(number) => integer(number).map(KnobValue::Int),
            DeValue::Boolean(flag) => Some(KnobValue::Bool(*flag)),
            other => float(other).filter(|n| n.is_finite()).map(KnobValue::Float),
        };
        let (problem, hint) = match value {
            Some(value) if !values.contains(&value) => {
                values.push(value);
                continue;
            }
            Some(_) => ("the value is there twice", "remove one of the two".to_owned()),
            None => ("the value must be a text, a finite number or a truth value", format!("write {key} = {example}")),
        };
        fine = false;
        section.walk.problem(item.span(), problem, hint);
    }
    fine.then_some(values)
}

pub(super) fn space(root: &Root<'_>) -> Option<Space> {
    const EXAMPLE: &str = "axes = { architecture = { backbone = [\"resnet18\", \"resnet50\"] } }";
    let section = root.section("space")?;
    let writes = section.need_text("writes", "\"cell.yaml\"").value;
    let mut axes = Vec::new();
    if !section.has("axes") {
        section.missing("axes", EXAMPLE);
    }
    let groups = section.table("axes", &[]);
    for (group, _) in groups.iter().flat_map(Section::entries) {
        let surface = group.get_ref().as_ref();
        let Some(table) = groups.as_ref().and_then(|g| g.table(surface, &[])) else { continue };
        refuse_unknown_surface(root, surface, group.span());
        for (axis, list) in table.entries() {
            let name = axis.get_ref().as_ref();
            let Some(values) = values(&table, name, "[2.0, 2.5, 3.0]") else { continue };
            if values.is_empty() {
                let message = format!("the axis `{name}` has no values");
                section.walk.problem(list.span(), message, format!("write {name} = [2.0, 2.5, 3.0]"));
            }
            axes.push(Axis { surface: surface.to_owned(), name: name.to_owned(), values });
        }
    }
    if axes.is_empty() && section.has("axes") && groups.is_some_and(|g| g.entries().next().is_none()) {
        section.walk.problem(section.key_span("axes"), "the space has no axes", format!("write {EXAMPLE}"));
    }
    Some(Space { writes, axes })
}

/// A mistyped surface would silently become a new one; a name that is not near any listed one is meant.
fn refuse_unknown_surface(root: &Root<'_>, surface: &str, span: std::ops::Range<usize>) {
    let Some((_, listed)) = root.document.get_key_value("surfaces") else { return };
    let DeValue::Table(listed) = listed.get_ref() else { return };
    let near = nearest_word(surface, listed.keys().map(|k| k.get_ref().as_ref()));
    if let Some(near) = near.filter(|near| *near != surface) {
        root.walk.problem(span, format!("`{surface}` is not in [surfaces]"), format!("did you mean `{near}`?"));
    }
}
