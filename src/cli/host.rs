//! What the environment says: where studies lie, what the terminal can do, how programs are found.

use super::Failure;
use super::args::Studies;
use super::config::{self, Colour, Origin};
use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// The directory that holds the studies, absolute.
pub(super) fn studies_dir(choice: &Studies) -> Result<PathBuf, Failure> {
    studies_dir_and_origin(choice).map(|(dir, _)| dir)
}

/// The same, and who said so.
pub(super) fn studies_dir_and_origin(choice: &Studies) -> Result<(PathBuf, Origin), Failure> {
    let (dir, origin) = match (&choice.studies, &config::current().file.studies) {
        (Some(dir), _) => (dir.clone(), Origin::CommandLine),
        (None, Some(at)) => (home_expanded(&at.value), Origin::File(at.line)),
        (None, None) => match (set("XDG_STATE_HOME"), set("HOME")) {
            (Some(state), _) => (PathBuf::from(state).join("trialdeck/studies"), Origin::Environment("XDG_STATE_HOME")),
            (None, Some(home)) => (PathBuf::from(home).join(".local/state/trialdeck/studies"), Origin::Default),
            (None, None) => {
                return Err(Failure::usage(
                    "neither HOME nor XDG_STATE_HOME is set, so there is no place for studies; name one with --studies DIR",
                ));
            }
        },
    };
    let dir = std::path::absolute(&dir).map_err(|e| Failure::usage(format!("--studies {}: {e}", dir.display())))?;
    Ok((dir, origin))
}

/// A path with `~/` at its beginning.
fn home_expanded(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), set("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}

/// A variable that says something.
pub(super) fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

/// The user's directory for sockets.
pub(super) fn runtime_dir() -> Option<PathBuf> {
    set("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|d| d.is_dir())
}

/// The user's home, by its real path.
pub(super) fn home() -> Option<PathBuf> {
    PathBuf::from(set("HOME")?).canonicalize().ok()
}

/// The user's directory for what can be made again.
pub(super) fn cache_dir() -> Option<PathBuf> {
    let dir = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    dir.is_absolute().then(|| dir.join("trialdeck"))
}

/// The user's variables that installing needs: proxies, certificates, indexes, the home with its configuration.
pub(super) fn installing() -> std::collections::BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| crate::run::setup::passes(name))
        .collect()
}

/// Those of these variables that are set.
pub(super) fn named<'a>(names: impl IntoIterator<Item = &'a String>) -> std::collections::BTreeMap<String, String> {
    names.into_iter().filter_map(|name| Some((name.clone(), env::var(name).ok()?))).collect()
}

/// All variables that are text.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Where temporary files go.
pub(super) fn temp_dir() -> PathBuf {
    env::temp_dir()
}

/// The socket of the engine of a study.
pub(super) fn socket(study_dir: &Path) -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    crate::protocol::socket::socket_path(study_dir, runtime_dir().as_deref(), &temp_dir(), uid)
}

/// Directories in which programs are found: absolute ones only, for a run's working directory is not ours.
pub(super) fn program_path() -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<String> = env::split_paths(&path).filter(|d| d.is_absolute()).map(|d| d.to_string_lossy().into_owned()).collect();
    dirs.join(":")
}

/// Our own binary, by which engine and shim are started.
pub(super) fn program() -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?)
}

/// The name of this machine.
pub(super) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The working directory.
pub(super) fn cwd() -> Result<PathBuf, Failure> {
    env::current_dir().map_err(|e| Failure::usage(format!("the working directory is gone: {e}")))
}

/// Whether a person sits at the other end.
pub(super) fn interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && set("TERM").as_deref() != Some("dumb")
}

/// Whether standard output is a terminal.
pub(super) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether colours are wanted on standard output.
pub(super) fn colour() -> bool {
    wanted(stdout_is_terminal())
}

/// Whether colours are wanted on standard error.
pub(super) fn colour_of_stderr() -> bool {
    wanted(std::io::stderr().is_terminal())
}

