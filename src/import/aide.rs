//! AIDE's `journal.json` (WecoAI/aideml): nodes of plan, code and metric, with their parents in `node2parent`.
//!
//! AIDE has no baseline and no verdicts. The first node stands for the baseline; a node that was the best of its time counts as
//! kept, another one with a score as reverted, a buggy one as crashed, with what AIDE knows of it as evidence. Python writes
//! `NaN` and `Infinity` into JSON, which are read as missing.

use super::table::{number, text};
use super::{Format, Hints, History, ImportError, Row, metric};
use crate::model::{Failure, Goal, Label, Millis, Operator, Status, Verdict};
use serde_json::Value;
use std::collections::HashMap;

/// Reads a journal.
pub(super) fn read(file: &str, hints: &Hints) -> Result<History, ImportError> {
    let other = |found: String| ImportError::Other { expected: "a journal.json of AIDE", found };
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let journal: Value = serde_json::from_str(&without_nan(file)).map_err(|e| other(format!("no JSON ({e})")))?;
    let ((_, Some(Value::Array(nodes))) | (Value::Array(nodes), None)) = (&journal, journal.get("nodes")) else {
        return Err(other("it has no list `nodes`".into()));
    };
    if nodes.is_empty() {
        return Err(ImportError::Empty("nodes"));
    }
    let (goal, named, mut warnings) = direction(nodes, hints)?;
    let places: HashMap<&str, usize> = nodes.iter().enumerate().filter_map(|(n, node)| Some((string(node, "id")?, n))).collect();
    let parents = journal.get("node2parent");
    let mut rows: Vec<Row> = Vec::with_capacity(nodes.len());
    let mut best: Option<f64> = None;
    for (place, node) in nodes.iter().enumerate() {
        let id = string(node, "id").unwrap_or_default();
        let parent = parents.and_then(|p| p.get(id)).and_then(Value::as_str).or_else(|| parent_of(node));
        let parent = parent.and_then(|p| places.get(p).copied());
        if parent.is_some_and(|p| p >= place) {
            warnings.push(format!("node {place} names a parent that comes after it: shown without one"));
        }
        let parent = parent.filter(|p| *p < place);
        let mut row = of_node(node, place, parent, rows.as_slice(), goal);
        if place > 0 && row.failure.is_none() && row.status == Status::Done {
            row.verdict = Some(match row.score {
                Some(score) if best.is_none_or(|b| goal.better(score, b)) => Verdict::Keep,
                Some(_) => Verdict::Revert,
                None => Verdict::Undecided,
            });
        }
        if let Some(score) = row.score.filter(|s| best.is_none_or(|b| goal.better(*s, b))) {
            best = Some(score);
        }
        rows.push(row);
    }
    Ok(History { format: Format::Aide, task: None, title: None, metric: named, goal, rows, warnings })
}

/// Metric and direction: the user's word, else what the nodes say.
fn direction(nodes: &[Value], hints: &Hints) -> Result<(Goal, String, Vec<String>), ImportError> {
    let said = |up: bool| nodes.iter().filter(|n| n.pointer("/metric/maximize").and_then(Value::as_bool) == Some(up)).count();
    let (up, down) = (said(true), said(false));
    let name = nodes.iter().find_map(|n| n.pointer("/metric/name").and_then(Value::as_str)).map(text).filter(|n| !n.is_empty());
    let metric = hints.metric.clone().or(name).unwrap_or_else(|| "metric".into());
    let mut warnings = Vec::new();
    if up > 0 && down > 0 && hints.goal.is_none() {
        let (word, n) = if up >= down { ("maximize", down) } else { ("minimize", up) };
        warnings.push(format!("the nodes do not agree on the direction: {word} is taken, the scores of {n} nodes are left out"));
    }
    let goal = match (hints.goal, up, down) {
        (Some(goal), ..) => goal,
        (None, 0, 0) => metric::goal(&metric, hints)?,
        (None, up, down) if up >= down => Goal::Maximize,
        (None, ..) => Goal::Minimize,
    };
    Ok((goal, metric, warnings))
}

