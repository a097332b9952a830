//! The end of a run's log, or any earlier part of it.

use super::{Content, Ctx, curves};
use crate::client::Mirror;
use crate::model::RunId;
use crate::protocol::LogStream;
use crate::tui::ink::{self, Line};
use crate::tui::state::UiState;
use crate::tui::theme::Role;

/// Streams in the order that `]` walks.
pub const STREAMS: [LogStream; 3] = [LogStream::Stdout, LogStream::Stderr, LogStream::Evaluator];

/// The word for a stream.
pub fn word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
        LogStream::Evaluator => "evaluator",
    }
}

/// The run and stream that should show.
pub fn wanted(mirror: &Mirror, state: &UiState) -> Option<(RunId, LogStream)> {
    let run = curves::last_run(mirror, state.shown()?)?;
    Some((run, state.log.stream.unwrap_or(LogStream::Stdout)))
}

/// The pane.
pub fn content(ctx: &Ctx<'_>, width: usize, height: usize) -> Content {
    let log = &ctx.state.log;
    let chosen = log.stream.unwrap_or(LogStream::Stdout);
    let mut title = Line::default();
    for (n, stream) in STREAMS.iter().enumerate() {
        if n > 0 {
            title.push(" · ", Role::TitleDim);
        }
        title.push(word(*stream), if *stream == chosen { Role::Title } else { Role::TitleDim });
    }
    let Some((run, stream)) = wanted(ctx.mirror, ctx.state) else {
        return Content { title, ..Content::empty("this trial has not run yet", width, height) };
    };
    if log.of != Some((run, stream)) || (log.lines.is_empty() && log.flying.is_some()) {
        return Content { title, ..Content::empty("reading the log …", width, height) };
    }
    if let Some(why) = &log.error {
        return Content { title, ..Content::empty(&ink::clean(why), width, height) };
    }
    let mut info = Line::of(run.to_string(), Role::TitleDim);
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
