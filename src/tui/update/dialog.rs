//! Keys while a dialog is open or the filter is typed.

use super::{act, errands, moves, refold, wishes};
use crate::client::Mirror;
use crate::model::{Autonomy, Limits};
use crate::protocol::Command;
use crate::tui::ink;
use crate::tui::keymap::{self, Action};
use crate::tui::modal::confirm::Then;
use crate::tui::modal::prompt::{Ask, Prompt};
use crate::tui::modal::{Modal, arms, compare, help, palette};
use crate::tui::msg::UiEffect;
use crate::tui::options::Ending;
use crate::tui::panes::Ctx;
use crate::tui::state::{Pane, Sent, UiState};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Takes a key.
pub fn key(state: &mut UiState, mirror: &Mirror, key: &KeyEvent, effects: &mut Vec<UiEffect>) {
    let Some(modal) = state.modals.pop() else {
        return filter_key(state, mirror, key);
    };
    if key.code == KeyCode::Esc {
        return;
    }
    match modal {
        Modal::Help { .. } | Modal::Compare(_) => {
            let closes = matches!(keymap::lookup(key, false), Some(Action::Help | Action::Quit | Action::Compare | Action::Open));
            if !closes {
                state.modals.push(modal);
                if let Some(by) = rows(state, key) {
                    scroll(state, mirror, by);
                }
            }
        }
        Modal::Arms(mut a) => {
            let list = arms::rows(&Ctx { mirror, state, now: state.now }).and_then(Result::ok).unwrap_or_default();
            if let (KeyCode::Char(c), Some(row), None) = (key.code, list.get(a.at), state.mute(mirror))
                && let Some(favour) = arms::favour(&a, row, c)
            {
                a.asked.retain(|(arm, _)| *arm != row.arm);
                a.asked.push((row.arm.clone(), favour.factor));
                let done = ink::clean(&favour.to_string());
                wishes::send(state, effects, Command::Favour { favour }, done);
            }
            if let Some(by) = rows(state, key) {
                a.at = (a.at as i64).saturating_add(by).clamp(0, (list.len() as i64 - 1).max(0)) as usize;
            }
            if !matches!(keymap::lookup(key, false), Some(Action::Help | Action::Quit | Action::Open)) {
                state.modals.push(Modal::Arms(a));
            }
        }
        Modal::Palette(mut p) => {
            let list = palette::found(&p.input.text(), |a| super::enabled(a, state, mirror).is_ok());
            if key.code == KeyCode::Enter {
                if let Some(b) = list.get(p.at) {
                    act::act(state, mirror, b.action, None, effects);
                }
                return;
            }
            pick(&mut p.at, list.len(), key);
            if p.input.key(key) {
                p.at = 0;
            }
            state.modals.push(Modal::Palette(p));
        }
        Modal::Choose(mut c) => {
            if key.code == KeyCode::Enter {
                if let Some(path) = c.found().get(c.at).map(|p| (*p).clone()) {
                    errands::open_file(state, mirror, c.parent, c.hypothesis, path, effects);
                }
                return;
            }
            let count = c.found().len();
            pick(&mut c.at, count, key);
            if c.input.key(key) {
                c.at = 0;
            }
            state.modals.push(Modal::Choose(c));
        }
        Modal::Prompt(mut p) => {
            if key.code == KeyCode::Enter {
                if p.input.text().trim().is_empty() && !p.may_be_empty {
                    state.modals.push(Modal::Prompt(p));
                    return;
                }
                answer(state, mirror, p, effects);
                return;
            }
            match (&mut p.pick, key.code) {
                (Some(pick), KeyCode::Tab | KeyCode::Down) => pick.step(1),
                (Some(pick), KeyCode::BackTab | KeyCode::Up) => pick.step(-1),
                (Some(_) | None, _) => {
                    p.input.key(key);
                }
            }
            state.modals.push(Modal::Prompt(p));
        }
        Modal::Confirm(mut c) => {
            let chosen = match key.code {
                KeyCode::Enter => c.choices.get(c.at),
                KeyCode::Char(k) => c.choices.iter().find(|choice| choice.key == k),
                _ => None,
            };
            if let Some(choice) = chosen {
                let then = choice.then.clone();
                confirmed(state, mirror, then, effects);
                return;
            }
            match key.code {
                KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => c.at = c.at.saturating_sub(1),
                KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => c.at = (c.at + 1).min(c.choices.len().saturating_sub(1)),
                _ => {}
            }
            state.modals.push(Modal::Confirm(c));
        }
    }
}

/// Moves the choice in a list that is narrowed by typing.
fn pick(at: &mut usize, count: usize, key: &KeyEvent) {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Up => *at = at.saturating_sub(1),
        KeyCode::Char('p') if ctrl => *at = at.saturating_sub(1),
        KeyCode::Down => *at = (*at + 1).min(count.saturating_sub(1)),
        KeyCode::Char('n') if ctrl => *at = (*at + 1).min(count.saturating_sub(1)),
        _ => {}
    }
}

fn rows(state: &UiState, key: &KeyEvent) -> Option<i64> {
    let half = i64::from(state.size.1 / 2);
    Some(match keymap::lookup(key, false)? {
        Action::Up => -1,
        Action::Down => 1,
        Action::HalfUp => -half,
        Action::HalfDown => half,
        Action::Top => -1_000_000,
        Action::Bottom => 1_000_000,
        _ => return None,
    })
}