fn of_node(node: &Value, place: usize, parent: Option<usize>, before: &[Row], goal: Goal) -> Row {
    let mut row = Row::blank(u32::try_from(place + 1).unwrap_or(u32::MAX));
    row.name = string(node, "id").map(|id| id.chars().take(12).collect()).unwrap_or_default();
    row.proposer = "aide".into();
    if !node.is_object() {
        row.status = Status::Unreadable;
        return row;
    }
    row.parents = parent.into_iter().collect();
    row.operator = match parent.and_then(|p| before.get(p)) {
        None => Operator::Draft,
        Some(parent) if parent.failure.is_some() => Operator::Debug,
        Some(_) => Operator::Improve,
    };
    row.hypothesis = string(node, "plan").map(text).unwrap_or_default();
    row.notes = string(node, "analysis").map(text).unwrap_or_default();
    row.code = string(node, "code").map(str::to_owned);
    row.seconds = node.get("exec_time").and_then(Value::as_f64).filter(|s| *s >= 0.0).unwrap_or(0.0);
    let created = node.get("ctime").and_then(Value::as_f64).filter(|s| s.is_finite() && s.abs() < 1e11);
    row.proposed = created.map(|s| Millis((s * 1000.0) as i64));
    row.finished = created.filter(|_| row.seconds > 0.0).map(|s| Millis(((s + row.seconds) * 1000.0) as i64));
    let value = node.pointer("/metric/value").or_else(|| node.get("metric")).and_then(|v| v.as_f64().or_else(|| number(v.as_str()?)));
    let against = node.pointer("/metric/maximize").and_then(Value::as_bool).is_some_and(|up| up != (goal == Goal::Maximize));
    let buggy = node.get("is_buggy").and_then(Value::as_bool);
    let exception = string(node, "exc_type");
    row.word = if buggy == Some(true) { "buggy" } else { "good" }.into();
    if buggy == Some(true) || exception.is_some() {
        let label = if exception == Some("TimeoutError") { Label::TimedOut } else { Label::Crashed };
        row.self_reported = value;
        row.failure = Some(Failure::new(label, evidence(node, exception)));
        row.verdict = Some(Verdict::Revert);
    } else if against {
        row.self_reported = value;
    } else {
        row.score = value;
    }
    row
}

/// The exception and what it said, else the end of the output, else AIDE's own analysis.
fn evidence(node: &Value, exception: Option<&str>) -> String {
    if let Some(kind) = exception {
        let said = node.pointer("/exc_info/args/0").or_else(|| node.pointer("/exc_info/msg")).and_then(Value::as_str).map(text);
        return match said.filter(|s| !s.is_empty()) {
            Some(said) => format!("{kind}: {said}"),
            None => kind.to_owned(),
        };
    }
    let analysis = string(node, "analysis").map(text).filter(|a| !a.is_empty());
    let output = node.get("_term_out").or_else(|| node.get("term_out"));
    let pieces: Vec<&str> = match output {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(whole)) => vec![whole],
        _ => Vec::new(),
    };
    let whole = pieces.concat();
    let last = whole.lines().rev().map(text).find(|l| !l.is_empty());
    analysis.or(last).unwrap_or_else(|| "AIDE found it buggy and does not say why".into())
}

fn string<'v>(node: &'v Value, key: &str) -> Option<&'v str> {
    node.get(key).and_then(Value::as_str)
}

/// A parent beside the list, as some forks write it.
fn parent_of(node: &Value) -> Option<&str> {
    string(node, "parent").or_else(|| string(node, "parent_id")).or_else(|| string(node.get("parent")?, "id"))
}

/// JSON without the three words that Python writes for numbers that JSON does not have.
fn without_nan(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        if quoted {
            let end = rest.find(['"', '\\']).unwrap_or(rest.len());
            let escaped = rest.get(end..).is_some_and(|r| r.starts_with('\\'));
            let step =
                if escaped { end + 1 + rest.get(end + 1..).and_then(|r| r.chars().next()).map_or(0, char::len_utf8) } else { end + 1 };
            let step = step.min(rest.len());
            out.push_str(rest.get(..step).unwrap_or_default());
            rest = rest.get(step..).unwrap_or_default();
            quoted = escaped || end == step;
            continue;
        }
        if let Some(word) = ["-Infinity", "Infinity", "NaN"].iter().find(|w| rest.starts_with(**w)) {
            out.push_str("null");
            rest = rest.get(word.len()..).unwrap_or_default();
            continue;
        }
        quoted = c == '"';
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_json_lacks_become_null_outside_of_texts() {
        let text = r#"{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \" Infinity", "d": "\\", "e": NaN}"#;
        let clean = without_nan(text);
        assert_eq!(clean, r#"{"a": null, "b": [null, null], "c": "NaN \" Infinity", "d": "\\", "e": null}"#);
        assert_eq!(without_nan("\"open \\"), "\"open \\");
        assert_eq!(without_nan("\"é\\é\" NaN"), "\"é\\é\" null");
    }
}
