//! Bad input: repositories that are not what they seem. Good input: a user's repository is never written to.

use crate::support::{Place, Toy, trial};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn files_below(dir: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            into.insert(path.clone(), Vec::new());
            files_below(&path, into);
        } else {
            into.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

fn committed(place: &Place, dir: &Path, init: &[&str]) {
    place.git(dir, &[&["init", "-q"], init].concat());
    place.git(dir, &["add", "."]);
    place.git(dir, &["commit", "-qm", "start"]);
}

#[test]
fn the_users_repository_is_byte_identical_after_a_study() {
    let place = Place::new();
    let toy = Toy::new(&place).quick();
    let dir = toy.write(&place, "toy");
    committed(&place, &dir, &[]);
    fs::write(dir.join("train.py"), toy.train.replace("WIDTH = 8", "WIDTH = 7")).unwrap();
    fs::write(dir.join("new.py"), "staged = 1\n").unwrap();
    place.git(&dir, &["add", "new.py"]);
    fs::write(dir.join("secret.txt"), "not tracked").unwrap();
    place.git(&dir, &["stash", "push", "-q", "--", "new.py"]);
    let mut before = BTreeMap::new();
    files_below(&dir, &mut before);
    let out = place.run(&["run", "toy", "--auto", "--trials", "2", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    place.run(&["replay", "a", "baseline"]).exits(0);
    let mut after = BTreeMap::new();
    files_below(&dir, &mut after);
    let changed: Vec<_> = before.iter().filter(|(p, b)| after.get(*p) != Some(b)).map(|(p, _)| p).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "{changed:?}, {} and {} files", before.len(), after.len());
    // What is tracked came along, changes included; the rest and the evaluator did not.
    let store = place.study("a").join("repo.git");
    let commit = trial(&place.show("a"), "t0000")["commit"].as_str().unwrap().to_owned();
    assert!(place.git(&store, &["show", &format!("{commit}:train.py")]).contains("WIDTH = 7"));
    let names = place.git(&store, &["ls-tree", "-r", "--name-only", &commit]);
    assert_eq!(names.trim(), "train.py");
    assert_eq!(place.git(&store, &["rev-list", "--count", &commit]).trim(), "1", "the root has no parent");
    let objects = place.git(&store, &["cat-file", "--batch-check", "--batch-all-objects"]);
    for line in objects.lines().filter(|l| l.contains(" blob ")) {
        let blob = place.git(&store, &["cat-file", "-p", line.split(' ').next().unwrap()]);
        assert!(!blob.contains("holdout_loss"), "the evaluator or the task reached the trials' store");
    }
}

#[test]
fn repositories_of_every_kind_work_or_are_refused_with_the_reason() {
    let place = Place::new();
    let works = |name: &str| {
        let out = place.run(&["run", name, "--auto", "--trials", "1", "--name", name]);
        assert!(matches!(out.code, 0 | 3), "{name}: {out:#?}");
        out
    };
    // Without a commit: what is there is the start.
    let bare = Toy::new(&place).quick().write(&place, "unborn");
    place.git(&bare, &["init", "-q"]);
    let out = place.run(&["run", "unborn", "--auto", "--trials", "1", "--name", "unborn"]);
    eprintln!("no commit: {} {}", out.code, out.err);
    assert!(matches!(out.code, 0 | 3) || (out.code == 2 && out.err.contains("commit")), "{out:#?}");

    // A submodule, checked out.
    fs::create_dir(place.path("library")).unwrap();
    fs::write(place.path("library/lib.py"), "x = 1\n").unwrap();
    committed(&place, &place.path("library"), &[]);
    let dir = Toy::new(&place).quick().write(&place, "modular");
    committed(&place, &dir, &[]);
    place.git(&dir, &["submodule", "--quiet", "add", "../library", "vendored"]);
    place.git(&dir, &["commit", "-qm", "submodule"]);
    let out = place.run(&["run", "modular", "--auto", "--trials", "1", "--name", "modular"]);
    eprintln!("submodule: {} {}", out.code, out.err);
    assert!(out.err.contains("submodule") && out.err.contains("vendored"), "{out:#?}");
    assert!(matches!(out.code, 0 | 2 | 3), "{out:#?}");

    // A pointer of git-lfs whose content was never fetched.
    let dir = Toy::new(&place).quick().write(&place, "large");
    fs::write(
        dir.join("weights.bin"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
    )
    .unwrap();
    fs::write(dir.join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
    committed(&place, &dir, &[]);
    let out = place.run(&["run", "large", "--auto", "--trials", "1", "--name", "large"]);
    eprintln!("lfs: {} {}", out.code, out.err);
    assert!(out.err.contains("LFS") && out.err.contains("weights.bin"), "{out:#?}");
    assert!(matches!(out.code, 0 | 2 | 3), "{out:#?}");

    // SHA-256 objects.
    let dir = Toy::new(&place).quick().write(&place, "sha256");
    committed(&place, &dir, &["--object-format=sha256"]);
    let out = place.run(&["run", "sha256", "--auto", "--trials", "1", "--name", "sha256"]);
    eprintln!("sha256: {} {}", out.code, out.err);
    assert!(matches!(out.code, 0 | 3) || (out.code == 2 && out.err.contains("SHA-256")), "{out:#?}");

    // A directory of a larger repository; a path with spaces; nothing that may be edited.
    let dir = Toy::new(&place).quick().write(&place, "mono/the task");
    fs::write(place.path("mono/secret.txt"), "of another project").unwrap();
    committed(&place, &place.path("mono"), &[]);
    assert!(dir.is_dir());
    let out = place.run(&["run", "mono/the task", "--auto", "--trials", "1", "--name", "mono"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let commit = trial(&place.show("mono"), "t0000")["commit"].as_str().unwrap().to_owned();
    assert_eq!(place.git(&place.study("mono").join("repo.git"), &["ls-tree", "-r", "--name-only", &commit]).trim(), "train.py");
    Toy::new(&place).task("editable = [\"train.py\"]", "editable = [\"model/**\"]").write(&place, "fixed");
    place.run(&["run", "fixed", "--auto", "--trials", "1"]).exits(2).says(&["editable", "model/**"]);
    Toy::new(&place).quick().write(&place, "plain");
    works("plain");
}
