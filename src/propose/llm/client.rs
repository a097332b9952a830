//! A model server that is asked: [`Llm`] over async-openai. The tries of one question, what is learnt of the server on the way,
//! and the one line that is told when it comes to nothing.
//!
//! Knows no study. Tested against a paced server on loopback in `tests/endpoints`.

use super::{
    Answered, Ask, Fault, FaultKind, Finish, Heard, Llm, chat,
    endpoint::{Api, Endpoint, Secret, ToolStyle},
    gather::{Gather, Hear},
    missing,
    quirks::{Quirk, Quirks},
    reader::Reader,
    responses, retry,
    spent::{self, Letters},
    text_tools,
    trouble::{self, Remedy, Trouble},
    wire::{self, Wire},
};
use crate::model::Spend;
use async_openai::{config::OpenAIConfig, error::OpenAIError};
use futures::{StreamExt, future::BoxFuture};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Answers that are asked for when they come back unusable.
const BAD_ANSWERS: u32 = 3;
/// Letters of a fault's line.
const LONGEST_LINE: usize = 400;
/// Times `idle` without an event, when nothing but keep-alives comes.
const KEPT_ALIVE: u32 = 4;

/// What was learnt of a server.
#[derive(Debug, Default, Clone)]
struct Learnt {
    quirks: Quirks,
    letters_of_a_token: Option<f64>,
    seen: Seen,
}

/// What a server was seen to do, for whoever tries it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The last answer came in more pieces than one.
    pub streamed: bool,
    /// It counted the tokens itself.
    pub counted: bool,
    /// Tools are offered in words, for it does not know them.
    pub tools_in_words: bool,
}

/// A model server.
pub struct Client {
    endpoint: Endpoint,
    http: reqwest::Client,
    base: reqwest::Url,
    learnt: Mutex<Learnt>,
}

