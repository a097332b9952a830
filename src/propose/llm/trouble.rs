//! What goes wrong between us and a server, in words for the user and with what may help. Pure.
//!
//! Servers disagree about everything: codes as numbers or words, errors as text, as `detail`, as HTML, inside a stream of
//! 200. What matters is told by the status where there is one and by the words otherwise.

use super::{FaultKind, quirks};
use crate::model::Safe;
use serde_json::Value;
use std::time::Duration;

/// Letters of a server's own words that are repeated at most.
const LONGEST: usize = 200;

/// What may help.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Remedy {
    /// The same again, no sooner than that.
    Again(Option<Duration>),
    /// The same again, a few times: each one costs a whole answer.
    AnotherAnswer,
    /// The stream ended in peace, but without a word of why: as above, and what was said is an answer in the end.
    CutInPeace,
    /// Without what the server does not know.
    Without(quirks::Quirk),
    /// With another key, where there may be one.
    NewKey,
    /// Nothing.
    Nothing(FaultKind),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble {
    pub(super) remedy: Remedy,
    /// Begins after the server's name: "refused the connection".
    pub(super) what: String,
    /// What the user may do; may be empty.
    pub(super) mend: &'static str,
}

impl Trouble {
    pub(super) fn new(remedy: Remedy, what: impl Into<String>, mend: &'static str) -> Self {
        Self { remedy, what: what.into(), mend }
    }

    pub(super) fn again(what: impl Into<String>, mend: &'static str) -> Self {
        Self::new(Remedy::Again(None), what, mend)
    }
}

/// A server's answer that is no answer. `body` is what it said, `asked` what it was asked.
pub(super) fn refused(status: u16, after: Option<Duration>, body: &str, asked: &Value) -> Trouble {
    let said = words(body);
    let low = body.to_lowercase();
    let what = if said.is_empty() { format!("answered {status}") } else { format!("answered {status}: {said}") };
    let setup = Remedy::Nothing(FaultKind::Setup);
    match status {
        300..=399 => Trouble::new(
            setup,
            format!("sends on to another address ({status})"),
            "write the address that it means as base_url; keys are sent to no other",
        ),
        401 | 403 => Trouble::new(
            Remedy::NewKey,
            format!("refused the key ({what})"),
            "check key_env or key_command, and that the key may use this model",
        ),
        402 => Trouble::new(setup, format!("wants to be paid ({what})"), "look at the account"),
        429 if no_money(&low) => Trouble::new(setup, format!("has no quota left ({what})"), "look at the account's limits"),
        408 | 409 | 425 | 429 | 502..=504 | 520..=599 => Trouble::new(Remedy::Again(after), what, busy(status)),
        413 => Trouble::new(Remedy::Nothing(FaultKind::TooLong), what, "set `context` of this model, or choose one with a longer context"),
        _ if let Some(quirk) = quirks::too_many_tokens(&low, asked) => Trouble::new(Remedy::Without(quirk), what, "lower max_tokens"),
        _ if too_long(&low) => {
            Trouble::new(Remedy::Nothing(FaultKind::TooLong), what, "set `context` of this model, or choose one with a longer context")
        }
        _ if let Some(quirk) = quirks::of(&low, asked) => Trouble::new(Remedy::Without(quirk), what, "see `trialdeck models`"),
        500 | 505..=519 => Trouble::new(Remedy::Again(after), what, busy(status)),
        404 => Trouble::new(setup, what, "check base_url (as a rule it ends in /v1) and model"),
        _ => Trouble::new(setup, what, "check model, body and the limits of this [[model]]"),
    }
}

fn busy(status: u16) -> &'static str {
    match status {
        429 => "it has had enough questions for now: fewer slots, or another model beside it",
        _ => "the server has trouble of its own: look at its log, or try later",
    }
}

fn no_money(low: &str) -> bool {
    ["insufficient_quota", "billing_hard_limit", "credit balance", "insufficient credits", "insufficient balance"]
        .iter()
        .any(|w| low.contains(w))
}

