//! Whether an action works now, and if not, why: for footer, palette and refusals.

use crate::client::Mirror;
use crate::model::{RunPhase, StudyState, TrialId};
use crate::tui::keymap::Action;
use crate::tui::panes::{curves, log, proposal, reasoning};
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
    let newest = || match state.diff.revision {
        Some(n) => Err(format!("this is revision {n}, which another one took the place of: o shows the newest")),
        None => Ok(()),
    };
    let waits = || match row {
        Some(r) if r.back == Some(crate::protocol::Back::Writing) => Err("its new revision is being written".to_owned()),
        Some(r) => need(state.waits(r), "it does not wait for review"),
        None => Err("it does not wait for review".to_owned()),
    };
    let over = mirror.header.as_ref().is_some_and(|h| matches!(h.state, StudyState::Finished | StudyState::Failed));
    let goes_on = || need(!over, "the study is over");
    match action {
        Accept | Veto | Edit => speak().and_then(|()| waits()).and_then(|()| newest()),
        Revise => speak().and_then(|()| waits()).and_then(|()| newest()).and_then(|()| match row.map_or("", |r| r.proposer.as_str()) {
            "researcher" => Err("it is your own: e edits it".to_owned()),
            by if by.starts_with("knobs/") => Err("a sampler takes no comment: e edits it, v vetoes it".to_owned()),
            _ => Ok(()),
        }),
        Later => need(state.screen == Screen::Review, "this is for the review queue").and_then(|()| waits()),
        LetPass => speak().and_then(|()| waits()),
        TakeHunk => speak()
            .and_then(|()| waits())
            .and_then(|()| newest())
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
        Arms => need(mirror.header.as_ref().is_some_and(|h| h.agents.is_some()), "no agents propose in this study"),
        Stop => speak().and_then(|()| goes_on()),
        Compare => {
            let best = mirror.header.as_ref().and_then(|h| h.best.as_ref()).map(|b| b.trial);
            let two = state.tree.marked.len() == 2;
            need(two || best.is_some_and(|b| Some(b) != state.shown()), "mark two trials with space")
        }
        CopyCommit | CopyPatch | Copy => need(row.is_some(), "nothing is selected"),
        NextPart | PreviousPart => match state.focus() {
            On::Curves => need(curves::metrics(mirror, state).len() > 1, "there is one metric"),
            On::Reasoning if calls(state, mirror) => Ok(()),
            On::Log => need(log::wanted(mirror, state).is_some(), "there is no log"),
            _ => need(has_diff(state, mirror), "there is no diff"),
        },
        Older => need(state.diff.revision.is_some() || revised(state, mirror), "this proposal has one revision"),
        NextFile | PreviousFile | MoreContext | LessContext | Whitespace => need(has_diff(state, mirror), "there is no diff"),
        NextMatch | PreviousMatch => need(!state.tree.filter.is_empty(), "no filter is set (/)"),
        Up | Down | Left | Right | Top | Bottom | HalfUp | HalfDown | Pane | NextPane | PreviousPane | Zoom | Open | Back | Filter
        | Palette | Help | Quit | Detach | Suspend | Redraw | NextTheme | Review | Mark | SideBySide | Follow => Ok(()),
    }
}

fn calls(state: &UiState, mirror: &Mirror) -> bool {
    let ctx = crate::tui::panes::Ctx { mirror, state, now: state.now };
    !reasoning::calls(&ctx).is_empty()
}

fn revised(state: &UiState, mirror: &Mirror) -> bool {
    let ctx = crate::tui::panes::Ctx { mirror, state, now: state.now };
    state.shown().is_some_and(|t| matches!(proposal::detail(&ctx, t), Some(Ok(d)) if !d.document.superseded.is_empty()))
}

fn has_diff(state: &UiState, mirror: &Mirror) -> bool {
    let ctx = crate::tui::panes::Ctx { mirror, state, now: state.now };
    state.shown().is_some_and(|t| matches!(proposal::diff_of(&ctx, t), Some(Ok(_))))
}
