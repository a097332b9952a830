//! Moving: selection, scrolling, focus, folding, by keys and by the mouse.

use super::refold;
use crate::client::Mirror;
use crate::tui::keymap::Action;
use crate::tui::layout::{inner, layout};
use crate::tui::panes::tree::HEAD;
use crate::tui::panes::{self, Ctx, proposal};
use crate::tui::project::room;
use crate::tui::state::{Pane, Screen, UiState};

/// A movement in the pane with the focus.
pub fn go(state: &mut UiState, mirror: &Mirror, action: Action) {
    let pane = state.focus();
    let (_, rows) = room(state, pane);
    let half = (rows / 2).max(1) as i64;
    let by = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::HalfUp => -half,
        Action::HalfDown => half,
        Action::Top => -1_000_000,
        Action::Bottom => 1_000_000,
        _ => return sideways(state, mirror, pane, action == Action::Right),
    };
    step(state, mirror, pane, by);
    if pane == Pane::Tree {
        // At the end the selection follows what happens, as in a pager.
        state.tree.follow = action == Action::Bottom;
    }
}

/// Moves a pane by rows.
pub fn step(state: &mut UiState, mirror: &Mirror, pane: Pane, by: i64) {
    match pane {
        Pane::Tree => {
            let at = state.tree.nodes.iter().position(|n| n.id == state.tree.selected).unwrap_or(0);
            if let Some(node) = state.tree.nodes.get(moved(at, by, state.tree.nodes.len())) {
                state.tree.selected = node.id;
                state.tree.follow = false;
            }
        }
        Pane::Queue => {
            let list = state.queued(mirror);
            let at = state.queue.and_then(|q| list.iter().position(|id| *id == q)).unwrap_or(0);
            state.queue = list.get(moved(at, by, list.len())).copied();
        }
        Pane::Log => {
            let (_, rows) = room(state, pane);
            let most = state.log.lines.len().saturating_sub(rows);
            state.log.from_end = moved(state.log.from_end.min(most), -by, most + 1);
        }
        Pane::Proposal | Pane::Reasoning | Pane::Machines | Pane::Feed => scroll(state, mirror, pane, by),
        Pane::Curves => {}
    }
}

fn moved(at: usize, by: i64, len: usize) -> usize {
    (at as i64).saturating_add(by).clamp(0, (len as i64 - 1).max(0)) as usize
}

fn scroll(state: &mut UiState, mirror: &Mirror, pane: Pane, by: i64) {
    let (width, height) = room(state, pane);
    let follows = pane == Pane::Reasoning && panes::reasoning::follows(&Ctx { mirror, state, now: state.now });
    if follows && !state.scroll.contains_key(&pane) {
        // From the end, where it follows; only now the rows are counted.
        state.scroll.insert(pane, 10_000_000);
        let top = panes::content(pane, &Ctx { mirror, state, now: state.now }, width, height).top;
        state.scroll.insert(pane, top);
    }
    let before = state.scroll.get(&pane).copied().unwrap_or(0) as i64;
    state.scroll.insert(pane, before.saturating_add(by).clamp(0, 10_000_000) as usize);
    let ctx = Ctx { mirror, state, now: state.now };
    let content = panes::content(pane, &ctx, width, height);
    let top = content.top;
    if follows && by > 0 && top + content.lines.len() >= content.total {
        state.scroll.remove(&pane);
        return;
    }
    let hunk = (pane == Pane::Proposal).then(|| proposal::parts(&ctx, width).and_then(|p| p.hunk_at(top))).flatten();
    state.scroll.insert(pane, top);
    if let Some(hunk) = hunk {
        state.diff.hunk = hunk;
    }
}

fn sideways(state: &mut UiState, mirror: &Mirror, pane: Pane, right: bool) {
    match pane {
        Pane::Tree => fold(state, mirror, right),
        Pane::Proposal if right => state.diff.shift = (state.diff.shift + 8).min(400),
        Pane::Proposal => state.diff.shift = state.diff.shift.saturating_sub(8),
        Pane::Curves => super::act::part(state, mirror, right),
        Pane::Reasoning => super::calls::fold(state, right),
        Pane::Log | Pane::Machines | Pane::Feed | Pane::Queue => {}
    }
}

