//! The study's object store: a bare repository of ours with one private ref a trial.
//!
//! Each object and ref is synced to disk before a call returns (`core.fsyncObjectFiles`, which libgit2 reads), because the journal
//! records hashes and must never name an object that a power cut took. The store reads its own configuration file alone, so
//! nothing in the user's git configuration changes what is stored.

use super::error::{During, Error, OnPath, Result};
use super::message::Message;
use crate::model::TrialId;
use git2::{Config, ConfigLevel, ObjectType, Oid, Repository, RepositoryInitOptions, Signature, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Ref of the best trial.
const BEST: &str = "refs/trialdeck/best";

pub(super) const TREE_MODE: i32 = 0o040_000;
pub(super) const FILE_MODE: u32 = 0o100_644;
pub(super) const EXECUTABLE_MODE: u32 = 0o100_755;
pub(super) const LINK_MODE: u32 = 0o120_000;
pub(super) const GITLINK_MODE: u32 = 0o160_000;

/// The store of one study. Opening is cheap; each thread opens its own.
pub struct Store {
    pub(super) repo: Repository,
    pub(super) dir: PathBuf,
}

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the tree's root, with `/`.
    pub path: String,
    /// 0o100644, 0o100755 or 0o120000.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the content.
    pub oid: String,
}

/// A commit and its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Hash of the commit.
    pub commit: String,
    /// Hash of its tree.
    pub tree: String,
}

/// An entry as slots need it, without its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub path: String,
    pub mode: u32,
    pub oid: Oid,
}

