//! The end of a whole tree: every descendant, also one with a session of its own that was re-parented to us.

use crate::run::process::{self, Stat};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use std::{collections::BTreeSet, thread, time::Duration};

/// Longest time for the kernel to take a killed tree away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends all descendants of the calling process; false when some did not go (stuck in the kernel).
/// `take` gets every child that ended.
pub(super) fn end_all(take: &mut dyn FnMut(u32, WaitStatus)) -> bool {
    let deadline = crate::run::time::boottime() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    let mut killed = BTreeSet::new();
    loop {
        let left = process::descendants(std::process::id());
        for group in groups(&left) {
            // A signal to a group also reaches what is being forked in it right now.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        for stat in &left {
            stat.id.signal(Signal::KILL);
        }
        while let Some((pid, status)) = reap() {
            take(pid, status);
        }
        if left.is_empty() {
            return true;
        }
        if crate::run::time::boottime() > deadline {
            return false;
        }
        // One that forks and exits all the time is caught by being faster, so wait only for those that are dying.
        let now: BTreeSet<_> = left.iter().map(|s| s.id).collect();
        if now.is_subset(&killed) {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        killed = now;
    }
}

/// Groups of the tree, never our own.
fn groups(tree: &[Stat]) -> Vec<Pid> {
    let own = rustix::process::getpgrp();
    let members: BTreeSet<u32> = tree.iter().map(|s| s.id.pid).collect();
    let led: BTreeSet<u32> = tree.iter().map(|s| s.group).filter(|g| members.contains(g)).collect();
    led.into_iter().filter_map(|g| Pid::from_raw(i32::try_from(g).ok()?)).filter(|g| *g != own).collect()
}

/// Takes one ended child, if there is one.
pub(super) fn reap() -> Option<(u32, WaitStatus)> {
    match rustix::process::wait(WaitOptions::NOHANG) {
        Ok(Some((pid, status))) => Some((u32::try_from(pid.as_raw_nonzero().get()).ok()?, status)),
        _ => None,
    }
}
