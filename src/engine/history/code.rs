//! The code of an imported history: commits of its branch, or the single files that it holds itself, in the study's own store.
//!
//! Knows nothing of facts nor of how the code is run. Tested by the journeys of `import`.

use super::{Branch, Plan, id};
use crate::engine::create::hidden;
use crate::import::Row;
use crate::lineage::{EMPTY_TREE, Message, Single, Store};
use crate::model::{DiffOptions, DiffStat, TrialId};

/// What a file of AIDE's is called in its tree.
const SINGLE: &str = "solution.py";

/// The code of a row.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) commit: String,
    pub(super) tree: String,
    /// Against its first parent, or the empty tree where it has none.
    pub(super) diff: Option<DiffStat>,
}

/// Brings the code into the store: commits of the branch, or the files that the history holds itself.
pub(super) fn bring(plan: &Plan<'_>, store: &Store) -> anyhow::Result<Vec<Option<Code>>> {
    let rows = &plan.history.rows;
    let mut code: Vec<Option<Code>> = match &plan.branch {
        Some(branch) => commits(plan, branch, store)?,
        None => singles(rows, store)?,
    };
    // Drafts without a parent are compared with nothing at all.
    store.add_empty_tree()?;
    for place in 1..rows.len() {
        let Some(Some(own)) = code.get(place).cloned() else { continue };
        let parent = match rows.get(place).and_then(|r| r.parents.first()) {
            Some(parent) => code.get(*parent).and_then(Option::as_ref).map(|c| c.tree.clone()),
            None => Some(EMPTY_TREE.to_owned()),
        };
        let Some(parent) = parent else { continue };
        let stat = store.diff(&parent, &own.tree, &DiffOptions::default())?.stat;
        if let Some(Some(own)) = code.get_mut(place) {
            own.diff = Some(stat);
        }
    }
    Ok(code)
}

fn message(place: usize, row: &Row) -> Message {
    let mut message = Message::new(id(place), &row.hypothesis, &row.proposer);
    message.operator = Some(row.operator).filter(|_| place > 0);
    message.surface.clone_from(&row.surface);
    message.verdict = row.verdict;
    message.failure = row.failure.as_ref().map(|f| f.label.word().to_owned());
    message
}

fn commits(plan: &Plan<'_>, branch: &Branch<'_>, store: &Store) -> anyhow::Result<Vec<Option<Code>>> {
    let rows = &plan.history.rows;
    let exclude = match &branch.task {
        Ok(task) => hidden(&task.found.parsed.task, &task.found.base, branch.repository.root()),
        Err(_) => Vec::new(),
    };
    // A discarded row often names the commit that the work was reset to: that is its parent's code and not its own.
    let mut owned = std::collections::HashSet::new();
    let names: Vec<String> = rows.iter().map(|r| if owned.insert(r.name.as_str()) { r.name.clone() } else { String::new() }).collect();
    let brought = store.bring(branch.repository, &names, &exclude)?;
    let mut code: Vec<Option<Code>> = Vec::with_capacity(rows.len());
    for (place, (row, brought)) in rows.iter().zip(brought).enumerate() {
        let Some(brought) = brought else {
            code.push(None);
            continue;
        };
        let commit = match brought.commit {
            Some(commit) => commit,
            None => {
                let parents: Vec<String> =
                    row.parents.iter().filter_map(|p| code.get(*p)).flatten().map(|c: &Code| c.commit.clone()).collect();
                store.commit(id(place), &parents, &brought.tree, &message(place, row))?
            }
        };
        code.push(Some(Code { commit, tree: brought.tree, diff: None }));
    }
    name_all(store, &code)?;
    Ok(code)
}

fn singles(rows: &[Row], store: &Store) -> anyhow::Result<Vec<Option<Code>>> {
    let with_code: Vec<(usize, &Row, &str)> = rows.iter().enumerate().filter_map(|(n, r)| Some((n, r, r.code.as_deref()?))).collect();
    let mut places = vec![None; rows.len()];
    for (at, (place, ..)) in with_code.iter().enumerate() {
        if let Some(slot) = places.get_mut(*place) {
            *slot = Some(at);
        }
    }
    let singles: Vec<Single<'_>> = with_code
        .iter()
        .map(|(place, row, content)| Single {
            trial: id(*place),
            parents: row.parents.iter().filter_map(|p| places.get(*p).copied().flatten()).collect(),
            content,
            message: message(*place, row),
        })
        .collect();
    let made = store.commit_singles(SINGLE, &singles)?;
    let mut code = vec![None; rows.len()];
    for ((place, ..), made) in with_code.iter().zip(made) {
        if let Some(slot) = code.get_mut(*place) {
            *slot = Some(Code { commit: made.commit, tree: made.tree, diff: None });
        }
    }
    name_all(store, &code)?;
    Ok(code)
}

fn name_all(store: &Store, code: &[Option<Code>]) -> anyhow::Result<()> {
    let named: Vec<(TrialId, String)> = code.iter().enumerate().filter_map(|(n, c)| Some((id(n), c.as_ref()?.commit.clone()))).collect();
    Ok(store.name_commits(&named, None)?)
}
