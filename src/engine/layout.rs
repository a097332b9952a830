//! Where everything of a study lies. Ids come in, paths go out: nothing here can leave the study's directory.

use crate::model::{ProposalId, RunId};
use std::path::{Path, PathBuf};

/// The directory of one study.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    /// Where runs and slots lie: the root, but for a replay.
    scratch: PathBuf,
}

impl Layout {
    /// Of the study in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { root: dir.to_owned(), scratch: dir.to_owned() }
    }

    /// The same study with runs and slots of its own below `replays/NAME`, which the study's own never touch.
    pub fn replay(dir: &Path, name: &str) -> Self {
        Self { root: dir.to_owned(), scratch: dir.join("replays").join(name) }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Task and first settings.
    pub fn study_file(&self) -> PathBuf {
        self.root.join("study.toml")
    }

    /// The object store.
    pub fn store(&self) -> PathBuf {
        self.root.join("repo.git")
    }

    /// The pristine evaluator.
    pub fn evaluator(&self) -> PathBuf {
        self.root.join("evaluator")
    }

    /// Environments that were built, and the attempts at them.
    pub fn setup(&self) -> PathBuf {
        self.root.join("setup")
    }

    /// The environment of this content, or a link to it.
    pub fn setup_built(&self, hash: &str) -> PathBuf {
        self.setup().join(hash)
    }

    /// One attempt at it: logs, status.
    pub fn setup_attempt(&self, attempt: u32) -> PathBuf {
        self.setup().join(format!("try-{attempt}"))
    }

    /// Makes the study's link to an environment in the cache; one that was built inside the study needs none.
    pub fn link_setup(&self, hash: &str, dir: &Path) -> std::io::Result<()> {
        let link = self.setup_built(hash);
        if link == dir || link.read_link().ok().as_deref() == Some(dir) {
            return Ok(());
        }
        if link.is_symlink() {
            std::fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(dir, &link)
    }

    /// What the engine says of itself.
    pub fn engine_log(&self) -> PathBuf {
        self.root.join("engine.log")
    }

    /// What agents read of the task.
    pub fn briefs(&self) -> PathBuf {
        self.root.join("brief")
    }

    /// What the study replays, where it does.
    pub fn recording(&self) -> PathBuf {
        self.root.join("recording")
    }

    /// The prompts of the study's specialists.
    pub fn prompts(&self) -> PathBuf {
        self.root.join("prompts")
    }

    /// Revisions and conversation of a request.
    pub fn proposal(&self, proposal: ProposalId) -> PathBuf {
        self.root.join("proposals").join(proposal.to_string())
    }

    /// The body of one revision.
    pub fn revision(&self, proposal: ProposalId, revision: u32) -> PathBuf {
        self.proposal(proposal).join(format!("rev-{revision}.json"))
    }

    /// One run: logs, status, metrics, evaluation, artifacts.
    pub fn run(&self, run: RunId) -> PathBuf {
        self.scratch.join("trials").join(run.trial.to_string()).join(run.run.to_string())
    }

    /// Where the inference of a slot's run works: another directory than the run's.
    pub fn inference(&self, slot: u32) -> PathBuf {
        self.scratch.join("work").join(format!("inference-{slot}"))
    }

    /// Where the working directories lie.
    pub fn work(&self) -> PathBuf {
        self.scratch.join("work")
    }

    /// The working directory of a slot.
    pub fn slot(&self, slot: u32) -> PathBuf {
        self.work().join(format!("slot-{slot}"))
    }
}
