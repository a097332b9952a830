//! Tries a revision's edits on the parent's tree: does it apply, is it in bounds, does it parse, does it fit the gates.

use super::{Shared, look};
use crate::engine::machine::{CheckedTree, Input};
use crate::engine::rig::Rig;
use crate::lineage::Message;
use crate::model::{DiffStat, Failure, Label, ProposalId, TrialId};
use crate::task::Stage;

pub(super) fn check(rig: &Rig, study: &Shared, trial: TrialId, revision: u32, proposal: ProposalId, parents: &[TrialId]) -> Input {
    let result = checked(rig, study, trial, revision, proposal, parents);
    Input::Checked { trial, revision, result }
}

fn checked(
    rig: &Rig,
    study: &Shared,
    trial: TrialId,
    revision: u32,
    proposal: ProposalId,
    parents: &[TrialId],
) -> Result<CheckedTree, Failure> {
    let fault = |detail: String| Failure::new(Label::Infrastructure, detail);
    let draft = rig.draft(proposal, revision).map_err(|e| fault(e.to_string()))?;
    let (bases, proposer) = look(study, |s| {
        let bases: Vec<_> = parents.iter().filter_map(|id| s.trial(*id)).map(|t| (t.commit.clone(), t.tree.clone())).collect();
        (bases, s.trial(trial).map(|t| t.proposer.clone()).unwrap_or_default())
    });
    let base = bases.first().and_then(|(_, tree)| tree.clone()).ok_or_else(|| fault("the parent has no tree".into()))?;
    let store = rig.store();
    let applied = store.apply(&base, &draft.edits, &rig.rules).map_err(|refusal| refusal.failure)?;
    for path in applied.changed.iter().filter(|p| p.ends_with(".py")) {
        let text = store.read(&applied.tree, path).map_err(|e| fault(e.to_string()))?;
        if let Some(problem) = text.and_then(|bytes| crate::propose::syntax_error(&bytes)) {
            return Err(Failure::new(Label::PreflightFailed, format!("{path} does not parse: {problem}")));
        }
    }
    tree_gates(rig, &applied.tree, applied.diff)?;
    let commits: Vec<String> = bases.into_iter().filter_map(|(commit, _)| commit).collect();
    let message = Message::new(trial, &draft.hypothesis, &proposer);
    let commit = store.commit(trial, &commits, &applied.tree, &message).map_err(|e| fault(e.to_string()))?;
    let surface = rig.surface_of(&applied.changed);
    Ok(CheckedTree { commit, tree: applied.tree, diff: applied.diff, surface })
}

/// Gates of the stage `tree` look at what can be counted before anything runs.
fn tree_gates(rig: &Rig, tree: &str, diff: DiffStat) -> Result<(), Failure> {
    for gate in rig.task.gates.iter().filter(|g| g.stage == Stage::Tree) {
        let value = match gate.key.as_str() {
            "changed_lines" => f64::from(diff.added + diff.removed),
            "changed_files" => f64::from(diff.files),
            "tree_bytes" | "tree_files" => {
                let entries = rig.store().list(tree).map_err(|e| Failure::new(Label::Infrastructure, e.to_string()))?;
                if gate.key == "tree_files" { entries.len() as f64 } else { entries.iter().map(|e| e.size).sum::<u64>() as f64 }
            }
            _ => continue,
        };
        if !gate.holds(value) {
            return Err(Failure::new(
                Label::GateFailed,
                format!("gate {} is {}, allowed is {}", gate.key, crate::model::number::short(value), Rig::bound(gate)),
            ));
        }
    }
    Ok(())
}
