//! Entering a sandbox: the process gives up what it must not have, and becomes the command.

use super::{Sandbox, bubblewrap, landlock, memory, seccomp};
use crate::{model::Tier, run::process};
use rustix::{
    process::{Gid, Resource, Rlimit, Signal, Uid},
    thread::{CapabilitySet, CapabilitySets},
};
use serde::{Deserialize, Serialize};
use std::{fs::File, io, os::unix::process::CommandExt, path::Path, process::Command};

/// Open files that a run may have at a time, where the machine allows as many.
const OPEN_FILES: u64 = 65_536;
/// Ancestors that a run of the same user may not signal.
const GENERATIONS: usize = 16;

/// What the process becomes once it is inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::run) enum Then {
    /// `/bin/sh -c` of this; after a TERM the shell ends with what it waits for.
    Command(String),
    /// Our own try of what is forbidden.
    Attempt(super::forbidden::Attempt),
}

impl Then {
    fn go(&self) -> io::Result<i32> {
        match self {
            // A shell that TERM ends at once would take the grace from the program that it waits for.
            Self::Command(command) => Err(Command::new("/bin/sh").arg("-c").arg(format!("trap 'exit 143' TERM; {command}")).exec()),
            Self::Attempt(attempt) => Ok(attempt.make()),
        }
    }
}

/// What remains to be done inside the namespaces of tier A.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Inside {
    pub(super) user: Option<u32>,
    pub(super) reach: bool,
    pub(super) then: Then,
}

/// Enters the sandbox and becomes what comes then. Something is written to `entered` once nothing more of ours can fail; what
/// is inside cannot write there.
///
/// Errors: what could not be given up; then nothing was started.
pub(in crate::run) fn enter(entered: File, cwd: &Path, sandbox: &Sandbox, then: &Then) -> io::Result<i32> {
    match sandbox.tier {
        Tier::A => {
            let inside = Inside { user: sandbox.user, reach: sandbox.reach, then: then.clone() };
            return Err(bubblewrap::become_it(cwd, sandbox, &inside, entered));
        }
        Tier::B | Tier::C => {
            limit_processes(sandbox);
            let protected = if sandbox.user.is_none() { ancestors() } else { Vec::new() };
            let own_ipc = sandbox.user.is_some() && memory::own(sandbox.shared_memory_bytes);
            give_up(sandbox.user, sandbox.reach)?;
            landlock::apply(sandbox)?;
            seccomp::apply(if sandbox.network { seccomp::Sockets::Network } else { seccomp::Sockets::Local }, own_ipc, &protected)?;
        }
        Tier::D => {
            limit_processes(sandbox);
            give_up(sandbox.user, sandbox.reach)?;
        }
        Tier::E => {}
    }
    rustix::io::write(&entered, b"1")?;
    drop(entered);
    then.go()
}

/// What watches over the calling process: supervisor, guard, and the engine where that started it.
fn ancestors() -> Vec<u32> {
    let parent = |pid: &u32| process::stat(*pid).map(|stat| stat.parent).filter(|parent| *parent > 1);
    std::iter::successors(parent(&std::process::id()), parent).take(GENERATIONS).collect()
}

/// The last stage of tier A, within its namespaces. Standard input is where it says that it is inside.
pub(in crate::run) fn inside(plan: &Path) -> io::Result<i32> {
    let plan: Inside = serde_json::from_slice(&std::fs::read(plan)?)?;
    // Of a group of its own, so that TERM reaches it and not what holds its namespaces.
    let _ = rustix::process::setsid();
    give_up(plan.user, plan.reach)?;
    seccomp::apply(seccomp::Sockets::Network, true, &[])?;
    rustix::io::write(io::stdin(), b"1")?;
    // The holder of the namespaces has it open still: nothing more goes through it. A file, when a tier is tried, cannot be shut.
    let _ = rustix::net::shutdown(io::stdin(), rustix::net::Shutdown::Both);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    plan.then.go()
}

/// Gives up rights for good: another user where there is one, no capabilities, no way to gain any.
fn give_up(user: Option<u32>, reach: bool) -> io::Result<()> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let files = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) });
    let kept = match (user, reach) {
        (Some(_), true) => CapabilitySet::DAC_READ_SEARCH,
        _ => CapabilitySet::empty(),
    };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
    if let Some(user) = user {
        if reach {
            rustix::thread::set_keep_capabilities(true)?;
        }
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        // A change of user takes it away.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    if user.is_some() || rustix::process::geteuid().is_root() {
        rustix::thread::set_capabilities(None, sets)?;
    }
    if user.is_some() && reach {
        rustix::thread::configure_capability_in_ambient_set(CapabilitySet::DAC_READ_SEARCH, true)?;
    }
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Limits on processes count for a user: they can be set where a run has one of its own.
pub(super) fn limit_processes(sandbox: &Sandbox) {
    if sandbox.user.is_some() {
        let most = Some(u64::from(sandbox.processes));
        let _ = rustix::process::setrlimit(Resource::Nproc, Rlimit { current: most, maximum: most });
    }
}
