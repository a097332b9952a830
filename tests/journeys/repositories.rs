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

/// Git runs programs that a repository names: none of them runs, whatever it names and wherever.
#[test]
fn a_hostile_repository_executes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let dir = Toy::new(&place).quick().write(&place, "toy");
    let canary = place.path("canary");
    let trap = place.path("trap");
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", canary.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_string_lossy().into_owned();
    committed(&place, &dir, &[]);
    let inner = dir.join("vendor");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("lib.py"), "x = 1\n").unwrap();
    committed(&place, &inner, &[]);
    fs::write(dir.join(".gitattributes"), "* filter=trap diff=trap merge=trap text eol=crlf ident\n").unwrap();
    fs::write(dir.join(".gitmodules"), format!("[submodule \"vendor\"]\n\tpath = vendor\n\turl = ext::{trap}\n\tupdate = !{trap}\n"))
        .unwrap();
    place.git(&dir, &["add", ".gitattributes", ".gitmodules", "vendor"]);
    place.git(&dir, &["commit", "-qm", "traps"]);
    let hooks = dir.join("hooks");
    fs::create_dir(&hooks).unwrap();
    for hook in ["post-checkout", "post-index-change", "reference-transaction", "pre-commit", "post-commit", "fsmonitor-watchman"] {
        fs::copy(&trap, hooks.join(hook)).unwrap();
        fs::copy(&trap, dir.join(".git/hooks").join(hook)).unwrap();
    }
    for config in [dir.join(".git/config"), inner.join(".git/config")] {
        let more = format!(
            "[core]\n\tfsmonitor = {trap}\n\thooksPath = {}\n\tsshCommand = {trap}\n\tpager = {trap}\n\teditor = {trap}\n\tattributesFile = {}\n\
             [filter \"trap\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n\trequired = true\n\
             [diff]\n\texternal = {trap}\n[diff \"trap\"]\n\ttextconv = {trap}\n\tcommand = {trap}\n[merge \"trap\"]\n\tdriver = {trap}\n\
             [alias]\n\tls-files = !{trap}\n\trev-parse = !{trap}\n[credential]\n\thelper = {trap}\n[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n",
            hooks.display(),
            dir.join(".gitattributes").display(),
        );
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text + &more).unwrap();
    }
    // Changed after the last look, so that git has to compare contents.
    let train = fs::read_to_string(dir.join("train.py")).unwrap();
    fs::write(dir.join("train.py"), train.replace("WIDTH = 8", "WIDTH = 7")).unwrap();
    let none = ["--isolation", "none"];
    let out = place.run(&[&["run", "toy", "--auto", "--trials", "1", "--name", "a"][..], &none].concat());
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    place.run(&["export", "a", "t0001", "--branch", "kept", "--into", "toy"]);
    place.run(&["export", "a", "t0000", "--dir", "out"]).exits(0);
    assert!(
        fs::read_to_string(place.path("out/train.py")).unwrap().contains("WIDTH = 7\n"),
        "no filter of the repository's changed a byte"
    );
    place.run(&[
        "run",
        "toy/vendor",
        "--cmd",
        "python3 lib.py",
        "--metric",
        "x: (.*)",
        "--goal",
        "minimize",
        "--wall",
        "5s",
        "--auto",
        "--trials",
        "1",
    ]);
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap());
    // The plumbing commands read what libgit2 cannot: the same traps around another kind of repository.
    let dir = Toy::new(&place).quick().write(&place, "sha256");
    committed(&place, &dir, &["--object-format=sha256"]);
    fs::write(dir.join(".gitattributes"), "* filter=trap diff=trap\n").unwrap();
    place.git(&dir, &["add", ".gitattributes"]);
    let config = dir.join(".git/config");
    let more = format!(
        "[core]\n\tfsmonitor = {trap}\n\thooksPath = {}\n[filter \"trap\"]\n\tclean = {trap}\n\tprocess = {trap}\n[diff \"trap\"]\n\ttextconv = {trap}\n[alias]\n\tls-files = !{trap}\n",
        hooks.display()
    );
    fs::write(&config, fs::read_to_string(&config).unwrap() + &more).unwrap();
    fs::write(dir.join("train.py"), train.replace("WIDTH = 8", "WIDTH = 7")).unwrap();
    let out = place.run(&[&["run", "sha256", "--auto", "--trials", "1", "--name", "b"][..], &none].concat());
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(!canary.exists(), "{}", fs::read_to_string(&canary).unwrap());
}