impl Store {
    /// Makes an empty store. Errors: `Exists` where something lies already.
    pub fn create(dir: &Path) -> Result<Self> {
        if dir.read_dir().is_ok_and(|mut d| d.next().is_some()) {
            return Err(Error::Exists(dir.to_owned()));
        }
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false).initial_head("trialdeck");
        let what = || format!("making the store {}", dir.display());
        Repository::init_opts(dir, &options).during(what())?;
        let mut config = Config::open(&dir.join("config")).during(what())?;
        for (key, value) in [
            ("core.fsyncObjectFiles", "true"),
            ("core.fsync", "all"),
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("gc.auto", "0"),
            ("trialdeck.format", "1"),
        ] {
            config.set_str(key, value).during(what())?;
        }
        Self::open(dir)
    }

    /// Opens a store; writes nothing. Errors: `NotAStore`, `Ownership`.
    pub fn open(dir: &Path) -> Result<Self> {
        let repo = Repository::open_bare(dir).map_err(|e| match e.code() {
            git2::ErrorCode::Owner => Error::Ownership(dir.to_owned()),
            git2::ErrorCode::NotFound => Error::NotAStore(dir.to_owned()),
            _ => Error::Git { what: format!("opening the store {}", dir.display()), source: e },
        })?;
        let config = own_config(dir)?;
        if config.get_i32("trialdeck.format").is_err() {
            return Err(Error::NotAStore(dir.to_owned()));
        }
        repo.set_config(&config).during("configuring the store")?;
        Ok(Self { repo, dir: dir.to_owned() })
    }

    /// Removes the lock files that a killed engine left behind: they would keep its references from being written for good.
    /// The caller holds the study's journal, so that no other engine writes here.
    pub fn remove_stale_locks(&self) {
        let mut dirs = vec![self.dir.join("refs")];
        for name in ["HEAD.lock", "config.lock", "packed-refs.lock", "index.lock"] {
            let _ = std::fs::remove_file(self.dir.join(name));
        }
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    dirs.push(path);
                } else if path.extension().is_some_and(|end| end == "lock") {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
    }

    /// A second handle that does not sync each object: the import writes thousands and syncs once.
    pub(super) fn open_for_bulk(&self) -> Result<Repository> {
        let repo = Repository::open_bare(&self.dir).during("opening the store for the import")?;
        repo.set_config(&Config::new().during("configuring the store")?).during("configuring the store")?;
        Ok(repo)
    }

    /// Puts everything that a bulk handle wrote on the disk.
    pub(super) fn sync(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        {
            let dir = std::fs::File::open(&self.dir).on_path("opening", &self.dir)?;
            rustix::fs::syncfs(&dir).on_path("syncing", &self.dir)?;
        }
        #[cfg(not(target_os = "linux"))]
        rustix::fs::sync();
        Ok(())
    }

    /// All files of a tree, in git's order.
    pub fn list(&self, tree: &str) -> Result<Vec<Entry>> {
        let odb = self.repo.odb().during("opening the object database")?;
        self.leaves(tree)?
            .into_iter()
            .map(|leaf| {
                let (size, _) = odb.read_header(leaf.oid).during(format!("reading {}", leaf.path))?;
                Ok(Entry { path: leaf.path, mode: leaf.mode, size: size as u64, oid: leaf.oid.to_string() })
            })
            .collect()
    }

    /// The content of a file; none where the tree has no such file.
    pub fn read(&self, tree: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let tree = self.tree(tree)?;
        match entry_at(&tree, path)? {
            Some((mode, oid)) if mode != TREE_MODE as u32 && mode != GITLINK_MODE => self.blob(oid, path).map(Some),
            _ => Ok(None),
        }
    }

    /// Records a trial: a commit under `refs/trialdeck/trials/<id>`, on disk when this returns. A later call (a new revision, or the
    /// message with the score) moves the ref; commits of children keep the old one alive.
    pub fn commit(&self, trial: TrialId, parents: &[String], tree: &str, message: &Message) -> Result<String> {
        let tree = self.tree(tree)?;
        let parents = parents.iter().map(|p| self.find_commit(p)).collect::<Result<Vec<_>>>()?;
        let what = || format!("committing {trial}");
        let who = signature().during(what())?;
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        let commit = self.repo.commit(None, &who, &who, &message.render(), &tree, &parents).during(what())?;
        self.repo.reference(&trial_ref(trial), commit, true, "trial").during(what())?;
        Ok(commit.to_string())
    }

    /// The commit that a trial's ref names; none before its first commit.
    pub fn trial(&self, trial: TrialId) -> Result<Option<Committed>> {
        self.resolve(&trial_ref(trial))
    }

    /// Marks the best trial.
    pub fn set_best(&self, commit: &str) -> Result<()> {
        let commit = self.find_commit(commit)?;
        self.repo.reference(BEST, commit.id(), true, "best").during("marking the best trial")?;
        Ok(())
    }

    /// The commit marked as best.
    pub fn best(&self) -> Result<Option<Committed>> {
        self.resolve(BEST)
    }

    /// The tree of a commit.
    pub fn tree_of(&self, commit: &str) -> Result<String> {
        Ok(self.find_commit(commit)?.tree_id().to_string())
    }

    fn resolve(&self, name: &str) -> Result<Option<Committed>> {
        match self.repo.refname_to_id(name) {
            Ok(oid) => {
                let commit = self.repo.find_commit(oid).during(format!("reading {name}"))?;
                Ok(Some(Committed { commit: oid.to_string(), tree: commit.tree_id().to_string() }))
            }
            Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(source) => Err(Error::Git { what: format!("reading {name}"), source }),
        }
    }

    fn missing(&self, kind: &'static str, id: &str) -> Error {
        Error::Missing { kind, id: id.to_owned(), store: self.dir.clone() }
    }

    pub(super) fn find_commit(&self, id: &str) -> Result<git2::Commit<'_>> {
        let oid = Oid::from_str(id).map_err(|_| self.missing("commit", id))?;
        self.repo.find_commit(oid).map_err(|_| self.missing("commit", id))
    }

    pub(super) fn tree(&self, id: &str) -> Result<Tree<'_>> {
        let oid = Oid::from_str(id).map_err(|_| self.missing("tree", id))?;
        self.repo.find_tree(oid).map_err(|_| self.missing("tree", id))
    }

    pub(super) fn blob(&self, oid: Oid, path: &str) -> Result<Vec<u8>> {
        Ok(self.repo.find_blob(oid).during(format!("reading {path}"))?.content().to_owned())
    }

    /// All files of a tree, in git's order.
    pub(super) fn leaves(&self, tree: &str) -> Result<Vec<Leaf>> {
        let mut out = Vec::new();
        collect(&self.repo, &self.tree(tree)?, &mut String::new(), &mut out)?;
        Ok(out)
    }
}

