//! The evaluator's own copy: `STUDY/evaluator/` with the tree that it runs in, the data that only it may read, and a list
//! of hashes that is checked before and after each evaluation.
//!
//! ```text
//! tree/            the imported repository, the evaluator's files, hidden data, hidden/ of the preparation
//! public/          what the preparation gives to every run, read-only; tree/public is a link to it
//! prepare/         run directory of the preparation
//! manifest.json    what all of it must be
//! ```

use super::fingerprint::{self, Stamp};
use crate::{
    model::{Failure, Label, Safe},
    run::durable::{self, Keep},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What can go wrong around the pristine copy.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A file could not be read or written.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A path that leaves the tree.
    #[error("`{path}` is not a path inside the repository's tree")]
    Outside {
        /// What was given.
        path: String,
    },
    /// A listed file is not what it was.
    #[error("the evaluator's copy was changed: {detail}; restore it, or start a new study")]
    Tampered {
        /// Which file, in one line.
        detail: String,
    },
    /// There is no list of hashes.
    #[error("the evaluator's copy in {} is not complete", root.display())]
    NotSealed {
        /// Where.
        root: PathBuf,
    },
}

impl EvaluateError {
    /// An error around a file.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
enum Entry {
    File { sha256: String, bytes: u64, executable: bool },
    Link { target: String },
}

type Manifest = BTreeMap<String, Entry>;

/// What a whole reading found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// How many files the list has.
    pub files: usize,
    /// One hash of the list.
    pub digest: Option<String>,
    /// Each path that is not what it must be, and what is wrong with it.
    pub wrong: Vec<(String, String)>,
}

/// The evaluator's copy.
#[derive(Debug)]
pub struct Pristine {
    root: PathBuf,
    /// The list, and the stamps of files whose hash was found right: those are not hashed again.
    sealed: Mutex<Option<(Manifest, BTreeMap<String, Stamp>)>>,
}

