//! Reads what a source directory holds: its tracked files and where their content lies. Writes nothing, the index included.
//!
//! libgit2 reads what it can; repositories that it does not open (SHA-256 objects, partial clones, reftable, sparse index) are read
//! by git's plumbing commands; a directory without git is walked with the rules of its ignore files.

use super::error::{Error, Result};
use super::import_plumbing::Plumbing;
use super::store::{EXECUTABLE_MODE, LINK_MODE, entry_at};
use git2::{ErrorCode, IndexEntryExtendedFlag, Oid, Repository, RepositoryOpenFlags, TreeWalkMode, TreeWalkResult};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a source holds.
pub(super) struct Checkout {
    /// The imported directory.
    pub root: PathBuf,
    /// Where it lies in its repository, without slashes at the ends; empty for the repository's root.
    pub prefix: String,
    pub tracked: Vec<Tracked>,
    /// The full hash of HEAD.
    pub revision: Option<String>,
    pub is_git: bool,
    /// Changed files as git counted them; none where the import counts.
    pub uncommitted: Option<usize>,
    /// Files of HEAD that are no longer tracked.
    pub removed: usize,
    /// The file system's executable bits mean something.
    pub trusts_modes: bool,
    pub warnings: Vec<String>,
    /// What to say when there is nothing to import.
    pub why_empty: String,
    objects: Objects,
}

/// A file that the source tracks.
pub(super) struct Tracked {
    /// Relative to the imported directory.
    pub path: Vec<u8>,
    /// The mode in the index.
    pub mode: u32,
    pub from: From,
    /// Mode and content in HEAD.
    pub head: Option<(u32, Oid)>,
    /// The same as in HEAD by git's own bookkeeping, whatever filters do to the bytes.
    pub clean: bool,
}

/// Where the content of a file lies.
pub(super) enum From {
    WorkingCopy,
    /// In the object database only: bare repositories and sparse checkouts.
    Object(String),
}

enum Objects {
    Git(Box<Repository>),
    Plumbing(Plumbing),
    None,
}

impl Checkout {
    /// The content of an object; none where it is not on this machine.
    pub(super) fn object(&self, id: &str) -> Result<Option<Vec<u8>>> {
        match &self.objects {
            Objects::Git(repo) => Ok(Oid::from_str(id).and_then(|oid| repo.find_blob(oid)).ok().map(|b| b.content().to_owned())),
            Objects::Plumbing(git) => Ok(git.blob(id)),
            Objects::None => Ok(None),
        }
    }

    /// Whether HEAD holds a Git LFS pointer for the file.
    pub(super) fn is_lfs_pointer(&self, tracked: &Tracked) -> bool {
        let (Objects::Git(repo), Some((_, oid))) = (&self.objects, tracked.head) else { return false };
        repo.find_blob(oid).is_ok_and(|b| b.size() < 1024 && b.content().starts_with(b"version https://git-lfs.github.com/spec/"))
    }
}

/// Looks at the directory (canonical). Errors: `Ownership`, `NoGit`, `Command`.
pub(super) fn open(source: &Path) -> Result<Checkout> {
    let nowhere: [&std::ffi::OsStr; 0] = [];
    match Repository::open_ext(source, RepositoryOpenFlags::empty(), nowhere) {
        Ok(repo) => with_libgit2(source, repo),
        Err(e) if e.code() == ErrorCode::NotFound => {
            if !source.ancestors().any(|dir| dir.join(".git").exists()) {
                return plain(source, Vec::new());
            }
            match with_plumbing(source, e.message()) {
                Err(Error::Command { stderr, .. }) if stderr.contains("not a git repository") => {
                    plain(source, vec!["the .git here or above is no repository: the directory is imported as it stands".into()])
                }
                other => other,
            }
        }
        Err(e) if e.code() == ErrorCode::Owner => Err(Error::Ownership(source.to_owned())),
        Err(e) => with_plumbing(source, e.message()),
    }
}

fn with_plumbing(source: &Path, reason: &str) -> Result<Checkout> {
    let git = Plumbing::open(source, reason)?;
    let listing = git.listing()?;
    if listing.tracked.is_empty() && !listing.prefix.is_empty() {
        return untracked_directory(source);
    }
    Ok(Checkout {
        root: source.to_owned(),
        prefix: listing.prefix,
        tracked: listing.tracked,
        revision: listing.revision,
        is_git: true,
        uncommitted: Some(listing.uncommitted),
        removed: 0,
        trusts_modes: true,
        warnings: listing.warnings,
        why_empty: NOTHING_TRACKED.into(),
        objects: Objects::Plumbing(git),
    })
}

const NOTHING_TRACKED: &str =
    "git tracks no file here; `git add` and commit what the run needs, or remove .git to import the directory as it stands";

fn with_libgit2(source: &Path, repo: Repository) -> Result<Checkout> {
    match read_repository(source, &repo) {
        Ok(Some(mut checkout)) => {
            checkout.objects = Objects::Git(Box::new(repo));
            Ok(checkout)
        }
        Ok(None) => untracked_directory(source),
        Err(e) => with_plumbing(source, e.message()),
    }
}

fn untracked_directory(source: &Path) -> Result<Checkout> {
    plain(source, vec!["the repository around this directory tracks none of its files: it is imported as it stands".into()])
}

