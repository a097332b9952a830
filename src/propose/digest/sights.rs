//! What only some specialists are shown: curves with what they look like, resources, the end of the log.

use super::DigestExtra;
use super::fit::Section;
use super::row::delta;
use crate::model::{Goal, RunId, Study, Trial, number};
use crate::propose::agent::{CurveSummary, Scene, data, end, line, log_lines};
use crate::propose::role::seconds;

/// Bytes of a log's end.
const TAIL: usize = 900;
/// A value that changes by less than this share of the curve's whole span has come to rest.
const REST: f64 = 0.02;

/// What people watch comes first, then losses, then the rest; values that were printed once are no curves.
pub(super) fn curves(curves: &[(RunId, Vec<CurveSummary>)], primary: Option<&str>) -> Section {
    let mut lines = Vec::new();
    for (run, curves) in curves {
        let rank = |key: &str| match key {
            _ if Some(key) == primary => 0,
            _ if key.contains("loss") => 1,
            _ => 2,
        };
        let mut moving: Vec<&CurveSummary> = curves.iter().filter(|curve| curve.count > 1).collect();
        moving.sort_by_key(|curve| rank(&curve.key));
        lines.extend(moving.into_iter().map(|curve| format!("- {run} {}", shape(curve))));
        let once = curves.iter().filter(|curve| curve.count == 1).filter_map(|c| Some((c, c.points.first()?)));
        let once: Vec<String> = once.map(|(c, (_, value))| format!("{} {}", line(&c.key, 40), number::four(*value))).collect();
        if !once.is_empty() {
            lines.push(format!("- {run} printed once: {}", line(&once.join(", "), 300)));
        }
    }
    Section::new("Curves of the parent's last run", 1100, 110, lines)
}

/// How long the runs of a trial took that ended: from the shortest to the longest where they differ.
pub(super) fn took(trial: &Trial) -> Option<String> {
    let ended = trial.runs.iter().map(|run| run.seconds).filter(|s| *s > 0.0);
    let (least, most) = ended.fold((f64::INFINITY, 0.0_f64), |(least, most), s| (least.min(s), most.max(s)));
    (most > 0.0).then(|| if most - least <= 0.1 * most { seconds(most) } else { format!("{} to {}", seconds(least), seconds(most)) })
}

/// A curve in one line: from where to where, its best, and what its last fifth does.
pub(crate) fn shape(curve: &CurveSummary) -> String {
    let finite: Vec<(f64, f64)> = curve.points.iter().copied().filter(|(_, v)| v.is_finite()).collect();
    let name = line(&curve.key, 40);
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else {
        return format!("{name}: {} points, none of them finite", curve.count);
    };
    let least = finite.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a }).unwrap_or(*first);
    let most = finite.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a }).unwrap_or(*first);
    let span = most.1 - least.1;
    let tail = if span <= 0.0 { "it never moves".to_owned() } else { tail(&finite, span) };
    let broken = if finite.len() < curve.points.len() { "; some values are not finite" } else { "" };
    format!(
        "{name}: {} at step {} to {} at step {} ({} points); least {} at {}, most {} at {}; {tail}{broken}",
        number::four(first.1),
        number::short(first.0),
        number::four(last.1),
        number::short(last.0),
        curve.count,
        number::four(least.1),
        number::short(least.0),
        number::four(most.1),
        number::short(most.0),
    )
}

/// What the end of a curve does: the mean of its last quarter against that of the quarter before, so that one noisy point at the
/// very end does not pass for rest.
fn tail(finite: &[(f64, f64)], span: f64) -> String {
    let quarter = finite.len() / 4;
    if quarter == 0 {
        return "too few points to say what its end does".to_owned();
    }
    let (rest, last) = finite.split_at(finite.len() - quarter);
    let before = rest.get(rest.len().saturating_sub(quarter)..).unwrap_or(rest);
    let mean = |points: &[(f64, f64)]| points.iter().map(|(_, v)| v).sum::<f64>() / points.len().max(1) as f64;
    let spread = |points: &[(f64, f64)]| {
        let middle = mean(points);
        points.iter().map(|(_, v)| (v - middle).powi(2)).sum::<f64>() / (points.len().max(2) - 1) as f64
    };
    let late = mean(last) - mean(before);
    let noise = ((spread(last) + spread(before)) / quarter as f64).sqrt();
    let word = if late < 0.0 { "falling" } else { "rising" };
    if late.abs() <= REST * span && late.abs() <= noise {
        "at rest at its end".to_owned()
    } else if late.abs() <= noise {
        format!("at its end {word} by no more than its own noise ({} from quarter to quarter)", number::rough(late.abs()))
    } else {
        format!(
            "still {word} at its end: its last quarter is on average {} {} than the one before",
            number::rough(late.abs()),
            if late < 0.0 { "lower" } else { "higher" }
        )
    }
}

pub(super) fn resources(study: &Study, scene: &Scene, extra: &DigestExtra<'_>) -> Section {
    let wall = study.settings.wall_secs;
    let mut lines = Vec::new();
    let nodes = [crate::model::TrialId::BASELINE, study.incumbent, scene.base()];
    for (at, id) in nodes.iter().enumerate() {
        let Some(trial) = study.trial(*id).filter(|_| !nodes.iter().take(at).any(|n| n == id)) else { continue };
        let Some(run) = trial.runs.iter().rev().find(|r| r.seconds > 0.0) else { continue };
        let memory = match extra.task.budget.memory_bytes {
            Some(limit) => format!("{} of {} MiB", run.peak_memory_bytes >> 20, limit >> 20),
            None => format!("{} MiB", run.peak_memory_bytes >> 20),
        };
        let longest = trial.runs.iter().map(|r| r.seconds).fold(0.0, f64::max);
        let share = if wall > 0.0 { longest / wall * 100.0 } else { 0.0 };
        lines.push(format!(
            "- {id}: a run takes {} of {} ({}%), peak memory {memory}{}",
            took(trial).unwrap_or_else(|| seconds(run.seconds)),
            seconds(wall),
            number::rough(share.round()),
            if run.gpus > 0 { format!(", {} GPU", run.gpus) } else { ", no GPU".to_owned() }
        ));
    }
    // Seconds against score: who was faster, and whether it helped.
    let base = study.trial(scene.base()).and_then(|t| Some((t.score?, t.runs.iter().rev().find(|r| r.seconds > 0.0)?.seconds)));
    if let Some((score, secs)) = base {
        let faster = study.trials.iter().skip(1).rev().filter_map(|t| {
            let run = t.runs.iter().rev().find(|r| r.seconds > 0.0)?;
            let (own, ratio) = (t.score?, run.seconds / secs);
            (!(0.9..=1.1).contains(&ratio)).then(|| {
                let gain = match study.settings.goal {
                    Goal::Minimize => score - own,
                    Goal::Maximize => own - score,
                };
                format!("{} x{} ({})", t.id, number::rough(ratio), delta(gain))
            })
        });
        let faster: Vec<String> = faster.take(6).collect();
        if !faster.is_empty() {
            lines.push(format!("- seconds relative to {} (delta of the score): {}", scene.base(), faster.join(", ")));
        }
    }
    lines.extend(extra.hardware.lines().filter(|l| !l.trim().is_empty()).take(8).map(|l| format!("- {}", line(l, 160))));
    Section::new("Resources", 1100, 105, lines)
}

pub(super) fn log(extra: &DigestExtra<'_>) -> Section {
    let lines = extra.logs.iter().take(1).map(|(run, text)| data(&format!("end of the log of {run}"), end(&log_lines(text), TAIL)));
    Section::new("The parent's log", 1100, 50, lines.collect())
}
