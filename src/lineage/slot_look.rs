//! What lies in the directories of a slot, looked up by several threads ahead of the comparison with its tree: in a large
//! repository nearly all of the time of a switch goes into asking the kernel for the state of each file.

use super::slot_fs::{self as fs, Stat};
use super::store::Leaf;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;

/// Fewer files are looked up sooner than threads are started.
const WORTH_IT: usize = 500;
/// The kernel serves no more of them at a time than this, with gain.
const THREADS: usize = 4;

/// The entries of directories, by their paths with a slash at the end; the root's is empty.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, Vec<(OsString, Stat)>>);

impl Seen {
    /// Looks into the directories that these files lie in. What cannot be opened, or is no directory, is left out. No process may
    /// be using the slot.
    pub(super) fn look(root: BorrowedFd<'_>, leaves: &[Leaf]) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS));
        if threads < 2 || leaves.len() < WORTH_IT {
            return Self::default();
        }
        let share = leaves.len().div_ceil(threads);
        let shares = shares(leaves, share);
        std::thread::scope(|scope| {
            let looking: Vec<_> = shares.into_iter().map(|dirs| scope.spawn(move || entries(root, dirs))).collect();
            Self(looking.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect())
        })
    }

    /// The entries of a directory, if it was looked into; asked for once.
    pub(super) fn take(&mut self, prefix: &str) -> Option<Vec<(OsString, Stat)>> {
        self.0.remove(prefix)
    }
}

/// The directories of the files, in parts that hold about as many files each.
fn shares(leaves: &[Leaf], share: usize) -> Vec<Vec<&str>> {
    let (mut shares, mut part, mut files) = (Vec::new(), Vec::new(), 0);
    let mut known = HashSet::new();
    for leaf in leaves {
        let dir = leaf.path.rfind('/').and_then(|at| leaf.path.get(..=at)).unwrap_or_default();
        if known.insert(dir) {
            if files >= share {
                shares.push(std::mem::take(&mut part));
                files = 0;
            }
            part.push(dir);
        }
        files += 1;
    }
    shares.push(part);
    shares
}

fn entries(root: BorrowedFd<'_>, dirs: Vec<&str>) -> Vec<(String, Vec<(OsString, Stat)>)> {
    let seen = dirs.into_iter().filter_map(|dir| Some((dir.to_owned(), listing(root, dir).ok()?)));
    seen.collect()
}

fn listing(root: BorrowedFd<'_>, dir: &str) -> io::Result<Vec<(OsString, Stat)>> {
    let mut at: OwnedFd = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for part in dir.split('/').filter(|p| !p.is_empty()) {
        at = fs::open_dir_as_it_is(at.as_fd(), OsStr::new(part))?;
    }
    list(at.as_fd())
}

/// The names in a directory with the state of each.
pub(super) fn list(dir: BorrowedFd<'_>) -> io::Result<Vec<(OsString, Stat)>> {
    let mut entries = Vec::new();
    for name in fs::names(dir)? {
        if let Some(stat) = fs::stat(dir, &name)? {
            entries.push((name, stat));
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::Oid;

    fn leaf(path: &str) -> Leaf {
        Leaf { path: path.into(), mode: 0o100_644, oid: Oid::ZERO_SHA1 }
    }

    #[test]
    fn directories_are_shared_out_whole() {
        let leaves: Vec<Leaf> = ["a/1", "a/2", "a/b/1", "a/c", "c", "d/1", "d/2"].map(leaf).into();
        assert_eq!(shares(&leaves, 3), [vec!["a/", "a/b/"], vec!["", "d/"]]);
        assert_eq!(shares(&leaves, 100), [vec!["a/", "a/b/", "", "d/"]]);
        assert_eq!(shares(&leaves, 1).len(), 4);
    }

    #[test]
    fn a_link_in_place_of_a_directory_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("slot/a")).unwrap();
        std::fs::write(dir.path().join("slot/a/x"), "1").unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("slot/b")).unwrap();
        let root = fs::open_root(&dir.path().join("slot")).unwrap();
        let leaves: Vec<Leaf> = (0..WORTH_IT).map(|n| leaf(&format!("{}/{n}", ["a", "b", "gone"][n * 3 / WORTH_IT]))).collect();
        let mut seen = Seen::look(root.as_fd(), &leaves);
        if let Some(entries) = seen.take("a/") {
            assert_eq!(entries.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["x"]);
        }
        assert!(seen.take("b/").is_none() && seen.take("gone/").is_none());
    }
}
