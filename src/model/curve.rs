//! A curve reduced to what a chart of a given width can show: at most two points a column.
//!
//! Pure. Shared by the store that answers queries and by the chart itself, so that both thin alike. Steps may go back
//! and repeat; a value may be NaN (a gap) or infinite (kept as such).

/// Returns the smallest and largest finite x, or nothing for a curve without any.
pub fn extent(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    points.iter().map(|p| p.0).filter(|x| x.is_finite()).fold(None, |seen, x| match seen {
        None => Some((x, x)),
        Some((low, high)) => Some((low.min(x), high.max(x))),
    })
}

/// A point and its place in the input.
type Placed = (usize, (f64, f64));

/// What one column keeps: the places in the input of its extremes, or of a NaN while it has nothing else.
#[derive(Clone, Copy)]
struct Column {
    low: Placed,
    high: Placed,
}

/// Reduces a curve to at most two points a column, plus its very first and last.
///
/// Shapes: `points` are (step, value) in the order in which they were written; `range` is closed and defaults to the curve's extent;
/// `width` is the number of columns. A column keeps its smallest and its largest value in their order of writing; one that holds
/// nothing but NaN keeps one NaN, which a chart draws as a gap. Points whose step is not finite or out of range are left out.
/// The result is in order of columns, and a curve of at most `width` points comes back whole.
pub fn decimate(points: &[(f64, f64)], range: Option<(f64, f64)>, width: usize) -> Vec<(f64, f64)> {
    let Some((from, to)) = range.or_else(|| extent(points)) else { return Vec::new() };
    if width == 0 || !from.is_finite() || !to.is_finite() || to < from {
        return Vec::new();
    }
    let inside = || points.iter().copied().enumerate().filter(|(_, (x, _))| (from..=to).contains(x));
    if points.len() <= width {
        return inside().map(|(_, point)| point).collect();
    }
    let scale = if to > from { width as f64 / (to - from) } else { 0.0 };
    let mut columns: Vec<Option<Column>> = vec![None; width];
    let (mut first, mut last) = (None, None);
    for (at, (x, y)) in inside() {
        let place = (((x - from) * scale) as usize).min(width - 1);
        let here = (at, (x, y));
        first.get_or_insert((place, here));
        last = Some((place, here));
        let Some(slot) = columns.get_mut(place) else { continue };
        match slot {
            None => *slot = Some(Column { low: here, high: here }),
            Some(_) if y.is_nan() => {}
            Some(column) if column.low.1.1.is_nan() => *column = Column { low: here, high: here },
            Some(column) => {
                if y < column.low.1.1 {
                    column.low = here;
                }
                if y > column.high.1.1 {
                    column.high = here;
                }
            }
        }
    }
    let mut kept = Vec::with_capacity(2 * width + 2);
    for (place, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        let edge = |end: Option<(usize, Placed)>| end.filter(|(at, _)| *at == place).map(|(_, point)| point);
        let mut here: Vec<_> = [edge(first), Some(column.low), Some(column.high), edge(last)].into_iter().flatten().collect();
        here.sort_by_key(|(at, _)| *at);
        here.dedup_by_key(|(at, _)| *at);
        kept.extend(here.into_iter().map(|(_, point)| point));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extremes_ends_and_gaps_survive() {
        let nan = f64::NAN;
        let wave: Vec<_> = (0..1000).map(|i| (f64::from(i), if i == 503 { 99.0 } else { f64::from(i % 7) })).collect();
        let got = decimate(&wave, None, 10);
        assert_eq!(got.first(), Some(&(0.0, 0.0)));
        assert_eq!(got.last(), wave.last());
        assert!(got.contains(&(503.0, 99.0)), "the spike is kept");
        assert!(got.len() <= 22, "{}", got.len());

        let gap: Vec<_> = (0..100).map(|i| (f64::from(i), if (40..60).contains(&i) { nan } else { 1.0 })).collect();
        let got = decimate(&gap, None, 10);
        assert!(got.iter().any(|(x, y)| (40.0..60.0).contains(x) && y.is_nan()), "{got:?}");
        assert!(got.iter().filter(|(_, y)| y.is_nan()).count() <= 3);
    }

    #[test]
    fn odd_shapes() {
        let one = [(5.0, 1.0)];
        let flat = [(3.0, 1.0), (3.0, 4.0), (3.0, 2.0)];
        let back = [(1.0, 1.0), (2.0, 2.0), (1.0, 3.0), (2.0, 4.0)];
        for (name, points, range, width, want) in [
            ("nothing", &[][..], None, 10, vec![]),
            ("one point", &one, None, 10, vec![(5.0, 1.0)]),
            ("no width", &one, None, 0, vec![]),
            ("out of range", &one, Some((6.0, 9.0)), 4, vec![]),
            ("one step", &flat, None, 2, vec![(3.0, 1.0), (3.0, 4.0), (3.0, 2.0)]),
            ("a range that is none", &one, Some((2.0, 1.0)), 4, vec![]),
            ("steps that go back", &back, None, 2, vec![(1.0, 1.0), (1.0, 3.0), (2.0, 2.0), (2.0, 4.0)]),
        ] {
            assert_eq!(decimate(points, range, width), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_invents_nothing(points in prop::collection::vec((-50.0..50.0f64, prop_oneof![4 => -9.0..9.0f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]), 0..400), width in 1usize..40) {
            let got = decimate(&points, None, width);
            prop_assert!(got.len() <= 2 * width + 2);
            let same = |a: &(f64, f64), b: &(f64, f64)| a.0.to_bits() == b.0.to_bits() && a.1.to_bits() == b.1.to_bits();
            prop_assert!(got.iter().all(|g| points.iter().any(|p| same(g, p))));
            let top = |list: &[(f64, f64)]| list.iter().map(|p| p.1).filter(|y| !y.is_nan()).fold(f64::NEG_INFINITY, f64::max);
            prop_assert_eq!(top(&got), top(&points));
        }
    }
}
