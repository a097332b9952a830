//! `[[data]]`: what a task grants to its runs. Large data stay where they are: a run sees a link at the same place, and the
//! original is neither copied nor touched.

use crate::task::{Data, Task};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A file of this size takes a moment to read whole: people are told.
const LARGE: u64 = 1 << 30;
/// Directories below one another that are looked through for what the tree does not have.
const DEPTH: u32 = 16;

/// What the file system says of an unchanged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
    device: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self { bytes: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()), inode: meta.ino(), device: meta.dev() })
    }
}

/// Data that runs may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// As the task names it.
    pub path: String,
    /// The original.
    pub at: PathBuf,
    /// Its place in the repository's tree, where it lies inside.
    pub inside: Option<String>,
    /// Its hash and what the file system said of it then.
    pub sha256: Option<(String, Stamp)>,
}

impl Grant {
    /// Whether the original is still what the study was made with; in words when it is not.
    pub fn check(&self) -> Result<(), String> {
        let gone = |e: std::io::Error| format!("data {} cannot be read any more: {} ({e})", self.path, self.at.display());
        let now = Stamp::of(&self.at).map_err(gone)?;
        match &self.sha256 {
            Some((want, then)) if *then != now => {
                let found = hash(&self.at).map_err(gone)?;
                if found == *want {
                    return Ok(());
                }
                Err(format!("data {} was changed since the study was made: its sha256 is {found}, not {want}", self.path))
            }
            _ => Ok(()),
        }
    }
}

/// Looks at all data of a task: is it there, is it what its hash says. `cache` remembers hashes; `say` tells of long reading.
///
/// Errors: in words, which data and what to do.
pub fn resolve(task: &Task, base: &Path, source: &Path, cache: Option<&Path>, say: &dyn Fn(&str)) -> anyhow::Result<Vec<Grant>> {
    let mut grants = Vec::new();
    for data in &task.data {
        let at = original(base, &data.path)?;
        no_more_than_data(&data.path, &at, source)?;
        let meta = fs::metadata(&at).map_err(|error| {
            let mend = "put it there, link it there, or correct `path` of [[data]] (relative to task.toml)";
            anyhow::anyhow!("data {} is missing: {} ({error}); {mend}", data.path, at.display())
        })?;
        let sha256 = match &data.sha256 {
            Some(_) if meta.is_dir() => {
                anyhow::bail!("data {} is a directory: `sha256` is the hash of one file; name the files, or leave it out", data.path)
            }
            Some(want) => Some((want.clone(), verified(data, want, &at, cache, say)?)),
            None => None,
        };
        if !data.hidden {
            let inside = at.strip_prefix(source).ok().and_then(super::create::plain);
            grants.push(Grant { path: data.path.clone(), at, inside, sha256 });
        }
    }
    for path in &task.sandbox.read {
        let at = original(base, path)?;
        no_more_than_data(path, &at, source)?;
        fs::metadata(&at).map_err(|error| anyhow::anyhow!("{} of [sandbox] read is missing: {} ({error})", path, at.display()))?;
        grants.push(Grant { path: path.clone(), at, inside: None, sha256: None });
    }
    Ok(grants)
}

/// Refuses to grant the repository itself, or what holds it: the evaluator's files and hidden data lie there.
fn no_more_than_data(path: &str, at: &Path, source: &Path) -> anyhow::Result<()> {
    let real = at.canonicalize().unwrap_or_else(|_| at.to_owned());
    anyhow::ensure!(
        !source.starts_with(&real),
        "{path} cannot be granted to runs: it is, or holds, the repository with the evaluator's files; name the data themselves"
    );
    Ok(())
}

/// The absolute path, links above the last part followed: a link to a large disk stays a link.
pub(super) fn original(base: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let whole = std::path::absolute(base.join(path))?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else { return Ok(whole) };
    Ok(parent.canonicalize().unwrap_or_else(|_| parent.to_owned()).join(name))
}

