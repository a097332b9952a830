//! Tier A: bubblewrap gives a run namespaces of its own and a file system in which nothing lies but what it may see.

use super::{Sandbox, enter::Inside, seccomp, system};
use crate::run::interpreter;
use rustix::fs::{MemfdFlags, Mode, OFlags, SeekFrom};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where our own program lies inside.
const OURS: &str = "/run/trialdeck/trialdeck";
/// And what it is to do.
const PLAN: &str = "/run/trialdeck/plan";
/// Size of the empty `/tmp`, in bytes; `$TMPDIR` lies in the working directory and is counted as output.
const TMP_BYTES: u64 = 1 << 30;

/// Where bubblewrap is; not looked for on the search path of a run.
pub(super) fn program() -> Option<PathBuf> {
    interpreter::find("bwrap", "/usr/bin:/usr/local/bin:/bin:/run/current-system/sw/bin")
}

/// Becomes bubblewrap, which starts our last stage inside; returns only when that fails.
pub(super) fn become_it(cwd: &Path, sandbox: &Sandbox, inside: &Inside, entered: File) -> io::Error {
    let started = || -> io::Result<io::Error> {
        let bubblewrap = program().ok_or_else(|| io::Error::other("bubblewrap is not installed any more"))?;
        let own = std::fs::read_link("/proc/self/exe")?;
        // Handed over in memory: what a run may see is nobody's business in a list of processes.
        let plan = in_memory("plan", serde_json::to_string(inside)?.as_bytes())?;
        let filter = in_memory("filter", &seccomp::for_bubblewrap()?)?;
        let (copied, bound) = settings(sandbox.network);
        let mut text = Vec::new();
        for argument in arguments(cwd, sandbox, &own, plan.as_raw_fd(), &copied, &bound) {
            text.extend_from_slice(argument.as_encoded_bytes());
            text.push(0);
        }
        text.extend_from_slice(format!("--seccomp\0{}\0", filter.as_raw_fd()).as_bytes());
        let options = in_memory("options", &text)?;
        super::enter::limit_processes(sandbox);
        let mut command = Command::new(bubblewrap);
        command.arg("--args").arg(options.as_raw_fd().to_string()).args(["--", OURS, "shim", "--inside", PLAN]);
        command.stdin(Stdio::from(entered));
        Ok(command.exec())
    };
    started().unwrap_or_else(|error| error)
}

/// An unnamed file that stays open over exec, at its beginning.
fn in_memory(name: &str, text: &[u8]) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create(name, MemfdFlags::empty())?;
    let mut left = text;
    while !left.is_empty() {
        let n = rustix::io::write(&memory, left)?;
        left = left.get(n..).unwrap_or_default();
    }
    rustix::fs::seek(&memory, SeekFrom::Start(0))?;
    Ok(memory)
}

/// The settings of this machine: those that are files open for bubblewrap to copy, and those that are directories. A mount for
/// each file would take most of the time that it takes to start.
fn settings(network: bool) -> (Vec<(PathBuf, OwnedFd)>, Vec<PathBuf>) {
    let (mut copied, mut bound) = (Vec::new(), Vec::new());
    for path in system::settings(network) {
        if path.is_dir() {
            bound.push(path);
        } else if let Ok(file) = rustix::fs::open(&path, OFlags::RDONLY, Mode::empty()) {
            copied.push((path, file));
        }
    }
    (copied, bound)
}

