//! Everything that servers do wrong: what helps is tried again, what does not is one line that says what to do.

use crate::{
    endpoint::{Endpoint, Reply, Step, chunk, done, finish},
    support::{ask, endpoint, quick},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use trialdeck::propose::llm::{self, Api, Client, FaultKind, Finish, KeySource, Patience, Secret};

fn half() -> Step {
    chunk(json!({ "content": "Half an ans" }))
}

/// What comes first, and whether it is as bad as to be tried again.
fn troubles() -> Vec<(&'static str, Reply)> {
    let event = |value: serde_json::Value| Step::Event(value);
    vec![
        ("cut in mid-word", Reply::stream(vec![half(), Step::Cut])),
        ("broke", Reply::hang_up()),
        ("ended in mid-answer", Reply::stream(vec![half()])),
        ("ended in mid-answer", Reply::stream(vec![half()]).until_closed()),
        ("overloaded", Reply::stream(vec![half(), event(json!({ "error": { "message": "overloaded", "code": 503 } }))])),
        ("out of memory", Reply::stream(vec![half(), event(json!({ "error": "out of memory" }))])),
        ("try later", Reply::stream(vec![event(json!({ "object": "error", "message": "try later", "code": 429 }))])),
        ("a web page, “Gateway”", Reply::plain(200, "text/html", "<html><head><title>Gateway</title></head><body>x</body></html>")),
        ("502: a web page, “Bad Gateway”", Reply::plain(502, "text/html", "<html><title>Bad Gateway</title></html>")),
        ("answered 500: oh no", Reply::error(500, "oh no")),
        ("answered 503", Reply::plain(503, "text/plain", "")),
        ("answered 529: busy", Reply::plain(529, "application/json", "{\"detail\": \"busy\"}")),
        ("answered 429: slowly", Reply::plain(429, "application/json", "{\"error\": \"slowly\", \"code\": 1302}")),
        ("no JSON: {\"choices\"", Reply::stream(vec![half(), Step::Raw("data: {\"choices\": [{\"delta\n\n".into()), finish("stop")])),
        ("answered nothing", Reply::stream(vec![finish("stop"), done()])),
        ("ended its answer before it began", Reply::stream(vec![done()])),
        ("thinking", Reply::stream(vec![chunk(json!({ "reasoning": "hm" })), finish("length"), done()])),
        ("over and over", Reply::stream((0..9_000).map(|_| chunk(json!({ "content": "la " }))).collect())),
        ("answered what is no JSON", Reply::plain(200, "application/json", "{\"choices\": ")),
        ("answered something else", Reply::plain(200, "application/json", "{\"hello\": \"world\"}")),
    ]
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_is_lost() {
    for (says, first) in troubles() {
        let server = Endpoint::start(move |n, _| if n == 0 { first.clone() } else { Reply::chat("so", "the whole answer") });
        let (answer, heard) = ask(&Client::new(endpoint(&server)).unwrap());
        let answer = answer.unwrap_or_else(|f| panic!("{says}: {f}"));
        assert_eq!(
            (answer.text.as_str(), answer.finish, heard.text.as_str()),
            ("the whole answer", Finish::Stop, "the whole answer"),
            "{says}"
        );
        assert_eq!(heard.retries.len(), 1, "{says}: {heard:?}");
        let why = &heard.retries[0];
        let told = why.contains(says) || says == "cut in mid-word" && why.contains("broke off after 11 letters");
        assert!(told && why.starts_with("local (127.0.0.1:") && !why.contains('\n'), "{says}: {why}");
        assert_eq!(answer.spend.calls, 1, "{says}");
        assert!(answer.spend.prompt_tokens >= 100, "{says}");
    }
}

#[test]
fn what_does_not_pass_is_one_line() {
    for (says, always) in troubles() {
        let server = Endpoint::start(move |_, _| always.clone());
        let (answer, heard) = ask(&Client::new(endpoint(&server)).unwrap());
        let cut = says == "ended in mid-answer";
        if cut {
            // A server that never says why it ends is believed in the end.
            let answer = answer.unwrap();
            assert_eq!((answer.text.as_str(), answer.finish, server.requests().len()), ("Half an ans", Finish::Cut, 3));
            assert!(answer.spend.estimated);
            continue;
        }
        let fault = answer.unwrap_err();
        assert!(!fault.line.contains('\n') && fault.line.starts_with("local (127.0.0.1:") && fault.line.contains("; "), "{fault}");
        let bad = ["answered nothing", "thinking", "over and over"].contains(&says);
        assert_eq!(
            (fault.kind, server.requests().len()),
            if bad { (FaultKind::Answer, 3) } else { (FaultKind::Server, 7) },
            "{says}: {fault}"
        );
        assert_eq!(heard.retries.len() + 1, server.requests().len());
    }
}

#[test]
fn what_nothing_will_change_is_not_tried_again() {
    for (reply, kind, says) in [
        (Reply::error(401, "Incorrect API key provided"), FaultKind::Setup, "refused the key"),
        (Reply::plain(403, "text/html", "<html><h1>Forbidden</h1></html>"), FaultKind::Setup, "“Forbidden”"),
        (Reply::error(402, "no credits"), FaultKind::Setup, "wants to be paid"),
        (Reply::error(429, "You exceeded your current quota (insufficient_quota)"), FaultKind::Setup, "has no quota left"),
        (Reply::error(404, "The model `m-1` does not exist"), FaultKind::Setup, "The model `m-1` does not exist"),
        (Reply::plain(404, "text/plain", "404 page not found"), FaultKind::Setup, "check base_url"),
        (Reply::plain(400, "application/json", "{\"detail\": \"bad\", \"code\": 7}"), FaultKind::Setup, "answered 400: bad"),
        (Reply::stream(vec![Step::Event(json!({ "error": { "code": 401, "message": "No auth" } }))]), FaultKind::Setup, "No auth"),
    ] {
        let server = Endpoint::start(move |_, _| reply.clone());
        let fault = ask(&Client::new(endpoint(&server)).unwrap()).0.unwrap_err();
        assert_eq!((fault.kind, server.requests().len()), (kind, 1), "{fault}");
        assert!(fault.line.contains(says), "{fault}");
        assert_eq!(fault.spend.usd, 0.0);
    }
}

#[test]
fn a_silent_line_is_left_and_keep_alives_are_not_silence() {
    let short = Patience { idle: Duration::from_millis(400), ..quick() };
    for first in [vec![half(), Step::Stall], vec![Step::Stall]] {
        let server = Endpoint::start(move |n, _| if n == 0 { Reply::stream(first.clone()) } else { Reply::chat("", "ok") });
        let (answer, heard) = ask(&Client::new(llm::Endpoint { patience: short, ..endpoint(&server) }).unwrap());
        assert_eq!(answer.unwrap().text, "ok");
        assert!(heard.retries[0].contains("fell silent"), "{heard:?}");
    }
    let comments = Step::Raw(": PROCESSING\n\nevent: ping\ndata: ping\n\n".into());
    let twice = Step::Raw(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n".into(),
    );
    // The line after the last event is missing as well.
    let end = Step::Raw("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}".into());
    let steps = vec![comments.clone(), half(), comments, twice, end];
    let server = Endpoint::start(move |_, _| Reply::stream(steps.clone()));
    let (answer, heard) = ask(&Client::new(endpoint(&server)).unwrap());
    assert_eq!((answer.unwrap().text.as_str(), heard.retries.len()), ("Half an ansab", 0), "no [DONE] is needed either");
}

#[test]
fn a_server_that_does_not_stream_is_understood() {
    let whole = json!({ "choices": [{ "message": { "content": "ok", "reasoning_content": "hm" }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 7, "completion_tokens": 3 } });
    let server = Endpoint::start(move |_, _| Reply::plain(200, "application/json", &whole.to_string()));
    let client = Client::new(endpoint(&server)).unwrap();
    let answer = ask(&client).0.unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.reasoning.as_str(), answer.spend.prompt_tokens, client.seen().streamed),
        ("ok", "hm", 7, false)
    );
    let whole = json!({ "status": "completed", "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "ok" }] }], "usage": { "input_tokens": 7, "output_tokens": 3 } });
    let server = Endpoint::start(move |_, _| Reply::plain(200, "application/json", &whole.to_string()));
    let answer = ask(&Client::new(llm::Endpoint { api: Api::Responses, ..endpoint(&server) }).unwrap()).0.unwrap();
    assert_eq!((answer.text.as_str(), answer.spend.prompt_tokens), ("ok", 7));
}

#[test]
fn the_responses_api_fails_in_its_own_ways() {
    let event = |value: serde_json::Value| Step::Event(value);
    let delta = event(json!({ "type": "response.output_text.delta", "delta": "Half" }));
    for (says, steps) in [
        ("ended in mid-answer", vec![delta.clone()]),
        (
            "sorry",
            vec![
                delta.clone(),
                event(
                    json!({ "type": "response.failed", "response": { "status": "failed", "error": { "code": "server_error", "message": "sorry" } } }),
                ),
            ],
        ),
        ("sorry", vec![event(json!({ "type": "error", "code": "server_error", "message": "sorry" }))]),
        ("fast", vec![event(json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "too fast" } }))]),
        ("broke off", vec![delta, Step::Cut]),
    ] {
        let server = Endpoint::start(move |n, _| if n == 0 { Reply::stream(steps.clone()) } else { Reply::responses("", "ok", &[]) });
        let (answer, heard) = ask(&Client::new(llm::Endpoint { api: Api::Responses, ..endpoint(&server) }).unwrap());
        assert_eq!(answer.unwrap().text, "ok", "{says}");
        assert!(heard.retries.len() == 1 && heard.retries[0].contains(says), "{says}: {heard:?}");
    }
    let steps = vec![
        event(json!({ "type": "response.output_text.delta", "delta": "Half", "sequence_number": 1 })),
        event(json!({ "type": "response.output_text.delta", "delta": "Half", "sequence_number": 1 })),
        event(
            json!({ "type": "response.incomplete", "sequence_number": 2, "response": { "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" } } }),
        ),
    ];
    let server = Endpoint::start(move |_, _| Reply::stream(steps.clone()));
    let answer = ask(&Client::new(llm::Endpoint { api: Api::Responses, ..endpoint(&server) }).unwrap()).0.unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), ("Half", Finish::Length), "one event twice counts once");
}

