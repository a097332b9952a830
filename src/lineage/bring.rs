//! Brings the code of another program's history into the study's store: commits of a user's repository, or single files.
//!
//! Only into a store that is being made: objects and refs are written unsynced and synced once at the end. The user's repository is
//! only read. Files that `exclude` covers reach neither a tree nor the object database; where that leaves a tree as it was, its
//! commit keeps its hash, so that what the user's table names is what the study shows.

use super::error::{During, Error, OnPath, Result};
use super::message::Message;
use super::rules::Patterns;
use super::store::{Committed, FILE_MODE, Store, TREE_MODE, signature};
use crate::model::TrialId;
use git2::{ObjectType, Oid, Repository};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Hash of the tree without files.
pub const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// A user's repository that a history is brought from.
pub struct Foreign {
    repo: Repository,
    root: PathBuf,
}

/// A commit of it, as it lies in the store now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Its tree, without what was excluded.
    pub tree: String,
    /// Its commit under its own hash; none where something was excluded from its tree.
    pub commit: Option<String>,
}

/// A single file as the tree of a trial.
pub struct Single<'a> {
    /// The trial.
    pub trial: TrialId,
    /// Places in the list of the trials it builds on, each before its own.
    pub parents: Vec<usize>,
    /// The file's content.
    pub content: &'a str,
    /// The commit's message.
    pub message: Message,
}

impl Foreign {
    /// The repository that a directory lies in. Errors: `Ownership`, and git's own where there is none.
    pub fn discover(dir: &Path) -> Result<Self> {
        let repo = Repository::discover(dir).map_err(|e| match e.code() {
            git2::ErrorCode::Owner => Error::Ownership(dir.to_owned()),
            git2::ErrorCode::NotFound => {
                let reason = "no git repository lies here or above; name one with --repo DIR".to_owned();
                Error::NothingToImport { path: dir.to_owned(), reason }
            }
            _ => Error::Git { what: format!("opening {}", dir.display()), source: e },
        })?;
        // Without the slash that git ends it with.
        let root = repo.workdir().unwrap_or_else(|| repo.path()).components().collect();
        Ok(Self { repo, root })
    }

    /// Its working directory, or the repository itself where it is bare.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names of its local branches, and of remote ones with their remote.
    pub fn branches(&self) -> Vec<String> {
        let Ok(all) = self.repo.branches(None) else { return Vec::new() };
        all.flatten().filter_map(|(branch, _)| branch.name().ok().flatten().map(str::to_owned)).collect()
    }

    /// The commit that a short or whole hash names; none where it is gone, as those of discarded trials may be.
    fn commit(&self, name: &str) -> Option<git2::Commit<'_>> {
        let hash = (4..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
        if !hash {
            return None;
        }
        self.repo.revparse_single(name).ok()?.peel_to_commit().ok()
    }
}

impl Store {
    /// Copies the commits that are there with their trees, without their history.
    pub fn bring(&self, source: &Foreign, names: &[String], exclude: &[String]) -> Result<Vec<Option<Brought>>> {
        let exclude = Patterns::new(exclude)?;
        let bulk = self.open_for_bulk()?;
        let mut copy = Copy { from: &source.repo, to: &bulk, exclude: &exclude, seen: HashMap::new() };
        let mut brought = Vec::with_capacity(names.len());
        let mut graph: Vec<(Oid, Vec<Oid>)> = Vec::new();
        for name in names {
            let Some(commit) = source.commit(name) else {
                brought.push(None);
                continue;
            };
            let Some(tree) = copy.tree(commit.tree_id(), "")? else {
                brought.push(None);
                continue;
            };
            let whole = tree == commit.tree_id();
            if whole {
                copy.object(commit.id())?;
                graph.push((commit.id(), commit.parent_ids().collect()));
            }
            brought.push(Some(Brought { tree: tree.to_string(), commit: whole.then(|| commit.id().to_string()) }));
        }
        let here: BTreeSet<Oid> = graph.iter().map(|(id, _)| *id).collect();
        // Git takes a commit for a root where this file says so.
        let cut: BTreeSet<String> =
            graph.iter().filter(|(_, parents)| parents.iter().any(|p| !here.contains(p))).map(|(id, _)| format!("{id}\n")).collect();
        if !cut.is_empty() {
            let path = self.dir.join("shallow");
            std::fs::write(&path, cut.into_iter().collect::<String>()).on_path("writing", &path)?;
        }
        self.finished()?;
        Ok(brought)
    }

