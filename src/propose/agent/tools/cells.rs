//! `cells`: the enumerated space of a task, what was tried of it, and a cell as an edit.
//!
//! A cell is written as the task writes its axes: one table a surface, in the language that the file's name says.

use super::Hands;
use crate::model::{Edit, KnobValue, Study, TrialId, number};
use crate::propose::agent::line;
use crate::task::{Axis, Space, nearest_word};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Trials whose cells are read.
const MOST_TRIALS: usize = 400;
const MOST_SHOWN: usize = 40;

type Cell = BTreeMap<(String, String), KnobValue>;

/// The edit that writes a cell: what the parent has, with the values that were chosen.
pub(super) fn edit(hands: &Hands<'_>, chosen: &Value) -> Result<Edit, String> {
    let space = hands.task().space.as_ref().ok_or("this task has no [space], so there is no `cell` to choose")?;
    let text;
    let fields = match chosen {
        Value::Object(fields) => fields,
        Value::String(written) => {
            text = serde_json::from_str::<Map<String, Value>>(written).map_err(|e| format!("`cell` is no object: {e}"))?;
            &text
        }
        _ => return Err("`cell` is an object: {\"axis\": value}".to_owned()),
    };
    let mut cell = of_tree(hands, space, &hands.tree_of(hands.scene.base())?);
    for (name, value) in fields {
        match value {
            // {"architecture": {"backbone": …}}
            Value::Object(inner) => {
                for (axis, value) in inner {
                    set(space, &mut cell, &format!("{name}.{axis}"), value)?;
                }
            }
            value => set(space, &mut cell, name, value)?,
        }
    }
    Ok(Edit::Write { path: space.writes.clone(), content: written(space, &cell) })
}

fn set(space: &Space, cell: &mut Cell, name: &str, value: &Value) -> Result<(), String> {
    let named = |axis: &&Axis| axis.name == name || format!("{}.{}", axis.surface, axis.name) == name;
    let mut found = space.axes.iter().filter(named);
    let Some(axis) = found.next() else {
        let names: Vec<&str> = space.axes.iter().map(|a| a.name.as_str()).collect();
        let near = nearest_word(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        return Err(format!("there is no axis `{}`; {}", line(name, 60), near.unwrap_or_else(|| format!("axes are {}", names.join(", ")))));
    };
    if found.next().is_some() {
        return Err(format!("two surfaces have an axis `{name}`: write `{}.{name}`", axis.surface));
    }
    let value = axis.values.iter().find(|known| same(known, value)).ok_or_else(|| {
        let values: Vec<String> = axis.values.iter().map(ToString::to_string).collect();
        format!("`{name}` may be {}, not {}", values.join(", "), line(&value.to_string(), 60))
    })?;
    cell.insert((axis.surface.clone(), axis.name.clone()), value.clone());
    Ok(())
}

/// `2`, `2.0` and `"2"` are one value.
fn same(known: &KnobValue, value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    match known {
        KnobValue::Bool(flag) => text.to_lowercase() == flag.to_string(),
        KnobValue::Int(n) => text.parse::<f64>().is_ok_and(|v| v == *n as f64),
        KnobValue::Float(x) => text.parse::<f64>().is_ok_and(|v| v == *x),
        KnobValue::Choice(word) => text == *word,
    }
}

/// The file of a cell, by its name: TOML, JSON, else YAML.
fn written(space: &Space, cell: &Cell) -> String {
    let mut surfaces: Map<String, Value> = Map::new();
    for axis in &space.axes {
        let key = (axis.surface.clone(), axis.name.clone());
        let value = cell.get(&key).or_else(|| axis.values.first()).and_then(|value| serde_json::to_value(value).ok());
        let table = surfaces.entry(axis.surface.clone()).or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(table), Some(value)) = (table, value) {
            table.insert(axis.name.clone(), value);
        }
    }
    if space.writes.ends_with(".toml") {
        return toml::to_string(&surfaces).unwrap_or_default();
    }
    if space.writes.ends_with(".json") {
        return serde_json::to_string_pretty(&surfaces).map(|text| format!("{text}\n")).unwrap_or_default();
    }
    let mut out = String::new();
    for (surface, table) in &surfaces {
        out.push_str(&format!("{}:\n", yaml(&Value::String(surface.clone()))));
        for (axis, value) in table.as_object().into_iter().flatten() {
            out.push_str(&format!("  {}: {}\n", yaml(&Value::String(axis.clone())), yaml(value)));
        }
    }
    out
}

/// A scalar; what YAML could take for something else stands in quotes, which JSON's are.
fn yaml(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
            let letter = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
            let word = matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
            if plain && letter && !word { text.clone() } else { Value::String(text.clone()).to_string() }
        }
        other => other.to_string(),
    }
}

/// The cell of a tree: what its file says, where it says one of the values.
fn of_tree(hands: &Hands<'_>, space: &Space, tree: &str) -> Cell {
    let text = hands.bench.read(tree, &space.writes).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    of_text(space, &text)
}

