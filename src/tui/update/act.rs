//! What each action does.

use super::{asking, calls, enabled, ending, moves, refold, wishes};
use crate::client::Mirror;
use crate::model::{Autonomy, StudyState};
use crate::protocol::Answer;
use crate::tui::ink;
use crate::tui::input::Input;
use crate::tui::keymap::Action;
use crate::tui::layout::layout;
use crate::tui::modal::Modal;
use crate::tui::modal::compare::Compare;
use crate::tui::modal::confirm::{Choice, Confirm, Then};
use crate::tui::modal::palette::Palette;
use crate::tui::msg::UiEffect;
use crate::tui::panes::{Ctx, curves, diff, log, proposal};
use crate::tui::project::room;
use crate::tui::state::{Pane, Screen, UiState};
use crossterm::event::{KeyCode, KeyEvent};

/// Does an action, or says why not.
pub fn act(state: &mut UiState, mirror: &Mirror, action: Action, key: Option<&KeyEvent>, effects: &mut Vec<UiEffect>) {
    if let Err(why) = enabled(action, state, mirror) {
        state.refuse(why);
        return;
    }
    match action {
        Action::Up | Action::Down | Action::Left | Action::Right | Action::Top | Action::Bottom | Action::HalfUp | Action::HalfDown => {
            moves::go(state, mirror, action);
        }
        Action::Pane => go_to_pane(state, key),
        Action::NextPane => moves::next_pane(state, 1),
        Action::PreviousPane => moves::next_pane(state, -1),
        Action::Zoom => state.zoom = !state.zoom,
        Action::Open => open(state, mirror),
        Action::Back => back(state, mirror),
        Action::Filter => {
            state.screen = Screen::Study;
            state.focus_on(Pane::Tree);
            state.filter_input = Some(Input::with(&state.tree.filter));
        }
        Action::NextMatch => moves::step(state, mirror, Pane::Tree, 1),
        Action::PreviousMatch => moves::step(state, mirror, Pane::Tree, -1),
        Action::Palette => state.modals.push(Modal::Palette(Palette::default())),
        Action::Help => state.modals.push(Modal::Help { scroll: 0 }),
        Action::Copy | Action::CopyCommit | Action::CopyPatch => copy(state, mirror, action, effects),
        Action::Quit => quit(state, mirror, effects),
        Action::Stop => state.modals.push(Modal::Confirm(asking::stop(state, mirror))),
        Action::Detach => effects.push(UiEffect::Leave(ending(state, mirror))),
        Action::Suspend => effects.push(UiEffect::Suspend),
        Action::Redraw => effects.push(UiEffect::Redraw),
        Action::NextTheme => effects.push(UiEffect::NextTheme),
        Action::Review => {
            let to = if state.screen == Screen::Review { Screen::Study } else { Screen::Review };
            moves::screen(state, to);
        }
        Action::Follow => follow(state),
        Action::NextPart => part(state, mirror, true),
        Action::PreviousPart => part(state, mirror, false),
        Action::NextFile | Action::PreviousFile => next_file(state, mirror, action == Action::NextFile),
        Action::Older => older(state, mirror),
        Action::MoreContext => context(state, 2),
        Action::LessContext => context(state, -2),
        Action::Whitespace => {
            state.diff.options.ignore_whitespace = !state.diff.options.ignore_whitespace;
            state.diff.left_out.clear();
        }
        Action::SideBySide => beside(state),
        Action::Mark => mark(state),
        Action::Compare => compare(state, mirror),
        Action::Pause | Action::Autonomy | Action::LetPass | Action::Undo | Action::Pin => wishes::wish(state, mirror, action, effects),
        Action::Accept | Action::Veto | Action::Edit | Action::Revise | Action::Later | Action::TakeHunk => {
            wishes::review(state, mirror, action, effects);
        }
        Action::Idea | Action::Branch | Action::Steer | Action::Replicate | Action::Extend => wishes::ask_text(state, mirror, action),
        Action::Arms => state.modals.push(Modal::Arms(crate::tui::modal::arms::Arms::default())),
        Action::Prune => state.modals.extend(asking::prune(state, mirror).map(Modal::Confirm)),
        Action::Kill => state.modals.extend(asking::kill(state, mirror).map(Modal::Confirm)),
    }
}

