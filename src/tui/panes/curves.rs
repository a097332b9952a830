//! Live curves of the running runs and the selected trial against the incumbent's last run.

use super::{Content, Ctx};
use crate::client::Mirror;
use crate::model::{RunId, RunNo, TrialId, number::short};
use crate::protocol::{Answer, Curve, Query};
use crate::tui::ink::{self, Line};
use crate::tui::plot::{self, Curve as Drawn};
use crate::tui::state::UiState;
use crate::tui::theme::Role;
use std::collections::BTreeSet;

/// Columns that curves are asked for: two points a column, enough for the widest terminal.
pub const ASKED_WIDTH: u32 = 400;
/// Running runs drawn at most.
const RUNNING: usize = 6;

/// The last run of a trial.
pub fn last_run(mirror: &Mirror, trial: TrialId) -> Option<RunId> {
    let runs = mirror.row(trial)?.runs;
    (runs > 0).then(|| trial.run(RunNo(runs)))
}

/// The runs to draw: the incumbent's first (it is the reference), then the selected trial's, then the running ones.
pub fn runs(mirror: &Mirror, state: &UiState) -> Vec<RunId> {
    let Some(header) = &mirror.header else { return Vec::new() };
    let mut list = Vec::new();
    let mut add = |run: Option<RunId>| {
        if let Some(run) = run.filter(|r| !list.contains(r)) {
            list.push(run);
        }
    };
    add(last_run(mirror, header.incumbent));
    add(state.shown().and_then(|t| last_run(mirror, t)));
    for running in header.running.iter().take(RUNNING) {
        add(Some(running.run));
    }
    list
}

/// Metrics of these runs: what the task calls primary, the study's metric and validation figures first.
pub fn metrics(mirror: &Mirror, state: &UiState) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for run in runs(mirror, state) {
        if let Some(Ok(Answer::SeriesKeys { keys: known })) = state.shelf.get(&Query::SeriesKeys { run }) {
            keys.extend(known.iter().map(|k| k.key.clone()));
        }
        keys.extend(state.live_keys.get(&run).into_iter().flatten().cloned());
    }
    let metric = mirror.header.as_ref().map_or("", |h| h.metric.as_str());
    let primary = mirror.header.as_ref().and_then(|h| h.primary.as_deref());
    let rank = |key: &String| {
        let low = key.to_lowercase();
        if Some(key.as_str()) == primary {
            0
        } else if key == metric {
            1
        } else if low.contains("val") || low.contains("test") {
            2
        } else if low.contains("loss") || low.contains("acc") {
            3
        } else {
            4
        }
    };
    let mut keys: Vec<String> = keys.into_iter().collect();
    keys.sort_by_key(|k| (rank(k), k.clone()));
    keys
}

/// The metric that is drawn.
pub fn metric(mirror: &Mirror, state: &UiState) -> Option<String> {
    let keys = metrics(mirror, state);
    state.metric.clone().filter(|m| keys.contains(m)).or_else(|| keys.into_iter().next())
}

