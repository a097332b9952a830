//! Whether an edit is another trial's code over again, but for comments, docstrings and layout.

use super::rig::Rig;
use crate::model::{Status, Study, TrialId};
use crate::propose::near;

/// Trials that are looked at, the last ones first: what was tried long before is in nobody's way.
const LOOKED_AT: usize = 500;

/// The trial whose code is that of a tree; the baseline where the edit changes nothing that runs.
pub(super) fn near(rig: &Rig, study: &std::sync::RwLock<Study>, tree: &str) -> Option<TrialId> {
    let (root, trees) = {
        let study = study.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let root = study.baseline()?.tree.clone()?;
        let counts = |status| !matches!(status, Status::Rejected | Status::Stale | Status::Unreadable | Status::Proposed);
        let at_fault = |t: &crate::model::Trial| t.failure.as_ref().is_none_or(|f| !f.label.not_the_codes_fault());
        let trees = study.trials.iter().rev().take(LOOKED_AT).filter(|t| counts(t.status) && at_fault(t));
        (root, trees.filter_map(|t| Some((t.id, t.tree.clone()?))).collect::<Vec<_>>())
    };
    let own = shape(rig, &root, tree)?;
    if own.is_none() {
        return Some(TrialId::BASELINE);
    }
    trees.into_iter().filter(|(_, other)| other != tree).find(|(_, other)| shape(rig, &root, other) == Some(own)).map(|(id, _)| id)
}

/// The number of what a tree changes of the root's code: inner none where that is nothing, outer none where it cannot be read.
fn shape(rig: &Rig, root: &str, tree: &str) -> Option<Option<u64>> {
    rig.shape(tree, || {
        // The store is not held while files are taken apart: a check or a run may want it.
        let paths = rig.store().changed(root, tree).ok()?;
        let mut changed = Vec::new();
        for path in paths {
            // One after the other: each lets the store go at its end.
            let old = rig.store().read(root, &path).ok()?;
            let new = rig.store().read(tree, &path).ok()?;
            let key = near::key(&path, new.as_deref());
            if near::key(&path, old.as_deref()) != key {
                changed.push(key);
            }
        }
        Some((!changed.is_empty()).then(|| near::of_keys(changed)))
    })
}
