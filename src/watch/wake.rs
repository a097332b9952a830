//! File events as an alarm clock: one `notify` watcher a process, which says "look now" and nothing else.
//!
//! What was seen is always read from the files themselves; without events (no inotify instance left, a remote file system) the poll alone
//! finds it, a little later. Directories are watched, never whole trees.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Most directories that are watched; beyond it the poll must do.
const MAX_DIRECTORIES: usize = 512;

/// File systems whose changes on another machine give no event here (`statfs(2)` and the kernel's `magic.h`).
const REMOTE: [u64; 10] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xfe53_4d42, // SMB 2
    0xff53_4d42, // CIFS
    0x6573_5546, // FUSE
    0x0102_1997, // 9p
    0x00c3_6400, // Ceph
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
];

/// The alarm clock.
pub(super) struct Wake {
    watcher: Option<RecommendedWatcher>,
    held: HashMap<PathBuf, usize>,
}

impl Wake {
    /// Starts it; `ring` is called on a thread of its own whenever something changed. With it a sentence if there will be no events.
    pub(super) fn start(ring: impl Fn() + Send + 'static) -> (Self, Option<String>) {
        let made = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Our own looks open files; only changes count, or the clock would ring itself.
            if event.is_ok_and(|e| matches!(e.kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_))) {
                ring();
            }
        });
        match made {
            Ok(watcher) => (Self { watcher: Some(watcher), held: HashMap::new() }, None),
            Err(error) => {
                let note = format!("no file events ({error}); files are looked at every 100 ms instead");
                (Self::silent(), Some(note))
            }
        }
    }

    /// A clock that never rings.
    pub(super) fn silent() -> Self {
        Self { watcher: None, held: HashMap::new() }
    }

    /// Watches a directory, once for each holder. False if it will give no events.
    pub(super) fn hold(&mut self, directory: &Path) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        if let Some(holders) = self.held.get_mut(directory) {
            *holders += 1;
            return true;
        }
        if self.held.len() >= MAX_DIRECTORIES || watcher.watch(directory, RecursiveMode::NonRecursive).is_err() {
            return false;
        }
        self.held.insert(directory.to_owned(), 1);
        true
    }

    /// Takes one hold back.
    pub(super) fn release(&mut self, directory: &Path) {
        let Some(holders) = self.held.get_mut(directory) else { return };
        *holders -= 1;
        if *holders == 0 {
            self.held.remove(directory);
            if let Some(watcher) = &mut self.watcher {
                // A directory that is gone has taken its watch along.
                let _ = watcher.unwatch(directory);
            }
        }
    }
}

/// Whether a path lies on a file system that other machines write to.
pub(super) fn is_remote(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| REMOTE.contains(&u64::try_from(fs.f_type).unwrap_or_default()))
}
