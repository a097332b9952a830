//! `trialdeck knobs`: what a sampler would turn in a task or a directory, where it stands, and why its range is as it is.

use super::{Exit, Failure, Outcome, host, put, put_json, say};
use crate::engine::create;
use crate::lineage::Rules;
use crate::model::{KnobValue, Safe, number::short};
use crate::propose::knobs::{self, Around, Bound, Discovery, Kind, Knob};
use crate::task::{self, FindError, Problems};
use ignore::WalkBuilder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files that are read at most: a tree with more holds data.
const MOST_FILES: usize = 20_000;

/// Where to look.
struct Place {
    root: PathBuf,
    rules: Option<Rules>,
    bounds: Vec<Bound>,
    command: Option<String>,
    /// Holds an embedded task's files while they are read.
    _unpacked: Option<tempfile::TempDir>,
}

/// Lists the knobs.
pub(super) fn knobs(argument: &str, command: Option<&str>, all: bool, json: bool) -> Outcome {
    let place = place(argument, command)?;
    let (sources, fixed) = read(&place)?;
    let found = knobs::discover_around(&sources, &place.bounds, &Around { command: place.command.as_deref(), fixed });
    for (name, reason) in &found.unmatched {
        say(&format!("warning: [[knob]] {}: {}", Safe::line(name), Safe::line(reason)));
    }
    if json {
        for knob in &found.knobs {
            put_json(&row(knob))?;
        }
        for aside in found.aside.iter().filter(|_| all) {
            put_json(
                &serde_json::json!({ "name": aside.name, "value": aside.value, "path": aside.path, "line": aside.line, "turned": false, "why": aside.reason }),
            )?;
        }
        return Ok(Exit::DONE);
    }
    put(&text(&found, all, sources.len(), place.rules.is_some()));
    Ok(Exit::DONE)
}

/// A task, or a directory without one.
fn place(argument: &str, command: Option<&str>) -> Result<Place, Failure> {
    let cwd = host::cwd()?;
    let usage = |problems: Box<Problems>| Failure::usage(problems.render(host::colour()));
    match task::find(argument, &cwd) {
        Ok(found) => {
            let unpacked = tempfile::Builder::new().prefix("trialdeck-task-").tempdir()?;
            let found = found.unpacked(unpacked.path())?;
            let task = &found.parsed.task;
            if command.is_some() {
                return Err(Failure::usage("--cmd goes with a directory without a task.toml; this task names its own command under [run]"));
            }
            let root = found.base.join(&task.repository.path);
            if !root.is_dir() {
                return Err(Failure::usage(format!(
                    "the repository {} is no directory: `path` under [repository] is wrong",
                    root.display()
                )));
            }
            Ok(Place {
                rules: Some(create::rules_with(task, &[], &found.base, &root)?),
                bounds: task.knobs.iter().map(Bound::from).collect(),
                command: Some(task.run.command.clone()),
                root,
                _unpacked: Some(unpacked),
            })
        }
        Err(FindError::NoTaskFile { dir, .. }) => {
            Ok(Place { root: dir, rules: None, bounds: Vec::new(), command: command.map(str::to_owned), _unpacked: None })
        }
        Err(FindError::Problems(problems)) => Err(usage(problems)),
        Err(other) => Err(Failure::usage(other.to_string())),
    }
}

type Files = BTreeMap<String, String>;

/// Editable files and fixed ones that may hold knobs, without what git ignores.
fn read(place: &Place) -> Result<(Files, Files), Failure> {
    let (mut sources, mut fixed) = (Files::new(), Files::new());
    let walk = WalkBuilder::new(&place.root).require_git(false).git_global(false).hidden(true).follow_links(false).build();
    for entry in walk.filter_map(Result::ok).filter(|e| e.file_type().is_some_and(|t| t.is_file())) {
        let Some(path) = entry.path().strip_prefix(&place.root).ok().and_then(Path::to_str) else { continue };
        let small = entry.metadata().is_ok_and(|m| m.len() <= knobs::LARGEST);
        let hidden = place.rules.as_ref().is_some_and(|rules| rules.is_hidden(path));
        if !small || hidden || !knobs::is_source(path) {
            continue;
        }
        if sources.len() + fixed.len() >= MOST_FILES {
            say(&format!("note: only the first {MOST_FILES} files are read"));
            break;
        }
        // What is no UTF-8 cannot be rewritten either.
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let editable = place.rules.as_ref().is_none_or(|rules| rules.check(path, true).is_ok());
        if editable { &mut sources } else { &mut fixed }.insert(path.to_owned(), text);
    }
    Ok((sources, fixed))
}

fn row(knob: &Knob) -> serde_json::Value {
    let (kind, range, log, choices) = match &knob.kind {
        Kind::Float { lo, hi, log } => ("float", Some(serde_json::json!([lo, hi])), *log, None),
        Kind::Int { lo, hi, log } => ("int", Some(serde_json::json!([lo, hi])), *log, None),
        Kind::Bool => ("bool", None, false, None),
        Kind::Choice(choices) => ("choice", None, false, Some(choices)),
    };
    let when = knob.active.as_ref().map(|a| serde_json::json!({ "knob": a.knob, "equals": a.equals }));
    serde_json::json!({
        "name": knob.name, "value": knob.value, "path": knob.path, "line": knob.line, "turned": true, "type": kind, "range": range,
        "log": log, "choices": choices, "powers_of_two": knob.powers_of_two, "zero": knob.zero, "budget": knob.budget, "when": when,
        "why": knob.rule,
    })
}

