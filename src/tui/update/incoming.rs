//! What the study says: snapshots, facts, signals, answers.

use super::{errands, refold};
use crate::client::{Incoming, LinkState, Mirror};
use crate::model::{Batch, Event, StudyState};
use crate::protocol::{Answer, Command, LogPart, Query, Signal};
use crate::tui::banner::{self, Banner};
use crate::tui::ink;
use crate::tui::msg::UiEffect;
use crate::tui::options::Ending;
use crate::tui::panes::curves::ASKED_WIDTH;
use crate::tui::state::{LogState, Sent, UiState};

/// Readings of the machine kept: a minute's worth at one a second.
const METERS: usize = 60;
/// Points of a live curve before it is asked for anew, decimated.
const CROWDED: usize = ASKED_WIDTH as usize * 6;
/// Lines of a log held.
const LOG_LINES: usize = 20_000;

/// Takes it.
pub fn take(state: &mut UiState, mirror: &Mirror, incoming: Incoming, effects: &mut Vec<UiEffect>) {
    match incoming {
        Incoming::Snapshot(snapshot) => {
            for row in &snapshot.rows {
                state.changed.insert(row.id, snapshot.seq);
            }
            state.shelf.relink();
            state.log.flying = None;
            state.waited = snapshot.header.waiting;
            state.thoughts.note(&snapshot.header);
            refold(state, mirror);
            arrived(state, mirror, effects);
        }
        Incoming::Update(update) => {
            for row in &update.rows {
                state.changed.insert(row.id, update.record.seq);
            }
            state.thoughts.note(&update.header);
            match &update.record.event {
                Event::ProposalAsked { proposal, assignment: Some(_), .. } => state.thoughts.asked(*proposal),
                Event::ProposalFailed { proposal, detail, .. } => state.thoughts.failed(*proposal, update.record.at, detail),
                _ => {}
            }
            notice(state, &update.record.event);
            if calls(state, mirror, &update.record.event) {
                effects.push(UiEffect::Ring);
            }
            refold(state, mirror);
        }
        Incoming::Signal(signal) => take_signal(state, signal),
        Incoming::Acked(id, result) => acked(state, id, result, effects),
        Incoming::Answered(id, mut result) => {
            // Kept as what is drawn of it, in place of the whole.
            if let (Some(Query::Conversation { proposal, .. }), Ok(Answer::Conversation { part })) =
                (state.shelf.asked(id), result.as_deref_mut())
            {
                state.thoughts.record(*proposal, std::mem::take(part));
            }
            if state.shelf.answered(id, &result) {
            } else if state.log.flying == Some(id) {
                state.log.flying = None;
                match result.map(|a| *a) {
                    Ok(Answer::Log { part }) => take_log(state, part),
                    Ok(_) => {}
                    Err(why) => state.log.error = Some(why),
                }
            } else if let Some(errand) = state.errands.remove(&id) {
                errands::answered(state, mirror, errand, result.map(|a| *a), effects);
            }
        }
        Incoming::Link(link) => {
            if !matches!(link, LinkState::Live { .. }) {
                state.shelf.relink();
                state.thoughts.cut_off();
                state.log.flying = None;
                let lost = state.sent.len();
                state.sent.clear();
                state.errands.clear();
                if lost > 0 {
                    state.refuse("the engine was lost before it answered; look whether it was done");
                }
            }
        }
    }
}

/// Whether a person is called who looks elsewhere: for the first proposal that waits, and at the end.
fn calls(state: &mut UiState, mirror: &Mirror, event: &Event) -> bool {
    let waiting = mirror.header.as_ref().map_or(0, |h| h.waiting);
    let first = std::mem::replace(&mut state.waited, waiting) == 0 && waiting > 0;
    first || matches!(event, Event::StateChanged { state: StudyState::Finished | StudyState::Failed, .. })
}

/// What a person should not miss while looking elsewhere.
fn notice(state: &mut UiState, event: &Event) {
    match event {
        Event::Noted { warning: true, text } | Event::Cautioned { text, .. } => state.refuse(ink::clean(text)),
        Event::StateChanged { state: StudyState::Finished | StudyState::Failed, detail: Some(detail), .. } => {
            state.banner = Some(Banner { text: ink::clean(detail) });
        }
        _ => {}
    }
}

/// The first snapshot of this visit: what happened since the last one, and the autonomy of before.
fn arrived(state: &mut UiState, mirror: &Mirror, effects: &mut Vec<UiEffect>) {
    if let Some((_, at)) = state.last_seen.take().filter(|(seq, _)| mirror.seq > *seq) {
        state.banner = banner::since(mirror, at, state.now);
    }
    let over = mirror.header.as_ref().filter(|h| matches!(h.state, StudyState::Finished | StudyState::Failed));
    if let (None, Some(detail)) = (&state.banner, over.and_then(|h| h.detail.as_ref())) {
        state.banner = Some(Banner { text: ink::clean(detail) });
    }
    if state.mute(mirror).is_some() {
        return;
    }
    if let Some(mode) = state.restore.take() {
        let id = state.id();
        state.sent.insert(id, Sent { done: format!("autonomy is {} again", mode.word()), reviewed: None, leave: None, edited: None });
        effects.push(UiEffect::Send(id, Command::Autonomy { mode }));
    }
}

