//! What /proc says of processes: identity (pid and start time), trees of descendants, memory and processor time, and
//! signals that cannot hit a stranger who got the same pid.

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Process id.
    pub(super) pid: u32,
    /// Start time in clock ticks since boot.
    pub(super) start: u64,
}

/// One line of /proc/PID/stat, as far as we need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) id: Identity,
    pub(super) state: char,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Processor time of it and of its children that it has waited for, in clock ticks.
    pub(super) cpu_ticks: u64,
}

impl Stat {
    /// A zombie has ended, whatever `kill(pid, 0)` says of it.
    pub(super) fn alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

impl Identity {
    /// The identity of a process that exists now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|s| s.id)
    }

    /// The calling process.
    pub(super) fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or(Self { pid, start: 0 })
    }

    /// Whether this very process still runs.
    pub(super) fn alive(self) -> bool {
        stat(self.pid).is_some_and(|s| s.id == self && s.alive())
    }

    /// Sends a signal to this very process, never to a later one with its pid.
    pub(super) fn signal(self, signal: Signal) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) if self.alive() => {
                let _ = rustix::process::pidfd_send_signal(fd, signal);
            }
            Ok(_) => {}
            Err(rustix::io::Errno::SRCH) => {}
            Err(_) if self.alive() => {
                let _ = rustix::process::kill_process(pid, signal);
            }
            Err(_) => {}
        }
    }
}

/// Reads /proc/PID/stat.
pub(super) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name of a program may hold blanks and parentheses: the fields begin after the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let cpu_ticks = (11..=14).map(|at| number(at).unwrap_or(0)).fold(0, u64::saturating_add);
    Some(Stat {
        id: Identity { pid, start: number(19)? },
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        cpu_ticks,
    })
}

/// All descendants of a process, zombies left out. Kernels without `children` files cost a look at every process.
pub(super) fn descendants(root: u32) -> Vec<Stat> {
    if Path::new("/proc/thread-self/children").exists() { by_children(root) } else { by_parents(root) }
}

fn by_children(root: u32) -> Vec<Stat> {
    let (mut found, mut left): (BTreeMap<u32, Stat>, _) = (BTreeMap::new(), vec![root]);
    while let Some(pid) = left.pop() {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in text.split_ascii_whitespace().filter_map(|t| t.parse().ok()) {
                if let Some(stat) = stat(child)
                    && found.insert(child, stat).is_none()
                {
                    left.push(child);
                }
            }
        }
    }
    found.into_values().filter(Stat::alive).collect()
}

fn by_parents(root: u32) -> Vec<Stat> {
    let mut children: BTreeMap<u32, Vec<Stat>> = BTreeMap::new();
    for stat in all_pids().filter_map(stat) {
        children.entry(stat.parent).or_default().push(stat);
    }
    let (mut found, mut left) = (Vec::new(), vec![root]);
    while let Some(pid) = left.pop() {
        for stat in children.remove(&pid).unwrap_or_default() {
            left.push(stat.id.pid);
            found.push(stat);
        }
    }
    found.retain(Stat::alive);
    found
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Living processes whose environment holds `NAME=value`.
pub(super) fn with_environment(name: &str, value: &str) -> Vec<Identity> {
    let wanted = format!("{name}={value}");
    all_pids()
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| {
            let id = Identity::of(pid)?;
            let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
            environ.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes()).then_some(id)
        })
        .filter(|id| id.alive())
        .collect()
}

/// Resident memory of one process, in bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Pages without a file behind them.
    pub(super) anonymous: u64,
    /// Pages of files and shared memory.
    pub(super) shared: u64,
    /// The largest resident size so far.
    pub(super) peak: u64,
}

/// Reads the memory of a process.
pub(super) fn memory(pid: u32) -> Option<Memory> {
    parse_memory(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn parse_memory(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().split(' ').next()?.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
    };
    let resident = field("VmRSS")?;
    let anonymous = field("RssAnon").unwrap_or(resident);
    Some(Memory { anonymous, shared: resident.saturating_sub(anonymous), peak: field("VmHWM").unwrap_or(resident) })
}

/// The proportional share of a process, in bytes: exact for forked workers, but slow to read.
pub(super) fn proportional(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kib: u64 = text.lines().find_map(|l| l.strip_prefix("Pss:"))?.trim().split(' ').next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// Identity of the machine's boot.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|t| t.trim().to_owned()).unwrap_or_default()
}

/// How often the kernel has ended a process for want of memory.
pub(super) fn oom_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_after_the_last_parenthesis() {
        let text = "4242 (a) R 1 (b c) S 17 4242 4242 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 987654 1 2";
        let want = Stat { id: Identity { pid: 4242, start: 987_654 }, state: 'S', parent: 17, group: 4242, cpu_ticks: 100 };
        assert_eq!(parse_stat(text), Some(want));
        for text in ["", "x", "12 (a", "12 (a) S", "12 (a) S x 1 1"] {
            assert_eq!(parse_stat(text), None, "{text:?}");
        }
    }

    #[test]
    fn memory_counts_anonymous_pages_and_files_apart() {
        let text = "Name:\tx\nVmHWM:\t  500 kB\nVmRSS:\t     300 kB\nRssAnon:\t     100 kB\nRssFile:\t 200 kB\n";
        assert_eq!(parse_memory(text), Some(Memory { anonymous: 100 << 10, shared: 200 << 10, peak: 500 << 10 }));
        assert_eq!(parse_memory("Name:\tkthread\n"), None);
    }

    #[test]
    fn the_own_process_is_found_and_a_stranger_is_not() {
        let own = Identity::own();
        assert!(own.alive());
        assert!(memory(own.pid).is_some());
        let stranger = Identity { start: own.start + 1, ..own };
        assert!(!stranger.alive());
        stranger.signal(Signal::KILL);
    }

    #[test]
    fn a_child_is_a_descendant_both_ways() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "read x"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let own = std::process::id();
        assert!(by_parents(own).iter().any(|s| s.id.pid == child.id()));
        assert!(descendants(own).iter().any(|s| s.id.pid == child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
