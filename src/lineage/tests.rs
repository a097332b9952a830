//! What the tests of this room share, and those of commits, diffs, exports and proposals from a directory.

use super::*;
use crate::model::{Diff, DiffOptions, FileStatus, LineKind};
use crate::model::{Edit, TrialId, Verdict};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A store in a temporary directory.
pub(super) fn durable_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(&dir.path().join("repo.git")).unwrap();
    (dir, store)
}

/// The same, without waiting for the disk.
pub(super) fn store() -> (TempDir, Store) {
    let (dir, store) = durable_store();
    let repo = store.open_for_bulk().unwrap();
    (dir, Store { repo, ..store })
}

/// A tree of plain files; a path that ends in `*` is executable, one that ends in `@` a symbolic link.
pub(super) fn tree_of(store: &Store, files: &[(&str, &str)]) -> String {
    let leaves: Vec<(&str, store::Change)> = files
        .iter()
        .map(|(path, content)| {
            let mode = match path.chars().last() {
                Some('*') => store::EXECUTABLE_MODE,
                Some('@') => store::LINK_MODE,
                _ => store::FILE_MODE,
            };
            (path.trim_end_matches(['*', '@']), Some((mode, store.repo.blob(content.as_bytes()).unwrap())))
        })
        .collect();
    store::rewrite(&store.repo, None, &leaves).unwrap().unwrap().to_string()
}

pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// Rules that allow everything but `protected`.
pub(super) fn open_rules() -> Rules {
    Rules::new(&RulesSpec {
        editable: words(&["**"]),
        protected: words(&["protected.py"]),
        hidden: words(&["evaluate.py"]),
        max_changed_lines: None,
    })
    .unwrap()
}

/// Runs git without the configuration of whoever runs the tests.
pub(super) fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"])
        .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", dir)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

