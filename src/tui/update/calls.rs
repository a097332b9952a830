//! The tool calls of the reasoning pane: one is chosen, and opens to what was asked and answered.

use crate::client::Mirror;
use crate::model::ProposalId;
use crate::tui::panes::{Ctx, reasoning};
use crate::tui::state::UiState;

/// The calls that the pane shows, in order.
fn shown(state: &UiState, mirror: &Mirror) -> Vec<(ProposalId, u64)> {
    reasoning::calls(&Ctx { mirror, state, now: state.now })
}

/// Chooses the next one or the one before; the first step back from the end takes the last. False where there are none.
pub fn step(state: &mut UiState, mirror: &Mirror, forward: bool) -> bool {
    let list = shown(state, mirror);
    let now = state.thoughts.at.and_then(|at| list.iter().position(|c| *c == at));
    let last = list.len().saturating_sub(1);
    let to = match (now, forward) {
        (Some(at), true) => (at + 1).min(last),
        (Some(at), false) => at.saturating_sub(1),
        (None, true) => 0,
        (None, false) => last,
    };
    let Some(call) = list.get(to).copied() else { return false };
    state.thoughts.at = Some(call);
    show(state, mirror);
    true
}

/// Opens the chosen one or closes it; where none is chosen the last. False where there are none.
pub fn toggle(state: &mut UiState, mirror: &Mirror) -> bool {
    let list = shown(state, mirror);
    let chosen = state.thoughts.at.filter(|at| list.contains(at)).or(list.last().copied());
    let Some(call) = chosen else { return false };
    state.thoughts.at = Some(call);
    if !state.thoughts.open.remove(&call) {
        state.thoughts.open.insert(call);
    }
    show(state, mirror);
    true
}

/// Opens the chosen one, or closes it.
pub fn fold(state: &mut UiState, open: bool) {
    let Some(call) = state.thoughts.at else { return };
    if open {
        state.thoughts.open.insert(call);
    } else {
        state.thoughts.open.remove(&call);
    }
}

/// Scrolls so that the chosen one shows.
fn show(state: &mut UiState, mirror: &Mirror) {
    let (width, height) = crate::tui::project::room(state, crate::tui::state::Pane::Reasoning);
    let ctx = Ctx { mirror, state, now: state.now };
    let Some(row) = reasoning::row_of_call(&ctx, width) else { return };
    let top = reasoning::content(&ctx, width, height).top;
    if row < top || row + 1 > top + height.saturating_sub(2) || !state.scroll.contains_key(&crate::tui::state::Pane::Reasoning) {
        state.scroll.insert(crate::tui::state::Pane::Reasoning, row.saturating_sub(1));
    }
}
