//! Scores, gains, spans of time and columns as text. Foreign text passes `model::Safe` here or where it is taken.

use crate::model::{
    Best, Comparison, Label, Limits, Noise, Safe, ScoreSource, Spend, Status, Verdict,
    number::{rough, short},
};
use std::collections::BTreeMap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A score, or a dash; a self-reported one says so.
pub fn score(value: Option<f64>, source: ScoreSource) -> String {
    match (value, source) {
        (None, _) => "-".into(),
        (Some(value), ScoreSource::Evaluator) => short(value),
        (Some(value), ScoreSource::SelfReported) => format!("{} self", short(value)),
    }
}

/// A difference with its sign.
pub fn signed(value: f64) -> String {
    if value < 0.0 { rough(value) } else { format!("+{}", rough(value)) }
}

/// The gain of the best trial: `+0.012, 95 % +0.002 to +0.022, verified`.
pub fn gain(best: &Best) -> String {
    let interval = match best.gain_interval {
        Some([low, high]) => format!("95 % {} to {}", signed(low), signed(high)),
        None => "no interval: the noise is unknown".into(),
    };
    format!("{}, {interval}, {}", signed(best.gain), if best.verified { "verified" } else { "provisional" })
}

/// A mean with the standard deviation of one run.
pub fn with_noise(mean: Option<f64>, noise: Noise, source: ScoreSource) -> String {
    let mean = score(mean, source);
    match noise {
        Noise::Measured { sd, .. } => format!("{mean} ± {}", rough(sd)),
        Noise::Given { sd } => format!("{mean} ± {} (given)", rough(sd)),
        Noise::Unknown { .. } => format!("{mean}, noise UNKNOWN"),
    }
}

/// What an unknown noise means, and what to do; none where it is known.
pub fn noise_advice(noise: Noise, min_effect: Option<f64>) -> Option<String> {
    let why = match noise {
        Noise::Unknown { seed_without_effect: true } => "the seed has no effect on the score, so the noise is UNKNOWN, not zero",
        Noise::Unknown { seed_without_effect: false } => "too few runs have a score, so the noise is UNKNOWN",
        Noise::Measured { .. } | Noise::Given { .. } => return None,
    };
    Some(match min_effect {
        Some(effect) => format!("{why}; a difference counts from min_effect = {} on", short(effect)),
        None => format!("{why}: set min_effect in [task]; nothing is verified without it"),
    })
}

/// What became of a trial, in one word.
pub fn outcome(status: Status, verdict: Option<Verdict>, label: Option<Label>) -> &'static str {
    match (label, verdict) {
        (Some(label), _) if status != Status::Rejected => label.word(),
        (_, Some(verdict)) => verdict.word(),
        (_, None) => status.word(),
    }
}