/// All of bubblewrap's options; `plan` is the open file of what is to be done inside, `copied` and `bound` are settings.
fn arguments(cwd: &Path, sandbox: &Sandbox, own: &Path, plan: i32, copied: &[(PathBuf, OwnedFd)], bound: &[PathBuf]) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let mut put = |words: &[&dyn AsRef<std::ffi::OsStr>]| all.extend(words.iter().map(|w| w.as_ref().to_owned()));
    put(&[&"--unshare-pid", &"--unshare-ipc", &"--unshare-uts", &"--unshare-cgroup-try", &"--die-with-parent", &"--hostname", &"trial"]);
    if !sandbox.network {
        put(&[&"--unshare-net"]);
    }
    if sandbox.user.is_none() {
        put(&[&"--unshare-user"]);
    }
    for name in system::PROGRAMS {
        let path = Path::new(name);
        match path.read_link() {
            Ok(target) => put(&[&"--symlink", &target, &name]),
            Err(_) if path.is_dir() => {
                for dir in above(path) {
                    put(&[&"--perms", &"0755", &"--dir", &dir]);
                }
                put(&[&"--ro-bind", &name, &name]);
            }
            Err(_) => {}
        }
    }
    for path in bound {
        for dir in above(path) {
            put(&[&"--perms", &"0755", &"--dir", &dir]);
        }
        put(&[&"--ro-bind", &real(path), path]);
    }
    for (path, file) in copied {
        for dir in above(path) {
            put(&[&"--perms", &"0755", &"--dir", &dir]);
        }
        put(&[&"--perms", &"0444", &"--file", &file.as_raw_fd().to_string(), path]);
    }
    put(&[&"--proc", &"/proc", &"--dev", &"/dev", &"--ro-bind", &"/sys", &"/sys"]);
    let size = sandbox.shared_memory_bytes.to_string();
    put(&[&"--size", &size, &"--perms", &"1777", &"--tmpfs", &"/dev/shm"]);
    put(&[&"--size", &TMP_BYTES.to_string(), &"--perms", &"1777", &"--tmpfs", &"/tmp", &"--symlink", &"/tmp", &"/var/tmp"]);
    if let Some(dir) = &sandbox.temporary {
        put(&[&"--symlink", dir, &super::TEMPORARY]);
    }
    for device in &sandbox.devices {
        put(&[&"--dev-bind-try", device, device]);
    }
    put(&[&"--ro-bind", &own, &OURS]);
    // What lies above others first: a directory that may be written can lie in one that may be read.
    for (word, paths) in [("--ro-bind-try", &sandbox.read), ("--bind", &sandbox.write)] {
        let mut paths: Vec<&PathBuf> = paths.iter().collect();
        paths.sort();
        for path in paths.into_iter().filter(|p| !super::of_system(p)) {
            for dir in above(path) {
                put(&[&"--perms", &"0755", &"--dir", &dir]);
            }
            put(&[&word, &real(path), path]);
        }
    }
    for path in &sandbox.masked {
        if path.is_dir() {
            put(&[&"--perms", &"0755", &"--tmpfs", path, &"--remount-ro", path]);
        } else {
            put(&[&"--ro-bind-try", &"/dev/null", path]);
        }
    }
    put(&[&"--ro-bind-data", &plan.to_string(), &PLAN, &"--chdir", &cwd]);
    all
}

/// The directories above a place, the highest first. Left to itself bubblewrap makes them its own user's alone, and nothing below
/// them could be reached: not the certificates, not the links of `/etc/alternatives`.
fn above(path: &Path) -> Vec<&Path> {
    let mut dirs: Vec<&Path> = path.ancestors().skip(1).filter(|dir| dir.parent().is_some()).collect();
    dirs.reverse();
    dirs
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tier;

    #[test]
    fn directories_come_before_what_lies_in_them() {
        let sandbox = Sandbox {
            tier: Tier::A,
            user: Some(61_200),
            reach: false,
            masked: Vec::new(),
            read: ["/data/b", "/data", "/usr/share/x"].map(PathBuf::from).into(),
            write: vec!["/data/work".into()],
            temporary: Some("/data/work/.trialdeck/tmp".into()),
            devices: vec!["/dev/nvidia0".into()],
            network: false,
            processes: 1024,
            shared_memory_bytes: 1 << 20,
        };
        let (copied, bound) = settings(false);
        let words = arguments(Path::new("/data/work"), &sandbox, Path::new("/bin/x"), 7, &copied, &bound);
        let all = words.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let at = |text: &str| all.find(text).unwrap_or_else(|| panic!("{text} in {all}"));
        assert!(at("--dev /dev") < at("--dev-bind-try /dev/nvidia0"));
        assert!(at("--ro-bind-try /data /data") < at("--ro-bind-try /data/b /data/b"));
        assert!(at("--ro-bind-try /data/b /data/b") < at("--bind /data/work /data/work"));
        assert!(at("--perms 0755 --dir /etc ") < at(" /etc/passwd"));
        assert!(at("--tmpfs /tmp ") < at("--symlink /data/work/.trialdeck/tmp /tmp/t"));
        assert!(at("--size 1048576 --perms 1777 --tmpfs /dev/shm") < at("--chdir /data/work"));
        assert!(!all.contains("/usr/share/x") && !all.contains("--unshare-user") && all.contains("--unshare-net"));
        assert!(all.ends_with("--ro-bind-data 7 /run/trialdeck/plan --chdir /data/work"));
    }
}
