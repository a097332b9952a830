//! Curves in braille: two by four dots a cell, axes with labels, gaps where a value is missing.

use super::ink::{self, Line};
use super::theme::Role;
use crate::model::number::short;

/// One curve; a value that is not finite is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Steps and values.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub role: Role,
}

struct Canvas {
    width: usize,
    height: usize,
    cells: Vec<(u8, Role)>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, cells: vec![(0, Role::Text); width * height] }
    }

    fn dot(&mut self, x: usize, y: usize, role: Role) {
        let (cx, cy) = (x / 2, y / 4);
        if cx >= self.width || cy >= self.height {
            return;
        }
        let bit = match (x % 2, y % 4) {
            (0, 0) => 0x01,
            (0, 1) => 0x02,
            (0, 2) => 0x04,
            (1, 0) => 0x08,
            (1, 1) => 0x10,
            (1, 2) => 0x20,
            (0, _) => 0x40,
            (_, _) => 0x80,
        };
        if let Some(cell) = self.cells.get_mut(cy * self.width + cx) {
            cell.0 |= bit;
            cell.1 = role;
        }
    }

    fn line(&mut self, from: (i64, i64), to: (i64, i64), role: Role) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).clamp(1, 4000);
        for i in 0..=steps {
            let x = from.0 + (to.0 - from.0) * i / steps;
            let y = from.1 + (to.1 - from.1) * i / steps;
            if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) {
                self.dot(x, y, role);
            }
        }
    }

    fn row(&self, y: usize) -> Line {
        let mut line = Line::default();
        let mut text = String::new();
        let mut role = Role::Text;
        for x in 0..self.width {
            let (bits, cell_role) = self.cells.get(y * self.width + x).copied().unwrap_or((0, Role::Text));
            let c = if bits == 0 { ' ' } else { char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ') };
            if bits != 0 && cell_role != role {
                line.push(std::mem::take(&mut text), role);
                role = cell_role;
            }
            text.push(c);
        }
        line.push(text, role);
        line
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    (low <= high).then_some((low, high))
}

/// The range of the values; without the first few, where those alone would press all the rest into one row.
fn shown_range(curves: &[Curve]) -> Option<(f64, f64)> {
    let all = range(curves.iter().flat_map(|c| c.points.iter().map(|p| p.1)))?;
    let (first, last) = range(curves.iter().flat_map(|c| c.points.iter().map(|p| p.0)))?;
    let from = first + (last - first) * 0.05;
    let settled = range(curves.iter().flat_map(|c| &c.points).filter(|p| p.0 >= from).map(|p| p.1)).unwrap_or(all);
    let crushed = (all.1 - all.0) > 3.0 * (settled.1 - settled.0) && settled.1 > settled.0;
    Some(if crushed { settled } else { all })
}

/// A little room around a range, and some where it is a single value.
fn widen((low, high): (f64, f64)) -> (f64, f64) {
    let span = high - low;
    let margin = if span > 0.0 && span.is_finite() { span * 0.04 } else { (low.abs() * 0.05).max(0.5) };
    (low - margin, high + margin)
}

/// Exactly `height` lines of `width` columns; none when no curve has a finite value or there is no room.
pub fn plot(curves: &[Curve], width: usize, height: usize) -> Option<Vec<Line>> {
    let y_range = widen(shown_range(curves)?);
    let x_range = range(curves.iter().flat_map(|c| c.points.iter().map(|p| p.0)))?;
    let rows = height.saturating_sub(2);
    if rows < 2 || width < 16 {
        return None;
    }
    let label = |row: usize| {
        let share = row as f64 / (rows - 1) as f64;
        axis_number(y_range.1 - (y_range.1 - y_range.0) * share, y_range.1 - y_range.0)
    };
    let labelled: Vec<usize> = if rows >= 7 { vec![0, rows / 2, rows - 1] } else { vec![0, rows - 1] };
    let gutter = labelled.iter().map(|r| ink::width(&label(*r))).max().unwrap_or(0).min(12);
    let columns = width.saturating_sub(gutter + 2);
    let mut canvas = Canvas::new(columns, rows);
    let x_span = (x_range.1 - x_range.0).max(f64::MIN_POSITIVE);
    let place = |(x, y): (f64, f64)| {
        let px = ((x - x_range.0) / x_span * (columns * 2 - 1) as f64).round();
        let py = ((y_range.1 - y) / (y_range.1 - y_range.0) * (rows * 4 - 1) as f64).round();
        (px.clamp(0.0, 1e6) as i64, py.clamp(0.0, 1e6) as i64)
    };
    for curve in curves {
        let mut before: Option<(i64, i64)> = None;
        for point in &curve.points {
            let inside = point.1 >= y_range.0 && point.1 <= y_range.1;
            if !point.0.is_finite() || !inside {
                before = None;
                continue;
            }
            let at = place(*point);
            canvas.line(before.unwrap_or(at), at, curve.role);
            before = Some(at);
        }
    }
    let mut lines = Vec::with_capacity(height);
    for row in 0..rows {
        let text = if labelled.contains(&row) { label(row) } else { String::new() };
        let tick = if labelled.contains(&row) { "┤" } else { "│" };
        let mut line = Line::of(ink::right(&text, gutter), Role::Dim).and(tick, Role::Guide);
        line.spans.extend(canvas.row(row).spans);
        lines.push(line);
    }
    lines.push(Line::of(" ".repeat(gutter), Role::Dim).and("└", Role::Guide).and("─".repeat(columns), Role::Guide));
    let (first, last) = (short(x_range.0), short(x_range.1));
    let middle = short(round_to((x_range.0 + x_range.1) / 2.0, x_range.1 - x_range.0));
    let room = columns.saturating_sub(first.len() + last.len());
    let mut axis = " ".repeat(gutter + 1) + &first;
    if room > middle.len() + 8 {
        let before = (columns / 2).saturating_sub(first.len() + middle.len() / 2);
        axis += &format!("{}{middle}{}", " ".repeat(before), " ".repeat(room.saturating_sub(before + middle.len())));
    } else {
        axis += &" ".repeat(room);
    }
    axis += &last;
    lines.push(Line::of(axis, Role::Dim).cut(width));
    Some(lines)
}

/// A label of the axis: as many places as the span needs, the same for all labels.
fn axis_number(value: f64, span: f64) -> String {
    let places = 2 - span.log10().floor().clamp(-20.0, 20.0) as i32;
    if !value.is_finite() || value.abs() >= 1e6 || places > 6 {
        return short(round_to(value, span));
    }
    format!("{value:.*}", places.clamp(0, 6) as usize)
}

/// Rounded to about three digits of the span, so that labels stay short.
fn round_to(value: f64, span: f64) -> f64 {
    if !(span.is_finite() && span > 0.0) {
        return value;
    }
    let unit = 10f64.powf(span.log10().floor() - 2.0);
    if unit > 0.0 { (value / unit).round() * unit } else { value }
}

/// One row of blocks for values from 0 to `most`.
pub fn sparkline(values: &[f64], most: f64, columns: usize) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = values.get(values.len().saturating_sub(columns)..).unwrap_or_default();
    let mut text = " ".repeat(columns.saturating_sub(shown.len()));
    for value in shown {
        let share = if most > 0.0 && value.is_finite() { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let level = (share * 7.0).round() as usize;
        text.push(BLOCKS.get(level).copied().unwrap_or('█'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_fills_its_room_and_nothing_breaks_it() {
        let weird = [0.0, 1.0, f64::NAN, f64::INFINITY, -1e300, 1e300, 1e-300];
        let points: Vec<(f64, f64)> = weird.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
        for (w, h) in [(16, 4), (40, 10), (200, 50), (0, 0), (5, 5)] {
            for curves in [
                vec![],
                vec![Curve { points: points.clone(), role: Role::Chart1 }],
                vec![Curve { points: vec![(1.0, 2.0)], role: Role::Chart1 }],
            ] {
                if let Some(lines) = plot(&curves, w, h) {
                    assert_eq!(lines.len(), h);
                    assert!(lines.iter().all(|l| l.width() <= w), "{w}x{h}");
                }
            }
        }
        let nan = Curve { points: vec![(0.0, f64::NAN)], role: Role::Chart1 };
        assert!(plot(&[nan], 40, 10).is_none());
    }

    #[test]
    fn sparklines() {
        assert_eq!(sparkline(&[0.0, 50.0, 100.0], 100.0, 4), " ▁▅█");
        assert_eq!(sparkline(&[f64::NAN], 0.0, 1), "▁");
    }
}
