//! Who may write: an advisory lock on `journal.lock`, which the kernel lets go when its process ends, however it ends.

use super::JournalError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const FILE: &str = "journal.lock";
/// `owner` holds the lock for an instant; an engine that starts just then must not be turned away.
const PATIENCE: Duration = Duration::from_millis(250);

/// The engine that holds a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file is what lets the lock go")] File);

/// Takes the lock of a study, or says who has it.
pub(super) fn take(study_dir: &Path) -> Result<Lock, JournalError> {
    let path = study_dir.join(FILE);
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(JournalError::io("open", &path))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Owned { study: study_dir.to_owned(), owner: named(study_dir) });
            }
            Err(TryLockError::Error(e)) => return Err(JournalError::io("lock", &path)(e)),
        }
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = serde_json::to_vec(&Owner { pid: std::process::id(), host }).unwrap_or_default();
    // The name is a courtesy: a full disk must not keep an engine from its study.
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&name));
    Ok(Lock(file))
}

/// The engine that holds a study now; none when nobody does. Changes nothing.
pub fn owner(study_dir: &Path) -> Option<Owner> {
    let file = File::open(study_dir.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => named(study_dir).or(Some(Owner { pid: 0, host: String::new() })),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn named(study_dir: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(study_dir.join(FILE)).ok()?).ok()
}
