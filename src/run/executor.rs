//! The contract between the engine and whatever runs commands: a run directory goes in, observations come out.

use super::{Spec, Status};
use crate::model::{Failure, Millis};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Runs commands. Every call names a run directory, which starts at most once, so that asking twice is harmless.
pub trait Executor: Send + Sync {
    /// Starts the command unless this directory was started before. Returns as soon as the start is on its way.
    fn submit(&self, dir: &Path, spec: &Spec) -> Result<(), RunError>;

    /// Looks for a run after a restart of the engine.
    fn find(&self, dir: &Path) -> Observation {
        self.observe(dir)
    }

    /// Says how far a run has come. Of a lost run it also ends what remains.
    fn observe(&self, dir: &Path) -> Observation;

    /// Asks for its end; `why` becomes the failure of its status. Also before it has started.
    fn cancel(&self, dir: &Path, why: &Failure) -> Result<(), RunError>;

    /// Returns at most `max` bytes of its log from `offset`, counted in bytes that the command wrote.
    fn log(&self, dir: &Path, stream: Stream, offset: u64, max: usize) -> Result<LogPart, RunError>;
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// Nobody took the directory; a submit would start it.
    Absent,
    /// A shim has it, the command does not run yet.
    Starting {
        /// What it waits for, in words: a GPU held by another study.
        waiting_for: Option<String>,
    },
    /// The command runs, or its status is being written.
    Running {
        /// Process id of the command.
        pid: u32,
        /// When it started.
        started: Millis,
    },
    /// It has ended and none of its processes is left.
    Ended(Box<Status>),
    /// Its supervisors vanished without a status.
    Lost {
        /// What was found, in one line.
        detail: String,
    },
    /// The machine was restarted while it ran.
    Rebooted,
}

/// One of the two logs of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word in file names.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// Where the bytes begin; later than asked for when what was asked for is not kept.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the kept log ends now.
    pub end: u64,
}

/// What can go wrong around a run directory.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The shim could not be started.
    #[error("could not start the supervisor {}: {source}; is the program still there?", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl RunError {
    /// An error around a file.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
