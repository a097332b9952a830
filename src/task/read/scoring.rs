//! Who owns the score: evaluator or self-report, holdout, gates, inference.

use super::Root;
use crate::task::{
    schema::{Evaluator, Gate, Inference, Scoring, Stage},
    self_report::{BadFrom, SelfReport},
    walk::quoted,
};
use std::time::Duration;

/// Where a task does not say: one evaluation, and one inference.
const WALL: Duration = Duration::from_secs(5 * 60);

pub(super) fn evaluator(root: &Root<'_>) -> Evaluator {
    let mut evaluator = Evaluator {
        scoring: Scoring::Command(String::new()),
        files: Vec::new(),
        needs: Vec::new(),
        wall: WALL,
        prepare: None,
        holdout: None,
    };
    let Some(section) = root.need_section("evaluator", "command = \"python evaluate.py\"   # or from = \"stdout:val_loss\"") else {
        return evaluator;
    };
    let (command, from) = (section.text("command", "\"python evaluate.py\""), section.text("from", "\"stdout:val_loss\""));
    match (section.has("command"), section.has("from")) {
        (true, true) => {
            let hint = "keep `command` for a program that owns the score, or `from` for the run's own words".to_owned();
            section.walk.problem(section.key_span("from"), "there are two evaluators", hint);
        }
        (false, false) => section.missing("command", "command = \"python evaluate.py\"   # or from = \"stdout:val_loss\""),
        _ => {}
    }
    if let Some(from) = from {
        match SelfReport::parse(&from.value) {
            Ok(report) => evaluator.scoring = Scoring::SelfReported(report),
            Err(error) => {
                let hint = match &error {
                    BadFrom::Stream(text) => format!("write from = {}", quoted(&format!("stdout:{}", text.trim()))),
                    BadFrom::NoKey(_) => "write from = \"stdout:val_loss\"".to_owned(),
                    BadFrom::Regex(_) | BadFrom::NoGroup => r"write from = 'stdout:val_loss: ([\d.]+)'".to_owned(),
                };
                section.walk.problem(from.span, error.to_string(), hint);
            }
        }
    } else if let Some(command) = command {
        evaluator.scoring = Scoring::Command(command.value);
    }
    evaluator.files = section.inner_paths("files", "[\"evaluate.py\"]", "the directory of the task file");
    evaluator.needs = section.inner_paths("needs", "[\"pred.npy\"]", "the root of the repository");
    evaluator.wall = section.duration("wall", "\"60s\"").unwrap_or(WALL);
    evaluator.prepare = section.text("prepare", "\"python prepare.py\"").map(|t| t.value);
    evaluator.holdout = section.text("holdout", "\"holdout_loss\"").map(|t| t.value);
    evaluator
}

/// Notes a holdout that would not be sealed.
pub(super) fn check_holdout(root: &Root<'_>, metric: &str, evaluator: &Evaluator) {
    let (Some(holdout), Some((_, value))) = (&evaluator.holdout, root.document.get_key_value("evaluator")) else { return };
    let span = value.get_ref().get("holdout").map_or_else(|| value.span(), |v| v.span());
    if holdout == metric {
        let hint = "let the evaluator print a second score on data of its own, and name that one".to_owned();
        root.walk.problem(span, "the holdout is the metric itself, which proposers see", hint);
    } else if matches!(evaluator.scoring, Scoring::SelfReported(_)) {
        let hint = "remove `holdout`, or let an evaluator `command` print it".to_owned();
        root.walk.problem(span, "a score in the run's own words has no sealed holdout", hint);
    }
}

pub(super) fn inference(root: &Root<'_>, evaluator: &Evaluator) -> Option<Inference> {
    let section = root.section("inference")?;
    let inference = Inference {
        command: section.need_text("command", "\"python predict.py\"").value,
        inputs: section.inner_paths("inputs", "[\"inputs.npy\"]", "the root of the repository"),
        wall: section.duration("wall", "\"60s\"").unwrap_or(WALL),
    };
    for input in &inference.inputs {
        let whole: Vec<&str> = input.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if whole.is_empty() || (whole == ["hidden"] && evaluator.prepare.is_some()) {
            let message = format!("`{input}` would hand the labels over with the inputs");
            section.walk.problem(section.key_span("inputs"), message, "name the files with inputs alone".to_owned());
        }
    }
    if matches!(evaluator.scoring, Scoring::SelfReported(_)) && section.has("command") {
        let hint = "remove [inference], or let an evaluator `command` score what it writes".to_owned();
        section.walk.problem(section.header.clone(), "a score in the run's own words has no inference", hint);
    }
    Some(inference)
}

pub(super) fn gates(root: &Root<'_>, holdout: Option<&str>) -> Vec<Gate> {
    const STAGES: &[(&str, Stage)] = &[("tree", Stage::Tree), ("preflight", Stage::Preflight), ("final", Stage::Final)];
    let mut gates = Vec::new();
    for section in root.sections("gate") {
        let key = section.need_text("key", "\"artifact_bytes\"");
        let (min, max) = (section.number("min", "0"), section.number("max", "16_000_000"));
        if !section.has("min") && !section.has("max") {
            let message = "the gate has neither `min` nor `max`: it would bound nothing".to_owned();
            section.walk.absent(section.header.clone(), message, "add\nmax = 16_000_000".to_owned());
        }
        if let (Some(min), Some(max)) = (&min, &max)
            && min.value > max.value
        {
            section.walk.problem(max.span.clone(), "`max` is smaller than `min`: no value could pass", "exchange the two".to_owned());
        }
        if holdout == Some(key.value.as_str()) {
            let hint = "gate on the validation score, or on another key".to_owned();
            section.walk.problem(key.span.clone(), "a gate on the holdout would break its seal", hint);
        }
        let stage = section.word("stage", STAGES).unwrap_or(Stage::Final);
        gates.push(Gate { key: key.value, min: min.map(|n| n.value), max: max.map(|n| n.value), stage });
    }
    gates
}
