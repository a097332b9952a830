//! Wishes to the engine: sent at once, or after a word, a file or the editor.

use crate::client::Mirror;
use crate::model::{StudyState, TrialId};
use crate::protocol::{Command, Query};
use crate::tui::ink;
use crate::tui::input::Input;
use crate::tui::keymap::Action;
use crate::tui::modal::Modal;
use crate::tui::modal::prompt::{Ask, Pick, Prompt};
use crate::tui::msg::{EditFor, UiEffect};
use crate::tui::panes::{Ctx, proposal};
use crate::tui::state::{Edited, Errand, Sent, UiState};

/// Sends a wish and remembers what to say when it is recorded.
pub fn send(state: &mut UiState, effects: &mut Vec<UiEffect>, command: Command, done: impl Into<String>) {
    sent(state, effects, command, done.into(), None);
}

/// The same with an edit whose files are kept until it is recorded.
pub fn send_edit(state: &mut UiState, effects: &mut Vec<UiEffect>, command: Command, done: String, edited: Edited) {
    sent(state, effects, command, done, Some(edited));
}

fn sent(state: &mut UiState, effects: &mut Vec<UiEffect>, command: Command, done: String, edited: Option<Edited>) {
    let reviewed = match &command {
        Command::Accept { proposal, .. } | Command::Veto { proposal, .. } | Command::Edit { proposal, .. } => Some(*proposal),
        _ => None,
    };
    let id = state.id();
    state.sent.insert(id, Sent { done, reviewed, leave: None, edited });
    effects.push(UiEffect::Send(id, command));
}

/// Wishes of one key.
pub fn wish(state: &mut UiState, mirror: &Mirror, action: Action, effects: &mut Vec<UiEffect>) {
    let Some(header) = mirror.header.as_ref() else { return };
    match action {
        Action::Pause if header.state == StudyState::Paused => send(state, effects, Command::Unpause, "it goes on"),
        Action::Pause => send(state, effects, Command::Pause, "paused: what runs goes on, nothing new starts"),
        Action::Autonomy => {
            let mode = header.autonomy.next();
            send(state, effects, Command::Autonomy { mode }, format!("autonomy is {} now", mode.word()));
        }
        Action::LetPass => {
            if let Some(row) = state.shown_row(mirror) {
                let done = format!("proposals of {} pass from now on", ink::clean(&row.proposer));
                send(state, effects, Command::LetPass { proposer: row.proposer.clone() }, done);
            }
        }
        Action::Undo => {
            if let Some(proposal) = state.last_review.take() {
                send(state, effects, Command::Undo { proposal }, format!("the review of {proposal} is taken back"));
            }
        }
        Action::Pin => {
            if let Some(row) = state.shown_row(mirror) {
                let (trial, on) = (row.id, !row.pinned);
                let done = if on { format!("{trial} is extended first") } else { format!("{trial} is no longer pinned") };
                send(state, effects, Command::Pin { trial, on }, done);
            }
        }
        _ => {}
    }
}

/// The answers to a proposal.
pub fn review(state: &mut UiState, mirror: &Mirror, action: Action, effects: &mut Vec<UiEffect>) {
    let Some(row) = state.shown_row(mirror) else { return };
    let (trial, tree, title) = (row.id, row.tree.clone(), ink::cut(&ink::clean(&row.title), 60));
    let Some(proposal) = row.proposal else { return };
    match action {
        Action::Accept if state.diff.left_out.is_empty() => {
            send(state, effects, Command::Accept { proposal, tree }, format!("accepted {proposal}"));
        }
        Action::Accept => {
            let left_out = state.diff.left_out.clone();
            let hunks = hunk_count(state, mirror, trial);
            if left_out.len() >= hunks {
                state.refuse("every hunk is left out; v vetoes");
                return;
            }
            errand(state, effects, Query::Files { trial, paths: Vec::new() }, Errand::Subset { proposal, trial, tree, left_out });
        }
        Action::Veto => state.modals.push(Modal::Prompt(Prompt {
            ask: Ask::Veto { proposal, tree },
            title: format!("veto {proposal}"),
            hint: format!("{title} — why not? The answer becomes part of the lineage."),
            input: Input::default(),
            pick: None,
            may_be_empty: true,
        })),
        Action::Revise => state.modals.push(Modal::Prompt(Prompt {
            ask: Ask::Revise { proposal },
            title: format!("send {proposal} back"),
            hint: format!("{title} — what should be better?"),
            input: Input::default(),
            pick: None,
            may_be_empty: false,
        })),
        Action::Edit => {
            let deleted = deleted_files(state, mirror, trial);
            let purpose = EditFor::Revision { proposal, trial, tree, deleted };
            errand(state, effects, Query::Files { trial, paths: Vec::new() }, Errand::EditFiles(purpose));
        }
        Action::Later => {
            state.later.retain(|l| *l != trial);
            state.later.push(trial);
            state.queue = state.waiting(mirror).first().copied();
            state.say(format!("{proposal} waits at the end of the queue"));
        }
        Action::TakeHunk => {
            let hunk = state.diff.hunk;
            if hunk_count(state, mirror, trial) > 0 && !state.diff.left_out.remove(&hunk) {
                state.diff.left_out.insert(hunk);
            }
        }
        _ => {}
    }
}