/// An error object that came inside a stream of 200, or as a whole answer.
pub(super) fn inside(error: &Value, asked: &Value) -> Trouble {
    let number = |v: &Value| v.as_u64().or_else(|| v.as_str()?.parse().ok()).filter(|n| (300..600).contains(n));
    let code = ["code", "status", "status_code"].iter().find_map(|key| number(error.get(*key)?));
    let text = error.to_string();
    let low = text.to_lowercase();
    let by_words = || {
        let known: [(&[&str], u16); 5] = [
            (&["rate_limit", "rate limit", "too many requests"], 429),
            (&["authentication", "invalid_api_key", "invalid api key", "unauthorized"], 401),
            (&["insufficient_quota"], 429),
            (&["invalid_request", "invalid request", "bad request", "context_length"], 400),
            (&["not_found", "model not found"], 404),
        ];
        known.iter().find(|(words, _)| words.iter().any(|w| low.contains(w))).map_or(500, |(_, status)| *status)
    };
    let status = code.and_then(|n| u16::try_from(n).ok()).unwrap_or_else(by_words);
    let mut trouble = refused(status, None, &text, asked);
    let said = words(&text);
    trouble.what = format!("broke off with an error: {}", if said.is_empty() { format!("code {status}") } else { said });
    trouble
}

/// Whether a conversation is said to be longer than what the model takes in.
pub(super) fn too_long(low: &str) -> bool {
    [
        "context_length",
        "context length",
        "context window",
        "context size",
        "maximum context",
        "max context",
        "prompt is too long",
        "prompt too long",
        "input is too long",
        "input too long",
        "input length",
        "too many tokens",
        "reduce the length",
        "exceeds the maximum number of tokens",
        "exceed_context_size",
        "string_above_max_length",
        "request too large",
        "maximum prompt length",
    ]
    .iter()
    .any(|w| low.contains(w))
}

/// What a server says in a body of any shape, as one line that is safe to show.
pub(super) fn words(body: &str) -> String {
    let text = serde_json::from_str::<Value>(body).ok().and_then(|v| said(&v, 0)).unwrap_or_else(|| {
        let low = body.to_ascii_lowercase();
        if low.contains("<html") || low.contains("<!doctype") { title(body, &low) } else { body.to_owned() }
    });
    line(&text, LONGEST)
}

/// One line of at most so many letters, without what a terminal would act on and without keys.
pub(super) fn line(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let plain = Safe::line(&words.join(" ")).to_string();
    let covered = crate::model::redact::ours().text(&plain).into_owned();
    if covered.chars().count() <= longest {
        return covered;
    }
    covered.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

fn title(body: &str, low: &str) -> String {
    let found = ["title", "h1"].iter().find_map(|tag| {
        let from = low.find(&format!("<{tag}"))?;
        let open = from + low.get(from..)?.find('>')? + 1;
        let to = open + low.get(open..)?.find("</")?;
        body.get(open..to).map(str::trim).filter(|t| !t.is_empty())
    });
    found.map_or_else(|| "a web page".to_owned(), |title| format!("a web page, “{title}”"))
}

/// The message of an error object: `error.message`, `error`, `message`, `detail`, `errors`, whatever there is.
fn said(value: &Value, depth: u8) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) => Some(text.clone()).filter(|t| !t.trim().is_empty()),
        Value::Array(items) => items.iter().find_map(|item| said(item, depth + 1)),
        Value::Object(map) => {
            let inner = ["error", "message", "detail", "msg", "errors", "error_msg", "title", "reason"]
                .iter()
                .find_map(|key| said(map.get(*key)?, depth + 1))?;
            // Where it is: the raw words of a provider behind a router, the field that a schema refuses.
            let more = map.get("metadata").and_then(|m| said(m.get("raw")?, depth + 1));
            let field = map
                .get("loc")
                .and_then(Value::as_array)
                .map(|l| l.iter().map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)).collect::<Vec<_>>().join("."));
            Some(format!(
                "{}{inner}{}",
                field.map(|f| format!("{f}: ")).unwrap_or_default(),
                more.map(|m| format!(" ({m})")).unwrap_or_default()
            ))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
