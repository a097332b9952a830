//! `/responses`: the body of a question, and what the events of an answer mean. Pure.
//!
//! Nothing is stored at the server; its reasoning comes encrypted and goes back as it was.

use super::{
    Ask, Finish, Message, chat,
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
    put("input", ask.messages.iter().flat_map(items).collect::<Vec<_>>().into());
    put("stream", true.into());
    if !quirks.has(Quirk::Store) {
        put("store", false.into());
    }
    if !quirks.has(Quirk::Encrypted) {
        put("include", json!(["reasoning.encrypted_content"]));
    }
    if let Some(temperature) = endpoint.temperature.filter(|_| !quirks.has(Quirk::Temperature)) {
        put("temperature", temperature.into());
    }
    if !quirks.has(Quirk::Effort) {
        let mut reasoning = Map::new();
        if let Some(effort) = &endpoint.reasoning_effort {
            reasoning.insert("effort".into(), effort.clone().into());
        }
        if !quirks.has(Quirk::Summary) {
            reasoning.insert("summary".into(), "auto".into());
        }
        if !reasoning.is_empty() {
            put("reasoning", reasoning.into());
        }
    }
    if let Some(most) = chat::limit(endpoint, ask).filter(|_| !quirks.has(Quirk::ManyTokens)) {
        put("max_output_tokens", most.into());
    }
    if !ask.tools.is_empty() {
        let tool = |t: &super::ToolSpec| json!({ "type": "function", "name": t.name, "description": t.description, "parameters": t.parameters, "strict": false });
        put("tools", ask.tools.iter().map(tool).collect::<Vec<_>>().into());
    }
    Value::Object(body)
}

fn items(message: &Message) -> Vec<Value> {
    let text_item =
        |role: &str, kind: &str, text: &str| json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] });
    match message {
        Message::System { text } => vec![text_item("system", "input_text", text)],
        Message::User { text } => vec![text_item("user", "input_text", text)],
        Message::Assistant { text, calls, opaque } => {
            let thoughts = opaque.iter().filter(|o| o.get("type").and_then(Value::as_str) == Some("reasoning")).cloned();
            let said = (!text.is_empty()).then(|| text_item("assistant", "output_text", text));
            let calls = calls
                .iter()
                .map(|c| json!({ "type": "function_call", "call_id": c.id, "name": c.name, "arguments": chat::arguments(&c.arguments) }));
            thoughts.chain(said).chain(calls).collect()
        }
        Message::Tool { call, text, .. } => vec![json!({ "type": "function_call_output", "call_id": call, "output": text })],
    }
}

/// What is remembered between events.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Number of the last event: some servers send one twice.
    last: Option<u64>,
    /// Calls and thoughts came as items; what the last event repeats of them is left out.
    items: bool,
}

impl Events {
    /// Takes in one event, or a whole response.
    pub(super) fn take(&mut self, event: &Value, asked: &Value, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        gather.events += 1;
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(number) = event.get("sequence_number").and_then(Value::as_u64) {
            if self.last.is_some_and(|last| number <= last) {
                return Ok(());
            }
            self.last = Some(number);
        }
        match text("type") {
            "response.output_text.delta" | "response.refusal.delta" => gather.content(text("delta")),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => gather.reasoning(text("delta")),
            "response.reasoning_summary_part.added" => match event.get("summary_index").and_then(Value::as_u64) {
                Some(0) | None => Ok(()),
                Some(_) => gather.reasoning("\n\n"),
            },
            "response.output_item.added" => self.begun(event.get("item").unwrap_or(&Value::Null), event.get("output_index"), gather),
            "response.function_call_arguments.delta" => {
                let index = event.get("output_index").and_then(Value::as_u64);
                gather.call(CallPiece { index, arguments: text("delta").to_owned(), ..CallPiece::default() })
            }
            "response.output_item.done" => self.item(event.get("item").unwrap_or(&Value::Null), event.get("output_index"), gather),
            "response.completed" | "response.done" | "response.incomplete" | "response.failed" => {
                self.whole(event.get("response").unwrap_or(&Value::Null), asked, gather)
            }
            "error" => {
                let inner = event.get("error").filter(|e| !e.is_null()).unwrap_or(event);
                Err(trouble::inside(inner, asked))
            }
            "" if event.get("output").is_some() => self.whole(event, asked, gather),
            "" => match event.get("error").filter(|e| !e.is_null()) {
                Some(error) => Err(trouble::inside(error, asked)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn begun(&mut self, item: &Value, index: Option<&Value>, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        if item.get("type").and_then(Value::as_str) != Some("function_call") {
            return Ok(());
        }
        gather.call(piece(item, index, false))
    }

    /// An item that is complete.
    fn item(&mut self, item: &Value, index: Option<&Value>, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        match item.get("type").and_then(Value::as_str).unwrap_or_default() {
            "function_call" => {
                self.items = true;
                gather.call(piece(item, index, true))
            }
            "reasoning" => {
                self.items = true;
                let mut kept = item.clone();
                if let Value::Object(kept) = &mut kept {
                    kept.remove("status");
                }
                // Without its encrypted body a server that stored nothing could not find it again.
                if item.get("encrypted_content").is_some_and(|e| !e.is_null()) {
                    gather.hold(chat::size(&kept))?;
                    gather.opaque.push(kept);
                }
                Ok(())
            }
            // What was not heard piece by piece.
            "message" if gather.is_without_text() => {
                let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
                parts
                    .filter_map(|p| ["text", "refusal"].iter().find_map(|key| p.get(*key)?.as_str()))
                    .try_for_each(|text| gather.content(text))
            }
            _ => Ok(()),
        }
    }

    /// A response as a whole: its count, why it ended, and items that were not heard one by one.
    fn whole(&mut self, response: &Value, asked: &Value, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        let number = |pointer: &str| response.pointer(pointer).and_then(Value::as_u64);
        if let (Some(prompt), Some(completion)) = (number("/usage/input_tokens"), number("/usage/output_tokens")) {
            gather.usage = Some(Usage { prompt, cached: number("/usage/input_tokens_details/cached_tokens").unwrap_or(0), completion });
        }
        if let Some(error) = response.get("error").filter(|e| !e.is_null()) {
            return Err(trouble::inside(error, asked));
        }
        if !self.items {
            for (index, item) in response.get("output").and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.item(item, Some(&index.into()), gather)?;
            }
        }
        gather.finish = Some(match response.get("status").and_then(Value::as_str).unwrap_or("completed") {
            "incomplete" => match response.pointer("/incomplete_details/reason").and_then(Value::as_str) {
                Some("content_filter") => Finish::Filter,
                _ => Finish::Length,
            },
            "failed" | "cancelled" => return Err(Trouble::again("gave up and did not say why", "look at its log")),
            _ if gather.has_calls() => Finish::Tools,
            _ => Finish::Stop,
        });
        Ok(())
    }
}

fn piece<'a>(item: &'a Value, index: Option<&Value>, whole: bool) -> CallPiece<'a> {
    let text = |key: &str| item.get(key).and_then(Value::as_str);
    let arguments = match item.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    CallPiece { index: index.and_then(Value::as_u64), id: text("call_id").or_else(|| text("id")), name: text("name"), arguments, whole }
}
