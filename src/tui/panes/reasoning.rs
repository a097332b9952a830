//! What proposers think: those at work as they think, or how one trial came about.
//!
//! While the selection follows what happens, everybody who thinks shows, newest last, each with the end of its stream. A
//! trial that a person selected shows who was asked and why, and what was thought and done; one line each says who thinks.

use super::stream::{self, last_rows, wrapped};
use super::{Content, Ctx, proposal};
use crate::model::{ProposalId, Safe, TrialId};
use crate::protocol::{Back, Row, ThinkingRow, TrialDetail};
use crate::tui::feedwords::Signed;
use crate::tui::ink::{self, Line};
use crate::tui::state::{Pane, Screen};
use crate::tui::theme::Role;
use crate::tui::thoughts::Stream;

/// Seconds for which a request that came to nothing stays among those at work.
const FAILED_SHOWS: f64 = 120.0;
/// Rows at the bottom that say who thinks, beside a trial.
const TICKER: usize = 3;

/// What the pane is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Everybody at work.
    AtWork,
    /// One trial.
    Of(TrialId),
    /// Nothing.
    Nothing,
}

/// One who works, or has failed just now.
struct Worker<'a> {
    proposal: ProposalId,
    row: &'a ThinkingRow,
    stream: Option<&'a Stream>,
}

/// Those at work that can be looked at, the newest last.
fn workers<'a>(ctx: &Ctx<'a>) -> Vec<Worker<'a>> {
    let thinking = ctx.header().map(|h| h.thinking.as_slice()).unwrap_or_default();
    let thoughts = &ctx.state.thoughts;
    let gone = thoughts.all().filter_map(|(proposal, stream)| {
        let (at, _) = stream.failed.as_ref()?;
        let row = stream.row.as_ref()?;
        (ctx.now.seconds_since(*at) < FAILED_SHOWS).then_some(Worker { proposal, row, stream: Some(stream) })
    });
    let mut gone: Vec<Worker<'_>> = gone.collect();
    // The last one tells what is wrong; a server that is away would fill the pane with the same line.
    gone.drain(..gone.len().saturating_sub(1));
    let live = thinking.iter().map(|row| Worker { proposal: row.proposal, row, stream: thoughts.of(row.proposal) });
    gone.into_iter().chain(live.filter(|w| w.row.assignment.is_some() || w.stream.is_some_and(|s| !s.is_empty()))).collect()
}

/// What the pane shows now.
pub fn subject(ctx: &Ctx<'_>) -> Subject {
    let watching = ctx.state.screen == Screen::Study && ctx.state.tree.follow;
    match ctx.state.shown() {
        _ if watching && !workers(ctx).is_empty() => Subject::AtWork,
        Some(trial) => Subject::Of(trial),
        None => Subject::Nothing,
    }
}

/// Whether the pane keeps to its end as more comes.
pub fn follows(ctx: &Ctx<'_>) -> bool {
    match subject(ctx) {
        Subject::AtWork => true,
        Subject::Of(trial) => ctx.mirror.row(trial).is_some_and(|r| r.back == Some(Back::Writing)),
        Subject::Nothing => false,
    }
}

/// The tool calls that show, in order.
pub fn calls(ctx: &Ctx<'_>) -> Vec<(ProposalId, u64)> {
    let of = |(proposal, stream): (ProposalId, &Stream)| stream.calls().map(|c| (proposal, c.no)).collect::<Vec<_>>();
    match subject(ctx) {
        Subject::AtWork => workers(ctx).iter().filter_map(|w| Some((w.proposal, w.stream?))).flat_map(of).collect(),
        Subject::Of(trial) => {
            let stream = ctx.mirror.row(trial).and_then(|row| stream_of(ctx, row));
            stream.map(of).unwrap_or_default()
        }
        Subject::Nothing => Vec::new(),
    }
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let want = ctx.state.scroll.get(&Pane::Reasoning).copied();
    match subject(ctx) {
        Subject::AtWork => at_work(ctx, width, height, want),
        Subject::Of(trial) => match ctx.mirror.row(trial) {
            Some(row) => of_trial(ctx, row, width, height, want),
            None => Content::empty("no proposal is selected", width, height),
        },
        Subject::Nothing => Content::empty("no proposal is selected", width, height),
    }
}