/// Scrolls the open dialog.
pub fn scroll(state: &mut UiState, mirror: &Mirror, by: i64) {
    let moved = |at: usize, most: usize| (at as i64).saturating_add(by).clamp(0, most as i64) as usize;
    match state.modals.pop() {
        Some(Modal::Help { scroll }) => {
            let most = help::area(state.size).1;
            state.modals.push(Modal::Help { scroll: moved(scroll, most) });
        }
        Some(Modal::Compare(mut c)) => {
            let (total, room) = compare::extent(&c, &Ctx { mirror, state, now: state.now }, state.size);
            c.scroll = moved(c.scroll, total.saturating_sub(room));
            state.modals.push(Modal::Compare(c));
        }
        Some(other) => state.modals.push(other),
        None => {}
    }
}

/// Pasted text goes into the open field, and nowhere else.
pub fn paste(state: &mut UiState, text: &str) {
    match state.modals.last_mut() {
        Some(Modal::Prompt(p)) => p.input.insert(text),
        Some(Modal::Palette(p)) => p.input.insert(text),
        Some(Modal::Choose(c)) => c.input.insert(text),
        Some(Modal::Help { .. } | Modal::Confirm(_) | Modal::Compare(_) | Modal::Arms(_)) => {}
        None => {
            if let Some(input) = &mut state.filter_input {
                input.insert(text);
            }
        }
    }
}

fn filter_key(state: &mut UiState, mirror: &Mirror, key: &KeyEvent) {
    match key.code {
        KeyCode::Enter => state.filter_input = None,
        KeyCode::Esc => {
            state.filter_input = None;
            state.tree.filter.clear();
            refold(state, mirror);
        }
        KeyCode::Down => moves::step(state, mirror, Pane::Tree, 1),
        KeyCode::Up => moves::step(state, mirror, Pane::Tree, -1),
        _ => {
            if let Some(input) = &mut state.filter_input {
                input.key(key);
                state.tree.filter = input.text().trim().to_owned();
                state.tree.follow = false;
                refold(state, mirror);
            }
        }
    }
}

fn answer(state: &mut UiState, mirror: &Mirror, prompt: Prompt, effects: &mut Vec<UiEffect>) {
    let text = prompt.input.text().trim().to_owned();
    match prompt.ask.clone() {
        Ask::Veto { proposal, tree } => {
            wishes::send(state, effects, Command::Veto { proposal, tree, reason: text }, format!("vetoed {proposal}"));
        }
        Ask::Revise { proposal } => {
            wishes::send(
                state,
                effects,
                Command::Revise { proposal, comment: text },
                format!("{proposal} goes back: its agent writes a new revision"),
            );
        }
        Ask::Steer => {
            // The first choice is all of them.
            let to = prompt.pick.as_ref().filter(|p| p.at > 0).and_then(|p| p.options.get(p.at).cloned());
            let done = to.as_ref().map_or_else(|| "said to all".to_owned(), |to| format!("said to {}", ink::clean(to)));
            wishes::send(state, effects, Command::Steer { text, to }, done);
        }
        // Without agents, and as the second choice with them, the idea is the researcher's own edit.
        Ask::Idea { parent } => match prompt.pick.as_ref().map(|p| (p.at, p.options.get(p.at))) {
            None | Some((1, _)) => errands::idea(state, mirror, parent, text, effects),
            Some((at, role)) => {
                let to = role.filter(|_| at > 1).cloned();
                let done = to.as_ref().map_or_else(|| "an agent".to_owned(), |role| ink::clean(role));
                wishes::send(state, effects, Command::Idea { text, parent, to }, format!("{done} turns it into an edit"));
            }
        },
        Ask::Replicate { trial } => match text.parse::<u32>() {
            Ok(runs @ 1..=100) => {
                wishes::send(state, effects, Command::Replicate { trial, runs }, format!("{trial} runs {runs} more times"));
            }
            Ok(_) | Err(_) => retry(state, prompt, "a number from 1 to 100"),
        },
        Ask::Extend => {
            let Some(header) = mirror.header.as_ref() else { return };
            let number = |t: &str| t.trim().parse::<u32>().ok();
            let trials = match text.strip_prefix('+') {
                Some(more) => number(more).map(|n| Some(header.limits.trials.unwrap_or(header.trials_used).saturating_add(n))),
                None if text == "none" => Some(None),
                None => number(&text).map(Some),
            };
            match trials {
                Some(trials) => {
                    let limits = Limits { trials, ..header.limits };
                    let shown = trials.map_or_else(|| "none".to_owned(), |n| n.to_string());
                    wishes::send(state, effects, Command::Extend { limits, beyond: true }, format!("limit of trials: {shown}"));
                }
                None => retry(state, prompt, "a number, +N, or `none`"),
            }
        }
    }
}

fn retry(state: &mut UiState, prompt: Prompt, why: &str) {
    state.modals.push(Modal::Prompt(prompt));
    state.refuse(why);
}

fn confirmed(state: &mut UiState, mirror: &Mirror, then: Then, effects: &mut Vec<UiEffect>) {
    match then {
        Then::Cancel => {}
        Then::Send(command, done) => {
            state.stop_asked |= matches!(*command, Command::Stop { .. });
            wishes::send(state, effects, *command, done);
        }
        Then::Leave(ending) => effects.push(UiEffect::Leave(ending)),
        Then::LeaveAuto => {
            state.restore_next = mirror.header.as_ref().map(|h| h.autonomy);
            let id = state.id();
            state.sent.insert(
                id,
                Sent { done: "autonomy is auto until you are back".into(), reviewed: None, leave: Some(Ending::Detached), edited: None },
            );
            effects.push(UiEffect::Send(id, Command::Autonomy { mode: Autonomy::Auto }));
        }
    }
}
