//! A message changes the cockpit's state and returns what is to be done. No IO, no clock.

mod act;
mod asking;
mod calls;
mod dialog;
mod enabled;
mod errands;
pub mod hunks;
mod incoming;
mod moves;
mod wants;
mod wishes;

pub use enabled::enabled;

use super::fold;
use super::keymap::{self, Action};
use super::msg::{Msg, UiEffect};
use super::options::Ending;
use super::panes::tree::{HEAD, top_for};
use super::panes::{Ctx, reasoning};
use super::project::room;
use super::state::{Pane, Screen, UiState};
use crate::client::Mirror;
use crate::model::{Status, TrialId};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Milliseconds within which a second Ctrl-C detaches.
const TWICE: i64 = 2_000;

/// Takes one message.
pub fn update(state: &mut UiState, mirror: &Mirror, msg: Msg) -> Vec<UiEffect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Now(now) => {
            state.now = now;
            if state.toast.as_ref().is_some_and(|t| t.until <= now) {
                state.toast = None;
            }
            return effects;
        }
        Msg::Resize(w, h) => state.size = (w, h),
        Msg::Key(key) if key.kind == KeyEventKind::Release => return effects,
        Msg::Key(key) => {
            // These three work in dialogs and fields too.
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            if control && key.code == KeyCode::Char('c') {
                interrupted(state, mirror, &mut effects);
            } else if control && key.code == KeyCode::Char('z') {
                effects.push(UiEffect::Suspend);
            } else if control && key.code == KeyCode::Char('l') {
                effects.push(UiEffect::Redraw);
            } else if super::layout::layout(state.size, state).tiny {
                tiny(state, mirror, &key, &mut effects);
            } else if state.modals.is_empty() && state.filter_input.is_none() {
                if let Some(action) = keymap::lookup(&key, state.screen == Screen::Review) {
                    act::act(state, mirror, action, Some(&key), &mut effects);
                }
            } else {
                dialog::key(state, mirror, &key, &mut effects);
            }
        }
        Msg::Paste(text) => dialog::paste(state, &text),
        Msg::Click(x, y) => moves::click(state, mirror, x, y),
        Msg::Wheel(x, y, by) => moves::wheel(state, mirror, x, y, by),
        Msg::Incoming(incoming) => incoming::take(state, mirror, *incoming, &mut effects),
        Msg::Edited(purpose, result) => errands::edited(state, mirror, purpose, result, &mut effects),
    }
    settle(state, mirror);
    wants::ask(state, mirror, &mut effects);
    effects
}

/// On a screen of one status line no dialog shows, so none is opened or answered: only leaving works.
fn tiny(state: &mut UiState, mirror: &Mirror, key: &KeyEvent, effects: &mut Vec<UiEffect>) {
    match keymap::lookup(key, false) {
        Some(Action::Quit) => effects.push(UiEffect::Leave(ending(state, mirror))),
        Some(action @ (Action::Detach | Action::NextTheme)) => act::act(state, mirror, action, Some(key), effects),
        _ => {}
    }
}

fn interrupted(state: &mut UiState, mirror: &Mirror, effects: &mut Vec<UiEffect>) {
    if state.interrupt_at.is_some_and(|at| state.now.0 - at.0 <= TWICE) {
        effects.push(UiEffect::Leave(ending(state, mirror)));
        return;
    }
    state.interrupt_at = Some(state.now);
    state.say("Ctrl-C again leaves; the engine works on");
}

/// How leaving now would be called.
pub(super) fn ending(state: &UiState, mirror: &Mirror) -> Ending {
    use crate::client::LinkState;
    use crate::model::StudyState;
    let over = mirror.header.as_ref().is_some_and(|h| matches!(h.state, StudyState::Finished | StudyState::Failed));
    if state.stop_asked {
        Ending::Stopped
    } else if over || mirror.link == LinkState::Cold {
        Ending::Closed
    } else {
        Ending::Detached
    }
}

/// Rebuilds the rows of the tree.
pub(super) fn refold(state: &mut UiState, mirror: &Mirror) {
    let incumbent = mirror.header.as_ref().map_or(TrialId::BASELINE, |h| h.incumbent);
    state.tree.nodes = fold::nodes(&mirror.rows, incumbent, &state.tree.folded, &state.tree.filter);
}

/// Keeps selection, scroll and the view of the diff in step with what there is.
fn settle(state: &mut UiState, mirror: &Mirror) {
    if state.tree.follow && state.tree.filter.is_empty() {
        let active = mirror.rows.iter().rev().find(|r| matches!(r.status, Status::Running | Status::Evaluating));
        if let Some(row) = active.or(mirror.rows.last()) {
            state.tree.selected = row.id;
        }
    }
    if !state.tree.nodes.is_empty() && !state.tree.nodes.iter().any(|n| n.id == state.tree.selected) {
        // What was selected is folded away or filtered out: the nearest ancestor, else the first row.
        let mut at = Some(state.tree.selected);
        while let Some(id) = at {
            if state.tree.nodes.iter().any(|n| n.id == id) {
                break;
            }
            at = mirror.row(id).and_then(|r| r.parents.first()).filter(|p| p.0 < id.0).copied();
        }
        state.tree.selected = at.or(state.tree.nodes.first().map(|n| n.id)).unwrap_or(state.tree.selected);
    }
    let at = state.tree.nodes.iter().position(|n| n.id == state.tree.selected).unwrap_or(0);
    let (_, rows) = room(state, Pane::Tree);
    state.tree.top = top_for(state.tree.top, at, state.tree.nodes.len(), rows.saturating_sub(HEAD));
    if state.screen == Screen::Review {
        let list = state.queued(mirror);
        if !state.queue.is_some_and(|q| list.contains(&q)) {
            state.queue = list.first().copied();
        }
    }
    let shown = state.shown();
    if state.diff.trial != shown {
        state.diff.trial = shown;
        state.diff.revision = None;
        state.diff.hunk = 0;
        state.diff.shift = 0;
        state.diff.left_out.clear();
        state.scroll.remove(&Pane::Proposal);
    }
    let subject = reasoning::subject(&Ctx { mirror, state, now: state.now });
    if state.reasoning_of != Some(subject) {
        state.reasoning_of = Some(subject);
        state.scroll.remove(&Pane::Reasoning);
        state.thoughts.at = None;
    }
}
