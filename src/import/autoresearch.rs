//! The table of karpathy/autoresearch: `commit  val_bpb  memory_gb  status  description`, the unchanged baseline first.
//!
//! Every row builds on the last one that was kept. Forks name another metric and leave the memory out. A crash is written as
//! 0.000000 in a metric that is to be low: here it has no score.

use super::table::{Table, Unknown, number, text};
use super::{Format, Hints, History, ImportError, Row, metric};
use crate::model::{Failure, Label, Status, Verdict};

/// Columns that are not the score.
const OTHERS: [&str; 5] = ["commit", "memory_gb", "status", "description", ""];

/// Reads a table.
pub(super) fn read(file: &str, hints: &Hints) -> Result<History, ImportError> {
    let table = Table::new(file).ok_or(ImportError::Empty("header"))?;
    for needed in ["commit", "status"] {
        if table.column(needed).is_none() {
            let found = table.lacks(needed);
            return Err(ImportError::Other { expected: "a results.tsv of autoresearch", found });
        }
    }
    let columns: Vec<String> = table.names().into_iter().filter(|n| !OTHERS.contains(&n.as_str())).collect();
    let metric = match &hints.metric {
        Some(metric) if table.column(metric).is_none() => return Err(ImportError::NoColumn { metric: metric.clone(), columns }),
        Some(metric) => metric.clone(),
        // The score stands behind the commit.
        None => columns.first().cloned().ok_or(ImportError::Metric { columns: Vec::new() })?,
    };
    let goal = metric::goal(&metric, hints)?;
    let (mut rows, mut unknown, mut kept, mut zeros) = (Vec::new(), Unknown::default(), 0, 0);
    for (line, cells) in &table.lines {
        let place = rows.len();
        let cell = |name: &str| table.cell(cells, name);
        let mut row = Row::blank(*line);
        row.name = cell("commit").map(text).unwrap_or_default();
        row.proposer = if place == 0 { "baseline" } else { "agent" }.into();
        row.parents = if place == 0 { Vec::new() } else { vec![kept] };
        let width = table.columns.len();
        // A tab in the description, the last column, made several cells of it.
        row.hypothesis = match table.column("description") {
            Some(at) => cells.get(at..).map(|rest| text(&rest.join(" "))).unwrap_or_default(),
            None => String::new(),
        };
        for name in table.columns.iter().filter(|c| **c != metric && !["commit", "status", "description", ""].contains(c)) {
            if let Some(value) = cell(name).and_then(number) {
                row.metrics.insert((*name).to_owned(), value);
            }
        }
        let value = cell(&metric).and_then(number);
        let word = cell("status").map(|w| text(w).to_lowercase());
        let nothing = value == Some(0.0) && row.metrics.get("memory_gb").is_none_or(|m| *m == 0.0);
        match word.as_deref() {
            Some("crash") => {
                row.self_reported = value.filter(|v| *v != 0.0);
                row.failure = Some(Failure::new(Label::Crashed, "the table says `crash` and keeps no evidence"));
                row.verdict = Some(Verdict::Revert);
            }
            Some("keep" | "discard" | "baseline") if nothing => {
                zeros += 1;
                row.failure = Some(Failure::new(Label::InvalidScore, format!("{metric} 0 stands for no value in this table")));
                row.verdict = Some(Verdict::Revert);
            }
            Some(word @ ("keep" | "discard" | "baseline")) => {
                row.score = value;
                let verdict = if word == "discard" { Verdict::Revert } else { Verdict::Keep };
                row.verdict = Some(verdict).filter(|_| place > 0);
                if value.is_none() {
                    row.verdict = Some(Verdict::Undecided).filter(|_| place > 0);
                }
            }
            Some(word) if cells.len() >= width => {
                unknown.add(word, *line);
                row.score = value;
                row.verdict = Some(Verdict::Undecided).filter(|_| place > 0);
            }
            Some(_) | None => row.status = Status::Unreadable,
        }
        row.word = word.unwrap_or_default();
        if place == 0 && row.failure.is_none() {
            row.verdict = None;
        }
        if row.verdict == Some(Verdict::Keep) {
            kept = place;
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(ImportError::Empty("rows"));
    }
    let mut warnings = unknown.warnings("shown as undecided");
    if zeros > 0 {
        warnings.push(format!("{zeros} rows that are no crash have 0 for a score: shown as invalid_score"));
    }
    Ok(History { format: Format::Autoresearch, task: None, title: None, metric, goal, rows, warnings })
}
