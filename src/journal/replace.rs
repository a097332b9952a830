//! Replaces a small file so that a reader sees the old one or the new one, whole, whatever happens in between.

use super::JournalError;
use std::io::Write;
use std::{fs, fs::File, path::Path};

/// Writes a hidden neighbour, syncs it, renames it over `name`, and syncs the directory.
pub(super) fn replace(dir: &Path, name: &str, parts: &[&[u8]]) -> Result<(), JournalError> {
    let (path, temporary) = (dir.join(name), dir.join(format!(".{name}.tmp")));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    if let Err(source) = written {
        // On a full disk the half-written neighbour would hold the room that others need.
        let _ = fs::remove_file(&temporary);
        return Err(JournalError::Io { what: "write", path, source });
    }
    sync_dir(dir)
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(JournalError::io("sync", dir))
}
