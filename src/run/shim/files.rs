//! What a run has on the disk: files below the directories that are watched, what it left in common places, and files that have
//! lost their name and are open still. Looked at from a thread of its own: a look at a large tree may take a while.

use crate::{
    model::{Failure, Label},
    run::{
        Spec,
        process::{self, Stat},
        sandbox,
        time::{boottime, bytes_words},
    },
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const EVERY: Duration = Duration::from_secs(1);
/// Directories below one another that are looked into. What lies deeper could not be counted, so nothing may.
const DEEPEST: u32 = 64;

/// Watches the growth of files.
pub(super) struct Files {
    ground: Arc<Ground>,
    before: Arc<AtomicU64>,
    grown: Arc<AtomicU64>,
    out_of_sight: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Where a run can leave files.
struct Ground {
    dirs: Vec<PathBuf>,
    /// The user whose files count in places where everybody may make some.
    user: Option<u32>,
}

impl Files {
    /// Starts with what is there now; does not wait for that first look, which delays no start.
    pub(super) fn watch(spec: &Spec) -> Self {
        let user = spec.sandbox.as_ref().filter(|s| s.common_places()).and_then(|s| s.user);
        let ground = Arc::new(Ground { dirs: spec.watched_dirs.clone(), user });
        let (before, grown, out_of_sight, stop) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<Mutex<_>>, Arc<AtomicBool>)>::default();
        let thread = (spec.output_bytes.is_some() && !ground.dirs.is_empty()).then(|| {
            let (ground, before, grown, stop) = (ground.clone(), before.clone(), grown.clone(), stop.clone());
            let out_of_sight = out_of_sight.clone();
            thread::spawn(move || {
                let start = ground.look(&[]).bytes;
                before.store(start, Ordering::SeqCst);
                let mut pause = EVERY;
                loop {
                    thread::park_timeout(pause);
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let begin = boottime();
                    let seen = ground.look(&process::descendants(std::process::id()));
                    grown.store(seen.bytes.saturating_sub(start), Ordering::SeqCst);
                    *out_of_sight.lock().unwrap_or_else(PoisonError::into_inner) = seen.out_of_sight;
                    pause = EVERY.max(boottime().saturating_sub(begin) * 20);
                }
            })
        });
        Self { ground, before, grown, out_of_sight, stop, thread }
    }

    /// Growth at the last look, in bytes.
    pub(super) fn grown(&self) -> u64 {
        self.grown.load(Ordering::SeqCst)
    }

    /// Why not everything could be counted at the last look.
    pub(super) fn out_of_sight(&self) -> Option<Failure> {
        let why = self.out_of_sight.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(Failure::new(Label::GateFailed, format!("output_bytes: {why}")))
    }

    /// Stops, and looks a last time.
    pub(super) fn finish(mut self) -> u64 {
        let Some(thread) = self.thread.take() else { return 0 };
        self.stop.store(true, Ordering::SeqCst);
        thread.thread().unpark();
        let _ = thread.join();
        self.ground.look(&[]).bytes.saturating_sub(self.before.load(Ordering::SeqCst))
    }
}

/// The failure of a run whose files grew too much.
pub(super) fn too_much(grown: u64, limit: u64) -> Failure {
    Failure::new(Label::GateFailed, format!("output_bytes: files grew by {}, over {}", bytes_words(grown), bytes_words(limit)))
}

/// What one look counted.
#[derive(Default)]
struct Seen {
    bytes: u64,
    /// Files with several names, or without one, that are counted: device and number.
    counted: BTreeSet<(u64, u64)>,
    /// Devices of the watched directories.
    devices: BTreeSet<u64>,
    out_of_sight: Option<String>,
}

impl Ground {
    /// Bytes on disk; of `tree` the files without a name.
    fn look(&self, tree: &[Stat]) -> Seen {
        let mut seen = Seen::default();
        for path in &self.dirs {
            // A slot may be a link of ours; below it none is followed.
            let Ok(dir) = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { continue };
            seen.devices.extend(rustix::fs::fstat(&dir).map(|stat| stat.st_dev));
            seen.below(&dir, DEEPEST);
        }
        for path in self.user.iter().flat_map(|_| sandbox::COMMON) {
            let Ok(dir) = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { continue };
            seen.devices.extend(rustix::fs::fstat(&dir).map(|stat| stat.st_dev));
            seen.entries(&dir, DEEPEST, self.user);
        }
        for stat in tree {
            seen.open(stat.id.pid);
            seen.mapped(stat.id.pid);
        }
        seen
    }
}

impl Seen {
    fn below(&mut self, dir: &OwnedFd, left: u32) {
        self.entries(dir, left, None);
    }

    /// Counts what lies in a directory, of one user alone or of all.
    fn entries(&mut self, dir: &OwnedFd, left: u32, user: Option<u32>) {
        let Ok(entries) = Dir::read_from(dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if user.is_some_and(|user| stat.st_uid != user) {
                continue;
            }
            let kind = FileType::from_raw_mode(stat.st_mode);
            if stat.st_nlink < 2 || kind == FileType::Directory || self.counted.insert((stat.st_dev, stat.st_ino)) {
                self.add(u64::try_from(stat.st_blocks).unwrap_or(0));
            }
            if kind == FileType::Directory {
                self.directory(dir.as_fd(), name, left);
            }
        }
    }

    fn directory(&mut self, dir: BorrowedFd<'_>, name: &std::ffi::CStr, left: u32) {
        if left == 0 {
            self.out_of_sight = Some(format!("directories lie more than {DEEPEST} deep, where nothing is counted"));
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, name, flags, Mode::empty()) {
            Ok(inner) => self.below(&inner, left - 1),
            Err(Errno::ACCESS | Errno::PERM) => {
                let name = crate::model::Safe::line(&name.to_string_lossy()).to_string();
                self.out_of_sight = Some(format!("the directory {name} is closed, so that what lies in it cannot be counted"));
            }
            // Gone by now.
            Err(_) => {}
        }
    }

    /// Files that a process holds open and that have no name any more.
    fn open(&mut self, pid: u32) {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            self.nameless(entry.path());
        }
    }

    /// Files without a name that a process has closed and still has in its memory.
    fn mapped(&mut self, pid: u32) {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        for line in maps.lines().filter(|l| l.ends_with(" (deleted)")) {
            let mut words = line.split_ascii_whitespace();
            let (Some(range), Some(device), Some(inode)) = (words.next(), words.nth(2), words.next()) else { continue };
            if self.nameless(format!("/proc/{pid}/map_files/{range}").into()) {
                continue;
            }
            // Only root may look at the file itself; then what is mapped of it counts.
            let (Some(device), Ok(inode)) = (number(device), inode.parse::<u64>()) else { continue };
            let length = || -> Option<u64> {
                let (from, to) = range.split_once('-')?;
                Some(u64::from_str_radix(to, 16).ok()?.saturating_sub(u64::from_str_radix(from, 16).ok()?))
            };
            if self.devices.contains(&device) && self.counted.insert((device, inode)) {
                self.add(length().unwrap_or(0) / 512);
            }
        }
    }

    /// Counts a file if it lies on a watched disk without a name; whether it could be looked at.
    fn nameless(&mut self, path: PathBuf) -> bool {
        let Ok(meta) = std::fs::metadata(path) else { return false };
        if meta.is_file() && meta.nlink() == 0 && self.devices.contains(&meta.dev()) && self.counted.insert((meta.dev(), meta.ino())) {
            self.add(meta.blocks());
        }
        true
    }

    fn add(&mut self, blocks: u64) {
        self.bytes = self.bytes.saturating_add(blocks.saturating_mul(512));
    }
}