#[test]
fn a_server_says_how_long_to_wait_and_is_believed_up_to_a_limit() {
    let server = Endpoint::start(|n, _| match n {
        0 => Reply::error(429, "slowly").header("retry-after", "0.3"),
        1 => Reply::error(503, "busy").header("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"),
        _ => Reply::chat("", "ok"),
    });
    let patience = Patience { longest_wait: Duration::from_millis(350), waits: Duration::from_secs(5), ..quick() };
    let began = Instant::now();
    let (answer, heard) = ask(&Client::new(llm::Endpoint { patience, ..endpoint(&server) }).unwrap());
    answer.unwrap();
    assert_eq!(heard.waits, [0.3, 0.35]);
    assert!(began.elapsed() >= Duration::from_millis(650));
}

#[test]
fn a_server_that_dies_and_comes_back_is_found_again() {
    let server = Endpoint::start(|_, _| Reply::stream(vec![half(), Step::Cut]));
    let at = server.address();
    let client = Client::new(llm::Endpoint {
        patience: Patience {
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(1),
            waits: Duration::from_secs(60),
            tries: 100,
            ..quick()
        },
        ..endpoint(&server)
    })
    .unwrap();
    let asked = std::thread::spawn(move || ask(&client));
    server.wait_for("the first question", |r| !r.is_empty());
    drop(server);
    let server = Endpoint::start_at(at, |_, _| Reply::chat("", "I am back"));
    let (answer, heard) = asked.join().unwrap();
    assert_eq!(answer.unwrap().text, "I am back");
    assert!(!heard.retries.is_empty() && server.requests().len() == 1, "{heard:?}");
}