fn own_config(dir: &Path) -> Result<Config> {
    let mut config = Config::new().during("reading the store's configuration")?;
    config.add_file(&dir.join("config"), ConfigLevel::Local, false).during("reading the store's configuration")?;
    Ok(config)
}

pub(super) fn signature() -> std::result::Result<Signature<'static>, git2::Error> {
    Signature::now("trialdeck", "trialdeck@localhost")
}

fn trial_ref(trial: TrialId) -> String {
    format!("refs/trialdeck/trials/{trial}")
}

fn collect(repo: &Repository, tree: &Tree<'_>, prefix: &mut String, out: &mut Vec<Leaf>) -> Result<()> {
    for entry in tree {
        let name = String::from_utf8_lossy(entry.name_bytes());
        let start = prefix.len();
        prefix.push_str(&name);
        if entry.kind() == Some(ObjectType::Tree) {
            let below = repo.find_tree(entry.id()).during(format!("reading {prefix}"))?;
            prefix.push('/');
            collect(repo, &below, prefix, out)?;
        } else {
            out.push(Leaf { path: prefix.clone(), mode: entry.filemode_raw() as u32, oid: entry.id() });
        }
        prefix.truncate(start);
    }
    Ok(())
}

/// Mode and hash of what lies at the path, directories too.
pub(super) fn entry_at(tree: &Tree<'_>, path: &str) -> Result<Option<(u32, Oid)>> {
    match tree.get_path(Path::new(path)) {
        Ok(entry) => Ok(Some((entry.filemode_raw() as u32, entry.id()))),
        Err(e) if e.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(source) => Err(Error::Git { what: format!("looking for {path}"), source }),
    }
}

/// Mode and content of a file to put in; none to take it out.
pub(super) type Change = Option<(u32, Oid)>;

/// Returns the tree with the files put in or taken out; none when nothing remains. Untouched directories keep their hash.
pub(super) fn rewrite(repo: &Repository, tree: Option<&Tree<'_>>, changes: &[(&str, Change)]) -> Result<Option<Oid>> {
    let what = "writing a tree";
    let mut builder = repo.treebuilder(tree).during(what)?;
    let mut below: BTreeMap<&str, Vec<(&str, Change)>> = BTreeMap::new();
    for (path, change) in changes {
        match path.split_once('/') {
            Some((first, rest)) => below.entry(first).or_default().push((rest, *change)),
            None => match change {
                Some((mode, oid)) => {
                    builder.insert(*path, *oid, *mode as i32).during(what)?;
                }
                None => {
                    if builder.get(*path).during(what)?.is_some() {
                        builder.remove(*path).during(what)?;
                    }
                }
            },
        }
    }
    for (name, changes) in below {
        let existing = match builder.get(name).during(what)? {
            Some(entry) if entry.kind() == Some(ObjectType::Tree) => Some(repo.find_tree(entry.id()).during(what)?),
            _ => None,
        };
        match rewrite(repo, existing.as_ref(), &changes)? {
            Some(oid) => {
                builder.insert(name, oid, TREE_MODE).during(what)?;
            }
            None if existing.is_some() => builder.remove(name).during(what)?,
            None => {}
        }
    }
    if builder.is_empty() { Ok(None) } else { builder.write().during(what).map(Some) }
}
