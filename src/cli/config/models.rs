//! `[[model]]`: a model server and how to ask it. Pure.
//!
//! Read and checked here; `cli::models` makes endpoints of it. Nothing here holds a key.

use super::secrets;
use crate::propose::llm::ToolStyle;
use crate::task::{Section, Spot, Walk};
use std::{collections::BTreeMap, time::Duration};
use toml::{Spanned, de::DeValue};

/// The keys of `[[model]]`.
pub(super) const KEYS: &[&str] = &[
    "name",
    "model",
    "base_url",
    "key_env",
    "key_command",
    "api",
    "temperature",
    "reasoning_effort",
    "max_tokens",
    "context",
    "tools",
    "idle",
    "prices",
    "headers",
    "body",
];

/// What the harness writes into a request itself.
const OURS: [&str; 7] = ["model", "messages", "input", "stream", "stream_options", "tools", "tool_choice"];

/// A model server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// What a person calls it.
    pub(crate) name: String,
    /// What the server calls it.
    pub(crate) model: String,
    /// Without a slash at its end.
    pub(crate) base_url: String,
    /// Where the key comes from.
    pub(crate) key: Key,
    /// How it is spoken to.
    pub(crate) api: Api,
    /// Sampling temperature.
    pub(crate) temperature: Option<f64>,
    /// One of the words that servers know.
    pub(crate) reasoning_effort: Option<&'static str>,
    /// Tokens of one answer at most.
    pub(crate) max_tokens: Option<u32>,
    /// Tokens that the model can take in.
    pub(crate) context: Option<u32>,
    /// How tools are offered.
    pub(crate) tools: ToolStyle,
    /// How long it may be silent.
    pub(crate) idle: Option<Duration>,
    /// What it costs.
    pub(crate) prices: Option<Prices>,
    /// Added to every request.
    pub(crate) headers: BTreeMap<String, Header>,
    /// Added to the body of every request.
    pub(crate) body: serde_json::Map<String, serde_json::Value>,
    /// Line of its heading.
    pub(crate) line: usize,
}

