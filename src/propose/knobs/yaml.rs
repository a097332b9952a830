//! Reads the scalars of a YAML file by their dotted path: block and flow maps, nested, short lists by index.
//!
//! Positions come from a YAML 1.2 parser. Anchored and tagged scalars, aliases, merges, keys that are no plain words and
//! text over several lines are left alone. Only the first document is read as settings.

use super::{
    Form,
    found::{self, Found, Site},
};
use crate::model::KnobValue;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// Items of a list that is still a setting, not data.
pub(super) const MOST_ITEMS: usize = 8;
/// Deeper nesting is no configuration.
const DEEPEST: usize = 32;
/// Events of a file that is still read.
const MOST_EVENTS: usize = 100_000;

enum Level {
    Map { key: Option<String>, skip: bool },
    List { next: usize, start: usize },
}

/// Returns the scalars, or why the file cannot be read.
pub(super) fn literals(source: &str) -> Result<Vec<Found>, String> {
    let bytes: Vec<usize> = source.char_indices().map(|(at, _)| at).chain([source.len()]).collect();
    // The parser skips a byte order mark without counting it.
    let mark = usize::from(source.starts_with('\u{feff}'));
    let text = source.strip_prefix('\u{feff}').unwrap_or(source);
    let at = |index: usize| bytes.get(index + mark).copied().unwrap_or(source.len());
    let mut out: Vec<Found> = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    for (n, event) in Parser::new_from_str(text).enumerate() {
        let (event, span) = event.map_err(|e| format!("not valid YAML, line {}: {}", e.marker().line(), e.info()))?;
        if n > MOST_EVENTS || levels.len() > DEEPEST {
            return Err("larger or deeper than a file of settings".into());
        }
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                if let Some(Level::Map { key: key @ None, skip }) = levels.last_mut() {
                    *skip = !is_key(&value);
                    *key = Some(value.into_owned());
                    continue;
                }
                let name = path(&levels);
                let place = at(span.start.index())..at(span.end.index());
                if let (Some(name), 0, None) = (name, anchor, tag)
                    && let Some((value, form)) = scalar(source.get(place.clone()).unwrap_or_default(), &value, style)
                {
                    let site = if matches!(levels.last(), Some(Level::List { .. })) { Site::Item } else { Site::Setting };
                    out.push(Found::new(name, source, place, value, form, site));
                }
                ended(&mut levels);
            }
            Event::Alias(_) => match levels.last_mut() {
                Some(Level::Map { key: key @ None, skip }) => {
                    *key = Some(String::new());
                    *skip = true;
                }
                Some(Level::Map { .. } | Level::List { .. }) | None => ended(&mut levels),
            },
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                // A map as a key: its entry is left alone.
                if let Some(Level::Map { key: key @ None, skip }) = levels.last_mut() {
                    *key = Some(String::new());
                    *skip = true;
                    levels.push(Level::Map { key: Some(String::new()), skip: true });
                } else if matches!(event, Event::MappingStart(..)) {
                    levels.push(Level::Map { key: None, skip: false });
                } else {
                    levels.push(Level::List { next: 0, start: out.len() });
                }
            }
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(Level::List { next, start }) = levels.pop()
                    && next > MOST_ITEMS
                {
                    out.truncate(start);
                }
                ended(&mut levels);
            }
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
    }
    Ok(out)
}

/// A value has ended: the map waits for its next key, the list for its next item.
fn ended(levels: &mut [Level]) {
    match levels.last_mut() {
        Some(Level::Map { key, skip }) => {
            *key = None;
            *skip = false;
        }
        Some(Level::List { next, .. }) => *next += 1,
        None => {}
    }
}

fn path(levels: &[Level]) -> Option<String> {
    let parts: Option<Vec<String>> = levels
        .iter()
        .map(|level| match level {
            Level::Map { key: Some(key), skip: false } => Some(key.clone()),
            Level::Map { .. } => None,
            Level::List { next, .. } => Some(next.to_string()),
        })
        .collect();
    parts.map(|p| p.join(".")).filter(|p| !p.is_empty())
}

/// Whether a key can be part of a knob's name.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 64 && key.chars().all(|c| c.is_alphanumeric() || "_-./@".contains(c))
}

fn scalar(text: &str, value: &str, style: ScalarStyle) -> Option<(KnobValue, Form)> {
    match style {
        ScalarStyle::Plain => match text {
            // What only YAML 1.1 reads as a switch is rewritten in its own words.
            "yes" | "Yes" | "on" | "On" => Some((KnobValue::Bool(true), Form::Word)),
            "no" | "No" | "off" | "Off" => Some((KnobValue::Bool(false), Form::Word)),
            "" | "~" | "null" | "Null" | "NULL" => None,
            _ if text == value => found::bare(text),
            _ => None,
        },
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let inner = text.get(1..text.len().saturating_sub(1))?;
            let plain = inner == value && !inner.contains(['"', '\'', '\\', '\n']) && text.len() >= 2;
            plain.then(|| (KnobValue::Choice(value.to_owned()), Form::Text))
        }
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}
