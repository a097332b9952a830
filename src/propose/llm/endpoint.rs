//! What is known of a model server before it is asked: its address, how to speak to it, where its key comes from.
//!
//! Plain data, made by whoever reads the configuration. Knows neither the environment nor files. A [`Secret`] shows itself
//! in no message, and every key that is handed out is told to `model::redact` first.

use crate::model::redact;
use serde_json::{Map, Value};
use std::{fmt, sync::Arc, time::Duration};

/// A key. Its value leaves only as the header of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a key, and has it covered from now on wherever text of this process is stored or shown. None of an empty text.
    pub fn new(value: &str) -> Option<Self> {
        let value = value.trim();
        if value.is_empty() {
            return None;
        }
        redact::learn(value);
        Some(Self(value.to_owned()))
    }

    /// The value, for a header.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the key of a server comes from. May block; it is asked on a thread for such work.
pub trait KeySource: Send + Sync {
    /// The key; none where the server wants none.
    ///
    /// Errors: in one line, why there is none and what to do.
    fn key(&self) -> Result<Option<Secret>, String>;

    /// The last key was refused. Whether asking again may give another one.
    fn refused(&self) -> bool {
        false
    }
}

/// A server that wants no key.
#[derive(Debug, Clone, Copy)]
pub struct NoKey;

impl KeySource for NoKey {
    fn key(&self) -> Result<Option<Secret>, String> {
        Ok(None)
    }
}

/// A key that is at hand.
impl KeySource for Secret {
    fn key(&self) -> Result<Option<Secret>, String> {
        Ok(Some(self.clone()))
    }
}

/// Which calls of a server are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/chat/completions`.
    Chat,
    /// `/responses`.
    Responses,
}

/// How tools are offered to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolStyle {
    /// In the request's own field; in words, once the server has said that it cannot.
    Auto,
    /// In the request's own field.
    Native,
    /// In words, see [`super::text_tools`].
    Text,
}

/// US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// Of the prompt.
    pub input: f64,
    /// Of the part of the prompt that the server knew already; `input` where it is none.
    pub cached_input: Option<f64>,
    /// Of the answer, reasoning included.
    pub output: f64,
}

/// How long a server is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without a byte, also before the first one: local models are silent while they read a long prompt.
    pub idle: Duration,
    /// Times that one question is asked at most.
    pub tries: u32,
    /// Before the second try; doubled before each one after it.
    pub first_wait: Duration,
    /// Before one try at most, whatever the server says.
    pub longest_wait: Duration,
    /// All waits of a question together.
    pub waits: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { connect: secs(10), idle: secs(300), tries: 7, first_wait: secs(1), longest_wait: secs(60), waits: secs(150) }
    }
}

/// A model server and how to ask it.
#[derive(Clone)]
pub struct Endpoint {
    /// What the user calls it.
    pub name: String,
    /// What the server calls the model.
    pub model: String,
    /// Without a slash at its end, as a rule ending in `/v1`.
    pub base_url: String,
    /// Which calls are used.
    pub api: Api,
    /// Where the key comes from.
    pub key: Arc<dyn KeySource>,
    /// How tools are offered.
    pub tools: ToolStyle,
    /// Sampling temperature; the server's own when none.
    pub temperature: Option<f64>,
    /// A word such as `low`; the server's own when none.
    pub reasoning_effort: Option<String>,
    /// Tokens of one answer at most, reasoning included.
    pub max_tokens: Option<u32>,
    /// Tokens that the model can take in.
    pub context: Option<u32>,
    /// What it costs.
    pub prices: Option<Prices>,
    /// Sent with every request. Values that hold keys were told to `model::redact` by whoever read them.
    pub headers: Vec<(String, String)>,
    /// Members of the body of every request.
    pub body: Map<String, Value>,
    /// How long it is waited for.
    pub patience: Patience,
}

impl Endpoint {
    /// An endpoint of which no more is known: the chat API, no key, everything else the server's own.
    pub fn new(name: impl Into<String>, model: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            model: model.into(),
            base_url: base_url.into().trim_end_matches('/').to_owned(),
            api: Api::Chat,
            key: Arc::new(NoKey),
            tools: ToolStyle::Auto,
            temperature: None,
            reasoning_effort: None,
            max_tokens: None,
            context: None,
            prices: None,
            headers: Vec::new(),
            body: Map::new(),
            patience: Patience::default(),
        }
    }

    /// The server's name and port, as in the address; a user or a password before them is nobody's to see.
    pub fn host(&self) -> &str {
        let rest = self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, rest)| rest);
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        place.rsplit_once('@').map_or(place, |(_, host)| host)
    }

    /// Whether the server is this machine or stands beside it, by its address: then no proxy is asked.
    pub fn is_near(&self) -> bool {
        let host = self.host();
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((inside, _)) => inside,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<std::net::IpAddr>().is_ok_and(|ip| match ip {
                std::net::IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
                std::net::IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
            })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("model", &self.model)
            .field("base_url", &self.base_url)
            .field("api", &self.api)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_machine() {
        for (url, host, near) in [
            ("http://localhost:8000/v1", "localhost:8000", true),
            ("http://127.0.0.1:1/v1/", "127.0.0.1:1", true),
            ("http://[::1]:8000/v1", "[::1]:8000", true),
            ("https://api.openai.com/v1", "api.openai.com", false),
            ("http://127.0.0.1.evil.example/v1", "127.0.0.1.evil.example", false),
            ("http://10.0.0.3", "10.0.0.3", true),
            ("http://[fd00::1]/v1", "[fd00::1]", true),
            ("http://8.8.8.8/v1", "8.8.8.8", false),
            ("https://me:secret@127.0.0.1:80/v1", "127.0.0.1:80", true),
            ("https://127.0.0.1@evil.example/v1", "evil.example", false),
        ] {
            let endpoint = Endpoint::new("m", "m", url);
            assert_eq!((endpoint.host(), endpoint.is_near()), (host, near), "{url}");
        }
    }

    #[test]
    fn a_key_shows_itself_nowhere() {
        let secret = Secret::new(" correct-horse-4711\n").unwrap();
        assert_eq!(secret.expose(), "correct-horse-4711");
        let mut endpoint = Endpoint::new("m", "m", "http://h/v1");
        endpoint.headers.push(("x-key".into(), "battery-staple-99".into()));
        endpoint.key = Arc::new(secret.clone());
        let shown = format!("{secret:?} {endpoint:?}");
        assert!(!shown.contains("horse") && !shown.contains("staple"), "{shown}");
        assert_eq!(redact::ours().text("it is correct-horse-4711!"), "it is [redacted]********!");
        assert_eq!(Secret::new("  "), None);
    }
}
