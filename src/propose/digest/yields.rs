//! What each part of the recipe has given for what it cost.

use super::fit::Section;
use super::row::{delta, gain};
use crate::model::{Study, Verdict, number};
use crate::propose::agent::line;
use crate::task::Task;
use std::collections::BTreeMap;

#[derive(Default)]
struct Yield {
    trials: u32,
    keeps: u32,
    failed: u32,
    gained: f64,
    best: Option<f64>,
    minutes: f64,
}

/// One line a surface: trials, keeps, the summed gain of its keeps, minutes of runs, gain per minute.
pub(super) fn section(study: &Study, task: &Task) -> Section {
    let gpu = study.settings.gpus > 0;
    let mut table: BTreeMap<String, Yield> = task.surfaces.iter().map(|s| (s.name.clone(), Yield::default())).collect();
    for trial in study.trials.iter().skip(1).filter(|t| !t.runs.is_empty()) {
        let entry = table.entry(trial.surface.clone().unwrap_or_else(|| "(none)".to_owned())).or_default();
        entry.trials += 1;
        entry.failed += u32::from(trial.failure.is_some());
        let seconds = if gpu { trial.gpu_seconds() } else { trial.runs.iter().map(|r| r.seconds).sum() };
        entry.minutes += seconds / 60.0;
        let gain = gain(study, trial);
        if let Some(gain) = gain.filter(|_| trial.failure.is_none()) {
            entry.best = Some(entry.best.map_or(gain, |best| best.max(gain)));
            if trial.verdict == Some(Verdict::Keep) {
                entry.keeps += 1;
                entry.gained += gain;
            }
        }
    }
    let unit = if gpu { "GPU-minute" } else { "run-minute" };
    let mut rows: Vec<(String, Yield)> = table.into_iter().collect();
    let rate = |y: &Yield| if y.minutes > 0.0 { y.gained / y.minutes } else { 0.0 };
    rows.sort_by(|a, b| rate(&b.1).total_cmp(&rate(&a.1)).then_with(|| a.0.cmp(&b.0)));
    let lines = rows.into_iter().map(|(name, y)| {
        if y.trials == 0 {
            return format!("- {}: nothing tried yet", line(&name, 40));
        }
        let best = y.best.map_or_else(|| "no score".to_owned(), delta);
        format!(
            "- {}: {} trials, {} kept, {} failed; gained {} in {} {unit}s ({} a {unit}); best {best}",
            line(&name, 40),
            y.trials,
            y.keeps,
            y.failed,
            number::rough(y.gained),
            number::rough(y.minutes),
            number::rough(rate(&y)),
        )
    });
    Section::new("What each part of the recipe gave", 900, 60, lines.collect())
}