fn wanted(terminal: bool) -> bool {
    match colour_choice() {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => terminal && !no_color_is_set() && set("TERM").as_deref() != Some("dumb"),
    }
}

fn colour_choice() -> Colour {
    config::current().file.colour.as_ref().map_or(Colour::Auto, |at| at.value)
}

/// No colours, whatever the terminal can: the user's configuration, else the NO_COLOR convention, which it overrides.
pub(super) fn no_color() -> bool {
    match colour_choice() {
        Colour::Always => false,
        Colour::Never => true,
        Colour::Auto => no_color_is_set(),
    }
}

/// The NO_COLOR convention.
pub(super) fn no_color_is_set() -> bool {
    set("NO_COLOR").is_some()
}

/// How many colours the terminal says it has.
pub(super) fn colour_depth() -> crate::tui::ColorDepth {
    let truecolor = set("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit");
    let term = set("TERM").unwrap_or_default();
    if truecolor || term.ends_with("-direct") {
        crate::tui::ColorDepth::TrueColor
    } else if term.contains("256color") {
        crate::tui::ColorDepth::Ansi256
    } else {
        crate::tui::ColorDepth::Ansi16
    }
}

/// Whether the locale can show more than ASCII.
pub(super) fn unicode() -> bool {
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|l| l.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// The user's theme, where one is named.
pub(super) fn theme() -> Option<String> {
    theme_and_origin().0
}

/// The same, and who named it. A theme file of the configuration is looked for beside it.
pub(super) fn theme_and_origin() -> (Option<String>, Origin) {
    let config = config::current();
    match (set("TRIALDECK_THEME"), &config.file.theme) {
        (Some(name), _) => (Some(name), Origin::Environment("TRIALDECK_THEME")),
        (None, Some(at)) => {
            let path = home_expanded(&at.value);
            let is_file = at.value.contains('/') || at.value.ends_with(".toml");
            let beside = config.path.as_ref().and_then(|p| p.parent()).filter(|_| is_file && path.is_relative());
            let path = beside.map_or(path.clone(), |dir| dir.join(&path));
            (Some(path.to_string_lossy().into_owned()), Origin::File(at.line))
        }
        (None, None) => (None, Origin::Default),
    }
}

/// The user's editor, as words: the configuration's, VISUAL, EDITOR, else the first of the usual ones.
pub(super) fn editor() -> Result<Vec<String>, String> {
    editor_and_origin().0
}

/// The same, and who named it.
pub(super) fn editor_and_origin() -> (Result<Vec<String>, String>, Origin) {
    if let Some(at) = &config::current().file.editor {
        return (Ok(at.value.clone()), Origin::File(at.line));
    }
    for name in ["VISUAL", "EDITOR"] {
        if let Some(text) = set(name) {
            let words = match shell_words::split(&text) {
                Ok(words) if !words.is_empty() => Ok(words),
                _ => Err(format!("{name}={text} is not a command")),
            };
            return (words, Origin::Environment(name));
        }
    }
    let found = ["nano", "vim", "vi"].into_iter().find(|name| which(name).is_some());
    (found.map(|name| vec![name.to_owned()]).ok_or_else(|| "no editor: set EDITOR".into()), Origin::Default)
}

/// Where a program is found.
pub(super) fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&program_path())
        .map(|dir| dir.join(name))
        .find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file())
}

/// What further commands on a study need to find it: nothing where it lies in the usual place.
pub(super) fn suffix(study_dir: &Path) -> String {
    let usual = studies_dir(&Studies { studies: None }).ok();
    match study_dir.parent() {
        Some(parent) if usual.as_deref() != Some(parent) => format!(" --studies {}", shell_words::quote(&parent.to_string_lossy())),
        _ => String::new(),
    }
}

/// Width of the terminal, in columns.
pub(super) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(100, |size| usize::from(size.ws_col).max(20))
}

/// Height of the terminal, in lines.
pub(super) fn height() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(40, |size| usize::from(size.ws_row).max(4))
}

/// Processors that this process may use.
pub(super) fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}
