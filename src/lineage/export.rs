//! Takes a trial out of the store: as a directory, as a patch, or as one commit on a new branch of a repository that the user names.

use super::error::{During, Error, OnPath, Result};
use super::slot_fs;
use super::store::{Change, EXECUTABLE_MODE, GITLINK_MODE, LINK_MODE, Store, entry_at, rewrite, signature};
use git2::{ErrorCode, Repository};
use rustix::fd::AsFd as _;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// A branch that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its name.
    pub branch: String,
    /// Its one new commit, on top of the repository's HEAD.
    pub commit: String,
    /// Files that it changes.
    pub files: Vec<String>,
}

impl Store {
    /// Writes the files of a tree into a directory that is new or empty. Returns their number.
    pub fn export_dir(&self, tree: &str, into: &Path) -> Result<usize> {
        if into.symlink_metadata().is_ok() && !into.read_dir().is_ok_and(|mut d| d.next().is_none()) {
            return Err(Error::Exists(into.to_owned()));
        }
        fs::create_dir_all(into).on_path("making", into)?;
        let root = slot_fs::open_root(into).on_path("opening", into)?;
        let leaves = self.leaves(tree)?;
        for leaf in &leaves {
            let at = || into.join(&leaf.path);
            let bytes = self.blob(leaf.oid, &leaf.path)?;
            let (dirs, name) = leaf.path.rsplit_once('/').unwrap_or(("", &leaf.path));
            // From one open directory to the next: a link that the tree itself holds, or that somebody puts there meanwhile, leads nowhere.
            let dir = slot_fs::make_dirs(root.as_fd(), dirs).on_made_path("making the directory of", at)?;
            let name = OsStr::new(name);
            match leaf.mode {
                LINK_MODE => slot_fs::write_link(dir.as_fd(), name, &bytes),
                mode => slot_fs::write_file(dir.as_fd(), name, &bytes, mode == EXECUTABLE_MODE),
            }
            .on_made_path("writing", at)?;
        }
        Ok(leaves.len())
    }

    /// The difference of two trees as text that `git apply` takes, whole and byte for byte.
    pub fn export_patch(&self, from_tree: &str, to_tree: &str) -> Result<Vec<u8>> {
        let what = "making the patch";
        let (from, to) = (self.tree(from_tree)?, self.tree(to_tree)?);
        let mut options = git2::DiffOptions::new();
        options.indent_heuristic(true).show_binary(true).id_abbrev(40);
        let diff = self.repo.diff_tree_to_tree(Some(&from), Some(&to), Some(&mut options)).during(what)?;
        let mut out = Vec::new();
        diff.print(git2::DiffFormat::Patch, |_, _, line| {
            if matches!(line.origin(), '+' | '-' | ' ') {
                out.extend_from_slice(line.origin().encode_utf8(&mut [0; 4]).as_bytes());
            }
            out.extend_from_slice(line.content());
            true
        })
        .during(what)?;
        Ok(out)
    }

