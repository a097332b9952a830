//! The directory in which a study is made, beside the place that it gets last. It is locked by who makes it, and goes with
//! them: at once when they fail or are told to end, and with the next study that is made here when they were killed.
//!
//! It does not know what is put into it, but for the one command that may run in it.

use super::layout::Layout;
use crate::evaluate::Pristine;
use crate::model::{Failure, Label};
use crate::run::{Executor, Local, Observation};
use anyhow::Context;
use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What only such a directory is called: no study's name begins with a point, and nobody else's directory ends so.
const END: &str = ".unfinished";
const LOOK: Duration = Duration::from_millis(20);
/// For a command that is told to end: its grace, and the time to find all of its processes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A study in the making.
pub(super) struct Building {
    dir: tempfile::TempDir,
    /// Kept open: the kernel lets the lock go when its holder ends, however it ends.
    _lock: Option<File>,
}

impl Building {
    /// Makes the directory, readable by this user alone: labels and holdout come to lie in it. What killed processes left
    /// in the same place is removed.
    pub(super) fn begin(studies: &Path, name: &str, program: &Path) -> anyhow::Result<Self> {
        // Nobody sweeps between the making of a directory and its lock. File systems without locks are not swept.
        let gate = File::open(studies).ok().filter(|gate| gate.lock().is_ok());
        if gate.is_some() {
            sweep(studies, program);
        }
        let dir = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(END)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(studies)
            .with_context(|| format!("the studies directory {} cannot be written", studies.display()))?;
        let lock = File::open(dir.path()).ok().filter(|lock| lock.try_lock().is_ok());
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Gives it its name. Another of this name that was made meanwhile stays, and this one goes.
    pub(super) fn finish(mut self, dir: &Path) -> anyhow::Result<()> {
        fs::rename(self.path(), dir).with_context(|| format!("the study could not be put at {}", dir.display()))?;
        self.dir.disable_cleanup(true);
        Ok(())
    }
}

/// Ends the command of a run directory and waits for the end of all its processes, as long as that takes within reason.
pub(super) fn end(executor: &Local, dir: &Path, why: &str) {
    let deadline = Instant::now() + PATIENCE;
    let asked = executor.cancel(dir, &Failure::new(Label::Killed, why));
    while asked.is_ok() && Instant::now() < deadline {
        match executor.observe(dir) {
            Observation::Starting { .. } | Observation::Running { .. } => std::thread::sleep(LOOK),
            Observation::Absent | Observation::Ended(_) | Observation::Lost { .. } | Observation::Rebooted => return,
        }
    }
}

/// Removes what nobody makes any more. What cannot be removed stays: it is in nobody's way.
fn sweep(studies: &Path, program: &Path) {
    for dir in left(studies).unwrap_or_default() {
        let Ok(lock) = File::open(&dir) else { continue };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => continue,
        }
        let prepare = Pristine::new(Layout::new(&dir).evaluator()).prepare_dir();
        if prepare.is_dir() {
            end(&Local::new(program.to_owned()), &prepare, "who made the study was killed");
        }
        let _ = fs::remove_dir_all(&dir).or_else(|_| opened(&dir).and_then(|()| fs::remove_dir_all(&dir)));
    }
}

fn left(studies: &Path) -> io::Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(studies)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(END));
        if ours && entry.file_type()?.is_dir() {
            left.push(entry.path());
        }
    }
    Ok(left)
}

/// Makes directories writable again: a sealed evaluator is not.
fn opened(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            opened(&entry.path())?;
        }
    }
    Ok(())
}

impl Drop for Building {
    fn drop(&mut self) {
        // The guard's own removal gives up at a directory that is sealed. After `finish` there is nothing here.
        let _ = opened(self.dir.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_makes_any_more_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let studies = place.path();
        let program = Path::new("/bin/false");
        let made = Building::begin(studies, "made", program).unwrap();
        fs::create_dir(made.path().join("sealed")).unwrap();
        // A killed process leaves its directory without a lock; others leave what looks nearly alike.
        for name in [".a.AbC123.unfinished/deep/er", ".b.AbC123", "c.unfinished", "study"] {
            fs::create_dir_all(studies.join(name)).unwrap();
        }
        fs::write(studies.join(".d.unfinished"), "").unwrap();
        fs::set_permissions(studies.join(".a.AbC123.unfinished/deep"), Permissions::from_mode(0o555)).unwrap();
        let other = Building::begin(studies, "other", program).unwrap();
        let at = |building: &Building| building.path().file_name().unwrap().to_string_lossy().into_owned();
        let mut want: Vec<String> = [".b.AbC123", ".d.unfinished", "c.unfinished", "study"].map(str::to_owned).to_vec();
        want.extend([at(&made), at(&other)]);
        want.sort();
        assert_eq!(names(studies), want);
        assert_eq!(fs::metadata(made.path()).unwrap().permissions().mode() & 0o777, 0o700);
        drop(other);
        made.finish(&studies.join("made")).unwrap();
        assert_eq!(names(studies), [".b.AbC123", ".d.unfinished", "c.unfinished", "made", "study"]);
        assert!(studies.join("made/sealed").is_dir());
    }
}