#[test]
fn nobody_there_is_one_line() {
    let server = Endpoint::start(|_, _| Reply::hang_up());
    let gone = endpoint(&server);
    drop(server);
    let fault = ask(&Client::new(gone).unwrap()).0.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Server);
    assert!(
        fault.line.contains("cannot be reached (")
            && fault.line.contains("refused")
            && fault.line.ends_with("is the server running, and base_url right?"),
        "{fault}"
    );
    assert!(fault.spend.is_nothing(), "what was never taken in costs nothing");
    for (url, says) in [("ftp://h/v1", "must begin with http"), ("nonsense", "is no address")] {
        let why = Client::new(llm::Endpoint::new("local", "m", url)).err().unwrap();
        assert!(why.starts_with("local: ") && why.contains(says), "{why}");
    }
}

#[test]
fn a_key_is_sent_to_no_other_address() {
    let other = Endpoint::start(|_, _| Reply::chat("", "thank you"));
    let elsewhere = format!("{}/chat/completions", other.url());
    for status in [301, 302, 307, 308] {
        let to = elsewhere.clone();
        let server = Endpoint::start(move |_, _| Reply::plain(status, "text/plain", "").header("location", &to));
        let key = Arc::new(Secret::new("correct-horse-battery-2").unwrap());
        let fault = ask(&Client::new(llm::Endpoint { key, ..endpoint(&server) }).unwrap()).0.unwrap_err();
        assert!(fault.kind == FaultKind::Setup && fault.line.contains("sends on to another address"), "{fault}");
    }
    assert!(other.requests().is_empty());
}

