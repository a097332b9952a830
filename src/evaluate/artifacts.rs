//! The list of what was collected from a run: `artifacts.json` beside the copies, and one hash of it for the journal.
//!
//! The copies are what is scored. They are compared with this list before and after, so that nothing takes their place
//! between the look and the score. What is in them is nobody's business here: a pickle stays shut.

use super::fingerprint::{self, Stamp, hex};
use crate::{
    model::{Failure, Label, Safe},
    run::durable,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
};

/// Its name in a run directory.
const FILE: &str = "artifacts.json";
/// The directory of the copies in a run directory.
pub const DIRECTORY: &str = "artifacts";

/// One collected file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Of its content, in hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// What the file system said of the copy once it was whole.
    #[serde(default)]
    pub(super) stamp: Option<Stamp>,
}

/// What was collected from a run, by path.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// What the evaluator reads.
    pub files: BTreeMap<String, Artifact>,
    /// What the run left for its inference, where the task has one: this is what the run's size is measured by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<BTreeMap<String, Artifact>>,
}

impl Artifacts {
    /// Writes the list durably into the run directory.
    pub fn save(&self, run_dir: &Path) -> io::Result<()> {
        durable::write_json(&run_dir.join(FILE), self, durable::Keep::Durable)
    }

    /// Reads what `save` wrote; none where nothing was collected, or by an older version.
    pub fn load(run_dir: &Path) -> Option<Self> {
        durable::read_json(&run_dir.join(FILE))
    }

    /// Size of what the run itself made, in bytes.
    pub fn bytes(&self) -> u64 {
        self.handed.as_ref().unwrap_or(&self.files).values().map(|a| a.bytes).sum()
    }

    /// The sha256 of the whole list; none of an empty one.
    pub fn digest(&self) -> Option<String> {
        let mut hash = Sha256::new();
        let lists = [("", Some(&self.files)), ("handed ", self.handed.as_ref())];
        for (what, list) in lists {
            for (path, artifact) in list.into_iter().flatten() {
                hash.update(format!("{what}{} {} {path}\n", artifact.sha256, artifact.bytes));
            }
        }
        (!self.files.is_empty()).then(|| hex(&hash.finalize()))
    }

    /// Hashes by path, as `evaluation.json` has them.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        self.files.iter().map(|(path, artifact)| (path.clone(), artifact.sha256.clone())).collect()
    }

    /// Compares the copies in the run directory with the list; files that the file system says are unchanged are not read.
    ///
    /// Failures: `tampered` naming a file that is changed, gone or new.
    pub fn check(&self, run_dir: &Path) -> Result<(), Failure> {
        match self.differences(run_dir, true).into_iter().next() {
            Some((path, what)) => {
                Err(Failure::new(Label::Tampered, format!("{DIRECTORY}/{}: {what} after it was collected", Safe::line(&path))))
            }
            None => Ok(()),
        }
    }

    /// Every copy that is not what the list says, read whole: its path and what is wrong with it.
    pub fn read_whole(&self, run_dir: &Path) -> Vec<(String, String)> {
        self.differences(run_dir, false)
    }

    fn differences(&self, run_dir: &Path, trust_stamps: bool) -> Vec<(String, String)> {
        let root = run_dir.join(DIRECTORY);
        let mut found = Vec::new();
        for (path, want) in &self.files {
            let at = root.join(path);
            match differs(&at, want, trust_stamps) {
                Ok(None) => {}
                Ok(Some(what)) => found.push((path.clone(), what.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => found.push((path.clone(), "is gone".to_owned())),
                Err(error) => found.push((path.clone(), format!("cannot be read ({error})"))),
            }
        }
        let mut left = vec![root.clone()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    left.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
                if !self.files.contains_key(&name) {
                    found.push((name, "came".to_owned()));
                }
            }
        }
        found
    }
}

