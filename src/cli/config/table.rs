//! The configuration as it holds: every key, its value, and where that comes from.

use super::{At, Config, Header, Key, Model, Origin};
use crate::cli::args::Studies;
use crate::cli::host;
use crate::model::{Autonomy, NoisePlan, PolicyName};
use crate::propose::llm::ToolStyle;
use crate::run::slots;
use crate::task::{self, Found};
use serde::Serialize;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Dotted, as in the file: `run.policy`.
    pub(crate) key: String,
    /// In words.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// A row for programs.
#[derive(Debug, Serialize)]
pub(crate) struct RowDocument<'a> {
    key: &'a str,
    value: &'a str,
    /// `default`, `file`, `task`, `environment` or `command line`.
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'static str>,
}

impl Origin {
    /// For people; `file` is the name of the user's.
    pub(crate) fn words(&self, file: &str) -> String {
        match self {
            Self::Default => "default".into(),
            Self::File(line) => format!("{file}:{line}"),
            Self::Task(line) => format!("task.toml:{line}"),
            Self::Environment(name) => format!("${name}"),
            Self::CommandLine => "command line".into(),
        }
    }
}

impl Row {
    fn new(key: &str, value: impl Into<String>, origin: Origin) -> Self {
        Self { key: key.to_owned(), value: value.into(), origin }
    }

    /// For programs.
    pub(crate) fn document(&self) -> RowDocument<'_> {
        let (origin, line, variable) = match &self.origin {
            Origin::Default => ("default", None, None),
            Origin::File(line) => ("file", Some(*line), None),
            Origin::Task(line) => ("task", Some(*line), None),
            Origin::Environment(name) => ("environment", None, Some(*name)),
            Origin::CommandLine => ("command line", None, None),
        };
        RowDocument { key: &self.key, value: &self.value, origin, line, variable }
    }
}

/// A key that only the file and the defaults know.
fn plain<T>(key: &str, at: &Option<At<T>>, words: impl Fn(&T) -> String, default: String) -> Row {
    match at {
        Some(at) => Row::new(key, words(&at.value), Origin::File(at.line)),
        None => Row::new(key, default, Origin::Default),
    }
}

/// The whole table; with a task also what the task decides.
pub(crate) fn rows(config: &Config, choice: &Studies, task: Option<&Found>) -> Vec<Row> {
    let file = &config.file;
    let mut rows = vec![studies(choice)];
    rows.push(plain("run.policy", &file.policy, |p| p.word().into(), PolicyName::Hillclimb.word().into()));
    rows.push(plain("run.proposer", &file.proposers, |p| p.join("+"), if file.models.is_empty() { "tpe".into() } else { "agents".into() }));
    rows.push(plain(
        "run.autonomy",
        &file.autonomy,
        |a| a.word().into(),
        format!("{}; unattended {}", Autonomy::Ask.word(), Autonomy::Auto.word()),
    ));
    let gpus = task.map_or_else(|| u32::from(slots::gpus().is_ok()), |t| t.parsed.task.gpus(slots::gpus().is_ok()));
    rows.push(plain("run.slots", &file.slots, u32::to_string, slots::find(gpus, None, host::cpus()).0.len().to_string()));
    rows.push(isolation(config, task));
    let (theme, origin) = host::theme_and_origin();
    rows.push(Row::new("ui.theme", theme.unwrap_or_else(|| "default".into()), origin));
    rows.push(colour(config));
    rows.push(match host::editor_and_origin() {
        (Ok(words), origin) => Row::new("ui.editor", shell_words::join(words), origin),
        (Err(why), origin) => Row::new("ui.editor", why, origin),
    });
    rows.push(plain("ui.bell", &file.bell, |b| b.word().into(), crate::tui::Bell::default().word().into()));
    rows.push(plain("ui.mouse", &file.mouse, bool::to_string, "true".into()));
    let tokens = crate::cli::agents::TOKENS_PER_PROPOSAL.to_string();
    rows.push(plain("agents.tokens_per_proposal", &file.tokens_per_proposal, u32::to_string, tokens));
    rows.push(plain("agents.usd_per_proposal", &file.usd_per_proposal, f64::to_string, "unlimited".into()));
    rows.extend(file.commands.iter().map(|c| Row::new(&format!("command.{}", c.name), c.run.clone(), Origin::File(c.line))));
    rows.extend(file.models.iter().map(|m| Row::new(&format!("model.{}", m.name), about(m), Origin::File(m.line))));
    rows.extend(task.into_iter().flat_map(of_task));
    rows
}

fn studies(choice: &Studies) -> Row {
    match host::studies_dir_and_origin(choice) {
        Ok((dir, origin)) => Row::new("studies.dir", dir.display().to_string(), origin),
        Err(failure) => Row::new("studies.dir", failure.message, Origin::Default),
    }
}

