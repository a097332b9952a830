//! `/chat/completions`: the body of a question, and what the chunks of an answer mean. Pure.
//!
//! Chunks are read as plain JSON, member by member: each server leaves out, doubles or renames something.

use super::{
    Ask, Finish, Message, ToolCall,
    endpoint::Endpoint,
    gather::{CallPiece, Gather},
    quirks::{Quirk, Quirks},
    spent::Usage,
    trouble::{self, Trouble},
};
use serde_json::{Map, Value, json};

/// The body of a question.
pub(super) fn body(endpoint: &Endpoint, ask: &Ask<'_>, quirks: &Quirks) -> Value {
    let mut body = endpoint.body.clone();
    let mut put = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    put("model", endpoint.model.clone().into());
    put("messages", ask.messages.iter().fold(Vec::new(), message).into());
    put("stream", true.into());
    if !quirks.has(Quirk::Usage) {
        put("stream_options", json!({ "include_usage": true }));
    }
    if let Some(temperature) = endpoint.temperature.filter(|_| !quirks.has(Quirk::Temperature)) {
        put("temperature", temperature.into());
    }
    if let Some(effort) = endpoint.reasoning_effort.as_ref().filter(|_| !quirks.has(Quirk::Effort)) {
        put("reasoning_effort", effort.clone().into());
    }
    if let Some(most) = limit(endpoint, ask).filter(|_| !quirks.has(Quirk::ManyTokens)) {
        let new = (quirks.has(Quirk::MaxTokens) || endpoint.host() == "api.openai.com") && !quirks.has(Quirk::MaxCompletionTokens);
        put(if new { "max_completion_tokens" } else { "max_tokens" }, most.into());
    }
    if !ask.tools.is_empty() {
        let tool = |t: &super::ToolSpec| json!({ "type": "function", "function": { "name": t.name, "description": t.description, "parameters": t.parameters } });
        put("tools", ask.tools.iter().map(tool).collect::<Vec<_>>().into());
    }
    Value::Object(body)
}

/// Tokens of the answer at most: the question's limit and the configuration's, whichever is less.
pub(super) fn limit(endpoint: &Endpoint, ask: &Ask<'_>) -> Option<u32> {
    match (ask.max_tokens, endpoint.max_tokens) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn message(mut list: Vec<Value>, message: &Message) -> Vec<Value> {
    let value = match message {
        Message::System { text } => json!({ "role": "system", "content": text }),
        Message::User { text } => {
            // Many templates want turns: two questions in a row are one.
            if let Some(Value::Object(last)) = list.last_mut()
                && last.get("role").and_then(Value::as_str) == Some("user")
                && let Some(Value::String(content)) = last.get_mut("content")
            {
                content.push_str("\n\n");
                content.push_str(text);
                return list;
            }
            json!({ "role": "user", "content": text })
        }
        Message::Assistant { text, calls, opaque } => {
            let mut said = json!({ "role": "assistant", "content": text });
            if let Value::Object(said) = &mut said {
                if !calls.is_empty() {
                    let calls: Vec<Value> = calls.iter().map(|c| call(c, opaque)).collect();
                    said.insert("tool_calls".into(), calls.into());
                }
                for details in opaque.iter().filter_map(|o| o.get(DETAILS)) {
                    said.insert(DETAILS.into(), details.clone());
                }
            }
            said
        }
        Message::Tool { call, text, .. } => json!({ "role": "tool", "tool_call_id": call, "content": text }),
    };
    list.push(value);
    list
}

/// What routers want back of a model's thoughts.
const DETAILS: &str = "reasoning_details";
/// What some models want back with a call: a signature of the thought behind it.
const EXTRA: &str = "extra_content";

fn call(call: &ToolCall, opaque: &[Value]) -> Value {
    let mut value =
        json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments(&call.arguments) } });
    let extra = opaque.iter().find(|o| o.get("call").and_then(Value::as_str) == Some(&call.id)).and_then(|o| o.get(EXTRA));
    if let (Some(extra), Value::Object(value)) = (extra, &mut value) {
        value.insert(EXTRA.into(), extra.clone());
    }
    value
}

/// Arguments that go back. Templates parse them, so what was no object is wrapped.
pub(super) fn arguments(said: &str) -> String {
    match serde_json::from_str::<Value>(said) {
        Ok(Value::Object(_)) => said.to_owned(),
        Ok(_) | Err(_) => json!({ "not_an_object": said }).to_string(),
    }
}

