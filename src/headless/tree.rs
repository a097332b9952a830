//! `trialdeck tree`: every trial under its first parent, with what became of it.

use super::paint::{Paint, Tone, tone_of};
use super::words::{gain_vs, outcome, pad, safe, score};
use crate::model::{Status, Study, Trial, TrialId};
use std::collections::BTreeMap;

/// Columns that the branches take at most; deeper trials stand under each other.
const DEEPEST: usize = 40;

/// Returns the tree, one trial a line. A second parent of a crossover is named in its line.
pub fn tree(study: &Study, paint: Paint) -> String {
    let mut children: BTreeMap<TrialId, Vec<TrialId>> = BTreeMap::new();
    let mut todo: Vec<(TrialId, String, Option<bool>)> = Vec::new();
    for trial in study.trials.iter().rev() {
        match trial.parents.first() {
            // Parents are older than their children, whatever an import says.
            Some(parent) if *parent < trial.id => children.entry(*parent).or_default().push(trial.id),
            _ => todo.push((trial.id, String::new(), None)),
        }
    }
    let mut out = String::new();
    while let Some((id, prefix, last)) = todo.pop() {
        let Some(trial) = study.trial(id) else { continue };
        let branch = match last {
            None => "",
            Some(true) => "└─ ",
            Some(false) => "├─ ",
        };
        out.push_str(&paint.tone(Tone::Faint, &format!("{prefix}{branch}")));
        out.push_str(&node(study, trial, paint));
        out.push('\n');
        let below = match last {
            None => prefix,
            Some(_) if prefix.chars().count() >= DEEPEST => prefix,
            Some(true) => format!("{prefix}   "),
            Some(false) => format!("{prefix}│  "),
        };
        for (n, child) in children.remove(&id).unwrap_or_default().into_iter().enumerate() {
            todo.push((child, below.clone(), Some(n == 0)));
        }
    }
    out
}

fn node(study: &Study, trial: &Trial, paint: Paint) -> String {
    let label = trial.failure.as_ref().map(|f| f.label);
    let word = outcome(trial.status, trial.verdict, label);
    let word = if trial.id == TrialId::BASELINE { "baseline" } else { word };
    let mut parts = vec![trial.id.to_string(), paint.tone(tone_of(trial.status, trial.verdict, label), &pad(word, 11))];
    if trial.score.is_some() {
        parts.push(score(trial.score, study.settings.score_source));
    }
    if let Some(comparison) = &trial.comparison {
        parts.push(format!("({})", gain_vs(comparison)));
    }
    let best = study.best.as_ref().filter(|best| best.trial == trial.id);
    if let Some(best) = best {
        parts.push(paint.tone(Tone::Good, if best.verified { "★ best, verified" } else { "★ best, provisional" }));
    }
    if study.incumbent == trial.id && best.is_none() && trial.id != TrialId::BASELINE {
        parts.push("incumbent".into());
    }
    parts.extend(trial.pinned.then(|| "pinned".into()));
    parts.extend(trial.pruned.then(|| "pruned".into()));
    parts.extend(trial.parents.get(1).map(|other| format!("with {other}")));
    match &trial.failure {
        Some(failure) if trial.status == Status::Rejected => parts.push(format!("{}: {}", failure.label.word(), safe(&failure.detail))),
        _ if trial.id != TrialId::BASELINE => parts.push(format!("{}  {}", safe(&trial.proposer), safe(&trial.hypothesis))),
        _ => {}
    }
    parts.join(" ").trim_end().to_owned()
}
