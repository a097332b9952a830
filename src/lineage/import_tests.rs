use super::*;
use crate::lineage::tests::{contents, durable_store, git, put, store, words};
use crate::lineage::{Imported, Slot};
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

/// All files below a directory with content, mode and time.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, i64, i64)> {
    let mut out = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            out.insert(path.clone(), (bytes, meta.mode(), meta.mtime(), meta.mtime_nsec()));
            if meta.is_dir() {
                pending.push(path);
            }
        }
    }
    out
}

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q"]);
    for (path, content) in files {
        put(dir.path(), path, content);
    }
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "-qm", "start"]);
    dir
}

fn import(source: &Path, exclude: &[&str]) -> (tempfile::TempDir, crate::lineage::Store, Imported) {
    let (dir, store) = store();
    let imported = store.import(source, &words(exclude)).unwrap();
    (dir, store, imported)
}

fn keys(store: &crate::lineage::Store, imported: &Imported) -> Vec<String> {
    contents(store, &imported.tree).into_keys().collect()
}

#[test]
fn a_dirty_repository_is_imported_as_it_stands_and_stays_byte_identical() {
    let files = [
        ("train.py", "lr = 1\n"),
        ("staged.py", "s\n"),
        ("gone.py", "g\n"),
        ("gone-staged.py", "g\n"),
        ("old-name.py", "a long enough content\n"),
        ("evaluate.py", "labels\n"),
        ("run.sh", "x\n"),
        ("hidden/truth.csv", "t\n"),
    ];
    let user = repository(&files);
    let dir = user.path();
    put(dir, "train.py", "stashed\n");
    git(dir, &["stash", "-q"]);
    git(
        dir,
        &[
            "worktree",
            "add",
            "-q",
            "--detach",
            &dir.join("../").canonicalize().unwrap().join(format!("wt-{}", std::process::id())).to_string_lossy(),
        ],
    );
    put(dir, "train.py", "lr = 2\n");
    put(dir, "staged.py", "staged\n");
    git(dir, &["add", "staged.py"]);
    put(dir, "new-staged.py", "n\n");
    git(dir, &["add", "new-staged.py"]);
    fs::remove_file(dir.join("gone.py")).unwrap();
    git(dir, &["rm", "-q", "gone-staged.py"]);
    git(dir, &["mv", "old-name.py", "new-name.py"]);
    fs::set_permissions(dir.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    put(dir, "untracked.py", "u\n");
    put(dir, "evaluate.py", "more labels\n");
    let before = snapshot(dir);
    let (study, store) = durable_store();
    let imported = store.import(dir, &words(&["evaluate.py", "hidden"])).unwrap();
    assert_eq!(snapshot(dir), before);
    let want = [
        ("new-name.py", "a long enough content\n"),
        ("new-staged.py", "n\n"),
        ("run.sh", "x\n"),
        ("staged.py", "staged\n"),
        ("train.py", "lr = 2\n"),
    ];
    assert_eq!(contents(&store, &imported.tree), want.map(|(p, c)| (p.to_owned(), c.to_owned())).into());
    let executable: Vec<_> =
        store.list(&imported.tree).unwrap().into_iter().filter(|e| e.mode == EXECUTABLE_MODE).map(|e| e.path).collect();
    assert_eq!(executable, ["run.sh"]);
    let head = git(dir, &["rev-parse", "HEAD"]);
    // train, staged, new-staged, gone, gone-staged, old-name, new-name, run.sh; the evaluator's are not counted
    let summary = format!("{} at {}, +8 uncommitted files", dir.canonicalize().unwrap().display(), &head[..8]);
    assert_eq!((imported.summary.as_str(), imported.files, imported.uncommitted), (summary.as_str(), 5, 8));
    assert_eq!(imported.revision.as_deref(), Some(head.as_str()));
    assert_eq!(imported.warnings, Vec::<String>::new());
    // The store holds one commit without a parent, and the hidden content in no object.
    let bare = study.path().join("repo.git");
    assert_eq!(git(&bare, &["rev-list", "--all", "--parents"]), imported.commit);
    let objects = git(&bare, &["cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects"]);
    for blob in objects.lines().filter(|l| l.ends_with("blob")) {
        let text = git(&bare, &["cat-file", "blob", blob.split(' ').next().unwrap()]);
        assert!(!text.contains("labels") && text != "t", "{text}");
    }
    git(&bare, &["fsck", "--strict"]);
    git(dir, &["worktree", "prune"]);
    let _ = fs::remove_dir_all(dir.join(format!("../wt-{}", std::process::id())));
}

#[test]
fn a_subdirectory_and_a_plain_directory_are_imported_alone() {
    let user = repository(&[("top.py", "t\n"), ("sub/train.py", "s\n"), ("sub/deep/x.py", "x\n"), ("subway.py", "w\n")]);
    put(user.path(), "sub/deep/x.py", "y\n");
    let (_d, store, imported) = import(&user.path().join("sub"), &[]);
    assert_eq!(keys(&store, &imported), ["deep/x.py", "train.py"]);
    assert_eq!(imported.uncommitted, 1);
    // The branch goes to where the subtree came from.
    git(user.path(), &["checkout", "-q", "."]);
    let (_d, store, imported) = import(&user.path().join("sub"), &[]);
    let edit = crate::model::Edit::Write { path: "train.py".into(), content: "s2\n".into() };
    let applied = store.apply(&imported.tree, &[edit], &crate::lineage::tests::open_rules()).unwrap();
    store.export_branch(&imported.tree, &applied.tree, "m", user.path(), "b").unwrap();
    assert_eq!(git(user.path(), &["show", "b:sub/train.py"]), "s2");

    put(user.path(), "loose/a.py", "a\n");
    let (_d, store, imported) = import(&user.path().join("loose"), &[]);
    assert_eq!(keys(&store, &imported), ["a.py"]);
    assert!(imported.warnings[0].contains("tracks none of its files"), "{:?}", imported.warnings);

    let plain = tempfile::tempdir().unwrap();
    for (path, content) in [
        ("train.py", "t\n"),
        (".gitignore", "*.ckpt\nruns/\n"),
        ("a.ckpt", "c\n"),
        ("runs/x", "x\n"),
        (".hidden", "h\n"),
        ("truth.npy", "t\n"),
        ("sub/.git/config", "c\n"),
    ] {
        put(plain.path(), path, content);
    }
    let (_d, store, imported) = import(plain.path(), &["*.npy"]);
    assert_eq!(keys(&store, &imported), [".gitignore", ".hidden", "train.py"]);
    assert!(imported.summary.ends_with("as it stands, 3 files"), "{}", imported.summary);
}

#[test]
fn repositories_without_commits_files_or_places_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |why: &str| {
        let said = store().1.import(dir.path(), &[]).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    };
    refused("holds no file");
    git(dir.path(), &["init", "-q"]);
    put(dir.path(), "train.py", "t\n");
    refused("git tracks no file here; `git add` and commit");
    git(dir.path(), &["add", "."]);
    let (_d, _, imported) = import(dir.path(), &[]);
    assert!(imported.summary.ends_with("tracked but not committed yet, 1 files"), "{}", imported.summary);
    let (_d, store) = store();
    assert!(store.import(dir.path(), &words(&["**"])).unwrap_err().to_string().contains("every file is excluded"));
    assert!(matches!(store.import(&dir.path().join("none"), &[]), Err(Error::Io { .. })));
    assert!(store.import(&dir.path().join("train.py"), &[]).unwrap_err().to_string().contains("not a directory"));
    let bare = dir.path().join("bare.git");
    git(dir.path(), &["commit", "-qm", "x"]);
    git(dir.path(), &["clone", "-q", "--bare", ".", &bare.to_string_lossy()]);
    let imported = store.import(&bare, &[]).unwrap();
    assert_eq!((imported.files, imported.uncommitted), (1, 0));
}

