//! What a run uses, looked at now and then: memory and processor time of its tree. One look never costs more than about a
//! twentieth of the time between two.

use crate::{
    model::{Failure, Label},
    run::{
        Spec, process,
        time::{self, boottime, bytes_words, words},
    },
};
use std::time::Duration;

const MEMORY_EVERY: Duration = Duration::from_millis(200);
const EXACT_EVERY: Duration = Duration::from_secs(1);
/// A tree that uses less of one processor counts as idle.
const BUSY_SHARE: f64 = 0.01;
/// Clock ticks a second in /proc, on every architecture that Linux gives to user space.
const TICKS_PER_SEC: f64 = 100.0;

/// Watches the tree below the calling process.
pub(super) struct Meter {
    memory_limit: Option<u64>,
    process_limit: Option<usize>,
    stall: Option<Duration>,
    next: Duration,
    /// When the slow, exact look at the memory of several processes is due.
    next_exact: Duration,
    /// Largest memory seen, in bytes.
    pub(super) peak: u64,
    active: Activity,
}

/// When the run last did something.
struct Activity {
    at: Duration,
    cpu_ticks: u64,
    log_bytes: u64,
}

impl Meter {
    pub(super) fn new(spec: &Spec) -> Self {
        let at = boottime();
        // The first looks come soon, for runs of a second.
        Self {
            memory_limit: spec.memory_bytes,
            process_limit: spec.sandbox.as_ref().and_then(|s| usize::try_from(s.processes).ok()),
            stall: spec.stall_secs.map(time::seconds),
            next: at + MEMORY_EVERY / 10,
            next_exact: at,
            peak: 0,
            active: Activity { at, cpu_ticks: 0, log_bytes: 0 },
        }
    }

    /// Looks at the tree when it is time; returns the limit that was passed.
    pub(super) fn look(&mut self, log_bytes: u64) -> Option<Failure> {
        let begin = boottime();
        if begin < self.next {
            return None;
        }
        let tree = process::descendants(std::process::id());
        if let Some(limit) = self.process_limit.filter(|limit| tree.len() > *limit) {
            return Some(Failure::new(Label::Crashed, format!("{} processes, over the limit of {limit}", tree.len())));
        }
        let (mut anonymous, mut shared, mut high) = (0u64, 0u64, 0u64);
        for memory in tree.iter().filter_map(|s| process::memory(s.id.pid)) {
            anonymous = anonymous.saturating_add(memory.anonymous);
            shared = shared.max(memory.shared);
            high = high.max(memory.peak);
        }
        let mut used = anonymous.saturating_add(shared);
        if tree.len() == 1 {
            self.peak = self.peak.max(used).max(high);
        } else if self.memory_limit.is_some_and(|limit| used > limit) || (used > self.peak && begin >= self.next_exact) {
            // Forked workers share pages that were counted once each.
            used = tree.iter().filter_map(|s| process::proportional(s.id.pid).or(process::memory(s.id.pid).map(|m| m.anonymous))).sum();
            self.peak = self.peak.max(used).max(high);
            self.next_exact = boottime() + EXACT_EVERY.max((boottime() - begin) * 20);
        } else {
            self.peak = self.peak.max(high);
        }
        if let Some(limit) = self.memory_limit.filter(|limit| used > *limit) {
            let detail = format!("{} resident, over the limit of {}", bytes_words(used), bytes_words(limit));
            return Some(Failure::new(Label::OutOfMemory, detail));
        }
        let now = boottime();
        self.next = now + MEMORY_EVERY.max((now - begin) * 20);
        self.stalled(now, tree.iter().map(|s| s.cpu_ticks).sum(), log_bytes)
    }

    fn stalled(&mut self, now: Duration, cpu_ticks: u64, log_bytes: u64) -> Option<Failure> {
        let stall = self.stall?;
        let idle = now.saturating_sub(self.active.at);
        let busy = cpu_ticks.saturating_sub(self.active.cpu_ticks) as f64 / TICKS_PER_SEC;
        let worked = idle >= Duration::from_secs(1).min(stall / 2) && busy >= BUSY_SHARE * idle.as_secs_f64();
        if log_bytes != self.active.log_bytes || worked || cpu_ticks < self.active.cpu_ticks {
            self.active = Activity { at: now, cpu_ticks, log_bytes };
            return None;
        }
        (idle >= stall).then(|| Failure::new(Label::Stalled, format!("no output and less than 1 % of a processor for {}", words(idle))))
    }
}
