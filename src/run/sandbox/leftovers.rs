//! What a run with a user of its own may leave on the machine: processes that nothing leads to, files in common places.

use rustix::{
    io::Errno,
    process::{Pid, Signal, Uid, kill_process},
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

/// Where every user may make files.
pub(in crate::run) const COMMON: [&str; 3] = ["/dev/shm", "/tmp", "/var/tmp"];
/// Longest time for the kernel to take killed processes away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends all processes of a user that is nobody else's, and removes its files in common places. False when some did not go.
pub(in crate::run) fn end_all(user: u32) -> bool {
    let until = Instant::now() + PATIENCE;
    let mut clean = true;
    while somebody(user) {
        let left = of_user(user);
        if left.is_empty() {
            break;
        }
        if Instant::now() > until {
            clean = false;
            break;
        }
        for pid in left {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    for dir in COMMON {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.metadata().is_ok_and(|meta| meta.uid() == user) {
                remove(&entry.path());
            }
        }
    }
    clean
}

fn remove(path: &Path) {
    // Neither follows a link.
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

/// Whether a process of the user is there, a zombie included. The kernel knows at once; a look at every process takes
/// milliseconds, and nearly always nobody is left.
fn somebody(user: u32) -> bool {
    !matches!(rustix::process::getpriority_user(Uid::from_raw(user)), Err(Errno::SRCH))
}

fn of_user(user: u32) -> Vec<Pid> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|text| runs_as(&text, user)))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Whether a process that is no zombie runs as the user.
fn runs_as(status: &str, user: u32) -> bool {
    let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
    let dead = field("State:").is_some_and(|s| s.starts_with(['Z', 'X']));
    !dead && field("Uid:").is_some_and(|ids| ids.split_whitespace().any(|id| id.parse() == Ok(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_whether_a_user_has_processes() {
        assert!(somebody(rustix::process::getuid().as_raw()));
        assert!(!somebody(4_000_000_000));
    }

    #[test]
    fn whose_a_process_is() {
        let status = |state: &str, uid: &str| format!("Name:\tsh\nState:\t{state}\nUid:\t{uid}\nGid:\t1\t1\t1\t1\n");
        assert!(runs_as(&status("S (sleeping)", "61200\t61200\t61200\t61200"), 61_200));
        assert!(!runs_as(&status("Z (zombie)", "61200\t61200\t61200\t61200"), 61_200));
        assert!(!runs_as(&status("R (running)", "0\t0\t0\t0"), 61_200));
        assert!(!runs_as("", 0));
    }
}
