//! The command's time between its start and its end: its budget, its limits, the wish of a person, TERM, grace and KILL.

use super::{files, limits, tree};
use crate::{
    model::{Failure, Label, Tier},
    run::{
        Spec,
        capture::Counters,
        durable, names,
        process::{self, Identity},
        time::{self, boottime, words},
    },
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitStatus},
};
use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Between two looks at the wish to cancel, the limits and the clock. The end of the command is seen at once.
const TICK: Duration = Duration::from_millis(50);
/// Logs may always take this much, however large the files are.
pub(super) const LOG_FLOOR: u64 = 1 << 20;

/// The wish to end the run, if there is one.
pub(super) fn wish(dir: &Path, asked_to_end: &AtomicBool) -> Option<Failure> {
    let path = dir.join(names::CANCEL);
    if path.exists() {
        let said = durable::read_json(&path);
        return Some(said.unwrap_or_else(|| Failure::new(Label::Killed, "asked to end")));
    }
    asked_to_end.load(Ordering::SeqCst).then(|| Failure::new(Label::Infrastructure, "the supervisor was asked to end (SIGTERM)"))
}

/// How a run is being ended.
pub(super) struct Ending {
    failure: Failure,
    since: Duration,
    /// Seconds that it used of the grace; none when it was killed.
    took: Option<Duration>,
}

impl Ending {
    /// The failure, with how the run was ended.
    pub(super) fn words(self, spec: &Spec) -> Failure {
        if self.failure.label != Label::TimedOut {
            return self.failure;
        }
        let how = match self.took {
            Some(took) => format!("ended by TERM after {} of grace", words(took)),
            None => format!("killed after {} of grace", words(time::seconds(spec.grace_secs))),
        };
        Failure::new(self.failure.label, format!("{}; {how}", self.failure.detail))
    }
}

/// The command's time between start and end.
pub(super) struct Watch<'a> {
    pub(super) dir: &'a Path,
    pub(super) spec: &'a Spec,
    pub(super) begin: Duration,
    pub(super) asked_to_end: &'a AtomicBool,
    pub(super) counters: &'a Counters,
    pub(super) files: &'a files::Files,
    pub(super) meter: limits::Meter,
}

impl Watch<'_> {
    /// Waits for the command, ending it when a limit is passed or somebody asks.
    pub(super) fn until_end(&mut self, id: Identity) -> (Option<WaitStatus>, Option<Ending>) {
        let pid = i32::try_from(id.pid).ok().and_then(Pid::from_raw);
        let pidfd = pid.and_then(|p| rustix::process::pidfd_open(p, PidfdFlags::empty()).ok());
        let (wall, grace) = (time::seconds(self.spec.wall_secs), time::seconds(self.spec.grace_secs));
        let mut ending: Option<Ending> = None;
        loop {
            let left = match &ending {
                Some(e) => (e.since + grace).saturating_sub(boottime()),
                None => (self.begin + wall).saturating_sub(boottime()),
            };
            wait_a_moment(pidfd.as_ref(), left.clamp(Duration::from_millis(1), TICK));
            let mut end = None;
            while let Some((ended, status)) = tree::reap() {
                if ended == id.pid {
                    end = Some(status);
                }
            }
            match &mut ending {
                Some(e) if boottime().saturating_sub(e.since) >= grace && e.took.is_none() => {
                    return (kill(id, end), ending);
                }
                Some(_) => {}
                None => {
                    if end.is_none()
                        && let Some(failure) = self.reason_to_end()
                    {
                        let at_once = matches!(failure.label, Label::OutOfMemory | Label::Crashed) || grace.is_zero();
                        ending = Some(Ending { failure, since: boottime(), took: None });
                        if at_once {
                            return (kill(id, end), ending);
                        }
                        match self.spec.sandbox.as_ref().map(|s| s.tier) {
                            Some(Tier::A) => end_gently_inside(id),
                            _ => end_gently(id, pid),
                        }
                    }
                }
            }
            if end.is_some() {
                if let Some(e) = &mut ending {
                    e.took = Some(boottime().saturating_sub(e.since));
                }
                return (end, ending);
            }
        }
    }

    fn reason_to_end(&mut self) -> Option<Failure> {
        if let Some(why) = wish(self.dir, self.asked_to_end) {
            return Some(why);
        }
        let wall = time::seconds(self.spec.wall_secs);
        if boottime() >= self.begin + wall {
            return Some(Failure::new(Label::TimedOut, format!("over {} wall-clock budget", words(wall))));
        }
        if let Some(limit) = self.spec.output_bytes {
            let grown = self.files.grown();
            self.counters.allowance.store(limit.saturating_sub(grown).max(LOG_FLOOR), Ordering::Relaxed);
            if grown > limit {
                return Some(files::too_much(grown, limit));
            }
            if let Some(failure) = self.files.out_of_sight() {
                return Some(failure);
            }
        }
        self.meter.look(self.counters.total())
    }
}

/// Kills the tree and returns how the command ended, where that was not known before.
fn kill(id: Identity, mut end: Option<WaitStatus>) -> Option<WaitStatus> {
    tree::end_all(&mut |ended, status| {
        if ended == id.pid {
            end = Some(status);
        }
    });
    end
}

/// TERM to the command's group, or to the command alone while it is not a leader yet.
fn end_gently(id: Identity, pid: Option<Pid>) {
    let to_group = pid.filter(|_| process::stat(id.pid).is_some_and(|s| s.group == id.pid));
    if to_group.is_none_or(|p| rustix::process::kill_process_group(p, Signal::TERM).is_err()) {
        id.signal(Signal::TERM);
    }
}

/// TERM to the groups inside of namespaces. What holds them, the command itself and its child, would end at once and take
/// all others with it.
fn end_gently_inside(id: Identity) {
    let tree = process::descendants(id.pid);
    let holders: Vec<u32> = tree.iter().filter(|s| s.parent == id.pid).map(|s| s.id.pid).collect();
    let inside = tree.iter().filter(|s| !holders.contains(&s.id.pid));
    let groups: BTreeSet<u32> = inside.map(|s| s.group).filter(|g| tree.iter().any(|s| s.id.pid == *g && s.id.pid != id.pid)).collect();
    for group in groups.into_iter().filter_map(|g| Pid::from_raw(i32::try_from(g).ok()?)) {
        let _ = rustix::process::kill_process_group(group, Signal::TERM);
    }
}

fn wait_a_moment(pidfd: Option<&OwnedFd>, moment: Duration) {
    let Some(fd) = pidfd else {
        thread::sleep(moment.min(Duration::from_millis(5)));
        return;
    };
    let timeout = Timespec { tv_sec: i64::try_from(moment.as_secs()).unwrap_or(0), tv_nsec: i64::from(moment.subsec_nanos()) };
    let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
}
