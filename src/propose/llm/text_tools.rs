//! Tools for models without tool calls: described in the system's message, called by a block of text, with the same effect.
//!
//! ```text
//! <tool name="submit">
//! <arg name="hypothesis">one line</arg>
//! <arg name="edits">
//! raw text, as many lines as it takes
//! </arg>
//! </tool>
//! ```
//!
//! Values stand raw, for weak models cannot escape code as JSON. A block counts at the beginning of a line alone; what a tool
//! answers goes out with such lines marked, so that a model that repeats it calls nothing. What a model dreams up as an
//! answer of a tool ends its message. Pure; tested with mangled text.

use super::{Heard, Message, ToolCall, ToolSpec, gather::Hear};
use serde_json::{Map, Value};
use std::fmt::Write;

/// What a model said, and what of it are calls.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
}

/// Beginnings of lines that mean something in this protocol.
const MARKS: [&str; 6] = ["<tool", "</tool", "<arg", "</arg", "<result", "</result"];

/// The conversation as plain messages: no tools, no calls.
pub(super) fn messages(messages: &[Message], tools: &[ToolSpec]) -> Vec<Message> {
    let mut plain: Vec<Message> = Vec::new();
    let mut described = tools.is_empty();
    for message in messages {
        match message {
            Message::System { text } => {
                let more = if described { String::new() } else { format!("\n\n{}", describe(tools)) };
                described = true;
                plain.push(Message::System { text: format!("{text}{more}") });
            }
            Message::User { text } => user(&mut plain, text.clone()),
            Message::Assistant { text, calls, .. } => {
                let said = calls.iter().fold(text.clone(), |mut said, call| {
                    let _ = write!(said, "{}{}", if said.is_empty() { "" } else { "\n" }, block(call));
                    said
                });
                plain.push(Message::Assistant { text: said, calls: Vec::new(), opaque: Vec::new() });
            }
            Message::Tool { name, text, failed, .. } => {
                let how = if *failed { " failed=\"yes\"" } else { "" };
                user(&mut plain, format!("<result tool=\"{name}\"{how}>\n{}\n</result>", mark(text)));
            }
        }
    }
    if !described {
        plain.insert(0, Message::System { text: describe(tools) });
    }
    plain
}

/// Two messages of the user's in a row become one: many templates want turns.
fn user(plain: &mut Vec<Message>, more: String) {
    if let Some(Message::User { text }) = plain.last_mut() {
        let _ = write!(text, "\n\n{more}");
        return;
    }
    plain.push(Message::User { text: more });
}

fn describe(tools: &[ToolSpec]) -> String {
    let mut out = String::from(
        "# Tools\n\nYou call a tool by writing a block like this, each tag at the beginning of a line, and then stopping:\n\n\
         <tool name=\"NAME\">\n<arg name=\"ARGUMENT\">\nits value, raw: no quotes, no escapes, as many lines as it takes\n</arg>\n</tool>\n\n\
         Values of numbers, truth values and lists are written as JSON. The answer comes in the next message as a <result> block; never write one \
         yourself. These are the tools:\n",
    );
    for tool in tools {
        let _ = write!(out, "\n## {}\n\n{}\n", tool.name, tool.description.trim());
        let required: Vec<&str> =
            tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let Some(properties) = tool.parameters.get("properties").and_then(Value::as_object) else { continue };
        for (name, schema) in properties {
            let kind = schema.get("type").and_then(Value::as_str).unwrap_or("text");
            let need = if required.contains(&name.as_str()) { "" } else { ", may be left out" };
            let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let words = schema.get("enum").map(|e| format!(" One of {e}.")).unwrap_or_default();
            // A list or an object is shown whole: its members are what a model gets wrong.
            let shape = if matches!(kind, "array" | "object") { format!(" Its schema: {schema}") } else { String::new() };
            let _ = writeln!(out, "- {name} ({kind}{need}): {about}{words}{shape}");
        }
    }
    out
}