#[test]
fn links_submodules_pointers_and_odd_names_are_kept_or_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    let user =
        repository(&[("train.py", "t\n"), ("weights.bin", pointer), ("there.bin", pointer), ("a/b/c.py", "c\n"), (".trialdeck/x", "x\n")]);
    let dir = user.path();
    let inner = repository(&[("inner.py", "i\n")]);
    git(dir, &["submodule", "-q", "add", &inner.path().to_string_lossy(), "vendor/inner"]);
    for (link, target) in [("ok", "a/b"), ("a/up", "../train.py"), ("out", "../secret"), ("abs", "/etc/passwd"), ("tricky", "a/../../x")] {
        symlink(target, dir.join(link)).unwrap();
    }
    fs::write(dir.join(std::ffi::OsStr::from_bytes(b"b\xffd.py")), "x").unwrap();
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "-qm", "more"]);
    // As after `git lfs pull`: the index says clean, the file has the content.
    put(dir, "there.bin", "the weights\n");
    let (_d, store, imported) = import(dir, &[]);
    assert_eq!(keys(&store, &imported), [".gitmodules", "a/b/c.py", "a/up", "ok", "there.bin", "train.py", "weights.bin"]);
    assert_eq!(store.read(&imported.tree, "there.bin").unwrap().unwrap(), b"the weights\n");
    assert_eq!(imported.uncommitted, 0, "{}", imported.summary);
    for (want, n) in [
        ("submodules are not imported: vendor/inner", 1),
        ("pull` first if the run needs them): weights.bin", 1),
        ("lead out of the repository are not imported: abs, out, tricky", 1),
        ("not UTF-8", 1),
        (".trialdeck", 1),
    ] {
        assert_eq!(imported.warnings.iter().filter(|w| w.contains(want)).count(), n, "{want}: {:?}", imported.warnings);
    }
    let slot_dir = tempfile::tempdir().unwrap();
    let slot = Slot::new(slot_dir.path().join("slot-0"));
    slot.prepare(&store, &imported.tree, &[]).unwrap();
    assert_eq!(fs::read_to_string(slot.dir().join("a/up")).unwrap(), "t\n");
}

