//! The timed trial run: the command in a copy of the repository, once, and a second time with another seed where it is short.
//!
//! The repository itself is not touched: its files are copied, its data is linked. Ctrl-C ends the run, not the program.

use crate::cli::{Failure, host, say};
use crate::evaluate::SelfReport;
use crate::run::Stream;
use crate::task::{
    self,
    inspect::{About, Candidate, Facts, Seed},
};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest run.
const LIMIT: Duration = Duration::from_secs(600);
/// A run of at most this is made twice.
const SHORT: Duration = Duration::from_secs(120);
/// Larger files are linked.
const COPIED: u64 = 64 << 20;
const LOOK: Duration = Duration::from_millis(20);

/// What a trial run showed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timed {
    /// Seconds of the first run.
    pub(super) seconds: f64,
    /// It ended by itself and without an error.
    pub(super) finished: bool,
    /// The score that it printed, where the pattern found one.
    pub(super) score: Option<f64>,
    /// The score of the second run, with another seed.
    pub(super) second: Option<f64>,
    /// The last line that it printed, where it failed.
    pub(super) last_line: Option<String>,
}

struct Once {
    seconds: f64,
    ended: bool,
    ok: bool,
    out: String,
    err: String,
}

/// Makes the run. None when there was no place for it.
pub(super) fn run(dir: &Path, facts: &Facts, about: &About, command: &str, metric: Option<&Candidate>) -> Result<Option<Timed>, Failure> {
    let place = tempfile::Builder::new().prefix("trialdeck-init-").tempdir()?;
    let root = place.path().join("tree");
    copy(dir, &root, facts, about)?;
    say(&format!("running `{}` (10 minutes at most; Ctrl-C ends it)", crate::model::Safe::line(command)));
    let pattern = metric.and_then(|m| task::SelfReport::parse(&format!("stdout:{}", m.pattern)).ok()).map(|r| r.pattern);
    let report = pattern.and_then(|p| SelfReport::new(Stream::Stdout, &p).ok());
    let score = |once: &Once| report.as_ref().and_then(|r| r.last_value(&once.out));
    let keys = CtrlC::taken()?;
    let first = once(&root, &seeded(command, about, 1), place.path(), &keys.pressed)?;
    let mut timed = Timed { seconds: first.seconds, finished: first.ok, score: score(&first), second: None, last_line: None };
    if first.ok {
        say(&format!(
            "it took {:.1}s{}",
            first.seconds,
            timed.score.map(|s| format!(" and printed the score {}", crate::model::number::short(s))).unwrap_or_default()
        ));
    } else {
        let text = if first.err.trim().is_empty() { &first.out } else { &first.err };
        let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it printed nothing").to_owned();
        let how = if first.ended { "it failed" } else { "it was ended" };
        say(&format!("{how} after {:.1}s: {}", first.seconds, crate::model::Safe::line(&last)));
        timed.last_line = first.ended.then_some(last);
    }
    if first.ok && timed.score.is_some() && Duration::from_secs_f64(first.seconds) <= SHORT {
        let again = once(&root, &seeded(command, about, 2), place.path(), &keys.pressed)?;
        timed.second = if again.ok { score(&again) } else { None };
    }
    Ok(Some(timed))
}

fn seeded(command: &str, about: &About, seed: u64) -> (String, Option<(String, String)>) {
    match &about.seed {
        Seed::Variable { name, .. } => (command.to_owned(), Some((name.clone(), seed.to_string()))),
        Seed::Argument { flag, .. } => (format!("{command} {flag} {seed}"), None),
        Seed::Pinned { .. } | Seed::Unseeded => (command.to_owned(), None),
    }
}

fn copy(dir: &Path, root: &Path, facts: &Facts, about: &About) -> Result<(), Failure> {
    std::fs::create_dir_all(root)?;
    for (path, bytes) in &facts.tree.files {
        let (from, to) = (dir.join(path), root.join(path));
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if *bytes > COPIED {
            std::os::unix::fs::symlink(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    for data in about.data.iter().filter(|d| !d.comes_along && d.size.is_some() && !d.path.starts_with('/')) {
        let to = root.join(&data.path);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if to.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(dir.join(&data.path), to)?;
        }
    }
    Ok(())
}

/// Ctrl-C ends a run and not the program, until this goes.
struct CtrlC {
    pressed: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl CtrlC {
    fn taken() -> std::io::Result<Self> {
        let taken = Self { pressed: Arc::default(), over: Arc::default() };
        // Unregistering would leave the signal without effect: the first of the two ends the program again once it is over.
        signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, Arc::clone(&taken.over))?;
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&taken.pressed))?;
        Ok(taken)
    }
}

impl Drop for CtrlC {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn once(
    root: &Path,
    (command, variable): &(String, Option<(String, String)>),
    said: &Path,
    interrupted: &AtomicBool,
) -> Result<Once, Failure> {
    let (out, err) = (said.join("out"), said.join("err"));
    let begun = Instant::now();
    let mut child = Process::new("sh")
        .args(["-c", command])
        .current_dir(root)
        .envs(variable.iter().map(|(k, v)| (k, v)))
        .env("PATH", host::program_path())
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out)?)
        .stderr(std::fs::File::create(&err)?)
        .process_group(0)
        .spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > LIMIT || interrupted.load(Ordering::Relaxed) {
            break None;
        }
        std::thread::sleep(LOOK);
    };
    if let Some(group) = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap_or(0)) {
        // What the command left behind ends with it.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    if status.is_none() {
        child.wait()?;
    }
    let read = |path: &Path| std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    Ok(Once {
        seconds: begun.elapsed().as_secs_f64(),
        ended: status.is_some(),
        ok: status.is_some_and(|s| s.success()),
        out: read(&out),
        err: read(&err),
    })
}
