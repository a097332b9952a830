//! Diffs and files of trials' trees, from the study's own git store.

use super::study_file::StudyFile;
use crate::lineage::{self, Rules, RulesSpec, Store};
use crate::model::{Diff, DiffOptions};
use crate::protocol::FileText;
use std::path::Path;

/// Bytes of all files handed out at most.
const LARGEST_FILES: usize = 1 << 20;
/// Paths handed out at most.
const MOST_PATHS: usize = 50_000;

/// Compares two trees; without an old one everything is new.
pub(super) fn diff(dir: &Path, old: Option<&str>, new: &str, options: DiffOptions) -> Result<Diff, String> {
    let store = store(dir)?;
    store.diff(old.unwrap_or(lineage::EMPTY_TREE), new, &options).map_err(|e| e.to_string())
}

/// Returns texts of a tree's files; of all that differ from `old` when no paths are named.
pub(super) fn files(dir: &Path, old: Option<&str>, new: &str, mut paths: Vec<String>) -> Result<Vec<FileText>, String> {
    let store = store(dir)?;
    if paths.is_empty()
        && let Some(old) = old
    {
        let changed = store.diff(old, new, &DiffOptions::default()).map_err(|e| e.to_string())?;
        paths = changed.files.into_iter().map(|file| file.path).collect();
    }
    let mut room = LARGEST_FILES;
    let mut files = Vec::new();
    for path in paths.into_iter().take(MOST_PATHS) {
        // What cannot be a path of a tree is in none.
        let possible = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let bytes = if possible { store.read(new, &path).map_err(|e| e.to_string())? } else { None };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| text.len() <= room && !text.contains('\0'));
        room -= text.as_ref().map_or(0, String::len);
        files.push(FileText { path, text });
    }
    Ok(files)
}

/// Returns the paths of a tree that a proposal may edit, in git's order.
pub(super) fn editable(dir: &Path, tree: &str) -> Result<Vec<String>, String> {
    let file = StudyFile::read(dir)?;
    let spec = RulesSpec { editable: file.editable, protected: file.protected, ..RulesSpec::default() };
    let rules = Rules::new(&spec).map_err(|e| e.to_string())?;
    let entries = store(dir)?.list(tree).map_err(|e| e.to_string())?;
    Ok(entries.into_iter().map(|e| e.path).filter(|path| rules.check(path, true).is_ok()).take(MOST_PATHS).collect())
}

fn store(dir: &Path) -> Result<Store, String> {
    Store::open(&dir.join("repo.git")).map_err(|e| e.to_string())
}
