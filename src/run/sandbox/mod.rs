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
mod masks;
mod memory;
pub mod probe;
pub mod python;
mod reach;
mod seccomp;
mod system;
mod users;

pub use ancestry::of_a_run;
pub(super) use cgroup::Group;
pub use cgroup::expect as expect_group;
pub(super) use enter::{Then, enter, inside};
pub(super) use leftovers::{COMMON, end_all as end_leftovers};
pub use masks::masks;
pub use reach::{can_reach, closed, unreachable};
pub use users::Users;

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
    /// With `reach`: files and directories that stay out of its sight all the same.
    #[serde(default)]
    pub masked: Vec<PathBuf>,
    /// Files and directories that it may read, beyond those of the system.
    pub read: Vec<PathBuf>,
    /// Directories that it may write.
    pub write: Vec<PathBuf>,
    /// Where `TEMPORARY` leads in tier A; nowhere if none.
    #[serde(default)]
    pub temporary: Option<PathBuf>,
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
    /// Whether the command can make files where every user may, and the machine's other users see them.
    pub(super) fn common_places(&self) -> bool {
        matches!(self.tier, Tier::B | Tier::D)
    }

    /// Tier E: nothing is kept from the command.
    pub fn none() -> Self {
        Self {
            tier: Tier::E,
            user: None,
            reach: false,
            masked: Vec::new(),
            read: Vec::new(),
            write: Vec::new(),
            temporary: None,
            devices: Vec::new(),
            network: true,
            processes: u32::MAX,
            shared_memory_bytes: 0,
        }
    }
}

/// A short path within tier A for a directory of temporary files.
pub const TEMPORARY: &str = "/tmp/t";

/// User ids that are nobody's: those from which systemd, too, takes users that live as long as a service.
const USERS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// The users that a place may have, the one that its name points to first.
fn candidates(study: &std::path::Path, place: &str) -> impl Iterator<Item = u32> {
    let number = digest(study, place).iter().take(4).fold(0u32, |n, byte| (n << 8) | u32::from(*byte));
    let count = USERS.end() - USERS.start() + 1;
    let all = (0..count).map(move |next| USERS.start() + (number % count + next) % count);
    // One that systemd has given to a service is somebody's: all of its processes would be ended with a run.
    all.filter(|user| !std::path::Path::new("/run/systemd/dynamic-uid").join(user.to_string()).exists())
}

/// The user that a place has where the list of who has which cannot be written.
pub fn user_without_list(study: &std::path::Path, place: &str) -> u32 {
    candidates(study, place).next().unwrap_or(*USERS.start())
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
    fn each_place_begins_with_a_user_of_its_own_and_may_have_any() {
        let first = |study: &str, place: &str| candidates(std::path::Path::new(study), place).next();
        assert_eq!(first("/studies/a", "slot-0"), first("/studies/a", "slot-0"));
        assert_ne!(first("/studies/a", "slot-0"), first("/studies/a", "slot-1"));
        assert_ne!(first("/studies/a", "slot-0"), first("/studies/b", "slot-0"));
        let all: std::collections::BTreeSet<u32> = candidates(std::path::Path::new("/studies/a"), "slot-0").collect();
        assert!(all.iter().all(|user| USERS.contains(user)) && all.len() > 4000);
    }
}