/// Takes in one chunk, or a whole answer of the same shape.
pub(super) fn take(chunk: &Value, asked: &Value, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
    gather.events += 1;
    if let Some(error) = chunk.get("error").filter(|e| !e.is_null()) {
        return Err(trouble::inside(error, asked));
    }
    if chunk.get("object").and_then(Value::as_str) == Some("error") {
        return Err(trouble::inside(chunk, asked));
    }
    if let Some(usage) = chunk.get("usage").and_then(usage) {
        gather.usage = Some(usage);
    }
    let Some(choice) = chunk.get("choices").and_then(|c| c.get(0)) else { return Ok(()) };
    if let Some(error) = choice.get("error").filter(|e| !e.is_null()) {
        return Err(trouble::inside(error, asked));
    }
    // Some servers count in the choice.
    if let Some(usage) = choice.get("usage").and_then(usage) {
        gather.usage = Some(usage);
    }
    if let Some(delta) = choice.get("delta").or_else(|| choice.get("message")) {
        said(delta, gather)?;
    }
    match choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default() {
        "" | "null" => {}
        "tool_calls" | "function_call" => gather.finish = Some(Finish::Tools),
        "length" | "max_tokens" | "model_length" => gather.finish = Some(Finish::Length),
        "content_filter" | "safety" | "SAFETY" => gather.finish = Some(Finish::Filter),
        "error" => return Err(Trouble::again("broke off with an error and no words", "look at its log")),
        _ => gather.finish = Some(Finish::Stop),
    }
    Ok(())
}

fn said(delta: &Value, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
    let text = |key: &str| delta.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    if let Some(thought) = text("reasoning_content").or_else(|| text("reasoning")).or_else(|| text("thinking")) {
        gather.reasoning(thought)?;
    }
    if let Some(Value::Array(details)) = delta.get(DETAILS) {
        gather.hold(details.iter().map(size).sum())?;
        keep(details, gather);
    }
    match delta.get("content") {
        Some(Value::String(content)) => gather.content(content)?,
        Some(Value::Array(parts)) => {
            for part in parts {
                if let Some(text) = part.get("text").and_then(Value::as_str) {
                    gather.content(text)?;
                }
                for thought in part.get("thinking").and_then(Value::as_array).into_iter().flatten().filter_map(|t| t.get("text")?.as_str())
                {
                    gather.reasoning(thought)?;
                }
            }
        }
        _ => {}
    }
    if let Some(refusal) = text("refusal") {
        gather.content(refusal)?;
    }
    for call in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let function = call.get("function").unwrap_or(call);
        let (arguments, whole) = match function.get("arguments") {
            Some(Value::String(piece)) => (piece.clone(), false),
            // An object is all of it, whatever the standard says.
            Some(other @ (Value::Object(_) | Value::Array(_))) => (other.to_string(), true),
            _ => (String::new(), false),
        };
        let id = call.get("id").and_then(Value::as_str);
        if let (Some(id), Some(extra)) = (id, call.get(EXTRA)) {
            gather.hold(id.len() + size(extra))?;
            gather.opaque.push(json!({ "call": id, EXTRA: extra }));
        }
        gather.call(CallPiece {
            index: call.get("index").and_then(Value::as_u64),
            id,
            name: function.get("name").and_then(Value::as_str),
            arguments,
            whole,
        })?;
    }
    Ok(())
}

/// Bytes of a value as JSON, about.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

/// Puts the details of thoughts together: pieces with the same number are one.
fn keep(details: &[Value], gather: &mut Gather<'_, '_>) {
    const MOST: usize = 256;
    if !gather.opaque.iter().any(|o| o.get(DETAILS).is_some()) {
        gather.opaque.push(json!({ DETAILS: [] }));
    }
    let Some(Value::Array(kept)) = gather.opaque.iter_mut().find_map(|o| o.get_mut(DETAILS)) else { return };
    for detail in details {
        let room = kept.len() < MOST;
        let same =
            |k: &&mut Value| detail.get("index").is_some() && k.get("index") == detail.get("index") && k.get("type") == detail.get("type");
        match (kept.iter_mut().find(same), detail) {
            (Some(Value::Object(before)), Value::Object(more)) => grow(before, more),
            _ if room => kept.push(detail.clone()),
            _ => {}
        }
    }
}

fn grow(before: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match (before.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(piece)) if ["text", "summary", "data"].contains(&key.as_str()) => {
                text.push_str(piece)
            }
            (Some(Value::Null) | None, value) => drop(before.insert(key.clone(), value.clone())),
            _ => {}
        }
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    let number = |pointer: &str| usage.pointer(pointer).and_then(|n| n.as_u64().or_else(|| n.as_f64().map(|f| f.max(0.0) as u64)));
    let (prompt, completion) = (number("/prompt_tokens"), number("/completion_tokens"));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let cached = number("/prompt_tokens_details/cached_tokens").or_else(|| number("/prompt_cache_hit_tokens")).unwrap_or(0);
    Some(Usage { prompt: prompt.unwrap_or(0), cached, completion: completion.unwrap_or(0) })
}
