//! `trialdeck ls`: the studies of a directory.

use super::paint::{Paint, Tone};
use super::words::{fit, gain, pad, safe, score, signed, span};
use crate::client::studies::{Head, Listed};
use crate::model::Millis;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

const COLUMNS: usize = 7;

/// How much of a row is told: what a narrow terminal has no room for goes by and by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Much {
    /// The interval of the gain, or why there is none.
    All,
    /// The gain and whether it is verified.
    Gain,
    /// The score of the best alone, and a state without its reason.
    Score,
}

/// Returns the table of studies, not wider than `width` columns.
pub fn ls(studies: &[Listed], now: Millis, width: usize, paint: Paint) -> String {
    let rows = |much| -> Vec<Vec<String>> {
        let age = if much == Much::Score { "AGE" } else { "CHANGED" };
        let head = ["STUDY", "TASK", "STATE", "TRIALS", "BASELINE", "BEST", age].map(str::to_owned).to_vec();
        std::iter::once(head).chain(studies.iter().map(|listed| row(listed, now, much))).collect()
    };
    let fits = |rows: &Vec<Vec<String>>| widths(rows).iter().sum::<usize>() + 2 * (COLUMNS - 1) <= width;
    let mut rows = [Much::All, Much::Gain].into_iter().map(rows).find(fits).unwrap_or_else(|| rows(Much::Score));
    shorten(&mut rows, width);
    let widths = widths(&rows);
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
        out.push_str(&paint.tone(tone, fit(line.trim_end(), width).as_str()));
        out.push('\n');
    }
    out
}

/// Width of each column; the problem of a study that cannot be read is no cell.
fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let cells = |column: usize| rows.iter().filter(|r| r.len() == COLUMNS).filter_map(move |r| r.get(column));
    (0..COLUMNS).map(|column| cells(column).map(|cell| cell.width()).max().unwrap_or(0)).collect()
}

/// Cuts tasks, then names, by what the rows are too wide; enough of both stays to tell them apart.
fn shorten(rows: &mut [Vec<String>], width: usize) {
    const LEAST: [(usize, usize); 2] = [(1, 6), (0, 12)];
    for (column, least) in LEAST {
        let all = widths(rows);
        let over = (all.iter().sum::<usize>() + 2 * (COLUMNS - 1)).saturating_sub(width);
        let room = all.get(column).copied().unwrap_or(0).saturating_sub(over).max(least);
        for cell in rows.iter_mut().filter(|r| r.len() == COLUMNS).filter_map(|r| r.get_mut(column)) {
            *cell = fit(cell, room);
        }
    }
}

fn row(listed: &Listed, now: Millis, much: Much) -> Vec<String> {
    let name = safe(&listed.name);
    let head = match &listed.head {
        Ok(head) => head,
        Err(problem) => return vec![name, safe(problem)],
    };
    let number = |value| score(value, head.score_source);
    let best = head.best.as_ref().map_or("-".into(), |best| {
        let value = format!("{} {}", best.trial, number(Some(best.score)));
        match much {
            Much::All => format!("{value} ({})", gain(best)),
            Much::Gain => format!("{value} ({}, {})", signed(best.gain), if best.verified { "verified" } else { "provisional" }),
            Much::Score => value,
        }
    });
    let trials = match head.trials_limit {
        Some(limit) => format!("{}/{limit}", head.trials_used),
        None => head.trials_used.to_string(),
    };
    let age = span(now.seconds_since(head.updated));
    let changed = if much == Much::Score { age } else { format!("{age} ago") };
    let mut state = state(listed, head);
    if let Some((word, _)) = state.split_once(" (").filter(|_| much == Much::Score) {
        state = word.to_owned();
    }
    vec![name, safe(&head.task), state, trials, number(head.baseline), best, changed]
}

fn state(listed: &Listed, head: &Head) -> String {
    let over = matches!(head.state, crate::model::StudyState::Finished | crate::model::StudyState::Failed);
    match (listed.live, over, head.reason) {
        (_, true, Some(reason)) => format!("{} ({})", head.state.word(), reason.word()),
        (_, true, None) if head.imported.is_some() => "imported".to_owned(),
        (_, true, None) => head.state.word().to_owned(),
        (true, false, _) if head.waiting > 0 => format!("{}, {} waiting", head.state.word(), head.waiting),
        (true, false, _) => head.state.word().to_owned(),
        (false, false, _) if !head.begun => "not started".to_owned(),
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
