use super::*;

/// A sealed copy with a prepared public directory; directories are writable again when it is dropped.
struct Bench(tempfile::TempDir, Pristine);

impl Bench {
    fn sealed() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("task");
        fs::create_dir_all(base.join("lib")).unwrap();
        fs::write(base.join("evaluate.py"), "print(1)\n").unwrap();
        fs::write(base.join("lib/score.py"), "x = 1\n").unwrap();
        let pristine = Pristine::new(dir.path().join("evaluator"));
        fs::create_dir_all(pristine.tree().join("public/deep")).unwrap();
        fs::create_dir_all(pristine.tree().join("hidden")).unwrap();
        fs::create_dir_all(pristine.prepare_dir()).unwrap();
        fs::write(pristine.tree().join("train.py"), "pass\n").unwrap();
        fs::write(pristine.tree().join("evaluate.py"), "what the repository has there\n").unwrap();
        fs::write(pristine.tree().join("public/deep/inputs.json"), "[]").unwrap();
        fs::write(pristine.tree().join("hidden/labels.json"), "[1]").unwrap();
        pristine.add(&base.join("evaluate.py"), "evaluate.py").unwrap();
        pristine.add(&base.join("lib"), "./lib").unwrap();
        pristine.seal().unwrap();
        Self(dir, pristine)
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("evaluator")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for dir in ["public", "public/deep"] {
            let _ = fs::set_permissions(self.root().join(dir), Permissions::from_mode(0o755));
        }
    }
}

fn write(path: PathBuf, text: &str) {
    let _ = fs::remove_file(&path);
    fs::write(path, text).unwrap();
}

#[test]
fn sealing_makes_public_and_protects_everything() {
    let bench = Bench::sealed();
    assert_eq!(fs::read_to_string(bench.root().join("tree/evaluate.py")).unwrap(), "print(1)\n");
    assert_eq!(bench.1.public(), Some(bench.root().join("public")));
    assert_eq!(fs::read_to_string(bench.root().join("tree/public/deep/inputs.json")).unwrap(), "[]", "the evaluator sees it too");
    for (path, mode) in [("public", 0o555), ("public/deep", 0o555), ("public/deep/inputs.json", 0o444), ("tree/train.py", 0o444)] {
        assert_eq!(fs::metadata(bench.root().join(path)).unwrap().mode() & 0o777, mode, "{path}");
    }
    bench.1.check().unwrap();
    bench.1.seal().unwrap();
    Pristine::open(bench.root()).unwrap().check().unwrap();
}

#[test]
fn every_kind_of_change_is_found_and_named() {
    for (name, change, want) in [
        ("changed", (|r| write(r.join("tree/evaluate.py"), "print(2)\n")) as fn(&Path), "evaluator/tree/evaluate.py: was changed"),
        ("same length", |r| write(r.join("tree/hidden/labels.json"), "[2]"), "evaluator/tree/hidden/labels.json: was changed"),
        ("gone", |r| fs::remove_file(r.join("tree/lib/score.py")).unwrap(), "evaluator/tree/lib/score.py: is gone"),
        (
            "new",
            |r| write(r.join("tree/sitecustomize.py"), "x"),
            "evaluator/tree/sitecustomize.py: is new; an evaluator may write to $TMPDIR only",
        ),
        (
            "link",
            |r| {
                fs::remove_file(r.join("tree/evaluate.py")).unwrap();
                symlink("train.py", r.join("tree/evaluate.py")).unwrap();
            },
            "evaluator/tree/evaluate.py: was changed",
        ),
        (
            "other public",
            |r| {
                fs::remove_file(r.join("tree/public")).unwrap();
                symlink("../other", r.join("tree/public")).unwrap();
            },
            "evaluator/tree/public: was changed",
        ),
    ] {
        let bench = Bench::sealed();
        change(&bench.root());
        assert_eq!(bench.1.check(), Err(Failure::new(Label::Tampered, want)), "{name}");
        assert!(matches!(Pristine::open(bench.root()), Err(EvaluateError::Tampered { .. })), "{name}");
    }
}

#[test]
fn a_touched_file_with_the_same_bytes_is_no_change() {
    let bench = Bench::sealed();
    write(bench.root().join("tree/evaluate.py"), "print(1)\n");
    bench.1.check().unwrap();
}

#[test]
fn an_open_copy_is_refused_and_paths_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    let pristine = Pristine::new(dir.path());
    assert!(matches!(Pristine::open(dir.path()), Err(EvaluateError::NotSealed { .. })));
    assert_eq!(pristine.check().unwrap_err().label, Label::Infrastructure);
    for path in ["../x", "/etc/x", "a/../../x", ""] {
        assert!(matches!(pristine.add(Path::new("/etc/hostname"), path), Err(EvaluateError::Outside { .. })), "{path}");
    }
    assert!(matches!(pristine.add(&dir.path().join("gone.py"), "x"), Err(EvaluateError::Io { .. })));
}
