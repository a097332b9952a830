//! From the text of the user's file to what it says, and everything that is wrong with it. Pure.
//!
//! What is wrong is left out, the rest holds. Tested by tables of broken files and by arbitrary text in `tests`.

use super::{At, commands, models, secrets};
use crate::cli::{create, proposers};
use crate::model::{Autonomy, PolicyName};
use crate::task::{self, Problem, Problems, Root, Section, Vocabulary, Walk, nearest_word};
use crate::tui::{Bell, Theme};

/// The words of the file.
pub(super) const WORDS: Vocabulary = Vocabulary {
    sections: &[
        ("studies", &["dir"]),
        ("run", &["policy", "proposer", "autonomy", "slots", "isolation"]),
        ("ui", &["theme", "colour", "editor", "bell", "mouse"]),
        ("agents", &["tokens_per_proposal", "usd_per_proposal"]),
        ("model", models::KEYS),
        ("command", commands::KEYS),
    ],
    lists: &["model", "command"],
    usual: &["studies", "run", "ui", "agents"],
};

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also in pipes.
    Always,
    /// Not at all.
    Never,
}

impl Colour {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// What stands in the file, and nothing else.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UserFile {
    /// Absolute, or beginning with `~/`.
    pub(crate) studies: Option<At<String>>,
    pub(crate) policy: Option<At<PolicyName>>,
    /// Names; `agents` may be among them.
    pub(crate) proposers: Option<At<Vec<String>>>,
    pub(crate) autonomy: Option<At<Autonomy>>,
    pub(crate) slots: Option<At<u32>>,
    pub(crate) isolation: Option<At<String>>,
    /// A shipped theme, or a path: absolute, beginning with `~/`, or beside the file.
    pub(crate) theme: Option<At<String>>,
    pub(crate) colour: Option<At<Colour>>,
    /// As words.
    pub(crate) editor: Option<At<Vec<String>>>,
    pub(crate) bell: Option<At<Bell>>,
    pub(crate) mouse: Option<At<bool>>,
    pub(crate) models: Vec<models::Model>,
    pub(crate) commands: Vec<commands::Command>,
    /// Tokens of one proposal at most.
    pub(crate) tokens_per_proposal: Option<At<u32>>,
    /// US dollars of one proposal at most.
    pub(crate) usd_per_proposal: Option<At<f64>>,
}

/// Reads a text. `file_name` is for the messages only.
pub(super) fn parse(text: &str, file_name: &str) -> (UserFile, Option<Problems>) {
    let (document, mut problems) = task::document(text);
    let walk = Walk::new(text, WORDS, &problems);
    let keys = secrets::find(document.get_ref());
    let root = Root::open(&walk, document.get_ref());
    let file = user_file(&root);
    for key in &keys {
        let message = if key.named {
            format!("a key does not belong in this file: `{}`", key.name)
        } else {
            "this looks like a key, which does not belong in this file".into()
        };
        let hint = "put it into an environment variable and write key_env = \"OPENAI_API_KEY\",\nor name a program that prints it: key_command = \"pass show openai\"";
        walk.problem(key.name_span.clone(), message, hint.to_owned());
    }
    let (mut found, _) = walk.finish();
    // One word about a misplaced key is enough, and none may repeat it: `api_key` also looks like a mistyped `api`.
    let about_key = |p: &Problem| keys.iter().any(|k| p.span.start < k.value_span.end && k.value_span.start < p.span.end);
    let unknown = |p: &Problem| p.message.starts_with("unknown key") && keys.iter().any(|k| k.name_span == p.span);
    found.retain(|p| !about_key(p) && !unknown(p));
    problems.append(&mut found);
    for problem in &mut problems {
        problem.message = secrets::hidden(&problem.message, &[]);
        problem.hint = problem.hint.take().map(|hint| secrets::hidden(&hint, &[]));
    }
    let shown = secrets::hidden(text, &keys);
    let problems = (!problems.is_empty()).then(|| Problems::new(file_name, &shown, problems));
    (file, problems)
}

fn user_file(root: &Root<'_>) -> UserFile {
    let mut file = UserFile::default();
    if let Some(section) = root.section("studies") {
        file.studies = studies(&section);
    }
    if let Some(section) = root.section("run") {
        run(&section, &mut file);
    }
    if let Some(section) = root.section("ui") {
        ui(&section, &mut file);
    }
    if let Some(section) = root.section("agents") {
        agents(&section, &mut file);
    }
    file.models = models::models(&root.sections("model"));
    file.commands = commands::commands(&root.sections("command"));
    file
}

