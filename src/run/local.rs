//! Runs on this machine: a submit starts a detached shim, everything else reads the run directory.

use super::{
    Executor, LogPart, Observation, RunError, Spec, Stream, capture,
    durable::{self, Keep},
    names,
    process::{self, Identity},
    shim::{self, Claim, PidFile, RUN_VARIABLE},
    status_file,
};
use crate::model::Failure;
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// The executor of this machine.
#[derive(Debug, Clone)]
pub struct Local {
    /// This program: `trialdeck`.
    program: PathBuf,
}

impl Local {
    /// `program` is the binary that answers to `shim`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Process ids of a run's command and all its descendants, for instance to tell whose GPU memory it is.
    pub fn processes(&self, dir: &Path) -> Vec<u32> {
        let pids: Option<PidFile> = durable::read_json(&dir.join(names::PID));
        let supervisor = pids.map(|p| p.supervisor).filter(|s| s.alive());
        supervisor.map_or_else(Vec::new, |s| process::descendants(s.pid).iter().map(|stat| stat.id.pid).collect())
    }
}

/// A supervisor that was started ahead and waits for its word. Dropped, it goes, and nothing has happened.
#[derive(Debug)]
pub struct Ready {
    dir: PathBuf,
    word: ChildStdin,
}

impl Local {
    /// Starts the supervisor of a directory ahead of its submission, while other things are prepared.
    pub fn ready(&self, dir: &Path) -> Result<Ready, RunError> {
        fs::create_dir_all(dir).map_err(|e| RunError::io("make", dir, e))?;
        let dir = dir.canonicalize().map_err(|e| RunError::io("find", dir, e))?;
        let mut child = self.shim(&dir, &["shim", "--wait"], Stdio::piped(), &BTreeMap::new())?;
        let word = child.stdin.take();
        attend(child);
        let word = word.ok_or_else(|| RunError::io("reach the supervisor of", &dir, io::ErrorKind::BrokenPipe.into()))?;
        Ok(Ready { dir, word })
    }

    /// Starts what was made ready, unless its directory was started before.
    pub fn submit_ready(&self, ready: Ready, spec: &Spec) -> Result<(), RunError> {
        let Ready { dir, word } = ready;
        let path = dir.join(names::SPEC);
        durable::write_json(&path, spec, Keep::Whole).map_err(|e| RunError::io("write", &path, e))?;
        shim::give_word(word, Path::new("")).map_err(|e| RunError::io("reach the supervisor of", &dir, e))
    }

    /// A first stage with these words before the directory.
    fn shim(&self, dir: &Path, words: &[&str], stdin: Stdio, private: &BTreeMap<String, String>) -> Result<Child, RunError> {
        let log = dir.join(names::SHIM_LOG);
        let log = OpenOptions::new().append(true).create(true).open(&log).map_err(|e| RunError::io("write", &log, e))?;
        let mut command = Command::new(&self.program);
        command.args(words).arg(dir).env_clear().envs(private).current_dir("/").stdin(stdin).stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(|source| RunError::Spawn { program: self.program.clone(), source })
    }

    /// Starts like `submit`, and hands over variables that must not lie on a disk; the spec says `inherit`.
    pub fn submit_with(&self, dir: &Path, spec: &Spec, private: &BTreeMap<String, String>) -> Result<(), RunError> {
        fs::create_dir_all(dir).map_err(|e| RunError::io("make", dir, e))?;
        let dir = &dir.canonicalize().map_err(|e| RunError::io("find", dir, e))?;
        if dir.join(names::CLAIM).exists() {
            return Ok(());
        }
        let path = dir.join(names::SPEC);
        durable::write_json(&path, spec, Keep::Whole).map_err(|e| RunError::io("write", &path, e))?;
        attend(self.shim(dir, &["shim"], Stdio::null(), private)?);
        Ok(())
    }
}

/// The shim outlives us or we outlive it; in the second case somebody must take its exit code.
fn attend(mut shim: Child) {
    std::thread::spawn(move || shim.wait());
}

impl Executor for Local {
    fn submit(&self, dir: &Path, spec: &Spec) -> Result<(), RunError> {
        self.submit_with(dir, spec, &BTreeMap::new())
    }

    fn observe(&self, dir: &Path) -> Observation {
        if let Some(status) = status_file::read(&dir.join(names::STATUS)) {
            return Observation::Ended(Box::new(status));
        }
        let claim_path = dir.join(names::CLAIM);
        if !claim_path.exists() {
            return Observation::Absent;
        }
        let claim: Option<Claim> = durable::read_json(&claim_path);
        if claim.as_ref().is_some_and(|c| c.boot_id != process::boot_id()) {
            return Observation::Rebooted;
        }
        let pids: Option<PidFile> = durable::read_json(&dir.join(names::PID));
        let supervised = claim.iter().map(|c| c.guard).chain(pids.iter().map(|p| p.supervisor)).any(Identity::alive);
        let command = pids.as_ref().and_then(|p| p.command);
        match command {
            Some(command) if supervised || command.id.alive() => {
                return Observation::Running { pid: command.id.pid, started: command.started };
            }
            None if supervised => {
                let waiting_for = fs::read_to_string(dir.join(names::WAITING)).ok().filter(|t| !t.is_empty());
                return Observation::Starting { waiting_for };
            }
            _ => {}
        }
        // The status may have been written, and the supervisor gone, between the two looks.
        if let Some(status) = status_file::read(&dir.join(names::STATUS)) {
            return Observation::Ended(Box::new(status));
        }
        let left = end_leftovers(dir);
        Observation::Lost { detail: lost_words(claim.as_ref(), command.is_some(), left) }
    }

    fn cancel(&self, dir: &Path, why: &Failure) -> Result<(), RunError> {
        fs::create_dir_all(dir).map_err(|e| RunError::io("make", dir, e))?;
        let path = dir.join(names::CANCEL);
        durable::write_json(&path, why, Keep::Whole).map_err(|e| RunError::io("write", &path, e))
    }

    fn log(&self, dir: &Path, stream: Stream, offset: u64, max: usize) -> Result<LogPart, RunError> {
        capture::read(dir, stream, offset, max)
    }
}

fn lost_words(claim: Option<&Claim>, started: bool, left: usize) -> String {
    let who = claim.map_or_else(|| "the supervisor".to_owned(), |c| format!("the supervisor (pid {})", c.guard.pid));
    let what = if started { "vanished while the command ran" } else { "vanished before the command started" };
    match left {
        0 => format!("{who} {what}; no process of it is left"),
        n => format!("{who} {what}; {n} of its processes were ended"),
    }
}

/// Ends processes that carry this directory's mark in their environment. Pids in files are never signalled: they may
/// belong to strangers by now.
fn end_leftovers(dir: &Path) -> usize {
    let mark = mark(dir);
    let mut ended = 0;
    for _ in 0..20 {
        let left = process::with_environment(RUN_VARIABLE, &mark);
        if left.is_empty() {
            break;
        }
        ended = ended.max(left.len());
        for id in left {
            id.signal(Signal::KILL);
        }
    }
    ended
}

/// What the processes of a run carry in their environment: tells directories apart without giving the path away.
pub(super) fn mark(dir: &Path) -> String {
    let path = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    Sha256::digest(path.as_os_str().as_encoded_bytes()).iter().take(12).map(|b| format!("{b:02x}")).collect()
}
