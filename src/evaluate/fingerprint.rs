//! What tells whether a file is still the one that was looked at: its hash, and what the file system says of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
};

/// Bytes read at once.
const PART: usize = 128 << 10;

/// What the file system says of an unchanged file: only root can forge the change time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(meta: &fs::Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            mode: meta.mode(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Reads to the end, handing each part on; returns the sha256 in hexadecimal and the number of bytes.
pub(super) fn hashed(mut from: impl Read, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<(String, u64)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; PART]);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if n == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        let part = buffer.get(..n).unwrap_or_default();
        hash.update(part);
        each(part)?;
        bytes += n as u64;
    }
}

/// The sha256 of a file in hexadecimal, and its size.
pub(super) fn of_file(file: &File) -> io::Result<(String, u64)> {
    hashed(file, |_| Ok(()))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
