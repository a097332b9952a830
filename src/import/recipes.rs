//! The results tables of the CMU recipes (cxcscmu/Auto-Research-Recipes): one row a trial, the baseline first.
//!
//! Columns differ by task, parents are written `750` and `exp_750`, changes carry a plus sign. A line break inside a text cut
//! some rows short: what follows their hypothesis is lost, so their outcome is unknown, which is neither a failure nor a score.

use super::table::{Table, Unknown, number, text};
use super::{Format, Hints, History, ImportError, Row, metric};
use crate::model::{Failure, GateResult, Goal, Label, Millis, Status, Verdict};
use std::collections::HashMap;

/// The cap of Parameter Golf, in bytes.
const GOLF_BYTES: f64 = 16_000_000.0;
/// What a trial of Airbench96 has to reach.
const AIRBENCH_ACCURACY: f64 = 0.96;

/// What the columns tell of a task.
struct Known {
    name: &'static str,
    title: &'static str,
    metric: &'static str,
    goal: Goal,
}

const GOLF: Known = Known {
    name: "parameter-golf",
    title: "Parameter Golf: bits per byte under a cap of 16,000,000 bytes",
    metric: "val_bpb",
    goal: Goal::Minimize,
};
const NANOCHAT: Known = Known { name: "nanochat-d12", title: "NanoChat at depth 12: CORE", metric: "core_metric", goal: Goal::Maximize };
const AIRBENCH: Known = Known {
    name: "airbench96",
    title: "CIFAR-10 Airbench96: training seconds at an accuracy of 0.96",
    metric: "train_s",
    goal: Goal::Minimize,
};

/// Columns that are words, or that are read on their own.
const NOT_NUMBERS: [&str; 13] = [
    "exp_id",
    "timestamp",
    "specialist",
    "parent_exp",
    "baseline_exp",
    "domain",
    "hypothesis",
    "expected_delta",
    "status",
    "job_name",
    "snapshot_path",
    "notes",
    "",
];

fn known(table: &Table<'_>) -> Option<Known> {
    let has = |name: &str| table.column(name).is_some();
    match () {
        () if has("core_metric") => Some(NANOCHAT),
        () if has("train_s") && has("accuracy") && has("n_seeds") => Some(AIRBENCH),
        () if has("val_bpb") && has("artifact_bytes") => Some(GOLF),
        () => None,
    }
}

/// Reads a table.
pub(super) fn read(file: &str, hints: &Hints) -> Result<History, ImportError> {
    let table = Table::new(file).ok_or(ImportError::Empty("header"))?;
    for needed in ["exp_id", "status", "hypothesis"] {
        if table.column(needed).is_none() {
            let found = table.lacks(needed);
            return Err(ImportError::Other { expected: "a recipes table", found });
        }
    }
    let known = known(&table);
    let metric = match (&hints.metric, &known) {
        (Some(metric), _) if table.column(metric).is_none() => {
            return Err(ImportError::NoColumn { metric: metric.clone(), columns: numbers(&table) });
        }
        (Some(metric), _) => metric.clone(),
        (None, Some(known)) => known.metric.to_owned(),
        (None, None) => return Err(ImportError::Metric { columns: numbers(&table) }),
    };
    let known = known.filter(|k| k.metric == metric);
    let goal = match (hints.goal, &known) {
        (Some(goal), _) => goal,
        (None, Some(known)) => known.goal,
        (None, None) => metric::goal(&metric, hints)?,
    };
    let mut reading =
        Reading { table: &table, metric: &metric, goal, places: HashMap::new(), unknown: Unknown::default(), warnings: Vec::new() };
    let mut rows: Vec<Row> = Vec::with_capacity(table.lines.len());
    let mut fragments = 0;
    for (line, cells) in &table.lines {
        // What stood behind the line break of a cut row is no row of its own.
        if cells.len() < 3 && !rows.is_empty() {
            fragments += 1;
            continue;
        }
        let row = reading.row(*line, cells, rows.len());
        reading.places.insert(id(&row.name), rows.len());
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(ImportError::Empty("rows"));
    }
    let mut warnings = reading.warnings;
    warnings.extend(reading.unknown.warnings("shown as undecided"));
    if fragments > 0 {
        warnings.push(format!("{fragments} lines are no rows (the rest of a cut one): left out"));
    }
    Ok(History {
        format: Format::Recipes,
        task: known.as_ref().map(|k| k.name.to_owned()),
        title: known.map(|k| k.title.to_owned()),
        metric,
        goal,
        rows,
        warnings,
    })
}

fn numbers(table: &Table<'_>) -> Vec<String> {
    table.names().into_iter().filter(|n| !NOT_NUMBERS.contains(&n.as_str())).collect()
}

/// An experiment's number as parents name it: `750` and `exp_750` are one.
fn id(text: &str) -> String {
    let bare = text.trim().strip_prefix("exp_").unwrap_or(text.trim());
    match bare.trim_start_matches('0') {
        "" if !bare.is_empty() => "0".into(),
        significant => significant.to_owned(),
    }
}

struct Reading<'a> {
    table: &'a Table<'a>,
    metric: &'a str,
    goal: Goal,
    /// Places of the rows so far, by number.
    places: HashMap<String, usize>,
    unknown: Unknown,
    warnings: Vec<String>,
}