fn text(found: &Discovery, all: bool, files: usize, has_task: bool) -> String {
    let mut out = String::new();
    let mut path = "";
    let rows: Vec<[String; 5]> = found.knobs.iter().map(columns).collect();
    let widths: Vec<usize> =
        (0..4).map(|c| rows.iter().filter_map(|r| r.get(c)).map(|t| t.chars().count()).max().unwrap_or(0).min(44)).collect();
    for (knob, row) in found.knobs.iter().zip(&rows) {
        if knob.path != path {
            out.push_str(&format!("{}{}\n", if path.is_empty() { "" } else { "\n" }, Safe::line(&knob.path)));
            path = &knob.path;
        }
        let cells: Vec<String> = row.iter().zip(widths.iter().copied().chain([0])).map(|(t, w)| format!("{t:<w$}")).collect();
        out.push_str(&format!("  {}\n", cells.join("  ").trim_end()));
    }
    if all {
        asides(found, &mut out);
        for (path, reason) in &found.skipped {
            out.push_str(&format!("\nnot read: {}: {}\n", Safe::line(path), Safe::line(reason)));
        }
    }
    let n = found.knobs.len();
    if n == 0 {
        out.push_str(&format!("no knobs in {files} file{}\n", plural(files)));
    } else {
        let paths: std::collections::BTreeSet<&str> = found.knobs.iter().map(|k| k.path.as_str()).collect();
        out.push_str(&format!("\n{n} knob{} in {} file{}", plural(n), paths.len(), plural(paths.len())));
        out.push_str(&match (all, found.aside.len(), found.skipped.len()) {
            (true, ..) | (false, 0, 0) => "\n".to_owned(),
            (false, aside, 0) => format!("; {aside} other literals are not turned (--all says why)\n"),
            (false, aside, skipped) => {
                format!("; {aside} other literals are not turned and {skipped} file{} not read (--all says why)\n", plural(skipped))
            }
        });
    }
    let file = if has_task { "task.toml" } else { "a task.toml" };
    let name = found.knobs.first().map_or("learning_rate", |k| k.name.as_str());
    out.push_str(&format!(
        "to leave one out: [[knob]] in {file} with name = \"{}\" and exclude = true; to bound one: type = \"float\", range = [1e-5, 1e-2], log = true\n",
        Safe::line(name)
    ));
    out
}

/// What is not turned, file by file; a file with one reason for all in one line.
fn asides(found: &Discovery, out: &mut String) {
    for file in found.aside.chunk_by(|a, b| a.path == b.path) {
        let Some(first) = file.first() else { continue };
        let path = Safe::line(&first.path);
        if file.len() > 1 && file.iter().all(|a| a.reason == first.reason) {
            out.push_str(&format!("\nnot turned in {path}: all {}: {}\n", file.len(), Safe::line(&first.reason)));
            continue;
        }
        out.push_str(&format!("\nnot turned in {path}\n"));
        for aside in file {
            let name = aside.name.strip_prefix(&format!("{}:", aside.path)).unwrap_or(&aside.name);
            let (name, value, reason) = (Safe::line(name), short_value(&aside.value), Safe::line(&aside.reason));
            out.push_str(&format!("  line {}  {name} = {}: {reason}\n", aside.line, Safe::line(&value)));
        }
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Place, name, value, range, and why.
fn columns(knob: &Knob) -> [String; 5] {
    let place = format!("{}:{}", Safe::line(knob.path.rsplit('/').next().unwrap_or(&knob.path)), knob.line);
    let mut why = knob.rule.to_owned();
    if let Some(active) = &knob.active {
        let values: Vec<String> = active.equals.iter().map(short_value).collect();
        why.push_str(&format!("; matters when {} is {}", Safe::line(&active.knob), Safe::line(&values.join(" or "))));
    }
    let value = Safe::line(&short_value(&knob.value)).to_string();
    [place, Safe::line(&knob.name).to_string(), value, Safe::line(&range(knob)).to_string(), why]
}

fn range(knob: &Knob) -> String {
    match &knob.kind {
        Kind::Float { lo, hi, log } => {
            let (log, zero) = (if *log { ", log" } else { "" }, if knob.zero { ", or 0" } else { "" });
            format!("float {} to {}{log}{zero}", short(*lo), short(*hi))
        }
        Kind::Int { lo, hi, .. } if knob.powers_of_two => {
            let power = matches!(knob.value, KnobValue::Int(v) if v.count_ones() == 1);
            format!("int {lo} to {hi}, {}", if power { "powers of two" } else { "halved or doubled" })
        }
        Kind::Int { lo, hi, log } => format!("int {lo} to {hi}{}", if *log { ", log" } else { "" }),
        Kind::Bool => "bool".into(),
        Kind::Choice(choices) => format!("one of {}", choices.iter().map(short_value).collect::<Vec<_>>().join(", ")),
    }
}

fn short_value(value: &KnobValue) -> String {
    match value {
        KnobValue::Float(v) => short(*v),
        KnobValue::Int(_) | KnobValue::Bool(_) | KnobValue::Choice(_) => value.to_string(),
    }
}
