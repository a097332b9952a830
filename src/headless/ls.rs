//! `trialdeck ls`: the studies of a directory.

use super::paint::{Paint, Tone};
use super::words::{gain, pad, safe, score, span};
use crate::client::studies::{Head, Listed};
use crate::model::Millis;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

/// Returns the table of studies.
pub fn ls(studies: &[Listed], now: Millis, paint: Paint) -> String {
    let head = ["STUDY", "TASK", "STATE", "TRIALS", "BASELINE", "BEST", "CHANGED"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(studies.iter().map(|listed| row(listed, now))).collect();
    let widths: Vec<usize> = (0..7)
        .map(|column| rows.iter().filter(|r| r.len() == 7).filter_map(|r| r.get(column)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for (n, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| pad(cell, *width)).collect();
        let line = cells.join("  ");
        let live = n > 0 && studies.get(n - 1).is_some_and(|s| s.live);
        let tone = if n == 0 {
            Tone::Strong
        } else if live {
            Tone::Good
        } else {
            Tone::Plain
        };
        out.push_str(&paint.tone(tone, line.trim_end()));
        out.push('\n');
    }
    out
}

fn row(listed: &Listed, now: Millis) -> Vec<String> {
    let name = safe(&listed.name);
    let head = match &listed.head {
        Ok(head) => head,
        Err(problem) => return vec![name, safe(problem)],
    };
    let number = |value| score(value, head.score_source);
    let best = head.best.as_ref().map_or("-".into(), |best| format!("{} {} ({})", best.trial, number(Some(best.score)), gain(best)));
    let trials = match head.trials_limit {
        Some(limit) => format!("{}/{limit}", head.trials_used),
        None => head.trials_used.to_string(),
    };
    let changed = format!("{} ago", span(now.seconds_since(head.updated)));
    vec![name, safe(&head.task), state(listed, head), trials, number(head.baseline), best, changed]
}

fn state(listed: &Listed, head: &Head) -> String {
    let over = matches!(head.state, crate::model::StudyState::Finished | crate::model::StudyState::Failed);
    match (listed.live, over, head.reason) {
        (_, true, Some(reason)) => format!("{} ({})", head.state.word(), reason.word()),
        (_, true, None) if head.imported.is_some() => "imported".to_owned(),
        (_, true, None) => head.state.word().to_owned(),
        (true, false, _) if head.waiting > 0 => format!("{}, {} waiting", head.state.word(), head.waiting),
        (true, false, _) => head.state.word().to_owned(),
        (false, false, _) => "no engine".to_owned(),
    }
}

/// Returns the names alone, one a line.
pub fn ls_short(studies: &[Listed]) -> String {
    studies.iter().map(|listed| format!("{}\n", safe(&listed.name))).collect()
}

/// Returns one JSON object a line; `problem` says why a study cannot be read.
pub fn ls_json(studies: &[Listed]) -> String {
    let object = |listed: &Listed| -> Value {
        json!({
            "name": listed.name,
            "dir": listed.dir,
            "live": listed.live,
            "head": listed.head.as_ref().ok(),
            "problem": listed.head.as_ref().err(),
        })
    };
    studies.iter().map(|listed| format!("{}\n", object(listed))).collect()
}