/// Reads what `written` writes, and what a person would: a line with a surface, lines with its axes; also flat files.
fn of_text(space: &Space, text: &str) -> Cell {
    let mut cell = Cell::new();
    if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) {
        for (surface, value) in fields {
            match value {
                Value::Object(table) => {
                    table.iter().for_each(|(axis, value)| drop(set(space, &mut cell, &format!("{surface}.{axis}"), value)));
                }
                value => drop(set(space, &mut cell, &surface, &value)),
            }
        }
        return cell;
    }
    let mut surface = String::new();
    for raw in text.lines() {
        let row = raw.split(" #").next().unwrap_or(raw).trim_end();
        if let Some(header) = row.trim().strip_prefix('[').and_then(|r| r.strip_suffix(']')) {
            surface = header.trim_matches('"').to_owned();
            continue;
        }
        let Some((key, value)) = row.split_once(['=', ':']) else { continue };
        let (name, value) = (key.trim().trim_matches(['"', '\'']), value.trim().trim_matches(['"', '\'']));
        if value.is_empty() {
            surface = name.to_owned();
            continue;
        }
        let value = Value::String(value.to_owned());
        if set(space, &mut cell, &format!("{surface}.{name}"), &value).is_err() {
            drop(set(space, &mut cell, name, &value));
        }
    }
    cell
}

pub(super) fn cells(hands: &Hands<'_>) -> Result<String, String> {
    let space = hands.task().space.as_ref().ok_or("this task has no [space]")?;
    let size: f64 = space.axes.iter().map(|axis| axis.values.len() as f64).product();
    let scored = |study: &Study| {
        let trials = study.trials.iter().rev().filter(|t| t.tree.is_some() && (t.score.is_some() || t.failure.is_some()));
        trials.take(MOST_TRIALS).filter_map(|t| Some((t.id, t.tree.clone()?, t.score))).collect::<Vec<(TrialId, String, Option<f64>)>>()
    };
    let tried: Vec<(TrialId, Cell, Option<f64>)> =
        hands.ask(scored).unwrap_or_default().into_iter().map(|(id, tree, score)| (id, of_tree(hands, space, &tree), score)).collect();
    let mut lines =
        vec![format!("{} axes, {} cells; a cell is written to {}", space.axes.len(), number::short(size), line(&space.writes, 100))];
    for axis in &space.axes {
        let key = (axis.surface.clone(), axis.name.clone());
        let values: Vec<String> = axis
            .values
            .iter()
            .map(|value| {
                let scores: Vec<f64> =
                    tried.iter().filter(|(_, cell, _)| cell.get(&key) == Some(value)).filter_map(|(_, _, s)| *s).collect();
                let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
                if scores.is_empty() {
                    format!("{value} (untried)")
                } else {
                    format!("{value} (mean {} of {})", number::four(mean), scores.len())
                }
            })
            .collect();
        lines.push(format!("{}.{}: {}", axis.surface, axis.name, line(&values.join(", "), 900)));
    }
    lines.push("A mean over trials that somebody chose is no proof: other axes moved too.".to_owned());
    lines.push("Cells tried, latest first:".to_owned());
    for (id, cell, score) in tried.iter().take(MOST_SHOWN) {
        let values: Vec<String> = cell.iter().map(|((_, name), value)| format!("{name}={value}")).collect();
        let score = score.map_or_else(|| "failed".to_owned(), number::short);
        lines.push(format!("{id} {score}: {}", line(&values.join(" "), 300)));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn space(writes: &str) -> Space {
        let axis = |surface: &str, name: &str, values: Vec<KnobValue>| Axis { surface: surface.into(), name: name.into(), values };
        let words = |list: &[&str]| list.iter().map(|w| KnobValue::Choice((*w).into())).collect();
        Space {
            writes: writes.into(),
            axes: vec![
                axis("architecture", "backbone", words(&["small", "large", "on"])),
                axis("architecture", "gamma", vec![KnobValue::Int(1)]),
                axis("loss", "gamma", vec![KnobValue::Float(2.0), KnobValue::Float(2.5)]),
                axis("loss", "focal", vec![KnobValue::Bool(false), KnobValue::Bool(true)]),
            ],
        }
    }

    #[test]
    fn a_cell_is_read_back_from_what_is_written() {
        for file in ["cell.yaml", "cell.json", "cell.toml"] {
            let space = space(file);
            let mut cell = Cell::new();
            for (name, value) in
                [("backbone", json!("on")), ("loss.gamma", json!("2.5")), ("focal", json!("True")), ("architecture.gamma", json!(1.0))]
            {
                set(&space, &mut cell, name, &value).unwrap();
            }
            let text = written(&space, &cell);
            assert_eq!(of_text(&space, &text), cell, "{file}: {text}");
        }
        assert_eq!(
            written(&space("c.yaml"), &Cell::new()),
            "architecture:\n  backbone: small\n  gamma: 1\nloss:\n  gamma: 2.0\n  focal: false\n"
                .replace("  gamma: 2.0\n  focal: false", "  focal: false\n  gamma: 2.0")
        );
    }

    #[test]
    fn strangers_are_refused_with_the_nearest() {
        let (space, mut cell) = (space("c.yaml"), Cell::new());
        for (name, value, want) in [
            ("backbon", json!("small"), "did you mean `backbone`?"),
            ("gamma", json!(2.0), "write `architecture.gamma`"),
            ("backbone", json!("huge"), "may be small, large, on, not"),
        ] {
            let error = set(&space, &mut cell, name, &value).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
        assert!(of_text(&space, "<<<: \u{0}\n[[[\n=:=").is_empty());
    }
}
