//! Answers as they should be, by both APIs and in words.

use crate::{
    endpoint::{Endpoint, Gate, Reply, Step, chunk, done, finish, usage},
    support::{ask, ask_with, endpoint, messages, tool},
};
use serde_json::{Value, json};
use std::sync::Arc;
use trialdeck::propose::llm::{self, Api, Client, Finish, Message, Prices, Secret, ToolCall, ToolStyle};

#[test]
fn chat_tells_thoughts_from_words() {
    let server = Endpoint::start(|_, _| Reply::chat("I wonder what.", "A loop of training."));
    let client =
        Client::new(llm::Endpoint { prices: Some(Prices { input: 10.0, cached_input: None, output: 100.0 }), ..endpoint(&server) })
            .unwrap();
    let (answer, heard) = ask(&client);
    let answer = answer.unwrap();
    assert_eq!((answer.text.as_str(), answer.reasoning.as_str(), answer.finish), ("A loop of training.", "I wonder what.", Finish::Stop));
    assert_eq!((heard.text.as_str(), heard.reasoning.as_str()), ("A loop of training.", "I wonder what."));
    assert_eq!(
        (answer.spend.calls, answer.spend.prompt_tokens, answer.spend.completion_tokens, answer.spend.estimated),
        (1, 100, 20, false)
    );
    assert!((answer.spend.usd - 0.003).abs() < 1e-12 && answer.first_token_secs.is_some() && client.seen().streamed);
    let request = &server.requests()[0];
    assert_eq!(
        (request.path.as_str(), &request.body["model"], &request.body["stream"]),
        ("/v1/chat/completions", &json!("m-1"), &json!(true))
    );
    assert_eq!(request.body["messages"][0], json!({ "role": "system", "content": "Be brief." }));
    assert_eq!(request.body["tools"][0]["function"]["name"], "read");
    assert_eq!(request.header("authorization"), None, "no key, no header, whatever lies in the environment");
}

#[test]
fn thoughts_come_under_several_names() {
    let said = |delta: Value| vec![chunk(delta), chunk(json!({ "content": "ok" })), finish("stop"), done()];
    for (what, steps) in [
        ("reasoning_content", said(json!({ "reasoning_content": "hm" }))),
        ("reasoning", said(json!({ "reasoning": "hm" }))),
        ("both", said(json!({ "reasoning_content": "hm", "reasoning": "hm" }))),
        ("one of them empty", said(json!({ "reasoning_content": "", "reasoning": "hm" }))),
        ("one of them null", said(json!({ "reasoning_content": null, "reasoning": "hm" }))),
        (
            "tags",
            vec![
                chunk(json!({ "content": "<th" })),
                chunk(json!({ "content": "ink>hm</thi" })),
                chunk(json!({ "content": "nk>ok" })),
                finish("stop"),
                done(),
            ],
        ),
        ("a list of parts", said(json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }] }))),
    ] {
        let server = Endpoint::start(move |_, _| Reply::stream(steps.clone()));
        let (answer, heard) = ask(&Client::new(endpoint(&server)).unwrap());
        let answer = answer.unwrap();
        assert_eq!((answer.reasoning.as_str(), answer.text.as_str()), ("hm", "ok"), "{what}");
        assert_eq!((heard.reasoning.as_str(), heard.text.as_str()), ("hm", "ok"), "{what}");
        assert!(
            answer.spend.estimated && answer.spend.prompt_tokens > 10 && answer.spend.completion_tokens > 0,
            "{what}: no count, so letters"
        );
    }
}

