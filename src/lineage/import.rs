//! Brings a repository or a plain directory into the study's store, as a root commit without a parent.
//!
//! What is imported is what the researcher's own run would see: the tracked files with the bytes of the working copy. Evaluator
//! files and hidden data are left out by path, so that neither a tree nor the history of the store holds them. The source is only read.

use super::checkout::{self, Checkout, From, Tracked};
use super::error::{During, Error, OnPath, Result};
use super::rules::Patterns;
use super::store::{EXECUTABLE_MODE, FILE_MODE, GITLINK_MODE, LINK_MODE, Store, signature};
use crate::model::{Safe, TrialId};
use git2::{Index, IndexEntry, IndexTime, Oid, Repository};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Largest file that is imported, in MB.
const LARGEST_MB: u64 = 512;
/// How a Git LFS pointer begins.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Most names in one warning.
const MOST_NAMES: usize = 5;

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The root commit, on the ref of trial t0000.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// Path, short revision and uncommitted changes, for people.
    pub summary: String,
    /// The source's commit, where it has one.
    pub revision: Option<String>,
    /// Tracked files that differ from that commit, removed ones included.
    pub uncommitted: usize,
    /// Files imported.
    pub files: usize,
    /// What was left out or looks wrong, a line each.
    pub warnings: Vec<String>,
}

/// Names collected for one warning a kind.
#[derive(Default)]
struct Left {
    excluded: usize,
    submodules: Vec<String>,
    outward_links: Vec<String>,
    pointers: Vec<String>,
    names: Vec<String>,
    special: Vec<String>,
    unavailable: Vec<String>,
    reserved: usize,
}

impl Store {
    /// Imports `source` without what `exclude` covers (paths or globs relative to the imported root).
    ///
    /// A git repository gives its HEAD with uncommitted changes of tracked files (staged, unstaged, removed), a directory inside of
    /// one its part of that, any other directory all its files but ignored ones. Errors: `NothingToImport`, `Ownership`, `TooLarge`, …
    pub fn import(&self, source: &Path, exclude: &[String]) -> Result<Imported> {
        let exclude = Patterns::new(exclude)?;
        let source = fs::canonicalize(source).on_path("opening", source)?;
        if !source.is_dir() {
            return Err(Error::NothingToImport { path: source, reason: "it is not a directory".into() });
        }
        let checkout = checkout::open(&source)?;
        let bulk = self.open_for_bulk()?;
        let mut left = Left::default();
        let mut index = Index::new().during("making an index")?;
        let (mut files, mut changed) = (0, 0);
        for tracked in &checkout.tracked {
            let Some(path) = usable_path(tracked, &mut left) else { continue };
            if exclude.covers(&path) {
                left.excluded += 1;
                continue;
            }
            let found = match content(&checkout, tracked, &path, &mut left)? {
                Sight::File(found) => found,
                Sight::Gone => {
                    changed += usize::from(tracked.head.is_some());
                    continue;
                }
                Sight::LeftOut => continue,
            };
            let oid = bulk.blob(&found.bytes).during(format!("storing {path}"))?;
            changed += usize::from(!tracked.clean && !found.is_lfs_content && tracked.head != Some((found.mode, oid)));
            index.add(&index_entry(&path, found.mode, oid)).during(format!("adding {path}"))?;
            files += 1;
        }
        if files == 0 {
            let reason =
                if left.excluded > 0 { "every file is excluded as the evaluator's".to_owned() } else { checkout.why_empty.clone() };
            return Err(Error::NothingToImport { path: source, reason });
        }
        let tree = index.write_tree_to(&bulk).during("writing the tree")?;
        let uncommitted = checkout.uncommitted.unwrap_or(changed + checkout.removed);
        let summary = summary(&source, &checkout, uncommitted, files);
        let commit = commit_root(&bulk, tree, &summary)?;
        self.remember_prefix(&checkout.prefix)?;
        self.sync()?;
        // Through the syncing handle, and last: a ref never names what is not on disk.
        let name = format!("refs/trialdeck/trials/{}", TrialId::BASELINE);
        self.repo.odb().and_then(|o| o.refresh()).during("reading the import back")?;
        self.repo.reference(&name, commit, true, "import").during("recording the import")?;
        let mut warnings = checkout.warnings.clone();
        warnings.extend(left.warnings());
        let (commit, tree) = (commit.to_string(), tree.to_string());
        Ok(Imported { commit, tree, summary, revision: checkout.revision, uncommitted, files, warnings })
    }