    /// Names the commits of trials, the last as the best where there is one.
    pub fn name_commits(&self, trials: &[(TrialId, String)], best: Option<&str>) -> Result<()> {
        let bulk = self.open_for_bulk()?;
        let name = |name: &str, commit: &str| -> Result<()> {
            let oid = Oid::from_str(commit).during("reading a hash")?;
            bulk.reference(name, oid, true, "import").during("naming a commit")?;
            Ok(())
        };
        for (trial, commit) in trials {
            name(&format!("refs/trialdeck/trials/{trial}"), commit)?;
        }
        if let Some(best) = best {
            name("refs/trialdeck/best", best)?;
        }
        self.finished()
    }

    /// Commits trees of one file each, named `file`.
    pub fn commit_singles(&self, file: &str, singles: &[Single<'_>]) -> Result<Vec<Committed>> {
        let bulk = self.open_for_bulk()?;
        let what = "storing imported code";
        let who = signature().during(what)?;
        let mut made: Vec<(Oid, Oid)> = Vec::with_capacity(singles.len());
        for single in singles {
            let blob = bulk.blob(single.content.as_bytes()).during(what)?;
            let mut builder = bulk.treebuilder(None).during(what)?;
            builder.insert(file, blob, FILE_MODE as i32).during(what)?;
            let tree = builder.write().during(what)?;
            let parents: Vec<git2::Commit<'_>> =
                single.parents.iter().filter_map(|p| made.get(*p)).filter_map(|(commit, _)| bulk.find_commit(*commit).ok()).collect();
            let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
            let tree_object = bulk.find_tree(tree).during(what)?;
            let commit = bulk.commit(None, &who, &who, &single.message.render(), &tree_object, &parents).during(what)?;
            made.push((commit, tree));
        }
        self.finished()?;
        Ok(made.into_iter().map(|(commit, tree)| Committed { commit: commit.to_string(), tree: tree.to_string() }).collect())
    }

    /// Stores the tree without files, which a fresh draft is compared with.
    pub fn add_empty_tree(&self) -> Result<()> {
        let what = "storing the empty tree";
        self.repo.treebuilder(None).during(what)?.write().during(what)?;
        Ok(())
    }

    fn finished(&self) -> Result<()> {
        self.sync()?;
        self.repo.odb().and_then(|o| o.refresh()).during("reading the import back")
    }
}

/// A copy of objects from one repository to another.
struct Copy<'a> {
    from: &'a Repository,
    to: &'a Repository,
    exclude: &'a Patterns,
    /// Trees by their path and hash, with what became of them.
    seen: HashMap<(String, Oid), Option<Oid>>,
}