#[test]
fn repositories_that_libgit2_does_not_open_are_read_by_git() {
    for (name, init) in
        [("sha256", vec!["init", "-q", "--object-format=sha256"]), ("reftable", vec!["init", "-q", "--ref-format=reftable"])]
    {
        let user = tempfile::tempdir().unwrap();
        let dir = user.path();
        git(dir, &init);
        for (path, content) in [("train.py", "t\n"), ("sub/x.py", "x\n"), ("gone.py", "g\n"), ("evaluate.py", "e\n")] {
            put(dir, path, content);
        }
        git(dir, &["add", "."]);
        git(dir, &["commit", "-qm", "start"]);
        put(dir, "train.py", "t2\n");
        fs::remove_file(dir.join("gone.py")).unwrap();
        put(dir, "untracked.py", "u\n");
        let before = snapshot(dir);
        let (_d, store, imported) = import(dir, &["evaluate.py"]);
        assert_eq!(snapshot(dir), before, "{name}");
        assert_eq!(keys(&store, &imported), ["sub/x.py", "train.py"], "{name}");
        assert_eq!(store.read(&imported.tree, "train.py").unwrap().unwrap(), b"t2\n");
        assert_eq!(imported.uncommitted, 2, "{name}: {}", imported.summary);
        assert_eq!(imported.revision, Some(git(dir, &["rev-parse", "HEAD"])), "{name}");
        let (_d, store, imported) = import(&dir.join("sub"), &[]);
        assert_eq!(keys(&store, &imported), ["x.py"], "{name}");
        let bare = user.path().join("bare.git");
        git(dir, &["clone", "-q", "--bare", ".", &bare.to_string_lossy()]);
        let (_d, _, imported) = import(&bare, &[]);
        assert_eq!(imported.files, 4, "{name}");
    }
}

#[test]
fn partial_and_sparse_clones_are_imported() {
    let origin = repository(&[("train.py", "t\n"), ("big/data.txt", "d\n"), ("small/x.py", "x\n")]);
    git(origin.path(), &["config", "uploadpack.allowFilter", "true"]);
    let dir = tempfile::tempdir().unwrap();
    let clone = dir.path().join("clone");
    let url = format!("file://{}", origin.path().display());
    git(dir.path(), &["clone", "-q", "--filter=blob:none", "--sparse", &url, &clone.to_string_lossy()]);
    git(&clone, &["sparse-checkout", "set", "small"]);
    let (_d, store, imported) = import(&clone, &[]);
    assert_eq!(keys(&store, &imported), ["small/x.py", "train.py"]);
    assert!(
        imported.warnings.iter().any(|w| w.contains("sparse or partial clone") && w.contains("big/data.txt")),
        "{:?}",
        imported.warnings
    );
    // With the objects at hand the files that the sparse checkout leaves out are there all the same.
    let whole = dir.path().join("whole");
    git(dir.path(), &["clone", "-q", "--sparse", &url, &whole.to_string_lossy()]);
    let (_d, store, imported) = import(&whole, &[]);
    assert_eq!(keys(&store, &imported), ["big/data.txt", "small/x.py", "train.py"]);
    assert_eq!(imported.uncommitted, 0, "{}", imported.summary);
}

#[test]
fn a_repository_of_another_user_and_a_broken_one_are_told() {
    let user = repository(&[("train.py", "t\n")]);
    fs::rename(user.path().join(".git/HEAD"), user.path().join(".git/TAIL")).unwrap();
    let (_d, store, imported) = import(user.path(), &[]);
    assert_eq!(keys(&store, &imported), ["train.py"]);
    assert!(imported.warnings[0].contains("is no repository"), "{:?}", imported.warnings);
    fs::rename(user.path().join(".git/TAIL"), user.path().join(".git/HEAD")).unwrap();
    if std::os::unix::fs::chown(user.path(), Some(12_345), None).is_err() {
        println!("skipped: only root can give a directory away");
        return;
    }
    let said = store.import(user.path(), &[]).unwrap_err();
    assert!(matches!(said, Error::Ownership(_)) && said.to_string().contains("safe.directory"), "{said}");
}

#[test]
fn links_stay_inside_only_by_leading_dots() {
    for (path, target, inside) in [
        ("a", "b/c", true),
        ("x/a", "../b", true),
        ("x/y/a", "../../b", true),
        ("x/a", "../../b", false),
        ("a", "b/../c", false),
        ("a", "/b", false),
        ("a", "", false),
        ("a", "./b", true),
    ] {
        assert_eq!(stays_inside(path, target.as_bytes()), inside, "{path} -> {target}");
    }
}
