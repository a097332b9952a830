//! Patterns for a log that nobody has described yet: what the automatic reading finds, as regular expressions that a task can give.
//!
//! Pure over the lines. Each pattern was tried on the line that it comes from.

use super::{
    auto::{Auto, Class, Found, Place, class},
    json_lines::Objects,
    number, step_rank, text,
};
use regex::bytes::Regex;
use std::collections::HashMap;

/// A metric that a log seems to hold, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name: the named group of the pattern.
    pub key: String,
    /// A regular expression for `[live] stdout`.
    pub pattern: String,
    /// The last line that holds it, without control sequences.
    pub sample: String,
    /// Lines that hold it.
    pub count: u64,
}

/// Most lines that are looked at.
const MAX_LINES: usize = 200_000;
/// Longest sample, in bytes.
const MAX_SAMPLE: usize = 400;
/// Most candidates.
const MAX_CANDIDATES: usize = 64;
/// A number, as a group of a pattern.
const NUMBER: &str = r"[-+\d.,eE]+|(?i:nan|-?inf)";

/// Proposes patterns for log text; the metrics of validation come first, then other metrics, then what is measured beside.
///
/// A line may hold carriage returns: each part of it is a line of its own.
pub fn suggest<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Vec<Candidate> {
    let mut auto = Auto::default();
    let mut objects = Objects::default();
    let mut seen: Vec<Candidate> = Vec::new();
    let mut places: HashMap<(String, Vec<u8>), usize> = HashMap::new();
    for whole in lines.into_iter().take(MAX_LINES) {
        for line in whole.as_ref().split(|b| matches!(b, b'\n' | b'\r')) {
            let line = text::plain(line);
            for (key, shape, pattern) in shapes(&mut auto, &mut objects, &line) {
                let key = group_name(&key);
                let place = *places.entry((key.clone(), shape)).or_insert_with(|| {
                    let pattern = pattern().unwrap_or_default();
                    seen.push(Candidate { key, pattern, sample: String::new(), count: 0 });
                    seen.len() - 1
                });
                if let Some(candidate) = seen.get_mut(place) {
                    candidate.count += 1;
                    candidate.sample =
                        String::from_utf8_lossy(line.trim_ascii().get(..MAX_SAMPLE).unwrap_or(line.trim_ascii())).into_owned();
                }
            }
        }
    }
    choose(seen)
}

/// Keeps the most frequent form of each key, and puts the most telling keys first.
fn choose(seen: Vec<Candidate>) -> Vec<Candidate> {
    let mut best: Vec<Candidate> = Vec::new();
    for candidate in seen.into_iter().filter(|c| !c.pattern.is_empty()) {
        match best.iter_mut().find(|b| b.key == candidate.key) {
            Some(kept) if candidate.count > kept.count => *kept = candidate,
            Some(_) => {}
            None => best.push(candidate),
        }
    }
    best.sort_by_key(|candidate| rank(&candidate.key));
    best.truncate(MAX_CANDIDATES);
    best
}

fn rank(key: &str) -> u8 {
    let lower = key.to_ascii_lowercase();
    let held_out = ["val", "vali", "valid", "validation", "dev", "test", "eval"];
    let parts = |part: &str| held_out.contains(&part);
    match class(key) {
        Class::Metric if lower.split(|c: char| !c.is_ascii_alphanumeric()).any(parts) => 0,
        Class::Metric => 1,
        Class::Meter => 2,
        Class::Other => 3,
    }
}

type Shape<'a> = (String, Vec<u8>, Box<dyn Fn() -> Option<String> + 'a>);

/// What a line holds: key, what its form is known by, and how its pattern is made.
fn shapes<'a>(auto: &mut Auto, objects: &mut Objects, line: &'a [u8]) -> Vec<Shape<'a>> {
    let trimmed = line.trim_ascii();
    if trimmed.starts_with(b"{") && trimmed.ends_with(b"}") {
        let mut readings = Vec::new();
        if objects.read(trimmed, &mut readings) {
            let own = readings.into_iter().filter(|r| !r.key.contains('.') && step_rank(&r.key).is_none());
            return own.map(|r| shape(&r.key, b"{}".to_vec(), line, r.value, field(&r.key))).collect();
        }
    }
    auto.read(line);
    let found = auto.found.clone();
    found.iter().filter_map(|f| Some(shape(&f.key, form(auto, f, line), line, f.value, pattern(auto, f, line)?))).collect()
}

fn shape<'a>(key: &str, form: Vec<u8>, line: &'a [u8], value: f64, patterns: Vec<String>) -> Shape<'a> {
    let name = group_name(key);
    let tried = move || patterns.iter().find(|p| reads(p, &name, line, value)).cloned();
    (key.to_owned(), form, Box::new(tried))
}

/// Whether the first match of a pattern gives the value.
fn reads(pattern: &str, name: &str, line: &[u8], value: f64) -> bool {
    let found = Regex::new(pattern).ok().and_then(|regex| number::lenient(regex.captures(line)?.name(name)?.as_bytes()));
    found.is_some_and(|found| found.to_bits() == value.to_bits() || (found.is_nan() && value.is_nan()))
}

