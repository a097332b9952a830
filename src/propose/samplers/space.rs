//! Parameters, their domains and conditions, and points in them.

/// What values a parameter may take. Both ends of a range belong to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// A finite number.
    Float {
        /// Smallest.
        lo: f64,
        /// Largest.
        hi: f64,
        /// Modelled by its logarithm; `lo` is positive then.
        log: bool,
    },
    /// A whole number.
    Int {
        /// Smallest.
        lo: i64,
        /// Largest.
        hi: i64,
        /// Modelled by its logarithm; `lo` is at least 1 then.
        log: bool,
    },
    /// An index below `n`, without order.
    Choice {
        /// How many there are.
        n: usize,
    },
}

/// A parameter that matters only where another one, a choice, has one of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Index of the other parameter; it stands before this one.
    pub param: usize,
    /// Its values under which this parameter is active.
    pub equals: Vec<usize>,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// For the numbers behind a suggestion.
    pub name: String,
    /// What values it may take.
    pub domain: Domain,
    /// When it matters; always, where none.
    pub active: Option<Condition>,
}

/// The value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Of a `Float`.
    Float(f64),
    /// Of an `Int`.
    Int(i64),
    /// Of a `Choice`.
    Choice(usize),
}

/// The parameters that a sampler turns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// In a fixed order; values of a point come in the same.
    pub params: Vec<Param>,
}

impl Domain {
    /// Range on the modelled scale, without the half cells of whole numbers.
    pub(super) fn ends(&self) -> (f64, f64) {
        match *self {
            Self::Float { lo, hi, log } => (scale(lo, log), scale(hi, log)),
            Self::Int { lo, hi, log } => (scale(lo as f64, log), scale(hi as f64, log)),
            Self::Choice { n } => (0.0, n.saturating_sub(1) as f64),
        }
    }

    /// Range of the densities: whole numbers own half a cell to both sides.
    pub fn support(&self) -> (f64, f64) {
        match *self {
            Self::Int { lo, hi, log } => (scale(lo as f64 - 0.5, log), scale(hi as f64 + 0.5, log)),
            Self::Float { .. } | Self::Choice { .. } => self.ends(),
        }
    }

    /// A value on the modelled scale, clamped to the range; the middle where the value is of another kind.
    pub fn coordinate(&self, value: &Value) -> f64 {
        let raw = match *value {
            Value::Float(v) => v,
            Value::Int(v) => v as f64,
            Value::Choice(v) => v as f64,
        };
        match *self {
            Self::Float { lo, hi, log } if raw.is_finite() => scale(raw.clamp(lo.min(hi), hi.max(lo)), log),
            Self::Float { .. } => f64::midpoint(self.ends().0, self.ends().1),
            Self::Int { lo, hi, log } => scale(raw.clamp(lo.min(hi) as f64, hi.max(lo) as f64), log),
            Self::Choice { n } => raw.clamp(0.0, n.saturating_sub(1) as f64),
        }
    }

    /// The value nearest to a place on the modelled scale.
    pub(super) fn value(&self, coordinate: f64) -> Value {
        match *self {
            Self::Float { lo, hi, log } => Value::Float(unscale(coordinate, log).clamp(lo.min(hi), hi.max(lo))),
            Self::Int { lo, hi, log } => Value::Int((unscale(coordinate, log).round() as i64).clamp(lo.min(hi), hi.max(lo))),
            Self::Choice { n } => Value::Choice((coordinate.max(0.0) as usize).min(n.saturating_sub(1))),
        }
    }

    /// A uniform draw; on a logarithmic scale uniform in the logarithm.
    pub fn draw(&self, rng: &mut fastrand::Rng) -> Value {
        match *self {
            Self::Choice { n } => Value::Choice(rng.usize(0..n.max(1))),
            Self::Int { lo, hi, log: false } => Value::Int(rng.i64(lo.min(hi)..=hi.max(lo))),
            Self::Float { .. } | Self::Int { .. } => {
                let (lo, hi) = self.support();
                self.value(lo + (hi - lo) * rng.f64())
            }
        }
    }

    /// A step away from a value: another choice, else a normal step of 15 % of the range, at least one whole number.
    pub fn step(&self, from: &Value, rng: &mut fastrand::Rng) -> Value {
        match *self {
            Self::Choice { n } if n > 1 => {
                let Value::Choice(old) = self.value(self.coordinate(from)) else { return *from };
                Value::Choice((old + rng.usize(1..n)) % n)
            }
            Self::Choice { .. } => *from,
            Self::Float { .. } | Self::Int { .. } => {
                let (lo, hi) = self.ends();
                let step = normal(rng) * 0.15 * (hi - lo);
                let at = self.coordinate(from);
                let to = self.value((at + step).clamp(lo, hi));
                match (to, *self) {
                    (Value::Int(new), Self::Int { lo, hi, .. }) => {
                        let Value::Int(old) = self.value(at) else { return to };
                        let one = if new != old {
                            new
                        } else if step < 0.0 {
                            old - 1
                        } else {
                            old + 1
                        };
                        Value::Int(if (lo..=hi).contains(&one) { one } else { 2 * old - one }.clamp(lo, hi))
                    }
                    _ => to,
                }
            }
        }
    }

    /// The value at a share of the range, from 0 to 1.
    pub fn at(&self, share: f64) -> Value {
        let (lo, hi) = self.ends();
        let place = lo + (hi - lo) * share;
        self.value(if matches!(self, Self::Choice { .. }) { place.round() } else { place })
    }

    /// How many values there are; none for a continuum.
    pub(super) fn count(&self) -> Option<u64> {
        match *self {
            Self::Float { .. } => None,
            Self::Int { lo, hi, .. } => u64::try_from(i128::from(hi) - i128::from(lo) + 1).ok(),
            Self::Choice { n } => Some(n as u64),
        }
    }
}

impl Space {
    /// Whether a parameter matters at a point.
    pub fn is_active(&self, index: usize, values: &[Value]) -> bool {
        let Some(condition) = self.params.get(index).and_then(|p| p.active.as_ref()) else { return true };
        let other = values.get(condition.param);
        condition.param < index
            && matches!(other, Some(Value::Choice(v)) if condition.equals.contains(v))
            && self.is_active(condition.param, values)
    }

    /// What tells two points apart: the active values rounded to nine decimals.
    pub fn key(&self, values: &[Value]) -> Vec<i64> {
        let of = |(i, value): (usize, &Value)| match (self.is_active(i, values), *value) {
            (false, _) => i64::MIN,
            (true, Value::Float(v)) => (v * 1e9).round() as i64,
            (true, Value::Int(v)) => v,
            (true, Value::Choice(v)) => v as i64,
        };
        values.iter().enumerate().map(of).collect()
    }

    /// A uniform draw of every parameter.
    pub fn draw(&self, rng: &mut fastrand::Rng) -> Vec<Value> {
        self.params.iter().map(|p| p.domain.draw(rng)).collect()
    }
}

/// A draw of the standard normal distribution (Box and Muller 1958).
pub(super) fn normal(rng: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

fn scale(value: f64, log: bool) -> f64 {
    if log { value.max(f64::MIN_POSITIVE).ln() } else { value }
}

fn unscale(coordinate: f64, log: bool) -> f64 {
    if log { coordinate.exp() } else { coordinate }
}
