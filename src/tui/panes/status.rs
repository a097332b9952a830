//! How a trial stands: a glyph, always with its word, and how numbers of the metric are written.

use crate::model::{Noise, Status, TrialId, Verdict};
use crate::protocol::{Back, Header, Row};
use crate::tui::ink;
use crate::tui::theme::Role;

/// Glyph, word and role.
pub fn of(row: &Row) -> (&'static str, String, Role) {
    let label = |fallback: &str| row.label.map_or_else(|| fallback.to_owned(), |l| l.word().replace('_', " "));
    match row.status {
        Status::Proposed if row.back == Some(Back::Writing) => ("◌", "revising".into(), Role::Running),
        Status::Proposed => ("◌", "checking".into(), Role::Queued),
        Status::Waiting => ("?", "waiting".into(), Role::Waiting),
        Status::Vetoed => ("⊘", "vetoed".into(), Role::Killed),
        Status::Rejected => ("✗", label("rejected"), Role::Failed),
        Status::Stale => ("~", "stale".into(), Role::Queued),
        Status::Queued if row.id == TrialId::BASELINE && row.score.is_some() => ("■", "baseline".into(), Role::Strong),
        Status::Queued => ("○", "queued".into(), Role::Queued),
        Status::Running => ("●", "running".into(), Role::Running),
        Status::Evaluating => ("◐", "scoring".into(), Role::Running),
        Status::Unreadable => ("!", "unreadable".into(), Role::Warn),
        Status::Done if row.label.is_some() && row.score.is_none() => ("✗", label("failed"), Role::Failed),
        Status::Done if row.id == TrialId::BASELINE => ("■", "baseline".into(), Role::Strong),
        Status::Done => match row.verdict {
            Some(Verdict::Keep) => ("✓", if row.verified { "verified" } else { "keep" }.into(), Role::Ok),
            Some(Verdict::Revert) => ("↩", "revert".into(), Role::Dim),
            Some(Verdict::Undecided) => ("≈", "undecided".into(), Role::Unsure),
            Some(Verdict::RolledBack) => ("↶", "rolled back".into(), Role::Warn),
            None => ("✓", "done".into(), Role::Text),
        },
    }
}

/// Who proposed, in so many columns: role and model of an agent, `arch·gpt` where there is no room for more.
pub fn by(row: &Row, columns: usize) -> String {
    let proposer = ink::clean(&row.proposer);
    let Some((role, model)) = proposer.strip_prefix("agents/").zip(row.model.as_ref()) else {
        return ink::cut_middle(&proposer, columns);
    };
    let model = ink::clean(model);
    let model = model.rsplit('/').next().unwrap_or_default();
    let whole = format!("{role}·{model}");
    if ink::width(&whole) <= columns {
        return whole;
    }
    let short: String = role.chars().take(4).collect();
    ink::cut(&format!("{short}·{model}"), columns)
}

/// A shorter word where the whole one does not fit.
pub fn short_word(word: &str, columns: usize) -> String {
    if word.len() <= columns {
        return word.to_owned();
    }
    match word {
        "out of memory" => "memory",
        "out of bounds" => "bounds",
        "preflight failed" => "preflight",
        "apply failed" => "no apply",
        "eval timed out" => "eval slow",
        "gate failed" => "gate",
        "invalid score" => "bad score",
        "stopped early" => "early stop",
        "lost supervisor" => "lost",
        "infrastructure" => "machine",
        other => other,
    }
    .to_owned()
}

/// Places after the point that this study's scores are written with, so that columns align.
pub fn decimals(header: &Header) -> usize {
    let reference = header.baseline_score.or(header.best.as_ref().map(|b| b.score)).unwrap_or(1.0).abs();
    let by_size = if reference > 0.0 && reference.is_finite() { 3 - reference.log10().floor() as i32 } else { 4 };
    let by_noise = match header.noise {
        Noise::Measured { sd, .. } | Noise::Given { sd } if sd > 0.0 && sd.is_finite() => 1 - sd.log10().floor() as i32,
        Noise::Measured { .. } | Noise::Given { .. } | Noise::Unknown { .. } => 0,
    };
    // Of an imported history nobody knows the noise, and its verdicts turn on the fifth figure.
    let by_history = header.imported.as_ref().map_or(0, |_| (by_size + 2).min(5));
    by_size.max(by_noise).max(by_history).clamp(0, 6) as usize
}

/// A score with the study's number of places.
pub fn score(value: f64, decimals: usize) -> String {
    if !value.is_finite() || value.abs() >= 1e7 || (value != 0.0 && value.abs() < 0.5 * 10f64.powi(-(decimals as i32))) {
        return crate::model::number::short(value);
    }
    format!("{value:.decimals$}")
}

/// A difference with its sign; positive is better.
pub fn delta(gain: f64, decimals: usize) -> (String, Role) {
    let text = if gain.abs() < 1e7 { format!("{:.decimals$}", gain.abs()) } else { crate::model::number::short(gain.abs()) };
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    match (zero, gain < 0.0) {
        (true, _) => (format!("±{text}"), Role::Dim),
        (false, true) => (format!("−{text}"), Role::Worse),
        (false, false) => (format!("+{text}"), Role::Better),
    }
}

/// A bar of `columns` for a share of 1.
pub fn bar(share: f64, columns: usize) -> (String, String) {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let halves = (share * columns as f64 * 2.0).round() as usize;
    let mut full = "━".repeat(halves / 2);
    if halves % 2 == 1 {
        full.push('╸');
    }
    let rest = columns.saturating_sub(full.chars().count());
    (full, "─".repeat(rest))
}

/// The meter's colour at a share of 1.
pub fn meter_role(share: f64) -> Role {
    if share < 0.6 {
        Role::MeterLow
    } else if share < 0.85 {
        Role::MeterMid
    } else {
        Role::MeterHigh
    }
}
