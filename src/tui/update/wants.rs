//! What the screen shows and is not at hand gets asked for.

use crate::client::{LinkState, Mirror};
use crate::model::RunId;
use crate::model::TrialId;
use crate::protocol::{LogStream, Query};
use crate::tui::layout::layout;
use crate::tui::modal::Modal;
use crate::tui::msg::UiEffect;
use crate::tui::panes::{curves, log};
use crate::tui::state::{LogState, Pane, UiState};

/// Bytes of a log asked for at once.
pub const PART: u32 = 32 << 10;

/// Entries of a conversation asked for, from its end: three for each call of a tool.
const RECORDED: i64 = 400;

/// Asks.
pub fn ask(state: &mut UiState, mirror: &Mirror, effects: &mut Vec<UiEffect>) {
    if mirror.header.is_none() || matches!(mirror.link, LinkState::Reconnecting { .. }) {
        return;
    }
    let visible: Vec<Pane> = layout(state.size, state).places.iter().map(|p| p.shown).collect();
    let mut wanted: Vec<(Query, String)> = Vec::new();
    if let Some(row) = state.shown_row(mirror) {
        if visible.contains(&Pane::Proposal) || visible.contains(&Pane::Reasoning) {
            let changed = state.changed.get(&row.id).copied().unwrap_or(0);
            wanted.push((Query::Trial { trial: row.id }, changed.to_string()));
        }
        let asked =
            row.proposal.filter(|_| visible.contains(&Pane::Reasoning) && (row.model.is_some() || row.proposer.starts_with("command/")));
        if let Some(proposal) = asked.filter(|p| state.thoughts.wants_record(*p)) {
            let changed = state.changed.get(&row.id).copied().unwrap_or(0);
            wanted.push((Query::Conversation { proposal, revision: None, offset: -RECORDED }, changed.to_string()));
        }
        if state.diff.revision.is_some() && visible.contains(&Pane::Proposal) {
            // What was superseded does not change any more.
            wanted.push((state.diff_query(row.id), "superseded".into()));
        }
        let tree =
            row.tree.as_ref().filter(|_| visible.contains(&Pane::Proposal) && row.id != TrialId::BASELINE && state.diff.revision.is_none());
        wanted.extend(tree.map(|tree| (state.diff_query(row.id), tree.clone())));
    }
    if let Some(Modal::Compare(compare)) = state.modals.last() {
        wanted.push((compare.query(), "once".into()));
    }
    if let Some(Modal::Arms(_)) = state.modals.last() {
        wanted.push((Query::Arms, mirror.seq.to_string()));
    }
    if visible.contains(&Pane::Curves) {
        let runs = curves::runs(mirror, state);
        for run in &runs {
            let stamp = if is_live(mirror, *run) { "live" } else { "over" };
            wanted.push((Query::SeriesKeys { run: *run }, stamp.into()));
        }
        if let Some(key) = curves::metric(mirror, state) {
            for run in runs {
                let stamp = if is_live(mirror, run) { "live" } else { "over" };
                wanted.push((Query::Series { run, key: key.clone(), width: curves::ASKED_WIDTH }, stamp.into()));
            }
        }
    }
    for (query, stamp) in wanted {
        let id = state.id();
        if state.shelf.want(&query, &stamp, id) {
            effects.push(UiEffect::Ask(id, query));
        }
    }
    if visible.contains(&Pane::Log) {
        ask_log(state, mirror, effects);
    }
}

fn is_live(mirror: &Mirror, run: RunId) -> bool {
    mirror.header.as_ref().is_some_and(|h| h.running.iter().any(|r| r.run == run))
}

fn ask_log(state: &mut UiState, mirror: &Mirror, effects: &mut Vec<UiEffect>) {
    let Some((run, stream)) = log::wanted(mirror, state) else { return };
    if state.log.of != Some((run, stream)) {
        state.log = LogState { stream: state.log.stream, of: Some((run, stream)), ..LogState::default() };
    }
    if state.log.flying.is_some() {
        return;
    }
    // The evaluator's log announces nothing: the trial's last change stands for its growth.
    let changed = state.changed.get(&run.trial).copied().unwrap_or(0);
    let stamp = match stream {
        LogStream::Evaluator => changed.to_string(),
        LogStream::Setup => {
            let setup = mirror.header.as_ref().and_then(|h| h.setup.as_ref());
            setup.map_or_else(String::new, |s| format!("{} {}", s.stage.word(), s.ended))
        }
        LogStream::Stdout | LogStream::Stderr => is_live(mirror, run).to_string(),
    };
    let (offset, len, earlier) = if state.log.stamp.is_empty() || state.log.error.is_some() && state.log.stamp != stamp {
        (-i64::from(PART), PART, false)
    } else if state.log.from_end > 0 && at_top(state) && state.log.span.0 > 0 {
        let from = state.log.span.0.saturating_sub(u64::from(PART));
        (from as i64, (state.log.span.0 - from) as u32, true)
    } else if state.log.total > state.log.span.1 || state.log.stamp != stamp {
        (state.log.span.1 as i64, PART, false)
    } else {
        return;
    };
    let id = state.id();
    state.log.stamp = stamp;
    state.log.flying = Some(id);
    state.log.earlier = earlier;
    effects.push(UiEffect::Ask(id, Query::Log { run, stream, offset, len }));
}

fn at_top(state: &UiState) -> bool {
    let (_, rows) = crate::tui::project::room(state, Pane::Log);
    state.log.from_end + rows + 1 >= state.log.lines.len()
}