fn go_to_pane(state: &mut UiState, key: Option<&KeyEvent>) {
    let Some(KeyCode::Char(c)) = key.map(|k| k.code) else { return };
    let Some(pane) = c.to_digit(10).and_then(|n| (n as usize).checked_sub(1)).and_then(|n| Pane::ALL.get(n)).copied() else { return };
    if pane == Pane::Queue {
        moves::screen(state, Screen::Review);
    } else if state.all_panes().contains(&pane) {
        state.focus_on(pane);
    } else {
        moves::screen(state, Screen::Study);
        state.focus_on(pane);
    }
}

fn open(state: &mut UiState, mirror: &Mirror) {
    match state.focus() {
        Pane::Tree if state.tree.folded.contains(&state.tree.selected) => moves::fold(state, mirror, true),
        Pane::Tree | Pane::Queue => state.focus_on(Pane::Proposal),
        Pane::Reasoning if calls::toggle(state, mirror) => {}
        Pane::Proposal | Pane::Curves | Pane::Log | Pane::Reasoning | Pane::Machines | Pane::Feed => state.zoom = !state.zoom,
    }
}

/// One level up: zoom, notice, banner, filter, focus, screen; never out of the program.
fn back(state: &mut UiState, mirror: &Mirror) {
    if state.toast.take().is_some() {
        return;
    }
    if state.zoom {
        state.zoom = false;
    } else if state.banner.take().is_some() {
    } else if state.screen == Screen::Review {
        if state.focus() == Pane::Queue {
            moves::screen(state, Screen::Study);
        } else {
            state.focus_on(Pane::Queue);
        }
    } else if state.focus() != Pane::Tree {
        state.focus_on(Pane::Tree);
    } else if !state.tree.filter.is_empty() {
        state.tree.filter.clear();
        refold(state, mirror);
    } else {
        state.tree.marked.clear();
    }
}

fn copy(state: &mut UiState, mirror: &Mirror, action: Action, effects: &mut Vec<UiEffect>) {
    let Some(id) = state.shown() else { return };
    let ctx = Ctx { mirror, state, now: state.now };
    let text = match action {
        Action::CopyCommit => match proposal::detail(&ctx, id) {
            Some(Ok(d)) => d.document.commit.clone(),
            Some(Err(_)) | None => None,
        },
        Action::CopyPatch => match state.shelf.get(&state.diff_query(id)) {
            Some(Ok(Answer::Diff { diff })) => Some(diff.patch.clone()),
            Some(_) | None => None,
        },
        _ => Some(id.to_string()),
    };
    match text.filter(|t| !t.is_empty()) {
        Some(text) => {
            let shown = if text.contains('\n') { format!("the patch of {id}") } else { ink::cut(&ink::clean(&text), 44) };
            state.say(format!("copied {shown}"));
            effects.push(UiEffect::Copy(text));
        }
        None => state.refuse("there is nothing to copy yet"),
    }
}

fn quit(state: &mut UiState, mirror: &Mirror, effects: &mut Vec<UiEffect>) {
    let waits = mirror.header.as_ref().filter(|h| h.waiting > 0 && h.autonomy != Autonomy::Auto && h.state == StudyState::Running);
    match waits {
        Some(h) if state.mute(mirror).is_none() => {
            let n = h.waiting;
            let body = vec![format!("{n} {} for your review.", if n == 1 { "proposal waits" } else { "proposals wait" })];
            let choices = vec![
                Choice { key: 'k', text: "keep asking: they wait for me".into(), then: Then::Leave(ending(state, mirror)) },
                Choice { key: 'd', text: "decide for me until I am back (auto)".into(), then: Then::LeaveAuto },
                Choice { key: 'c', text: "cancel".into(), then: Then::Cancel },
            ];
            state.modals.push(Modal::Confirm(Confirm { title: "leave".into(), body, choices, at: 0 }));
        }
        _ => effects.push(UiEffect::Leave(ending(state, mirror))),
    }
}

fn follow(state: &mut UiState) {
    if state.focus() == Pane::Log {
        state.log.from_end = 0;
    } else {
        state.tree.follow = !state.tree.follow;
    }
}

