//! The review queue: what waits for a person.

use super::{Content, Ctx, status};
use crate::protocol::Back;
use crate::tui::ink::{self, Ground, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;

/// Why the queue is empty, in words.
pub fn nothing_waits(ctx: &Ctx<'_>) -> String {
    let Some(header) = ctx.header() else { return "waiting for the study".into() };
    if header.state == crate::model::StudyState::Finished {
        return "no proposals waiting: the study is finished".into();
    }
    match header.proposing.as_slice() {
        [] if header.quiet.is_some() => format!(
            "no proposals waiting: {}",
            header.quiet.map_or("", crate::model::Quiet::told).replace("STUDY", &ink::clean(&header.study))
        ),
        [] if header.autonomy == crate::model::Autonomy::Auto => "no proposals waiting: autonomy is auto, everything passes".into(),
        [] => "no proposals waiting".into(),
        [(_, who), ..] => {
            let who = who.strip_prefix("agents/").unwrap_or(who);
            format!("no proposals waiting — {} is thinking", ink::clean(who))
        }
    }
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let list = ctx.state.queued(ctx.mirror);
    if list.is_empty() {
        return Content::empty(&nothing_waits(ctx), width, height);
    }
    let total = list.len();
    let at = ctx.state.queue.and_then(|q| list.iter().position(|id| *id == q)).unwrap_or(0);
    // Two rows each where there is room: who and what, then the hypothesis.
    let each = if width < 70 && height >= 6 { 2 } else { 1 };
    let room = (height / each).max(1);
    let top = super::tree::top_for(0, at, total, room);
    let focused = ctx.focused(Pane::Queue);
    let mut lines = Vec::new();
    for id in list.iter().skip(top).take(room) {
        let Some(row) = ctx.mirror.row(*id) else { continue };
        let here = Some(*id) == ctx.state.queue;
        let ground = match (here, focused) {
            (true, true) => Ground::Selected,
            (true, false) => Ground::Resting,
            (false, _) => Ground::Plain,
        };
        let late = ctx.state.later.contains(id);
        let name = row.proposal.map_or_else(|| row.id.to_string(), |p| p.to_string());
        let mut line = Line::of(if here { "▌" } else { " " }, Role::Accent).and(name, Role::Strong);
        if !row.flags.is_empty() {
            line.push(" ! flagged", Role::Warn);
        }
        match row.back {
            Some(Back::Writing) => line.push(" revising", Role::Running),
            Some(Back::Checking) => line.push(" checking", Role::Queued),
            None => {}
        }
        if row.revision > 1 {
            // In one column with the others' names, as far as it goes.
            line.push(format!(" r{}", row.revision), Role::Accent);
        }
        line.push(format!(" {}", ink::left(&status::by(row, 13), 13)), Role::Accent);
        line.push(format!(" {}", row.operator.word()), Role::Dim);
        if let Some(parent) = row.parents.first() {
            line.push(format!(" of {parent}"), Role::Dim);
        }
        if late {
            line.push(" later", Role::Unsure);
        }
        if each == 1 {
            line.push(format!("  {}", ink::clean(&row.title)), Role::Text);
            lines.push(line.pad(width).on(ground));
        } else {
            lines.push(line.pad(width).on(ground));
            let text = format!("  {}", ink::clean(&row.title));
            lines.push(Line::of(if here { "▌" } else { " " }, Role::Accent).and(text, Role::Text).pad(width).on(ground));
        }
    }
    lines.truncate(height);
    let title = Line::of(format!("{total}"), Role::Waiting);
    let info = Line::of(format!("{} of {total}", at + 1), Role::TitleDim);
    Content { title, info, lines, total: total * each, top: top * each }
}
