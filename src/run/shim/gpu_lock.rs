//! GPUs are shared between studies without a broker: the supervisor holds a lock on the GPU's file for its life.

use rustix::fs::FlockOperation;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What came of one try.
pub(super) enum Try {
    /// All are ours.
    Held(Vec<File>),
    /// Somebody holds one of them; in words.
    Busy(String),
}

/// Locks all files or none, in the order of their names.
pub(super) fn try_all(paths: &[PathBuf], holder: &str) -> io::Result<Try> {
    let mut paths: Vec<&PathBuf> = paths.iter().collect();
    paths.sort();
    paths.dedup();
    let mut held = Vec::new();
    for path in paths {
        let (mut file, ours) = open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                if ours {
                    file.set_len(0)?;
                    file.rewind()?;
                    file.write_all(holder.as_bytes())?;
                }
                held.push(file);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Try::Busy(busy_words(path, &mut file))),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Try::Held(held))
}

/// Opens a lock's file, and whether it is ours to write. Everybody may make files where it lies: a link is not followed, and
/// what belongs to somebody else, or has a second name, is locked and never written.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).custom_flags(flags).open(path);
    let (file, writable) = match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let kind = path.symlink_metadata().map_err(named)?.file_type();
            if !kind.is_file() {
                return Err(named(io::Error::other("it is no plain file: somebody put it there; remove it")));
            }
            let mine = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path);
            match mine {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    (OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(named)?, false)
                }
                other => (other.map_err(named)?, true),
            }
        }
        other => (other.map_err(named)?, true),
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(named(io::Error::other("it is no plain file: somebody put it there; remove it")));
    }
    let ours = writable && meta.nlink() == 1 && meta.uid() == rustix::process::geteuid().as_raw();
    Ok((file, ours))
}

fn busy_words(path: &Path, file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file.take(200).read_to_string(&mut holder);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let holder = if holder.trim().is_empty() { "another run" } else { holder.trim() };
    format!("{name} is held by {}", crate::model::Safe::line(holder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["gpu-b.lock", "gpu-a.lock"].map(|n| dir.path().join(n));
        let Try::Held(held) = try_all(&paths, "study x, t0001/run-1").unwrap() else { panic!("free") };
        assert_eq!(held.len(), 2);
        let Try::Busy(words) = try_all(&paths[..1], "other").unwrap() else { panic!("held") };
        assert_eq!(words, "gpu-b is held by study x, t0001/run-1");
        drop(held);
        assert!(matches!(try_all(&paths[..1], "other").unwrap(), Try::Held(_)));
    }

    #[test]
    fn what_was_planted_in_its_place_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("precious"), "p").unwrap();
        std::os::unix::fs::symlink(at("precious"), at("link.lock")).unwrap();
        std::os::unix::fs::symlink(at("made"), at("dangling.lock")).unwrap();
        std::fs::hard_link(at("precious"), at("second.lock")).unwrap();
        std::fs::create_dir(at("dir.lock")).unwrap();
        for name in ["link.lock", "dangling.lock", "dir.lock"] {
            let said = try_all(&[at(name)], "x").err().unwrap().to_string();
            assert!(said.contains(name) && said.contains("no plain file"), "{said}");
        }
        assert!(matches!(try_all(&[at("second.lock")], "x").unwrap(), Try::Held(_)));
        assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "p");
        assert!(!at("made").exists());
    }
}
