//! `doctor --watch DIR`: what the metric readers see there, live on a terminal, once in a pipe.

use super::{Exit, Failure, Outcome, host, put, put_json};
use crate::model::{Safe, number};
use crate::watch::survey::{FileSeen, PatternSeen, Report, Suggestion, Survey};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(200);
/// Metrics of one file that are shown on a terminal.
const MOST_KEYS: usize = 20;

/// Shows what is seen. On a terminal it goes on until Ctrl-C; in a pipe, or as JSON, it looks once, and exits 1 when there is no metric or
/// a pattern matches nothing.
pub(super) fn watch(place: &Path, patterns: &[String], files: &[String], json: bool) -> Outcome {
    let mut survey = Survey::open(place, patterns, files).map_err(|error| Failure::usage(error.to_string()))?;
    if json || !host::stdout_is_terminal() {
        survey.look(Instant::now(), true);
        let report = survey.report();
        if json {
            report.files.iter().try_for_each(put_json)?;
            report.patterns.iter().try_for_each(put_json)?;
        } else {
            lines(place, &report, usize::MAX).iter().for_each(|line| put(line));
        }
        let good = report.files.iter().any(|f| !f.keys.is_empty()) && report.patterns.iter().all(|p| p.lines > 0);
        return Ok(if good { Exit::DONE } else { Exit::FAILED });
    }
    let mut size = (0, 0);
    loop {
        let now = (host::width(), host::height());
        if survey.look(Instant::now(), false) || size != now {
            size = now;
            draw(&lines(place, &survey.report(), MOST_KEYS), now);
        }
        std::thread::sleep(BETWEEN);
    }
}

/// Draws over what was there; what does not fit is told, not scrolled away.
fn draw(lines: &[String], (width, height): (usize, usize)) {
    let room = height.max(4) - 2;
    let mut screen = String::from("\x1b[H\x1b[J");
    for line in lines.iter().take(room) {
        screen.extend(line.chars().take(width.saturating_sub(1)));
        screen.push('\n');
    }
    let hidden = lines.len().saturating_sub(room);
    let more = if hidden > 0 { format!("… {hidden} more lines: in a pipe everything is printed · ") } else { String::new() };
    put(&format!("{screen}{more}Ctrl-C ends"));
}

fn lines(place: &Path, report: &Report, most_keys: usize) -> Vec<String> {
    let mut out = Vec::new();
    let metrics: usize = report.files.iter().map(|f| f.keys.len()).sum();
    out.push(format!("{}: {} files looked into, {metrics} metrics", Safe::line(&place.display().to_string()), report.files.len()));
    for file in &report.files {
        out.push(String::new());
        of_file(file, most_keys, &mut out);
    }
    if !report.patterns.is_empty() {
        out.push(String::new());
    }
    for (at, pattern) in report.patterns.iter().enumerate() {
        of_pattern(at + 1, pattern, &mut out);
    }
    if !report.others.is_empty() {
        let list: Vec<_> = report.others.iter().map(|(end, n)| format!("{n} {}", Safe::line(end))).collect();
        out.push(String::new());
        out.push(format!("not looked into: {} (name them with --file GLOB)", list.join(", ")));
    }
    if report.cut {
        out.push("there are more files than were looked at: name a smaller directory, or use --file".into());
    }
    out
}

fn of_file(file: &FileSeen, most_keys: usize, out: &mut Vec<String>) {
    let mut head = format!("{}  {}, {}", Safe::line(&file.file), file.format.unwrap_or("unknown"), size(file.bytes));
    if let Some(lines) = file.lines {
        head.push_str(&format!(", {lines} {}", if lines == 1 { "line" } else { "lines" }));
    }
    if file.rubbish > 0 {
        head.push_str(&format!(", {} not understood", file.rubbish));
    }
    if file.too_long > 0 {
        head.push_str(&format!(", {} too long", file.too_long));
    }
    if let Some(why) = &file.why {
        head.push_str(&format!(": {}", Safe::line(why)));
    }
    out.push(head);
    let width = file.keys.iter().take(most_keys).map(|k| k.key.chars().count()).max().unwrap_or(0).min(40);
    for key in file.keys.iter().take(most_keys) {
        let at = key.step.map_or_else(String::new, |step| format!(" at {step}"));
        let by: Vec<_> = key.patterns.iter().map(ToString::to_string).collect();
        let by = if by.is_empty() { String::new() } else { format!("  pattern {}", by.join(", ")) };
        let name = Safe::line(&key.key).to_string();
        out.push(format!("    {name:<width$}  {:>6}x  last {}{at}{by}", key.count, number::short(key.last)));
    }
    if file.keys.len() > most_keys {
        out.push(format!("    and {} more", file.keys.len() - most_keys));
    }
}

fn of_pattern(at: usize, pattern: &PatternSeen, out: &mut Vec<String>) {
    let found = match pattern.lines {
        0 => "matches no line".to_owned(),
        1 => "matches 1 line".to_owned(),
        n => format!("matches {n} lines"),
    };
    out.push(format!("pattern {at}  {found}: {}", Safe::line(&pattern.pattern)));
    for Suggestion { file, line, text, pattern, .. } in &pattern.nearest {
        out.push(format!("    near: {}:{line}: {}", Safe::line(file), Safe::line(text)));
        out.push(format!("    try:  {}", Safe::line(pattern)));
    }
    if pattern.lines == 0 && pattern.nearest.is_empty() {
        out.push("    no line looks like a metric either".into());
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