/// A call as the model would have written it.
fn block(call: &ToolCall) -> String {
    let mut out = format!("<tool name=\"{}\">\n", call.name);
    match serde_json::from_str::<Value>(&call.arguments) {
        Ok(Value::Object(map)) => {
            for (name, value) in map {
                let text = value.as_str().map_or_else(|| value.to_string(), mark);
                let _ = write!(out, "<arg name=\"{name}\">\n{text}\n</arg>\n");
            }
        }
        Ok(_) | Err(_) => {
            let _ = writeln!(out, "{}", mark(&call.arguments));
        }
    }
    out.push_str("</tool>");
    out
}

/// Marks lines that would mean something.
fn mark(text: &str) -> String {
    lines(text, |line| {
        let bare = line.trim_start();
        means(bare).then(|| format!("{}\\{bare}", line.get(..line.len() - bare.len()).unwrap_or_default()))
    })
}

/// Takes one mark off every line that has one.
fn unmark(text: &str) -> String {
    lines(text, |line| {
        let bare = line.trim_start();
        let rest = bare.strip_prefix('\\').filter(|_| means(bare))?;
        Some(format!("{}{rest}", line.get(..line.len() - bare.len()).unwrap_or_default()))
    })
}

/// Whether a line begins with a tag of this protocol, marked or not.
fn means(bare: &str) -> bool {
    let bare = bare.trim_start_matches('\\');
    MARKS.iter().any(|m| bare.get(..m.len()).is_some_and(|head| head.eq_ignore_ascii_case(m)))
}

/// The text with lines replaced where `other` says so; line ends stay.
fn lines(text: &str, other: impl Fn(&str) -> Option<String>) -> String {
    text.split('\n').map(|line| other(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

/// Reads the calls out of an answer. Forgiving: quotes, case, missing ends, JSON in place of arguments. Names that were not
/// offered are no calls where a known one is near by form alone.
pub(super) fn parse(text: &str, tools: &[ToolSpec], calls_before: usize) -> Told {
    let mut told = Told { text: String::new(), calls: Vec::new() };
    let mut rest = text;
    loop {
        let Some((at, tag)) = next(rest) else {
            told.text.push_str(rest);
            return told;
        };
        told.text.push_str(rest.get(..at).unwrap_or_default());
        let from = rest.get(at..).unwrap_or_default();
        let (inside, after) = tag.body(from);
        match tag {
            // From here on it answers itself.
            Tag::Result => return told,
            Tag::Named { name, .. } => match tools.iter().find(|t| t.name.eq_ignore_ascii_case(&name)) {
                Some(tool) => told.calls.push(call(tool.name, arguments(inside, Some(tool)), calls_before + told.calls.len())),
                // The answer to an unknown tool says which there are.
                None => told.calls.push(call(&name, arguments(inside, None), calls_before + told.calls.len())),
            },
            Tag::Json { .. } => {
                for (name, arguments) in json_calls(inside) {
                    told.calls.push(call(&name, arguments, calls_before + told.calls.len()));
                }
            }
        }
        rest = after;
    }
}

fn call(name: &str, arguments: String, before: usize) -> ToolCall {
    ToolCall { id: format!("call_{}", before + 1), name: name.to_owned(), arguments }
}

/// What begins at a line.
#[derive(Debug, Clone, PartialEq)]
enum Tag {
    /// `<tool name="x">`; the letters of the tag.
    Named { name: String, head: usize },
    /// `<tool_call>`, or a fence that says it is one; the letters of it, and what ends it.
    Json { head: usize, end: &'static str },
    /// `<result`: a dream.
    Result,
}

impl Tag {
    /// What stands inside, and what comes after.
    fn body<'t>(&self, from: &'t str) -> (&'t str, &'t str) {
        let (head, end) = match self {
            Self::Named { head, .. } => (*head, "</tool>"),
            Self::Json { head, end } => (*head, *end),
            Self::Result => (0, "</result>"),
        };
        let inside = from.get(head..).unwrap_or_default();
        let closing = ends(inside, end).first().copied();
        // Without its end a block goes on until the next begins, or to the end of all.
        let (stop, skip) = match (closing, next(inside)) {
            (Some(at), Some((other, _))) if other < at => (other, 0),
            (Some(at), _) => (at, end.len()),
            (None, Some((other, _))) => (other, 0),
            (None, None) => (inside.len(), 0),
        };
        (inside.get(..stop).unwrap_or_default(), inside.get(stop + skip..).unwrap_or_default())
    }
}

/// Where a tag begins that means something, and which.
fn next(text: &str) -> Option<(usize, Tag)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start();
        let at = start + line.len() - bare.len();
        start += line.len();
        if let Some(tag) = tag(bare) {
            return Some((at, tag));
        }
    }
    None
}

fn tag(line: &str) -> Option<Tag> {
    let low = line.to_ascii_lowercase();
    if low.strip_prefix("<result").is_some_and(|rest| rest.starts_with([' ', '>'])) {
        return Some(Tag::Result);
    }
    for (head, end) in [("<tool_call>", "</tool_call>"), ("```tool_call", "```"), ("```tool", "```"), ("<tool_calls>", "</tool_calls>")] {
        if low.starts_with(head) {
            return Some(Tag::Json { head: head.len(), end });
        }
    }
    let rest = low.strip_prefix("<tool").filter(|r| r.starts_with([' ', '=', ':']))?;
    let close = rest.find('>')?;
    let head = line.len() - rest.len() + close + 1;
    let inner = line.get(line.len() - rest.len()..head - 1)?;
    let name = attribute(inner)?;
    Some(Tag::Named { name, head })
}

/// `name="x"`, `name='x'`, `name=x`, `="x"` or `x`.
fn attribute(inner: &str) -> Option<String> {
    let inner = inner.trim().trim_end_matches('/').trim();
    let value = inner.find('=').and_then(|at| inner.get(at + 1..)).unwrap_or(inner).trim();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split(char::is_whitespace).next()?,
    };
    let good = !value.is_empty() && value.len() <= 64 && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    good.then(|| value.to_owned())
}

