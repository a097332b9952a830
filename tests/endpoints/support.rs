//! A question to a scripted server, and what was heard of the answer.

use crate::endpoint::Endpoint;
use serde_json::json;
use std::time::Duration;
use trialdeck::propose::llm::{self, Answered, Ask, Client, Fault, Heard, Llm, Message, Patience, ToolSpec};

/// What was heard while a model answered.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Listened {
    pub reasoning: String,
    pub text: String,
    pub calling: Vec<String>,
    pub retries: Vec<String>,
    pub waits: Vec<f64>,
}

/// Short waits, so that a test of seven tries takes no minute.
pub fn quick() -> Patience {
    let millis = Duration::from_millis;
    Patience { first_wait: millis(1), longest_wait: millis(20), waits: millis(500), idle: Duration::from_secs(20), ..Patience::default() }
}

pub fn endpoint(server: &Endpoint) -> llm::Endpoint {
    llm::Endpoint { patience: quick(), ..llm::Endpoint::new("local", "m-1", server.url()) }
}

pub fn tool() -> ToolSpec {
    let parameters =
        json!({ "type": "object", "required": ["path"], "properties": { "path": { "type": "string" }, "edits": { "type": "string" } } });
    ToolSpec { name: "read", description: "Reads a file.".into(), parameters }
}

pub fn messages() -> Vec<Message> {
    vec![Message::System { text: "Be brief.".into() }, Message::User { text: "What is in train.py?".into() }]
}

pub fn ask_with(client: &Client, messages: &[Message], tools: &[ToolSpec]) -> (Result<Answered, Fault>, Listened) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut heard = Listened::default();
    let answer = {
        let mut hear = |what: Heard<'_>| match what {
            Heard::Reasoning(piece) => heard.reasoning.push_str(piece),
            Heard::Text(piece) => heard.text.push_str(piece),
            Heard::Calling(name) => heard.calling.push(name.to_owned()),
            Heard::Retrying { why, wait_secs } => {
                // What was heard before does not count.
                heard.reasoning.clear();
                heard.text.clear();
                heard.calling.clear();
                heard.retries.push(why.to_owned());
                heard.waits.push(wait_secs);
            }
        };
        runtime.block_on(client.ask(Ask { messages, tools, max_tokens: None }, &mut hear))
    };
    (answer, heard)
}

pub fn ask(client: &Client) -> (Result<Answered, Fault>, Listened) {
    ask_with(client, &messages(), &[tool()])
}
