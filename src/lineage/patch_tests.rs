use super::*;
use crate::lineage::tests::{contents, open_rules, store, tree_of};
use crate::model::{Edit, Label};
use proptest::prelude::*;

const FILE: &str = "import os\n\nlr = 0.1\nsteps = 10\n\ndef f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    y = x\n    return y\n";

/// Applies a patch to `train.py` with `FILE`.
fn patched(patch: &str) -> Result<String, (Label, String)> {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("train.py", FILE), ("protected.py", "p\n")]);
    match store.apply(&tree, &[Edit::Patch { patch: patch.into() }], &open_rules()) {
        Ok(applied) => Ok(contents(&store, &applied.tree).remove("train.py").unwrap_or_default()),
        Err(refusal) => Err((refusal.failure.label, refusal.failure.detail)),
    }
}

#[test]
fn patches_apply_as_models_write_them() {
    let lr = FILE.replace("lr = 0.1", "lr = 0.2");
    let g = FILE.replace("def g(x):\n    y = x\n", "def g(x):\n    y = x + 1\n");
    let both = g.replace("lr = 0.1", "lr = 0.2");
    for (name, patch, want) in [
        (
            "right",
            "diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -2,3 +2,3 @@\n \n-lr = 0.1\n+lr = 0.2\n steps = 10\n",
            &lr,
        ),
        ("no git line", "--- a/train.py\n+++ b/train.py\n@@ -2,3 +2,3 @@\n \n-lr = 0.1\n+lr = 0.2\n steps = 10\n", &lr),
        ("no prefixes", "--- train.py\n+++ train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.2\n", &lr),
        ("shifted", "--- a/train.py\n+++ b/train.py\n@@ -9,2 +9,2 @@\n-lr = 0.1\n+lr = 0.2\n steps = 10\n", &lr),
        ("wrong counts", "--- a/train.py\n+++ b/train.py\n@@ -2,9 +2,1 @@\n \n-lr = 0.1\n+lr = 0.2\n steps = 10\n", &lr),
        ("small counts", "--- a/train.py\n+++ b/train.py\n@@ -2,1 +2,1 @@\n \n-lr = 0.1\n+lr = 0.2\n steps = 10\n", &lr),
        ("no numbers", "--- a/train.py\n+++ b/train.py\n@@ @@\n-lr = 0.1\n+lr = 0.2\n", &lr),
        ("bare blank context", "--- a/train.py\n+++ b/train.py\n@@ -1,4 +1,4 @@\n import os\n\n-lr = 0.1\n+lr = 0.2\n steps = 10\n", &lr),
        ("no final newline", "--- a/train.py\n+++ b/train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.2", &lr),
        ("crlf", "--- a/train.py\r\n+++ b/train.py\r\n@@ -3,2 +3,2 @@\r\n-lr = 0.1\r\n+lr = 0.2\r\n steps = 10\r\n", &lr),
        (
            "prose and fences",
            "Here is it:\n```diff\n--- a/train.py\n+++ b/train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.2\n```\nGood luck\n",
            &lr,
        ),
        ("time stamps", "--- a/train.py\t2024-01-01\n+++ b/train.py\t2024-01-01\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.2\n", &lr),
        ("mail", "From 1\nSubject: x\n\n--- a/train.py\n+++ b/train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.2\n-- \n2.47.3\n", &lr),
        ("the nearer of two", "--- a/train.py\n+++ b/train.py\n@@ -12,1 +12,1 @@\n-    y = x\n+    y = x + 1\n", &g),
        ("other indentation", "--- a/train.py\n+++ b/train.py\n@@ @@\n def g(x):\n-  y = x\n+  y = x + 1\n", &g),
        (
            "two hunks, both shifted",
            "--- a/train.py\n+++ b/train.py\n@@ -13,2 +13,2 @@\n-lr = 0.1\n+lr = 0.2\n steps = 10\n@@ -21,2 +21,2 @@\n def g(x):\n-    y = x\n+    y = x + 1\n",
            &both,
        ),
    ] {
        assert_eq!(patched(patch).as_ref(), Ok(want), "{name}");
    }
}

#[test]
fn files_are_made_removed_and_renamed() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("train.py", "a\nb\n"), ("old.py", "x\n")]);
    let patch = "diff --git a/n.sh b/n.sh\nnew file mode 100755\n--- /dev/null\n+++ b/n.sh\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n\
        diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
        diff --git a/train.py b/sub/run.py\nsimilarity index 50%\nrename from train.py\nrename to sub/run.py\n--- a/train.py\n+++ b/sub/run.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\
        diff --git a/empty.py b/empty.py\nnew file mode 100644\nindex 0000000..e69de29\n";
    let applied = store.apply(&tree, &[Edit::Patch { patch: patch.into() }], &open_rules()).unwrap();
    let entries = store.list(&applied.tree).unwrap();
    let shape: Vec<_> = entries.iter().map(|e| (e.path.as_str(), e.mode, e.size)).collect();
    assert_eq!(shape, [("empty.py", 0o100_644, 0), ("n.sh", 0o100_755, 7), ("sub/run.py", 0o100_644, 4)]);
    assert_eq!(contents(&store, &applied.tree)["n.sh"], "one\ntwo");
    assert_eq!(contents(&store, &applied.tree)["sub/run.py"], "a\nc\n");
}