/// Where closing tags stand that end their line, or are followed by another tag. One that was marked is part of a value.
fn ends(text: &str, end: &str) -> Vec<usize> {
    let low = text.to_ascii_lowercase();
    let closes = |at: &usize| {
        let line = low.get(at + end.len()..).unwrap_or_default().split('\n').next().unwrap_or_default().trim();
        !low.get(..*at).unwrap_or_default().ends_with('\\') && (line.is_empty() || line.starts_with('<'))
    };
    low.match_indices(end).map(|(at, _)| at).filter(closes).collect()
}

/// The arguments inside a block, as JSON.
fn arguments(inside: &str, tool: Option<&ToolSpec>) -> String {
    let mut map = Map::new();
    let mut rest = inside;
    let mut any = false;
    while let Some((at, name, head)) = next_arg(rest) {
        any = true;
        let from = rest.get(at + head..).unwrap_or_default();
        // The last end before the next argument: a value may hold one that looks like it.
        let bound = next_arg(from).map_or(from.len(), |(other, _, _)| other);
        let last = ends(from.get(..bound).unwrap_or_default(), "</arg>").last().copied();
        let (stop, skip) = last.map_or((bound, 0), |end| (end, "</arg>".len()));
        let value = from.get(..stop).unwrap_or_default();
        map.insert(name.clone(), typed(value, tool.and_then(|t| t.parameters.get("properties")?.get(&name))));
        rest = from.get(stop + skip..).unwrap_or_default();
    }
    if any {
        return Value::Object(map).to_string();
    }
    let bare = inside.trim().trim_start_matches("```json").trim_matches('`').trim();
    if bare.is_empty() { "{}".to_owned() } else { bare.to_owned() }
}

