//! The last facts, newest first; the message before the time.

use super::{Content, Ctx, status};
use crate::tui::feedwords;
use crate::tui::ink::{self, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let start = ctx.header().map_or(ctx.now, |h| h.created);
    let decimals = ctx.header().map_or(4, status::decimals);
    let total = ctx.mirror.feed.len();
    let top = ctx.state.scroll.get(&Pane::Feed).copied().unwrap_or(0).min(total.saturating_sub(height));
    let mut lines = Vec::new();
    let mut rest = ctx.mirror.feed.iter().rev().skip(top);
    while lines.len() < height {
        let Some(record) = rest.next() else { break };
        let Some((text, role)) = feedwords::words(&record.event, decimals) else { continue };
        let at = format!("+{}", ink::span_of_time(record.at.seconds_since(start)));
        lines.push(Line::of(text, role).with_right(Line::of(at, Role::Dim), width));
    }
    if lines.is_empty() {
        return Content::empty("nothing has happened yet", width, height);
    }
    Content { lines, total, top, ..Content::default() }
}
