//! Changes the bytes of literals and nothing else, in the style in which they were written.

use super::{
    Form, Knob,
    format::Format,
    found::{self, Found},
};
use crate::model::KnobValue;

/// Why a source was not rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The knob was found in another version of the file.
    #[error("`{name}` is no longer at line {line}: `{text}` is not there")]
    Moved {
        /// The knob.
        name: String,
        /// Where it was.
        line: usize,
        /// What stood there.
        text: String,
    },
    /// Two changes of the same literal.
    #[error("`{name}` is changed twice")]
    Twice {
        /// The knob.
        name: String,
    },
    /// The value cannot stand in place of the literal.
    #[error("`{name}` is written `{text}` and cannot become `{value}`")]
    Unfit {
        /// The knob.
        name: String,
        /// Its literal.
        text: String,
        /// The wanted value.
        value: String,
    },
    /// The result was read again and does not say what was meant.
    #[error("the rewritten file would not read as meant: {0}")]
    Unproven(String),
}

/// Returns the source with the given knobs at new values.
///
/// Only the bytes of the literals change: scientific notation stays scientific, whole numbers stay whole, a float keeps its
/// dot, quotes stay. The result is parsed again and must hold the same literals with exactly the new values.
pub fn rewrite(source: &str, changes: &[(&Knob, KnobValue)]) -> Result<String, RewriteError> {
    let mut ordered: Vec<&(&Knob, KnobValue)> = changes.iter().collect();
    ordered.sort_by_key(|(knob, _)| knob.place.start);
    let mut out = String::with_capacity(source.len() + 16 * changes.len());
    let mut at = 0;
    for (knob, value) in &ordered {
        if knob.place.start < at {
            return Err(RewriteError::Twice { name: knob.name.clone() });
        }
        let moved = || RewriteError::Moved { name: knob.name.clone(), line: knob.line, text: knob.text.clone() };
        if source.get(knob.place.clone()) != Some(knob.text.as_str()) {
            return Err(moved());
        }
        out.push_str(source.get(at..knob.place.start).ok_or_else(moved)?);
        out.push_str(&literal(knob, value).ok_or_else(|| RewriteError::Unfit {
            name: knob.name.clone(),
            text: knob.text.clone(),
            value: value.to_string(),
        })?);
        at = knob.place.end;
    }
    out.push_str(source.get(at..).unwrap_or_default());
    // What is no file of a known format is Python: so it was before there were others.
    let format = ordered.first().and_then(|(knob, _)| Format::of(&knob.path)).unwrap_or(Format::Python);
    prove(format, source, &out, &ordered)?;
    Ok(out)
}

/// Reads both versions and compares them literal by literal.
fn prove(format: Format, before: &str, after: &str, changes: &[&(&Knob, KnobValue)]) -> Result<(), RewriteError> {
    let old = format.literals(before).map_err(RewriteError::Unproven)?;
    let new = format.literals(after).map_err(RewriteError::Unproven)?;
    if old.len() != new.len() {
        return Err(RewriteError::Unproven(format!("{} literals instead of {}", new.len(), old.len())));
    }
    let mut proven = 0;
    for (was, is) in old.iter().zip(&new) {
        let change = changes.iter().find(|(knob, _)| knob.place == was.place);
        proven += usize::from(change.is_some());
        let meant = change.map_or(&was.value, |(_, value)| value);
        if was.name != is.name || !same(is, meant) {
            return Err(RewriteError::Unproven(format!("line {}: `{}` reads as {} instead of {meant}", is.line, is.name, is.value)));
        }
    }
    if proven != changes.len() {
        return Err(RewriteError::Unproven("a changed literal is not among those of the file".into()));
    }
    Ok(())
}

/// A float knob may be written as a whole number, so numbers are compared as numbers.
fn same(found: &Found, meant: &KnobValue) -> bool {
    match (&found.value, meant) {
        (KnobValue::Int(a), KnobValue::Float(b)) => *a as f64 == *b,
        (KnobValue::Float(a), KnobValue::Int(b)) => *a == *b as f64,
        (a, b) => a == b,
    }
}

