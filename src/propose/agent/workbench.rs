//! What an agent may see and try: the engine's side of its tools. Calls block; they run off the loop.

use crate::model::{Diff, DiffStat, Draft, Failure, Flag, ProposalId, RunId, Study, TrialId};
use crate::task::Task;

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// A proposal may change it.
    pub editable: bool,
}

/// A curve at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSummary {
    /// The metric's name.
    pub key: String,
    /// Points.
    pub count: u64,
    /// At most 16 points (step, value), first and last among them.
    pub points: Vec<(f64, f64)>,
}

/// A knob of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct KnobRow {
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// Its value there.
    pub value: String,
    /// What a sampler would try, in words: `1e-5 to 1e-2, log`.
    pub range: String,
}

/// What an edit would become.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The tree.
    pub tree: String,
    /// Its size.
    pub diff: DiffStat,
    /// Paths that it changes.
    pub changed: Vec<String>,
    /// The surface that they belong to.
    pub surface: Option<String>,
    /// What a reviewer would be told.
    pub flags: Vec<Flag>,
    /// It is the very tree of another trial: in words.
    pub duplicate: Option<String>,
    /// It is a trial's code but for names, numbers of lines, comments or layout.
    pub near: Option<TrialId>,
}

/// What a preflight said.
#[derive(Debug, Clone, PartialEq)]
pub struct Preflight {
    /// What ran, in words.
    pub command: String,
    /// It ended well.
    pub passed: bool,
    /// Seconds.
    pub seconds: f64,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The end of its output.
    pub tail: String,
}

/// What the tools of an agent work on.
pub trait Workbench: Send + Sync {
    /// Looks at the study as it is now.
    fn look(&self, look: &mut dyn FnMut(&Study));

    /// The task.
    fn task(&self) -> &Task;

    /// Files of a trial's tree, in path order.
    fn files(&self, tree: &str) -> Result<Vec<FileEntry>, String>;

    /// A file of a tree; none when it is not there.
    fn read(&self, tree: &str, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// What one tree changes of another.
    fn diff(&self, from: &str, to: &str) -> Result<Diff, String>;

    /// The end of a run's log, at most so many bytes; `stderr` else standard output.
    fn log(&self, run: RunId, stderr: bool, bytes: u32) -> Result<String, String>;

    /// The curves of a run.
    fn curves(&self, run: RunId) -> Result<Vec<CurveSummary>, String>;

    /// The knobs of a tree.
    fn knobs(&self, tree: &str) -> Result<Vec<KnobRow>, String>;

    /// The body of a revision.
    fn draft(&self, proposal: ProposalId, revision: u32) -> Option<Draft>;

    /// The task's briefs: name and text.
    fn brief(&self) -> Vec<(String, String)>;

    /// The machine in a few lines: processors, memory, GPUs, Python.
    fn hardware(&self) -> String;

    /// What a draft on these parents would become. `role` binds it to that role's paths.
    fn check(&self, parents: &[TrialId], role: &str, draft: &Draft) -> Result<Checked, Failure>;

    /// Runs the task's preflight on a tree in the sandbox; an error where the task has none, or it cannot start.
    fn preflight(&self, tree: &str) -> Result<Preflight, String>;
}
