//! The first stage. It claims the directory, starts the supervisor and waits; if the supervisor dies without a status, it
//! ends what remains of the run and writes the status itself.

use super::{Claim, EXIT_BROKEN, EXIT_TAKEN, PidFile, gpu_lock, own_program, say, tree, word};
use crate::{
    model::{Failure, Label},
    run::{
        Spec, Status, durable, evidence, local, names,
        process::{self, Identity},
        sandbox, status_file,
        time::boottime,
    },
};
use rustix::process::WaitOptions;
use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

/// When the directory is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Now,
    /// Not before a word comes; if it does not, nothing has happened.
    WhenTold,
}

/// Takes the directory and sees the run to its status.
pub(super) fn run(dir: &Path, begin: Begin) -> i32 {
    let _ = rustix::process::setsid();
    ignore_signals();
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    // It loads while the word for both of them is awaited, and the directory taken.
    let mut spawned = Command::new(own_program())
        .arg0("trialdeck")
        .args(["shim", "--supervise"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    if begin == Begin::WhenTold && word::wait().is_none() {
        return 0;
    }
    let claim = Claim { guard: Identity::own(), boot_id: process::boot_id() };
    match take(dir, &claim) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return EXIT_TAKEN,
        Err(error) => {
            say(&format!("could not claim {}: {error}", dir.display()));
            return EXIT_BROKEN;
        }
    }
    if durable::read_json::<Spec>(&dir.join(names::SPEC)).is_some_and(|spec| spec.sandbox.is_some()) {
        std::thread::spawn(sandbox::expect_group);
    }
    let began = boottime();
    if let Some(waiting) = spawned.as_mut().ok().and_then(|child| child.stdin.take()) {
        // Where it has died meanwhile, its end says so.
        let _ = word::give(waiting, Path::new(""));
    }
    let ended_by = match spawned {
        Ok(child) => match wait_for(child.id()) {
            // Its status was read by now perhaps, and the directory removed: nothing may be put into it again.
            Ended::Written => return 0,
            Ended::Otherwise(how) => how,
        },
        Err(error) => Some(format!("could not be started: {error}")),
    };
    if status_file::read(&dir.join(names::STATUS)).is_some() {
        return 0;
    }
    let clean = tree::end_all(&mut |_, _| {}) & end_user(dir);
    let how = ended_by.unwrap_or_else(|| "ended without a status, see shim.log".to_owned());
    let left = if clean { "" } else { "; some of its processes did not end" };
    let status = lost(dir, format!("the supervisor {how}{left}"), claim.boot_id, began);
    let path = dir.join(names::STATUS);
    match status_file::Slot::preallocate(&path).and_then(|mut slot| slot.write(&status)) {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("could not write {}: {error}", path.display()));
            EXIT_BROKEN
        }
    }
}

/// Ends what a run with a user of its own has left. Its supervisor is dead, and with it the claim to that user: whoever has
/// it now would be hit, so nothing is done unless the claim can be had.
fn end_user(dir: &Path) -> bool {
    let Some(spec) = durable::read_json::<Spec>(&dir.join(names::SPEC)) else { return true };
    let Some(sandbox) = &spec.sandbox else { return true };
    if let Some(group) = sandbox::Group::make(&local::mark(dir), None, sandbox.processes) {
        group.end();
    }
    let Some(user) = sandbox.user else { return true };
    match gpu_lock::try_all(&spec.locks, &spec.label) {
        Ok(gpu_lock::Try::Held(_locks)) => sandbox::end_leftovers(user),
        _ => true,
    }
}

/// Handlers that do nothing: unlike ignored signals they are not inherited by the command. TERM is the supervisor's.
pub(super) fn ignore_signals() {
    for signal in [signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGQUIT] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

/// Takes the directory with a file that appears whole and only once.
fn take(dir: &Path, claim: &Claim) -> io::Result<()> {
    let path = dir.join(names::CLAIM);
    let draft = dir.join(format!("{}.{}", names::CLAIM, claim.guard.pid));
    durable::write_json(&draft, claim, durable::Keep::Whole)?;
    let linked = match fs::hard_link(&draft, &path) {
        // Some file systems have no links; there the directory entry is claimed first and filled afterwards.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|_| durable::write_json(&path, claim, durable::Keep::Whole)),
        other => other,
    };
    let _ = fs::remove_file(&draft);
    linked
}

/// How the supervisor went.
enum Ended {
    /// With its status written.
    Written,
    /// In words how it died, none when it exited.
    Otherwise(Option<String>),
}

/// Waits for the supervisor.
fn wait_for(pid: u32) -> Ended {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if u32::try_from(ended.as_raw_nonzero().get()).is_ok_and(|e| e == pid) => {
                if status.exit_status() == Some(0) {
                    return Ended::Written;
                }
                let signal = status.terminating_signal();
                return Ended::Otherwise(signal.map(|s| format!("was ended by {}", evidence::signal_name(s).unwrap_or("a signal"))));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Ended::Otherwise(Some(format!("could not be waited for: {error}"))),
        }
    }
}

fn lost(dir: &Path, detail: String, boot_id: String, began: std::time::Duration) -> Status {
    let command = durable::read_json::<PidFile>(&dir.join(names::PID)).and_then(|p| p.command);
    Status {
        pid: command.map(|c| c.id.pid),
        pid_start: command.map(|c| c.id.start),
        started: command.map(|c| c.started),
        seconds: command.map_or(0.0, |_| boottime().saturating_sub(began).as_secs_f64()),
        failure: Some(Failure::new(Label::LostSupervisor, detail)),
        ..Status::unstarted(boot_id)
    }
}