/// A device as maps name it, `fd:01`.
fn number(device: &str) -> Option<u64> {
    let (major, minor) = device.split_once(':')?;
    Some(rustix::fs::makedev(u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    fn ground(dir: &std::path::Path) -> Ground {
        Ground { dirs: vec![dir.to_owned()], user: None }
    }

    #[test]
    fn a_file_counts_once_whatever_its_names_and_also_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let ground = ground(dir.path());
        let own = process::stat(std::process::id()).unwrap();
        let bytes = || ground.look(&[own]).bytes;
        let empty = bytes();
        fs::write(at("a"), vec![1; 1 << 20]).unwrap();
        assert_eq!(bytes() - empty, 1 << 20);
        fs::hard_link(at("a"), at("b")).unwrap();
        assert_eq!(bytes() - empty, 1 << 20);
        std::os::unix::fs::symlink("/usr", at("usr")).unwrap();
        assert_eq!(bytes() - empty, 1 << 20);
        let mut file = fs::File::create(at("c")).unwrap();
        fs::remove_file(at("c")).unwrap();
        file.write_all(&vec![1; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        assert_eq!(bytes() - empty, 4 << 20, "a file without a name");
        assert_eq!(ground.look(&[]).bytes - empty, 1 << 20, "nobody's");
        drop(file);
        assert_eq!(bytes() - empty, 1 << 20);
    }

    #[test]
    fn what_cannot_be_counted_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let deep = |n: usize| dir.path().join("d/".repeat(n));
        fs::create_dir_all(deep(64)).unwrap();
        assert_eq!(ground(dir.path()).look(&[]).out_of_sight, None);
        fs::create_dir_all(deep(65)).unwrap();
        let said = ground(dir.path()).look(&[]).out_of_sight.unwrap();
        assert!(said.contains("more than 64 deep"), "{said}");
    }
}
