//! What can go wrong in this room, with the values that a message needs and the way out.

use std::path::{Path, PathBuf};

/// An error of this room. A proposal that does not fit is no error but a `Refusal`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// libgit2 said no.
    #[error("{what}: {}", source.message())]
    Git {
        /// What was being done.
        what: String,
        /// Its words.
        source: git2::Error,
    },
    /// The file system said no.
    #[error("{what} {path}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// A hash that is not in the store.
    #[error("{kind} {id} is not in the store {store}")]
    Missing {
        /// `tree` or `commit`.
        kind: &'static str,
        /// The hash as given.
        id: String,
        /// The store.
        store: PathBuf,
    },
    /// A directory that is no store of trialdeck's.
    #[error("{0} is not a trialdeck store")]
    NotAStore(PathBuf),
    /// A directory where something lies already.
    #[error("{0} exists already and is not empty; choose another directory")]
    Exists(PathBuf),
    /// A pattern that is no glob.
    #[error("`{pattern}` is not a valid path pattern: {reason}")]
    BadGlob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// git's ownership check.
    #[error("{0} belongs to another user, so git does not read it; if you trust it: git config --global --add safe.directory {0}")]
    Ownership(PathBuf),
    /// A source without anything to import.
    #[error("{path}: {reason}")]
    NothingToImport {
        /// The source.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file that should not go into a git store.
    #[error("{path} has {megabytes} MB, more than {limit} MB; list it under [[data]], or keep it out with .gitignore")]
    TooLarge {
        /// The file, relative to the source.
        path: String,
        /// Its size.
        megabytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A git command that failed.
    #[error("`git {command}` in {path} ended with {status}: {stderr}")]
    Command {
        /// Its arguments.
        command: String,
        /// Where it ran.
        path: PathBuf,
        /// How it ended.
        status: String,
        /// The last line it wrote.
        stderr: String,
    },
    /// A repository that libgit2 does not open and git is not there to read.
    #[error("{path} cannot be read ({reason}), and the command git is not there to read it instead; install git")]
    NoGit {
        /// The repository.
        path: PathBuf,
        /// libgit2's words.
        reason: String,
    },
    /// A directory given as a proposal that does not fit the rules.
    #[error("{path}: {reason}")]
    NotAProposal {
        /// The directory.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// An export that cannot be done.
    #[error("cannot export to {path}: {reason}")]
    Export {
        /// The target repository.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Files that differ in the target from what the study started with.
    #[error(
        "{} file(s) in {path} differ from what the study started with: {}; commit or check out the version of the study's start, or use --patch",
        files.len(),
        files.join(", ")
    )]
    Conflict {
        /// The target repository.
        path: PathBuf,
        /// The files.
        files: Vec<String>,
    },
}

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when git2 failed.
pub(super) trait During<T> {
    fn during(self, what: impl Into<String>) -> Result<T>;
}

impl<T> During<T> for std::result::Result<T, git2::Error> {
    fn during(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Git { what: what.into(), source })
    }
}

/// Says which file was touched how when the file system failed.
pub(super) trait OnPath<T> {
    fn on_path(self, what: &'static str, path: &Path) -> Result<T>;
    /// The same where the path is made only for the message.
    fn on_made_path(self, what: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T>;
}

impl<T, E: Into<std::io::Error>> OnPath<T> for std::result::Result<T, E> {
    fn on_path(self, what: &'static str, path: &Path) -> Result<T> {
        self.on_made_path(what, || path.to_owned())
    }

    fn on_made_path(self, what: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T> {
        self.map_err(|e| Error::Io { what, path: path(), source: e.into() })
    }
}