/// Asks a question whose answer starts something.
pub fn errand(state: &mut UiState, effects: &mut Vec<UiEffect>, query: Query, errand: Errand) {
    let id = state.id();
    state.errands.insert(id, errand);
    effects.push(UiEffect::Ask(id, query));
}

fn hunk_count(state: &UiState, mirror: &Mirror, trial: TrialId) -> usize {
    match proposal::diff_of(&Ctx { mirror, state, now: state.now }, trial) {
        Some(Ok(d)) => d.files.iter().map(|f| f.hunks.len()).sum(),
        Some(Err(_)) | None => 0,
    }
}

fn deleted_files(state: &UiState, mirror: &Mirror, trial: TrialId) -> Vec<String> {
    match proposal::diff_of(&Ctx { mirror, state, now: state.now }, trial) {
        Some(Ok(d)) => super::hunks::removed_paths(d),
        Some(Err(_)) | None => Vec::new(),
    }
}

/// Opens the field for what is said in words.
pub fn ask_text(state: &mut UiState, mirror: &Mirror, action: Action) {
    let selected = state.tree.selected;
    let Some(header) = mirror.header.as_ref() else { return };
    let incumbent = header.incumbent;
    let agents = header.agents.as_ref().filter(|a| !a.roles.is_empty());
    let own = match agents {
        Some(_) => {
            "What changes, and why should it help? One sentence: an agent turns it into an edit for you to review, or your editor opens."
        }
        None => "What changes, and why should it help? One sentence; then your editor opens.",
    };
    let (ask, title, hint) = match action {
        Action::Branch => (Ask::Idea { parent: Some(selected) }, format!("branch from {selected}"), own.to_owned()),
        Action::Steer => {
            let hint = match agents {
                Some(_) => "It stands in what they read from now on, and in the record.",
                None => "No agents propose in this study: it is kept in the record, for whoever else proposes.",
            };
            (Ask::Steer, "steer".to_owned(), hint.to_owned())
        }
        Action::Replicate => {
            (Ask::Replicate { trial: selected }, format!("run {selected} again"), "How many more runs, with fresh seeds?".to_owned())
        }
        Action::Extend => (Ask::Extend, "limit of trials".to_owned(), "A number, +N for so many more, or `none`.".to_owned()),
        _ => (Ask::Idea { parent: None }, format!("an idea on {incumbent}"), own.to_owned()),
    };
    let input = if action == Action::Replicate { Input::with("1") } else { Input::default() };
    let roles = |first: &[&str]| agents.map(|a| first.iter().map(|f| (*f).to_owned()).chain(a.roles.iter().cloned()).collect());
    let pick = match &ask {
        Ask::Steer => roles(&["all"]).map(|options| Pick { label: "to".into(), options, at: 0 }),
        // `b` has always meant an edit of one's own.
        Ask::Idea { .. } => roles(&["any agent", "you, in your editor"]).map(|options| Pick {
            label: "by".into(),
            options,
            at: usize::from(action == Action::Branch),
        }),
        Ask::Veto { .. } | Ask::Revise { .. } | Ask::Replicate { .. } | Ask::Extend => None,
    };
    state.modals.push(Modal::Prompt(Prompt { ask, title, hint, input, pick, may_be_empty: false }));
}
