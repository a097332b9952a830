//! What can go wrong with a journal, in words that say where and what to do.

use super::Owner;
use std::{io, path::PathBuf};

/// A journal that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// A verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no room; the journal was cut back to its last whole line and takes appends once there is room again.
    #[error("no room left to write {path}: free some disk space, and the study goes on where it is ({source})")]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system said: full disk, quota or file size limit.
        source: io::Error,
    },
    /// An earlier write or sync failed, so what lies on the disk is not known any more.
    #[error("{path} takes no more records after a failed write ({first}): stop the engine, check the disk, and resume the study")]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        first: String,
    },
    /// Another engine writes here.
    #[error("another engine owns the study in {study}{}", .owner.as_ref().map(|o| format!(" (process {} on {})", o.pid, o.host)).unwrap_or_default())]
    Owned {
        /// The study's directory.
        study: PathBuf,
        /// Who; none in the instant before it has written its name.
        owner: Option<Owner>,
    },
    /// A study lies there already.
    #[error("{path} exists: choose another name, or resume that study")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No study lies there.
    #[error("{path} does not exist: this is not a study's directory")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The journal has no whole record.
    #[error("{path} holds no record yet: the study was never begun; delete its directory and start again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not what was written.
    #[error("{path}, line {line} was altered: {detail}; restore the file from a copy, for the study is not read past it")]
    Altered {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What does not fit.
        detail: String,
    },
    /// An intact line that this program does not understand.
    #[error("{path}, line {line} was written by a newer trialdeck than this one ({}): upgrade to read this study ({detail})", env!("CARGO_PKG_VERSION"))]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What is not understood.
        detail: String,
    },
    /// A fact that could not be read back, so it was not written.
    #[error("a fact cannot be recorded: {detail}; nothing was written")]
    Unwritable {
        /// Which and why.
        detail: String,
    },
    /// The file is shorter than what was read before, or is another one.
    #[error("{path} was replaced or cut while it was read: read it anew")]
    Replaced {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
