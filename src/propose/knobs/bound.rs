//! What a task says of a knob (`[[knob]]`), as discovery takes it.

use crate::{
    model::KnobValue,
    task::{Knob, KnobBounds},
};

/// The type that a task gives a knob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundKind {
    /// A finite number.
    Float,
    /// A whole number.
    Int,
    /// `True` or `False`.
    Bool,
    /// One of the choices.
    Choice,
}

/// What a task says of a knob. What it leaves open is found from name and value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bound {
    /// The knob's name, or the end of it after a dot or colon where that is unique.
    pub name: String,
    /// Its type.
    pub kind: Option<BoundKind>,
    /// Smallest and largest value.
    pub range: Option<(f64, f64)>,
    /// Whether the range is searched on a logarithmic scale.
    pub log: Option<bool>,
    /// The choices, where it is one of a list.
    pub choices: Vec<KnobValue>,
    /// Not to be touched.
    pub exclude: bool,
}

impl From<&Knob> for Bound {
    fn from(knob: &Knob) -> Self {
        let open = Self { name: knob.name.clone(), ..Self::default() };
        match &knob.bounds {
            KnobBounds::Excluded => Self { exclude: true, ..open },
            KnobBounds::Float { low, high, log } => {
                Self { kind: Some(BoundKind::Float), range: Some((*low, *high)), log: Some(*log), ..open }
            }
            KnobBounds::Int { low, high, log } => {
                Self { kind: Some(BoundKind::Int), range: Some((*low as f64, *high as f64)), log: Some(*log), ..open }
            }
            KnobBounds::Bool => Self { kind: Some(BoundKind::Bool), ..open },
            KnobBounds::Choice(choices) => Self { kind: Some(BoundKind::Choice), choices: choices.clone(), ..open },
        }
    }
}
