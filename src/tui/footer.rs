//! The keys that work now: most important first, dropped from the right, help always kept.

use super::ink::Line;
use super::keymap::{Action, Scope, TABLE};
use super::panes::Ctx;
use super::state::{Pane, Screen};
use super::theme::Role;
use super::update::enabled;
use crate::client::LinkState;
use crate::model::StudyState;

/// Whether an action belongs into the footer here.
fn fits(ctx: &Ctx<'_>, action: Action, scope: Scope) -> bool {
    let review = ctx.state.screen == Screen::Review;
    let focus = ctx.state.focus();
    let waits = ctx.state.shown_row(ctx.mirror).is_some_and(|r| r.status == crate::model::Status::Waiting);
    match action {
        Action::Accept | Action::Veto | Action::Edit | Action::Revise => waits && (review || matches!(focus, Pane::Tree | Pane::Proposal)),
        Action::TakeHunk | Action::Later => review && waits,
        Action::LetPass => review && waits,
        Action::Undo => ctx.state.last_review.is_some(),
        Action::Older => matches!(focus, Pane::Tree | Pane::Proposal | Pane::Queue) && enabled(action, ctx.state, ctx.mirror).is_ok(),
        Action::NextPart => matches!(focus, Pane::Proposal | Pane::Curves | Pane::Log | Pane::Reasoning),
        Action::Follow => matches!(focus, Pane::Log | Pane::Reasoning),
        Action::Mark | Action::Open | Action::Filter => !review && focus == Pane::Tree,
        Action::Compare => !review && focus == Pane::Tree && ctx.state.tree.marked.len() == 2,
        Action::Kill => !review && ctx.state.shown_row(ctx.mirror).is_some_and(|r| r.status == crate::model::Status::Running),
        Action::Prune | Action::Branch => !review && focus == Pane::Tree,
        Action::Review => !review,
        Action::Stop | Action::Help => false,
        Action::Zoom | Action::NextPane | Action::Quit => true,
        _ => scope == Scope::Study && !review,
    }
}

/// The line.
pub fn line(ctx: &Ctx<'_>, columns: usize) -> Line {
    if let Some(input) = &ctx.state.filter_input {
        let right = Line::of("enter keeps · esc clears ", Role::Dim);
        return Line::of(" /", Role::Hint).and(input.text(), Role::Strong).with_right(right, columns);
    }
    let help = Line::of("?", Role::Hint).and(" help ", Role::Dim);
    let room = columns.saturating_sub(help.width() + 3);
    let mut line = Line::of(" ", Role::Text);
    let over = ctx.header().is_some_and(|h| matches!(h.state, StudyState::Finished | StudyState::Failed));
    let gone = over || ctx.state.watch_only || ctx.mirror.link == LinkState::Cold;
    for b in TABLE {
        if b.short.is_empty() || !fits(ctx, b.action, b.scope) {
            continue;
        }
        let Some(key) = b.keys.first() else { continue };
        let on = enabled(b.action, ctx.state, ctx.mirror).is_ok();
        // Where nothing can be asked for any more, keys that would only be refused leave the room to the others.
        if !on && gone {
            continue;
        }
        let mut text = b.short.to_owned();
        if b.action == Action::Review && ctx.header().is_some_and(|h| h.waiting > 0) {
            text = format!("review {}", ctx.header().map_or(0, |h| h.waiting));
        }
        if b.action == Action::NextPart {
            text = match ctx.state.focus() {
                Pane::Curves => "next metric".into(),
                Pane::Log => "next stream".into(),
                Pane::Reasoning => "next call".into(),
                _ => text,
            };
        }
        if b.action == Action::Accept && !ctx.state.diff.left_out.is_empty() {
            text = format!("accept without {} hunks", ctx.state.diff.left_out.len());
        }
        if b.action == Action::Pause && ctx.header().is_some_and(|h| h.state == StudyState::Paused) {
            text = "go on".into();
        }
        let role = if on { Role::Hint } else { Role::HintOff };
        let item = Line::of(*key, role).and(format!(" {text}"), if on { Role::Text } else { Role::HintOff });
        if line.width() + item.width() + 2 > room {
            break;
        }
        line.spans.extend(item.spans);
        line.push("  ", Role::Text);
    }
    line.with_right(help, columns)
}