/// Folds or unfolds; folding what is folded or a leaf goes to its parent.
pub fn fold(state: &mut UiState, mirror: &Mirror, open: bool) {
    state.tree.follow = false;
    let id = state.tree.selected;
    let parent_node = state.tree.nodes.iter().any(|n| n.id == id && n.parent);
    if open {
        if state.tree.folded.remove(&id) {
            refold(state, mirror);
        }
    } else if parent_node && !state.tree.folded.contains(&id) {
        state.tree.folded.insert(id);
        refold(state, mirror);
    } else if let Some(parent) = mirror.row(id).and_then(|r| r.parents.first()) {
        state.tree.selected = *parent;
    }
}

/// The next pane in the order of their numbers.
pub fn next_pane(state: &mut UiState, by: i64) {
    let panes = state.all_panes();
    let at = panes.iter().position(|p| *p == state.focus()).unwrap_or(0) as i64;
    let next = (at + by).rem_euclid(panes.len().max(1) as i64) as usize;
    if let Some(pane) = panes.get(next) {
        state.focus_on(*pane);
    }
}

/// A click gives the focus, and selects a row where there are rows.
pub fn click(state: &mut UiState, mirror: &Mirror, x: u16, y: u16) {
    if !state.modals.is_empty() {
        return;
    }
    let lay = layout(state.size, state);
    let Some(place) = lay.at(x, y) else {
        if state.banner.is_some() && lay.banner.contains(ratatui::layout::Position { x, y }) {
            state.banner = None;
        }
        return;
    };
    // On the upper border: the tab under the pointer.
    if y == place.area.y && place.panes.len() > 1 {
        let mut at = place.area.x + 2;
        for pane in &place.panes {
            let names: usize = place.panes.iter().map(|p| p.word().len() + 5).sum();
            let long = *pane == place.shown || names < usize::from(place.area.width.saturating_sub(4));
            let width = if long { pane.word().len() as u16 + 4 } else { 3 };
            if x >= at && x < at + width {
                state.focus_on(*pane);
                return;
            }
            at += width;
        }
    }
    let pane = place.shown;
    let row = y.checked_sub(inner(place.area).y).map(usize::from);
    state.focus_on(pane);
    let (Some(row), true) = (row, y + 1 < place.area.bottom()) else { return };
    match pane {
        Pane::Tree => {
            let clicked = row.checked_sub(HEAD).and_then(|r| state.tree.nodes.get(state.tree.top + r)).map(|n| n.id);
            if let Some(id) = clicked {
                state.tree.selected = id;
                state.tree.follow = false;
            }
        }
        Pane::Queue => {
            let (width, height) = room(state, pane);
            let each = if width < 70 && height >= 6 { 2 } else { 1 };
            let ctx = Ctx { mirror, state, now: state.now };
            let top = panes::content(pane, &ctx, width, height).top;
            state.queue = state.queued(mirror).get((top + row) / each).copied().or(state.queue);
        }
        Pane::Proposal | Pane::Curves | Pane::Log | Pane::Reasoning | Pane::Machines | Pane::Feed => {}
    }
}

/// The wheel moves what is under the pointer.
pub fn wheel(state: &mut UiState, mirror: &Mirror, x: u16, y: u16, by: i32) {
    if !state.modals.is_empty() {
        super::dialog::scroll(state, mirror, i64::from(by));
        return;
    }
    let Some(pane) = layout(state.size, state).at(x, y).map(|p| p.shown) else { return };
    let by = i64::from(by) * if matches!(pane, Pane::Tree | Pane::Queue) { 1 } else { 3 };
    step(state, mirror, pane, by);
}

/// Enters or leaves the review screen.
pub fn screen(state: &mut UiState, to: Screen) {
    state.screen = to;
    state.zoom = false;
    state.focus_on(match to {
        Screen::Study => Pane::Tree,
        Screen::Review => Pane::Queue,
    });
}
