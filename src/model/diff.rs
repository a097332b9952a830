//! A diff between two trees, bounded in size, fit to be drawn.

use serde::{Deserialize, Serialize};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    /// New.
    Added,
    /// Gone.
    Deleted,
    /// Changed.
    Modified,
    /// Moved, perhaps changed.
    Renamed,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// On both sides.
    Context,
    /// On the new side only.
    Added,
    /// On the old side only.
    Removed,
}

/// One line of a hunk, without its line end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// Where it stands.
    pub kind: LineKind,
    /// Its text.
    pub text: String,
    /// Its number on the old side, from 1.
    pub old_no: Option<u32>,
    /// Its number on the new side, from 1.
    pub new_no: Option<u32>,
    /// It is the last of its file and has no newline.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_newline: bool,
}

/// Neighbouring changes with their context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// The `@@ … @@` line.
    pub header: String,
    /// First line before, from 1.
    pub old_start: u32,
    /// Lines before.
    pub old_lines: u32,
    /// First line after, from 1.
    pub new_start: u32,
    /// Lines after.
    pub new_lines: u32,
    /// In order.
    pub lines: Vec<DiffLine>,
}

/// The changes of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// Its path (the new one of a rename).
    pub path: String,
    /// The old path of a rename.
    pub old_path: Option<String>,
    /// What happened to it.
    pub status: FileStatus,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// Not text; it has no hunks.
    pub binary: bool,
    /// In order.
    pub hunks: Vec<Hunk>,
}

/// A diff between two trees.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Its size, of the whole diff.
    pub stat: super::DiffStat,
    /// In git's order.
    pub files: Vec<FileDiff>,
    /// The same as text, which `git apply` takes unless `truncated`.
    pub patch: String,
    /// Something was left out for size.
    pub truncated: bool,
}

/// How a diff is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffOptions {
    /// Lines of context.
    pub context: u32,
    /// Treat lines that differ in white space alone as equal.
    pub ignore_whitespace: bool,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { context: 3, ignore_whitespace: false }
    }
}