pub(super) fn put(dir: &Path, path: &str, content: &str) {
    let file = dir.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

/// Paths and contents of a tree.
pub(super) fn contents(store: &Store, tree: &str) -> BTreeMap<String, String> {
    let read = |path: &str| String::from_utf8_lossy(&store.read(tree, path).unwrap().unwrap()).into_owned();
    store.list(tree).unwrap().into_iter().map(|e| (e.path.clone(), read(&e.path))).collect()
}

#[test]
fn a_trial_is_a_commit_on_its_own_ref_and_the_ref_moves_when_it_is_scored() {
    let (dir, store) = durable_store();
    let root = tree_of(&store, &[("train.py", "lr = 1\n")]);
    let tree = tree_of(&store, &[("train.py", "lr = 2\n")]);
    let base = store.commit(TrialId(0), &[], &root, &Message::new(TrialId(0), "baseline", "import")).unwrap();
    let mut message = Message::new(TrialId(7), "double the learning rate", "knobs/tpe");
    let first = store.commit(TrialId(7), std::slice::from_ref(&base), &tree, &message).unwrap();
    message.score = Some("mse 0.19".into());
    message.verdict = Some(Verdict::Keep);
    let second = store.commit(TrialId(7), std::slice::from_ref(&base), &tree, &message).unwrap();
    assert_ne!(first, second);
    store.set_best(&second).unwrap();
    let bare = dir.path().join("repo.git");
    let log = git(&bare, &["log", "--format=%an <%ae>%n%P%n%B", "-1", "refs/trialdeck/best"]);
    let want = format!(
        "trialdeck <trialdeck@localhost>\n{base}\ndouble the learning rate\n\nTrial: t0007\nProposer: knobs/tpe\nScore: mse 0.19\nVerdict: keep"
    );
    assert_eq!(log, want);
    let again = Store::open(&bare).unwrap();
    assert_eq!(again.trial(TrialId(7)).unwrap(), Some(Committed { commit: second.clone(), tree: tree.clone() }));
    assert_eq!(again.best().unwrap().unwrap().commit, second);
    assert_eq!(again.trial(TrialId(8)).unwrap(), None);
    assert_eq!(again.tree_of(&first).unwrap(), tree);
    assert_eq!(again.read(&tree, "train.py").unwrap().unwrap(), b"lr = 2\n");
    assert_eq!(again.read(&tree, "none.py").unwrap(), None);
    assert!(matches!(again.list("0123"), Err(Error::Missing { .. })));
    git(&bare, &["fsck", "--strict"]);
    assert!(matches!(Store::create(&bare), Err(Error::Exists(_))));
    assert!(matches!(Store::open(dir.path()), Err(Error::NotAStore(_))));
    git(dir.path(), &["init", "-q", "--bare", "other.git"]);
    assert!(matches!(Store::open(&dir.path().join("other.git")), Err(Error::NotAStore(_))));
}

#[test]
fn types_can_move_between_threads() {
    fn send<T: Send>() {}
    send::<Store>();
    send::<Slot>();
    send::<Rules>();
    send::<Error>();
    send::<Refusal>();
}

#[test]
fn a_diff_has_lines_with_numbers_and_a_patch_that_git_takes() {
    let (dir, store) = store();
    let a = tree_of(&store, &[("a.py", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"), ("gone.py", "x\n"), ("same.py", "y\n"), ("bin", "\0\u{1}")]);
    let b = tree_of(&store, &[("a.py", "1\n2\n3\n4\nfive\n6\n7\n8\n9"), ("new.py", "n\n"), ("same.py", "y\n"), ("bin", "\0\u{2}")]);
    let diff = store.diff(&a, &b, &DiffOptions { context: 1, ignore_whitespace: false }).unwrap();
    let files: Vec<_> = diff.files.iter().map(|f| (f.path.as_str(), f.status, f.binary, f.added, f.removed)).collect();
    assert_eq!(
        files,
        [
            ("a.py", FileStatus::Modified, false, 2, 2),
            ("bin", FileStatus::Modified, true, 0, 0),
            ("gone.py", FileStatus::Deleted, false, 0, 1),
            ("new.py", FileStatus::Added, false, 1, 0)
        ]
    );
    assert_eq!((diff.stat.files, diff.stat.added, diff.stat.removed), (4, 3, 3));
    let lines: Vec<_> =
        diff.files[0].hunks.iter().flat_map(|h| &h.lines).map(|l| (l.kind, l.text.as_str(), l.old_no, l.new_no, l.no_newline)).collect();
    assert_eq!(
        lines,
        [
            (LineKind::Context, "4", Some(4), Some(4), false),
            (LineKind::Removed, "5", Some(5), None, false),
            (LineKind::Added, "five", None, Some(5), false),
            (LineKind::Context, "6", Some(6), Some(6), false),
            (LineKind::Context, "8", Some(8), Some(8), false),
            (LineKind::Removed, "9", Some(9), None, false),
            (LineKind::Added, "9", None, Some(9), true),
        ]
    );
    let back: Diff = serde_json::from_str(&serde_json::to_string(&diff).unwrap()).unwrap();
    assert_eq!(back, diff);
    let patch = store.export_patch(&a, &b).unwrap();
    let out = dir.path().join("out");
    assert_eq!(store.export_dir(&a, &out).unwrap(), 4);
    fs::write(dir.path().join("p.diff"), patch).unwrap();
    git(&out, &["apply", "../p.diff"]);
    for (path, content) in contents(&store, &b) {
        assert_eq!(fs::read(out.join(&path)).unwrap(), content.as_bytes(), "{path}");
    }
    assert!(matches!(store.export_dir(&a, &out), Err(Error::Exists(_))));
}

#[test]
fn whitespace_can_be_left_out_and_large_diffs_are_cut() {
    let (_dir, store) = store();
    let a = tree_of(&store, &[("a.py", "if x:\n  y\nz\n"), ("b.py", "q\n")]);
    let b = tree_of(&store, &[("a.py", "if x:\n    y\nz\n"), ("b.py", "p\n")]);
    let diff = store.diff(&a, &b, &DiffOptions { context: 3, ignore_whitespace: true }).unwrap();
    assert_eq!(diff.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["b.py"]);
    let long: String = (0..50_000).map(|i| format!("{i}\n")).collect();
    let c = tree_of(&store, &[("a.py", &long), ("b.py", "q\n")]);
    let diff = store.diff(&a, &c, &DiffOptions::default()).unwrap();
    assert!(diff.truncated);
    assert_eq!(diff.stat.added, 50_000);
    assert!(diff.files[0].hunks[0].lines.len() <= 20_000);
    let d = tree_of(&store, &[("moved.py", "if x:\n  y\nz\n"), ("b.py", "q\n")]);
    let diff = store.diff(&a, &d, &DiffOptions::default()).unwrap();
    assert_eq!((diff.files[0].status, diff.files[0].old_path.as_deref()), (FileStatus::Renamed, Some("a.py")));
}

#[test]
fn a_branch_lands_on_head_and_touches_nothing_else() {
    let (dir, store) = store();
    let user = dir.path().join("user");
    fs::create_dir(&user).unwrap();
    git(&user, &["init", "-q"]);
    for (path, content) in [("train.py", "lr = 1\n"), ("evaluate.py", "secret\n"), ("other.py", "o\n"), ("old.py", "x\n")] {
        put(&user, path, content);
    }
    git(&user, &["add", "."]);
    git(&user, &["commit", "-qm", "start"]);
    let imported = store.import(&user, &words(&["evaluate.py"])).unwrap();
    let edits = [
        Edit::Write { path: "train.py".into(), content: "lr = 2\n".into() },
        Edit::Write { path: "sub/new.py".into(), content: "n\n".into() },
        Edit::Delete { path: "old.py".into() },
    ];
    let applied = store.apply(&imported.tree, &edits, &open_rules()).unwrap();
    // Later work of the user's on another file does not stand in the way.
    put(&user, "other.py", "o2\n");
    git(&user, &["commit", "-qam", "later"]);
    put(&user, "other.py", "dirty\n");
    let before = (git(&user, &["status", "--porcelain"]), fs::read(user.join(".git/index")).unwrap(), git(&user, &["rev-parse", "HEAD"]));
    let made = store.export_branch(&imported.tree, &applied.tree, "Raise the learning rate", &user, "trialdeck/t0007").unwrap();
    assert_eq!(made.files, ["old.py", "sub/new.py", "train.py"]);
    let after = (git(&user, &["status", "--porcelain"]), fs::read(user.join(".git/index")).unwrap(), git(&user, &["rev-parse", "HEAD"]));
    assert_eq!(before, after);
    assert_eq!(git(&user, &["rev-parse", "trialdeck/t0007~1"]), before.2);
    assert_eq!(git(&user, &["ls-tree", "-r", "--name-only", "trialdeck/t0007"]), "evaluate.py\nother.py\nsub/new.py\ntrain.py");
    assert_eq!(git(&user, &["show", "trialdeck/t0007:other.py"]), "o2");
    assert_eq!(git(&user, &["log", "-1", "--format=%s", "trialdeck/t0007"]), "Raise the learning rate");
    git(&user, &["fsck", "--strict"]);
    let again = |tree: &str, branch: &str| store.export_branch(&imported.tree, tree, "m", &user, branch).unwrap_err().to_string();
    assert!(again(&applied.tree, "trialdeck/t0007").contains("exists already"));
    assert!(again(&applied.tree, "bad..name").contains("not a valid branch name"));
    assert!(again(&imported.tree, "b").contains("changes nothing"));
    put(&user, "train.py", "lr = 5\n");
    git(&user, &["commit", "-qam", "conflict"]);
    let said = again(&applied.tree, "c");
    assert!(said.contains("1 file(s)") && said.contains("train.py"), "{said}");
    assert!(
        store.export_branch(&imported.tree, &applied.tree, "m", dir.path(), "d").unwrap_err().to_string().contains("not a git repository")
    );
}

#[test]
fn a_directory_becomes_edits() {
    let (dir, store) = store();
    let tree = tree_of(&store, &[("train.py", "lr = 1\n"), ("protected.py", "p\n"), ("models/a.py", "a\n"), ("link@", "train.py")]);
    let from = dir.path().join("from");
    store.export_dir(&tree, &from).unwrap();
    let refused = |why: &str| {
        let said = store.edits_from_dir(&tree, &from, &open_rules()).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    };
    refused("nothing in it differs");
    put(&from, "train.py", "lr = 2\n");
    put(&from, "models/b.py", "b\n");
    put(&from, "evaluate.py", "the evaluator's\n");
    put(&from, ".gitignore", "*.log\n");
    put(&from, "run.log", "noise\n");
    put(&from, "__pycache__/a.pyc", "noise\n");
    put(&from, ".git/config", "noise\n");
    fs::remove_file(from.join("models/a.py")).unwrap();
    fs::remove_file(from.join(".gitignore")).unwrap();
    fs::remove_file(from.join("run.log")).unwrap();
    let edits = store.edits_from_dir(&tree, &from, &open_rules()).unwrap();
    assert_eq!(
        edits,
        [
            Edit::Delete { path: "models/a.py".into() },
            Edit::Write { path: "models/b.py".into(), content: "b\n".into() },
            Edit::Write { path: "train.py".into(), content: "lr = 2\n".into() },
        ]
    );
    let work = store.work_in_dir(&tree, &from, &open_rules()).unwrap();
    assert_eq!(work.edits, edits);
    assert_eq!(work.left_out.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["evaluate.py"], "{work:?}");
    let applied = store.apply(&tree, &edits, &open_rules()).unwrap();
    assert_eq!(applied.changed, ["models/a.py", "models/b.py", "train.py"]);
    fs::remove_file(from.join("protected.py")).unwrap();
    refused("1 file(s) that may not be removed are missing");
    put(&from, "protected.py", "p\n");
    std::os::unix::fs::symlink("/etc/passwd", from.join("models/c.py")).unwrap();
    refused("symbolic link");
    fs::remove_file(from.join("models/c.py")).unwrap();
    fs::write(from.join("models/c.py"), [0xff, 0xfe]).unwrap();
    refused("not UTF-8");
    // Holes cost nobody anything: neither a new file nor a changed one of that size is read.
    for path in ["models/c.py", "train.py"] {
        fs::File::create(from.join(path)).unwrap().set_len(1 << 40).unwrap();
        refused("is larger than 1000000 bytes");
    }
    fs::remove_file(from.join("models/c.py")).unwrap();
    put(&from, "train.py", "lr = 1\n");
    (0..rules::MOST_FILES + 3).for_each(|n| put(&from, &format!("models/n{n}.py"), "n\n"));
    refused("205 files differ");
}
