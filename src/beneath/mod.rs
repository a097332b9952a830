//! Opens what lies beneath a directory and nothing else, whatever a run puts at any place of the path, and when.
//!
//! No link is followed, at the end or on the way, and no pipe is waited for. The kernel resolves the whole path in one step
//! (`openat2`) where it can; else each component is opened from the one before, which no swapped name can lead astray either.
//! Tested by a thread that swaps names while files are opened.

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::{Component, Path},
};

/// Set on everything that is opened: a pipe or a terminal is not waited for, and nobody inherits it.
const ALWAYS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens a regular file for reading. Errors: of the file system; `ELOOP` where a link is on the path; `InvalidInput` for anything
/// but a regular file.
pub fn file(root: &Path, path: &Path) -> io::Result<File> {
    let dir = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    file_in(&dir, path)
}

/// The same from a directory that is open.
pub fn file_in(dir: impl AsFd, path: &Path) -> io::Result<File> {
    let file = File::from(open(dir, path, OFlags::RDONLY)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Opens anything beneath a directory. Errors: as `file`; a path that is absolute, empty or climbs is `InvalidInput`.
pub fn open(dir: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let parts = parts(path).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a path inside"))?;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&dir, path, flags | ALWAYS, Mode::empty(), resolve) {
            // A kernel before 5.6 has no such call, and a filter may not know it.
            Err(Errno::NOSYS | Errno::PERM) => {}
            other => return Ok(other?),
        }
    }
    Ok(stepwise(dir, &parts, flags)?)
}

/// Opens component by component.
fn stepwise(dir: impl AsFd, parts: &[&OsStr], flags: OFlags) -> Result<OwnedFd, Errno> {
    let (last, above) = parts.split_last().ok_or(Errno::NOENT)?;
    let mut at = rustix::io::dup(&dir)?;
    for part in above {
        at = match rustix::fs::openat(&at, *part, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            // With O_DIRECTORY a link reads as "not a directory".
            Err(Errno::NOTDIR) if rustix::fs::readlinkat(&at, *part, Vec::new()).is_ok() => return Err(Errno::LOOP),
            other => other?,
        };
    }
    rustix::fs::openat(&at, *last, flags | OFlags::NOFOLLOW | ALWAYS, Mode::empty())
}

fn parts(path: &Path) -> Option<Vec<&OsStr>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::Read,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
    };

    fn place() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [("root/in/file", "inside"), ("outside/file", "canary"), ("root/plain", "plain")] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn only_plain_files_inside_open() {
        let dir = place();
        let root = dir.path().join("root");
        symlink(dir.path().join("outside"), root.join("away")).unwrap();
        symlink("in", root.join("near")).unwrap();
        symlink("/etc/passwd", root.join("in/link")).unwrap();
        symlink("/proc/self/fd", root.join("magic")).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let handle = File::open(&root).unwrap();
        for (path, good) in [
            ("plain", true),
            ("in/file", true),
            ("./in/./file", true),
            ("away/file", false),
            ("near/file", false),
            ("in/link", false),
            ("magic/0", false),
            ("pipe", false),
            ("in", false),
            ("in/gone", false),
            ("../outside/file", false),
            ("in/../plain", false),
            ("/etc/passwd", false),
            ("", false),
        ] {
            assert_eq!(file(&root, Path::new(path)).is_ok(), good, "{path}");
            if let Some(parts) = parts(Path::new(path)) {
                let opened = stepwise(&handle, &parts, OFlags::RDONLY);
                let plain = opened.is_ok_and(|fd| File::from(fd).metadata().unwrap().is_file());
                assert_eq!(plain, good, "{path}, component by component");
            }
        }
    }

    /// A run swaps a directory for a link while we open: what opens is the file inside, or nothing.
    #[test]
    fn a_swapped_name_leads_nowhere() {
        let dir = place();
        let root = dir.path().join("root");
        symlink(dir.path().join("outside"), root.join("other")).unwrap();
        let (handle, over) = (File::open(&root).unwrap(), AtomicBool::new(false));
        let (mut inside, mut refused) = (0_u32, 0_u32);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(&handle, "in", &handle, "other", flags).unwrap();
                }
            });
            let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
            while (inside < 2_000 || refused < 2_000) && std::time::Instant::now() < end {
                let path = Path::new("in/file");
                let parts = [OsStr::new("in"), OsStr::new("file")];
                for opened in [file_in(&handle, path), stepwise(&handle, &parts, OFlags::RDONLY).map(File::from).map_err(io::Error::from)] {
                    match opened {
                        Ok(mut file) => {
                            let mut text = String::new();
                            file.read_to_string(&mut text).unwrap();
                            assert_eq!(text, "inside");
                            inside += 1;
                        }
                        Err(_) => refused += 1,
                    }
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(inside > 0 && refused > 0, "{inside} inside, {refused} refused: the race took place");
    }
}