/// Where a key comes from. The key itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// The server wants none.
    None,
    /// An environment variable.
    Environment(String),
    /// The first line that a command prints.
    Command(String),
}

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/chat/completions`.
    Chat,
    /// `/responses`.
    Responses,
}

impl Api {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
        }
    }
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prices {
    /// Of the prompt.
    pub(crate) input: f64,
    /// Of the prompt, where the server knew it already.
    pub(crate) cached_input: Option<f64>,
    /// Of the answer, reasoning included.
    pub(crate) output: f64,
}

/// The value of an extra header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// As it stands.
    Text(String),
    /// An environment variable.
    Environment(String),
}

/// Reads all entries; names are unique.
pub(super) fn models(sections: &[Section<'_>]) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    for section in sections {
        let model = one(section);
        if let Some(first) = models.iter().find(|m| m.name == model.name && !m.name.is_empty()) {
            let message = format!("there are two models `{}`", model.name);
            let hint =
                format!("the other one stands in line {}; `name` is yours to choose, `model` is what the server calls it", first.line);
            section.walk.problem(section.key_span("name"), message, hint);
        }
        models.push(model);
    }
    models
}

fn one(section: &Section<'_>) -> Model {
    const APIS: &[(&str, Api)] = &[("chat", Api::Chat), ("responses", Api::Responses)];
    const TOOLS: &[(&str, ToolStyle)] = &[("auto", ToolStyle::Auto), ("native", ToolStyle::Native), ("text", ToolStyle::Text)];
    const EFFORTS: &[(&str, &str)] = &[
        ("none", "none"),
        ("minimal", "minimal"),
        ("low", "low"),
        ("medium", "medium"),
        ("high", "high"),
        ("xhigh", "xhigh"),
        ("max", "max"),
    ];
    let name = section.need_text("name", "\"local\"");
    let base_url = base_url(section);
    let temperature = section.number("temperature", "1.0").and_then(|n| {
        if (0.0..=2.0).contains(&n.value) {
            return Some(n.value);
        }
        section.walk.problem(n.span, "`temperature` must lie from 0 to 2", "write temperature = 1.0".to_owned());
        None
    });
    Model {
        model: section.text("model", "\"my-model\"").map_or_else(|| name.value.clone(), |t| t.value),
        name: name.value,
        base_url,
        key: key(section),
        api: section.word("api", APIS).unwrap_or(Api::Chat),
        temperature,
        reasoning_effort: section.word("reasoning_effort", EFFORTS),
        max_tokens: section.whole("max_tokens", 1, "8192"),
        context: section.whole("context", 1, "131072"),
        tools: section.word("tools", TOOLS).unwrap_or(ToolStyle::Auto),
        idle: section.duration("idle", "\"5m\""),
        prices: prices(section),
        headers: headers(section),
        body: body(section),
        line: section.walk.line_of(&section.header),
    }
}

fn base_url(section: &Section<'_>) -> String {
    let spot = section.need_text("base_url", "\"http://localhost:8000/v1\"");
    if spot.value.is_empty() {
        return String::new();
    }
    let problem = |message: &str, hint: &str| section.walk.problem(spot.span.clone(), message, hint.to_owned());
    let rest = spot.value.strip_prefix("https://").or_else(|| spot.value.strip_prefix("http://"));
    let Some(rest) = rest else {
        problem("`base_url` must begin with http:// or https://", "write base_url = \"http://localhost:8000/v1\"");
        return String::new();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        problem("`base_url` holds a user or a key", "leave out what stands before the @, and write key_env = \"NAME_OF_A_VARIABLE\"");
    } else if host.is_empty() || spot.value.chars().any(char::is_whitespace) {
        problem("`base_url` names no server", "write base_url = \"http://localhost:8000/v1\"");
    } else if rest.contains(['?', '#']) {
        problem("`base_url` has a query", "end it before the ?; what a request needs more goes to `headers` or `body`");
    } else if ["/chat/completions", "/responses", "/completions"].iter().any(|end| rest.trim_end_matches('/').ends_with(end)) {
        problem("`base_url` is the address of one call", "end it before the call, as a rule with /v1; `api` says which call is used");
    }
    spot.value.trim_end_matches('/').to_owned()
}

fn key(section: &Section<'_>) -> Key {
    let (variable, command) =
        (variable(section, "key_env"), section.text("key_command", "\"pass show openai\"").filter(|c| !secrets::looks(&c.value)));
    match (variable, command) {
        (Some(_), Some(command)) => {
            let hint = "keep `key_env` for a variable, or `key_command` for a program that prints it".to_owned();
            section.walk.problem(command.span, "the key has two origins", hint);
            Key::None
        }
        (Some(name), None) => Key::Environment(name),
        (None, Some(command)) => Key::Command(command.value),
        (None, None) => Key::None,
    }
}

/// The name of an environment variable. What looks like a key is refused elsewhere.
fn variable(section: &Section<'_>, key: &str) -> Option<String> {
    let spot = section.text(key, "\"OPENAI_API_KEY\"").filter(|s| !secrets::looks(&s.value))?;
    check_variable(section.walk, &spot, key).then_some(spot.value)
}

fn check_variable(walk: &Walk<'_>, spot: &Spot<String>, key: &str) -> bool {
    let good = spot.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !spot.value.starts_with(|c: char| c.is_ascii_digit());
    if !good {
        let bare = spot.value.trim_start_matches('$').trim_matches(['{', '}']);
        let plain = !bare.is_empty() && bare.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let name = if plain { bare } else { "OPENAI_API_KEY" };
        walk.problem(spot.span.clone(), format!("`{key}` is not the name of an environment variable"), format!("write {key} = \"{name}\""));
    }
    good
}

fn prices(section: &Section<'_>) -> Option<Prices> {
    let table = section.table("prices", &["input", "cached_input", "output"])?;
    let price = |key: &str| {
        let number = table.number(key, "2.5")?;
        if number.value < 0.0 {
            table.walk.problem(number.span, format!("`{key}` is negative"), "prices are US dollars for a million tokens".to_owned());
            return None;
        }
        Some(number.value)
    };
    for key in ["input", "output"] {
        if !table.has(key) {
            table.missing(key, "prices = { input = 2.5, output = 10.0 }   # US dollars for a million tokens");
        }
    }
    Some(Prices {
        input: price("input").unwrap_or_default(),
        cached_input: price("cached_input"),
        output: price("output").unwrap_or_default(),
    })
}

fn headers(section: &Section<'_>) -> BTreeMap<String, Header> {
    let mut headers = BTreeMap::new();
    let Some(table) = section.table("headers", &[]) else { return headers };
    for (key, value) in table.entries() {
        let name = key.get_ref().to_string();
        let header = match value.get_ref() {
            DeValue::String(text) if text.chars().all(|c| !c.is_control()) => Header::Text(text.to_string()),
            DeValue::Table(_) => {
                let Some(inner) = table.table(&name, &["env"]) else { continue };
                if !inner.has("env") {
                    inner.missing("env", &format!("{name} = {{ env = \"NAME_OF_A_VARIABLE\" }}"));
                }
                let Some(variable) = variable(&inner, "env") else { continue };
                Header::Environment(variable)
            }
            _ => {
                table.wrong(&name, value, "a text in one line", &format!("\"…\", or {name} = {{ env = \"NAME_OF_A_VARIABLE\" }}"));
                continue;
            }
        };
        headers.insert(name, header);
    }
    headers
}

fn body(section: &Section<'_>) -> serde_json::Map<String, serde_json::Value> {
    let mut body = serde_json::Map::new();
    let Some(table) = section.table("body", &[]) else { return body };
    for (key, value) in table.entries() {
        let name = key.get_ref().to_string();
        if OURS.contains(&name.as_str()) {
            let hint = "`body` is for what else a server wants, such as top_p or chat_template_kwargs".to_owned();
            table.walk.problem(key.span(), format!("`{name}` is written by trialdeck itself"), hint);
        } else {
            match json(value) {
                Some(value) => drop(body.insert(name, value)),
                None => table.wrong(&name, value, "something that JSON can say", "\"…\""),
            }
        }
    }
    body
}

/// A value as JSON; none where JSON has no such value (a date, infinity).
fn json(value: &Spanned<DeValue<'_>>) -> Option<serde_json::Value> {
    Some(match value.get_ref() {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok()?.into(),
        DeValue::Float(f) => serde_json::Number::from_f64(f.as_str().parse().ok()?)?.into(),
        DeValue::Boolean(b) => (*b).into(),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => items.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(k, v)| Some((k.get_ref().to_string(), json(v)?)));
            serde_json::Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}