fn verified(data: &Data, want: &str, at: &Path, cache: Option<&Path>, say: &dyn Fn(&str)) -> anyhow::Result<Stamp> {
    let stamp = Stamp::of(at).with_context(|| format!("data {}", data.path))?;
    let name: String = Sha256::digest(at.as_os_str().as_encoded_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let known = cache.map(|c| c.join("data").join(format!("{name}.json")));
    let remembered: Option<(Stamp, String)> = known.as_ref().and_then(|path| crate::run::durable::read_json(path));
    let found = match remembered {
        Some((then, hash)) if then == stamp => hash,
        _ => {
            if stamp.bytes > LARGE {
                say(&format!("reading data {} for its sha256 ({:.1} GiB)", data.path, stamp.bytes as f64 / LARGE as f64));
            }
            let hash = hash(at).with_context(|| format!("data {}: {} cannot be read", data.path, at.display()))?;
            if let Some(path) = known.as_ref().filter(|p| p.parent().is_some_and(|d| fs::create_dir_all(d).is_ok())) {
                // Forgotten hashes are read again: a cache that cannot be written is no error.
                let _ = crate::run::durable::write_json(path, &(stamp, &hash), crate::run::durable::Keep::Whole);
            }
            hash
        }
    };
    anyhow::ensure!(
        found == want,
        "data {} is not what the task expects: the sha256 of {} is {found}, [[data]] says {want}; get the right file, or correct `sha256`",
        data.path,
        at.display()
    );
    Ok(stamp)
}

/// The sha256 of a file's content.
pub(super) fn hash(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect()),
            n => hash.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// Links that a working directory needs so that granted data lie where the repository has them: place in the tree, original.
///
/// `taken` are paths that the tree has itself, or that runs must not see: a directory that holds some of them is linked
/// piece by piece around them.
pub fn links(grants: &[Grant], taken: &BTreeSet<String>) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for grant in grants {
        if let Some(inside) = &grant.inside {
            around(inside, &grant.at, taken, DEPTH, &mut found);
        }
    }
    found.sort();
    found.dedup();
    // Below a directory that is linked whole nothing is to be linked: it would be put into the original.
    let places: BTreeSet<String> = found.iter().map(|(place, _)| place.clone()).collect();
    let covered = |place: &str| place.match_indices('/').any(|(at, _)| place.get(..at).is_some_and(|above| places.contains(above)));
    found.retain(|(place, _)| !covered(place));
    found
}

/// A directory without what nobody may see of it: itself, or what lies in it beside that.
pub(super) fn around_shut(at: &Path, shut: &[PathBuf]) -> Vec<PathBuf> {
    let real = at.canonicalize().unwrap_or_else(|_| at.to_owned());
    if shut.contains(&real) {
        return Vec::new();
    }
    if !shut.iter().any(|s| s.starts_with(&real)) {
        return vec![at.to_owned()];
    }
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    // A link leads to what is not granted by it.
    let inside = entries.filter(|e| e.file_type().is_ok_and(|kind| !kind.is_symlink())).map(|e| e.path());
    inside.flat_map(|path| around_shut(&path, shut)).collect()
}

