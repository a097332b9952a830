//! A knob as an axis of a sampler's space, and back to a value that a person would write.

use crate::{
    model::KnobValue,
    propose::{
        knobs::{Kind, Knob},
        samplers::{Condition, Domain, Param, Space, Value},
    },
};

/// Share of an axis that stands for zero, where zero is meant beside a logarithmic range.
const ZERO_SHARE: f64 = 0.12;

/// Share of a float's range below which a change is not worth a line of a diff.
const TRIFLE: f64 = 0.03;

/// A knob with its domain.
#[derive(Debug, Clone)]
pub(super) struct Axis<'a> {
    pub knob: &'a Knob,
    pub domain: Domain,
}

impl<'a> Axis<'a> {
    /// None where the range leaves nothing to choose.
    pub(super) fn new(knob: &'a Knob) -> Option<Self> {
        let domain = match &knob.kind {
            Kind::Float { lo, hi, log } if lo < hi => {
                let below = if *log && knob.zero { lo * (lo / hi).powf(ZERO_SHARE) } else { *lo };
                Domain::Float { lo: below, hi: *hi, log: *log && *lo > 0.0 }
            }
            Kind::Int { lo, hi, .. } if knob.powers_of_two => {
                let odd = odd_part(knob) as f64;
                let (lo, hi) = ((*lo as f64 / odd).max(1.0), (*hi as f64 / odd).max(1.0));
                Domain::Int { lo: lo.log2().ceil() as i64, hi: hi.log2().floor() as i64, log: false }
            }
            Kind::Int { lo, hi, log } => Domain::Int { lo: *lo, hi: *hi, log: *log && *lo >= 1 },
            Kind::Bool => Domain::Choice { n: 2 },
            Kind::Choice(choices) => Domain::Choice { n: choices.len() },
            Kind::Float { .. } => return None,
        };
        let something = match domain {
            Domain::Float { lo, hi, .. } => lo < hi,
            Domain::Int { lo, hi, .. } => lo < hi,
            Domain::Choice { n } => n > 1,
        };
        something.then_some(Self { knob, domain })
    }

    /// A value on the axis; none where its kind does not fit.
    pub(super) fn encode(&self, value: &KnobValue) -> Option<Value> {
        let number = match value {
            KnobValue::Int(v) => Some(*v as f64),
            KnobValue::Float(v) => Some(*v),
            KnobValue::Bool(_) | KnobValue::Choice(_) => None,
        };
        Some(match (&self.knob.kind, self.domain) {
            (Kind::Bool, _) => match value {
                KnobValue::Bool(b) => Value::Choice(usize::from(*b)),
                _ => return None,
            },
            (Kind::Choice(choices), _) => Value::Choice(choices.iter().position(|c| c == value)?),
            (Kind::Float { lo, .. }, Domain::Float { lo: below, .. }) => {
                let v = number?;
                // Zero stands in the middle of its share.
                Value::Float(if self.knob.zero && v < *lo { (below * lo).sqrt() } else { v })
            }
            (Kind::Int { .. }, _) if self.knob.powers_of_two => {
                Value::Int((number? / odd_part(self.knob) as f64).max(1.0).log2().round() as i64)
            }
            (Kind::Int { .. } | Kind::Float { .. }, _) => Value::Int(number?.round() as i64),
        })
    }

    /// Whether a float would change by so little of its range that no trial could tell.
    pub(super) fn is_trifle(&self, value: &Value, parent: &Value) -> bool {
        let (lo, hi) = self.domain.support();
        let moved = (self.domain.coordinate(value) - self.domain.coordinate(parent)).abs();
        matches!(self.domain, Domain::Float { .. }) && moved < TRIFLE * (hi - lo)
    }

    /// The value that a person would write for a place on the axis.
    pub(super) fn decode(&self, value: &Value) -> KnobValue {
        match (&self.knob.kind, *value) {
            (Kind::Bool, Value::Choice(i)) => KnobValue::Bool(i > 0),
            (Kind::Choice(choices), Value::Choice(i)) => choices.get(i).cloned().unwrap_or_else(|| self.knob.value.clone()),
            (Kind::Int { lo, hi, .. }, Value::Int(v)) if self.knob.powers_of_two => {
                let power = 1i64.checked_shl(u32::try_from(v).unwrap_or(0)).unwrap_or(*hi);
                KnobValue::Int(power.saturating_mul(odd_part(self.knob)).clamp(*lo, *hi))
            }
            (Kind::Int { log, .. }, Value::Int(v)) => KnobValue::Int(if *log { round_int(v) } else { v }),
            (Kind::Float { lo, .. }, Value::Float(v)) if self.knob.zero && v < *lo => KnobValue::Float(0.0),
            (Kind::Float { lo, hi, log }, Value::Float(v)) => {
                KnobValue::Float(if *log { round_digits(v, 2).clamp(*lo, *hi) } else { round_to(v, decimals(hi - lo)).clamp(*lo, *hi) })
            }
            _ => self.knob.value.clone(),
        }
    }
}

/// The space of all axes, with the conditions among them. A condition on a knob that comes later, or that is not turned,
/// is left out: then the knob counts always.
pub(super) fn space(axes: &[Axis<'_>]) -> Space {
    let condition = |i: usize, axis: &Axis<'_>| {
        let active = axis.knob.active.as_ref()?;
        let param = axes.iter().take(i).position(|a| a.knob.name == active.knob)?;
        let of = |value: &KnobValue| match axes.get(param)?.encode(value)? {
            Value::Choice(index) => Some(index),
            Value::Float(_) | Value::Int(_) => None,
        };
        Some(Condition { param, equals: active.equals.iter().filter_map(of).collect() })
    };
    let param = |(i, axis): (usize, &Axis<'_>)| Param { name: axis.knob.name.clone(), domain: axis.domain, active: condition(i, axis) };
    Space { params: axes.iter().enumerate().map(param).collect() }
}

/// The axes in an order in which a knob stands before those that wait for it.
pub(super) fn ordered<'a>(knobs: &'a [Knob]) -> Vec<Axis<'a>> {
    let mut axes: Vec<Axis<'a>> = knobs.iter().filter_map(Axis::new).collect();
    axes.sort_by_key(|axis| axis.knob.active.is_some());
    axes
}

/// What is left of a size after all halvings: 768 is 3 · 2⁸.
fn odd_part(knob: &Knob) -> i64 {
    match knob.value {
        KnobValue::Int(v) if v > 0 => v >> v.trailing_zeros(),
        KnobValue::Int(_) | KnobValue::Float(_) | KnobValue::Bool(_) | KnobValue::Choice(_) => 1,
    }
}

/// About a hundred steps over a range.
fn decimals(range: f64) -> i32 {
    -((range / 50.0).log10().floor() as i32)
}

/// Two significant digits from a hundred up: nobody means 1237 steps.
fn round_int(value: i64) -> i64 {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0);
    let unit = 10i64.pow(digits.saturating_sub(1));
    (value as f64 / unit as f64).round() as i64 * unit
}

fn round_digits(value: f64, digits: i32) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    round_to(value, digits - 1 - value.abs().log10().floor() as i32)
}

/// Rounds through the decimal text, so that the value is the one that its literal reads as.
fn round_to(value: f64, decimals: i32) -> f64 {
    if decimals >= 0 {
        return format!("{value:.*}", decimals as usize).parse().unwrap_or(value);
    }
    let unit = 10f64.powi(-decimals);
    (value / unit).round() * unit
}