/// A source whose key wears out.
struct Wearing(AtomicU32);

impl KeySource for Wearing {
    fn key(&self) -> Result<Option<Secret>, String> {
        Ok(Secret::new(&format!("key-number-{}", self.0.load(Ordering::SeqCst))))
    }

    fn refused(&self) -> bool {
        self.0.fetch_add(1, Ordering::SeqCst);
        true
    }
}

#[test]
fn a_key_that_is_refused_is_asked_for_again_once() {
    let server = Endpoint::start(|_, request| {
        if request.header("authorization") == Some("Bearer key-number-1") {
            Reply::chat("", "ok")
        } else {
            Reply::error(401, "expired: key-number-0")
        }
    });
    let (answer, heard) = ask(&Client::new(llm::Endpoint { key: Arc::new(Wearing(AtomicU32::new(0))), ..endpoint(&server) }).unwrap());
    assert_eq!(answer.unwrap().text, "ok");
    assert!(heard.retries.len() == 1 && !heard.retries[0].contains("key-number-0"), "{heard:?}");
    let fault = ask(&Client::new(llm::Endpoint { key: Arc::new(Wearing(AtomicU32::new(5))), ..endpoint(&server) }).unwrap()).0.unwrap_err();
    assert_eq!((fault.kind, server.requests().len()), (FaultKind::Setup, 4));
}

#[test]
fn hostile_words_of_a_server_are_made_harmless() {
    let server = Endpoint::start(|_, _| {
        Reply::plain(
            400,
            "application/json",
            &json!({ "error": { "message": format!("\u{1b}[2J\u{202e}gone\n\n{}", "x".repeat(5_000)) } }).to_string(),
        )
    });
    let fault = ask(&Client::new(endpoint(&server)).unwrap()).0.unwrap_err();
    assert!(!fault.line.contains(['\u{1b}', '\u{202e}', '\n']) && fault.line.len() < 1_000, "{fault}");
}
