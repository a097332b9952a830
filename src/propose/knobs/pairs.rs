//! Two numbers that are the ends of one range (`crop_ratio: [0.9, 1.0]`) keep their order: they meet in the middle at most.

use super::{
    Kind, Knob,
    found::leaf,
    names::{self, Family},
};
use crate::model::KnobValue;

/// Bounds the knobs of ascending pairs. Betas are two settings of their own, and widths need no order.
pub(super) fn keep_order(knobs: &mut [Knob]) {
    for i in 0..knobs.len() {
        let Some([low, high]) = knobs.get(i..i + 2).and_then(|p| <&[Knob; 2]>::try_from(p).ok()) else { return };
        let list = low.name.strip_suffix(".0").filter(|list| high.name.strip_suffix(".1") == Some(*list) && low.path == high.path);
        let longer = |list: &str| knobs.get(i + 2).is_some_and(|k| k.name == format!("{list}.2"));
        if list.is_none_or(longer) || low.rule == super::ranges::TASK || high.rule == super::ranges::TASK {
            continue;
        }
        let middle = middle(low, high);
        if let Some(middle) = middle {
            if let Some(Kind::Float { hi, .. }) = knobs.get_mut(i).map(|k| &mut k.kind) {
                *hi = hi.min(middle);
            }
            if let Some(Kind::Float { lo, .. }) = knobs.get_mut(i + 1).map(|k| &mut k.kind) {
                *lo = lo.max(middle);
            }
        }
    }
}

fn middle(low: &Knob, high: &Knob) -> Option<f64> {
    let (KnobValue::Float(a), KnobValue::Float(b)) = (&low.value, &high.value) else { return None };
    let two = matches!(names::family(&names::words(leaf(&low.name)), false), Family::Momentum | Family::Average);
    (a < b && !two).then(|| f64::midpoint(*a, *b))
}
