//! Bare `trialdeck` inside a git repository: try the quickstart, start here, or attach, at one key. Elsewhere, and without a
//! terminal, it says what to do.

use super::args::{Cli, Studies};
use super::{Exit, Outcome, ask, host, look, put};
use crate::client::studies;
use crate::model::Safe;
use clap::Parser;
use std::path::Path;

/// What is at hand here.
struct Here {
    /// There is a task file.
    task: bool,
    /// The newest study.
    newest: Option<String>,
}

/// Bare `trialdeck`.
pub(super) fn home() -> Outcome {
    let cwd = host::cwd()?;
    if !in_repository(&cwd) {
        return look::home();
    }
    let here = Here {
        task: cwd.join("task.toml").symlink_metadata().is_ok(),
        newest: studies::list(&host::studies_dir(&Studies { studies: None })?).into_iter().next().map(|s| s.name),
    };
    if !host::interactive() {
        let shown = look::home()?;
        put(&told(&here));
        return Ok(shown);
    }
    put(&menu(&here));
    let keys: Vec<char> = ['s', 't'].into_iter().chain(here.newest.is_some().then_some('a')).collect();
    let Some(key) = ask::key(&keys)? else { return Ok(Exit::DONE) };
    let words: Vec<&str> = match (key, &here.newest) {
        ('a', Some(name)) => vec!["attach", name],
        ('s', _) if here.task => vec!["run", "."],
        ('s', _) => vec!["init", "."],
        _ => vec!["run", "quickstart"],
    };
    put(&format!("trialdeck {}", words.iter().map(|w| shell_words::quote(w)).collect::<Vec<_>>().join(" ")));
    super::dispatch(Cli::try_parse_from([&["trialdeck"], words.as_slice()].concat())?)
}

/// Whether the directory lies in a git repository.
fn in_repository(dir: &Path) -> bool {
    dir.ancestors().any(|d| d.join(".git").symlink_metadata().is_ok())
}

fn start(here: &Here) -> (&'static str, &'static str) {
    match here.task {
        true => ("trialdeck run .", "a study of the task.toml that is here"),
        false => ("trialdeck init", "read this repository and write a task.toml for it"),
    }
}

fn told(here: &Here) -> String {
    let (command, what) = start(here);
    format!("\nIn this repository:\n  {command:<18} {what}")
}

fn menu(here: &Here) -> String {
    let (command, what) = start(here);
    let mut lines = vec!["trialdeck runs experiments on training code and keeps what helps.".to_owned(), String::new()];
    lines.push(format!("  s  start here           {what} ({command})"));
    lines.push("  t  try the quickstart   a whole study in the cockpit: you accept, veto or edit".into());
    if let Some(name) = &here.newest {
        lines.push(format!(
            "  a  attach               open the cockpit on {}, the newest study; `trialdeck ls` lists all",
            Safe::line(name)
        ));
    }
    lines.push("  q  leave".into());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_depends_on_what_is_there() {
        let fresh = Here { task: false, newest: None };
        assert!(menu(&fresh).contains("s  start here           read this repository") && !menu(&fresh).contains("attach"));
        let known = Here { task: true, newest: Some("wind-1".into()) };
        assert!(menu(&known).contains("(trialdeck run .)") && menu(&known).contains("cockpit on wind-1"));
        assert!(told(&known).contains("trialdeck run ."));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        assert!(!in_repository(&dir.path().join("a/b")));
        std::fs::create_dir(dir.path().join("a/.git")).unwrap();
        assert!(in_repository(&dir.path().join("a/b")));
    }
}
