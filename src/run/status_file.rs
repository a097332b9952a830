//! `status.json`: a slot of 4 KiB that is preallocated before the command starts and written in place when it has ended,
//! so that a full disk cannot lose the outcome. Two copies, each one line of JSON with its checksum, padded with blanks;
//! a slot without a valid copy reads as absent.

use super::Status;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

const COPY_BYTES: usize = 2048;

#[derive(Serialize, Deserialize)]
struct Copy {
    sha256: String,
    status: String,
}

/// An open slot.
pub(super) struct Slot(File);

impl Slot {
    /// Makes the slot, or opens the one that is there.
    pub(super) fn preallocate(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() < (2 * COPY_BYTES) as u64 {
            file.write_all(&[b' '; 2 * COPY_BYTES])?;
        }
        Ok(Self(file))
    }

    /// Puts the blocks and the directory entry on disk.
    pub(super) fn sync(&self, path: &Path) -> io::Result<()> {
        self.0.sync_all()?;
        super::durable::sync_parent(path)
    }

    /// Writes both copies, the first durably before the second.
    pub(super) fn write(&mut self, status: &Status) -> io::Result<()> {
        let copy = encode(status)?;
        for at in [0, COPY_BYTES] {
            self.0.seek(SeekFrom::Start(at as u64))?;
            self.0.write_all(&copy)?;
            self.0.sync_data()?;
        }
        Ok(())
    }
}

/// Reads the first valid copy.
pub(super) fn read(path: &Path) -> Option<Status> {
    let bytes = std::fs::read(path).ok()?;
    bytes.chunks(COPY_BYTES).take(2).find_map(decode)
}

fn decode(bytes: &[u8]) -> Option<Status> {
    let copy: Copy = serde_json::from_slice(bytes).ok()?;
    (digest(&copy.status) == copy.sha256).then_some(())?;
    serde_json::from_str(&copy.status).ok()
}

/// Cuts the evidence until the copy fits.
fn encode(status: &Status) -> io::Result<Vec<u8>> {
    let mut status = status.clone();
    loop {
        let text = serde_json::to_string(&status)?;
        let mut bytes = serde_json::to_vec(&Copy { sha256: digest(&text), status: text })?;
        if bytes.len() < COPY_BYTES {
            bytes.resize(COPY_BYTES - 1, b' ');
            bytes.push(b'\n');
            return Ok(bytes);
        }
        let Some(detail) = status.failure.as_mut().map(|f| &mut f.detail).filter(|d| !d.is_empty()) else {
            return Err(io::Error::other("the status does not fit its slot"));
        };
        let half = detail.floor_char_boundary(detail.len() / 2);
        detail.truncate(half);
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, Label, Millis};

    fn status(detail: &str) -> Status {
        Status {
            pid: Some(7),
            pid_start: Some(8),
            boot_id: "9db26854-0a21-41a4-b6b8-09e25c285a29".into(),
            started: Some(Millis(1)),
            ended: Millis(2),
            seconds: 0.1,
            exit_code: Some(1),
            signal: None,
            failure: Some(Failure::new(Label::Crashed, detail)),
            peak_memory_bytes: 1,
            file_bytes: 0,
            stdout_bytes: 0,
            stdout_dropped_bytes: 0,
            stderr_bytes: 0,
            stderr_dropped_bytes: 0,
        }
    }

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        assert_eq!(read(&path), None, "no file");
        let mut slot = Slot::preallocate(&path).unwrap();
        assert_eq!(read(&path), None, "only blanks");
        let want = status("ValueError: é");
        slot.write(&want).unwrap();
        assert_eq!(read(&path), Some(want.clone()));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096);
        let whole = std::fs::read(&path).unwrap();
        for (at, left) in [(100, true), (2048 + 100, true)] {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(read(&path).is_some(), left, "one copy damaged at {at}");
            torn[(at + 2048) % 4096] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(read(&path), None, "both damaged");
        }
        std::fs::write(&path, b"").unwrap();
        assert_eq!(read(&path), None, "zero bytes");
    }

    #[test]
    fn long_evidence_is_cut_to_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        Slot::preallocate(&path).unwrap().write(&status(&"\u{1}\"é".repeat(2000))).unwrap();
        let failure = read(&path).unwrap().failure.unwrap();
        assert_eq!(failure.label, Label::Crashed);
        assert!(failure.detail.starts_with("\u{1}\"é"));
    }
}