fn curve<'a>(ctx: &Ctx<'a>, run: RunId, key: &str) -> Option<&'a Curve> {
    match ctx.state.shelf.get(&Query::Series { run, key: key.to_owned(), width: ASKED_WIDTH }) {
        Some(Ok(Answer::Series { curve })) => Some(curve),
        _ => None,
    }
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let Some(header) = ctx.header() else { return Content::empty("waiting for the study", width, height) };
    let runs = runs(ctx.mirror, ctx.state);
    if runs.is_empty() {
        return Content::empty("no run has started yet", width, height);
    }
    let keys = metrics(ctx.mirror, ctx.state);
    let Some(key) = metric(ctx.mirror, ctx.state) else {
        let text = if header.imported.is_some() && ctx.state.shown_row(ctx.mirror).is_some_and(|r| r.proposal.is_none()) {
            "no curves: an imported run brings its numbers alone"
        } else {
            "no metrics yet: nothing that [live] names was seen in these runs"
        };
        return Content::empty(text, width, height);
    };
    let mut drawn = Vec::new();
    let mut legend = Vec::new();
    for (n, run) in runs.iter().enumerate() {
        let Some(curve) = curve(ctx, *run, &key) else { continue };
        let points: Vec<(f64, f64)> = curve.steps.iter().zip(&curve.values).map(|(s, v)| (*s, v.unwrap_or(f64::NAN))).collect();
        let last = points.iter().rev().map(|p| p.1).find(|v| v.is_finite());
        let now = points.last().map(|p| p.1);
        let reference = run.trial == header.incumbent && !header.running.iter().any(|r| r.run == *run);
        let role = if reference { Role::ChartReference } else { Role::chart(n.saturating_sub(1)) };
        let mut item = Line::of("━━ ", role).and(run.trial.to_string(), Role::Text);
        if run.run.0 > 1 {
            item.push(format!("/{}", run.run.0), Role::Dim);
        }
        if reference {
            item.push(" incumbent", Role::Dim);
        }
        match (now, last) {
            (Some(v), _) if !v.is_finite() => item.push(format!(" {}", short(v)), Role::Warn),
            (_, Some(v)) => item.push(format!(" {}", short(round(v))), Role::Dim),
            (_, None) => item.push(" no value", Role::Dim),
        }
        legend.push(item);
        drawn.push((n, Drawn { points, role }));
    }
    let title = {
        let mut t = Line::of(ink::cut(&ink::clean(&key), width / 2), Role::Title);
        if keys.len() > 1 {
            let at = keys.iter().position(|k| *k == key).unwrap_or(0);
            t.push(format!("  {} of {}", at + 1, keys.len()), Role::TitleDim);
        }
        t
    };
    let info = if keys.len() > 1 { Line::of("[ ] metric", Role::TitleDim) } else { Line::default() };
    if drawn.is_empty() {
        return Content { title, info, ..Content::empty("reading the curves …", width, height) };
    }
    // The one that is looked at lies on top: a cell has one colour. The reference lies at the bottom.
    drawn.sort_by_key(|(n, _)| match n {
        0 => 0,
        1 => usize::MAX,
        n => *n,
    });
    let drawn: Vec<Drawn> = drawn.into_iter().map(|(_, curve)| curve).collect();
    let mut lines = flow(legend, width, if height >= 12 { 2 } else { 1 });
    match plot::plot(&drawn, width, height.saturating_sub(lines.len())) {
        Some(rows) => lines.extend(rows),
        None if height > 4 => lines.extend(Content::empty("no finite value yet", width, height - lines.len()).lines),
        None => {}
    }
    lines.truncate(height);
    Content { title, info, lines, total: 0, top: 0 }
}

fn round(v: f64) -> f64 {
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    let unit = 10f64.powf(v.abs().log10().floor() - 3.0);
    if unit > 0.0 { (v / unit).round() * unit } else { v }
}

/// Items one after another on at most `rows` lines; the last one says how many are missing.
fn flow(items: Vec<Line>, width: usize, rows: usize) -> Vec<Line> {
    let total = items.len();
    let mut lines: Vec<Line> = vec![Line::default()];
    for (n, item) in items.into_iter().enumerate() {
        let used = lines.last().map_or(0, Line::width);
        let gap = if used == 0 { 0 } else { 3 };
        let reserve = if n + 1 < total && lines.len() == rows { 5 } else { 0 };
        if used > 0 && used + gap + item.width() + reserve > width {
            if lines.len() == rows {
                if let Some(last) = lines.last_mut() {
                    last.push(format!("  +{}", total - n), Role::Dim);
                }
                break;
            }
            lines.push(item);
            continue;
        }
        if let Some(last) = lines.last_mut() {
            last.push(" ".repeat(gap), Role::Text);
            last.spans.extend(item.spans);
        }
    }
    lines.into_iter().map(|l| l.cut(width)).collect()
}
