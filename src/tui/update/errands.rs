//! Work in several steps: question, editor, wish.

use super::{hunks, wishes};
use crate::client::Mirror;
use crate::model::{Edit, TrialId};
use crate::protocol::{Answer, Command, Query};
use crate::tui::ink;
use crate::tui::input::Input;
use crate::tui::modal::Modal;
use crate::tui::modal::choose::Choose;
use crate::tui::msg::{EditFor, UiEffect};
use crate::tui::panes::{Ctx, proposal};
use crate::tui::state::{Edited, Errand, UiState};

fn incumbent(mirror: &Mirror) -> TrialId {
    mirror.header.as_ref().map_or(TrialId::BASELINE, |h| h.incumbent)
}

/// An idea was put in words: which file is it about?
pub fn idea(state: &mut UiState, mirror: &Mirror, parent: Option<TrialId>, hypothesis: String, effects: &mut Vec<UiEffect>) {
    let trial = parent.unwrap_or_else(|| incumbent(mirror));
    wishes::errand(state, effects, Query::Editable { trial }, Errand::IdeaPaths { parent, hypothesis });
}

/// A file was chosen: read it.
pub fn open_file(
    state: &mut UiState,
    mirror: &Mirror,
    parent: Option<TrialId>,
    hypothesis: String,
    path: String,
    effects: &mut Vec<UiEffect>,
) {
    let trial = parent.unwrap_or_else(|| incumbent(mirror));
    // The parent is fixed from here on: the incumbent may move while the editor is open.
    let purpose = EditFor::Own { parent: Some(trial), hypothesis };
    wishes::errand(state, effects, Query::Files { trial, paths: vec![path] }, Errand::EditFiles(purpose));
}

/// A question of an errand was answered.
pub fn answered(state: &mut UiState, mirror: &Mirror, errand: Errand, answer: Result<Answer, String>, effects: &mut Vec<UiEffect>) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return state.refuse(ink::clean(&why)),
    };
    match (errand, answer) {
        (Errand::EditFiles(purpose), Answer::Files { files }) => {
            let texts: Vec<(String, String)> = files.into_iter().filter_map(|f| f.text.map(|t| (f.path, t))).collect();
            let texts = with_refused(state, &purpose, texts);
            if texts.is_empty() {
                return state.refuse("nothing here is text that could be edited");
            }
            effects.push(UiEffect::Edit(purpose, texts));
        }
        (Errand::IdeaPaths { parent, hypothesis }, Answer::Editable { paths }) => match paths.as_slice() {
            [] => state.refuse("the task makes no file editable"),
            [only] => open_file(state, mirror, parent, hypothesis, only.clone(), effects),
            _ => state.modals.push(Modal::Choose(Choose { parent, hypothesis, paths, input: Input::default(), at: 0 })),
        },
        (Errand::Subset { proposal, trial, tree, left_out }, Answer::Files { files }) => {
            let ctx = Ctx { mirror, state, now: state.now };
            let current = mirror.row(trial).and_then(|r| r.tree.clone());
            let Some(Ok(diff)) = proposal::diff_of(&ctx, trial) else { return state.refuse("the diff is not at hand any more") };
            if current != tree {
                return state.refuse("the proposal changed meanwhile; look at it again");
            }
            let edits = match hunks::without(diff, &files, &left_out) {
                Ok(edits) => edits,
                Err(why) => return state.refuse(ink::clean(&why)),
            };
            let of = diff.files.iter().map(|f| f.hunks.len()).sum::<usize>();
            let reasoning = format!("The reviewer left out {} of {of} hunks.", left_out.len());
            let (hypothesis, surface) = words_of(&ctx, mirror, trial);
            let draft = hunks::draft(&hypothesis, surface, edits, reasoning);
            let command = Command::Edit { proposal, tree, draft: Box::new(draft), accepted: true };
            let done = format!("accepted {} of {of} hunks of {proposal}", of - left_out.len());
            wishes::send(state, effects, command, done);
        }
        (Errand::EditFiles(_) | Errand::IdeaPaths { .. } | Errand::Subset { .. }, _) => state.refuse("the engine answered something else"),
    }
}

/// Goes on with what was typed, where the last edit of the same proposal was refused.
fn with_refused(state: &UiState, purpose: &EditFor, files: Vec<(String, String)>) -> Vec<(String, String)> {
    let typed = match (purpose, &state.refused) {
        (EditFor::Revision { proposal, .. }, Some(typed)) if typed.proposal == *proposal => typed.files.as_slice(),
        (EditFor::Revision { .. } | EditFor::Own { .. }, _) => &[],
    };
    let now = |path: &String| typed.iter().find(|(p, _)| p == path).map(|(_, text)| text.clone());
    files.into_iter().map(|(path, text)| (path.clone(), now(&path).unwrap_or(text))).collect()
}

/// Hypothesis and surface of a trial, whole where its detail is at hand.
fn words_of(ctx: &Ctx<'_>, mirror: &Mirror, trial: TrialId) -> (String, Option<String>) {
    match (proposal::detail(ctx, trial), mirror.row(trial)) {
        (Some(Ok(d)), _) => (d.document.hypothesis.clone(), d.document.surface.clone()),
        (_, Some(row)) => (row.title.clone(), row.surface.clone()),
        (_, None) => (String::new(), None),
    }
}

/// The editor was closed.
pub fn edited(
    state: &mut UiState,
    mirror: &Mirror,
    purpose: EditFor,
    result: Result<Option<Vec<(String, String)>>, String>,
    effects: &mut Vec<UiEffect>,
) {
    let files = match result {
        Ok(Some(files)) => files,
        Ok(None) => return state.say("nothing was changed, nothing was sent"),
        Err(why) => return state.refuse(format!("the editor: {}", ink::clean(&why))),
    };
    let write = |(path, content): (String, String)| Edit::Write { path, content };
    match purpose {
        EditFor::Revision { proposal, trial, tree, deleted } => {
            let ctx = Ctx { mirror, state, now: state.now };
            let (hypothesis, surface) = words_of(&ctx, mirror, trial);
            let typed = files.clone();
            // The whole new revision: what the proposal removed stays removed.
            let edits = deleted.into_iter().map(|path| Edit::Delete { path }).chain(files.into_iter().map(write)).collect();
            let draft = hunks::draft(&hypothesis, surface, edits, "Edited by the reviewer.".into());
            let command = Command::Edit { proposal, tree, draft: Box::new(draft), accepted: true };
            wishes::send_edit(
                state,
                effects,
                command,
                format!("your edit of {proposal} is accepted"),
                Edited { proposal, trial, files: typed },
            );
        }
        EditFor::Own { parent, hypothesis } => {
            let edits = files.into_iter().map(write).collect();
            let draft = hunks::draft(&hypothesis, None, edits, String::new());
            let command = Command::Propose { parent, proposer: "researcher".into(), draft: Box::new(draft), accepted: true };
            wishes::send(state, effects, command, "your idea is in the queue");
        }
    }
}
