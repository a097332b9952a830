//! The rules once more, on the result: whatever an edit did, the trees are compared and each difference must be allowed.

use super::apply::{Applied, Refusal};
use super::error::During;
use super::rules::{LARGEST_FILE, LARGEST_TOTAL, MOST_FILES, Rules, apply_failed, out_of_bounds};
use super::store::{EXECUTABLE_MODE, FILE_MODE, Store};
use crate::model::{DiffStat, Safe};
use git2::{Delta, Tree};

/// Returns what changed from the parent to the tree, or why that is not allowed.
pub(super) fn check(store: &Store, parent: &Tree<'_>, tree: &str, rules: &Rules) -> Result<Applied, Refusal> {
    let result = store.tree(tree)?;
    let diff = store.repo.diff_tree_to_tree(Some(parent), Some(&result), None).during("comparing trees")?;
    if diff.deltas().len() == 0 {
        return Err(apply_failed("the edits change nothing").into());
    }
    if diff.deltas().len() > MOST_FILES {
        return Err(out_of_bounds(format!("{} files differ; at most {MOST_FILES} are allowed", diff.deltas().len())).into());
    }
    let odb = store.repo.odb().during("opening the object database")?;
    let mut changed = Vec::with_capacity(diff.deltas().len());
    let mut total = 0;
    for delta in diff.deltas() {
        let side = if delta.status() == Delta::Deleted { delta.old_file() } else { delta.new_file() };
        let raw = side.path_bytes().unwrap_or_default();
        let path = std::str::from_utf8(raw).map_err(|_| out_of_bounds(format!("`{}` is not UTF-8", Safe::bytes(raw))))?;
        let path = rules.check(path, delta.status() != Delta::Added)?;
        let (before, after) = (u32::from(delta.old_file().mode()), u32::from(delta.new_file().mode()));
        let plain = |mode: u32| matches!(mode, 0 | FILE_MODE | EXECUTABLE_MODE);
        if !plain(before) || !plain(after) {
            return Err(out_of_bounds(format!("`{path}`: modes {before:06o} to {after:06o}; proposals touch plain files only")).into());
        }
        if before != 0 && after != 0 && before != after {
            return Err(out_of_bounds(format!("`{path}`: a mode change from {before:06o} to {after:06o}; contents only")).into());
        }
        if delta.status() != Delta::Deleted {
            let (size, _) = odb.read_header(side.id()).during(format!("reading {path}"))?;
            if size > LARGEST_FILE {
                return Err(out_of_bounds(format!("`{path}` would have {size} bytes; at most {LARGEST_FILE} are allowed")).into());
            }
            total += size;
        }
        changed.push(path);
    }
    if total > LARGEST_TOTAL {
        return Err(out_of_bounds(format!("the files have {total} bytes in all; at most {LARGEST_TOTAL} are allowed")).into());
    }
    let stats = diff.stats().during("measuring the diff")?;
    rules.check_lines(stats.insertions() + stats.deletions())?;
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let diff = DiffStat { files: size(changed.len()), added: size(stats.insertions()), removed: size(stats.deletions()) };
    Ok(Applied { tree: tree.to_owned(), diff, changed })
}
