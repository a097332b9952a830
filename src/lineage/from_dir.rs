//! A directory as a proposal (`propose --from DIR`): what differs in it from the parent's tree becomes edits.

use super::error::{Error, Result};
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
        if !dir.is_dir() {
            return Err(refuse("it is not a directory".into()));
        }
        let leaves: BTreeMap<String, Leaf> = self.leaves(tree)?.into_iter().map(|l| (l.path.clone(), l)).collect();
        let mut edits = BTreeMap::new();
        for leaf in leaves.values() {
            if let Some(edit) = compare(dir, leaf, rules).map_err(|e| e.into_error(dir))? {
                edits.insert(leaf.path.clone(), edit);
            }
        }
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
            let content = bytes(dir, &path).and_then(|bytes| text(&path, bytes)).map_err(|e| e.into_error(dir))?;
            edits.insert(path.clone(), Edit::Write { path, content });
        }
        if edits.is_empty() {
            return Err(refuse("nothing in it differs from the parent's tree: edit a file in it first".into()));
        }
        if edits.len() > MOST_FILES {
            return Err(refuse(format!("{} files differ; at most {MOST_FILES} are allowed", edits.len())));
        }
        Ok(edits.into_values().collect())
    }
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

/// The edit that makes the tree's file what the directory has, if they differ.
fn compare(dir: &Path, leaf: &Leaf, rules: &Rules) -> std::result::Result<Option<Edit>, Bad> {
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
    let bytes = bytes(dir, &path)?;
    let oid =
        Oid::hash_object(ObjectType::Blob, &bytes).map_err(|source| Bad::Error(Error::Git { what: format!("reading {path}"), source }))?;
    if oid == leaf.oid {
        return Ok(None);
    }
    text(&path, bytes).map(|content| Some(Edit::Write { path, content }))
}

/// The content of a plain file. Whoever wrote the directory may still do so: what is read is what was looked at, and no link is followed,
/// be it at the end or on the way.
fn bytes(dir: &Path, path: &str) -> std::result::Result<Vec<u8>, Bad> {
    use rustix::io::Errno;
    let shown = Safe::line(path);
    let mut out = Vec::new();
    match beneath::file(dir, Path::new(path)).and_then(|mut file| file.read_to_end(&mut out)) {
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
