//! What the environment says: where studies lie, what the terminal can do, how programs are found.

use super::Failure;
use super::args::Studies;
use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// The directory that holds the studies, absolute.
pub(super) fn studies_dir(choice: &Studies) -> Result<PathBuf, Failure> {
    let dir = match &choice.studies {
        Some(dir) => dir.clone(),
        None => set("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .map(|state| state.join("trialdeck/studies"))
            .ok_or_else(|| {
                Failure::usage("neither HOME nor XDG_STATE_HOME is set, so there is no place for studies; name one with --studies DIR")
            })?,
    };
    std::path::absolute(&dir).map_err(|e| Failure::usage(format!("--studies {}: {e}", dir.display())))
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

/// The user's directory for sockets.
pub(super) fn runtime_dir() -> Option<PathBuf> {
    set("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|d| d.is_dir())
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
    stdout_is_terminal() && !no_color() && set("TERM").as_deref() != Some("dumb")
}

/// The NO_COLOR convention.
pub(super) fn no_color() -> bool {
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
    set("TRIALDECK_THEME")
}

/// The user's editor, as words: VISUAL, EDITOR, else the first of the usual ones.
pub(super) fn editor() -> Result<Vec<String>, String> {
    for name in ["VISUAL", "EDITOR"] {
        if let Some(text) = set(name) {
            return match shell_words::split(&text) {
                Ok(words) if !words.is_empty() => Ok(words),
                _ => Err(format!("{name}={text} is not a command")),
            };
        }
    }
    let found = ["nano", "vim", "vi"].into_iter().find(|name| env::split_paths(&program_path()).any(|d| d.join(name).is_file()));
    found.map(|name| vec![name.to_owned()]).ok_or_else(|| "no editor: set EDITOR".into())
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

/// Processors that this process may use.
pub(super) fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}
