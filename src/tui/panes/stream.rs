//! What a proposer thinks, drawn: voices told apart, tool calls folded to one line each, waits and retries in plain sight.
//!
//! Rows are made from the end backwards, so that following a long stream costs what shows and no more.

use super::Ctx;
use crate::model::{ProposalId, Safe};
use crate::tui::ink::{self, Ground, Line};
use crate::tui::state::Pane;
use crate::tui::theme::Role;
use crate::tui::thoughts::{Call, Piece, Stream, Tone};
use serde_json::Value;

/// The last rows of a stream, at least `room` of them where there are so many, in order.
pub fn last_rows(ctx: &Ctx<'_>, proposal: ProposalId, stream: &Stream, width: usize, room: usize) -> Vec<Line> {
    let mut back = Vec::new();
    for piece in stream.pieces.iter().rev() {
        if back.len() >= room {
            break;
        }
        match piece {
            Piece::Text(tone, lines) => {
                let role = match tone {
                    Tone::Reasoning => Role::Thought,
                    Tone::Answer => Role::Text,
                };
                // Models begin and end with empty lines, and leave several between paragraphs: one is enough.
                let mut blank = true;
                for line in lines.iter().rev() {
                    if back.len() >= room {
                        break;
                    }
                    if line.trim().is_empty() {
                        if !std::mem::replace(&mut blank, true) {
                            back.push(Line::default());
                        }
                        continue;
                    }
                    blank = false;
                    back.extend(wrapped(line, width, role).into_iter().rev());
                }
                if back.last().is_some_and(|l| l.width() == 0) {
                    back.pop();
                }
            }
            Piece::Call(call) => back.extend(call_rows(ctx, proposal, call, width).into_iter().rev()),
            Piece::Note(text) => {
                let rows = ink::wrap(&ink::clean(text), width.saturating_sub(2));
                let rows =
                    rows.into_iter().enumerate().map(|(n, l)| Line::of(if n == 0 { "! " } else { "  " }, Role::Warn).and(l, Role::Warn));
                back.extend(rows.collect::<Vec<_>>().into_iter().rev());
            }
        }
    }
    if back.len() < room && stream.lost > 0 {
        let text = format!("… {} before this are not held any more", ink::bytes(stream.lost));
        back.push(Line::of(text, Role::Dim).cut(width));
    }
    back.reverse();
    back
}

/// The row, counted from the first of them all, at which a call stands.
pub fn row_of_call(ctx: &Ctx<'_>, proposal: ProposalId, stream: &Stream, width: usize, no: u64) -> Option<usize> {
    let all = last_rows(ctx, proposal, stream, width, usize::MAX).len();
    let mut from = stream.clone();
    let at = from.pieces.iter().position(|p| matches!(p, Piece::Call(c) if c.no == no))?;
    from.pieces.drain(..at);
    from.lost = 0;
    Some(all.saturating_sub(last_rows(ctx, proposal, &from, width, usize::MAX).len()))
}

/// A line of foreign text in rows, its indent kept.
pub fn wrapped(line: &str, width: usize, role: Role) -> Vec<Line> {
    let line = ink::clean(line);
    let indent = (line.len() - line.trim_start().len()).min(width / 2);
    let rows = ink::wrap(line.trim(), width.saturating_sub(indent));
    rows.into_iter().map(|part| Line::of(" ".repeat(indent), role).and(part, role)).collect()
}

