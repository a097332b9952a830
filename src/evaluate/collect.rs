//! What crosses from a run to its evaluation: the files that the task names, and nothing else.
//!
//! Called when all processes of the run are gone. Everything is opened component by component from the directory that was
//! opened before, following no link, and only regular files are opened at all; each is copied and hashed from the open file,
//! so that what was checked is what is scored. Nothing of it is ever parsed: formats are the evaluator's to choose, and one
//! that runs code when it is read (a pickle) is for it alone to refuse.

use super::artifacts::{Artifact, Artifacts};
use super::fingerprint::{self, Stamp};
use crate::{
    model::{Failure, Label, Safe},
    run::time::bytes_words,
};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Component, Path},
};

/// Directories below one another that are followed in a need that is a directory.
const DEPTH: u32 = 32;
/// Files of one run that are collected at most: each is hashed, listed and put on the disk.
const FILES: usize = if cfg!(test) { 200 } else { 20_000 };

/// What becomes of a need that is not there.
#[derive(Debug, Clone, Copy)]
pub enum Rest {
    /// It is refused, in these words.
    Refused(&'static str),
    /// Another step may still write it.
    Left,
}

/// Copies `needs` (files, or directories with all their files) from `slot` to the same relative paths in `artifacts`, which
/// is made anew, and returns their list.
///
/// Failures: `eval_failed` when one of them is missing, no regular file, behind a link, or has a second name outside of the
/// slot; `gate_failed` when they are larger than `cap_bytes` together, or too many; `infrastructure` when they cannot be
/// copied.
pub fn collect(needs: &[String], slot: &Path, artifacts: &Path, cap_bytes: u64, rest: Rest) -> Result<Artifacts, Failure> {
    let ours = |what: &str, error: io::Error| Failure::new(Label::Infrastructure, format!("could not {what} the artifacts: {error}"));
    match fs::remove_dir_all(artifacts) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ours("replace", error)),
        _ => {}
    }
    fs::create_dir_all(artifacts).map_err(|e| ours("keep", e))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = rustix::fs::open(slot, flags, Mode::empty()).map_err(|e| ours("find", e.into()))?;
    let mut collection = Collection { root, artifacts, left: cap_bytes, cap: cap_bytes, files: BTreeMap::new(), rest };
    for need in needs {
        collection.take(need)?;
    }
    Ok(Artifacts { files: collection.files, handed: None })
}

struct Collection<'a> {
    root: OwnedFd,
    artifacts: &'a Path,
    left: u64,
    cap: u64,
    files: BTreeMap<String, Artifact>,
    rest: Rest,
}

impl Collection<'_> {
    fn take(&mut self, need: &str) -> Result<(), Failure> {
        let parts = parts(need).ok_or_else(|| refused(need, "is not a path inside the repository"))?;
        match open_below(&self.root, &parts) {
            Ok(opened) => self.copy(opened, &parts.join("/"), need, DEPTH),
            Err(Errno::NOENT | Errno::NOTDIR) => match self.rest {
                Rest::Refused(words) => Err(refused(need, words)),
                Rest::Left => Ok(()),
            },
            Err(error) => Err(not_opened(need, error)),
        }
    }

    fn copy(&mut self, from: OwnedFd, relative: &str, need: &str, depth: u32) -> Result<(), Failure> {
        let file = File::from(from);
        let meta = file.metadata().map_err(|e| refused(need, &e.to_string()))?;
        if meta.is_dir() {
            return match depth {
                0 => Err(refused(need, &format!("it lies more than {DEPTH} directories deep"))),
                _ => self.copy_directory(&file, relative, depth),
            };
        }
        if !meta.is_file() {
            return Err(refused(need, "it is no regular file"));
        }
        if self.files.contains_key(relative) {
            // Named twice, or within a directory that was named before.
            return Ok(());
        }
        if meta.nlink() > 1 && names_below(self.root.as_fd(), &meta, DEPTH) < meta.nlink() {
            return Err(refused(need, "it has a second name (a hard link) outside of the run's directory"));
        }
        if self.files.len() >= FILES {
            let detail = format!("artifact_files: what the evaluator needs are over {FILES} files; write fewer, larger ones");
            return Err(Failure::new(Label::GateFailed, detail));
        }
        // A file with holes counts by its length: that is what its copy takes.
        if meta.len() > self.left {
            return Err(self.too_large(need));
        }
        let artifact = self
            .copy_file(file, relative)
            .map_err(|error| Failure::new(Label::Infrastructure, format!("could not copy {}: {error}", Safe::line(need))))?;
        if artifact.bytes > self.left {
            return Err(self.too_large(need));
        }
        self.left -= artifact.bytes;
        self.files.insert(relative.to_owned(), artifact);
        Ok(())
    }

    fn copy_file(&self, file: File, relative: &str) -> io::Result<Artifact> {
        let to = self.artifacts.join(relative);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&to)?;
        let (sha256, bytes) = fingerprint::hashed(file.take(self.left.saturating_add(1)), |part| out.write_all(part))?;
        // After a power cut the list must not speak of what is not there.
        out.sync_all()?;
        Ok(Artifact { sha256, bytes, stamp: Some(Stamp::of(&out.metadata()?)) })
    }

    fn too_large(&self, need: &str) -> Failure {
        let cap = bytes_words(self.cap);
        Failure::new(Label::GateFailed, format!("artifact_bytes: what the evaluator needs is over {cap} ({})", Safe::line(need)))
    }

    fn copy_directory(&mut self, dir: &File, relative: &str, depth: u32) -> Result<(), Failure> {
        let entries = rustix::fs::Dir::read_from(dir).map_err(|e| refused(relative, &e.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|e| refused(relative, &e.to_string()))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(text) = name.to_str() else {
                return Err(refused(relative, "a name in it is not UTF-8"));
            };
            let inside = format!("{relative}/{text}");
            if text.chars().any(char::is_control) {
                return Err(refused(&inside, "its name has control characters"));
            }
            let child = open_one(dir.as_fd(), name, OFlags::empty()).map_err(|e| not_opened(&inside, e))?;
            self.copy(child, &inside, &inside, depth - 1)?;
        }
        Ok(())
    }
}

