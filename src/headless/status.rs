//! The live area under the results: at most three lines, drawn from a header and its rows.

use super::paint::{Paint, Tone};
use super::words::{counts, fit, gain, safe, score, span, with_noise};
use crate::model::{Millis, Noise, RunPhase, SetupStage, Status, StudyState, TrialId};
use crate::protocol::{Header, Row};

/// Cells of the bar.
const BAR: usize = 20;

/// Columns left free at the end: a terminal that echoes `^C` there must not break the line.
const FREE: usize = 3;

/// Returns the lines of the live area, all narrower than `width`.
pub fn area(header: &Header, rows: &[Row], log: &str, now: Millis, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = match building(header, log, now) {
        Some(lines) => lines,
        None => vec![progress(header, rows, now), headline(header), activity(header, now)],
    };
    lines.retain(|line| !line.is_empty());
    let tones = [Tone::Strong, Tone::Good, Tone::Faint];
    lines.iter().zip(tones).map(|(line, tone)| paint.tone(tone, &fit(line, width.saturating_sub(FREE)))).collect()
}

/// While the environment of the runs is built, there is nothing else to tell.
fn building(header: &Header, log: &str, now: Millis) -> Option<Vec<String>> {
    let setup = header.setup.as_ref().filter(|s| s.in_flight())?;
    let time = setup.since.map_or(0.0, |since| now.seconds_since(since));
    let (what, said) = match (&setup.waiting, setup.stage) {
        (Some(why), _) => ("setup waits", safe(why)),
        (None, SetupStage::Preparing) => ("preparing the data", String::new()),
        (None, _) => ("setting up", safe(log)),
    };
    Some(vec![format!("{what}  {}/{}", span(time), span(setup.wall_secs)), String::new(), said])
}

fn progress(header: &Header, rows: &[Row], now: Millis) -> String {
    let done = decided(rows);
    let mut parts = vec![match header.limits.trials {
        Some(limit) => format!("{} {done}/{limit} trials", bar(done, limit)),
        None => format!("{done} trials (unlimited)"),
    }];
    parts.push(span(active_secs(header, now)));
    if let Some(left) = left_secs(header, done, now) {
        parts.push(format!("about {} left", span(left)));
    }
    if header.stopping {
        parts.push("stopping".into());
    } else if header.state == StudyState::Paused {
        parts.push("paused".into());
    }
    let failures = counts(rows.iter().filter(|r| r.status != Status::Rejected).filter_map(|r| r.label));
    if !failures.is_empty() {
        parts.push(format!("failures: {failures}"));
    }
    parts.join("  ")
}

fn headline(header: &Header) -> String {
    let baseline = header.baseline_score.map(|mean| format!("baseline {}", with_noise(Some(mean), header.noise, header.score_source)));
    match (&header.best, baseline) {
        (Some(best), baseline) => {
            let best = format!("best {} {} ({})", best.trial, score(Some(best.score), header.score_source), gain(best));
            [Some(best), baseline].into_iter().flatten().collect::<Vec<_>>().join("  ")
        }
        (None, Some(baseline)) => format!("{baseline}, nothing kept yet"),
        (None, None) if header.mending => "mending the baseline, which failed".into(),
        (None, None) if matches!(header.noise, Noise::Unknown { .. }) => "measuring the baseline".into(),
        (None, None) => String::new(),
    }
}

fn activity(header: &Header, now: Millis) -> String {
    let mut parts: Vec<String> = header
        .running
        .iter()
        .map(|run| match run.phase {
            RunPhase::Evaluating => format!("{} evaluating", run.run),
            RunPhase::Running | RunPhase::Ended => {
                format!("{} {}/{}", run.run, span(now.seconds_since(run.since)), span(header.wall_secs))
            }
        })
        .collect();
    parts.extend(header.quiet.map(|quiet| quiet.short().to_owned()));
    if header.waiting > 0 {
        parts.push(format!("{} waiting for review", header.waiting));
    }
    parts.extend(header.proposing.iter().map(|(_, proposer)| format!("{} proposes", safe(proposer))));
    parts.join("  ")
}

fn bar(done: u32, limit: u32) -> String {
    let full = (done.min(limit) as usize * BAR).checked_div(limit as usize).unwrap_or(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// Trials that count and have a verdict.
fn decided(rows: &[Row]) -> u32 {
    rows.iter().filter(|r| r.id != TrialId::BASELINE && r.status == Status::Done && r.runs > 0).count() as u32
}

fn active_secs(header: &Header, now: Millis) -> f64 {
    let over = matches!(header.state, StudyState::Finished | StudyState::Failed);
    header.active_secs + if header.engine_live && !over { now.seconds_since(header.at) } else { 0.0 }
}

/// What is left at the pace so far, and not more than the limit of time; none while nothing is known.
fn left_secs(header: &Header, done: u32, now: Millis) -> Option<f64> {
    let active = active_secs(header, now);
    let by_trials = header.limits.trials.filter(|_| done > 0).map(|limit| active / f64::from(done) * f64::from(limit.saturating_sub(done)));
    let by_time = header.limits.seconds.map(|limit| (limit - active).max(0.0));
    match (by_trials, by_time) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
