//! What a specialist's request says, for scripted models that react to it as a mind would: to what stands in the request and to
//! nothing else.

use super::{Endpoint, Reply, Request};
use serde_json::{Value, json};

impl Request {
    fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    fn content(&self, role: &str) -> &str {
        self.messages().iter().find(|m| m["role"] == role).and_then(|m| m["content"].as_str()).unwrap_or_default()
    }

    /// Who is asked, in the words of its prompt: `debugger`, `architecture specialist`.
    pub fn who(&self) -> &str {
        let (_, rest) = self.content("system").split_once("You are the ").unwrap_or_default();
        rest.split(" of a small team").next().unwrap_or_default()
    }

    /// What was told of the study before the first answer.
    pub fn digest(&self) -> &str {
        self.content("user")
    }

    /// A part of the digest, from its heading to the next one; empty where it has none.
    pub fn section(&self, heading: &str) -> &str {
        let (_, rest) = self.digest().split_once(&format!("\n## {heading}")).unwrap_or_default();
        rest.split("\n## ").next().unwrap_or_default()
    }

    /// Whether a failed node is to be mended.
    pub fn mends(&self) -> bool {
        self.section("What you are asked for").contains("- debug: ")
    }

    /// Answers that were given in this conversation before.
    pub fn turn(&self) -> usize {
        self.messages().iter().filter(|m| m["role"] == "assistant").count()
    }

    /// The latest line of a file that a tool showed and that begins so, without its number.
    pub fn line_of(&self, begins: &str) -> Option<String> {
        let shown = |m: &Value| {
            let text = m["content"].as_str()?.to_owned();
            text.lines().filter_map(|l| Some(l.split_once("| ")?.1.to_owned())).find(|l| l.starts_with(begins))
        };
        self.messages().iter().rev().filter(|m| m["role"] == "tool").find_map(shown)
    }
}

/// The first number after some words. Panics where the words or the number are missing: the request does not say it.
#[track_caller]
pub fn number_after(text: &str, words: &str) -> f64 {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("no `{words}` in:\n{text}"));
    let number: String = rest.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.' || *c == '-').collect();
    number.trim_end_matches('.').parse().unwrap_or_else(|e| panic!("{e}: `{number}` after `{words}` in:\n{text}"))
}

/// A look at a file.
pub fn read(path: &str) -> Reply {
    Reply::calls("I look before I write.", &[("read_file", json!({ "path": path }))])
}

/// The arguments of an edit that replaces lines.
pub fn change(path: &str, search: &str, replace: &str, hypothesis: &str) -> Value {
    json!({ "hypothesis": hypothesis, "edits": [{ "path": path, "search": search, "replace": replace }] })
}

/// An edit that is handed in.
pub fn submit(thought: &str, edit: Value) -> Reply {
    Reply::calls(thought, &[("submit", edit)])
}

/// An end without a proposal.
pub fn give_up(why: &str) -> Reply {
    Reply::calls("", &[("give_up", json!({ "why": why }))])
}

impl Endpoint {
    /// A `[[model]]` of a configuration that asks this server.
    pub fn model(&self, name: &str) -> String {
        format!("\n[[model]]\nname = \"{name}\"\nbase_url = \"{}\"\nprices = {{ input = 1.0, output = 2.0 }}\n", self.url())
    }
}