fn around(place: &str, at: &Path, taken: &BTreeSet<String>, depth: u32, found: &mut Vec<(String, PathBuf)>) {
    if taken.contains(place) || place.split('/').any(|part| part == ".git") {
        return;
    }
    let below = format!("{place}/");
    let mixed = taken.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below));
    if !mixed || depth == 0 {
        found.push((place.to_owned(), at.to_owned()));
        return;
    }
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str() {
            around(&format!("{below}{name}"), &entry.path(), taken, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(data: &str) -> Task {
        let text = format!(
            "[task]\nname=\"t\"\nmetric=\"loss\"\ngoal=\"minimize\"\n[run]\ncommand=\"true\"\n[budget]\nwall=\"1m\"\n[evaluator]\ncommand=\"true\"\n{data}"
        );
        crate::task::parse(&text, "task.toml").unwrap().task
    }

    #[test]
    fn what_is_hidden_in_a_directory_is_not_granted_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for path in ["data/train/a", "data/test/x", "data/test/labels", "data/labels"] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("data/labels"), root.join("data/link")).unwrap();
        let shut = ["data/labels", "data/test/labels", "study"].map(|p| root.join(p));
        let granted = |path: &str| {
            let mut found = around_shut(&root.join(path), &shut);
            found.sort();
            found
        };
        assert_eq!(granted("data"), ["data/test/x", "data/train"].map(|p| root.join(p)));
        assert_eq!(granted("data/train"), [root.join("data/train")]);
        assert!(granted("data/labels").is_empty() && granted("data/link").is_empty());
    }

    #[test]
    fn data_are_looked_for_and_their_hash_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let repo = root.join("repo");
        fs::create_dir_all(repo.join("dataset")).unwrap();
        fs::write(repo.join("dataset/a.csv"), "abc").unwrap();
        fs::write(root.join("outside.csv"), "x").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let cache = root.join("cache");
        let look = |data: &str| resolve(&task(data), &repo, &repo, Some(&cache), &|_| {}).map_err(|e| e.to_string());
        let all = format!(
            "[[data]]\npath=\"dataset/a.csv\"\nsha256=\"{abc}\"\n[[data]]\npath=\"../outside.csv\"\n[[data]]\npath=\"dataset\"\nhidden=true\n"
        );
        let grants = look(&all).unwrap();
        let places: Vec<_> = grants.iter().map(|g| (g.inside.as_deref(), g.at.clone())).collect();
        assert_eq!(places, [(Some("dataset/a.csv"), repo.join("dataset/a.csv")), (None, root.join("outside.csv"))]);
        assert_eq!(fs::read_dir(cache.join("data")).unwrap().count(), 1);
        for (data, want) in [
            ("[[data]]\npath=\"gone.csv\"\n", "data gone.csv is missing"),
            ("[[data]]\npath=\"gone.csv\"\nhidden=true\n", "data gone.csv is missing"),
            (&format!("[[data]]\npath=\"dataset\"\nsha256=\"{abc}\"\n"), "is a directory"),
            (&format!("[[data]]\npath=\"../outside.csv\"\nsha256=\"{abc}\"\n"), "is not what the task expects"),
        ] {
            let said = look(data).unwrap_err();
            assert!(said.contains(want), "{data}: {said}");
        }
        // Changed under the study: said; touched without a change: taken.
        assert_eq!(grants[0].check(), Ok(()));
        fs::write(repo.join("dataset/a.csv"), "abd").unwrap();
        assert!(grants[0].check().unwrap_err().contains("was changed"));
        fs::write(repo.join("dataset/a.csv"), "abc").unwrap();
        assert_eq!(grants[0].check(), Ok(()));
        fs::remove_file(repo.join("dataset/a.csv")).unwrap();
        assert!(grants[0].check().unwrap_err().contains("cannot be read any more"));
    }

    #[test]
    fn a_directory_that_is_partly_the_trees_is_linked_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for path in ["data/raw/big.bin", "data/README.md", "data/sub/code.py", "data/sub/x.bin", "data/labels.npy"] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), path).unwrap();
        }
        let grant = Grant { path: "data".into(), at: root.join("data"), inside: Some("data".into()), sha256: None };
        let places = |taken: &[&str]| {
            let taken = taken.iter().map(|t| (*t).to_owned()).collect();
            links(std::slice::from_ref(&grant), &taken).into_iter().map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(places(&[]), ["data"]);
        assert_eq!(places(&["data.py", "data-x"]), ["data"]);
        assert_eq!(places(&["data/README.md", "data/sub/code.py", "data/labels.npy"]), ["data/raw", "data/sub/x.bin"]);
        assert_eq!(places(&["data"]), Vec::<String>::new());
        // Named twice: once whole, once by a file in it.
        let inner = Grant { path: "x".into(), at: root.join("data/raw/big.bin"), inside: Some("data/raw/big.bin".into()), sha256: None };
        assert_eq!(links(&[inner.clone(), grant.clone()], &BTreeSet::new()).len(), 1);
        let taken = BTreeSet::from(["data/README.md".to_owned()]);
        let places: Vec<_> = links(&[inner, grant], &taken).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, ["data/labels.npy", "data/raw", "data/sub"]);
    }
}
