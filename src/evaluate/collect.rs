//! What crosses from a run to its evaluation: the files that the task names, and nothing else.
//!
//! Called when all processes of the run are gone. Files are opened component by component without following links and
//! copied from the open file, so that what was checked is what is scored.

use crate::{
    model::{Failure, Label},
    run::time::bytes_words,
};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

/// Directories below one another that are followed in a need that is a directory.
const DEPTH: u32 = 32;

/// Copies `needs` (files, or directories with all their files) from `slot` to the same relative paths in `artifacts`, which
/// is made anew. Returns their size in bytes.
///
/// Failures: `eval_failed` when the run did not write one of them or it is no regular file, `gate_failed` when they are
/// larger than `cap_bytes` together, `infrastructure` when they cannot be copied.
pub fn collect(needs: &[String], slot: &Path, artifacts: &Path, cap_bytes: u64) -> Result<u64, Failure> {
    let ours = |what: &str, error: io::Error| Failure::new(Label::Infrastructure, format!("could not {what} the artifacts: {error}"));
    match fs::remove_dir_all(artifacts) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ours("replace", error)),
        _ => {}
    }
    fs::create_dir_all(artifacts).map_err(|e| ours("keep", e))?;
    let root = OwnedFd::from(File::open(slot).map_err(|e| ours("find", e))?);
    let mut collection = Collection { artifacts, left: cap_bytes, cap: cap_bytes };
    for need in needs {
        collection.take(&root, need)?;
    }
    Ok(cap_bytes - collection.left)
}

struct Collection<'a> {
    artifacts: &'a Path,
    left: u64,
    cap: u64,
}

impl Collection<'_> {
    fn take(&mut self, root: &OwnedFd, need: &str) -> Result<(), Failure> {
        let parts = parts(need).ok_or_else(|| refused(need, "is not a path inside the repository"))?;
        let file = open_below(root, &parts).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR => refused(need, "the run did not write it"),
            Errno::LOOP | Errno::MLINK => refused(need, "it is, or lies behind, a symbolic link"),
            Errno::NXIO => refused(need, "it is no regular file"),
            error => refused(need, &error.to_string()),
        })?;
        self.copy(file, &parts.iter().collect::<PathBuf>(), need, DEPTH)
    }

    fn copy(&mut self, from: OwnedFd, relative: &Path, need: &str, depth: u32) -> Result<(), Failure> {
        let file = File::from(from);
        let meta = file.metadata().map_err(|e| refused(need, &e.to_string()))?;
        if meta.is_dir() && depth > 0 {
            return self.copy_directory(file, relative, need, depth);
        }
        if !meta.is_file() {
            return Err(refused(need, "it is no regular file"));
        }
        let to = self.artifacts.join(relative);
        let written = (|| {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut out = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&to)?;
            io::copy(&mut file.take(self.left.saturating_add(1)), &mut out)
        })();
        match written {
            Ok(n) if n > self.left => Err(Failure::new(
                Label::GateFailed,
                format!("artifact_bytes: what the evaluator needs is over {} ({need})", bytes_words(self.cap)),
            )),
            Ok(n) => {
                self.left -= n;
                Ok(())
            }
            // Named twice, or within a directory that was named before.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Failure::new(Label::Infrastructure, format!("could not copy {need}: {error}"))),
        }
    }

    fn copy_directory(&mut self, dir: File, relative: &Path, need: &str, depth: u32) -> Result<(), Failure> {
        let entries = rustix::fs::Dir::read_from(&dir).map_err(|e| refused(need, &e.to_string()))?;
        for entry in entries {
            let entry = entry.map_err(|e| refused(need, &e.to_string()))?;
            let Ok(name) = entry.file_name().to_str().map(str::to_owned) else {
                return Err(refused(need, "a name in it is not UTF-8"));
            };
            if name == "." || name == ".." {
                continue;
            }
            let inside = format!("{}/{name}", relative.display());
            let child = open_one(&dir, &name, OFlags::empty()).map_err(|e| refused(&inside, &e.to_string()))?;
            self.copy(child, &relative.join(&name), &inside, depth - 1)?;
        }
        Ok(())
    }
}

fn refused(need: &str, why: &str) -> Failure {
    Failure::new(Label::EvalFailed, format!("needs {need}: {why}"))
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
    let (last, dirs) = parts.split_last().ok_or(Errno::NOENT)?;
    let mut dir = rustix::io::dup(root)?;
    for part in dirs {
        dir = open_one(&dir, part, OFlags::DIRECTORY)?;
    }
    open_one(&dir, last, OFlags::empty())
}

/// Opens without following a link and without waiting on a pipe.
fn open_one(dir: impl rustix::fd::AsFd, name: &str, also: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | also;
    match rustix::fs::openat(&dir, name, flags, Mode::empty()) {
        // With O_DIRECTORY a link reads as "not a directory": tell the two apart for the message.
        Err(Errno::NOTDIR) if rustix::fs::readlinkat(&dir, name, Vec::new()).is_ok() => Err(Errno::LOOP),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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
        assert_eq!(collect(&needs, &slot, &artifacts, 8), Ok(8));
        assert_eq!(collect(&needs, &slot, &artifacts, 8), Ok(8), "a second time, after a restart");
        assert_eq!(fs::read(artifacts.join("out/deep/b.json")).unwrap(), b"22");
        assert_eq!(collect(&needs[..1], &slot, &artifacts, 8), Ok(5));
        assert!(!artifacts.join("out").exists(), "nothing of the first collection stays");
        assert_eq!(collect(&[], &slot, &artifacts, 8), Ok(0));
    }

    #[test]
    fn what_is_missing_or_no_plain_file_does_not() {
        let (dir, slot, artifacts) = bench();
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("labels"), b"x").unwrap();
        symlink(secret.join("labels"), slot.join("link.npy")).unwrap();
        symlink(&secret, slot.join("linked")).unwrap();
        fs::create_dir(slot.join("mixed")).unwrap();
        symlink(secret.join("labels"), slot.join("mixed/labels")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, slot.join("pipe"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for (need, label, detail) in [
            ("gone.npy", Label::EvalFailed, "needs gone.npy: the run did not write it"),
            ("pred.npy/x", Label::EvalFailed, "needs pred.npy/x: the run did not write it"),
            ("link.npy", Label::EvalFailed, "needs link.npy: it is, or lies behind, a symbolic link"),
            ("linked/labels", Label::EvalFailed, "needs linked/labels: it is, or lies behind, a symbolic link"),
            ("../secret/labels", Label::EvalFailed, "needs ../secret/labels: is not a path inside the repository"),
            ("/etc/passwd", Label::EvalFailed, "needs /etc/passwd: is not a path inside the repository"),
            ("", Label::EvalFailed, "needs : is not a path inside the repository"),
            ("pipe", Label::EvalFailed, "needs pipe: it is no regular file"),
            ("out", Label::GateFailed, "artifact_bytes: what the evaluator needs is over 2 B (out/deep/b.json)"),
        ] {
            let got = collect(&[need.to_owned()], &slot, &artifacts, 2).unwrap_err();
            if need == "out" {
                assert_eq!(got.label, label, "{detail}");
            } else {
                assert_eq!((got.label, got.detail.as_str()), (label, detail));
            }
        }
        let got = collect(&["mixed".to_owned()], &slot, &artifacts, 2).unwrap_err();
        assert!(got.detail.starts_with("needs mixed/labels: "), "{}", got.detail);
    }
}
