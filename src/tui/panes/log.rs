//! The end of a run's log, or any earlier part of it.

use super::{Content, Ctx, curves};
use crate::client::Mirror;
use crate::model::{RunId, RunNo, Status, TrialId};
use crate::protocol::LogStream;
use crate::tui::ink::{self, Line};
use crate::tui::state::UiState;
use crate::tui::theme::Role;

/// Streams in the order that `]` walks.
pub const STREAMS: [LogStream; 4] = [LogStream::Stdout, LogStream::Stderr, LogStream::Evaluator, LogStream::Setup];

/// The streams of this study: the setup's where it has one.
pub fn streams(mirror: &Mirror) -> &'static [LogStream] {
    let set_up = mirror.header.as_ref().is_some_and(|h| h.setup.is_some());
    STREAMS.get(..if set_up { 4 } else { 3 }).unwrap_or(&STREAMS)
}

/// The word for a stream.
pub fn word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Evaluator => "evaluator",
        LogStream::Setup => "setup",
    }
}

/// The run and stream that should show.
pub fn wanted(mirror: &Mirror, state: &UiState) -> Option<(RunId, LogStream)> {
    let setup = (TrialId::BASELINE.run(RunNo(1)), LogStream::Setup);
    let has_setup = mirror.header.as_ref().is_some_and(|h| h.setup.is_some());
    // Before anything has run there is this to read.
    let Some(run) = state.shown().and_then(|trial| curves::last_run(mirror, trial)) else {
        return (has_setup && mirror.rows.iter().all(|r| r.runs == 0)).then_some(setup);
    };
    match state.log.stream.unwrap_or(LogStream::Stdout) {
        LogStream::Setup => has_setup.then_some(setup),
        stream => Some((run, stream)),
    }
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let log = &ctx.state.log;
    let shown = wanted(ctx.mirror, ctx.state);
    let chosen = shown.map_or(log.stream.unwrap_or(LogStream::Stdout), |(_, stream)| stream);
    let mut title = Line::default();
    for (n, stream) in streams(ctx.mirror).iter().enumerate() {
        if n > 0 {
            title.push(" · ", Role::TitleDim);
        }
        title.push(word(*stream), if *stream == chosen { Role::Title } else { Role::TitleDim });
    }
    let Some((run, stream)) = shown else {
        let unreadable = ctx.state.shown_row(ctx.mirror).is_some_and(|r| r.status == Status::Unreadable);
        let text = if unreadable { "its row was cut: nothing is known of its run" } else { "this trial has not run yet" };
        return Content { title, ..Content::empty(text, width, height) };
    };
    if log.of != Some((run, stream)) || (log.lines.is_empty() && log.flying.is_some()) {
        return Content { title, ..Content::empty("reading the log …", width, height) };
    }
    if let Some(why) = &log.error {
        return Content { title, ..Content::empty(&ink::clean(why), width, height) };
    }
    let of = if stream == LogStream::Setup { "before the first run".to_owned() } else { run.to_string() };
    let mut info = Line::of(of, Role::TitleDim);
    let blank_end = usize::from(log.lines.back().is_some_and(String::is_empty));
    let total = log.lines.len() - blank_end;
    if total == 0 {
        let text = format!("nothing on {} yet", word(stream));
        return Content { title, info, ..Content::empty(&text, width, height) };
    }
    let from_end = log.from_end.min(total.saturating_sub(height));
    if from_end > 0 {
        info.push(format!(" · {from_end} lines below"), Role::TitleDim);
    } else {
        info.push(" · following", Role::TitleDim);
    }
    if log.span.0 > 0 {
        info.push(format!(" · {} before", ink::bytes(log.span.0)), Role::TitleDim);
    }
    let end = total - from_end;
    let top = end.saturating_sub(height);
    let lines = log
        .lines
        .iter()
        .skip(top)
        .take(end - top)
        .map(|l| {
            let text = ink::clean(l);
            let role = tone(&text);
            Line::of(text, role).cut(width)
        })
        .collect();
    Content { title, info, lines, total, top }
}

/// Errors and warnings stand out; everything else is plain.
fn tone(text: &str) -> Role {
    let word = text.trim_start().split([' ', ':']).next().unwrap_or_default();
    if word == "Traceback" || word.ends_with("Error") || word.ends_with("Exception") {
        Role::Failed
    } else if word.ends_with("Warning") || word == "WARNING" {
        Role::Warn
    } else {
        Role::Text
    }
}