fn acked(state: &mut UiState, id: u64, result: Result<crate::protocol::Ack, String>, effects: &mut Vec<UiEffect>) {
    let Some(sent) = state.sent.remove(&id) else { return };
    match result {
        Ok(ack) => {
            let named = ack.trial.filter(|_| sent.reviewed.is_none() && ack.proposal.is_some()).map(|t| format!(" as {t}"));
            state.say(format!("{}{}", sent.done, named.unwrap_or_default()));
            if sent.edited.is_some_and(|e| state.refused.as_ref().is_some_and(|r| r.proposal == e.proposal)) {
                state.refused = None;
            }
            if sent.reviewed.is_some() {
                state.last_review = sent.reviewed;
            }
            if let Some(ending) = sent.leave {
                effects.push(UiEffect::Leave(ending));
            }
        }
        Err(why) => {
            if sent.leave == Some(Ending::Detached) {
                state.restore_next = None;
            }
            match sent.edited {
                Some(edited) => {
                    // The queue has moved on meanwhile.
                    state.queue = Some(edited.trial);
                    state.refused = Some(edited);
                    state.refuse(format!("{}; e goes on with your text", ink::clean(&why)));
                }
                None => state.refuse(ink::clean(&why)),
            }
        }
    }
}

fn take_signal(state: &mut UiState, signal: Signal) {
    match signal {
        Signal::Points { batch } => take_points(state, &batch),
        Signal::LogGrew { run, stdout, stderr } => {
            if let Some((of, stream)) = state.log.of.filter(|(of, _)| *of == run) {
                let _ = of;
                state.log.total = match stream {
                    crate::protocol::LogStream::Stdout => stdout.max(state.log.total),
                    crate::protocol::LogStream::Stderr => stderr.max(state.log.total),
                    crate::protocol::LogStream::Evaluator | crate::protocol::LogStream::Setup => state.log.total,
                };
            }
        }
        Signal::SetupLog { bytes, last } => {
            if state.log.of.is_some_and(|(_, stream)| stream == crate::protocol::LogStream::Setup) {
                state.log.total = bytes.max(state.log.total);
            }
            state.setup_log = last;
        }
        Signal::Telemetry { telemetry } => {
            state.meters.push_back(*telemetry);
            if state.meters.len() > METERS {
                state.meters.pop_front();
            }
        }
        Signal::Thought { proposal, thought } => state.thoughts.push(proposal, thought),
        Signal::Heard { proposal, revision, lost, thoughts } => state.thoughts.heard(proposal, revision, lost, thoughts),
    }
}

fn take_points(state: &mut UiState, batch: &Batch) {
    let keys = state.live_keys.entry(batch.run).or_default();
    for point in &batch.points {
        if keys.len() < 200 && !keys.contains(&point.key) {
            keys.insert(point.key.clone());
        }
    }
    if state.live_keys.len() > 64 {
        state.live_keys.pop_first();
    }
    let mut crowded = None;
    for point in &batch.points {
        let query = Query::Series { run: batch.run, key: point.key.clone(), width: ASKED_WIDTH };
        let Some(Answer::Series { curve }) = state.shelf.get_mut(&query) else {
            // It was asked for before there was anything to answer.
            if matches!(state.shelf.get(&query), Some(Err(_))) {
                state.shelf.spoil(&query);
            }
            continue;
        };
        if curve.steps.last().is_none_or(|last| point.step > *last) {
            curve.steps.push(point.step);
            curve.values.push(point.value.is_finite().then_some(point.value));
            curve.total += 1;
        }
        if curve.steps.len() > CROWDED {
            crowded = Some(query);
        }
    }
    if let Some(query) = crowded {
        state.shelf.spoil(&query);
    }
}

/// Adds a part of a log at the end, or before the start.
fn take_log(state: &mut UiState, part: LogPart) {
    let log = &mut state.log;
    log.error = None;
    let mut new: Vec<String> = part.text.split('\n').map(str::to_owned).collect();
    if std::mem::take(&mut log.earlier) {
        if part.offset >= log.span.0 || part.text.is_empty() {
            // Nothing before was kept.
            log.span.0 = 0;
            return;
        }
        // The last piece and the first line held are one line.
        if let (Some(tail), Some(first)) = (new.pop(), log.lines.front_mut()) {
            first.insert_str(0, &tail);
        }
        for line in new.into_iter().rev() {
            log.lines.push_front(line);
        }
        log.span.0 = part.offset;
        return;
    }
    if part.total < log.span.1 {
        // The log is shorter than what is held: it was begun anew, and is looked at from its end.
        *log = LogState { stream: log.stream, of: log.of, ..LogState::default() };
        return;
    }
    // Without progress (half a character at the end) the next growth is waited for, not asked for again and again.
    log.total = if part.next > log.span.1 { part.total } else { part.next };
    if log.lines.is_empty() {
        log.span.0 = part.offset;
        if part.offset > 0 && new.len() > 1 {
            // The first line is probably cut; its start belongs to the earlier part.
            log.span.0 = part.offset + new.first().map_or(0, |l| l.len() as u64 + 1);
            new.remove(0);
        }
    } else if let (Some(last), false) = (log.lines.back_mut(), new.is_empty()) {
        last.push_str(&new.remove(0));
    }
    if log.from_end > 0 {
        log.from_end += new.len();
    }
    log.lines.extend(new);
    log.span.1 = part.next;
    while log.lines.len() > LOG_LINES && log.from_end == 0 {
        if let Some(line) = log.lines.pop_front() {
            log.span.0 += line.len() as u64 + 1;
        }
    }
}