/// The next `<arg name="x">` at the beginning of a line or right after another tag: its place, its name, its letters.
fn next_arg(text: &str) -> Option<(usize, String, usize)> {
    let low = text.to_ascii_lowercase();
    low.match_indices("<arg").map(|(at, _)| at).find_map(|at| {
        let before = text.get(..at)?.rsplit('\n').next().unwrap_or_default().trim_end();
        if !(before.is_empty() || before.ends_with('>')) {
            return None;
        }
        let rest = text.get(at + 4..)?;
        let close = rest.find('>').filter(|c| !rest.get(..*c).unwrap_or_default().contains('\n'))?;
        let inner = rest.get(..close)?.strip_prefix("ument").unwrap_or(rest.get(..close)?);
        inner.starts_with([' ', '=', ':']).then_some(())?;
        Some((at, attribute(inner)?, 4 + close + 1))
    })
}

/// A raw value in the type that the schema wants; text where it does not fit.
fn typed(raw: &str, schema: Option<&Value>) -> Value {
    let text = raw.strip_prefix("\r\n").or_else(|| raw.strip_prefix('\n')).unwrap_or(raw);
    let text = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
    let kind = schema.and_then(|s| s.get("type")).and_then(Value::as_str).unwrap_or("string");
    if kind != "string"
        && let Ok(value) = serde_json::from_str::<Value>(text.trim())
    {
        return value;
    }
    Value::String(unmark(text))
}

/// Calls that were written as JSON, the way several model families are trained.
fn json_calls(inside: &str) -> Vec<(String, String)> {
    let bare = inside.trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim();
    let values = serde_json::Deserializer::from_str(bare).into_iter::<Value>().map_while(Result::ok);
    let flat = values.flat_map(|v| if let Value::Array(items) = v { items } else { vec![v] });
    flat.filter_map(|value| {
        let function = value.get("function").filter(|f| f.is_object()).unwrap_or(&value);
        let name = ["name", "tool", "function"].iter().find_map(|key| function.get(*key)?.as_str())?;
        let arguments = ["arguments", "parameters", "args", "input"].iter().find_map(|key| function.get(*key));
        let arguments = arguments.map_or_else(|| "{}".to_owned(), |a| a.as_str().map_or_else(|| a.to_string(), str::to_owned));
        Some((name.to_owned(), arguments))
    })
    .collect()
}

/// Passes on what is said, and of a call no more than its beginning.
#[derive(Debug, Default)]
pub(super) struct Listener {
    held: String,
    inside: bool,
    within_line: bool,
}

impl Listener {
    pub(super) fn push(&mut self, piece: &str, hear: &mut Hear<'_>) {
        self.held.push_str(piece);
        while let Some(end) = self.held.find('\n') {
            let more = self.held.split_off(end + 1);
            let line = std::mem::replace(&mut self.held, more);
            self.line(&line, hear);
            self.within_line = false;
        }
        // The beginning of a line waits until it cannot become a tag.
        let bare = self.held.trim_start().to_ascii_lowercase();
        let open = bare.is_empty()
            || bare.starts_with("<tool")
            || bare.starts_with("```tool")
            || "<tool".starts_with(&bare)
            || "```tool".starts_with(&bare);
        if !self.inside && (self.within_line || !open) {
            let held = std::mem::take(&mut self.held);
            self.within_line = true;
            hear(Heard::Text(&held));
        }
    }

    fn line(&mut self, line: &str, hear: &mut Hear<'_>) {
        if self.within_line {
            return hear(Heard::Text(line));
        }
        match tag(line.trim_start()) {
            Some(Tag::Named { name, .. }) => {
                self.inside = true;
                hear(Heard::Calling(&name));
            }
            Some(Tag::Json { .. }) => self.inside = true,
            Some(Tag::Result) | None if !self.inside => hear(Heard::Text(line)),
            Some(Tag::Result) | None => {}
        }
        let low = line.to_ascii_lowercase();
        if self.inside && ["</tool>", "</tool_call>", "</tool_calls>"].iter().any(|end| low.contains(end)) || line.trim() == "```" {
            self.inside = false;
        }
    }

    pub(super) fn end(&mut self, hear: &mut Hear<'_>) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.line(&held, hear);
        }
    }
}

#[cfg(test)]
#[path = "text_tools_tests.rs"]
mod tests;