impl Pristine {
    /// The copy at `STUDY/evaluator`, to be filled, prepared and sealed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), sealed: Mutex::new(None) }
    }

    /// Opens a sealed copy and checks every hash.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, EvaluateError> {
        let root = root.into();
        let Some(manifest) = durable::read_json(&root.join("manifest.json")) else {
            return Err(EvaluateError::NotSealed { root });
        };
        let pristine = Self { root, sealed: Mutex::new(Some((manifest, BTreeMap::new()))) };
        pristine.check().map_err(|failure| EvaluateError::Tampered { detail: failure.detail })?;
        Ok(pristine)
    }

    /// The tree that the evaluator runs in.
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// The run directory of the preparation.
    pub fn prepare_dir(&self) -> PathBuf {
        self.root.join("prepare")
    }

    /// What every run may read, if the preparation made something.
    pub fn public(&self) -> Option<PathBuf> {
        Some(self.root.join("public")).filter(|p| p.is_dir())
    }

    /// Copies a file, or a directory with its files, to `relative` in the tree, over what lies there. Links are followed.
    pub fn add(&self, source: &Path, relative: &str) -> Result<(), EvaluateError> {
        let inside = Path::new(relative).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if !inside || relative.is_empty() {
            return Err(EvaluateError::Outside { path: relative.to_owned() });
        }
        copy(source, &self.tree().join(relative), 32)
    }

    /// Takes `public/` out of the tree, makes everything read-only and writes the list. Repeats itself harmlessly after a
    /// crash.
    pub fn seal(&self) -> Result<(), EvaluateError> {
        let (made, public) = (self.tree().join("public"), self.root.join("public"));
        // Only the preparation makes one: a directory of that name in the repository stays where it is.
        let prepared = self.prepare_dir().is_dir() && made.is_dir() && !made.is_symlink();
        if prepared && !public.exists() {
            fs::rename(&made, &public).map_err(|e| EvaluateError::io("move", &made, e))?;
        }
        if public.is_dir() && !made.exists() && !made.is_symlink() {
            symlink("../public", &made).map_err(|e| EvaluateError::io("link", &made, e))?;
        }
        let mut manifest = Manifest::new();
        let mut stamps = BTreeMap::new();
        for (name, path, meta) in self.list()? {
            if meta.is_file() {
                let mode = if meta.mode() & 0o111 == 0 { 0o444 } else { 0o555 };
                fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(|e| EvaluateError::io("protect", &path, e))?;
            }
            let meta = fs::symlink_metadata(&path).map_err(|e| EvaluateError::io("read", &path, e))?;
            manifest.insert(name.clone(), entry(&path, &meta)?);
            stamps.insert(name, Stamp::of(&meta));
        }
        if public.is_dir() {
            protect_directories(&public)?;
        }
        let path = self.root.join("manifest.json");
        durable::write_json(&path, &manifest, Keep::Durable).map_err(|e| EvaluateError::io("write", &path, e))?;
        *self.sealed.lock().unwrap_or_else(PoisonError::into_inner) = Some((manifest, stamps));
        Ok(())
    }

    /// One hash of the whole list; none before it is sealed.
    pub fn digest(&self) -> Option<String> {
        let sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let (manifest, _) = sealed.as_ref()?;
        Some(fingerprint::hex(&Sha256::digest(serde_json::to_vec(manifest).ok()?)))
    }

    /// Reads every file and compares it with the list at `root`.
    ///
    /// Errors: `NotSealed`, and what cannot be listed.
    pub fn read_whole(root: &Path) -> Result<Whole, EvaluateError> {
        let Some(manifest) = durable::read_json::<Manifest>(&root.join("manifest.json")) else {
            return Err(EvaluateError::NotSealed { root: root.to_owned() });
        };
        let pristine = Self { root: root.to_owned(), sealed: Mutex::new(Some((manifest.clone(), BTreeMap::new()))) };
        let mut wrong = Vec::new();
        let found: BTreeMap<_, _> = pristine.list()?.into_iter().map(|(name, path, meta)| (name, (path, meta))).collect();
        for (name, want) in &manifest {
            match found.get(name).map(|(path, meta)| entry(path, meta)) {
                None => wrong.push((name.clone(), "is gone".to_owned())),
                Some(Err(error)) => wrong.push((name.clone(), error.to_string())),
                Some(Ok(now)) if now != *want => wrong.push((name.clone(), "was changed".to_owned())),
                Some(Ok(_)) => {}
            }
        }
        wrong.extend(found.keys().filter(|name| !manifest.contains_key(*name)).map(|name| (name.clone(), "is new".to_owned())));
        Ok(Whole { files: manifest.len(), digest: pristine.digest(), wrong })
    }

    /// Compares everything with the list; files that the file system says are unchanged are not read again.
    ///
    /// Failures: `tampered` naming the first file that is changed, gone or new.
    pub fn check(&self) -> Result<(), Failure> {
        let tampered = |name: &str, what: &str| Failure::new(Label::Tampered, format!("evaluator/{}: {what}", Safe::line(name)));
        let unreadable = |error: EvaluateError| Failure::new(Label::Tampered, error.to_string());
        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((manifest, stamps)) = sealed.as_mut() else {
            return Err(Failure::new(Label::Infrastructure, format!("the evaluator's copy in {} is not complete", self.root.display())));
        };
        let mut seen = 0;
        for (name, path, meta) in self.list().map_err(unreadable)? {
            let Some(want) = manifest.get(&name) else {
                return Err(tampered(&name, "is new; an evaluator may write to $TMPDIR only"));
            };
            seen += 1;
            if stamps.get(&name) == Some(&Stamp::of(&meta)) {
                continue;
            }
            if entry(&path, &meta).map_err(unreadable)? != *want {
                return Err(tampered(&name, "was changed"));
            }
            stamps.insert(name, Stamp::of(&meta));
        }
        if seen < manifest.len() {
            let gone = manifest.keys().find(|name| fs::symlink_metadata(self.root.join(name)).is_err());
            return Err(tampered(gone.map_or("", String::as_str), "is gone"));
        }
        Ok(())
    }

    /// All files and links below `tree` and `public`, by their path from the root.
    fn list(&self) -> Result<Vec<(String, PathBuf, fs::Metadata)>, EvaluateError> {
        let mut found = Vec::new();
        let mut left: Vec<PathBuf> = ["tree", "public"].map(|d| self.root.join(d)).into_iter().filter(|d| d.is_dir()).collect();
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(&dir).map_err(|e| EvaluateError::io("list", &dir, e))? {
                let entry = entry.map_err(|e| EvaluateError::io("list", &dir, e))?;
                let (path, meta) = (entry.path(), entry.metadata().map_err(|e| EvaluateError::io("read", &entry.path(), e))?);
                if meta.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
                    found.push((name, path, meta));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}

fn entry(path: &Path, meta: &fs::Metadata) -> Result<Entry, EvaluateError> {
    if meta.is_symlink() {
        let target = fs::read_link(path).map_err(|e| EvaluateError::io("read", path, e))?;
        return Ok(Entry::Link { target: target.to_string_lossy().into_owned() });
    }
    let (sha256, bytes) = match meta.is_file() {
        true => File::open(path).and_then(|file| fingerprint::of_file(&file)).map_err(|e| EvaluateError::io("read", path, e))?,
        false => (String::new(), 0),
    };
    Ok(Entry::File { sha256, bytes, executable: meta.mode() & 0o111 != 0 })
}

fn copy(source: &Path, to: &Path, depth: u32) -> Result<(), EvaluateError> {
    let meta = fs::metadata(source).map_err(|e| EvaluateError::io("read", source, e))?;
    if meta.is_dir() && depth > 0 {
        fs::create_dir_all(to).map_err(|e| EvaluateError::io("make", to, e))?;
        for entry in fs::read_dir(source).map_err(|e| EvaluateError::io("list", source, e))? {
            let entry = entry.map_err(|e| EvaluateError::io("list", source, e))?;
            copy(&entry.path(), &to.join(entry.file_name()), depth - 1)?;
        }
        return Ok(());
    }
    if !meta.is_file() {
        return Err(EvaluateError::io("copy", source, io::Error::other("it is no regular file")));
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|e| EvaluateError::io("make", parent, e))?;
    }
    // What lies there may be read-only, or a link that must not be followed.
    let _ = fs::remove_file(to);
    fs::copy(source, to).map_err(|e| EvaluateError::io("copy", source, e))?;
    Ok(())
}

fn protect_directories(dir: &Path) -> Result<(), EvaluateError> {
    for entry in fs::read_dir(dir).map_err(|e| EvaluateError::io("list", dir, e))?.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            protect_directories(&entry.path())?;
        }
    }
    fs::set_permissions(dir, Permissions::from_mode(0o555)).map_err(|e| EvaluateError::io("protect", dir, e))
}

#[cfg(test)]
mod tests;
