//! Whether an action works now, and if not, why: for footer, palette and refusals.

use crate::client::Mirror;
use crate::model::{RunPhase, StudyState, TrialId};
use crate::tui::keymap::Action;
use crate::tui::panes::{curves, log, proposal};
use crate::tui::state::{Pane as On, Screen, UiState};

/// Nothing in the way, or why not.
pub fn enabled(action: Action, state: &UiState, mirror: &Mirror) -> Result<(), String> {
    use Action::*;
    let need = |ok: bool, why: &str| if ok { Ok(()) } else { Err(why.to_owned()) };
    let speak = || match state.mute(mirror) {
        Some(why) => Err(why),
        None => Ok(()),
    };
    let row = state.shown_row(mirror);
    let waits = || need(row.is_some_and(|r| state.waits(r)), "it does not wait for review");
    let over = mirror.header.as_ref().is_some_and(|h| matches!(h.state, StudyState::Finished | StudyState::Failed));
    let goes_on = || need(!over, "the study is over");
    match action {
        Accept | Veto | Edit => speak().and_then(|()| waits()),
        Revise => speak().and_then(|()| waits()),
        Later => need(state.screen == Screen::Review, "this is for the review queue").and_then(|()| waits()),
        LetPass => speak().and_then(|()| waits()),
        TakeHunk => speak()
            .and_then(|()| waits())
            .and_then(|()| need(!state.diff.options.ignore_whitespace, "hunks can be left out only with white space shown (w)")),
        Undo => speak().and_then(|()| need(state.last_review.is_some(), "nothing was reviewed from here")),
        Pause | Autonomy | Steer => speak().and_then(|()| goes_on()),
        Idea => speak().and_then(|()| goes_on()),
        Branch => speak().and_then(|()| goes_on()).and_then(|()| need(row.is_some_and(|r| r.tree.is_some()), "this trial has no tree")),
        Prune | Pin => speak().and_then(|()| need(row.is_some_and(|r| r.id != TrialId::BASELINE), "not the baseline")),
        Kill => speak().and_then(|()| {
            let runs = mirror.header.iter().flat_map(|h| &h.running);
            let mine = runs.filter(|r| Some(r.run.trial) == state.shown() && r.phase == RunPhase::Running).count();
            need(mine > 0, "no run of this trial is running")
        }),
        Replicate => speak().and_then(|()| need(row.is_some_and(|r| r.score.is_some()), "this trial has no score")),
        Extend => speak(),
        Stop => speak().and_then(|()| goes_on()),
        Compare => {
            let best = mirror.header.as_ref().and_then(|h| h.best.as_ref()).map(|b| b.trial);
            let two = state.tree.marked.len() == 2;
            need(two || best.is_some_and(|b| Some(b) != state.shown()), "mark two trials with space")
        }
        CopyCommit | CopyPatch | Copy => need(row.is_some(), "nothing is selected"),
        NextPart | PreviousPart => match state.focus() {
            On::Curves => need(curves::metrics(mirror, state).len() > 1, "there is one metric"),
            On::Log => need(log::wanted(mirror, state).is_some(), "there is no log"),
            _ => need(has_diff(state, mirror), "there is no diff"),
        },
        NextFile | PreviousFile | MoreContext | LessContext | Whitespace => need(has_diff(state, mirror), "there is no diff"),
        NextMatch | PreviousMatch => need(!state.tree.filter.is_empty(), "no filter is set (/)"),
        Up | Down | Left | Right | Top | Bottom | HalfUp | HalfDown | Pane | NextPane | PreviousPane | Zoom | Open | Back | Filter
        | Palette | Help | Quit | Detach | Suspend | Redraw | NextTheme | Review | Mark | SideBySide | Follow => Ok(()),
    }
}

fn has_diff(state: &UiState, mirror: &Mirror) -> bool {
    let ctx = crate::tui::panes::Ctx { mirror, state, now: state.now };
    state.shown().is_some_and(|t| matches!(proposal::diff_of(&ctx, t), Some(Ok(_))))
}
