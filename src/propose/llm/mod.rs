//! One model server and one question: the trait that agents speak through, and what may go wrong.
//!
//! Knows no study and no tool by name. Whatever a server does ends as an [`Answered`] or as a [`Fault`] in one line;
//! retries, the protocol for models without tool calls, and the count of tokens are the server's side of the trait.
//! [`Client`] is that side for OpenAI-compatible servers: `endpoint` says what is known of one before it is asked, `chat` and
//! `responses` are its two APIs, `wire` is the way there, `trouble` and `quirks` read its complaints, `gather` puts answers together.

mod chat;
mod client;
mod endpoint;
mod gather;
mod missing;
mod quirks;
mod reader;
mod responses;
mod retry;
mod spent;
mod text_tools;
mod think;
mod trouble;
mod wire;

pub use client::{Client, Seen};
pub use endpoint::{Api, Endpoint, KeySource, NoKey, Patience, Prices, Secret, ToolStyle};
pub use models::{Fixed, Models};

mod models;
pub mod recorded;

pub use crate::model::conversation::{Answered, Finish, Message, ToolCall};
use futures::future::BoxFuture;

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name: lower case, digits and `_`.
    pub name: &'static str,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON schema of its arguments: an object.
    pub parameters: serde_json::Value,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The conversation so far; the first message is the system's.
    pub messages: &'a [Message],
    /// Tools that may be called.
    pub tools: &'a [ToolSpec],
    /// Tokens of the answer at most, reasoning included; the configuration's own limit holds too.
    pub max_tokens: Option<u32>,
}

/// What is heard while a model answers. Pieces are as they came: not safe to draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Heard<'a> {
    /// It thinks.
    Reasoning(&'a str),
    /// It speaks.
    Text(&'a str),
    /// It has begun to call this tool.
    Calling(&'a str),
    /// The try before came to nothing, and what was heard of it does not count: it is asked again after so many seconds.
    Retrying {
        /// In one line.
        why: &'a str,
        /// Seconds.
        wait_secs: f64,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{line}")]
pub struct Fault {
    /// Of which kind.
    pub kind: FaultKind,
    /// For the user: what went wrong, where, what to do. One line, without keys.
    pub line: String,
    /// What was spent on the tries.
    pub spend: crate::model::Spend,
}

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// No key, a key that is refused, no such model: nothing will change by asking again.
    Setup,
    /// The server is away, overloaded or broken, and stayed so through all tries.
    Server,
    /// The conversation does not fit into the model.
    TooLong,
    /// The answers were empty, endless or not to be understood.
    Answer,
}

/// A model that can be asked. Dropping the future stops the answer.
pub trait Llm: Send + Sync {
    /// The name of the `[[model]]`.
    fn name(&self) -> &str;

    /// US dollars for a million tokens of prompt, cached prompt and answer; none where the price is not known.
    fn prices(&self) -> Option<[f64; 3]> {
        None
    }

    /// Tokens that it can take in, where known.
    fn context(&self) -> Option<u32> {
        None
    }

    /// Asks. `hear` gets every piece as it comes.
    fn ask<'a>(&'a self, ask: Ask<'a>, hear: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>>;
}
