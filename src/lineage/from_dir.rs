//! A directory as a proposal (`propose --from DIR`): what differs in it from the parent's tree becomes edits.

use super::error::{During, Error, Result};
use super::rules::{LARGEST_FILE, MOST_FILES, Rules};
use super::store::{LINK_MODE, Leaf, Store};
use crate::beneath;
use crate::model::{Edit, Safe};
use git2::{ObjectType, Oid};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

impl Store {
    /// What differs in `dir` from the tree, as whole files and removals, in the order of paths.
    ///
    /// `dir` is a whole copy, of the repository or of an exported tree: a file that it lacks counts as removed. Ignored are `.git`,
    /// `.trialdeck`, new files that its ignore files name, and the evaluator's files. Errors: `NotAProposal` for symbolic links, special files,
    /// text that is not UTF-8, and files missing that must not be removed.
    pub fn edits_from_dir(&self, tree: &str, dir: &Path, rules: &Rules) -> Result<Vec<Edit>> {
        let refuse = |reason: String| Error::NotAProposal { path: dir.to_owned(), reason };
        let (leaves, mut edits) = self.changed_in(tree, dir, rules)?;
        let forbidden: Vec<&String> = edits
            .iter()
            .filter(|(path, edit)| matches!(edit, Edit::Delete { .. }) && rules.check(path, true).is_err())
            .map(|(path, _)| path)
            .collect();
        if let Some(first) = forbidden.first() {
            let n = forbidden.len();
            return Err(refuse(format!(
                "{n} file(s) that may not be removed are missing, the first is `{first}`: give a whole copy (trialdeck export STUDY TRIAL --dir DIR makes one), or use --patch"
            )));
        }
        for path in new_files(dir).map_err(|e| e.into_error(dir))? {
            if leaves.contains_key(&path) || rules.is_hidden(&path) {
                continue;
            }
            keep(&mut edits, written(dir, &path).map_err(|e| e.into_error(dir))?);
        }
        if edits.is_empty() {
            return Err(refuse("nothing in it differs from the parent's tree: edit a file in it first".into()));
        }
        if edits.len() > MOST_FILES {
            return Err(refuse(format!("{} files differ; at most {MOST_FILES} are allowed", edits.len())));
        }
        Ok(edits.into_values().collect())
    }

    /// The same of a directory in which a program worked on the tree: nothing changed is no error, and new files that may not be added
    /// (notes, caches, files of the evaluator's name) are left out and told. Files of the tree that may not be changed are edits
    /// like others: who applies them refuses them. Errors: as `edits_from_dir`.
    pub fn work_in_dir(&self, tree: &str, dir: &Path, rules: &Rules) -> Result<Worked> {
        let (leaves, mut edits) = self.changed_in(tree, dir, rules)?;
        let mut left_out = Vec::new();
        for path in new_files(dir).map_err(|e| e.into_error(dir))? {
            if leaves.contains_key(&path) {
                continue;
            }
            if let Err(failure) = rules.check(&path, false) {
                left_out.push((path, failure.detail));
                continue;
            }
            keep(&mut edits, written(dir, &path).map_err(|e| e.into_error(dir))?);
        }
        if edits.len() > MOST_FILES {
            let reason = format!("{} files differ; at most {MOST_FILES} are allowed", edits.len());
            return Err(Error::NotAProposal { path: dir.to_owned(), reason });
        }
        Ok(Worked { edits: edits.into_values().collect(), left_out })
    }

    /// What became of the tree's own files: the leaves, and an edit for each that differs.
    fn changed_in(&self, tree: &str, dir: &Path, rules: &Rules) -> Result<(BTreeMap<String, Leaf>, BTreeMap<String, Edit>)> {
        if !dir.is_dir() {
            return Err(Error::NotAProposal { path: dir.to_owned(), reason: "it is not a directory".into() });
        }
        let leaves: BTreeMap<String, Leaf> = self.leaves(tree)?.into_iter().map(|l| (l.path.clone(), l)).collect();
        let odb = self.repo.odb().during("opening the object database")?;
        let mut edits = BTreeMap::new();
        for leaf in leaves.values() {
            let size = || odb.read_header(leaf.oid).map_or(0, |(size, _)| size);
            if let Some(edit) = compare(dir, leaf, rules, size).map_err(|e| e.into_error(dir))? {
                keep(&mut edits, edit);
            }
        }
        Ok((leaves, edits))
    }
}

/// What a program did to a tree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Worked {
    /// In the order of paths.
    pub edits: Vec<Edit>,
    /// New files that may not be added, with the reason of each.
    pub left_out: Vec<(String, String)>,
}

/// A reason to refuse, or a failure of the file system.
enum Bad {
    Reason(String),
    Error(Error),
}

impl Bad {
    fn into_error(self, dir: &Path) -> Error {
        match self {
            Self::Reason(reason) => Error::NotAProposal { path: dir.to_owned(), reason },
            Self::Error(error) => error,
        }
    }
}

