//! Processes of this place: found by their arguments, working directory or environment, ended by number.

use rustix::process::{Pid, Signal, kill_process};
use std::{fs, os::unix::ffi::OsStrExt, path::Path};

/// Ends a process at once.
pub(crate) fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Presses Ctrl-C.
pub(super) fn interrupt(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::INT);
    }
}

/// Whether a process is there and no zombie.
pub(crate) fn alive(pid: i32) -> bool {
    let state = |stat: String| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(state).is_some_and(|s| !matches!(s, 'Z' | 'X'))
}

fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// The process whose arguments, after the program, are these.
pub(super) fn with_arguments(arguments: &[&str]) -> Option<i32> {
    all().filter(|pid| alive(*pid)).find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|b| *b == 0).collect();
        words.len() > arguments.len() && words[1..].iter().zip(arguments).all(|(a, b)| *a == b.as_bytes())
    })
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}

/// Ends what works below a directory or knows of it; true when there was something.
pub(super) fn kill_below(root: &Path) -> bool {
    let name = root.as_os_str().as_bytes();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let ours: Vec<i32> = all()
        .filter(|pid| *pid != own && alive(*pid))
        .filter(|pid| {
            let file = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let cwd = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(root));
            cwd || contains(&file("cmdline"), name) || contains(&file("environ"), name)
        })
        .collect();
    ours.iter().for_each(|pid| kill(*pid));
    !ours.is_empty()
}