fn differs(at: &Path, want: &Artifact, trust_stamps: bool) -> io::Result<Option<&'static str>> {
    let meta = fs::symlink_metadata(at)?;
    if !meta.is_file() {
        return Ok(Some("is another kind of file"));
    }
    if trust_stamps && want.stamp == Some(Stamp::of(&meta)) {
        return Ok(None);
    }
    let same = meta.len() == want.bytes && fingerprint::of_file(&File::open(at)?)? == (want.sha256.clone(), want.bytes);
    Ok((!same).then_some("was changed"))
}

#[cfg(test)]
mod tests {
    use super::super::collect::{Rest, collect};
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn bench() -> (tempfile::TempDir, Artifacts) {
        let dir = tempfile::tempdir().unwrap();
        let slot = dir.path().join("slot");
        fs::create_dir_all(slot.join("out")).unwrap();
        fs::write(slot.join("pred.npy"), b"12345").unwrap();
        fs::write(slot.join("out/a.json"), b"1").unwrap();
        let needs = ["pred.npy", "out"].map(str::to_owned);
        let artifacts = collect(&needs, &slot, &dir.path().join(DIRECTORY), 100, Rest::Refused("the run did not write it")).unwrap();
        (dir, artifacts)
    }

    #[test]
    fn the_list_is_kept_and_has_one_hash() {
        let (dir, artifacts) = bench();
        assert_eq!((artifacts.bytes(), artifacts.files.len()), (6, 2));
        // printf 12345 | sha256sum
        assert_eq!(artifacts.hashes()["pred.npy"], "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5");
        artifacts.save(dir.path()).unwrap();
        assert_eq!(Artifacts::load(dir.path()), Some(artifacts.clone()));
        let digest = artifacts.digest().unwrap();
        let mut other = artifacts.clone();
        other.handed = Some(artifacts.files);
        assert_ne!(other.digest(), Some(digest.clone()));
        other.handed = None;
        other.files.get_mut("out/a.json").unwrap().bytes = 2;
        assert_ne!(other.digest(), Some(digest));
        assert_eq!(Artifacts::default().digest(), None);
    }

    #[test]
    fn whatever_is_done_to_the_copies_is_found() {
        type Deed = fn(&Path);
        let deeds: [(&str, Deed); 5] = [
            ("artifacts/pred.npy: was changed after it was collected", |a| {
                fs::set_permissions(a.join("pred.npy"), fs::Permissions::from_mode(0o644)).unwrap();
                fs::write(a.join("pred.npy"), "54321").unwrap();
            }),
            ("artifacts/out/a.json: is gone after it was collected", |a| fs::remove_file(a.join("out/a.json")).unwrap()),
            ("artifacts/out/a.json: is another kind of file after it was collected", |a| {
                fs::rename(a.join("out/a.json"), a.join("../aside")).unwrap();
                symlink("../../aside", a.join("out/a.json")).unwrap();
            }),
            ("artifacts/out/b.json: came after it was collected", |a| fs::write(a.join("out/b.json"), "1").unwrap()),
            ("artifacts/pred.npy: was changed after it was collected", |a| {
                fs::rename(a.join("pred.npy"), a.join("../aside")).unwrap();
                fs::write(a.join("pred.npy"), "54321").unwrap();
            }),
        ];
        for (want, deed) in deeds {
            let (dir, artifacts) = bench();
            artifacts.check(dir.path()).unwrap();
            assert_eq!(artifacts.read_whole(dir.path()), []);
            deed(&dir.path().join(DIRECTORY));
            let got = artifacts.check(dir.path()).unwrap_err();
            assert_eq!((got.label, got.detail.as_str()), (Label::Tampered, want));
            assert_eq!(artifacts.read_whole(dir.path()).len(), 1);
        }
        // The same content in another file is the same artifact.
        let (dir, artifacts) = bench();
        let at = dir.path().join("artifacts/pred.npy");
        fs::remove_file(&at).unwrap();
        fs::write(&at, "12345").unwrap();
        artifacts.check(dir.path()).unwrap();
    }
}