/// Files beyond those that are allowed are counted and not held: nobody takes them, and a stranger may have made thousands.
fn keep(edits: &mut BTreeMap<String, Edit>, edit: Edit) {
    let full = edits.len() >= MOST_FILES;
    let (path, edit) = match edit {
        Edit::Write { path, .. } if full => (path.clone(), Edit::Write { path, content: String::new() }),
        Edit::Write { path, content } => (path.clone(), Edit::Write { path, content }),
        Edit::Delete { path } => (path.clone(), Edit::Delete { path }),
        // Directories become neither.
        Edit::Replace { .. } | Edit::Patch { .. } => return,
    };
    edits.insert(path, edit);
}

/// A new file as an edit.
fn written(dir: &Path, path: &str) -> std::result::Result<Edit, Bad> {
    let content = bytes(dir, path, LARGEST_FILE).and_then(|bytes| text(path, bytes))?;
    Ok(Edit::Write { path: path.to_owned(), content })
}

/// The edit that makes the tree's file what the directory has, if they differ. `size` is that of the tree's.
fn compare(dir: &Path, leaf: &Leaf, rules: &Rules, size: impl FnOnce() -> usize) -> std::result::Result<Option<Edit>, Bad> {
    let file = dir.join(&leaf.path);
    let path = leaf.path.clone();
    let Ok(meta) = file.symlink_metadata() else {
        return Ok((!rules.is_hidden(&path)).then_some(Edit::Delete { path }));
    };
    if leaf.mode == LINK_MODE {
        let target = fs::read_link(&file).ok().map(|t| t.into_os_string().into_encoded_bytes());
        let same = target.is_some_and(|t| Oid::hash_object(ObjectType::Blob, &t).is_ok_and(|oid| oid == leaf.oid));
        return if same {
            Ok(None)
        } else {
            Err(Bad::Reason(format!("`{path}` is a symbolic link in the parent's tree and may not change")))
        };
    }
    if meta.is_dir() {
        return Ok(Some(Edit::Delete { path }));
    }
    let most = if meta.len() > LARGEST_FILE as u64 { size().max(LARGEST_FILE) } else { LARGEST_FILE };
    let bytes = bytes(dir, &path, most)?;
    let oid =
        Oid::hash_object(ObjectType::Blob, &bytes).map_err(|source| Bad::Error(Error::Git { what: format!("reading {path}"), source }))?;
    if oid == leaf.oid {
        return Ok(None);
    }
    text(&path, bytes).map(|content| Some(Edit::Write { path, content }))
}

/// The content of a plain file. Whoever wrote the directory may still do so: what is read is what was looked at, and no link is followed,
/// be it at the end or on the way. A file with more than `most` bytes is not held: one full of holes costs its author nothing.
fn bytes(dir: &Path, path: &str, most: usize) -> std::result::Result<Vec<u8>, Bad> {
    use rustix::io::Errno;
    let shown = Safe::line(path);
    let mut out = Vec::new();
    match beneath::file(dir, Path::new(path)).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut out)) {
        Ok(_) if out.len() > most => Err(Bad::Reason(format!("`{shown}` is larger than {LARGEST_FILE} bytes, which are allowed"))),
        Ok(_) => Ok(out),
        Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::LOOP | Errno::XDEV)) => {
            Err(Bad::Reason(format!("`{shown}` is, or lies behind, a symbolic link; proposals hold plain files only")))
        }
        Err(e) if e.kind() == ErrorKind::InvalidInput || Errno::from_io_error(&e) == Some(Errno::NXIO) => {
            Err(Bad::Reason(format!("`{shown}` is neither a file nor a directory")))
        }
        Err(source) => Err(Bad::Error(Error::Io { what: "reading", path: dir.join(path), source })),
    }
}

fn text(path: &str, bytes: Vec<u8>) -> std::result::Result<String, Bad> {
    let path = Safe::line(path);
    if bytes.len() > LARGEST_FILE {
        return Err(Bad::Reason(format!("`{path}` has {} bytes; at most {LARGEST_FILE} are allowed", bytes.len())));
    }
    String::from_utf8(bytes).map_err(|_| Bad::Reason(format!("`{path}` is not UTF-8 text; proposals hold text only")))
}

/// Files of the directory that its ignore files do not name.
fn new_files(dir: &Path) -> std::result::Result<Vec<String>, Bad> {
    let walk = ignore::WalkBuilder::new(dir)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|e| e.file_name() != ".git" && e.file_name() != ".trialdeck" && e.file_name() != "__pycache__")
        .build();
    let mut out = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|e| Bad::Reason(e.to_string()))?;
        if entry.depth() == 0 || entry.file_type().is_none_or(|t| t.is_dir()) {
            continue;
        }
        let relative = entry.path().strip_prefix(dir).unwrap_or(entry.path());
        let path = relative.to_str().ok_or_else(|| Bad::Reason(format!("`{}` is not UTF-8", Safe::line(&relative.to_string_lossy()))))?;
        out.push(path.to_owned());
    }
    Ok(out)
}