    /// Where the imported root lies in its repository, for `export_branch`.
    fn remember_prefix(&self, prefix: &str) -> Result<()> {
        let mut config = git2::Config::open(&self.dir.join("config")).during("noting the imported directory")?;
        config.set_str("trialdeck.prefix", prefix).during("noting the imported directory")
    }
}

fn commit_root(repo: &Repository, tree: Oid, summary: &str) -> Result<Oid> {
    let tree = repo.find_tree(tree).during("reading the tree back")?;
    let who = signature().during("committing the import")?;
    let message = format!("Baseline: {}\n\nTrial: {}\n", Safe::line(summary), TrialId::BASELINE);
    repo.commit(None, &who, &who, &message, &tree, &[]).during("committing the import")
}

fn summary(source: &Path, checkout: &Checkout, uncommitted: usize, files: usize) -> String {
    let path = Safe::line(&source.to_string_lossy());
    let changes = match uncommitted {
        0 => String::new(),
        1 => ", +1 uncommitted file".to_owned(),
        n => format!(", +{n} uncommitted files"),
    };
    match (&checkout.revision, checkout.is_git) {
        (Some(revision), _) => format!("{path} at {}{changes}", revision.chars().take(8).collect::<String>()),
        (None, true) => format!("{path}, tracked but not committed yet, {files} files"),
        (None, false) => format!("{path} as it stands, {files} files"),
    }
}

fn index_entry(path: &str, mode: u32, id: Oid) -> IndexEntry {
    let time = IndexTime::new(0, 0);
    let path = path.as_bytes().to_vec();
    IndexEntry { ctime: time, mtime: time, dev: 0, ino: 0, mode, uid: 0, gid: 0, file_size: 0, id, flags: 0, flags_extended: 0, path }
}

/// The path, unless nothing of that kind or name is imported.
fn usable_path(tracked: &Tracked, left: &mut Left) -> Option<String> {
    let shown = || Safe::bytes(&tracked.path).into_string();
    if tracked.mode == GITLINK_MODE {
        left.submodules.push(shown());
        return None;
    }
    let Ok(path) = String::from_utf8(tracked.path.clone()) else {
        left.names.push(shown());
        return None;
    };
    if path.split('/').any(|c| c.eq_ignore_ascii_case(".git")) {
        left.names.push(shown());
        return None;
    }
    if path.split('/').next() == Some(".trialdeck") {
        left.reserved += 1;
        return None;
    }
    Some(path)
}

struct Found {
    bytes: Vec<u8>,
    mode: u32,
    /// Git holds a pointer, the working copy the content.
    is_lfs_content: bool,
}

/// What the researcher sees at a tracked path.
enum Sight {
    File(Found),
    /// Removed, or something else in its place.
    Gone,
    /// There, but nothing to import; a warning names it.
    LeftOut,
}

