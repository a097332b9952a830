//! Taking a change out of a study: as a patch, as a branch, as a directory; and all of it as a table.

use super::args::Studies;
use super::{Exit, Failure, Outcome, find, host, put, say};
use crate::engine::layout::Layout;
use crate::lineage::{Message, Store};
use crate::model::number::short;
use crate::report;
use std::path::Path;

/// `trialdeck export --tsv`.
pub(super) fn table(name: &str, choice: &Studies) -> Outcome {
    let (_, study) = find::study(name, choice)?;
    let table = report::tsv(&study);
    put(&table.text);
    if table.left_out > 0 {
        say(&format!("note: {} trials are not in the table: they did not run, have not ended, or cannot be read", table.left_out));
    }
    Ok(Exit::DONE)
}

/// `trialdeck export`.
pub(super) fn export(
    name: &str,
    trial: Option<&str>,
    branch: Option<&str>,
    into: Option<&Path>,
    dir: Option<&Path>,
    choice: &Studies,
) -> Outcome {
    let (study_dir, study) = find::study(name, choice)?;
    let trial = find::trial(&study, trial.ok_or_else(|| Failure::usage("say which trial: a number such as t0007, or `best`"))?)?;
    let tree = trial.tree.as_deref().ok_or_else(|| {
        let why =
            if trial.imported.is_some() { "it was imported without its code".into() } else { format!("it is {}", trial.status.word()) };
        Failure::usage(format!("{} has no tree: {why}", trial.id))
    })?;
    let root = study.baseline().and_then(|b| b.tree.as_deref()).ok_or_else(|| Failure::usage(format!("{name} has no baseline tree")))?;
    let store = Store::open(&Layout::new(&study_dir).store())?;
    let usage = |e: crate::lineage::Error| Failure::usage(e.to_string());
    if let Some(dir) = dir {
        let dir = host::cwd()?.join(dir);
        let files = store.export_dir(tree, &dir).map_err(usage)?;
        say(&format!("{} is in {}: {files} files", trial.id, dir.display()));
    } else if let (Some(branch), Some(into)) = (branch, into) {
        let mut message = Message::new(trial.id, &trial.hypothesis, &trial.proposer);
        message.proposal = trial.proposal;
        message.score = trial.score.map(|s| format!("{} = {}", study.settings.metric, short(s)));
        message.verdict = trial.verdict;
        let exported = store.export_branch(root, tree, &message.render(), &host::cwd()?.join(into), branch).map_err(usage)?;
        say(&format!("branch {branch} in {} holds {} as one commit, {}", into.display(), trial.id, exported.commit));
    } else {
        let patch = store.export_patch(root, tree).map_err(usage)?;
        super::put_exactly(&patch);
    }
    Ok(Exit::DONE)
}
