//! What a server does not know is left out, once and for all.

use crate::{
    endpoint::{Endpoint, Reply},
    support::{ask, ask_with, endpoint, messages},
};
use serde_json::{Value, json};
use trialdeck::propose::llm::{self, Api, Client, FaultKind, Message, ToolCall, ToolStyle};

/// A server that refuses requests with this field, in these words.
fn without(field: &'static str, says: &'static str) -> Endpoint {
    Endpoint::start(move |_, request| {
        if request.body.pointer(field).is_some() {
            return Reply::error(400, says);
        }
        if request.path.ends_with("responses") { Reply::responses("", "ok", &[]) } else { Reply::chat("", "ok") }
    })
}

#[test]
fn a_field_that_is_refused_is_left_out_from_then_on() {
    for (api, field, says) in [
        (Api::Chat, "/stream_options", "Unrecognized request argument supplied: stream_options"),
        (Api::Chat, "/max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        (Api::Chat, "/temperature", "Unsupported value: 'temperature' does not support 0.3 with this model."),
        (Api::Chat, "/reasoning_effort", "reasoning_effort: Extra inputs are not permitted"),
        (Api::Chat, "/tools", "m-1 does not support tools"),
        (Api::Responses, "/include", "Encrypted content is not supported with this model."),
        (Api::Responses, "/reasoning/summary", "Your organization must be verified to generate reasoning summaries"),
        (Api::Responses, "/reasoning", "Unsupported parameter: 'reasoning.effort' is not supported with this model."),
    ] {
        let server = without(field, says);
        let full =
            llm::Endpoint { api, temperature: Some(0.3), max_tokens: Some(50), reasoning_effort: Some("low".into()), ..endpoint(&server) };
        let client = Client::new(full).unwrap();
        let (answer, heard) = ask(&client);
        assert_eq!(answer.unwrap_or_else(|f| panic!("{field}: {f}")).text, "ok");
        assert!(heard.retries.len() == 1 && heard.retries[0].contains("asked again with"), "{field}: {heard:?}");
        assert_eq!(heard.waits, [0.0], "{field}: nothing to wait for");
        ask(&client).0.unwrap();
        let sent: Vec<bool> = server.requests().iter().map(|r| r.body.pointer(field).is_some()).collect();
        assert_eq!(sent, [true, false, false], "{field}: asked once, remembered");
    }
}

#[test]
fn several_complaints_are_met_one_by_one() {
    let server = Endpoint::start(|_, request| {
        let has = |field: &str| request.body.get(field).is_some();
        let detail = |text: &str| {
            Reply::plain(
                422,
                "application/json",
                &json!({ "detail": [{ "loc": ["body", text], "msg": "Extra inputs are not permitted" }] }).to_string(),
            )
        };
        match () {
            () if has("stream_options") => detail("stream_options"),
            () if has("max_tokens") => Reply::error(400, "use max_completion_tokens"),
            () if has("tools") => Reply::error(500, "tools param requires --jinja flag"),
            () => Reply::chat("", "<tool name=\"read\">\n<arg name=\"path\">a</arg>\n</tool>"),
        }
    });
    let client = Client::new(llm::Endpoint { max_tokens: Some(50), ..endpoint(&server) }).unwrap();
    let (answer, heard) = ask(&client);
    let answer = answer.unwrap();
    assert_eq!((answer.calls[0].name.as_str(), heard.retries.len(), server.requests().len()), ("read", 3, 4));
    assert!(client.seen().tools_in_words);
    assert_eq!(server.requests()[3].body["max_completion_tokens"], 50);
}

#[test]
fn a_complaint_that_does_not_end_is_believed() {
    let server = Endpoint::start(|_, _| Reply::error(400, "'temperature' must be 1"));
    let client = Client::new(llm::Endpoint { temperature: Some(0.3), ..endpoint(&server) }).unwrap();
    let fault = ask(&client).0.unwrap_err();
    assert_eq!((fault.kind, server.requests().len()), (FaultKind::Setup, 2));
    assert!(fault.line.contains("'temperature' must be 1"), "{fault}");
    // Who wants tools in the request's own field alone is told that there are none.
    let server = Endpoint::start(|_, _| Reply::error(400, "m-1 does not support tools"));
    let client = Client::new(llm::Endpoint { tools: ToolStyle::Native, ..endpoint(&server) }).unwrap();
    let fault = ask(&client).0.unwrap_err();
    assert_eq!((fault.kind, server.requests().len()), (FaultKind::Setup, 1));
}

#[test]
fn a_conversation_that_is_too_long_is_told_as_that() {
    for (status, says) in [
        (
            400,
            json!({ "error": { "code": "context_length_exceeded", "message": "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens" } }),
        ),
        (400, json!({ "object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400 })),
        (
            500,
            json!({ "error": { "code": 500, "message": "the request exceeds the available context size. try increasing the context size" } }),
        ),
        (413, json!({ "detail": "Payload Too Large" })),
        (400, json!({ "error": { "message": "prompt is too long: 210000 tokens > 200000 maximum" } })),
    ] {
        let body: Value = says.clone();
        let server = Endpoint::start(move |_, _| Reply::plain(status, "application/json", &body.to_string()));
        let fault = ask(&Client::new(endpoint(&server)).unwrap()).0.unwrap_err();
        assert_eq!((fault.kind, server.requests().len()), (FaultKind::TooLong, 1), "{says}");
    }
}

#[test]
fn questions_at_the_same_time_learn_together() {
    let gate = crate::endpoint::Gate::default();
    let both = gate.clone();
    // Nobody is refused before both have asked.
    let server = Endpoint::start(move |n, request| {
        if request.body.get("stream_options").is_none() {
            return Reply::chat("", "ok");
        }
        if n == 1 {
            both.open();
        }
        gate.wait();
        Reply::error(400, "unknown field stream_options")
    });
    let client = Client::new(endpoint(&server)).unwrap();
    std::thread::scope(|scope| {
        let asked = [0, 1].map(|_| scope.spawn(|| ask(&client).0));
        for answer in asked {
            assert_eq!(answer.join().unwrap().unwrap().text, "ok");
        }
    });
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_talk_in_words_stays_in_words_when_no_tool_is_left() {
    let server = Endpoint::start(|_, _| Reply::chat("", "Done.\n<results>\nfine\n</results>"));
    let client = Client::new(llm::Endpoint { tools: ToolStyle::Text, ..endpoint(&server) }).unwrap();
    let mut talk = messages();
    talk.push(Message::Assistant {
        text: String::new(),
        calls: vec![ToolCall { id: "a".into(), name: "read".into(), arguments: "{}".into() }],
        opaque: vec![],
    });
    talk.push(Message::Tool { call: "a".into(), name: "read".into(), text: "x = 1".into(), failed: false });
    let answer = ask_with(&client, &talk, &[]).0.unwrap();
    assert_eq!(answer.text, "Done.\n<results>\nfine\n</results>");
    let sent = server.requests()[0].body["messages"].to_string();
    assert!(!sent.contains("tool_calls") && !sent.contains("\"tool\"") && sent.contains("<result tool="), "{sent}");
}
