//! `[[command]]`: a program that proposes, by name, and what it is granted. Pure. Values of variables are never read here.

use crate::task::Section;
use std::time::Duration;

/// The keys of `[[command]]`.
pub(super) const KEYS: &[&str] = &["name", "run", "network", "env", "read", "wall", "memory"];

/// A program that `--proposer command:NAME` names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    /// What a person calls it.
    pub(crate) name: String,
    /// Run by `/bin/sh -c`.
    pub(crate) run: String,
    /// It may use the network.
    pub(crate) network: bool,
    /// Variables that it gets.
    pub(crate) env: Vec<String>,
    /// What it may read: absolute, or beginning with `~/`.
    pub(crate) read: Vec<String>,
    /// Limit of one proposal.
    pub(crate) wall: Option<Duration>,
    /// Memory of all its processes together.
    pub(crate) memory_bytes: Option<u64>,
    /// Line of its heading.
    pub(crate) line: usize,
}

/// Reads all entries; names are unique.
pub(super) fn commands(sections: &[Section<'_>]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for section in sections {
        let command = one(section);
        if let Some(first) = commands.iter().find(|c| c.name == command.name && !c.name.is_empty()) {
            let message = format!("there are two commands `{}`", command.name);
            section.walk.problem(section.key_span("name"), message, format!("the other one stands in line {}", first.line));
        }
        commands.push(command);
    }
    commands
}

fn one(section: &Section<'_>) -> Command {
    let name = section.need_text("name", "\"claude\"");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.value.chars().all(plain) || name.value.len() > 32 {
        let hint = "up to 32 letters, digits, `.`, `_` and `-`: name = \"claude\"".to_owned();
        section.walk.problem(name.span, "`name` is no plain word", hint);
    }
    let run = section.need_text("run", "\"claude -p --dangerously-skip-permissions\"").value;
    let mut env = Vec::new();
    for spot in section.texts("env", "[\"ANTHROPIC_API_KEY\"]") {
        if spot.value.is_empty() || !spot.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let hint = "name the variable alone, its value stays in the environment: env = [\"ANTHROPIC_API_KEY\"]".to_owned();
            section.walk.problem(spot.span, "`env` holds no name of a variable", hint);
        } else {
            env.push(spot.value);
        }
    }
    let mut read = Vec::new();
    for spot in section.texts("read", "[\"~/.nvm\"]") {
        if spot.value.starts_with('/') || spot.value.starts_with("~/") {
            read.push(spot.value);
        } else {
            section.walk.problem(spot.span, "`read` must hold absolute paths", "begin it with / or ~/".to_owned());
        }
    }
    Command {
        name: name.value,
        run,
        network: section.flag("network").unwrap_or(false),
        env,
        read,
        wall: section.duration("wall", "\"10m\""),
        memory_bytes: section.bytes("memory", "\"4GiB\""),
        line: section.walk.line_of(&section.header),
    }
}
