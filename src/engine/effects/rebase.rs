//! Carries a waiting proposal's edits over to the node that the search builds on now.

use super::check::applied;
use super::{Shared, look};
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::model::{Draft, Edit, Label, ProposalId, TrialId};

/// Tries the edits of a revision on other nodes. The driver stores the body, which is the same, as the next revision.
pub(super) fn rebase(rig: &Rig, study: &Shared, trial: TrialId, proposal: ProposalId, revision: u32, parents: Vec<TrialId>) -> Input {
    let result = match rig.draft(proposal, revision) {
        Ok(draft) => match applied(rig, study, trial, &draft, &parents) {
            Ok(_) if let Some(path) = overwritten(rig, study, trial, &draft, &parents) => {
                Err(format!("it would take back what was changed in `{}`", crate::model::Safe::line(&path)))
            }
            Ok(_) => Ok(Box::new(draft)),
            // Nothing was found out: it is tried again.
            Err(failure) if failure.label == Label::Infrastructure => {
                return Input::Note { warning: true, text: format!("{trial} could not be carried over: {}", failure.detail) };
            }
            Err(failure) => Err(format!("{}: {}", failure.label.word(), failure.detail)),
        },
        Err(error) => Err(format!("its body cannot be read: {error}")),
    };
    Input::Rebased { trial, revision: revision + 1, parents, result }
}

/// The file in which the edits would take back what the new node changed: one that they write whole, or a block that is found by
/// likeness alone.
fn overwritten(rig: &Rig, study: &Shared, trial: TrialId, draft: &Draft, parents: &[TrialId]) -> Option<String> {
    let tree = |id: TrialId| look(study, |s| s.trial(id)?.tree.clone());
    let before = look(study, |s| s.trial(trial)?.parents.first().copied()).and_then(tree)?;
    let after = parents.first().copied().and_then(tree)?;
    let read = |tree: &str, path: &str| rig.store().read(tree, path).ok().flatten();
    draft.edits.iter().find_map(|edit| {
        let (path, block) = match edit {
            Edit::Replace { path, search, .. } => (path, Some(search)),
            Edit::Write { path, .. } | Edit::Delete { path } => (path, None),
            // A hunk's lines are compared one by one when it is applied.
            Edit::Patch { .. } => return None,
        };
        let now = read(&after, path);
        let there = |block: &String| now.as_ref().is_some_and(|bytes| String::from_utf8_lossy(bytes).contains(block.trim_end()));
        (now != read(&before, path) && !block.is_some_and(there)).then(|| path.clone())
    })
}
