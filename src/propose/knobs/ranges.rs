//! What range a literal may take: guessed from its name and value, or given by the task.
//!
//! The guesses hold the value inside. They are wide enough to find a bad default and narrow enough that a dozen trials see
//! something: learning rates a factor of 30 to both sides, counts and widths a factor of 4.

use super::{
    Bound, BoundKind, Form, Kind,
    names::{self, Family},
    python::{Found, Site},
};
use crate::model::KnobValue;

/// A knob's values.
pub(super) struct Range {
    pub kind: Kind,
    pub powers_of_two: bool,
    pub zero: bool,
    pub value: KnobValue,
}

impl Range {
    fn new(kind: Kind, value: KnobValue) -> Self {
        Self { kind, powers_of_two: false, zero: false, value }
    }

    fn float(lo: f64, hi: f64, log: bool, value: f64) -> Self {
        let kind = Kind::Float { lo: if value == 0.0 { lo } else { lo.min(value) }, hi: hi.max(value), log };
        Self { zero: value == 0.0 && lo > 0.0, ..Self::new(kind, KnobValue::Float(value)) }
    }

    fn int(lo: i64, hi: i64, value: i64) -> Self {
        // Ratios matter for counts; from a few values on a linear scale would hardly ever try the small ones.
        Self::new(Kind::Int { lo, hi, log: lo >= 1 && hi / lo.max(1) >= 8 }, KnobValue::Int(value))
    }
}

/// Returns the range of a literal that no bound names; none where it is no knob.
pub(super) fn guess(found: &Found) -> Option<Range> {
    let words = names::words(&found.name);
    if names::never(&words) {
        return None;
    }
    let range = by_value(found, &words)?;
    // A name in lower case may be an accumulator or a helper's default; there the name must tell.
    let unsure = matches!(found.site, Site::Variable | Site::Parameter);
    let known = match range.kind {
        Kind::Bool => names::switch(&words),
        Kind::Choice(_) => true,
        Kind::Float { .. } | Kind::Int { .. } => names::family(&words, whole(found)) != Family::Unknown,
    };
    // Whole numbers of unknown meaning in a dictionary are a table of codes more often than a setting.
    let code = found.site == Site::Entry && matches!(range.kind, Kind::Int { .. });
    (known || !(unsure || code)).then_some(range)
}

/// Whether the literal is a whole number that stays one: a `0` for a dropout does not.
fn whole(found: &Found) -> bool {
    let words = names::words(&found.name);
    let fractional =
        [Family::Dropout, Family::WeightDecay, Family::LearningRate, Family::Momentum, Family::LabelSmoothing, Family::Probability];
    matches!(found.value, KnobValue::Int(v) if !(found.float || ((0..=1).contains(&v) && fractional.contains(&names::family(&words, false))
        && names::family(&words, true) == Family::Unknown)))
}

fn by_value(found: &Found, words: &[String]) -> Option<Range> {
    let leaf = last_component(words, &found.name);
    match &found.value {
        KnobValue::Bool(value) => Some(Range::new(Kind::Bool, KnobValue::Bool(*value))),
        KnobValue::Choice(value) => {
            let texts: Vec<KnobValue> = found.choices.iter().filter(|c| matches!(c, KnobValue::Choice(_))).cloned().collect();
            let one_of = texts.len() > 1 && texts.contains(&found.value);
            one_of.then(|| Range::new(Kind::Choice(texts), KnobValue::Choice(value.clone())))
        }
        KnobValue::Int(value) if !found.choices.is_empty() => choice_of_numbers(found, KnobValue::Int(*value)),
        KnobValue::Float(value) if !found.choices.is_empty() => choice_of_numbers(found, KnobValue::Float(*value)),
        KnobValue::Int(value) if whole(found) => int_range(names::family(&leaf, true), *value, &leaf),
        KnobValue::Int(value) => float_range(names::family(&leaf, false), *value as f64),
        KnobValue::Float(value) => float_range(names::family(&leaf, false), *value),
    }
}

/// The words after the last dot or colon; the family is told by those, not by the dictionary's name.
fn last_component(words: &[String], name: &str) -> Vec<String> {
    let leaf = name.rsplit(['.', ':']).next().map(names::words).unwrap_or_default();
    if leaf.is_empty() { words.to_vec() } else { leaf }
}

fn choice_of_numbers(found: &Found, value: KnobValue) -> Option<Range> {
    (found.choices.len() > 1 && found.choices.contains(&value)).then(|| Range::new(Kind::Choice(found.choices.clone()), value))
}

fn float_range(family: Family, value: f64) -> Option<Range> {
    let around = |factor: f64| (value > 0.0).then(|| Range::float(readable(value / factor), readable(value * factor), true, value));
    let unit = (0.0..=1.0).contains(&value);
    match family {
        Family::LearningRate => around(30.0).or_else(|| (value == 0.0).then(|| Range::float(1e-5, 1e-1, true, value))),
        Family::Dropout if unit => Some(Range::float(0.0, 0.6, false, value)),
        Family::Momentum if unit => Some(Range::float(0.0, 0.99, false, value)),
        Family::Average if (0.9..1.0).contains(&value) => Some(Range::float(0.9, 0.9999, false, value)),
        Family::Average if unit => Some(Range::float(0.0, 0.999, false, value)),
        Family::WeightDecay if value >= 0.0 => Some(Range { zero: true, ..Range::float(1e-6, 1e-1, true, value) }),
        Family::LabelSmoothing if unit => Some(Range::float(0.0, 0.4, false, value)),
        Family::Decay if (0.9..=1.0).contains(&value) => Some(Range::float(0.8, 1.0, false, value)),
        Family::Decay | Family::Probability if unit => Some(Range::float(0.0, 1.0, false, value)),
        Family::Scale if value == 0.0 => Some(Range::float(0.01, 10.0, true, value)),
        Family::Scale => around(10.0).or_else(|| negative(value)),
        _ if value > 0.0 && value < 1.0 => Some(Range::float(readable(value / 10.0), readable(value * 10.0).min(1.0), true, value)),
        _ if value > 0.0 => around(10.0),
        _ => negative(value),
    }
}

