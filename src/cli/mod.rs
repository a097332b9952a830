//! The command line: arguments, wiring, exit codes. The only room that reads the environment.

mod agents;
mod args;
mod ask;
mod at_once;
mod attach;
mod config;
mod create;
mod doctor;
mod editor;
mod engine;
mod export;
mod find;
mod host;
mod import;
mod init;
mod isolation;
mod keys;
mod knobs;
mod look;
mod models;
mod offers;
mod outfit;
mod proposers;
mod replay;
mod resume;
mod run;
mod steer;
mod task_text;
mod told;
mod verify;
mod watch_dir;

use crate::model::{printable, printable_json, redact};
use args::{Cli, Cmd};
use clap::{CommandFactory, Parser};
use std::io::Write;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Done.
    pub const DONE: Self = Self(0);
    /// Failed.
    pub const FAILED: Self = Self(1);
    /// Usage or configuration.
    pub const USAGE: Self = Self(2);
    /// Finished without an improvement.
    pub const NO_GAIN: Self = Self(3);
    /// Stopped by the user.
    pub const STOPPED: Self = Self(4);
    /// Another engine owns the study.
    pub const OWNED: Self = Self(5);
}

/// An error for a person, with the exit code that it leads to.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, where, and what to do.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// Usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::USAGE }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { message: format!("{:#}", error.into()), exit: Exit::FAILED }
    }
}

type Outcome = Result<Exit, Failure>;

/// Runs the program.
pub fn main() -> u8 {
    // What must never be written down; asked of the environment once. A key that lies there is no reason to look further.
    redact::know(host::variables());
    report_panics();
    // The supervisor of a run starts in a hurry: nothing else is looked at.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|first| first == "shim") {
        return engine::shim(&words.collect::<Vec<_>>());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error, and clap alone knows how wide it is. A message repeats words that may have been a file's name.
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::DONE.0;
            }
            let text = error.render();
            say(&if host::colour_of_stderr() { text.ansi().to_string() } else { text.to_string() });
            return Exit::USAGE.0;
        }
    };
    match dispatch(cli) {
        Ok(exit) => exit.0,
        Err(failure) => {
            // What is shown with its place in a file begins with the word already.
            let head = if failure.message.starts_with("error: ") { "" } else { "error: " };
            say(&format!("{head}{}", failure.message));
            failure.exit.0
        }
    }
}

/// A panic's words may repeat what it failed on: foreign text, and keys.
fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        say(&info.to_string());
        let trace = std::backtrace::Backtrace::capture();
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            say(&trace.to_string());
        }
    }));
}

fn dispatch(cli: Cli) -> Outcome {
    configure(cli.command.as_ref())?;
    let Some(command) = cli.command else { return offers::home() };
    match command {
        Cmd::Run(args) => run::run(&args),
        Cmd::Attach { study, watch, studies } => attach::attach(study.as_deref(), watch, &studies),
        Cmd::Resume { study, trials, time, cost, tokens, isolation, how, studies } => {
            let more = resume::More { trials, time, cost, tokens };
            resume::resume(&study, &more, isolation.as_deref(), &how, &studies)
        }
        Cmd::Stop { study, now, studies } => steer::stop(&study, now, &studies),
        Cmd::Ls { json, short, studies } => look::ls(json, short, &studies),
        Cmd::Show { study, trial: Some(trial), json, conversation: true, full, studies } => {
            look::conversation(&study, &trial, json, full, &studies)
        }
        Cmd::Show { study, trial, json, studies, .. } => look::show(&study, trial.as_deref(), json, &studies),
        Cmd::Tree { study, studies } => look::tree(&study, &studies),
        Cmd::Diff { study, trial, against, revision, json, studies } => look::diff(&study, &trial, &against, revision, json, &studies),
        Cmd::Log { study, trial, follow, stderr, evaluator, studies } => look::log(&study, &trial, follow, stderr, evaluator, &studies),
        Cmd::Propose { study, patch, from, idea, to, message, parent, wait, json, studies } => {
            steer::propose(&steer::Proposal { study, patch, from, idea, to, message, parent, wait, json, studies })
        }
        Cmd::Ctl { study, wish, json, studies } => steer::ctl(&study, wish, json, &studies),
        Cmd::Verify { study, all, json, studies } => verify::verify(&study, all, json, &studies),
        Cmd::Replay { study, trial, json, studies } => replay::replay(&study, &trial, json, &studies),
        Cmd::Export { study, trial, patch: _, branch, into, dir, tsv, studies } => {
            if tsv {
                return export::table(&study, &studies);
            }
            export::export(&study, trial.as_deref(), branch.as_deref(), into.as_deref(), dir.as_deref(), &studies)
        }
        Cmd::Import(args) => import::import(&args),
        Cmd::Init(args) => init::init(&args),
        Cmd::Models { json } => models::models(json),
        Cmd::Tasks { json } => look::tasks(json),
        Cmd::Knobs { task, cmd, all, json } => knobs::knobs(&task, cmd.as_deref(), all, json),
        Cmd::Doctor { watch: Some(place), patterns, files, json, .. } => watch_dir::watch(&place, &patterns, &files, json),
        Cmd::Doctor { task, json, init, studies, .. } => {
            if init {
                return doctor::init();
            }
            doctor::doctor(task.as_deref(), json, &studies)
        }
        Cmd::Engine { dir } => engine::engine(&dir),
        Cmd::Shim { .. } => Err(Failure::usage("`trialdeck shim` is started by the engine alone")),
        Cmd::Other(words) => other(&words),
    }
}

