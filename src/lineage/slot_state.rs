//! What a slot's files were when they were last known to equal their tree: it saves reading them again.
//!
//! The file lies beside the slot and may always be deleted. An entry is trusted only if size, both times (a run can forge one, not
//! the other), inode and mode are unchanged, the machine has not been restarted since, and the file was not written so shortly
//! before the record that a later write could carry the same time.

use super::slot_fs::Stat;
use super::store::Leaf;
use git2::Oid;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 2;
/// File times advance in steps of up to 10 ms (CONFIG_HZ=100); twice that is safe.
const CLOCK_STEP_NS: i64 = 20_000_000;

/// The record of one slot.
#[derive(Default)]
pub(super) struct State {
    files: HashMap<String, Known>,
}

/// A file that was equal to `oid` when it had this state.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub oid: Oid,
    pub mode: u32,
    pub stat: Key,
    /// Written too shortly before the record to be told from a later write.
    pub fresh: bool,
}

/// What must be unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
    inode: u64,
    mode: u32,
}

impl From<&Stat> for Key {
    fn from(s: &Stat) -> Self {
        Self { size: s.size, mtime_ns: s.mtime_ns, ctime_ns: s.ctime_ns, inode: s.inode, mode: s.mode }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored<P> {
    format: u32,
    boot: String,
    /// When the files were in this state, by the clock of their file system.
    as_of_ns: i64,
    files: Vec<Row<P>>,
}

/// Path, hash, mode in the tree, size, mtime, ctime, inode, mode on disk.
type Row<P> = (P, String, u32, u64, i64, i64, u64, u32);

impl State {
    /// Reads the record; what cannot be trusted reads as empty.
    pub(super) fn load(slot: &Path) -> Self {
        let Ok(text) = fs::read(state_path(slot)) else { return Self::default() };
        let Ok(stored) = serde_json::from_slice::<Stored<String>>(&text) else { return Self::default() };
        if stored.format != FORMAT || stored.boot != boot() {
            return Self::default();
        }
        let known = stored.files.into_iter().filter_map(|(path, oid, mode, size, mtime_ns, ctime_ns, inode, disk_mode)| {
            let stat = Key { size, mtime_ns, ctime_ns, inode, mode: disk_mode };
            let fresh = ctime_ns > stored.as_of_ns.saturating_sub(CLOCK_STEP_NS);
            Some((path, Known { oid: Oid::from_str(&oid).ok()?, mode, stat, fresh }))
        });
        Self { files: known.collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Known> {
        self.files.get(path)
    }
}

/// The state of all files of a slot that has just been made equal to its tree, still to be written: who is in a hurry has that
/// done while the run goes. Until then, and if it never is, the record before it holds; what has changed since is read again.
#[must_use]
pub struct Record {
    to: PathBuf,
    /// Open, empty, and as old as the state that it is to hold.
    temporary: File,
    temporary_path: PathBuf,
    as_of_ns: i64,
    files: Vec<(Leaf, Key)>,
}

impl Record {
    /// Of these files as they are now.
    pub(super) fn of(slot: &Path, files: Vec<(Leaf, Key)>) -> io::Result<Self> {
        let to = state_path(slot);
        let temporary_path = to.with_extension("json.tmp");
        // Another name for each: the one before it may still be written.
        let _ = fs::remove_file(&temporary_path);
        let temporary = File::create_new(&temporary_path)?;
        let made = temporary.metadata()?;
        let as_of_ns = made.mtime().wrapping_mul(1_000_000_000).wrapping_add(made.mtime_nsec());
        Ok(Self { to, temporary, temporary_path, as_of_ns, files })
    }

    /// Writes it beside the slot.
    pub fn save(mut self) -> io::Result<()> {
        let row =
            |(leaf, k): &(Leaf, Key)| (leaf.path.clone(), leaf.oid.to_string(), leaf.mode, k.size, k.mtime_ns, k.ctime_ns, k.inode, k.mode);
        let files = self.files.iter().map(row).collect();
        let text = serde_json::to_vec(&Stored { format: FORMAT, boot: boot(), as_of_ns: self.as_of_ns, files })?;
        self.temporary.write_all(&text)?;
        fs::rename(&self.temporary_path, &self.to)
    }
}

/// `work/slot-0` has `work/slot-0.state.json`.
fn state_path(slot: &Path) -> PathBuf {
    let mut name = slot.file_name().unwrap_or_default().to_owned();
    name.push(".state.json");
    slot.with_file_name(name)
}

/// The kernel's id of this start of the machine: after a power cut, files may hold less than their times promise.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