#[test]
fn a_piece_is_heard_as_soon_as_it_comes() {
    let gate = Gate::default();
    let opened = gate.clone();
    let server = Endpoint::start(move |_, _| {
        Reply::stream(vec![
            chunk(json!({ "content": "one " })),
            Step::Wait(gate.clone()),
            chunk(json!({ "content": "two" })),
            finish("stop"),
            done(),
        ])
    });
    let client = Client::new(endpoint(&server)).unwrap();
    let mut pieces = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let messages = messages();
    let mut hear = |heard: llm::Heard<'_>| {
        if let llm::Heard::Text(piece) = heard {
            pieces.push(piece.to_owned());
            // The rest comes only because the first piece was heard.
            opened.open();
        }
    };
    let answer = runtime.block_on(llm::Llm::ask(&client, llm::Ask { messages: &messages, tools: &[], max_tokens: Some(9) }, &mut hear));
    assert_eq!((answer.unwrap().text.as_str(), pieces.len()), ("one two", 2));
    assert_eq!(server.requests()[0].body["max_tokens"], 9);
}

#[test]
fn calls_come_whole_in_pieces_and_as_objects() {
    let call = |value: Value| chunk(json!({ "tool_calls": [value] }));
    for (what, steps, reason) in [
        (
            "in pieces",
            vec![
                call(json!({ "index": 0, "id": "a", "function": { "name": "read", "arguments": "{\"pa" } })),
                call(json!({ "index": 0, "function": { "arguments": "th\": \"x\"}" } })),
            ],
            "tool_calls",
        ),
        ("whole, without an id", vec![call(json!({ "function": { "name": "read", "arguments": "{\"path\": \"x\"}" } }))], "tool_calls"),
        ("an object", vec![call(json!({ "index": 0, "id": "a", "function": { "name": "read", "arguments": { "path": "x" } } }))], "stop"),
        (
            "left in the text",
            vec![chunk(json!({ "content": "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"x\"}}\n</tool_call>" }))],
            "stop",
        ),
    ] {
        let mut steps = steps;
        steps.extend([finish(reason), usage(5, 5), done()]);
        let server = Endpoint::start(move |_, _| Reply::stream(steps.clone()));
        let (answer, heard) = ask(&Client::new(endpoint(&server)).unwrap());
        let answer = answer.unwrap();
        let arguments: Value = serde_json::from_str(&answer.calls[0].arguments).unwrap();
        assert_eq!(
            (answer.calls.len(), answer.calls[0].name.as_str(), arguments, answer.finish),
            (1, "read", json!({ "path": "x" }), Finish::Tools),
            "{what}"
        );
        assert!(!answer.calls[0].id.is_empty() && heard.calling == ["read"], "{what}: {heard:?}");
    }
    // What is no JSON is the tool's to answer; it goes back wrapped, for templates parse it.
    let server = Endpoint::start(move |n, _| match n {
        0 => Reply::stream(vec![
            call(json!({ "index": 0, "id": "a", "function": { "name": "read", "arguments": "{\"path\": " } })),
            finish("tool_calls"),
            done(),
        ]),
        _ => Reply::chat("", "ok"),
    });
    let client = Client::new(endpoint(&server)).unwrap();
    let answer = ask(&client).0.unwrap();
    assert_eq!(answer.calls[0].arguments, "{\"path\": ");
    let mut talk = messages();
    talk.push(Message::Assistant { text: answer.text, calls: answer.calls, opaque: answer.opaque });
    talk.push(Message::Tool { call: "a".into(), name: "read".into(), text: "no JSON".into(), failed: true });
    ask_with(&client, &talk, &[tool()]).0.unwrap();
    let sent = &server.requests()[1].body["messages"];
    assert_eq!(sent[2]["tool_calls"][0]["function"]["arguments"], json!({ "not_an_object": "{\"path\": " }).to_string());
    assert_eq!(sent[3], json!({ "role": "tool", "tool_call_id": "a", "content": "no JSON" }));
}