/// Reads the user's configuration: a broken one stops `run` alone, `doctor` shows it, and what a person does not start
/// does not look at it.
fn configure(command: Option<&Cmd>) -> Result<(), Failure> {
    match command {
        Some(Cmd::Run(_)) => config::strictly(),
        Some(Cmd::Engine { .. } | Cmd::Shim { .. } | Cmd::Other(_)) => Ok(()),
        Some(Cmd::Doctor { .. }) => {
            config::quietly();
            Ok(())
        }
        _ => {
            config::gently();
            Ok(())
        }
    }
}

/// Commands of the design whose time has not come.
const LATER: [&str; 7] = ["report", "analyze", "gc", "fork", "completions", "man", "serve"];

fn later(what: &str, why: &str) -> Outcome {
    Err(Failure::usage(format!("{what} is not built yet: {why}")))
}

fn other(words: &[String]) -> Outcome {
    let word = words.first().map(String::as_str).unwrap_or_default();
    if LATER.contains(&word) {
        return later(&format!("`trialdeck {word}`"), "it is part of the plan and comes in a later version");
    }
    let command = Cli::command();
    let known = command.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name);
    let near = crate::task::nearest_word(word, known).map(|near| format!("; did you mean `trialdeck {near}`?")).unwrap_or_default();
    Err(Failure::usage(format!("there is no command `{word}`{near}\n`trialdeck --help` lists them")))
}

/// Writes a message for a person on standard error.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(&redact::ours().text(text)));
}

/// Writes a result on standard output, as whole lines. A reader that went away is no error.
fn put(text: &str) {
    write_out(printable(&redact::ours().text(text)).as_bytes(), true);
}

/// Writes a piece of a line, such as a question.
fn put_piece(text: &str) {
    write_out(printable(text).as_bytes(), false);
}

/// Writes what a program is to get to the byte; a terminal gets it inert.
fn put_exactly(bytes: &[u8]) {
    if host::stdout_is_terminal() {
        return put_piece(&String::from_utf8_lossy(bytes));
    }
    write_out(bytes, false);
}

fn write_out(bytes: &[u8], whole_line: bool) {
    let mut out = std::io::stdout().lock();
    let end: &[u8] = if whole_line && !bytes.ends_with(b"\n") { b"\n" } else { b"" };
    let _ = out.write_all(bytes).and_then(|()| out.write_all(end)).and_then(|()| out.flush());
}

/// Writes one JSON object as a line on standard output.
fn put_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let mut plain = serde_json::to_value(value)?;
    let covered = redact::ours().value(&mut plain);
    put_line(&if covered { plain.to_string() } else { serde_json::to_string(value)? });
    Ok(())
}

/// The same with code in it, which is never altered.
fn put_code_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    put_line(&serde_json::to_string(value)?);
    Ok(())
}

fn put_line(json: &str) {
    write_out(printable_json(json).as_bytes(), true);
}