fn call_rows(ctx: &Ctx<'_>, proposal: ProposalId, call: &Call, width: usize) -> Vec<Line> {
    let key = (proposal, call.no);
    let thoughts = &ctx.state.thoughts;
    let open = thoughts.open.contains(&key);
    let here = thoughts.at == Some(key) && ctx.focused(Pane::Reasoning);
    let mut line = Line::of(if open { "▾ " } else { "▸ " }, Role::Accent).and(ink::clean(&call.name), Role::Accent);
    let (said, role) = answered(call);
    let said = Line::of(format!(" · {said}"), role).cut(width * 2 / 3);
    let room = width.saturating_sub(line.width() + said.width());
    let brief = brief(&call.arguments);
    if !brief.is_empty() {
        line.push(ink::cut(&format!(" {brief}"), room), Role::Text);
    }
    line.spans.extend(said.spans);
    let mut rows = vec![line.pad(width).on(if here { Ground::Selected } else { Ground::Plain })];
    if !open {
        return rows;
    }
    let inside = width.saturating_sub(4);
    let indented = |line: Line| {
        let mut out = Line::of("    ", Role::Text);
        out.spans.extend(line.spans);
        out
    };
    match serde_json::from_str::<Value>(&call.arguments) {
        Ok(Value::Object(fields)) => {
            for (key, value) in &fields {
                let text = plain(value);
                let key = ink::cut(&ink::clean(key), inside);
                if text.contains('\n') {
                    rows.push(indented(Line::of(key, Role::Dim)));
                    rows.extend(text.lines().flat_map(|l| wrapped(l, inside, Role::Text)).map(indented));
                } else {
                    let first = Line::of(format!("{key}  "), Role::Dim).and(ink::clean(&text), Role::Text);
                    if first.width() <= inside {
                        rows.push(indented(first));
                    } else {
                        rows.push(indented(Line::of(key, Role::Dim)));
                        rows.extend(wrapped(&text, inside, Role::Text).into_iter().map(indented));
                    }
                }
            }
        }
        // Cut, or never valid: as it came.
        Ok(_) | Err(_) => rows.extend(call.arguments.lines().flat_map(|l| wrapped(l, inside, Role::Text)).map(indented)),
    }
    if let Some((text, failed)) = &call.told {
        rows.push(indented(Line::of("─".repeat(inside.min(24)), Role::Guide)));
        let role = if *failed { Role::Warn } else { Role::Dim };
        rows.extend(Safe::lines(text.trim_end()).iter().flat_map(|l| wrapped(l.as_str(), inside, role)).map(indented));
    }
    rows
}

/// What came back, in a few words.
fn answered(call: &Call) -> (String, Role) {
    match &call.told {
        None => ("…".into(), Role::Running),
        Some((text, failed)) => {
            let text = text.trim();
            let role = if *failed { Role::Warn } else { Role::Dim };
            let lines = text.lines().count();
            match lines {
                0 => ("nothing".into(), role),
                1 => (ink::clean(text), role),
                _ if *failed => (ink::clean(text.lines().next().unwrap_or_default()), role),
                n => (format!("{n} lines"), role),
            }
        }
    }
}

/// Arguments in one line: values alone where they speak for themselves, `1–80` for a range.
fn brief(arguments: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(arguments) else {
        return ink::clean(&arguments.replace(['\n', '\r'], " "));
    };
    let number = |names: &[&str]| names.iter().find_map(|n| fields.get(*n)).and_then(Value::as_u64);
    const FIRST: [&str; 4] = ["from", "first", "start", "start_line"];
    const LAST: [&str; 4] = ["to", "last", "end", "end_line"];
    let range = number(&FIRST).zip(number(&LAST));
    let mut words = Vec::new();
    let mut said = false;
    for (key, value) in &fields {
        if range.is_some() && (FIRST.contains(&key.as_str()) || LAST.contains(&key.as_str())) {
            if let (false, Some((a, b))) = (std::mem::replace(&mut said, true), range) {
                words.push(format!("{a}–{b}"));
            }
            continue;
        }
        match value {
            Value::String(text) if text.contains('\n') => words.push(format!("{key} ({} lines)", text.lines().count())),
            Value::String(text) => words.push(text.clone()),
            Value::Array(list) => words.push(format!("{key} ({})", list.len())),
            Value::Object(map) => words.push(format!("{key} ({})", map.len())),
            Value::Bool(_) | Value::Number(_) => words.push(format!("{key} {value}")),
            Value::Null => {}
        }
    }
    // The path says most; ranges follow it.
    if let Some(at) = words.iter().position(|w| fields.get("path").and_then(Value::as_str) == Some(w)) {
        let path = words.remove(at);
        words.insert(0, path);
    }
    ink::clean(&words.join(" ").replace(['\n', '\r'], " "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_in_one_line() {
        for (arguments, want) in [
            (r#"{"path":"train.py","from":1,"to":80}"#, "train.py 1–80"),
            (r#"{"end_line":80,"path":"train.py","start_line":1}"#, "train.py 1–80"),
            (r#"{"pattern":"lr","path":"a b"}"#, "a b lr"),
            (r#"{"trial":3,"whole":true,"none":null}"#, "trial 3 whole true"),
            (r#"{"edits":[1,2],"text":"a\nb"}"#, "edits (2) text (2 lines)"),
            ("{\"cut", "{\"cut"),
            (r#"{"a":"\u001b[2J"}"#, "␛"),
            ("", ""),
        ] {
            assert_eq!(brief(arguments), want, "{arguments}");
        }
    }
}