/// The row of the whole text at which the chosen tool call stands.
pub fn row_of_call(ctx: &Ctx<'_>, width: usize) -> Option<usize> {
    let (proposal, no) = ctx.state.thoughts.at?;
    let subject = subject(ctx);
    let stream = match subject {
        Subject::AtWork => ctx.state.thoughts.of(proposal)?,
        Subject::Of(trial) => stream_of(ctx, ctx.mirror.row(trial)?)?.1,
        Subject::Nothing => return None,
    };
    let within = stream::row_of_call(ctx, proposal, stream, width, no)?;
    match subject {
        Subject::AtWork => {
            let workers = workers(ctx);
            let mut above = 0;
            for worker in &workers {
                let rows = block(ctx, worker, width, usize::MAX).len();
                if worker.proposal == proposal {
                    let stream_rows = last_rows(ctx, proposal, stream, width, usize::MAX).len();
                    return Some(above + rows.saturating_sub(stream_rows) + within);
                }
                above += rows;
            }
            None
        }
        Subject::Of(trial) => {
            let row = ctx.mirror.row(trial)?;
            let known = proposal::detail(ctx, trial).and_then(Result::ok);
            let rows = trial_rows(ctx, row, known, width).len();
            Some(rows.saturating_sub(last_rows(ctx, proposal, stream, width, usize::MAX).len()) + within)
        }
        Subject::Nothing => None,
    }
}

fn at_work(ctx: &Ctx<'_>, width: usize, height: usize, want: Option<usize>) -> Content {
    let workers = workers(ctx);
    let mut content = match want {
        Some(want) => {
            let rows = workers.iter().flat_map(|w| block(ctx, w, width, usize::MAX)).collect();
            Content::scrolled(rows, want, height)
        }
        None => shared(ctx, &workers, width, height),
    };
    let n = workers.iter().filter(|w| w.stream.is_none_or(|s| s.failed.is_none())).count();
    content.title = if n > 0 { Line::of(format!("{n} thinking"), Role::Running) } else { Line::default() };
    content.info = Line::of(if want.is_some() { "scrolled · G follows" } else { "following · f shows the trial's" }, Role::TitleDim);
    content
}

/// The end of every stream, each with its share of the rows; what one does not need goes to the others, newest first.
fn shared(ctx: &Ctx<'_>, workers: &[Worker<'_>], width: usize, height: usize) -> Content {
    let blocks: Vec<Vec<Line>> = workers.iter().map(|w| block(ctx, w, width, height)).collect();
    let total = blocks.iter().map(Vec::len).sum::<usize>();
    let share = (height / blocks.len().max(1)).max(1);
    let mut rooms: Vec<usize> = blocks.iter().map(|b| b.len().min(share)).collect();
    let mut spare = height.saturating_sub(rooms.iter().sum());
    for (room, block) in rooms.iter_mut().zip(&blocks).rev() {
        let more = block.len().saturating_sub(*room).min(spare);
        *room += more;
        spare -= more;
    }
    let mut lines: Vec<Line> = Vec::new();
    for (block, room) in blocks.into_iter().zip(rooms) {
        // The heading always, then the end of the stream.
        let skipped = block.len().saturating_sub(room);
        let mut rows = block.into_iter();
        lines.extend(rows.next());
        lines.extend(rows.skip(skipped));
    }
    // More of them than rows: the newest.
    let over = lines.len().saturating_sub(height);
    lines.drain(..over);
    Content { lines, total, top: total.saturating_sub(height), ..Content::default() }
}

/// One at work: heading and the last `room` rows of what it thinks.
fn block(ctx: &Ctx<'_>, worker: &Worker<'_>, width: usize, room: usize) -> Vec<Line> {
    let mut rows = vec![heading(ctx, worker, width)];
    if let Some((_, why)) = worker.stream.and_then(|s| s.failed.as_ref()) {
        rows.extend(wrapped(why, width, Role::Failed).into_iter().take(4));
    }
    let Some(stream) = worker.stream.filter(|s| !s.is_empty()) else {
        let waits = worker.stream.is_none_or(|s| s.failed.is_none());
        rows.extend(waits.then(|| Line::of("  nothing said yet", Role::Dim)));
        return rows;
    };
    let tail = last_rows(ctx, worker.proposal, stream, width, room.saturating_sub(1));
    let skipped = tail.len().saturating_sub(room.saturating_sub(1));
    rows.extend(tail.into_iter().skip(skipped));
    rows
}