/// A span of time: `8s`, `4m05s`, `3h12m`, `2d04h`.
pub fn span(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// Seconds of a run: `2.4s`, from a minute on as a span.
pub fn seconds(seconds: f64) -> String {
    if seconds < 59.95 { format!("{:.1}s", seconds.max(0.0)) } else { span(seconds) }
}

/// `1 run`, `3 runs`.
pub fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `1 degree of freedom`, `4 degrees of freedom`.
pub fn freedom(nu: u32) -> String {
    format!("{nu} degree{} of freedom", if nu == 1 { "" } else { "s" })
}

/// Where the study ends: `12 trials, 8h00m`, or `unlimited trials`.
pub fn limits(limits: &Limits) -> String {
    let trials = match limits.trials {
        Some(n) => plural(n as usize, "trial"),
        None => "unlimited trials".into(),
    };
    let time = limits.seconds.map(|seconds| format!(", at most {}", span(seconds)));
    let usd = limits.usd.map(|usd| format!(", at most {usd} USD"));
    let tokens = limits.tokens.map(|tokens| format!(", at most {} tokens", thousands(tokens)));
    [Some(trials), time, usd, tokens].into_iter().flatten().collect()
}

/// `84k`, `1.2M`: a number of tokens, to two digits or three.
pub fn thousands(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..10_000 => format!("{:.1}k", n as f64 / 1e3),
        10_000..1_000_000 => format!("{}k", n / 1_000),
        1_000_000.. => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// `12 answers, 84k tokens, $0.12`: what models cost.
pub fn spent(spend: &Spend) -> String {
    let tokens = spend.prompt_tokens.saturating_add(spend.completion_tokens);
    let about = if spend.estimated { "about " } else { "" };
    let usd = if spend.usd > 0.0 { format!(", {about}${}", money(spend.usd)) } else { String::new() };
    format!("{}, {about}{} tokens{usd}", plural(spend.calls as usize, "answer"), thousands(tokens))
}

/// Dollars to the cent, and less than a dollar to two digits that count.
fn money(usd: f64) -> String {
    if usd >= 1.0 {
        format!("{usd:.2}")
    } else {
        let digits = (1.0 - usd.max(1e-6).log10().floor()).clamp(2.0, 6.0);
        format!("{usd:.0$}", digits as usize)
    }
}

/// `3 crashed, 1 timed_out`; the most frequent first.
pub fn counts(labels: impl IntoIterator<Item = Label>) -> String {
    let mut counts: BTreeMap<Label, u32> = BTreeMap::new();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    let mut counts: Vec<(Label, u32)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts.into_iter().map(|(label, n)| format!("{n} {}", label.word())).collect::<Vec<_>>().join(", ")
}

/// What a trial gained, and on what it was compared with: `+0.012 vs t0007`.
pub fn gain_vs(comparison: &Comparison) -> String {
    format!("{} vs {}", signed(comparison.gain), comparison.against)
}

/// One clean line of foreign text.
pub fn safe(text: &str) -> String {
    Safe::line(text).into_string()
}

/// Cuts a text to so many columns.
pub fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Breaks a text at its blanks into lines of so many columns; what has no blank to break at is broken where it must be. Blanks that it
/// begins with stay before each line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').collect();
    let columns = columns.max(1);
    let (mut lines, mut line, mut used) = (Vec::new(), indent.clone(), indent.len());
    let mut empty = true;
    for word in text.trim_start_matches(' ').split(' ') {
        let wide = word.width();
        if !empty && used + 1 + wide > columns {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            (used, empty) = (indent.len(), true);
        }
        if !empty {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns && used > indent.len() {
                lines.push(std::mem::replace(&mut line, indent.clone()));
                used = indent.len();
            }
            line.push(c);
            used += wide;
        }
        empty = false;
    }
    lines.push(line);
    lines
}

/// Rows of a key and a text, the text broken into lines under each other.
pub fn wrapped(rows: &[[String; 2]], columns: usize) -> Vec<String> {
    let keys = rows.iter().map(|[key, _]| key.width()).max().unwrap_or(0);
    // In a terminal so narrow the text would be a column of letters.
    let room = columns.saturating_sub(keys + 2).max(16);
    rows.iter()
        .flat_map(|[key, text]| {
            let lines = wrap(text, room).into_iter().enumerate();
            lines.map(|(n, line)| format!("{}  {line}", pad(if n == 0 { key } else { "" }, keys)).trim_end().to_owned())
        })
        .collect()
}

/// Fills a text up to so many columns.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Puts rows into columns two blanks apart; the last column is not filled up. `right` names the columns that end in line.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..columns).map(|c| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.width()).max().unwrap_or(0)).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
                if right.contains(&at) { format!("{}{cell}", " ".repeat(width - cell.width())) } else { pad(cell, *width) }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (seconds, want) in
            [(0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (245.0, "4m05s"), (11_520.0, "3h12m"), (187_200.0, "2d04h"), (-3.0, "0s")]
        {
            assert_eq!(span(seconds), want, "{seconds}");
        }
    }

    #[test]
    fn texts_are_broken_at_blanks() {
        for (text, columns, want) in [
            ("one two three", 7, &["one two", "three"][..]),
            ("one two", usize::MAX, &["one two"]),
            ("", 5, &[""]),
            ("  ab cd ef", 7, &["  ab cd", "  ef"]),
            ("abcdefgh ij", 3, &["abc", "def", "gh", "ij"]),
            ("漢字漢字 x", 5, &["漢字", "漢字", "x"]),
            ("  漢", 1, &["  漢"]),
        ] {
            assert_eq!(wrap(text, columns), want, "{text} in {columns}");
        }
        let rows = [["key".to_owned(), "a text that is long".to_owned()], ["k".to_owned(), "short".to_owned()]];
        assert_eq!(wrapped(&rows, 21), ["key  a text that is", "     long", "k    short"]);
    }

    #[test]
    fn texts_fit_their_columns() {
        for (text, columns, want) in
            [("plain", 5, "plain"), ("plainly", 5, "plai…"), ("漢字漢字", 5, "漢字…"), ("漢字漢字", 4, "漢…"), ("x", 0, "")]
        {
            assert_eq!(fit(text, columns), want, "{text} in {columns}");
            assert!(fit(text, columns).width() <= columns, "{text} in {columns}");
        }
        assert_eq!(table(&[vec!["a".into(), "1".into(), "x".into()], vec!["漢字".into(), "12".into()]], &[1]), ["a      1  x", "漢字  12"]);
    }

    #[test]
    fn outcomes() {
        for (status, verdict, label, want) in [
            (Status::Done, Some(Verdict::Keep), None, "keep"),
            (Status::Done, Some(Verdict::Revert), Some(Label::Crashed), "crashed"),
            (Status::Rejected, None, Some(Label::Duplicate), "rejected"),
            (Status::Waiting, None, None, "waiting"),
        ] {
            assert_eq!(outcome(status, verdict, label), want);
        }
        assert_eq!(counts([Label::Crashed, Label::TimedOut, Label::TimedOut]), "2 timed_out, 1 crashed");
        assert_eq!(limits(&Limits::default()), "unlimited trials");
    }
}
