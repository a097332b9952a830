//! Which pane stands where at which size. Pure: the same size and state give the same rectangles.

use super::state::{Pane, Screen, UiState};
use ratatui::layout::Rect;

/// One bordered place; several panes may share it as tabs.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// With its border.
    pub area: Rect,
    /// In the order of their tabs.
    pub panes: Vec<Pane>,
    /// The one that shows.
    pub shown: Pane,
}

/// The whole screen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Too small for more than one status line.
    pub tiny: bool,
    /// Study, scores and budget.
    pub header: Rect,
    /// "Since you left"; zero rows without one.
    pub banner: Rect,
    /// The panes.
    pub places: Vec<Place>,
    /// The keys.
    pub footer: Rect,
}

impl Layout {
    /// The place that shows a pane.
    pub fn place_of(&self, pane: Pane) -> Option<&Place> {
        self.places.iter().find(|p| p.shown == pane)
    }

    /// The place under a point.
    pub fn at(&self, x: u16, y: u16) -> Option<&Place> {
        self.places.iter().find(|p| p.area.contains(ratatui::layout::Position { x, y }))
    }
}

/// Inside the border.
pub fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// Rows of the header at this width.
fn header_rows(size: (u16, u16)) -> u16 {
    match size {
        (_, 0..14) => 1,
        (0..60, _) => 2,
        _ => 2,
    }
}

/// Computes the screen.
pub fn layout(size: (u16, u16), state: &UiState) -> Layout {
    let (w, h) = size;
    if w < 40 || h < 10 {
        return Layout { tiny: true, ..Layout::default() };
    }
    let head = header_rows(size);
    let banner = state.banner.as_ref().map_or(0, |b| b.lines(usize::from(w)).len() as u16);
    let body = Rect { x: 0, y: head + banner, width: w, height: h.saturating_sub(head + banner + 1) };
    Layout {
        tiny: false,
        header: Rect { x: 0, y: 0, width: w, height: head },
        banner: Rect { x: 0, y: head, width: w, height: banner },
        places: places(body, size, state),
        footer: Rect { x: 0, y: h.saturating_sub(1), width: w, height: 1 },
    }
}

fn places(body: Rect, (w, h): (u16, u16), state: &UiState) -> Vec<Place> {
    let make = |area: Rect, panes: &[Pane]| Place { area, panes: panes.to_vec(), shown: state.front(panes) };
    if state.zoom || w < 80 {
        return vec![make(body, state.all_panes())];
    }
    use Pane::*;
    if state.screen == Screen::Review {
        let details = [Proposal, Reasoning, Curves];
        return if w >= 120 {
            let [a, b] = columns(body, (w * 38 / 100).clamp(38, 64));
            vec![make(a, &[Queue]), make(b, &details)]
        } else {
            let [a, b] = rows(body, (body.height / 4).clamp(5, 10));
            vec![make(a, &[Queue]), make(b, &details)]
        };
    }
    if w <= 84 && h >= 46 {
        let [tree, rest] = rows(body, body.height * 34 / 100);
        let [proposal, rest] = rows(rest, rest.height * 46 / 100);
        let [curves, tabs] = rows(rest, rest.height / 2);
        return vec![
            make(tree, &[Tree]),
            make(proposal, &[Proposal]),
            make(curves, &[Curves]),
            make(tabs, &[Log, Reasoning, Machines, Feed]),
        ];
    }
    if w < 110 {
        let [tree, detail] = rows(body, (body.height * 45 / 100).max(6));
        return vec![make(tree, &[Tree]), make(detail, &[Proposal, Curves, Log, Reasoning, Machines, Feed])];
    }
    if w < 150 {
        let [left, right] = columns(body, w * 54 / 100);
        let [tree, curves] = rows(left, left.height * 60 / 100);
        let [proposal, tabs] = rows(right, right.height * 62 / 100);
        return vec![
            make(tree, &[Tree]),
            make(curves, &[Curves]),
            make(proposal, &[Proposal]),
            make(tabs, &[Log, Reasoning, Machines, Feed]),
        ];
    }
    if w < 190 || h < 44 {
        let [left, right] = columns(body, w * 50 / 100);
        let [tree, curves] = rows(left, left.height * 62 / 100);
        let [proposal, below] = rows(right, right.height * 60 / 100);
        let [log, side] = columns(below, below.width * 55 / 100);
        return vec![
            make(tree, &[Tree]),
            make(curves, &[Curves]),
            make(proposal, &[Proposal]),
            make(log, &[Log, Reasoning]),
            make(side, &[Machines, Feed]),
        ];
    }
    let [left, rest] = columns(body, w * 42 / 100);
    let [middle, right] = columns(rest, rest.width * 60 / 100);
    let [tree, curves] = rows(left, left.height * 62 / 100);
    let [proposal, log] = rows(middle, middle.height * 66 / 100);
    let [machines, rest] = rows(right, 13);
    let [reasoning, feed] = rows(rest, rest.height * 45 / 100);
    vec![
        make(tree, &[Tree]),
        make(curves, &[Curves]),
        make(proposal, &[Proposal]),
        make(log, &[Log]),
        make(machines, &[Machines]),
        make(reasoning, &[Reasoning]),
        make(feed, &[Feed]),
    ]
}

/// Split into left (`width` columns) and right.
fn columns(area: Rect, width: u16) -> [Rect; 2] {
    let width = width.min(area.width);
    [Rect { width, ..area }, Rect { x: area.x + width, width: area.width - width, ..area }]
}

/// Split into top (`height` rows) and bottom.
fn rows(area: Rect, height: u16) -> [Rect; 2] {
    let height = height.min(area.height);
    [Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_fill_the_body_without_overlap_at_every_size() {
        let mut state = UiState::default();
        for screen in [Screen::Study, Screen::Review] {
            state.screen = screen;
            for w in (40..=220).step_by(7) {
                for h in (10..=70).step_by(3) {
                    let l = layout((w, h), &state);
                    let cells: u32 = l.places.iter().map(|p| p.area.area()).sum();
                    let body = u32::from(w) * u32::from(h - 1 - l.header.height);
                    assert_eq!(cells, body, "{w}x{h} {screen:?}");
                    assert!(l.places.iter().all(|p| p.area.right() <= w && p.area.bottom() < h));
                }
            }
        }
        assert!(layout((39, 30), &state).tiny && layout((100, 9), &state).tiny);
    }
}
