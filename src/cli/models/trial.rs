//! Two short questions to one server: an answer in words, and a call of a tool. What they tell is what agents will meet.

use crate::cli::config::Model;
use crate::model::Spend;
use crate::propose::llm::{Answered, Ask, Client, Endpoint, Llm, Message, Patience, ToolSpec, ToolStyle};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// Tokens of an answer at most; thinking models need room.
const MOST: u32 = 2_048;

/// Whether a server can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Works,
    Fails,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) base_url: String,
    pub(super) api: &'static str,
    pub(super) verdict: Verdict,
    /// It answered in pieces.
    pub(super) streams: Option<bool>,
    /// Its thoughts were seen.
    pub(super) reasoning: Option<bool>,
    /// `native` or `text`.
    pub(super) tools: Option<&'static str>,
    /// Seconds.
    pub(super) first_token_secs: Option<f64>,
    pub(super) tokens_per_sec: Option<f64>,
    /// It counts tokens itself; otherwise they are estimated.
    pub(super) counts_tokens: Option<bool>,
    pub(super) priced: bool,
    pub(super) spend: Spend,
    /// Cause and mend, in one line.
    pub(super) trouble: Option<String>,
    /// It works, and something is worth knowing.
    pub(super) remark: Option<String>,
}

impl Tried {
    fn new(model: &Model) -> Self {
        Self {
            name: model.name.clone(),
            model: model.model.clone(),
            base_url: model.base_url.clone(),
            api: model.api.word(),
            verdict: Verdict::Fails,
            streams: None,
            reasoning: None,
            tools: None,
            first_token_secs: None,
            tokens_per_sec: None,
            counts_tokens: None,
            priced: model.prices.is_some(),
            spend: Spend::default(),
            trouble: None,
            remark: None,
        }
    }

    /// What was seen, in words.
    pub(super) fn words(&self) -> String {
        let told = |known: Option<bool>, yes: &'static str, no: &'static str| known.map(|k| if k { yes } else { no }.to_owned());
        let tools = self.tools.map(|t| if t == "text" { "tools in words".to_owned() } else { "tools".to_owned() });
        [
            self.streams.map(|_| "reachable".to_owned()),
            told(self.streams, "streams", "answers in one piece"),
            told(self.reasoning, "reasoning seen", "no reasoning seen"),
            tools,
            self.first_token_secs.map(|s| format!("first token {s:.1} s")),
            self.tokens_per_sec.map(|t| format!("{t:.0} tokens/s")),
            told(self.counts_tokens, "counts tokens", "tokens estimated"),
            self.streams.map(|_| if self.priced { "priced".to_owned() } else { "no price".to_owned() }),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
    }
}

/// Asks a server. `endpoint` is what was made of the model, or why nothing could be.
pub(super) async fn tried(model: &Model, endpoint: Result<Endpoint, String>) -> Tried {
    let mut tried = Tried::new(model);
    if let Err(trouble) = both(endpoint.map_err(|why| format!("{} {why}", model.name)), &mut tried).await {
        tried.trouble = Some(trouble);
        return tried;
    }
    tried.verdict = Verdict::Works;
    tried
}

async fn both(endpoint: Result<Endpoint, String>, tried: &mut Tried) -> Result<(), String> {
    let mut endpoint = endpoint?;
    // Someone sits and waits: two tries show as much as seven.
    endpoint.patience = Patience { tries: 2, waits: Duration::from_secs(10), longest_wait: Duration::from_secs(10), ..endpoint.patience };
    let client = Client::new(endpoint.clone())?;
    let words = ask(&client, "Write the numbers from one to twenty in words, with commas between them.", &[], tried).await?;
    let seen = client.seen();
    tried.streams = Some(seen.streamed);
    tried.counts_tokens = Some(seen.counted);
    tried.reasoning = Some(!words.reasoning.is_empty());
    tried.first_token_secs = words.first_token_secs;
    tried.tokens_per_sec = speed(&words);
    let called = call(&client, tried).await?;
    tried.reasoning = tried.reasoning.map(|seen| seen || !called.reasoning.is_empty());
    if is_called(&called) {
        tried.tools = Some(if client.seen().tools_in_words { "text" } else { "native" });
        if client.seen().tools_in_words && endpoint.tools == ToolStyle::Auto {
            tried.remark =
                Some(format!("{}: does not know tool calls; write tools = \"text\", which saves one question each start", tried.name));
        }
        return Ok(());
    }
    if endpoint.tools != ToolStyle::Text {
        let in_words = Client::new(Endpoint { tools: ToolStyle::Text, ..endpoint })?;
        if is_called(&call(&in_words, tried).await?) {
            return Err(format!(
                "{}: answered in words where it should have called a tool, and called it when asked in words; write tools = \"text\"",
                tried.name
            ));
        }
    }
    Err(format!("{}: called no tool when asked to, however it was offered; agents need a model that does: try another one", tried.name))
}

async fn call(client: &Client, tried: &mut Tried) -> Result<Answered, String> {
    let parameters =
        json!({ "type": "object", "required": ["word"], "properties": { "word": { "type": "string", "description": "the word" } } });
    let tool = ToolSpec { name: "note", description: "Takes down one word.".into(), parameters };
    ask(client, "Call the tool `note` with the word `ready`. Say nothing else.", &[tool], tried).await
}

fn is_called(answer: &Answered) -> bool {
    let word = |arguments: &str| serde_json::from_str::<serde_json::Value>(arguments).ok()?.get("word")?.as_str().map(str::to_owned);
    answer.calls.iter().any(|c| c.name == "note" && word(&c.arguments).is_some())
}

async fn ask(client: &Client, question: &str, tools: &[ToolSpec], tried: &mut Tried) -> Result<Answered, String> {
    let messages = [
        Message::System { text: "You are being tried. Do exactly what is asked, and be brief.".into() },
        Message::User { text: question.into() },
    ];
    match client.ask(Ask { messages: &messages, tools, max_tokens: Some(MOST) }, &mut |_| {}).await {
        Ok(answer) => {
            tried.spend.add(&answer.spend);
            Ok(answer)
        }
        Err(fault) => {
            tried.spend.add(&fault.spend);
            Err(fault.line)
        }
    }
}

/// Tokens a second after the first one, where there were enough to tell.
fn speed(answer: &Answered) -> Option<f64> {
    let secs = answer.spend.seconds - answer.first_token_secs?;
    (answer.spend.completion_tokens >= 10 && secs > 0.02).then(|| answer.spend.completion_tokens as f64 / secs)
}