impl Copy<'_> {
    fn object(&self, id: Oid) -> Result<()> {
        let what = || format!("copying {id}");
        let to = self.to.odb().during(what())?;
        if to.exists(id) {
            return Ok(());
        }
        let from = self.from.odb().during(what())?;
        let object = from.read(id).during(what())?;
        to.write(object.kind(), object.data()).during(what())?;
        Ok(())
    }

    /// The tree with everything below it; none when nothing of it remains.
    fn tree(&mut self, id: Oid, prefix: &str) -> Result<Option<Oid>> {
        let key = (prefix.to_owned(), id);
        if let Some(known) = self.seen.get(&key) {
            return Ok(*known);
        }
        let from = self.from;
        let tree = from.find_tree(id).during(format!("reading tree {id}"))?;
        let what = "writing a tree";
        let mut builder = self.to.treebuilder(None).during(what)?;
        let mut changed = false;
        for entry in &tree {
            let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name_bytes()));
            if self.exclude.covers(&path) {
                changed = true;
                continue;
            }
            let (target, mode) = match entry.kind() {
                Some(ObjectType::Tree) => match self.tree(entry.id(), &format!("{path}/"))? {
                    Some(below) => (below, TREE_MODE),
                    None => {
                        changed = true;
                        continue;
                    }
                },
                Some(ObjectType::Blob) => {
                    self.object(entry.id())?;
                    (entry.id(), entry.filemode_raw())
                }
                // A submodule is a commit that lies elsewhere.
                _ => {
                    changed = true;
                    continue;
                }
            };
            changed |= target != entry.id();
            builder.insert(entry.name_bytes(), target, mode).during(what)?;
        }
        let written = if !changed {
            self.object(id)?;
            Some(id)
        } else if builder.is_empty() {
            None
        } else {
            Some(builder.write().during(what)?)
        };
        self.seen.insert(key, written);
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(dir: &Path, args: &[&str]) -> String {
        let out = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
            .args(args)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    fn commit(dir: &Path, lr: &str) -> String {
        std::fs::create_dir_all(dir.join("lib")).unwrap();
        std::fs::write(dir.join("train.py"), format!("LR = {lr}\n")).unwrap();
        std::fs::write(dir.join("lib/truth.txt"), "42\n").unwrap();
        git(dir, &["add", "-A"]);
        git(dir, &["commit", "-q", "-m", lr]);
        git(dir, &["rev-parse", "--short=7", "HEAD"])
    }

    #[test]
    fn commits_keep_their_hashes_and_lose_their_history() {
        let tmp = tempfile::tempdir().unwrap();
        let user = tmp.path().join("user");
        std::fs::create_dir(&user).unwrap();
        git(&user, &["init", "-q", "-b", "main"]);
        let old = commit(&user, "0.1");
        let base = commit(&user, "0.2");
        let kept = commit(&user, "0.3");
        let gone = commit(&user, "0.4");
        git(&user, &["reset", "-q", "--hard", "HEAD~1"]);
        let foreign = Foreign::discover(&user.join("lib")).unwrap();
        assert_eq!(foreign.branches(), ["main"]);
        let store = Store::create(&tmp.path().join("repo.git")).unwrap();
        let names: Vec<String> = [&base, &kept, &gone, "fffffff", "HEAD"].map(str::to_owned).to_vec();
        let brought = store.bring(&foreign, &names, &[]).unwrap();
        // A commit that was reset away is there as long as git keeps it; a name that is no hash is none.
        assert_eq!(brought.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false, false]);
        let first = brought[0].clone().unwrap();
        assert!(first.commit.clone().unwrap().starts_with(&base));
        assert_eq!(store.read(&first.tree, "train.py").unwrap().unwrap(), b"LR = 0.2\n");
        let named: Vec<(TrialId, String)> =
            brought.iter().flatten().enumerate().map(|(n, b)| (TrialId(n as u32), b.commit.clone().unwrap())).collect();
        store.name_commits(&named, named.get(1).map(|(_, c)| c.as_str())).unwrap();
        assert!(store.best().unwrap().unwrap().commit.starts_with(&kept));
        let bare = tmp.path().join("repo.git");
        git(&bare, &["fsck", "--full", "--strict"]);
        assert_eq!(git(&bare, &["log", "--format=%h", "--abbrev=7", "refs/trialdeck/trials/t0001"]), format!("{kept}\n{base}"));
        assert!(!git(&bare, &["cat-file", "--batch-all-objects", "--batch-check"]).contains(&old));
    }

    #[test]
    fn what_is_excluded_reaches_no_object() {
        let tmp = tempfile::tempdir().unwrap();
        let user = tmp.path().join("user");
        std::fs::create_dir(&user).unwrap();
        git(&user, &["init", "-q", "-b", "main"]);
        let base = commit(&user, "0.2");
        let truth = git(&user, &["rev-parse", "HEAD:lib/truth.txt"]);
        let store = Store::create(&tmp.path().join("repo.git")).unwrap();
        let brought = store.bring(&Foreign::discover(&user).unwrap(), &[base], &["lib/truth.txt".into()]).unwrap();
        let first = brought[0].clone().unwrap();
        assert_eq!(first.commit, None);
        assert_eq!(store.list(&first.tree).unwrap().iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["train.py"]);
        assert!(!git(&tmp.path().join("repo.git"), &["cat-file", "--batch-all-objects", "--batch-check"]).contains(&truth));
    }

    #[test]
    fn single_files_become_trees_with_their_parents() {
        let tmp = tempfile::tempdir().unwrap();
        let store = Store::create(&tmp.path().join("repo.git")).unwrap();
        let single = |n: u32, parents: Vec<usize>, content: &'static str| Single {
            trial: TrialId(n),
            parents,
            content,
            message: Message::new(TrialId(n), "a plan", "aide"),
        };
        let made = store.commit_singles("solution.py", &[single(0, vec![], "a\n"), single(1, vec![0], "b\n")]).unwrap();
        let diff = store.diff(&made[0].tree, &made[1].tree, &crate::model::DiffOptions::default()).unwrap();
        assert_eq!((diff.stat.files, diff.stat.added, diff.stat.removed), (1, 1, 1));
        store.add_empty_tree().unwrap();
        let whole = store.diff(EMPTY_TREE, &made[0].tree, &crate::model::DiffOptions::default()).unwrap();
        assert_eq!((whole.stat.added, whole.stat.removed), (1, 0));
    }
}
