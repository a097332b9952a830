//! The content of each pane, as lines that fit its width: visible rows alone, whatever the length of the run.

pub mod curves;
pub mod diff;
pub mod feed;
pub mod log;
pub mod machines;
pub mod proposal;
pub mod reasoning;
pub mod review;
pub mod status;
pub mod stream;
pub mod tree;

use super::ink::Line;
use super::state::{Pane, UiState};
use super::theme::Role;
use crate::client::Mirror;
use crate::model::Millis;
use crate::protocol::Header;

/// What a pane is made from.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// The study.
    pub mirror: &'a Mirror,
    /// The cockpit.
    pub state: &'a UiState,
    /// The time.
    pub now: Millis,
}

impl<'a> Ctx<'a> {
    /// The study at a glance.
    pub fn header(&self) -> Option<&'a Header> {
        self.mirror.header.as_ref()
    }

    /// Whether keys go to this pane.
    pub fn focused(&self, pane: Pane) -> bool {
        self.state.focus() == pane && self.state.modals.is_empty()
    }
}

/// What stands inside a border, and on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// Beside the name, on the upper border: a count, a state.
    pub title: Line,
    /// On the lower border at the right.
    pub info: Line,
    /// Rows, at most as many as there is room for.
    pub lines: Vec<Line>,
    /// Rows in all, for the scroll bar; 0 has none.
    pub total: usize,
    /// The first row that shows.
    pub top: usize,
}

impl Content {
    /// A few lines in the middle of nothing.
    pub fn empty(text: &str, width: usize, height: usize) -> Self {
        let rows = super::ink::wrap(text, width.saturating_sub(4).max(1));
        let mut lines = vec![Line::default(); height.saturating_sub(rows.len()) / 3];
        for row in rows {
            let indent = width.saturating_sub(super::ink::width(&row)) / 2;
            lines.push(Line::of(" ".repeat(indent), Role::Dim).and(row, Role::Dim).cut(width));
        }
        lines.truncate(height);
        Self { lines, ..Self::default() }
    }

    /// Of all rows those that show, from `want` on as far as there are enough.
    pub fn scrolled(rows: Vec<Line>, want: usize, height: usize) -> Self {
        let total = rows.len();
        let top = want.min(total.saturating_sub(height));
        Self { lines: rows.into_iter().skip(top).take(height).collect(), total, top, ..Self::default() }
    }
}

/// The content of a pane with this room inside its border.
pub fn content(pane: Pane, ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    if width == 0 || height == 0 {
        return Content::default();
    }
    match pane {
        Pane::Tree => tree::content(ctx, width, height),
        Pane::Proposal => proposal::content(ctx, width, height),
        Pane::Curves => curves::content(ctx, width, height),
        Pane::Log => log::content(ctx, width, height),
        Pane::Reasoning => reasoning::content(ctx, width, height),
        Pane::Machines => machines::content(ctx, width, height),
        Pane::Feed => feed::content(ctx, width, height),
        Pane::Queue => review::content(ctx, width, height),
    }
}