fn negative(value: f64) -> Option<Range> {
    (value < 0.0).then(|| Range::float(3.0 * value, 0.0, false, value))
}

fn int_range(family: Family, value: i64, words: &[String]) -> Option<Range> {
    if value == 0 {
        let from_zero = words.iter().any(|w| matches!(w.as_str(), "min" | "degree" | "order" | "ngram" | "ngrams" | "warmup"));
        return from_zero.then(|| Range::int(0, 4, 0));
    }
    // Beyond this a number is an identifier or a modulus, not a size.
    if !(1..=100_000_000).contains(&value) {
        return None;
    }
    let factor = if family == Family::Batch { 8 } else { 4 };
    let (lo, hi) = ((value / factor).max(1), value * factor);
    let powers_of_two = matches!(family, Family::Batch | Family::Width) && value >= 2 && value.count_ones() == 1;
    Some(Range { powers_of_two, ..Range::int(lo, hi, value) })
}

/// Returns the range that a bound gives; what it leaves open is guessed.
///
/// Errors: a sentence for the user, where the bound does not fit the literal.
pub(super) fn bounded(found: &Found, bound: &Bound) -> Result<Range, String> {
    let at = format!("line {}: `{}`", found.line, found.text);
    let words = names::words(&found.name);
    let kind = bound.kind.unwrap_or(match (&found.value, found.float) {
        _ if !bound.choices.is_empty() => BoundKind::Choice,
        (KnobValue::Bool(_), _) => BoundKind::Bool,
        (KnobValue::Choice(_), _) => BoundKind::Choice,
        (KnobValue::Int(_), false) => BoundKind::Int,
        (KnobValue::Int(_), true) | (KnobValue::Float(_), _) => BoundKind::Float,
    });
    match kind {
        BoundKind::Bool => match found.value {
            KnobValue::Bool(value) => Ok(Range::new(Kind::Bool, KnobValue::Bool(value))),
            _ => Err(format!("{at} is neither True nor False")),
        },
        BoundKind::Choice => chosen(found, bound, &at),
        BoundKind::Float | BoundKind::Int => {
            let value = match found.value {
                KnobValue::Int(v) => v as f64,
                KnobValue::Float(v) => v,
                KnobValue::Bool(_) | KnobValue::Choice(_) => return Err(format!("{at} is no number")),
            };
            let Some((lo, hi)) = bound.range else {
                let found = Found { float: kind == BoundKind::Float, choices: Vec::new(), ..found.clone() };
                return by_value(&found, &words).ok_or_else(|| format!("{at} tells no range: give one"));
            };
            if !(lo.is_finite() && hi.is_finite() && lo < hi) {
                return Err(format!("the range {lo} to {hi} is empty"));
            }
            let log = bound.log.unwrap_or(lo > 0.0 && hi / lo >= 100.0);
            if log && lo <= 0.0 {
                return Err(format!("a logarithmic range cannot start at {lo}"));
            }
            if kind == BoundKind::Float {
                return Ok(Range::new(Kind::Float { lo, hi, log }, KnobValue::Float(value)));
            }
            let KnobValue::Int(value) = found.value else { return Err(format!("{at} is a float, the bound says int")) };
            let (lo, hi) = (lo.ceil() as i64, hi.floor() as i64);
            if lo >= hi {
                return Err(format!("the range {lo} to {hi} holds no two whole numbers"));
            }
            // A width that a person bounds by powers of two keeps to them: heads must divide it, kernels like it.
            let family = names::family(&last_component(&words, &found.name), true);
            let sized = matches!(family, Family::Batch | Family::Width);
            let powers_of_two = sized && [lo, hi, value].iter().all(|v| *v > 0 && v.count_ones() == 1);
            Ok(Range { powers_of_two, ..Range::new(Kind::Int { lo, hi, log }, KnobValue::Int(value)) })
        }
    }
}

fn chosen(found: &Found, bound: &Bound, at: &str) -> Result<Range, String> {
    let choices = if bound.choices.is_empty() { &found.choices } else { &bound.choices };
    let fits = |choice: &KnobValue| match (found.form, choice) {
        (Form::Text, KnobValue::Choice(text)) => !text.contains(['"', '\'', '\\']) && !text.chars().any(char::is_control),
        (Form::Number, KnobValue::Int(_) | KnobValue::Float(_)) | (Form::Word | Form::Action, KnobValue::Bool(_)) => true,
        _ => false,
    };
    if choices.len() < 2 {
        return Err(format!("{at} needs two choices at least"));
    }
    match choices.iter().find(|c| !fits(c)) {
        Some(choice) => Err(format!("{at} cannot be replaced by the choice `{choice}`")),
        None => Ok(Range::new(Kind::Choice(choices.clone()), found.value.clone())),
    }
}

/// Three significant digits: ranges are shown to people.
fn readable(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