/// A name that a group of a regular expression may have.
fn group_name(key: &str) -> String {
    let mut name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

/// `"loss": 0.5` in an object.
fn field(key: &str) -> Vec<String> {
    vec![format!(r#"["']{}["']\s*:\s*(?P<{}>{NUMBER})"#, regex::escape(key), group_name(key))]
}

/// What is common to lines of one form: name and step word, and their order.
fn form(auto: &Auto, found: &Found, line: &[u8]) -> Vec<u8> {
    let text = |range: &std::ops::Range<usize>| line.get(range.clone()).unwrap_or_default();
    let step = auto.counted.as_ref().map_or(&b""[..], |(name, _)| text(name));
    let place = match &found.place {
        Place::Statement { name, .. } | Place::Count { name, .. } => text(name).to_vec(),
        Place::Column(at) => format!("column {at}").into_bytes(),
        Place::Row(name) => text(name).to_vec(),
    };
    [step, b"\0", &place, if auto.bar.is_some() { b"%" } else { b"" }].concat()
}

/// Returns patterns for what was found, the simplest first.
fn pattern(auto: &Auto, found: &Found, line: &[u8]) -> Option<Vec<String>> {
    let name = group_name(&found.key);
    let value = format!("(?P<{name}>{NUMBER})");
    Some(match &found.place {
        Place::Count { .. } => return None,
        Place::Column(at) => {
            let bar = if line.trim_ascii_start().starts_with(b"|") { r"\|" } else { "[│┃║]" };
            let cell = if bar == r"\|" { r"[^|]*\|" } else { "[^│┃║]*[│┃║]" };
            let skip = |n: usize| match n {
                0 => String::new(),
                1 => cell.to_owned(),
                _ => format!("(?:{cell}){{{n}}}"),
            };
            let plain = format!(r"^\s*{bar}{}\s*{value}\s*{bar}", skip(*at));
            match auto.column.filter(|step| step < at) {
                Some(step) => {
                    vec![format!(r"^\s*{bar}{}\s*(?P<step>\d+)\s*{bar}{}\s*{value}\s*{bar}", skip(step), skip(at - step - 1)), plain]
                }
                None => vec![plain],
            }
        }
        Place::Row(label) => vec![format!(r"\s{}\s+[|│┃║]\s*{value}\s*[|│┃║]", words(line.get(label.clone())?.trim_ascii()))],
        Place::Statement { name: label, number } => {
            if line.get(number.clone())?.contains(&b'/') {
                return None;
            }
            let part = format!("{}{}{value}", words(line.get(label.clone())?), gap(line.get(label.end..number.start)?));
            let starts = [r"\b", r"(?:^|[^\w./-])", r"(?:^|[|,;]\s*)"];
            let steps = step(auto, line, label.start);
            starts
                .iter()
                .map(|start| match &steps {
                    Some((step, true)) => format!("{step}.*?{start}{part}"),
                    Some((step, false)) => format!("{start}{part}.*?{step}"),
                    None => format!("{start}{part}"),
                })
                .collect()
        }
    })
}

/// A group for the step, and whether it stands before the metric.
fn step(auto: &Auto, line: &[u8], metric: usize) -> Option<(String, bool)> {
    if let Some((name, number)) = &auto.counted {
        let word = line.get(name.clone())?;
        let lower = String::from_utf8_lossy(word).to_ascii_lowercase();
        let group = if step_rank(&lower).is_some() { lower } else { "step".to_owned() };
        let decimals = if line.get(number.clone())?.contains(&b'.') { r"[\d.]+" } else { r"\d+" };
        let text = match word {
            b"" => {
                format!(r"^\s*{}(?P<{group}>{decimals})", regex::escape(&String::from_utf8_lossy(line.get(..number.start)?.trim_ascii())))
            }
            word => format!(r"\b{}{}(?P<{group}>{decimals})", words(word), gap(line.get(name.end..number.start)?)),
        };
        return Some((text, name.start < metric));
    }
    auto.bar
        .as_ref()
        .filter(|bar| bar.bracketed && bar.total.is_some() && bar.after.start <= metric)
        .map(|_| (r"(?P<step>\d+)/\d+ \[".into(), true))
}

/// The words of a name, whatever space is between them.
fn words(name: &[u8]) -> String {
    String::from_utf8_lossy(name).split_whitespace().map(regex::escape).collect::<Vec<_>>().join(r"\s+")
}

/// What stands between a name and its number.
fn gap(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    if text.trim().is_empty() {
        return r"\s+".into();
    }
    let marks = text.split_whitespace().map(regex::escape).collect::<Vec<_>>().join(r"\s*");
    let before = if text.starts_with(char::is_whitespace) { r"\s*" } else { "" };
    format!(r"{before}{marks}\s*")
}

#[cfg(test)]
mod tests;