/// The next hunk, metric or stream, by the pane with the focus.
pub fn part(state: &mut UiState, mirror: &Mirror, forward: bool) {
    match state.focus() {
        Pane::Curves => {
            let keys = curves::metrics(mirror, state);
            let now = curves::metric(mirror, state);
            let at = keys.iter().position(|k| Some(k) == now.as_ref()).unwrap_or(0);
            let step = if forward { 1 } else { keys.len().saturating_sub(1) };
            state.metric = keys.get((at + step) % keys.len().max(1)).cloned();
        }
        Pane::Log => {
            let now = state.log.stream.unwrap_or(crate::protocol::LogStream::Stdout);
            let streams = log::streams(mirror);
            let at = streams.iter().position(|s| *s == now).unwrap_or(0);
            let step = if forward { 1 } else { streams.len().saturating_sub(1) };
            state.log.stream = streams.get((at + step) % streams.len().max(1)).copied();
        }
        Pane::Reasoning if calls::step(state, mirror, forward) => {}
        Pane::Tree | Pane::Proposal | Pane::Reasoning | Pane::Machines | Pane::Feed | Pane::Queue => {
            let hunk = state.diff.hunk;
            // The first press goes to the first hunk when its head is still out of sight.
            let at_start = hunk == 0 && !state.scroll.contains_key(&Pane::Proposal);
            let to = match (forward, at_start) {
                (true, true) => 0,
                (true, false) => hunk + 1,
                (false, _) => hunk.saturating_sub(1),
            };
            to_hunk(state, mirror, to);
        }
    }
}

fn to_hunk(state: &mut UiState, mirror: &Mirror, hunk: usize) {
    let (width, height) = room(state, Pane::Proposal);
    let ctx = Ctx { mirror, state, now: state.now };
    let Some(parts) = proposal::parts(&ctx, width) else { return };
    let hunk = hunk.min(parts.hunks().saturating_sub(1));
    let Some(row) = parts.row_of_hunk(hunk) else { return };
    let total = parts.head.len() + parts.rows.len();
    let top = row.saturating_sub(1).min(total.saturating_sub(height));
    state.diff.hunk = hunk;
    state.scroll.insert(Pane::Proposal, top);
}

fn next_file(state: &mut UiState, mirror: &Mirror, forward: bool) {
    let Some(id) = state.shown() else { return };
    let to = {
        let ctx = Ctx { mirror, state, now: state.now };
        let Some(Ok(d)) = proposal::diff_of(&ctx, id) else { return };
        let file = diff::file_of_hunk(d, state.diff.hunk);
        let next = if forward { file + 1 } else { file.saturating_sub(1) };
        diff::first_hunk_of(d, next.min(d.files.len().saturating_sub(1)))
    };
    to_hunk(state, mirror, to);
}

/// The revision before the one that is looked at; before the first comes the newest again.
fn older(state: &mut UiState, mirror: &Mirror) {
    let Some(id) = state.shown() else { return };
    let ctx = Ctx { mirror, state, now: state.now };
    let Some(Ok(d)) = proposal::detail(&ctx, id) else { return };
    let at = state.diff.revision.unwrap_or(d.document.revision);
    let older = d.document.superseded.iter().rev().map(|r| r.revision).find(|r| *r < at);
    state.diff.trial = Some(id);
    state.diff.revision = older;
    state.diff.hunk = 0;
    state.diff.left_out.clear();
    state.scroll.remove(&Pane::Proposal);
    if !layout(state.size, state).places.iter().any(|p| p.shown == Pane::Proposal) {
        state.focus_on(Pane::Proposal);
    }
}

fn context(state: &mut UiState, by: i64) {
    let to = (i64::from(state.diff.options.context) + by).clamp(1, 99) as u32;
    state.diff.options.context = to;
    // Hunks may join or part, so what was left out does not stand for the same lines any more.
    state.diff.left_out.clear();
}

fn beside(state: &mut UiState) {
    let (width, _) = room(state, Pane::Proposal);
    state.diff.side_by_side = !state.diff.side_by_side;
    if state.diff.side_by_side && width < 90 {
        state.say("side by side needs 90 columns; z zooms");
    }
}

fn mark(state: &mut UiState) {
    let id = state.tree.selected;
    let marked = &mut state.tree.marked;
    match marked.iter().position(|m| *m == id) {
        Some(at) => {
            marked.remove(at);
        }
        None => {
            marked.push(id);
            if marked.len() > 2 {
                marked.remove(0);
            }
        }
    }
}

fn compare(state: &mut UiState, mirror: &Mirror) {
    let best = mirror.header.as_ref().and_then(|h| h.best.as_ref()).map(|b| b.trial);
    let (a, b) = match state.tree.marked.as_slice() {
        [a, b] => (*a, *b),
        _ => match best {
            Some(best) => (best, state.tree.selected),
            None => return,
        },
    };
    state.modals.push(Modal::Compare(Compare { from: a.min(b), to: a.max(b), scroll: 0 }));
}
