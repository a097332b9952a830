//! Revisions of a proposal that others took the place of: what is left to look at.

use super::{DiffStat, Reviewer, Trial, TrialId};
use serde::{Deserialize, Serialize};

/// A revision that another one took the place of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Superseded {
    /// Which, from 1.
    pub revision: u32,
    /// What it built on then.
    pub parents: Vec<TrialId>,
    /// Its sentence.
    pub hypothesis: String,
    /// Its commit; null where it did not apply.
    pub commit: Option<String>,
    /// Its tree; null where it did not apply.
    pub tree: Option<String>,
    /// Size of its diff.
    pub diff: Option<DiffStat>,
    /// Who wrote the next one; null where the edits were carried over to another node.
    pub by: Option<Reviewer>,
    /// What the reviewer said.
    pub reason: Option<String>,
}

impl Superseded {
    /// Why another came: `its proposer wrote the next: "smaller buckets"`.
    pub fn why(&self) -> String {
        let what = match self.by {
            Some(Reviewer::Human) => "a person's edit took its place",
            Some(Reviewer::Proposer) => "its proposer wrote the next",
            Some(Reviewer::Rule | Reviewer::Auto) => "a rule changed it",
            None => "its edits were carried over to another trial",
        };
        match &self.reason {
            Some(reason) => format!("{what}: {reason}"),
            None => what.to_owned(),
        }
    }
}

impl Trial {
    /// Keeps what the current revision was, before another one takes its place.
    pub(super) fn supersede(&mut self, by: Option<Reviewer>, reason: Option<&String>) {
        self.superseded.push(Superseded {
            revision: self.revision,
            parents: self.parents.clone(),
            hypothesis: self.hypothesis.clone(),
            commit: self.commit.clone().filter(|_| self.tree.is_some()),
            tree: self.tree.clone(),
            diff: self.diff.filter(|_| self.tree.is_some()),
            by,
            reason: reason.cloned(),
        });
    }
}