/// The value together with the line of its key.
fn at<T>(section: &Section<'_>, key: &str, value: Option<T>) -> Option<At<T>> {
    Some(At { value: value?, line: section.line(key)? })
}

fn studies(section: &Section<'_>) -> Option<At<String>> {
    let spot = section.text("dir", "\"~/studies\"")?;
    if !spot.value.starts_with('/') && !spot.value.starts_with("~/") {
        let message = format!("`dir` must be an absolute path, not `{}`", spot.value);
        section.walk.problem(spot.span, message, "begin it with / or ~/".to_owned());
        return None;
    }
    at(section, "dir", Some(spot.value))
}

fn run(section: &Section<'_>, file: &mut UserFile) {
    const POLICIES: &[(&str, PolicyName)] = &[("hillclimb", PolicyName::Hillclimb), ("greedy", PolicyName::Greedy)];
    const AUTONOMY: &[(&str, Autonomy)] = &[("ask", Autonomy::Ask), ("ask-risky", Autonomy::AskRisky), ("auto", Autonomy::Auto)];
    const TIERS: &[(&str, &str)] = &[("none", "none"), ("A", "A"), ("B", "B"), ("C", "C"), ("D", "D"), ("E", "E")];
    file.policy = at(section, "policy", section.word("policy", POLICIES));
    file.proposers = at(section, "proposer", named_proposers(section));
    file.autonomy = at(section, "autonomy", section.word("autonomy", AUTONOMY));
    file.slots = at(section, "slots", section.whole("slots", 1, "2"));
    file.isolation = at(section, "isolation", section.word("isolation", TIERS).map(str::to_owned));
}

fn named_proposers(section: &Section<'_>) -> Option<Vec<String>> {
    let spot = section.text("proposer", "\"tpe\"")?;
    let names = match proposers::split(&spot.value) {
        Ok(names) => names,
        Err(message) => {
            section.walk.problem(spot.span, message, "write proposer = \"tpe\"".to_owned());
            return None;
        }
    };
    for name in names.iter().filter(|n| *n != "agents") {
        if let Err(failure) = create::proposers(Some(name)) {
            let near = nearest_word(name, ["tpe", "random", "researcher", "agents"]);
            let hint = near.map_or_else(|| "write proposer = \"tpe\"".to_owned(), |near| format!("did you mean \"{near}\"?"));
            section.walk.problem(spot.span, failure.message, hint);
            return None;
        }
    }
    Some(names)
}

fn ui(section: &Section<'_>, file: &mut UserFile) {
    const COLOURS: &[(&str, Colour)] = &[("auto", Colour::Auto), ("always", Colour::Always), ("never", Colour::Never)];
    const BELLS: &[(&str, Bell)] = &[("unfocused", Bell::Unfocused), ("always", Bell::Always), ("never", Bell::Never)];
    file.theme = at(section, "theme", theme(section));
    file.colour = at(section, "colour", section.word("colour", COLOURS));
    file.editor = at(section, "editor", editor(section));
    file.bell = at(section, "bell", section.word("bell", BELLS));
    file.mouse = at(section, "mouse", section.flag("mouse"));
}

fn agents(section: &Section<'_>, file: &mut UserFile) {
    file.tokens_per_proposal = at(section, "tokens_per_proposal", section.whole("tokens_per_proposal", 1000, "500000"));
    let usd = section.number("usd_per_proposal", "0.5").and_then(|n| {
        if n.value > 0.0 {
            return Some(n.value);
        }
        section.walk.problem(n.span, "`usd_per_proposal` must be positive", "leave it out for no limit".to_owned());
        None
    });
    file.usd_per_proposal = at(section, "usd_per_proposal", usd);
}

fn theme(section: &Section<'_>) -> Option<String> {
    let spot = section.text("theme", "\"default\"")?;
    let shipped = Theme::shipped();
    if shipped.contains(&spot.value) || spot.value.contains('/') || spot.value.ends_with(".toml") {
        return Some(spot.value);
    }
    let hint = match nearest_word(&spot.value, shipped.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}; or write the path of a theme file", shipped.join(", ")),
    };
    section.walk.problem(spot.span, format!("there is no theme `{}`", spot.value), hint);
    None
}

fn editor(section: &Section<'_>) -> Option<Vec<String>> {
    let spot = section.text("editor", "\"nano\"")?;
    match shell_words::split(&spot.value) {
        Ok(words) if !words.is_empty() => Some(words),
        _ => {
            section.walk.problem(spot.span, "`editor` is not a command", "close the quote: editor = \"code --wait\"".to_owned());
            None
        }
    }
}
