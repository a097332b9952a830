//! The layers of configuration: defaults, the user's file, the environment, the command line; each value keeps its origin.
//!
//! `read` is pure and understands a text, `find` knows where the file lies, `table` shows what holds, `template` is the file
//! that `doctor --init` writes. A broken file stops `run` alone: everyone else is warned and goes on with what is right in it.

mod commands;
mod find;
mod models;
mod read;
mod secrets;
mod table;
mod template;
#[cfg(test)]
mod tests;

pub(super) use commands::Command;
pub(super) use find::{Source, init};
pub(super) use models::{Api, Header, Key, Model};
pub(super) use read::{Colour, UserFile};
pub(super) use secrets::named as names_a_key;
pub(super) use table::{Row, rows};

use super::{Failure, say};
use crate::model::Safe;
use crate::task::Problems;
use std::{path::PathBuf, sync::OnceLock};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody said otherwise.
    Default,
    /// The user's file, at this line.
    File(usize),
    /// The task file, at this line.
    Task(usize),
    /// This environment variable.
    Environment(&'static str),
    /// An option of this command.
    CommandLine,
}

/// A value and its line in the user's file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// The user's configuration, as far as it could be understood.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// The file, where there is one.
    pub(super) path: Option<PathBuf>,
    /// What it says.
    pub(super) file: UserFile,
    /// What is wrong with it.
    pub(super) trouble: Option<Trouble>,
}

/// Why a file cannot be used as it stands.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was read and is wrong.
    Problems(Box<Problems>),
    /// It cannot be read.
    Unreadable(String),
}

impl Trouble {
    /// In one line, for those who go on without what is wrong.
    fn line(&self) -> String {
        match self {
            Self::Unreadable(why) => why.clone(),
            Self::Problems(problems) => {
                let first = problems.list.first();
                let place = first.map(|p| format!("line {}: {}", p.line, p.message)).unwrap_or_default();
                let more = match problems.list.len() {
                    0 | 1 => String::new(),
                    n => format!(" (and {} more)", n - 1),
                };
                format!("{} {place}{more}", problems.file())
            }
        }
    }

    /// Everything that is wrong.
    pub(super) fn render(&self, colour: bool) -> String {
        match self {
            Self::Unreadable(why) => why.clone(),
            Self::Problems(problems) => problems.render(colour),
        }
    }
}

/// Where the user's file lies, or would: prompts lie beside it.
pub(super) fn dir() -> Option<PathBuf> {
    find::Source::find()?.path.parent().map(std::path::Path::to_owned)
}

/// Set once, before anything is looked up; never changed.
static CURRENT: OnceLock<Config> = OnceLock::new();

/// The configuration of this process. Before it was read: nothing but defaults.
pub(super) fn current() -> &'static Config {
    CURRENT.get_or_init(Config::default)
}

/// Reads the configuration for a command that stops at a broken one.
pub(super) fn strictly() -> Result<(), Failure> {
    let config = CURRENT.get_or_init(find::load);
    match &config.trouble {
        None => Ok(()),
        Some(trouble) => Err(Failure::usage(format!(
            "{}\nnothing was started: mend the configuration first (`trialdeck doctor` shows what holds)",
            trouble.render(super::host::colour_of_stderr())
        ))),
    }
}

/// Reads the configuration for a command that goes on with a broken one, and says once that it is broken.
pub(super) fn gently() {
    let config = quietly();
    if let Some(trouble) = &config.trouble {
        say(&format!("warning: {}; what is wrong is left out, `trialdeck doctor` shows the mend", Safe::line(&trouble.line())));
    }
}

/// Reads the configuration for a command that says itself what is wrong with it.
pub(super) fn quietly() -> &'static Config {
    CURRENT.get_or_init(find::load)
}

/// Reads a text, for the tests of those who use it.
#[cfg(test)]
pub(super) fn parse(text: &str) -> (UserFile, Option<Problems>) {
    read::parse(text, "config.toml")
}