fn not_opened(need: &str, error: Errno) -> Failure {
    match error {
        Errno::LOOP | Errno::MLINK => refused(need, "it is, or lies behind, a symbolic link"),
        Errno::NXIO | Errno::NOTSUP => refused(need, "it is no regular file"),
        error => refused(need, &error.to_string()),
    }
}

fn refused(need: &str, why: &str) -> Failure {
    Failure::new(Label::EvalFailed, format!("needs {}: {why}", Safe::line(need)))
}

/// The components of a relative path without `..`.
fn parts(need: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for component in Path::new(need).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!parts.is_empty()).then_some(parts)
}

fn open_below(root: &OwnedFd, parts: &[String]) -> Result<OwnedFd, Errno> {
    let name = |part: &String| CString::new(part.as_str()).map_err(|_| Errno::INVAL);
    let (last, dirs) = parts.split_last().ok_or(Errno::NOENT)?;
    let mut dir = rustix::io::dup(root)?;
    for part in dirs {
        dir = open_one(dir.as_fd(), &name(part)?, OFlags::DIRECTORY)?;
    }
    open_one(dir.as_fd(), &name(last)?, OFlags::empty())
}

/// Opens a regular file or a directory without following a link. What else there is (a pipe, a socket, a device) is looked
/// at and not opened: opening one can wait, or have an effect.
fn open_one(dir: BorrowedFd<'_>, name: &CStr, also: OFlags) -> Result<OwnedFd, Errno> {
    let kind = FileType::from_raw_mode(rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
    match kind {
        FileType::RegularFile | FileType::Directory => {}
        FileType::Symlink => return Err(Errno::LOOP),
        _ => return Err(Errno::NOTSUP),
    }
    // Whatever takes its place between the two calls is found out by its open file.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | also;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// How many names below the slot lead to this file.
fn names_below(dir: BorrowedFd<'_>, file: &fs::Metadata, depth: u32) -> u64 {
    let Ok(entries) = rustix::fs::Dir::read_from(dir) else { return 0 };
    let mut names = 0;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_ino == file.ino() && stat.st_dev == file.dev() => names += 1,
            FileType::Directory if depth > 0 => {
                if let Ok(below) = open_one(dir, name, OFlags::DIRECTORY) {
                    names += names_below(below.as_fd(), file, depth - 1);
                }
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    const GONE: Rest = Rest::Refused("the run did not write it");

    fn bench() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let slot = dir.path().join("slot");
        fs::create_dir_all(slot.join("out/deep")).unwrap();
        fs::write(slot.join("pred.npy"), b"12345").unwrap();
        fs::write(slot.join("out/a.json"), b"1").unwrap();
        fs::write(slot.join("out/deep/b.json"), b"22").unwrap();
        let artifacts = dir.path().join("artifacts");
        (dir, slot, artifacts)
    }

    #[test]
    fn what_is_named_crosses() {
        let (_dir, slot, artifacts) = bench();
        let needs = ["pred.npy", "./out", "out/a.json"].map(str::to_owned);
        let bytes = |needs: &[String]| collect(needs, &slot, &artifacts, 8, GONE).map(|a| a.bytes());
        assert_eq!(bytes(&needs), Ok(8));
        assert_eq!(bytes(&needs), Ok(8), "a second time, after a restart");
        assert_eq!(fs::read(artifacts.join("out/deep/b.json")).unwrap(), b"22");
        assert_eq!(bytes(&needs[..1]), Ok(5));
        assert!(!artifacts.join("out").exists(), "nothing of the first collection stays");
        assert_eq!(bytes(&[]), Ok(0));
        let some = ["gone.npy", "pred.npy"].map(str::to_owned);
        assert_eq!(bytes(&some).unwrap_err().detail, "needs gone.npy: the run did not write it");
        let left = collect(&some, &slot, &artifacts, 8, Rest::Left).unwrap();
        assert_eq!(left.files.keys().collect::<Vec<_>>(), ["pred.npy"]);
    }

    #[test]
    fn what_is_missing_or_no_plain_file_does_not() {
        let (dir, slot, artifacts) = bench();
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("labels"), b"x").unwrap();
        symlink(secret.join("labels"), slot.join("link.npy")).unwrap();
        symlink(&secret, slot.join("linked")).unwrap();
        symlink("nowhere", slot.join("dangling")).unwrap();
        for place in ["mixed", "named", "deep"] {
            fs::create_dir(slot.join(place)).unwrap();
        }
        symlink(secret.join("labels"), slot.join("mixed/labels")).unwrap();
        fs::write(slot.join("named/a\u{1b}[31m\nb"), b"x").unwrap();
        fs::create_dir_all(slot.join("deep").join("d/".repeat(40))).unwrap();
        fs::hard_link(secret.join("labels"), slot.join("second.npy")).unwrap();
        fs::hard_link(slot.join("out/a.json"), slot.join("out/best.json")).unwrap();
        std::os::unix::net::UnixListener::bind(slot.join("socket")).unwrap();
        File::create(slot.join("holes")).unwrap().set_len(1 << 40).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, slot.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        // Only root may make a device.
        let zero = rustix::fs::makedev(1, 5);
        let device = rustix::fs::mknodat(rustix::fs::CWD, slot.join("zero"), FileType::CharacterDevice, Mode::from_raw_mode(0o600), zero);
        for (need, label, detail) in [
            ("gone.npy", Label::EvalFailed, "needs gone.npy: the run did not write it"),
            ("pred.npy/x", Label::EvalFailed, "needs pred.npy/x: the run did not write it"),
            ("link.npy", Label::EvalFailed, "needs link.npy: it is, or lies behind, a symbolic link"),
            ("dangling", Label::EvalFailed, "needs dangling: it is, or lies behind, a symbolic link"),
            ("linked/labels", Label::EvalFailed, "needs linked/labels: it is, or lies behind, a symbolic link"),
            ("mixed", Label::EvalFailed, "needs mixed/labels: it is, or lies behind, a symbolic link"),
            ("../secret/labels", Label::EvalFailed, "needs ../secret/labels: is not a path inside the repository"),
            ("/etc/passwd", Label::EvalFailed, "needs /etc/passwd: is not a path inside the repository"),
            ("", Label::EvalFailed, "needs : is not a path inside the repository"),
            ("pipe", Label::EvalFailed, "needs pipe: it is no regular file"),
            ("socket", Label::EvalFailed, "needs socket: it is no regular file"),
            ("named", Label::EvalFailed, "needs named/a b: its name has control characters"),
            ("second.npy", Label::EvalFailed, "needs second.npy: it has a second name (a hard link) outside of the run's directory"),
            ("holes", Label::GateFailed, "artifact_bytes: what the evaluator needs is over 100 B (holes)"),
        ] {
            let got = collect(&[need.to_owned()], &slot, &artifacts, 100, GONE).unwrap_err();
            assert_eq!((got.label, got.detail.as_str()), (label, detail));
        }
        let got = collect(&["deep".to_owned()], &slot, &artifacts, 100, GONE).unwrap_err();
        assert!(got.detail.ends_with("it lies more than 32 directories deep"), "{}", got.detail);
        if device.is_ok() {
            let got = collect(&["zero".to_owned()], &slot, &artifacts, 100, GONE).unwrap_err();
            assert_eq!(got.detail, "needs zero: it is no regular file");
        }
        // Two names of one file, both the run's own, are two files.
        let got = collect(&["out".to_owned()], &slot, &artifacts, 100, GONE).unwrap();
        assert_eq!((got.files.len(), got.bytes()), (3, 4));
        let got = collect(&["out".to_owned()], &slot, &artifacts, 2, GONE).unwrap_err();
        assert_eq!(got.label, Label::GateFailed);
    }

    #[test]
    fn more_files_than_can_be_listed_are_too_many() {
        let (_dir, slot, artifacts) = bench();
        fs::create_dir(slot.join("many")).unwrap();
        for n in 0..=FILES {
            File::create(slot.join(format!("many/{n}"))).unwrap();
        }
        let got = collect(&["many".to_owned()], &slot, &artifacts, 100, GONE).unwrap_err();
        assert_eq!(got.label, Label::GateFailed);
        assert!(got.detail.starts_with("artifact_files: "), "{}", got.detail);
    }

    #[test]
    fn a_directory_that_is_swapped_for_a_link_while_it_is_read_shows_nothing_of_the_outside() {
        let (dir, slot, artifacts) = bench();
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("a.json"), b"labels").unwrap();
        symlink(&secret, slot.join("aside")).unwrap();
        let (a, b, c) = (slot.join("out"), slot.join("aside"), slot.join("third"));
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = fs::rename(&a, &c).and_then(|()| fs::rename(&b, &a)).and_then(|()| fs::rename(&c, &b));
                }
            });
            for _ in 0..500 {
                let _ = collect(&["out/a.json".to_owned()], &slot, &artifacts, 100, GONE);
                let got = fs::read(artifacts.join("out/a.json")).unwrap_or_default();
                assert!(got.is_empty() || got == b"1", "{got:?}");
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
