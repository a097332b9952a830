//! What is said between a proposer and its model: the messages, the answers, and the record that lies beside the journal.
//!
//! `propose` speaks in these types, `archive` reads them back, clients show them. Knows no wire format of any server.

use super::Spend;
use serde::{Deserialize, Serialize};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Message {
    /// Who the model is to be.
    System {
        /// In Markdown.
        text: String,
    },
    /// What it is asked.
    User {
        /// In Markdown; data of others is delimited in it.
        text: String,
    },
    /// What it said before.
    Assistant {
        /// Its answer.
        text: String,
        /// The tools that it called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
        /// What its server wants back as it was (reasoning items of the `responses` API), in the server's own form.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        opaque: Vec<serde_json::Value>,
    },
    /// What a tool answered.
    Tool {
        /// Which call.
        call: String,
        /// The tool's name.
        name: String,
        /// Its answer.
        text: String,
        /// It could not do what was asked.
        #[serde(default)]
        failed: bool,
    },
}

/// A model's wish to have a tool run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The server's name for the call.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Its arguments, JSON as the model wrote it: it may not parse.
    pub arguments: String,
}

/// Why a model stopped speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It had said all.
    Stop,
    /// It called tools.
    Tools,
    /// It met a limit of tokens.
    Length,
    /// The server kept something back.
    Filter,
    /// The stream ended without a word of why.
    Cut,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The answer, without its reasoning.
    pub text: String,
    /// What it thought aloud.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// Tools that it called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What its server wants back as it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opaque: Vec<serde_json::Value>,
    /// Why it stopped.
    pub finish: Finish,
    /// What the answer cost: one call, retries included.
    pub spend: Spend,
    /// Seconds until its first token.
    #[serde(default)]
    pub first_token_secs: Option<f64>,
}

/// One entry of a recorded conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "turn", rename_all = "snake_case")]
pub enum Turn {
    /// An attempt at a revision begins. What follows belongs to it; after a crash there is another attempt at the same one.
    Began {
        /// Which, from 1.
        revision: u32,
    },
    /// A message that the model got.
    Told {
        /// It.
        message: Message,
    },
    /// What it answered.
    Answered {
        /// The name of the `[[model]]`.
        model: String,
        /// It.
        answer: Answered,
    },
    /// Something between the two went wrong and was tried again.
    Retried {
        /// In one line.
        why: String,
        /// Seconds until the next try.
        wait_secs: f64,
    },
    /// How it ended without a proposal.
    Failed {
        /// In one line.
        why: String,
    },
}

/// A piece of what a proposer does, as it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "thought", rename_all = "snake_case")]
pub enum Thought {
    /// It thinks.
    Reasoning {
        /// The next piece.
        text: String,
    },
    /// It speaks.
    Answer {
        /// The next piece.
        text: String,
    },
    /// It called a tool.
    Called {
        /// The tool.
        name: String,
        /// Its arguments in one line, cut.
        arguments: String,
    },
    /// The tool answered.
    Told {
        /// The tool.
        name: String,
        /// Its answer, cut.
        text: String,
        /// It could not do what was asked.
        failed: bool,
    },
    /// Something happened on the way: a retry, a wait.
    Note {
        /// In one line.
        text: String,
    },
}