#[test]
fn responses_give_their_reasoning_back_and_get_it_again() {
    let server = Endpoint::start(|n, _| match n {
        0 => Reply::responses("I read first.", "", &[("read", json!({ "path": "x" }))]),
        _ => Reply::responses("", "It is a loop.", &[]),
    });
    let prices = Some(Prices { input: 10.0, cached_input: Some(1.0), output: 0.0 });
    let effort = Some("low".to_owned());
    let client = Client::new(llm::Endpoint { api: Api::Responses, prices, reasoning_effort: effort, ..endpoint(&server) }).unwrap();
    let (answer, heard) = ask(&client);
    let answer = answer.unwrap();
    assert_eq!((answer.reasoning.as_str(), answer.finish, answer.calls.len()), ("I read first.", Finish::Tools, 1));
    assert_eq!(answer.calls[0], ToolCall { id: "c0_read".into(), name: "read".into(), arguments: "{\"path\":\"x\"}".into() });
    assert_eq!((heard.calling, answer.spend.cached_tokens), (vec!["read".to_owned()], 40));
    assert!((answer.spend.usd - 64e-5).abs() < 1e-12, "{:?}", answer.spend);
    let mut talk = messages();
    talk.push(Message::Assistant { text: answer.text, calls: answer.calls, opaque: answer.opaque });
    talk.push(Message::Tool { call: "c0_read".into(), name: "read".into(), text: "while True:".into(), failed: false });
    let answer = ask_with(&client, &talk, &[tool()]).0.unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("It is a loop.", Finish::Stop));
    let requests = server.requests();
    let first = &requests[0].body;
    assert_eq!(
        (requests[0].path.as_str(), &first["store"], &first["include"]),
        ("/v1/responses", &json!(false), &json!(["reasoning.encrypted_content"]))
    );
    assert_eq!((&first["reasoning"], &first["tools"][0]["name"]), (&json!({ "effort": "low", "summary": "auto" }), &json!("read")));
    let input = requests[1].body["input"].as_array().unwrap();
    let kinds: Vec<&str> = input.iter().map(|i| i["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "message", "reasoning", "function_call", "function_call_output"]);
    assert_eq!((&input[2]["encrypted_content"], &input[4]["output"]), (&json!("opaque=="), &json!("while True:")));
}

#[test]
fn tools_in_words_have_the_same_effect() {
    for api in [Api::Chat, Api::Responses] {
        let said = "I look.\n<tool name=\"read\">\n<arg name=\"path\">train.py</arg>\n</tool>";
        let server =
            Endpoint::start(
                move |_, request| if request.path.ends_with("responses") { Reply::responses("", said, &[]) } else { Reply::chat("", said) },
            );
        let client = Client::new(llm::Endpoint { tools: ToolStyle::Text, api, ..endpoint(&server) }).unwrap();
        let (answer, heard) = ask(&client);
        let answer = answer.unwrap();
        assert_eq!(
            (answer.text.as_str(), answer.finish, answer.calls[0].arguments.as_str()),
            ("I look.", Finish::Tools, "{\"path\":\"train.py\"}")
        );
        assert_eq!((heard.text.trim(), heard.calling), ("I look.", vec!["read".to_owned()]));
        let request = &server.requests()[0];
        assert!(request.body.get("tools").is_none() && request.said().contains("## read") && client.seen().tools_in_words);
    }
}

#[test]
fn a_key_goes_into_its_header_and_nowhere_else() {
    let server = Endpoint::start(|_, _| Reply::chat("", "ok"));
    let key = Secret::new("correct-horse-battery-1").unwrap();
    let headers = vec![("x-title".to_owned(), "lab".to_owned())];
    let body = json!({ "top_p": 0.5 }).as_object().cloned().unwrap();
    let client = Client::new(llm::Endpoint { key: Arc::new(key), headers, body, temperature: Some(0.5), ..endpoint(&server) }).unwrap();
    ask(&client).0.unwrap();
    let request = &server.requests()[0];
    assert_eq!((request.header("authorization"), request.header("x-title")), (Some("Bearer correct-horse-battery-1"), Some("lab")));
    assert_eq!((&request.body["top_p"], &request.body["temperature"]), (&json!(0.5), &json!(0.5)));
    assert!(!request.body.to_string().contains("horse") && !format!("{:?}", client.endpoint()).contains("horse"));
}
