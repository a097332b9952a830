//! The supervisor shim, in three stages of the same program, all started by `trialdeck shim`:
//!
//! ```text
//! shim DIR              guard: own session, claims the directory, writes the status if the supervisor dies
//! shim --wait DIR       the same, once it is told to
//! shim --supervise DIR  supervisor: limits, logs, budget, status
//! shim --exec DIR       once it is released, becomes `/bin/sh -c command` in a session and a sandbox of its own
//! shim --inside PLAN    the same, within the namespaces of bubblewrap
//! shim --probe PLAN     tries in a sandbox what it must refuse
//! ```
//! Guard and supervisor are both child subreapers: whatever of the two is killed, the other one gets the orphans and
//! ends them. If both are, the engine finds the leftovers by their environment.

mod budget;
mod exec;
mod files;
mod gpu_gate;
mod gpu_lock;
mod guard;
mod limits;
mod supervise;
mod tree;
mod word;

pub(super) use word::give as give_word;

use super::{process::Identity, sandbox};
use crate::model::Millis;
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
};

/// In the environment of every process of a run: the mark of its directory.
pub(super) const RUN_VARIABLE: &str = "TRIALDECK_RUN";

/// Another shim holds or held the directory (reference: 75 and 76 of sysexits, which the engine need not tell apart).
const EXIT_TAKEN: i32 = 76;
/// The shim could not do its work; `shim.log` says why.
const EXIT_BROKEN: i32 = 70;

/// `claim`: who took the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) guard: Identity,
    pub(super) boot_id: String,
}

/// `pid.json`: the supervisor, and the command once it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PidFile {
    pub(super) supervisor: Identity,
    pub(super) command: Option<CommandId>,
}

/// The command's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CommandId {
    pub(super) id: Identity,
    pub(super) started: Millis,
}

/// Runs the stage that the arguments after `shim` name and returns the exit code.
pub fn shim_main(args: &[OsString]) -> i32 {
    let (stage, dir) = match args {
        [dir] => ("", dir),
        [stage, dir] => (stage.to_str().unwrap_or("?"), dir),
        _ => ("?", &OsString::new()),
    };
    if matches!(stage, "" | "--wait" | "--probe") {
        close_inherited();
    }
    let dir = PathBuf::from(dir);
    match stage {
        "" => guard::run(&dir, guard::Begin::Now),
        "--wait" => guard::run(&dir, guard::Begin::WhenTold),
        "--supervise" => supervise::run(&dir),
        "--exec" => exec::run(&dir),
        "--inside" => exec::said(sandbox::inside(&dir)),
        "--probe" => exec::said(sandbox::probe::run(&dir.to_string_lossy())),
        _ => {
            say("usage: trialdeck shim DIR");
            2
        }
    }
}

/// Closes all but the standard streams: a file, socket or directory that is open in the shell which started the engine would
/// reach every run, past all walls.
fn close_inherited() {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // The directory itself is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// One line for `shim.log`, or for the command's log in the last stage.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "trialdeck shim: {}", crate::model::Safe::line(&crate::model::redact::ours().text(text)));
}

/// This program; by its path, so that a process list reads well, unless an upgrade took the file away.
fn own_program() -> PathBuf {
    let link = Path::new("/proc/self/exe");
    std::fs::read_link(link).ok().filter(|path| path.is_file()).unwrap_or_else(|| link.to_owned())
}