    /// Puts what differs between `root_tree` and `tree` as one commit on a new branch of `into_repo`, on top of its HEAD.
    ///
    /// Its index, working copy, HEAD and other refs stay as they are, and so do files that the study left out (the evaluator's).
    /// Errors: `Conflict` names the files that differ in HEAD from what the study started with; `Export` all else.
    pub fn export_branch(&self, root_tree: &str, tree: &str, message: &str, into_repo: &Path, branch: &str) -> Result<Exported> {
        let refuse = |reason: String| Error::Export { path: into_repo.to_owned(), reason };
        if !git2::Branch::name_is_valid(branch).unwrap_or(false) {
            return Err(refuse(format!("`{branch}` is not a valid branch name")));
        }
        let repo = Repository::open(into_repo).map_err(|e| match e.code() {
            ErrorCode::Owner => Error::Ownership(into_repo.to_owned()),
            ErrorCode::NotFound => refuse("it is not a git repository; use --dir or --patch".into()),
            _ => refuse(format!("{}; use --patch", e.message())),
        })?;
        if repo.find_reference(&format!("refs/heads/{branch}")).is_ok() {
            return Err(refuse(format!("the branch {branch} exists already; choose another name")));
        }
        let head = repo.head().and_then(|h| h.peel_to_commit());
        let head = head.map_err(|_| refuse("it has no commit to build on".into()))?;
        let head_tree = head.tree().during("reading HEAD")?;
        let prefix = self.imported_prefix(&repo, &head_tree)?;
        let changes = self.changes_onto(&repo, into_repo, root_tree, tree, &head_tree, &prefix)?;
        if changes.is_empty() {
            return Err(refuse("the trial changes nothing there: it is the baseline, or HEAD has the change already".into()));
        }
        let leaves: Vec<(&str, Change)> = changes.iter().map(|(p, c)| (p.as_str(), *c)).collect();
        let made = rewrite(&repo, Some(&head_tree), &leaves)?.ok_or_else(|| refuse("nothing would be left".into()))?;
        let made = repo.find_tree(made).during("reading the tree back")?;
        let who = repo.signature().or_else(|_| signature()).during("making a signature")?;
        let commit = repo.commit(None, &who, &who, message, &made, &[&head]).during("committing")?;
        let name = format!("refs/heads/{branch}");
        repo.reference(&name, commit, false, "trialdeck: export")
            .map_err(|e| refuse(format!("making the branch {branch}: {}", e.message())))?;
        Ok(Exported { branch: branch.to_owned(), commit: commit.to_string(), files: changes.into_iter().map(|(p, _)| p).collect() })
    }

    /// Where the study's root lies in the target: the imported subdirectory if the target has it, else its root.
    fn imported_prefix(&self, repo: &Repository, head_tree: &git2::Tree<'_>) -> Result<String> {
        let config = git2::Config::open(&self.dir.join("config")).during("reading the store's configuration")?;
        let prefix = config.get_string("trialdeck.prefix").unwrap_or_default();
        if prefix.is_empty() {
            return Ok(prefix);
        }
        let there = entry_at(head_tree, &prefix)?.is_some_and(|(_, oid)| repo.find_tree(oid).is_ok());
        Ok(if there { format!("{prefix}/") } else { String::new() })
    }

    /// A three-way comparison by file: what the trial changed goes onto HEAD where HEAD still has what the study started with.
    fn changes_onto(
        &self,
        repo: &Repository,
        into_repo: &Path,
        root_tree: &str,
        tree: &str,
        head_tree: &git2::Tree<'_>,
        prefix: &str,
    ) -> Result<Vec<(String, Change)>> {
        let (root, trial) = (self.tree(root_tree)?, self.tree(tree)?);
        let diff = self.repo.diff_tree_to_tree(Some(&root), Some(&trial), None).during("comparing trees")?;
        let (mut changes, mut conflicts) = (Vec::new(), Vec::new());
        for delta in diff.deltas() {
            let side = |file: git2::DiffFile<'_>| file.exists().then(|| (u32::from(file.mode()), file.id()));
            let (base, ours) = (side(delta.old_file()), side(delta.new_file()));
            let path = String::from_utf8_lossy(delta.new_file().path_bytes().unwrap_or_default()).into_owned();
            let at = format!("{prefix}{path}");
            let theirs = entry_at(head_tree, &at)?;
            if theirs == ours {
                continue;
            }
            if theirs != base || base.is_some_and(|(mode, _)| mode == GITLINK_MODE) {
                conflicts.push(at);
                continue;
            }
            let leaf = match ours {
                Some((mode, oid)) => {
                    let bytes = self.blob(oid, &path)?;
                    Some((mode, repo.blob(&bytes).during(format!("storing {path}"))?))
                }
                None => None,
            };
            changes.push((at, leaf));
        }
        if conflicts.is_empty() { Ok(changes) } else { Err(Error::Conflict { path: into_repo.to_owned(), files: conflicts }) }
    }
}
