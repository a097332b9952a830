//! What range a literal may take: guessed from its name and value, or given by the task.
//!
//! The guesses hold the value inside. They are wide enough to find a bad default and narrow enough that a dozen trials see
//! something: learning rates a factor of 30 to both sides, counts and widths a factor of 4.

use super::{
    Bound, BoundKind, Form, Kind,
    found::{Found, Site, leaf},
    names::{self, Family},
};
use crate::model::KnobValue;

/// A knob's values, and the rule that gave them.
#[derive(Debug)]
pub(super) struct Range {
    pub kind: Kind,
    pub powers_of_two: bool,
    pub zero: bool,
    pub budget: bool,
    pub value: KnobValue,
    pub rule: &'static str,
}

impl Range {
    fn new(kind: Kind, value: KnobValue, rule: &'static str) -> Self {
        Self { kind, powers_of_two: false, zero: false, budget: false, value, rule }
    }

    fn float(lo: f64, hi: f64, log: bool, value: f64, rule: &'static str) -> Self {
        let kind = Kind::Float { lo: if value == 0.0 { lo } else { lo.min(value) }, hi: hi.max(value), log };
        Self { zero: value == 0.0 && lo > 0.0, ..Self::new(kind, KnobValue::Float(value), rule) }
    }

    fn int(lo: i64, hi: i64, value: i64, rule: &'static str) -> Self {
        // Ratios matter for counts; from a few values on a linear scale would hardly ever try the small ones.
        Self::new(Kind::Int { lo, hi, log: lo >= 1 && hi / lo.max(1) >= 8 }, KnobValue::Int(value), rule)
    }
}

/// Returns the range of a literal that no bound names.
///
/// Errors: why it is no knob.
pub(super) fn guess(found: &Found) -> Result<Range, &'static str> {
    let words = names::words(found.told());
    if names::never(&words) || names::never_whole(leaf(found.told())) {
        return Err("its name says that it is held fixed: a seed, a path, what is logged, evaluated or given by the data");
    }
    let range = by_value(found)?;
    // A name in lower case may be an accumulator or a helper's default; there the name must tell.
    let unsure = matches!(found.site, Site::Variable | Site::Parameter | Site::Environment | Site::Item);
    let meant = |words: &[String]| names::family(words, whole(found)) != Family::Unknown;
    let known = match range.kind {
        Kind::Bool => names::switch(&words),
        Kind::Choice(_) => true,
        Kind::Float { .. } | Kind::Int { .. } => meant(&words_of_leaf(found)) || meant(&words),
    };
    // A switch of an argument may do anything; a number of unknown meaning in a dictionary is a table of codes more often
    // than a setting, unless it lies between 0 and 1.
    let share = matches!(found.value, KnobValue::Float(v) if v > 0.0 && v < 1.0);
    let unsure = match range.kind {
        Kind::Bool => unsure || matches!(found.site, Site::Argument | Site::Flag | Site::Setting | Site::Entry),
        Kind::Int { .. } | Kind::Float { .. } => unsure || (matches!(found.site, Site::Entry | Site::Setting) && !share),
        Kind::Choice(_) => unsure,
    };
    if known || !unsure { Ok(range) } else { Err("its name does not tell what it is") }
}

/// Whether the literal is a whole number that stays one: a `0` for a dropout does not.
fn whole(found: &Found) -> bool {
    let words = words_of_leaf(found);
    let fractional = [Family::Dropout, Family::WeightDecay, Family::LearningRate, Family::Momentum, Family::LabelSmoothing];
    let KnobValue::Int(value) = found.value else { return false };
    let family = names::family(&words, false);
    // `rate = 1` may be a count; `rate = 0` is a share that is switched off.
    let small = ((0..=1).contains(&value) && fractional.contains(&family)) || (value == 0 && family == Family::Probability);
    !(found.float || (small && names::family(&words, true) == Family::Unknown))
}

fn by_value(found: &Found) -> Result<Range, &'static str> {
    let words = words_of_leaf(found);
    match &found.value {
        KnobValue::Bool(value) => Ok(Range::new(Kind::Bool, KnobValue::Bool(*value), "a switch")),
        KnobValue::Choice(value) => {
            let texts: Vec<KnobValue> = found.choices.iter().filter(|c| matches!(c, KnobValue::Choice(_))).cloned().collect();
            let one_of = texts.len() > 1 && texts.contains(&found.value);
            let range = one_of.then(|| Range::new(Kind::Choice(texts), KnobValue::Choice(value.clone()), "choices that the code names"));
            range.ok_or("a text whose choices nothing tells")
        }
        KnobValue::Int(value) if !found.choices.is_empty() => choice_of_numbers(found, KnobValue::Int(*value)),
        KnobValue::Float(value) if !found.choices.is_empty() => choice_of_numbers(found, KnobValue::Float(*value)),
        KnobValue::Int(value)
            if whole(found) && (0..=1).contains(value) && names::switch(&words) && names::family(&words, true) == Family::Unknown =>
        {
            let choices = vec![KnobValue::Int(0), KnobValue::Int(1)];
            Ok(Range::new(Kind::Choice(choices), KnobValue::Int(*value), "a switch written as 0 or 1"))
        }
        KnobValue::Int(value) if whole(found) => int_range(found, *value, &words),
        KnobValue::Int(value) => float_range(names::family(&words, false), *value as f64),
        KnobValue::Float(value) => float_range(names::family(&words, false), *value),
    }
}