/// The new literal; none where the value does not fit.
fn literal(knob: &Knob, value: &KnobValue) -> Option<String> {
    let text = knob.text.as_str();
    match (knob.form, value) {
        // Equal values keep their spelling, `1e-03` and `.5` alike.
        _ if *value == knob.value => Some(text.to_owned()),
        (Form::Number, KnobValue::Int(v)) => Some(int(text, *v)),
        (Form::Number, KnobValue::Float(v)) if v.is_finite() => {
            let yaml = matches!(Format::of(&knob.path), Some(Format::Yaml));
            Some(if yaml { yaml_float(text, *v) } else { float(text, *v) })
        }
        (Form::Power, KnobValue::Int(v)) if *v > 0 && v.count_ones() == 1 => {
            let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
            Some(format!("{head}{}", v.trailing_zeros()))
        }
        (Form::Word, KnobValue::Bool(v)) => word(text, *v),
        (Form::Bare, KnobValue::Choice(v)) if found::is_plain(v) => Some(v.clone()),
        (Form::Action, KnobValue::Bool(v)) => quoted(text, if *v { "store_false" } else { "store_true" }),
        (Form::Text, KnobValue::Choice(v)) => quoted(text, v),
        _ => None,
    }
}

/// A switch in the spelling of the old one: `yes` becomes `no`, `TRUE` becomes `FALSE`.
fn word(text: &str, value: bool) -> Option<String> {
    const PAIRS: &[(&str, &str)] =
        &[("True", "False"), ("true", "false"), ("TRUE", "FALSE"), ("yes", "no"), ("Yes", "No"), ("on", "off"), ("On", "Off")];
    let (yes, no) = PAIRS.iter().find(|(yes, no)| *yes == text || *no == text)?;
    Some(if value { yes } else { no }.to_string())
}

/// PyYAML reads `2e-5` as a text: scientific notation needs a dot and a sign there. One that was written so stays.
fn yaml_float(text: &str, value: f64) -> String {
    let out = float(text, value);
    match out.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if !text.contains(['e', 'E']) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}{dot}e{sign}{exponent}")
        }
        _ => out,
    }
}

fn quoted(text: &str, value: &str) -> Option<String> {
    let quote = text.chars().next()?;
    let safe = !value.contains(['"', '\'', '\\']) && !value.chars().any(char::is_control);
    safe.then(|| format!("{quote}{value}{quote}"))
}

fn int(text: &str, value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    if !text.contains('_') || digits.len() < 4 {
        return format!("{sign}{digits}");
    }
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

fn float(text: &str, value: f64) -> String {
    let scientific = text.contains(['e', 'E']);
    // Nobody reads 0.0000012.
    let tiny = value != 0.0 && (value.abs() < 1e-4 || value.abs() >= 1e16);
    if !scientific && !tiny || value == 0.0 {
        let mut out = format!("{value}");
        if !out.contains('.') {
            out.push_str(".0");
        }
        // `.5` has no zero before its dot; `-.5` neither.
        if text.trim_start_matches(['-', ' ']).starts_with('.') && out.trim_start_matches('-').starts_with("0.") {
            out = out.replacen("0.", ".", 1);
        }
        return out;
    }
    let plain = format!("{value:e}");
    let (mantissa, exponent) = plain.split_once('e').unwrap_or((&plain, "0"));
    let old = text.split_once(['e', 'E']);
    let dot = if !mantissa.contains('.') && old.is_none_or(|(m, _)| m.contains('.')) && scientific { ".0" } else { "" };
    let letter = if text.contains('E') { 'E' } else { 'e' };
    let old_exponent = old.map_or("", |(_, e)| e);
    let negative = exponent.starts_with('-');
    let sign = if negative {
        "-"
    } else if old_exponent.starts_with('+') {
        "+"
    } else {
        ""
    };
    // `1e-03`: exponents are padded as they were.
    let width =
        if old_exponent.trim_start_matches(['+', '-']).starts_with('0') { old_exponent.trim_start_matches(['+', '-']).len() } else { 1 };
    format!("{mantissa}{dot}{letter}{sign}{:0>width$}", exponent.trim_start_matches('-'))
}
