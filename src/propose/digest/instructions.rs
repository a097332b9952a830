//! What the researcher said and still holds: words to the agents, vetoes with their reasons, pins, and what is out of bounds.

use super::DigestExtra;
use super::fit::Section;
use super::row::{quoted, veto};
use crate::model::{Decision, Reviewer, Study, Trial};

/// Most words of a kind; the latest count.
const STEERS: usize = 10;
const VETOES: usize = 6;
const MARKS: usize = 12;

pub(super) fn section(study: &Study, extra: &DigestExtra<'_>) -> Section {
    let role = extra.role.map(|r| r.name.as_str());
    let mine = |to: &Option<String>| to.as_deref().is_none_or(|to| role == Some(to));
    let mut lines: Vec<String> = study
        .steers
        .iter()
        .rev()
        .filter(|steer| mine(&steer.to))
        .take(STEERS)
        .map(|steer| format!("- {}: {}", if steer.to.is_some() { "to you" } else { "to all" }, quoted(&steer.text, 500)))
        .collect();
    let mut marks = |what: &str, wanted: &dyn Fn(&Trial) -> bool| {
        let ids: Vec<String> = study.trials.iter().rev().filter(|t| wanted(t)).take(MARKS).map(|t| t.id.to_string()).collect();
        if !ids.is_empty() {
            lines.push(format!("- {what}: {}", ids.join(", ")));
        }
    };
    marks("pinned, to be built upon", &|t| t.pinned);
    marks("pruned, not to be built upon or repeated", &|t| t.pruned);
    let refused = study.trials.iter().rev().filter_map(|t| Some((t, veto(t)?))).take(VETOES);
    // The sentence of the vetoed trial is a model's and stands elsewhere, as data.
    lines.extend(refused.map(|(t, reason)| format!("- {} was vetoed{}: {}", t.id, by_rule(t), quoted(reason, 260))));
    let wanted = |t: &Trial| {
        t.reviews
            .iter()
            .rev()
            .find(|r| r.decision == Decision::Revise && r.by == Reviewer::Human)
            .and_then(|r| r.reason.clone())
            .filter(|reason| !reason.trim().is_empty())
    };
    let sent_back = study.trials.iter().rev().filter_map(|t| Some((t.id, wanted(t)?))).take(VETOES / 2);
    lines.extend(sent_back.map(|(id, reason)| format!("- of {id} a revision was wanted: {}", quoted(&reason, 200))));
    let repository = &extra.task.repository;
    let mut bounds = format!("- editable: {}", shown(&repository.editable));
    if !repository.protected.is_empty() {
        bounds.push_str(&format!("; never: {}", shown(&repository.protected)));
    }
    if let Some(lines) = repository.max_changed_lines {
        bounds.push_str(&format!("; at most {lines} changed lines"));
    }
    lines.push(bounds);
    if let Some(globs) = extra.role.and_then(|role| role.allowed(extra.task)) {
        lines.push(format!("- of these your part: {}", shown(&globs)));
    }
    Section::new("Standing instructions", 1900, 205, lines)
}

/// A veto that no person spoke.
fn by_rule(trial: &Trial) -> &'static str {
    let by = trial.reviews.iter().rev().find(|r| r.decision == Decision::Veto).map(|r| r.by);
    if by.is_some_and(|by| by != Reviewer::Human) { " by a rule of the harness" } else { "" }
}

fn shown(globs: &[String]) -> String {
    let mut list: Vec<String> = globs.iter().take(12).map(|glob| format!("`{}`", crate::propose::agent::line(glob, 60))).collect();
    if globs.len() > list.len() {
        list.push(format!("+{} more", globs.len() - list.len()));
    }
    list.join(", ")
}
