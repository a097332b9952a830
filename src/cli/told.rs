//! Ctrl-C, TERM and HUP while a study is made: the making ends and takes with it what it has made. A second one ends the
//! program at once; what is left then goes with the next study.

use super::{Exit, Failure};
use crate::engine::create::ToldToEnd;
use signal_hook::{
    SigId,
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag, low_level,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// One signal: whether it came, and whether it has its usual effect.
struct Heard {
    signal: i32,
    came: Arc<AtomicBool>,
    usual: Arc<AtomicBool>,
    ids: [SigId; 3],
}

/// What listens to the signals. A signal that nobody listens to any more has no effect at all: hence `defaults` and `leave`.
pub(super) struct Told(Vec<Heard>);

impl Told {
    /// Listens from now on.
    pub(super) fn listening() -> io::Result<Self> {
        let one = |signal| {
            let (came, usual) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
            // In this order: the second signal finds what the first has left.
            let ids = [
                flag::register_conditional_default(signal, Arc::clone(&usual))?,
                flag::register_conditional_default(signal, Arc::clone(&came))?,
                flag::register(signal, Arc::clone(&came))?,
            ];
            Ok(Heard { signal, came, usual, ids })
        };
        let ignored = ignored();
        Ok(Self([SIGINT, SIGTERM, SIGHUP].into_iter().filter(|s| ignored & (1 << (s - 1)) == 0).map(one).collect::<io::Result<_>>()?))
    }

    /// The signal that came.
    pub(super) fn to_end(&self) -> Option<i32> {
        self.0.iter().find(|heard| heard.came.load(Relaxed)).map(|heard| heard.signal)
    }

    /// Gives the signals their usual effect again, which one that came too late to end the making has now.
    pub(super) fn defaults(&self) {
        for heard in &self.0 {
            heard.usual.store(true, Relaxed);
        }
        if let Some(signal) = self.to_end() {
            let _ = low_level::emulate_default_handler(signal);
        }
    }

    /// Leaves some of them to another listener, who comes next.
    pub(super) fn leave(&self, signals: &[i32]) {
        for heard in self.0.iter().filter(|heard| signals.contains(&heard.signal)) {
            for id in heard.ids {
                low_level::unregister(id);
            }
        }
    }
}

/// Signals that this program was started to ignore, one bit each: by `nohup`, or in the background of a script.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The failure of a making: as shells report it where a signal ended it, else a fault of what was asked for.
pub(super) fn failure(error: &anyhow::Error) -> Failure {
    let exit = error.downcast_ref::<ToldToEnd>().and_then(|told| u8::try_from(128 + told.signal).ok());
    Failure { message: format!("{error:#}"), exit: exit.map_or(Exit::USAGE, Exit) }
}
