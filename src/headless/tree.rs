//! `trialdeck tree`: every trial under its first parent, with what became of it.

use super::paint::{Paint, Tone, tone_of};
use super::words::{fit, gain_vs, outcome, pad, safe, score};
use crate::model::{Status, Study, Trial, TrialId};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Columns that the branches take at most; deeper trials stand under each other.
const DEEPEST: usize = 40;

/// Returns the tree, one trial a line of at most `width` columns. A second parent of a crossover is named in its line.
pub fn tree(study: &Study, width: usize, paint: Paint) -> String {
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
        let mut parts = vec![(Tone::Faint, format!("{prefix}{branch}"))];
        parts.extend(node(study, trial));
        out.push_str(&line(parts, width, paint));
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

/// Parts one after the other, cut where the room ends.
fn line(parts: Vec<(Tone, String)>, width: usize, paint: Paint) -> String {
    let mut out = String::new();
    let mut room = width;
    let whole: usize = parts.iter().map(|(_, text)| text.width()).sum();
    let mut left = whole;
    for (tone, text) in parts {
        left -= text.width();
        // Of a part that just fits, the last column is for the mark of what follows it.
        let text = if text.width() == room && left > 0 { fit(&format!("{text} "), room) } else { fit(&text, room) };
        room -= text.width().min(room);
        out.push_str(&paint.tone(tone, &text));
        if text.ends_with('…') && room == 0 {
            break;
        }
    }
    out.trim_end().to_owned()
}

fn node(study: &Study, trial: &Trial) -> Vec<(Tone, String)> {
    let label = trial.failure.as_ref().map(|f| f.label);
    let word = outcome(trial.status, trial.verdict, label);
    let word = if trial.id == TrialId::BASELINE { "baseline" } else { word };
    let mut parts = vec![(Tone::Plain, trial.id.to_string()), (tone_of(trial.status, trial.verdict, label), pad(word, 11))];
    let mut say = |tone, text: String| parts.push((tone, text));
    if trial.score.is_some() {
        say(Tone::Plain, score(trial.score, study.settings.score_source));
    }
    if let Some(comparison) = &trial.comparison {
        say(Tone::Plain, format!("({})", gain_vs(comparison)));
    }
    let best = study.best.as_ref().filter(|best| best.trial == trial.id);
    if let Some(best) = best {
        say(Tone::Good, if best.verified { "★ best, verified" } else { "★ best, provisional" }.into());
    }
    if study.reference == Some(trial.id) {
        say(Tone::Good, "mended baseline".into());
    }
    if study.incumbent == trial.id && best.is_none() && trial.id != TrialId::BASELINE {
        say(Tone::Plain, "incumbent".into());
    }
    if trial.pinned {
        say(Tone::Plain, "pinned".into());
    }
    if trial.pruned {
        say(Tone::Plain, "pruned".into());
    }
    if let Some(other) = trial.parents.get(1) {
        say(Tone::Plain, format!("with {other}"));
    }
    match &trial.failure {
        Some(failure) if trial.status == Status::Rejected => {
            say(Tone::Plain, format!("{}: {}", failure.label.word(), safe(&failure.detail)))
        }
        Some(failure) if trial.id == TrialId::BASELINE => say(Tone::Bad, format!("failed: {}", failure.label.word())),
        _ if trial.id != TrialId::BASELINE => say(Tone::Plain, format!("{}  {}", safe(&trial.proposer), safe(&trial.hypothesis))),
        _ => {}
    }
    let last = parts.len() - 1;
    parts.into_iter().enumerate().map(|(n, (tone, text))| (tone, if n < last { text + " " } else { text })).collect()
}