/// The words after the last dot or colon; the family is told by those, not by the dictionary's name.
fn words_of_leaf(found: &Found) -> Vec<String> {
    let own = names::words(leaf(found.told()));
    if own.is_empty() { names::words(found.told()) } else { own }
}

fn choice_of_numbers(found: &Found, value: KnobValue) -> Result<Range, &'static str> {
    let fits = found.choices.len() > 1 && found.choices.contains(&value);
    fits.then(|| Range::new(Kind::Choice(found.choices.clone()), value, "choices that the code names"))
        .ok_or("its value is none of its choices")
}

const NO_SCALE: &str = "its value tells no scale";

fn float_range(family: Family, value: f64) -> Result<Range, &'static str> {
    let around = |factor: f64, rule| {
        (value > 0.0).then(|| Range::float(readable(value / factor), readable(value * factor), true, value, rule)).ok_or(NO_SCALE)
    };
    let unit = (0.0..=1.0).contains(&value);
    match family {
        Family::LearningRate if value == 0.0 => Ok(Range::float(1e-5, 1e-1, true, value, "learning rate: 1e-5 to 0.1, or 0")),
        Family::LearningRate => around(30.0, "learning rate: a factor of 30 to both sides"),
        Family::Dropout if unit => Ok(Range::float(0.0, 0.6, false, value, "dropout: 0 to 0.6")),
        Family::Average if (0.9..1.0).contains(&value) => Ok(Range::float(0.9, 0.9999, false, value, "running average: 0.9 to 0.9999")),
        Family::Average if unit => Ok(Range::float(0.0, 0.999, false, value, "running average: 0 to 0.999")),
        Family::Momentum if unit => Ok(Range::float(0.0, 0.99, false, value, "momentum: 0 to 0.99")),
        Family::WeightDecay if value >= 0.0 => {
            Ok(Range { zero: true, ..Range::float(1e-6, 1e-1, true, value, "regularisation: 1e-6 to 0.1, or 0") })
        }
        Family::LabelSmoothing if unit => Ok(Range::float(0.0, 0.4, false, value, "label smoothing: 0 to 0.4")),
        Family::Decay if (0.9..=1.0).contains(&value) => Ok(Range::float(0.8, 1.0, false, value, "decay: 0.8 to 1")),
        Family::Decay | Family::Probability if unit => Ok(Range::float(0.0, 1.0, false, value, "a share: 0 to 1")),
        Family::Scale if value == 0.0 => Ok(Range::float(0.01, 10.0, true, value, "scale: 0.01 to 10, or 0")),
        Family::Scale => around(10.0, "scale: a factor of 10 to both sides").or_else(|_| negative(value)),
        _ if value > 0.0 && value < 1.0 => Ok(Range::float(
            readable(value / 10.0),
            readable(value * 10.0).min(1.0),
            true,
            value,
            "between 0 and 1: a factor of 10 to both sides",
        )),
        _ if value > 0.0 => around(10.0, "positive: a factor of 10 to both sides"),
        _ => negative(value),
    }
}

fn negative(value: f64) -> Result<Range, &'static str> {
    (value < 0.0).then(|| Range::float(3.0 * value, 0.0, false, value, "negative: 0 to three times the value")).ok_or(NO_SCALE)
}

