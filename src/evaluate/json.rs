//! One JSON object out of an evaluator's standard output, or in words why there is none. Pure.

use crate::model::Safe;
use serde_json::{Map, Value};

/// What stands for a NaN or an infinity: no evaluator can print it, JSON text has no raw control character.
const NOT_FINITE: char = '\u{1}';

/// Reads exactly one object. Blank space around it is fine; anything else belongs on standard error.
///
/// `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes, are read as what `not_finite` recognises.
pub(super) fn one_object(stdout: &[u8]) -> Result<Map<String, Value>, String> {
    let Ok(text) = std::str::from_utf8(stdout) else {
        return Err(format!("the evaluator printed bytes that are not text: `{}`", shown(&String::from_utf8_lossy(stdout))));
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("the evaluator printed nothing on standard output".into());
    }
    let text = mark_literals(text);
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let first = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(broken(&text, &error)),
        None => return Err("the evaluator printed nothing on standard output".into()),
    };
    let rest = text.get(values.byte_offset()..).unwrap_or_default().trim();
    let Value::Object(object) = first else {
        return Err(match rest {
            "" => format!("the evaluator printed {}, not a JSON object", not_finite(&first).unwrap_or(kind(&first))),
            _ => format!("the evaluator printed `{}`, not one JSON object; logs belong on standard error", shown(&text)),
        });
    };
    if let Some(key) = repeated_key(text.get(..values.byte_offset()).unwrap_or_default()) {
        return Err(format!("the evaluator's JSON object has `{}` twice", shown(&key)));
    }
    match rest {
        "" => Ok(object),
        _ if rest.starts_with('{') => Err("the evaluator printed two JSON objects; one is expected".into()),
        _ => Err(format!("the evaluator printed more than its JSON object: `{}`; logs belong on standard error", shown(rest))),
    }
}

/// The first key that an object has twice, where a reader would silently take the last.
fn repeated_key(object: &str) -> Option<String> {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Option<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut seen, mut twice) = (std::collections::BTreeSet::new(), None);
            while let Some(key) = map.next_key::<String>()? {
                map.next_value::<serde::de::IgnoredAny>()?;
                if !seen.insert(key.clone()) {
                    twice.get_or_insert(key);
                }
            }
            Ok(twice)
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(object), Keys).ok().flatten()
}

/// The NaN or infinity behind a value of `one_object`.
pub(super) fn not_finite(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(NOT_FINITE)
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a bare number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn broken(text: &str, error: &serde_json::Error) -> String {
    let begins = text.starts_with('{');
    match (begins, error.is_eof()) {
        (true, true) => "the evaluator's JSON object ends too early".into(),
        (true, false) => {
            format!("the evaluator's JSON object is broken: {}", error.to_string().replace(NOT_FINITE, ""))
        }
        (false, _) if text.contains('{') => {
            format!("the evaluator printed text before its JSON object: `{}`; logs belong on standard error", shown(text))
        }
        (false, _) => format!("the evaluator printed `{}`, not one JSON object", shown(text)),
    }
}

/// The beginning of foreign text, fit to be shown.
fn shown(text: &str) -> String {
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let mut shown: String = Safe::line(line).into_string().chars().take(80).collect();
    if shown.len() < line.trim().len() {
        shown.push('…');
    }
    shown
}

/// Puts marked texts in place of the literals that JSON lacks; texts stay as they are.
fn mark_literals(text: &str) -> String {
    let (mut out, mut rest, mut in_text) = (String::with_capacity(text.len() + 16), text, false);
    while let Some(c) = rest.chars().next() {
        let literal = ["NaN", "-Infinity", "Infinity"].into_iter().find(|l| !in_text && rest.starts_with(l));
        let taken = match (literal, c) {
            (Some(literal), _) => {
                out.push_str("\"\\u0001");
                out.push_str(literal);
                out.push('"');
                literal.len()
            }
            (None, '\\') if in_text => rest.chars().take(2).map(char::len_utf8).sum(),
            (None, _) => {
                in_text ^= c == '"';
                c.len_utf8()
            }
        };
        let (done, later) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        if literal.is_none() {
            out.push_str(done);
        }
        rest = later;
    }
    out
}