/// None where `source` is a directory of the repository in which nothing is tracked.
fn read_repository(source: &Path, repo: &Repository) -> std::result::Result<Option<Checkout>, git2::Error> {
    let workdir = repo.workdir().and_then(|w| w.canonicalize().ok());
    let prefix = match &workdir {
        Some(dir) => source.strip_prefix(dir).map(|p| p.as_os_str().as_bytes().to_vec()).unwrap_or_default(),
        None => Vec::new(),
    };
    let head = match repo.head() {
        Ok(head) => Some(head.peel_to_commit()?),
        Err(e) if matches!(e.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => None,
        Err(e) => return Err(e),
    };
    let mut in_head = HashMap::new();
    if let Some(commit) = &head {
        let tree = commit.tree()?;
        let tree = if prefix.is_empty() {
            Some(tree)
        } else {
            let at = entry_at(&tree, &String::from_utf8_lossy(&prefix)).ok().flatten();
            at.and_then(|(_, oid)| repo.find_tree(oid).ok())
        };
        if let Some(tree) = tree {
            tree.walk(TreeWalkMode::PreOrder, |dir, entry| {
                if entry.kind() != Some(git2::ObjectType::Tree) {
                    in_head.insert([dir.as_bytes(), entry.name_bytes()].concat(), (entry.filemode_raw() as u32, entry.id()));
                }
                TreeWalkResult::Ok
            })?;
        }
    }
    let mut warnings = Vec::new();
    let tracked = match &workdir {
        None => in_head
            .iter()
            .map(|(path, (mode, oid))| Tracked {
                path: path.clone(),
                mode: *mode,
                from: From::Object(oid.to_string()),
                head: Some((*mode, *oid)),
                clean: true,
            })
            .collect(),
        Some(_) => index_files(repo, source, &prefix, &in_head, &mut warnings)?,
    };
    if tracked.is_empty() && in_head.is_empty() && !prefix.is_empty() {
        return Ok(None);
    }
    let known: std::collections::HashSet<&[u8]> = tracked.iter().map(|t| t.path.as_slice()).collect();
    let removed = in_head.keys().filter(|p| !known.contains(p.as_slice())).count();
    Ok(Some(Checkout {
        root: source.to_owned(),
        prefix: String::from_utf8_lossy(&prefix).into_owned(),
        revision: head.map(|c| c.id().to_string()),
        is_git: true,
        uncommitted: None,
        removed,
        trusts_modes: repo.config().and_then(|c| c.get_bool("core.filemode")).unwrap_or(true),
        warnings,
        why_empty: NOTHING_TRACKED.into(),
        objects: Objects::None,
        tracked,
    }))
}

fn index_files(
    repo: &Repository,
    source: &Path,
    prefix: &[u8],
    in_head: &HashMap<Vec<u8>, (u32, Oid)>,
    warnings: &mut Vec<String>,
) -> std::result::Result<Vec<Tracked>, git2::Error> {
    let index = repo.index()?;
    if index.has_conflicts() {
        warnings.push("a merge is not finished: conflicted files are imported as they stand in the working copy".into());
    }
    let mut out: Vec<Tracked> = Vec::with_capacity(index.len());
    for entry in index.iter() {
        let Some(path) = below(&entry.path, prefix) else { continue };
        if out.last().is_some_and(|t| t.path == path) {
            continue;
        }
        let head = in_head.get(&path).copied();
        let skipped = IndexEntryExtendedFlag::from_bits_truncate(entry.flags_extended).contains(IndexEntryExtendedFlag::SKIP_WORKTREE);
        let file = source.join(std::ffi::OsStr::from_bytes(&path));
        // A sparse checkout leaves the file out; where it is there all the same, it counts.
        let from = if skipped && file.symlink_metadata().is_err() { From::Object(entry.id.to_string()) } else { From::WorkingCopy };
        let clean = head == Some((entry.mode, entry.id)) && (matches!(from, From::Object(_)) || same_stat(&file, &entry));
        out.push(Tracked { path, mode: entry.mode, from, head, clean });
    }
    Ok(out)
}

/// Whether git's bookkeeping takes the file for unchanged: the same size, time and kind as when it was last compared.
fn same_stat(file: &Path, entry: &git2::IndexEntry) -> bool {
    file.symlink_metadata().is_ok_and(|meta| {
        let same_time = meta.mtime() == i64::from(entry.mtime.seconds()) && meta.mtime_nsec() == i64::from(entry.mtime.nanoseconds());
        let same_kind = match entry.mode {
            LINK_MODE => meta.is_symlink(),
            mode => meta.is_file() && (meta.mode() & 0o100 != 0) == (mode == EXECUTABLE_MODE),
        };
        same_time && same_kind && meta.len() == u64::from(entry.file_size)
    })
}

/// The path relative to `prefix`, where it lies below.
pub(super) fn below(path: &[u8], prefix: &[u8]) -> Option<Vec<u8>> {
    if prefix.is_empty() {
        return Some(path.to_vec());
    }
    path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(b"/")).map(<[u8]>::to_vec)
}

/// A directory without git: all its files but those that its ignore files name.
fn plain(source: &Path, warnings: Vec<String>) -> Result<Checkout> {
    let walk = ignore::WalkBuilder::new(source)
        .hidden(false)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|e| e.file_name() != ".git")
        .build();
    let mut tracked = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|e| Error::NothingToImport { path: source.to_owned(), reason: e.to_string() })?;
        if entry.file_type().is_none_or(|t| t.is_dir()) {
            continue;
        }
        let Ok(relative) = entry.path().strip_prefix(source) else { continue };
        let path = relative.as_os_str().as_bytes().to_vec();
        tracked.push(Tracked { path, mode: 0, from: From::WorkingCopy, head: None, clean: true });
    }
    Ok(Checkout {
        root: source.to_owned(),
        prefix: String::new(),
        tracked,
        revision: None,
        is_git: false,
        uncommitted: Some(0),
        removed: 0,
        trusts_modes: true,
        warnings,
        why_empty: "it holds no file, or its ignore files name them all".into(),
        objects: Objects::None,
    })
}