fn isolation(config: &Config, task: Option<&Found>) -> Row {
    let required = task.and_then(|t| Some((t.parsed.task.sandbox.require?, line(&t.text, "sandbox", "require")?)));
    match (required, &config.file.isolation) {
        (Some((tier, line)), _) => Row::new("run.isolation", format!("{tier} or stronger"), Origin::Task(line)),
        (None, Some(at)) if at.value == "none" => Row::new("run.isolation", "E", Origin::File(at.line)),
        (None, Some(at)) => Row::new("run.isolation", at.value.clone(), Origin::File(at.line)),
        (None, None) => Row::new("run.isolation", "the strongest that works here", Origin::Default),
    }
}

fn colour(config: &Config) -> Row {
    use super::Colour;
    match &config.file.colour {
        Some(at) if at.value != Colour::Auto || !host::no_color_is_set() => Row::new("ui.colour", at.value.word(), Origin::File(at.line)),
        _ if host::no_color_is_set() => Row::new("ui.colour", Colour::Never.word(), Origin::Environment("NO_COLOR")),
        _ => Row::new("ui.colour", Colour::Auto.word(), Origin::Default),
    }
}

/// A model in one line, without anything secret.
fn about(model: &Model) -> String {
    let key = match &model.key {
        Key::None => "no key".to_owned(),
        Key::Environment(name) => format!("key ${name}"),
        Key::Command(_) => "key by command".to_owned(),
    };
    let mut more = Vec::new();
    more.extend((model.model != model.name).then(|| model.model.clone()));
    more.extend(model.temperature.map(|t| format!("temperature {t}")));
    more.extend(model.reasoning_effort.map(|e| format!("effort {e}")));
    more.extend(model.max_tokens.map(|n| format!("max {n}")));
    more.extend(model.context.map(|n| format!("context {n}")));
    more.extend(match model.tools {
        ToolStyle::Auto => None,
        ToolStyle::Native => Some("tools native".to_owned()),
        ToolStyle::Text => Some("tools in words".to_owned()),
    });
    more.extend(model.idle.map(|d| format!("idle {}", crate::headless::span(d.as_secs_f64()))));
    more.extend(model.prices.map(|p| {
        let cached = p.cached_input.map(|c| format!("/{c}")).unwrap_or_default();
        format!("USD {}{cached}/{} a million tokens", p.input, p.output)
    }));
    for (name, header) in &model.headers {
        more.push(match header {
            Header::Text(_) => format!("header {name}"),
            Header::Environment(variable) => format!("header {name} ${variable}"),
        });
    }
    more.extend(model.body.keys().map(|k| format!("body {k}")));
    let more = if more.is_empty() { String::new() } else { format!(", {}", more.join(", ")) };
    format!("{} {}, {key}{more}", model.api.word(), model.base_url)
}

/// What a task decides for each of its runs.
fn of_task(found: &Found) -> Vec<Row> {
    let task = &found.parsed.task;
    let origin = |section: &str, key: &str| line(&found.text, section, key).map_or(Origin::Default, Origin::Task);
    let secs = |d: std::time::Duration| crate::headless::span(d.as_secs_f64());
    let bytes = |b: Option<u64>| b.map_or_else(|| "unlimited".to_owned(), size);
    let (noise, min) = (&task.task.noise, task.task.min_effect);
    let gpus = task.gpus(slots::gpus().is_ok());
    let rows = [
        (
            "task",
            "noise",
            match noise {
                NoisePlan::Measure => "measure".to_owned(),
                NoisePlan::Given { sd } => format!("sd {sd}"),
            },
        ),
        ("task", "min_effect", min.map_or_else(|| "none".to_owned(), |m| m.to_string())),
        ("repository", "editable", task.repository.editable.join(" ")),
        ("repository", "max_changed_lines", task.repository.max_changed_lines.map_or_else(|| "unlimited".into(), |n| n.to_string())),
        ("run", "command", task.run.command.clone()),
        ("run", "seeds", task.run.seeds.to_string()),
        ("budget", "wall", secs(task.budget.wall)),
        ("budget", "grace", secs(task.budget.grace)),
        ("budget", "memory", bytes(task.budget.memory_bytes)),
        ("budget", "gpus", gpus.to_string()),
        ("budget", "output", bytes(task.budget.output_bytes)),
        ("evaluator", "wall", secs(task.evaluator.wall)),
    ];
    rows.into_iter().map(|(section, key, value)| Row::new(&format!("{section}.{key}"), value, origin(section, key))).collect()
}

fn size(bytes: u64) -> String {
    let (value, unit) = match bytes {
        b if b >= 1 << 30 => (b as f64 / f64::from(1 << 30), "GiB"),
        b => (b as f64 / f64::from(1 << 20), "MiB"),
    };
    format!("{} {unit}", (value * 10.0).round() / 10.0)
}

/// The line of a key of a task file.
fn line(text: &str, section: &str, key: &str) -> Option<usize> {
    let (document, _) = task::document(text);
    let toml::de::DeValue::Table(table) = document.get_ref().get(section)?.get_ref() else { return None };
    let (key, _) = table.get_key_value(key)?;
    Some(text.get(..key.span().start)?.matches('\n').count() + 1)
}
