//! Tries a revision's edits on the parent's tree: does it apply, is it in bounds, does it parse, does it fit the gates.

use super::{Shared, look, territory};
use crate::engine::machine::{self, CheckedTree, Input};
use crate::engine::rig::Rig;
use crate::lineage::{Applied, Message};
use crate::model::{DiffOptions, DiffStat, Draft, Failure, Flag, Label, ProposalId, TrialId};
use crate::propose::agent::Checked;
use crate::review::flags;
use crate::run::interpreter;
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
    let applied = applied(rig, study, trial, &draft, parents)?;
    let (commits, proposer) = look(study, |s| {
        let commits: Vec<String> = parents.iter().filter_map(|id| s.trial(*id)?.commit.clone()).collect();
        (commits, s.trial(trial).map(|t| t.proposer.clone()).unwrap_or_default())
    });
    let message = Message::new(trial, &draft.hypothesis, &proposer);
    let commit = rig.store().commit(trial, &commits, &applied.tree, &message).map_err(|e| fault(e.to_string()))?;
    let surface = rig.surface_of(&applied.changed, draft.surface.as_deref());
    let flags = flags(rig, study, &applied.tree, parents).map_err(|e| fault(e.to_string()))?;
    Ok(CheckedTree { commit, tree: applied.tree, diff: applied.diff, surface, flags })
}

/// Lines of context that hold any file whole, and those that are left for a diff that is too long for it.
const WHOLE: u32 = 1_000_000;
const PART: u32 = 20;

/// What a reviewer should know of the edit. Whole files say best what a changed line is.
fn flags(rig: &Rig, study: &Shared, tree: &str, parents: &[TrialId]) -> Result<Vec<Flag>, crate::lineage::Error> {
    let Some(base) = look(study, |s| s.trial(*parents.first()?)?.tree.clone()) else { return Ok(Vec::new()) };
    let options = |context| DiffOptions { context, ..DiffOptions::default() };
    let store = rig.store();
    let mut diff = store.diff(&base, tree, &options(WHOLE))?;
    if diff.truncated {
        diff = store.diff(&base, tree, &options(PART))?;
    }
    drop(store);
    Ok(flags::flags(&diff, &rig.flagged))
}

/// Why a person's edit cannot be taken, if it cannot: tried before anything is recorded of it.
pub(in crate::engine) fn refusal(rig: &Rig, study: &Shared, trial: TrialId, draft: &Draft) -> Option<String> {
    let parents = look(study, |s| s.trial(trial).map(|t| t.parents.clone()).unwrap_or_default());
    match applied_by_a_person(rig, study, draft, &parents) {
        Ok(applied) => look(study, |s| machine::duplicate(s, trial, &applied.tree)),
        Err(failure) => Some(format!("{}: {}", failure.label.word(), failure.detail)),
    }
}

/// What an agent's edits would become, tried before it submits them.
pub(in crate::engine) fn tried(rig: &Rig, study: &Shared, parents: &[TrialId], role: &str, draft: &Draft) -> Result<Checked, Failure> {
    let applied = applied_by_a_person(rig, study, draft, parents)?;
    look(study, |s| territory::of_role(s, role)).allows(&rig.task.surfaces, &applied.changed)?;
    let flags = flags(rig, study, &applied.tree, parents).map_err(|e| Failure::new(Label::Infrastructure, e.to_string()))?;
    let duplicate = look(study, |s| crate::engine::workbench::duplicate(s, &applied.tree));
    let near = duplicate.is_none().then(|| crate::engine::sameness::near(rig, study, &applied.tree)).flatten();
    let surface = rig.surface_of(&applied.changed, draft.surface.as_deref());
    Ok(Checked { tree: applied.tree, diff: applied.diff, changed: applied.changed, surface, flags, duplicate, near })
}

/// The tree that a trial's edits make of the first parent's, within all rules that can be told before it runs, and within what
/// its proposer may touch.
pub(super) fn applied(rig: &Rig, study: &Shared, trial: TrialId, draft: &Draft, parents: &[TrialId]) -> Result<Applied, Failure> {
    let applied = applied_by_a_person(rig, study, draft, parents)?;
    match look(study, |s| s.trial(trial).map(|t| territory::of(s, t))) {
        Some(territory) => territory.allows(&rig.task.surfaces, &applied.changed).map(|()| applied),
        None => Ok(applied),
    }
}

/// The same for a person, who may touch all that the task allows.
fn applied_by_a_person(rig: &Rig, study: &Shared, draft: &Draft, parents: &[TrialId]) -> Result<Applied, Failure> {
    let fault = |detail: String| Failure::new(Label::Infrastructure, detail);
    let base = look(study, |s| s.trial(*parents.first()?)?.tree.clone()).ok_or_else(|| fault("the parent has no tree".into()))?;
    let store = rig.store();
    let applied = store.apply(&base, &draft.edits, &rig.rules).map_err(|refusal| refusal.failure)?;
    let mut python = Vec::new();
    for path in applied.changed.iter().filter(|p| p.ends_with(".py")) {
        if let Some(bytes) = store.read(&applied.tree, path).map_err(|e| fault(e.to_string()))? {
            python.push((path.clone(), bytes));
        }
    }
    // The interpreter takes a moment, and others want the store.
    drop(store);
    parses(rig, &python)?;
    tree_gates(rig, &applied.tree, applied.diff)?;
    Ok(applied)
}

/// Whether the changed Python files parse: in the words of the interpreter that the run will use, and of our own parser
/// where that one cannot be asked.
fn parses(rig: &Rig, files: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    let refused = |path: &str, why: String| Err(Failure::new(Label::PreflightFailed, format!("{path} does not parse: {why}")));
    let asked = rig.interpreter().map(|python| (interpreter::refuses(&python, files), python));
    match asked {
        Some((Ok(None), _)) => return Ok(()),
        Some((Ok(Some(r)), python)) => {
            let who = python.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return refused(&r.path, format!("line {}, column {}: {} ({who})", r.line, r.column, r.message));
        }
        Some((Err(why), _)) => crate::engine::log::line(&format!("syntax is checked without the interpreter: {why}")),
        None => {}
    }
    match files.iter().find_map(|(path, bytes)| Some((path, crate::propose::syntax_error(bytes)?))) {
        Some((path, problem)) => refused(path, problem),
        None => Ok(()),
    }
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