/// `architecture · gpt-x · 12s · 3.2k tok ────`; what does not fit is left out whole, the least telling first.
fn heading(ctx: &Ctx<'_>, worker: &Worker<'_>, width: usize) -> Line {
    let row = worker.row;
    let failed = worker.stream.is_some_and(|s| s.failed.is_some());
    let role = if failed { Role::Failed } else { Role::Running };
    let mut parts: Vec<(u8, Line)> = Vec::new();
    if failed {
        parts.push((1, Line::of("came to nothing", Role::Failed)));
    } else {
        parts.push((2, Line::of(ink::span_of_time(ctx.now.seconds_since(row.asked).floor()).replace(".0s", "s"), Role::Text)));
    }
    let tokens = row.spend.prompt_tokens.saturating_add(row.spend.completion_tokens);
    if tokens > 0 {
        parts.push((4, Line::of(format!("{} tok", ink::tokens(tokens)), Role::Dim)));
    }
    if row.assignment.as_ref().is_some_and(|a| a.idea.is_some()) {
        parts.push((1, Line::of("an idea of yours", Role::Accent)));
    }
    match (row.revising, row.parent) {
        (Some(trial), _) => parts.push((1, Line::of(format!("revises {trial}"), Role::Accent))),
        (None, Some(parent)) => parts.push((3, Line::of(format!("on {parent}"), Role::Dim))),
        (None, None) => {}
    }
    if let Some(surface) = row.assignment.as_ref().and_then(|a| a.surface.as_ref()) {
        parts.push((5, Line::of(ink::clean(surface), Role::Dim)));
    }
    let mut line = Line::of(if failed { "✗ " } else { "● " }, role);
    line.spans.extend(who(row).spans);
    while line.width() + parts.iter().map(|(_, part)| part.width() + 3).sum::<usize>() > width
        && let Some((worst, _)) = parts.iter().enumerate().max_by_key(|(_, (rank, _))| *rank)
    {
        parts.remove(worst);
    }
    for (_, part) in parts {
        line.push(" · ", Role::Dim);
        line.spans.extend(part.spans);
    }
    let left = width.saturating_sub(line.width() + 1);
    if left > 1 {
        line.push(format!(" {}", "─".repeat(left)), Role::Guide);
    }
    line.cut(width)
}

/// Role and model, or the proposer's name.
fn who(row: &ThinkingRow) -> Line {
    match &row.assignment {
        Some(a) => Line::of(ink::cut(&ink::clean(&a.role), 24), Role::Accent)
            .and(" · ", Role::Dim)
            .and(ink::cut_middle(&ink::clean(&a.model), 24), Role::Text),
        None => Line::of(ink::cut(&ink::clean(&row.proposer), 32), Role::Accent),
    }
}

fn of_trial(ctx: &Ctx<'_>, row: &Row, width: usize, height: usize, want: Option<usize>) -> Content {
    let known = match proposal::detail(ctx, row.id) {
        Some(Ok(d)) => Some(d),
        Some(Err(_)) | None => None,
    };
    let mut title = Line::of(ink::cut(&ink::clean(&row.proposer), width / 2), Role::TitleDim);
    let others: Vec<Worker<'_>> =
        workers(ctx).into_iter().filter(|w| Some(w.proposal) != row.proposal && w.stream.is_none_or(|s| s.failed.is_none())).collect();
    if !others.is_empty() {
        title.push(format!("  {} thinking", others.len()), Role::Running);
    }
    let ticker: Vec<Line> = others.iter().rev().take(TICKER.min(height / 4)).rev().map(|w| one_line(ctx, w, width)).collect();
    let room = height.saturating_sub(ticker.len());
    let rows = trial_rows(ctx, row, known, width);
    if rows.iter().all(|l| l.width() == 0) {
        let text = if row.id == TrialId::BASELINE { "the baseline needs no reasons" } else { "the proposer gave no reasons" };
        let mut content = Content::empty(text, width, room);
        content.lines.resize(if ticker.is_empty() { content.lines.len() } else { room }, Line::default());
        content.lines.extend(ticker);
        return Content { title, ..content };
    }
    let from = if row.back == Some(Back::Writing) { rows.len() } else { 0 };
    let mut content = Content::scrolled(rows, want.unwrap_or(from), room);
    if !ticker.is_empty() {
        content.lines.resize(room, Line::default());
        content.lines.extend(ticker);
    }
    Content { title, ..content }
}

/// Who else thinks, and the last that it said.
fn one_line(ctx: &Ctx<'_>, worker: &Worker<'_>, width: usize) -> Line {
    let mut line = Line::of("● ", Role::Running);
    line.spans.extend(who(worker.row).spans);
    let time = ink::span_of_time(ctx.now.seconds_since(worker.row.asked).floor()).replace(".0s", "s");
    line.push(format!(" {time}  "), Role::Dim);
    if let Some(stream) = worker.stream {
        let last = last_rows(ctx, worker.proposal, stream, width, 1);
        line.spans.extend(last.into_iter().next_back().unwrap_or_default().spans);
    }
    line.cut(width)
}

