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
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
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
    files: Vec<Row<P>>,
}

/// Path, hash, mode in the tree, size, mtime, ctime, inode, mode on disk.
type Row<P> = (P, String, u32, u64, i64, i64, u64, u32);

impl State {
    /// Reads the record; what cannot be trusted reads as empty.
    pub(super) fn load(slot: &Path) -> Self {
        let path = state_path(slot);
        let Ok(text) = fs::read(&path) else { return Self::default() };
        let Ok(stored) = serde_json::from_slice::<Stored<String>>(&text) else { return Self::default() };
        if stored.format != FORMAT || stored.boot != boot() {
            return Self::default();
        }
        let Ok(written) = path.metadata() else { return Self::default() };
        let written_ns = written.mtime().wrapping_mul(1_000_000_000).wrapping_add(written.mtime_nsec());
        let known = stored.files.into_iter().filter_map(|(path, oid, mode, size, mtime_ns, ctime_ns, inode, disk_mode)| {
            let stat = Key { size, mtime_ns, ctime_ns, inode, mode: disk_mode };
            let fresh = ctime_ns > written_ns.saturating_sub(CLOCK_STEP_NS);
            Some((path, Known { oid: Oid::from_str(&oid).ok()?, mode, stat, fresh }))
        });
        Self { files: known.collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&Known> {
        self.files.get(path)
    }

    /// Writes the record of all files of the tree.
    pub(super) fn save(slot: &Path, files: &[(&Leaf, Key)]) -> io::Result<()> {
        let rows = files
            .iter()
            .map(|(leaf, k)| (&leaf.path, leaf.oid.to_string(), leaf.mode, k.size, k.mtime_ns, k.ctime_ns, k.inode, k.mode))
            .collect();
        let text = serde_json::to_vec(&Stored { format: FORMAT, boot: boot(), files: rows })?;
        let path = state_path(slot);
        let temporary = path.with_extension("json.tmp");
        fs::write(&temporary, text)?;
        fs::rename(&temporary, &path)
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
