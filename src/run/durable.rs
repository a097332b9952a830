//! Small files that are there whole or not at all.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

/// How much must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Readers never see half of it; after a power cut it may be gone.
    Whole,
    /// It is on disk when the call returns.
    Durable,
}

/// Writes a file under another name and renames it into place.
pub fn write(path: &Path, bytes: &[u8], keep: Keep) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = fill(&temporary, bytes, keep).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    if keep == Keep::Durable {
        sync_parent(path)?;
    }
    Ok(())
}

/// Writes a value as JSON, like `write`.
pub fn write_json<T: Serialize>(path: &Path, value: &T, keep: Keep) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value).map_err(io::Error::other)?;
    bytes.push(b'\n');
    write(path, &bytes, keep)
}

/// Reads a value; a file that is absent, empty or not whole reads as absent (a full disk leaves such files).
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn fill(path: &Path, bytes: &[u8], keep: Keep) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    if keep == Keep::Durable {
        file.sync_all()?;
    }
    Ok(())
}

/// Puts the directory entry of `path` on disk.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