fn int_range(found: &Found, value: i64, words: &[String]) -> Result<Range, &'static str> {
    if value == 0 {
        let from_zero = words.iter().any(|w| matches!(w.as_str(), "min" | "degree" | "order" | "ngram" | "ngrams" | "warmup"));
        return from_zero.then(|| Range::int(0, 4, 0, "a count from 0")).ok_or(NO_SCALE);
    }
    // Beyond this a number is an identifier or a modulus, not a size.
    if !(1..=100_000_000).contains(&value) {
        return Err(NO_SCALE);
    }
    if names::budget(words) && found.form != Form::Power {
        if value == 1 {
            return Err("how long a run trains: more only buys compute");
        }
        let range = Range::int((value / 4).max(1), value, value, "how long a run trains: never above its value, more only buys compute");
        return Ok(Range { budget: true, ..range });
    }
    let family = names::family(words, true);
    let factor = if family == Family::Batch { 8 } else { 4 };
    let (lo, hi) = ((value / factor).max(1), value * factor);
    let sized = matches!(family, Family::Batch | Family::Width);
    // A size keeps its odd part: 768 becomes 384 or 1536, which heads still divide.
    let doubles = value >= 2 && (value.count_ones() == 1 || value % 8 == 0 || (value % 2 == 0 && words.iter().any(|w| w.contains("head"))));
    let powers_of_two = found.form == Form::Power || (sized && doubles);
    let rule = match (powers_of_two, family) {
        (true, Family::Batch) => "batch: halved or doubled up to three times",
        (true, _) => "size: halved or doubled up to twice",
        (false, Family::Batch) => "batch: a factor of 8 to both sides",
        (false, _) => "count: a factor of 4 to both sides",
    };
    Ok(Range { powers_of_two, ..Range::int(lo, hi, value, rule) })
}

/// Who gave a range that the task names.
pub(super) const TASK: &str = "[[knob]] of the task";

/// Returns the range that a bound gives; what it leaves open is guessed.
///
/// Errors: a sentence for the user, where the bound does not fit the literal.
pub(super) fn bounded(found: &Found, bound: &Bound) -> Result<Range, String> {
    let at = format!("line {}: `{}`", found.line, found.text);
    let kind = bound.kind.unwrap_or(match (&found.value, found.float) {
        _ if !bound.choices.is_empty() => BoundKind::Choice,
        (KnobValue::Bool(_), _) => BoundKind::Bool,
        (KnobValue::Choice(_), _) => BoundKind::Choice,
        (KnobValue::Int(_), false) => BoundKind::Int,
        (KnobValue::Int(_), true) | (KnobValue::Float(_), _) => BoundKind::Float,
    });
    match kind {
        BoundKind::Bool => match found.value {
            KnobValue::Bool(value) => Ok(Range::new(Kind::Bool, KnobValue::Bool(value), TASK)),
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
                return by_value(&found).map_err(|_| format!("{at} tells no range: give one"));
            };
            if !(lo.is_finite() && hi.is_finite() && lo < hi) {
                return Err(format!("the range {lo} to {hi} is empty"));
            }
            let log = bound.log.unwrap_or(lo > 0.0 && hi / lo >= 100.0);
            if log && lo <= 0.0 {
                return Err(format!("a logarithmic range cannot start at {lo}"));
            }
            if kind == BoundKind::Float {
                return Ok(Range::new(Kind::Float { lo, hi, log }, KnobValue::Float(value), TASK));
            }
            let KnobValue::Int(value) = found.value else { return Err(format!("{at} is a float, the bound says int")) };
            let (lo, hi) = (lo.ceil() as i64, hi.floor() as i64);
            if lo >= hi {
                return Err(format!("the range {lo} to {hi} holds no two whole numbers"));
            }
            // A width that a person bounds by powers of two keeps to them: heads must divide it, kernels like it.
            let family = names::family(&words_of_leaf(found), true);
            let sized = matches!(family, Family::Batch | Family::Width);
            let powers_of_two = sized && [lo, hi, value].iter().all(|v| *v > 0 && v.count_ones() == 1);
            let powers_of_two = powers_of_two || found.form == Form::Power;
            Ok(Range { powers_of_two, ..Range::new(Kind::Int { lo, hi, log }, KnobValue::Int(value), TASK) })
        }
    }
}

fn chosen(found: &Found, bound: &Bound, at: &str) -> Result<Range, String> {
    let choices = if bound.choices.is_empty() { &found.choices } else { &bound.choices };
    let fits = |choice: &KnobValue| match (found.form, choice) {
        (Form::Text, KnobValue::Choice(text)) => !text.contains(['"', '\'', '\\']) && !text.chars().any(char::is_control),
        (Form::Bare, KnobValue::Choice(text)) => super::found::is_plain(text),
        (Form::Power, KnobValue::Int(n)) => *n > 0 && n.count_ones() == 1,
        (Form::Number, KnobValue::Int(_) | KnobValue::Float(_)) | (Form::Word | Form::Action, KnobValue::Bool(_)) => true,
        _ => false,
    };
    if choices.len() < 2 {
        return Err(format!("{at} needs two choices at least"));
    }
    match choices.iter().find(|c| !fits(c)) {
        Some(choice) => Err(format!("{at} cannot be replaced by the choice `{choice}`")),
        None => Ok(Range::new(Kind::Choice(choices.clone()), found.value.clone(), TASK)),
    }
}

/// Three significant digits: ranges are shown to people.
fn readable(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