#[test]
fn what_does_not_fit_or_may_not_be_is_refused_with_the_reason() {
    use Label::{ApplyFailed, OutOfBounds};
    let new = |path: &str, mode: &str| {
        format!("diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n")
    };
    for (name, patch, label, why) in [
        ("symlink", new("x", "120000"), OutOfBounds, "symbolic link (mode 120000)"),
        ("submodule", new("x", "160000"), OutOfBounds, "submodule"),
        ("mode", "diff --git a/train.py b/train.py\nold mode 100644\nnew mode 100755\n".into(), OutOfBounds, "mode change"),
        ("git's", new(".gitattributes", "100644"), OutOfBounds, "belongs to git"),
        ("evaluator", new("evaluate.py", "100644"), OutOfBounds, "belongs to the evaluator"),
        ("hook", new("sitecustomize.py", "100644"), OutOfBounds, "of itself"),
        ("dots", new("../x", "100644"), OutOfBounds, "`..`"),
        ("absolute", "--- /dev/null\n+++ /etc/x\n@@ -0,0 +1 @@\n+x\n".into(), OutOfBounds, "absolute"),
        ("escape", "--- /dev/null\n+++ \"b/a\\033[31m.py\"\n@@ -0,0 +1 @@\n+x\n".into(), OutOfBounds, "U+001B"),
        ("protected", "--- a/protected.py\n+++ b/protected.py\n@@ -1 +1 @@\n-p\n+q\n".into(), OutOfBounds, "protected by"),
        (
            "rename of the protected",
            "diff --git a/protected.py b/q.py\nrename from protected.py\nrename to q.py\n".into(),
            OutOfBounds,
            "protected by",
        ),
        ("binary", "diff --git a/train.py b/train.py\nGIT binary patch\nliteral 1\n".into(), ApplyFailed, "binary"),
        ("no context", "--- a/train.py\n+++ b/train.py\n@@ -1,3 +1,3 @@\n-lr = 5\n-steps = 2\n+x\n".into(), ApplyFailed, "hunk 1 of 1"),
        ("ambiguous", "--- a/train.py\n+++ b/train.py\n@@ @@\n-    y = x\n+    z\n".into(), ApplyFailed, "several places (lines 7, 12)"),
        ("no file", "--- a/trian.py\n+++ b/trian.py\n@@ -1 +1 @@\n-x\n+y\n".into(), ApplyFailed, "the nearest is `train.py`"),
        ("exists", "--- /dev/null\n+++ b/train.py\n@@ -0,0 +1 @@\n+x\n".into(), ApplyFailed, "there is one"),
        ("nothing", "--- a/train.py\n+++ b/train.py\n@@ -3 +3 @@\n-lr = 0.1\n+lr = 0.1\n".into(), ApplyFailed, "change nothing"),
        ("prose", "I would raise the learning rate.".into(), ApplyFailed, "names no file"),
        ("lost hunk", "@@ -1 +1 @@\n-a\n+b\n".into(), ApplyFailed, "before any file name"),
    ] {
        let (got, said) = patched(&patch).expect_err(name);
        assert!(got == label && said.contains(why), "{name}: {got:?} {said}");
    }
}

#[test]
fn a_removed_comment_that_looks_like_a_file_name_stays_a_line() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("q.sql", "-- old\nselect 1\n")]);
    let patch = "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n select 1\n";
    let applied = store.apply(&tree, &[Edit::Patch { patch: patch.into() }], &open_rules()).unwrap();
    assert_eq!(contents(&store, &applied.tree)["q.sql"], "++ new\nselect 1\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_reader_never_panics(text in "(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn lines_of_patches_in_any_order_never_panic(
        lines in prop::collection::vec(prop::sample::select(vec![
            "diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -1,2 +1,2 @@", "@@ -0,0 +1 @@", "@@ @@", "@@ -99999999999999999999 +1 @@", " a", "-a", "+b", "",
            "\\ No newline at end of file", "new file mode 100644", "rename from x", "rename to y", "deleted file mode 100644", "--- /dev/null", "+++ /dev/null", "```", "-- ",
        ]), 0..30)
    ) {
        let (_dir, store) = store();
        let tree = tree_of(&store, &[("x", "a\nb\na\n")]);
        let _ = store.apply(&tree, &[Edit::Patch { patch: lines.join("\n") }], &open_rules());
    }

    /// Whatever git says of two texts, the reader makes the second from the first.
    #[test]
    fn git_diffs_round_trip(
        old in prop::collection::vec("[ab]{0,2}", 0..12), new in prop::collection::vec("[ab]{0,2}", 1..12), old_end: bool, new_end: bool, context in 0u32..4
    ) {
        let join = |lines: &[String], end: bool| format!("{}{}", lines.join("\n"), if end { "\n" } else { "" });
        let (old, new) = (join(&old, old_end), join(&new, new_end));
        prop_assume!(old != new && !old.is_empty() && !new.is_empty());
        let (_dir, store) = store();
        let (a, b) = (tree_of(&store, &[("x", &old), ("y", "")]), tree_of(&store, &[("x", &new), ("y", "")]));
        let options = crate::model::DiffOptions { context, ignore_whitespace: false };
        let patch = store.diff(&a, &b, &options).unwrap().patch;
        let applied = store.apply(&a, &[Edit::Patch { patch: patch.clone() }], &open_rules());
        prop_assert_eq!(applied.map(|x| x.tree).map_err(|e| e.to_string()), Ok(b), "{:?} {:?}\n{}", old, new, patch);
    }
}