fn trial_rows(ctx: &Ctx<'_>, row: &Row, known: Option<&TrialDetail>, width: usize) -> Vec<Line> {
    let mut rows = Vec::new();
    let stream = stream_of(ctx, row);
    if let Some(d) = known {
        rows.extend(asked(d, width));
    }
    let draft = known.and_then(|d| d.draft.as_ref());
    match (stream, draft) {
        (Some((proposal, stream)), _) => {
            if !stream.whole && !stream.begun && stream.lost == 0 {
                rows.push(Line::of("… heard from here on", Role::Dim).cut(width));
            }
            rows.extend(last_rows(ctx, proposal, stream, width, usize::MAX));
        }
        (None, Some(draft)) => {
            for line in Safe::lines(draft.reasoning.trim_end()) {
                let line = ink::clean(line.as_str());
                if line.trim().is_empty() {
                    rows.push(Line::default());
                    continue;
                }
                let indent = line.len() - line.trim_start().len();
                let indent = indent.min(width / 2);
                for (n, part) in ink::wrap(line.trim_start(), width.saturating_sub(indent)).into_iter().enumerate() {
                    rows.push(Line::of(" ".repeat(indent), Role::Text).and(part, if n == 0 { Role::Text } else { Role::Dim }));
                }
            }
            if !draft.knobs.is_empty() && draft.reasoning.trim().is_empty() {
                let name = draft.knobs.keys().map(|k| ink::width(&ink::clean(k))).max().unwrap_or(0).min(width / 2);
                for (key, value) in &draft.knobs {
                    let key = ink::left(&ink::cut_middle(&ink::clean(key), name), name);
                    let value = ink::clean(&value.to_string());
                    rows.push(Line::of(format!("{key}  "), Role::Dim).and(value, Role::Accent).cut(width));
                }
            }
        }
        (None, None) => {}
    }
    if let Some(origin) = known.and_then(|d| d.document.imported.as_ref()) {
        rows.extend(ink::wrap(&ink::clean(&origin.notes), width).into_iter().map(|l| Line::of(l, Role::Text)));
    }
    rows
}

/// What was thought about a trial: while a new revision is written what is heard of that, else all that is known.
fn stream_of<'a>(ctx: &Ctx<'a>, row: &Row) -> Option<(ProposalId, &'a Stream)> {
    let proposal = row.proposal?;
    let thoughts = &ctx.state.thoughts;
    let now = thoughts.of(proposal).filter(|s| row.back == Some(Back::Writing) && !s.is_empty());
    Some((proposal, now.or_else(|| thoughts.fullest(proposal))?))
}

/// Who was asked, for what and why, what it proposed; nothing of a sampler, whose numbers say it all.
fn asked(d: &TrialDetail, width: usize) -> Vec<Line> {
    let Some((request, a)) = d.request.as_ref().and_then(|r| Some((r, r.assignment.as_ref()?))) else { return Vec::new() };
    let mut line = Line::of(ink::cut(&ink::clean(&a.role), 24), Role::Accent)
        .and(" · ", Role::Dim)
        .and(ink::cut_middle(&ink::clean(&a.model), 24), Role::Text);
    if let Some(surface) = &a.surface {
        line.push(format!(" · {}", ink::clean(surface)), Role::Dim);
    }
    let tokens = request.spend.prompt_tokens.saturating_add(request.spend.completion_tokens);
    if tokens > 0 {
        line.push(format!(" · {} tok", ink::tokens(tokens)), Role::Dim);
    }
    if request.spend.usd > 0.0 {
        line.push(format!(" {}", ink::dollars(request.spend.usd)), Role::Dim);
    }
    let mut rows = vec![line.cut(width)];
    let mut labelled = |label: &str, text: &str, role: Role| {
        if text.trim().is_empty() {
            return;
        }
        let parts = ink::wrap(&ink::clean(text), width.saturating_sub(12));
        rows.extend(
            parts
                .into_iter()
                .enumerate()
                .map(|(n, part)| Line::of(ink::left(if n == 0 { label } else { "" }, 12), Role::Dim).and(part, role).cut(width)),
        );
    };
    labelled("why", &a.why, Role::Dim);
    labelled("idea", a.idea.as_deref().unwrap_or_default(), Role::Accent);
    let hypothesis = d.draft.as_ref().map_or(d.document.hypothesis.as_str(), |draft| draft.hypothesis.as_str());
    labelled("hypothesis", hypothesis, Role::Strong);
    if let Some(expected) = d.draft.as_ref().and_then(|draft| draft.expected) {
        labelled("expects", &Signed(expected).to_string(), Role::Text);
    }
    rows.push(Line::of("─".repeat(width), Role::Guide));
    rows
}
