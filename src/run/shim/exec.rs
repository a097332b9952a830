//! The last stage: a session of its own, limits that only the process itself can set, then `/bin/sh -c command`.

use super::{guard, say, word};
use crate::{
    model::Tier,
    run::{
        Spec, durable, names,
        sandbox::{self, Group, Sandbox},
    },
};
use rustix::process::{Resource, Rlimit, Signal};
use std::{
    fs::File,
    io,
    net::Shutdown,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::Path,
    sync::Arc,
};

/// Lets this stage go on, into the group where there is one.
///
/// Errors: it is not there any more.
pub(super) fn release(waiting: &UnixStream, group: Option<&Group>) -> io::Result<()> {
    word::give(waiting, &group.map(Group::door).unwrap_or_default())?;
    waiting.shutdown(Shutdown::Write)
}

/// Where it is said that the sandbox was entered: in tier A the way back to the supervisor, else a file.
fn entered(dir: &Path, tier: Option<Tier>) -> io::Result<File> {
    let back = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    if tier == Some(Tier::A) { Ok(File::from(back)) } else { File::create(dir.join(names::ENTERED)) }
}

/// Becomes the command; returns only when that fails.
pub(super) fn run(dir: &Path) -> i32 {
    let Some(spec) = durable::read_json::<Spec>(&dir.join(names::SPEC)) else {
        say("spec.json is not readable");
        return 126;
    };
    // A killed supervisor takes the command with it at once; its descendants fall to the guard.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = rustix::process::setsid();
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    if let Some(bytes) = spec.output_bytes {
        let hard = rustix::process::getrlimit(Resource::Fsize).maximum.map_or(bytes, |m| m.min(bytes));
        let _ = rustix::process::setrlimit(Resource::Fsize, Rlimit { current: Some(hard), maximum: Some(hard) });
    }
    // A handler is gone after exec: so the command starts with the default of signals that whoever started us ignored.
    for signal in [signal_hook::consts::SIGXFSZ, signal_hook::consts::SIGUSR1, signal_hook::consts::SIGUSR2, signal_hook::consts::SIGALRM] {
        let _ = signal_hook::flag::register(signal, Arc::default());
    }
    guard::ignore_signals();
    let Some(door) = word::wait() else {
        say("the supervisor is gone");
        return 126;
    };
    // A limit that is not to be had is kept by the supervisor's own watch.
    let _ = std::fs::write(door, "0");
    // When memory runs out, the kernel shall take the run and not the engine.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    let entered = entered(dir, spec.sandbox.as_ref().map(|s| s.tier));
    let entered = match entered {
        Ok(file) => file,
        Err(error) => return said(Err(error)),
    };
    let none = Sandbox::none();
    said(sandbox::enter(entered, &spec.cwd, spec.sandbox.as_ref().unwrap_or(&none), &sandbox::Then::Command(spec.command)))
}

/// The exit code of a process that did not become the command.
pub(super) fn said(result: io::Result<i32>) -> i32 {
    result.unwrap_or_else(|error| {
        say(&format!("the command was not started: {error}"));
        126
    })
}