fn content(checkout: &Checkout, tracked: &Tracked, path: &str, left: &mut Left) -> Result<Sight> {
    let sight = match &tracked.from {
        From::Object(id) => match checkout.object(id)? {
            Some(bytes) => Sight::File(Found { bytes, mode: tracked.mode, is_lfs_content: false }),
            None => {
                left.unavailable.push(path.to_owned());
                Sight::LeftOut
            }
        },
        From::WorkingCopy => working_copy(checkout, tracked, path, left)?,
    };
    let Sight::File(mut found) = sight else { return Ok(sight) };
    if found.mode == LINK_MODE {
        if !stays_inside(path, &found.bytes) {
            left.outward_links.push(path.to_owned());
            return Ok(Sight::LeftOut);
        }
    } else if found.bytes.len() < 1024 && found.bytes.starts_with(LFS) {
        left.pointers.push(path.to_owned());
    } else if !tracked.clean {
        found.is_lfs_content = checkout.is_lfs_pointer(tracked);
    }
    Ok(Sight::File(found))
}

fn working_copy(checkout: &Checkout, tracked: &Tracked, path: &str, left: &mut Left) -> Result<Sight> {
    let file = checkout.root.join(path);
    // A directory that became a symbolic link no longer holds its files, as git sees it.
    let mut above = checkout.root.clone();
    for component in Path::new(path).parent().into_iter().flat_map(Path::components) {
        above.push(component);
        if above.symlink_metadata().map_or(true, |m| !m.is_dir()) {
            return Ok(Sight::Gone);
        }
    }
    let Ok(meta) = file.symlink_metadata() else { return Ok(Sight::Gone) };
    if meta.is_symlink() {
        let target = fs::read_link(&file).on_path("reading", &file)?;
        return Ok(Sight::File(Found { bytes: target.as_os_str().as_bytes().to_vec(), mode: LINK_MODE, is_lfs_content: false }));
    }
    if meta.is_dir() {
        return Ok(Sight::Gone);
    }
    if !meta.is_file() {
        left.special.push(path.to_owned());
        return Ok(Sight::LeftOut);
    }
    if meta.len() > LARGEST_MB * 1_000_000 {
        return Err(Error::TooLarge { path: path.to_owned(), megabytes: meta.len() / 1_000_000, limit: LARGEST_MB });
    }
    let executable = if checkout.trusts_modes { meta.mode() & 0o100 != 0 } else { tracked.mode == EXECUTABLE_MODE };
    let bytes = fs::read(&file).on_path("reading", &file)?;
    let mode = if executable { EXECUTABLE_MODE } else { FILE_MODE };
    Ok(Sight::File(Found { bytes, mode, is_lfs_content: false }))
}

/// Whether a symbolic link leads to a place in the tree. `..` is taken only at the front: after a name it could leave through another link.
fn stays_inside(path: &str, target: &[u8]) -> bool {
    let Ok(target) = std::str::from_utf8(target) else { return false };
    if target.starts_with('/') || target.is_empty() || target.contains('\0') {
        return false;
    }
    let mut depth = path.matches('/').count();
    let mut named = false;
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." if named || depth == 0 => return false,
            ".." => depth -= 1,
            _ => named = true,
        }
    }
    true
}

impl Left {
    fn warnings(self) -> Vec<String> {
        let list = |names: &[String]| {
            let more = names.len().saturating_sub(MOST_NAMES);
            let shown: Vec<&str> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
            Safe::line(&format!("{}{}", shown.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })).into_string()
        };
        let mut out = Vec::new();
        let mut warn = |names: &[String], text: &str| {
            if !names.is_empty() {
                out.push(format!("{text}: {}", list(names)));
            }
        };
        warn(&self.submodules, "submodules are not imported");
        warn(&self.pointers, "Git LFS pointers without their content (run `git lfs pull` first if the run needs them)");
        warn(&self.outward_links, "symbolic links that lead out of the repository are not imported");
        warn(&self.names, "file names that are not UTF-8, or git's own, are not imported");
        warn(&self.special, "neither files nor links, not imported");
        warn(&self.unavailable, "their content is not on this machine (sparse or partial clone), not imported");
        if self.reserved > 0 {
            out.push(format!(".trialdeck is trialdeck's own: {} file(s) are not imported", self.reserved));
        }
        out
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