impl Client {
    /// Makes a client; nothing is asked yet.
    ///
    /// Errors: in one line, what of the endpoint cannot be used.
    pub fn new(endpoint: Endpoint) -> Result<Self, String> {
        let told = |what: &str| format!("{}: {what}", endpoint.name);
        let base = reqwest::Url::parse(&endpoint.base_url).map_err(|e| told(&format!("base_url is no address ({e})")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(told("base_url must begin with http:// or https:// and name a server"));
        }
        wire::headers(&endpoint, None).map_err(|e| told(&e))?;
        let http = wire::client(&endpoint).map_err(|e| told(&e))?;
        Ok(Self { endpoint, http, base, learnt: Mutex::default() })
    }

    /// What it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What its server was seen to do.
    pub fn seen(&self) -> Seen {
        let in_words = self.in_words();
        self.with(|l| Seen { tools_in_words: in_words, ..l.seen })
    }

    /// Tokens of so many letters, by what this model was seen to count.
    pub fn estimate(&self, letters: usize) -> u64 {
        spent::tokens(letters, self.with(|l| l.letters_of_a_token))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Learnt) -> T) -> T {
        act(&mut self.learnt.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn in_words(&self) -> bool {
        match self.endpoint.tools {
            ToolStyle::Text => true,
            ToolStyle::Native => false,
            ToolStyle::Auto => self.with(|l| l.quirks.has(Quirk::Tools)),
        }
    }

    /// The key, asked for where blocking hurts nobody.
    async fn key(&self) -> Result<Option<Secret>, Trouble> {
        let source = Arc::clone(&self.endpoint.key);
        let asked = tokio::task::spawn_blocking(move || source.key()).await;
        let trouble = |why: String| Trouble::new(Remedy::Nothing(FaultKind::Setup), why, "");
        asked.map_err(|_| trouble("its key could not be asked for".into()))?.map_err(trouble)
    }

    async fn answer(&self, ask: Ask<'_>, hear: &mut Hear<'_>) -> Result<Answered, Fault> {
        let mut tries = Tries::default();
        loop {
            tries.made += 1;
            let trouble = match self.once(&ask, hear, &mut tries).await {
                Ok(answered) => return Ok(answered),
                Err(trouble) => trouble,
            };
            let Some(wait) = self.wait(&trouble, &mut tries) else { return Err(self.fault(&trouble, &tries)) };
            let why = match &trouble.remedy {
                Remedy::Without(quirk) => format!("{}; {}", trouble.what, quirk.words()),
                _ => trouble.what,
            };
            let why = trouble::line(&format!("{} ({}) {why}", self.endpoint.name, self.endpoint.host()), LONGEST_LINE);
            hear(Heard::Retrying { why: &why, wait_secs: wait.as_secs_f64() });
            tries.waited += wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// How long to wait before it is asked again; none when that would not help.
    fn wait(&self, trouble: &Trouble, tries: &mut Tries) -> Option<Duration> {
        let by = |after| retry::wait(&self.endpoint.patience, tries.made, tries.waited, after, fastrand::f64());
        match &trouble.remedy {
            Remedy::Again(after) => by(*after),
            Remedy::AnotherAnswer | Remedy::CutInPeace => {
                tries.bad += 1;
                if tries.bad < BAD_ANSWERS { by(None) } else { None }
            }
            Remedy::Without(Quirk::Tools) if self.endpoint.tools == ToolStyle::Native => None,
            // By what this try knew, for another question may have learnt it meanwhile.
            Remedy::Without(quirk) if tries.knew.has(*quirk) => None,
            Remedy::Without(quirk) => {
                self.with(|l| l.quirks.learn(*quirk));
                Some(Duration::ZERO)
            }
            Remedy::NewKey => {
                let first = !std::mem::replace(&mut tries.key_refused, true);
                (first && self.endpoint.key.refused()).then_some(Duration::ZERO)
            }
            Remedy::Nothing(_) => None,
        }
    }

    fn fault(&self, trouble: &Trouble, tries: &Tries) -> Fault {
        let kind = match trouble.remedy {
            Remedy::Again(_) => FaultKind::Server,
            Remedy::AnotherAnswer | Remedy::CutInPeace => FaultKind::Answer,
            Remedy::Without(_) | Remedy::NewKey => FaultKind::Setup,
            Remedy::Nothing(kind) => kind,
        };
        let often = match tries.made {
            0 | 1 => String::new(),
            n => format!(" ({n} tries in {:.0} s)", tries.began.elapsed().as_secs_f64()),
        };
        let mend = if trouble.mend.is_empty() { String::new() } else { format!("; {}", trouble.mend) };
        // The mend is never what is cut.
        let head = trouble::line(&format!("{} ({}) {}", self.endpoint.name, self.endpoint.host(), trouble.what), LONGEST_LINE);
        Fault { kind, line: format!("{head}{often}{mend}"), spend: tries.spend }
    }

    /// One try, from the key to the last event.
    async fn once(&self, ask: &Ask<'_>, hear: &mut Hear<'_>, tries: &mut Tries) -> Result<Answered, Trouble> {
        let key = self.key().await?;
        let with_tools = !ask.tools.is_empty();
        // A conversation with calls in it stays in words, also where no more tools are offered.
        let talked = ask.messages.iter().any(|m| matches!(m, super::Message::Tool { .. }));
        let in_words = self.in_words();
        let plain;
        let asked = if in_words && (with_tools || talked) {
            plain = text_tools::messages(ask.messages, ask.tools);
            Ask { messages: &plain, tools: &[], max_tokens: ask.max_tokens }
        } else {
            *ask
        };
        tries.knew = self.with(|l| l.quirks.clone());
        let quirks = &tries.knew;
        let body = match self.endpoint.api {
            Api::Chat => chat::body(&self.endpoint, &asked, quirks),
            Api::Responses => responses::body(&self.endpoint, &asked, quirks),
        };
        let mut gather = Gather::new(hear, chat::limit(&self.endpoint, ask), in_words && with_tools);
        let began = Instant::now();
        let came = self.speak(&body, key.as_ref(), &mut gather).await;
        let first = gather.first.map(|at| at.duration_since(began).as_secs_f64());
        let letters = Letters { sent: letters_of(&body), heard: gather.letters() };
        // What was refused outright costs nothing.
        if gather.events > 0 {
            let prices = self.endpoint.prices;
            let calibrated = self.with(|l| {
                if let Some(ratio) = gather.usage.and_then(|u| spent::calibrate(letters, u)) {
                    l.letters_of_a_token = Some(ratio);
                }
                l.seen.streamed = gather.events > 2;
                l.seen.counted = gather.usage.is_some();
                l.letters_of_a_token
            });
            tries.spend.add(&spent::spend(gather.usage, letters, calibrated, prices, began.elapsed().as_secs_f64()));
            tries.spend.calls = 1;
        }
        let stopped = gather.finish;
        let spend = tries.spend;
        let cut = came.as_ref().is_err_and(|t| t.remedy == Remedy::CutInPeace);
        if !cut {
            came?;
        }
        let calls_before = ask.messages.iter().map(|m| if let super::Message::Assistant { calls, .. } = m { calls.len() } else { 0 }).sum();
        let whole = gather.end(ask.tools, calls_before);
        let opaque = std::mem::take(&mut gather.opaque);
        let complete = !whole.calls.is_empty() && whole.calls.iter().all(|c| serde_json::from_str::<Value>(&c.arguments).is_ok());
        let finish = match stopped {
            // The call was whole when the stream ended: nothing is missed.
            None if complete => Finish::Tools,
            None => Finish::Cut,
            Some(Finish::Stop | Finish::Tools) if whole.calls.is_empty() => Finish::Stop,
            Some(Finish::Stop) => Finish::Tools,
            Some(other) => other,
        };
        if finish == Finish::Cut && !(tries.bad + 1 >= BAD_ANSWERS && !whole.text.is_empty() && whole.calls.is_empty()) {
            return Err(Trouble::new(Remedy::CutInPeace, "ended in mid-answer without saying why", "look at its log and its time limits"));
        }
        if whole.text.is_empty() && whole.calls.is_empty() {
            return Err(match finish {
                Finish::Length => Trouble::new(
                    Remedy::AnotherAnswer,
                    "spent all the tokens of its answer on thinking",
                    "raise max_tokens, or lower reasoning_effort",
                ),
                Finish::Filter => Trouble::new(Remedy::AnotherAnswer, "kept its answer back (content filter)", "try another model"),
                Finish::Stop | Finish::Tools | Finish::Cut => {
                    Trouble::new(Remedy::AnotherAnswer, "answered nothing", "try another model, or look at the server's log")
                }
            });
        }
        Ok(Answered { text: whole.text, reasoning: whole.reasoning, calls: whole.calls, opaque, finish, spend, first_token_secs: first })
    }

    /// Sends the question and takes in what comes, to its end.
    async fn speak(&self, body: &Value, key: Option<&Secret>, gather: &mut Gather<'_, '_>) -> Result<(), Trouble> {
        let headers = wire::headers(&self.endpoint, key).map_err(|e| Trouble::new(Remedy::Nothing(FaultKind::Setup), e, ""))?;
        let wire = Wire { http: self.http.clone(), base: self.base.clone(), headers, instead: Arc::default() };
        // Every field that would otherwise come from OPENAI_* is set; the key is not given to the library at all.
        let config = OpenAIConfig::default().with_api_base(&self.endpoint.base_url).with_api_key("").with_org_id("").with_project_id("");
        let client = async_openai::Client::build(self.http.clone(), config).with_http_service(wire.clone());
        let patience = &self.endpoint.patience;
        let stream = match self.endpoint.api {
            Api::Chat => client.chat().create_stream_byot::<_, Value>(body).await,
            Api::Responses => client.responses().create_stream_byot::<_, Value>(body).await,
        };
        let mut reader = Reader::new(self.endpoint.api, body);
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => return missing::instead(wire.take(), &error, (patience.connect, patience.idle), &mut reader, gather),
        };
        loop {
            let waiting = Instant::now();
            // The HTTP client notices a silent line; this one a line on which nothing but keep-alives comes.
            let Ok(next) = tokio::time::timeout(patience.idle.saturating_mul(KEPT_ALIVE), stream.next()).await else {
                return Err(Trouble::again(
                    format!("sent nothing but keep-alives for {:.0} s", waiting.elapsed().as_secs_f64()),
                    "look at its log",
                ));
            };
            match next {
                Some(Ok(event)) => reader.take(&event, gather)?,
                Some(Err(OpenAIError::JSONDeserialize(_, data))) => reader.odd(&data, gather)?,
                Some(Err(error)) => return Err(missing::broken(wire.take(), &error, waiting.elapsed(), gather)),
                None if gather.finish.is_some() => return Ok(()),
                None if gather.events == 0 => return Err(Trouble::again("ended its answer before it began", "look at its log")),
                None => return Err(Trouble::new(Remedy::CutInPeace, "ended in mid-answer without saying why", "look at its log")),
            }
        }
    }
}

/// What the tries of one question came to so far.
#[derive(Debug)]
struct Tries {
    began: Instant,
    made: u32,
    bad: u32,
    waited: Duration,
    key_refused: bool,
    /// What was known of the server when the last try was made.
    knew: Quirks,
    spend: Spend,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            made: 0,
            bad: 0,
            waited: Duration::ZERO,
            key_refused: false,
            knew: Quirks::default(),
            spend: Spend::default(),
        }
    }
}

/// Letters of all that a server reads as the prompt.
fn letters_of(body: &Value) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(map) => map.iter().map(|(key, value)| key.len() + of(value)).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
    ["messages", "input", "tools"].iter().filter_map(|key| body.get(*key)).map(of).sum()
}

impl Llm for Client {
    fn name(&self) -> &str {
        &self.endpoint.name
    }

    fn prices(&self) -> Option<[f64; 3]> {
        self.endpoint.prices.map(|p| [p.input, p.cached_input.unwrap_or(p.input), p.output])
    }

    fn context(&self) -> Option<u32> {
        self.endpoint.context
    }

    fn ask<'a>(&'a self, ask: Ask<'a>, hear: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>> {
        Box::pin(self.answer(ask, hear))
    }
}
