//! GPUs are shared between studies without a broker: the supervisor holds a lock on the GPU's file for its life.

use rustix::fs::FlockOperation;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
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
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                file.write_all(holder.as_bytes())?;
                held.push(file);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Try::Busy(busy_words(path, &mut file))),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Try::Held(held))
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
}
