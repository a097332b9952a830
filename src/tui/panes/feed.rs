//! The last facts, newest first; the message before the time.

use super::{Content, Ctx, status};
use crate::model::{Event, ProposalId, Spend};
use crate::tui::feedwords;
use crate::tui::ink::{self, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;
use std::collections::BTreeMap;

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let start = ctx.header().map_or(ctx.now, |h| h.created);
    let decimals = ctx.header().map_or(4, status::decimals);
    let total = ctx.mirror.feed.len();
    let top = ctx.state.scroll.get(&Pane::Feed).copied().unwrap_or(0).min(total.saturating_sub(height));
    let costs = costs(ctx);
    let mut lines = Vec::new();
    let mut rest = ctx.mirror.feed.iter().rev().skip(top);
    while lines.len() < height {
        let Some(record) = rest.next() else { break };
        let folded;
        let event = match &record.event {
            Event::Spent { proposal, .. } => match costs.get(proposal) {
                Some((last, spend)) if *last == record.seq => {
                    folded = Event::Spent { proposal: *proposal, spend: *spend };
                    &folded
                }
                Some(_) | None => continue,
            },
            event => event,
        };
        let Some((text, role)) = feedwords::words(event, decimals) else { continue };
        let at = format!("+{}", ink::span_of_time(record.at.seconds_since(start)));
        lines.push(Line::of(text, role).with_right(Line::of(at, Role::Dim), width));
    }
    if lines.is_empty() {
        return Content::empty("nothing has happened yet", width, height);
    }
    Content { lines, total, top, ..Content::default() }
}

/// What each request cost, told once, at its last answer: an agent gives dozens of them.
fn costs(ctx: &Ctx<'_>) -> BTreeMap<ProposalId, (u64, Spend)> {
    let mut costs: BTreeMap<ProposalId, (u64, Spend)> = BTreeMap::new();
    for record in &ctx.mirror.feed {
        if let Event::Spent { proposal, spend } = &record.event {
            let cost = costs.entry(*proposal).or_default();
            cost.0 = record.seq;
            cost.1.add(spend);
        }
    }
    costs
}
