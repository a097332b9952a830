//! What keeps a run from everything that its task does not grant: tiers A to E, each tried before it is promised.
//!
//! A `Sandbox` is plain data in a run's `spec.json`. The shim's last stage enters it and becomes the command:
//!
//! ```text
//! A      shim --exec ─▶ bubblewrap (namespaces, mounts) ─▶ shim --inside (user, seccomp) ─▶ sh -c command
//! B C D  shim --exec (user, Landlock, seccomp) ─▶ sh -c command
//! ```
//! Everything is done by system calls on the process itself before it becomes the command; there is nothing to undo, and
//! nothing of ours runs beside it.

mod ancestry;
mod bubblewrap;
mod cgroup;
mod enter;
mod forbidden;
mod landlock;
mod leftovers;
mod memory;
pub mod probe;
pub mod python;
mod reach;
mod seccomp;
mod system;

pub use ancestry::of_a_run;
pub(super) use cgroup::Group;
pub(super) use enter::{Then, enter, inside};
pub(super) use leftovers::end_all as end_leftovers;
pub use reach::{can_reach, closed, unreachable};

use crate::model::Tier;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a command may see and do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// How it is contained.
    pub tier: Tier,
    /// The user that it runs as; none for the one of the engine.
    pub user: Option<u32>,
    /// That user may look through directories that belong to others: some of `read` lies behind one that is closed to it.
    /// The walls around files are then those of the tier alone.
    #[serde(default)]
    pub reach: bool,
    /// Files and directories that it may read, beyond those of the system.
    pub read: Vec<PathBuf>,
    /// Directories that it may write.
    pub write: Vec<PathBuf>,
    /// Device files that it may use: those of its GPUs.
    pub devices: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: bool,
    /// Most processes and threads at a time.
    pub processes: u32,
    /// Size of the shared memory that it has for itself where the tier can give one, in bytes.
    pub shared_memory_bytes: u64,
}

impl Sandbox {
    /// Tier E: nothing is kept from the command.
    pub fn none() -> Self {
        Self {
            tier: Tier::E,
            user: None,
            reach: false,
            read: Vec::new(),
            write: Vec::new(),
            devices: Vec::new(),
            network: true,
            processes: u32::MAX,
            shared_memory_bytes: 0,
        }
    }
}

/// User ids that are nobody's: those from which systemd, too, takes users that live as long as a service.
const USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// The user of a place to run: the same whenever it is asked for, another one for each place of each study.
pub fn user_of(study: &std::path::Path, place: &str) -> u32 {
    let number = digest(study, place).iter().take(4).fold(0u32, |n, byte| (n << 8) | u32::from(*byte));
    let count = USERS.end() - USERS.start() + 1;
    let mut all = (0..count).map(|next| USERS.start() + number.wrapping_add(next) % count);
    // One that systemd has given to a service is somebody's: all of its processes would be ended with a run.
    let free = all.find(|user| !std::path::Path::new("/run/systemd/dynamic-uid").join(user.to_string()).exists());
    free.unwrap_or(USERS.start() + number % count)
}

/// A name that no two studies share.
pub fn name_of(study: &std::path::Path) -> String {
    digest(study, "place").iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn digest(study: &std::path::Path, place: &str) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(study.as_os_str().as_encoded_bytes());
    hash.update([0]);
    hash.update(place.as_bytes());
    hash.finalize().to_vec()
}

/// Whether every run may read a path anyway.
pub fn of_system(path: &std::path::Path) -> bool {
    system::PROGRAMS.iter().any(|dir| path.starts_with(dir))
}

/// Most processes and threads of a run on a machine of so many processors.
pub fn processes(cpus: u32) -> u32 {
    1024 + 128 * cpus
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_user_of_its_own() {
        let study = std::path::Path::new("/studies/a");
        assert_eq!(user_of(study, "slot-0"), user_of(study, "slot-0"));
        assert_ne!(user_of(study, "slot-0"), user_of(study, "slot-1"));
        assert_ne!(user_of(study, "slot-0"), user_of(std::path::Path::new("/studies/b"), "slot-0"));
        assert!((0..100).all(|n| USERS.contains(&user_of(study, &format!("slot-{n}")))));
    }
}