impl Reading<'_> {
    fn row(&mut self, line: u32, cells: &[&str], place: usize) -> Row {
        let cell = |name: &str| self.table.cell(cells, name);
        let mut row = Row::blank(line);
        row.name = cell("exp_id").map(text).unwrap_or_default();
        row.proposer = cell("specialist").map_or_else(|| "unknown".to_owned(), text);
        row.surface = cell("domain").map(text);
        row.hypothesis = cell("hypothesis").map(text).unwrap_or_default();
        row.finished = cell("timestamp").and_then(time);
        if place == 0 {
            row.proposer = "baseline".into();
        } else {
            row.parents = vec![self.parent(&row, cell("parent_exp"), line)];
        }
        let width = self.table.columns.len();
        let word = cell("status").map(text);
        let outcome = word.as_deref().and_then(outcome);
        // Cells too many or too few have moved the others: a status that is no status was never one.
        if word.is_none() || (outcome.is_none() && cells.len() != width) {
            row.status = Status::Unreadable;
            // The quote that would end the text was cut off with the rest.
            if let Some(open) = row.hypothesis.strip_prefix('"') {
                row.hypothesis = open.replace("\"\"", "\"");
            }
            return row;
        }
        row.word = word.unwrap_or_default();
        row.expected = cell("expected_delta").and_then(number).map(|d| self.goal.gain(d, 0.0));
        // A tab in the notes, the last column, made several cells of them.
        let last = width.saturating_sub(1);
        row.notes = match self.table.column("notes") {
            Some(at) if at == last => cells.get(at..).map(|rest| text(&rest.join(" "))).unwrap_or_default(),
            Some(_) => cell("notes").map(text).unwrap_or_default(),
            None => String::new(),
        };
        for name in self.table.columns.iter().filter(|c| !NOT_NUMBERS.contains(c) && **c != self.metric) {
            if let Some(value) = cell(name).and_then(number) {
                row.metrics.insert((*name).to_owned(), value);
            }
        }
        row.seconds = ["total_s", "train_s"].iter().find_map(|n| cell(n).and_then(number)).filter(|s| *s >= 0.0).unwrap_or(0.0);
        let value = cell(self.metric).and_then(number);
        match outcome {
            Some(Outcome::Baseline) => row.score = value,
            Some(Outcome::Verdict(verdict)) => {
                row.score = value;
                row.verdict = Some(verdict).filter(|_| place > 0);
            }
            Some(Outcome::Failed(label)) => {
                row.self_reported = value;
                row.failure = Some(self.failure(label, &row, value));
                row.verdict = Some(Verdict::Revert);
            }
            None => {
                self.unknown.add(&row.word, line);
                row.score = value;
                row.verdict = Some(Verdict::Undecided).filter(|_| place > 0);
            }
        }
        if place == 0 && row.failure.is_none() {
            row.verdict = None;
        }
        row.gates = gates(&row);
        row
    }

    fn parent(&mut self, row: &Row, named: Option<&str>, line: u32) -> usize {
        let Some(named) = named else { return 0 };
        match self.places.get(&id(named)) {
            Some(place) => *place,
            None => {
                let named = text(named);
                self.warnings.push(format!(
                    "row {} on line {line} names the parent `{named}`, which does not come before it: shown under the baseline",
                    row.name
                ));
                0
            }
        }
    }

    /// The evidence that the row holds.
    fn failure(&self, label: Label, row: &Row, value: Option<f64>) -> Failure {
        let mut parts = vec![row.word.replace('_', " ")];
        for key in ["artifact_bytes", "accuracy", "train_s", "eval_s", "total_s"] {
            if let Some(value) = row.metrics.get(key) {
                parts.push(format!("{key} {value}"));
            }
        }
        if let Some(value) = value {
            parts.push(format!("{} {value} does not count", self.metric));
        }
        Failure::new(label, parts.join(", "))
    }
}

enum Outcome {
    Baseline,
    Verdict(Verdict),
    Failed(Label),
}

fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "baseline" => Outcome::Baseline,
        "keep" => Outcome::Verdict(Verdict::Keep),
        "discard" => Outcome::Verdict(Verdict::Revert),
        "crash" => Outcome::Failed(Label::Crashed),
        "preflight_crash" => Outcome::Failed(Label::PreflightFailed),
        "size_blocked" | "disqualified" => Outcome::Failed(Label::GateFailed),
        "train_budget_overrun" => Outcome::Failed(Label::TimedOut),
        "eval_budget_overrun" => Outcome::Failed(Label::EvalTimedOut),
        "harness_abort" => Outcome::Failed(Label::Infrastructure),
        _ => return None,
    })
}

/// The gates that the source checked: what it blocked had missed the one, what it disqualified the other.
fn gates(row: &Row) -> Vec<GateResult> {
    let mut gates = Vec::new();
    let value = |key: &str| row.metrics.get(key).copied();
    let bytes = value("artifact_bytes");
    if row.word == "size_blocked" || bytes.is_some() {
        let ok = row.word != "size_blocked" && bytes.is_none_or(|b| b <= GOLF_BYTES);
        gates.push(GateResult { key: "artifact_bytes".into(), value: bytes, ok });
    }
    let accuracy = value("accuracy");
    if row.word == "disqualified" || accuracy.is_some() {
        let ok = row.word != "disqualified" && accuracy.is_none_or(|a| a >= AIRBENCH_ACCURACY);
        gates.push(GateResult { key: "accuracy".into(), value: accuracy, ok });
    }
    gates
}

fn time(cell: &str) -> Option<Millis> {
    cell.parse::<jiff::Timestamp>().ok().map(|t| Millis(t.as_millisecond()))
}
