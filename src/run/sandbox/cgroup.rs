//! A control group for a run, where one is to be had: memory and processes are then limited by the kernel, and one word ends
//! all of them. Version 2 only.
//!
//! A group may hold processes or hand controllers down, not both. So a run's group lies beside that of the engine, in one that
//! was delegated to the user (a service of systemd's user manager), or below the root group where root may make it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest time for the kernel to empty a killed group.
const PATIENCE: Duration = Duration::from_secs(2);

/// The group of one run; ended and removed with `end`.
pub(in crate::run) struct Group {
    dir: PathBuf,
}

impl Group {
    /// Makes the group of this name with these limits; none where that cannot be.
    pub(in crate::run) fn make(name: &str, memory_bytes: Option<u64>, processes: u32) -> Option<Self> {
        let (root, own) = own()?;
        let beside = if own == root { root } else { own.parent()? };
        let dir = beside.join(format!("trialdeck-{name}"));
        fs::create_dir(&dir).or_else(|e| if e.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(e) }).ok()?;
        let group = Self { dir };
        // Where the processes cannot be moved the group is of no use, and is not left behind.
        if fs::OpenOptions::new().write(true).open(beside.join("cgroup.procs")).is_err() {
            group.end();
            return None;
        }
        let _ = fs::write(beside.join("cgroup.subtree_control"), "+memory +pids");
        let _ = fs::write(group.dir.join("pids.max"), processes.to_string());
        if let Some(bytes) = memory_bytes {
            // Our own look at the memory comes first and says how much it was; this is for what grows faster than we look.
            let _ = fs::write(group.dir.join("memory.max"), (bytes + bytes / 8).to_string());
            let _ = fs::write(group.dir.join("memory.swap.max"), "0");
            let _ = fs::write(group.dir.join("memory.oom.group"), "1");
        }
        Some(group)
    }

    /// The file to which a process writes `0` to be in the group.
    pub(in crate::run) fn door(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// Ends all that is in it, and takes it away. False when something did not go.
    pub(in crate::run) fn end(&self) -> bool {
        let _ = fs::write(self.dir.join("cgroup.kill"), "1");
        let until = Instant::now() + PATIENCE;
        loop {
            match fs::remove_dir(&self.dir) {
                Ok(()) => return true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
                Err(_) if Instant::now() > until => return false,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// Has the kernel make ready for a process to change its group, by a change that changes nothing. The first such change in a
/// while waits some 10 ms for all processors to take notice (RCU), those that follow shortly do not: who will start a run soon
/// asks for it now, beside other work.
pub fn expect() {
    if let Some((_, own)) = own() {
        let _ = fs::write(own.join("cgroup.procs"), "0");
    }
}

/// The root of version 2, and our own group below it.
fn own() -> Option<(&'static Path, PathBuf)> {
    let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new).into_iter().find(|r| r.join("cgroup.controllers").is_file())?;
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    Some((root, root.join(own_path(&text)?)))
}

/// The group of a process, from its `/proc/PID/cgroup`, relative to the root of version 2.
fn own_path(text: &str) -> Option<&str> {
    text.lines().find_map(|l| l.strip_prefix("0::/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_group_is_found_among_others() {
        assert_eq!(own_path("9:name=systemd:/\n4:memory:/x\n0::/\n"), Some(""));
        assert_eq!(own_path("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope\n").map(str::len), Some(62));
        assert_eq!(own_path("4:memory:/x\n"), None);
    }

    #[test]
    fn a_group_is_made_and_goes_with_what_is_in_it() {
        let Some(group) = Group::make(&format!("test-{}", std::process::id()), Some(1 << 30), 100) else {
            return println!("skipped: no control group can be made here");
        };
        let door = group.door();
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "echo 0 > \"$0\" && exec sleep 1000"])
            .arg(&door)
            .stdin(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while fs::read_to_string(&door).unwrap_or_default().trim() != child.id().to_string() {
            assert!(Instant::now() < until, "it does not get in");
            assert!(child.try_wait().unwrap().is_none(), "it was not let in");
            std::thread::yield_now();
        }
        // A zombie still stands in the group until it is waited for, on some kernels.
        let ended = std::thread::spawn(move || child.wait().unwrap());
        assert!(group.end());
        assert!(!ended.join().unwrap().success());
        assert!(!door.exists());
    }
}
