use crate::lineage::tests::{contents, open_rules, store, tree_of, words};
use crate::lineage::{Rules, RulesSpec};
use crate::model::{Edit, Label};
use proptest::prelude::*;

const FILE: &str = "import os\n\nclass Net:\n    def __init__(self):\n        self.lr = 0.1\n        self.depth = 3\n\n    def step(self):\n        return self.lr * 2\n";

fn replace(path: &str, search: &str, replace: &str) -> Edit {
    Edit::Replace { path: path.into(), search: search.into(), replace: replace.into() }
}

fn write(path: &str, content: &str) -> Edit {
    Edit::Write { path: path.into(), content: content.into() }
}

#[test]
fn blocks_are_replaced_where_they_are_meant() {
    for (name, search, with, want) in [
        ("a line", "        self.lr = 0.1\n", "        self.lr = 0.2\n", FILE.replace("0.1", "0.2")),
        ("part of a line", "lr = 0.1", "lr = 0.2", FILE.replace("0.1", "0.2")),
        ("without indentation", "def step(self):\n    return self.lr * 2", "def step(self):\n    x = 3\n    return self.lr * x", {
            FILE.replace("        return self.lr * 2", "        x = 3\n        return self.lr * x")
        }),
        ("spaces within", "self.lr   =  0.1\nself.depth = 3", "self.lr = 0.2\nself.depth = 4", {
            FILE.replace("0.1", "0.2").replace("depth = 3", "depth = 4")
        }),
        (
            "a small slip",
            "    def __init__(this):\n        self.lr = 0.1\n        self.depth = 3\n",
            "    def __init__(self):\n        self.lr = 0.2\n        self.depth = 3\n",
            { FILE.replace("0.1", "0.2") },
        ),
        ("blank lines around", "\n\n        self.depth = 3\n\n\n", "        self.depth = 5\n", FILE.replace("depth = 3", "depth = 5")),
        ("whole lines before words in lines", "depth = 3", "depth = 4", FILE.replace("depth = 3", "depth = 4")),
        ("not out of a number", "self.depth", "self.deep", FILE.replace("self.depth", "self.deep")),
        ("removal without indentation", "self.depth = 3\n", "", FILE.replace("        self.depth = 3\n", "")),
        ("removal", "        self.depth = 3\n", "", FILE.replace("        self.depth = 3\n", "")),
        (
            "crlf in the block",
            "        self.lr = 0.1\r\n        self.depth = 3\r\n",
            "        self.lr = 0.2\r\n        self.depth = 3\r\n",
            FILE.replace("0.1", "0.2"),
        ),
    ] {
        let (_dir, store) = store();
        let tree = tree_of(&store, &[("net.py*", FILE), ("z", "z")]);
        let applied = store.apply(&tree, &[replace("net.py", search, with)], &open_rules()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(contents(&store, &applied.tree)["net.py"], want, "{name}");
        assert_eq!(applied.changed, ["net.py"], "{name}");
        assert_eq!(store.list(&applied.tree).unwrap()[0].mode, 0o100_755, "{name}: the mode stays");
    }
}

#[test]
fn text_is_not_cut_out_of_longer_words_and_numbers() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("a.py", "rate = 0.15\nmax = 1; y = 2\n    x = 1\n")]);
    let applied = store.apply(&tree, &[replace("a.py", "x = 1", "x = 3")], &open_rules()).unwrap();
    assert_eq!(contents(&store, &applied.tree)["a.py"], "rate = 0.15\nmax = 1; y = 2\n    x = 3\n");
    let failure = store.apply(&tree, &[replace("a.py", "ate = 0.1", "ate = 0.2")], &open_rules()).map(|a| contents(&store, &a.tree));
    assert!(failure.is_err() || !failure.unwrap()["a.py"].contains("0.25"));
}

#[test]
fn crlf_files_and_missing_final_newlines_stay_as_they_are() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("a.txt", "one\r\ntwo\r\nthree"), ("b.txt", "one\ntwo")]);
    let edits = [replace("a.txt", "two\nthree\n", "2\n3\n"), replace("b.txt", "two\n", "2\n")];
    let applied = store.apply(&tree, &edits, &open_rules()).unwrap();
    assert_eq!(contents(&store, &applied.tree)["a.txt"], "one\r\n2\r\n3");
    assert_eq!(contents(&store, &applied.tree)["b.txt"], "one\n2");
}

#[test]
fn edits_build_on_each_other_and_directories_come_and_go() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("a.py", "1\n"), ("pkg/x.py", "x\n"), ("keep.py", "k\n")]);
    let edits = [
        replace("a.py", "1", "2"),
        replace("a.py", "2", "3"),
        Edit::Delete { path: "pkg/x.py".into() },
        write("pkg2/deep/y.py", "y\n"),
        replace("fresh.py", "", "f\n"),
    ];
    let applied = store.apply(&tree, &edits, &open_rules()).unwrap();
    let paths: Vec<_> = contents(&store, &applied.tree).into_iter().collect();
    let want = [("a.py", "3\n"), ("fresh.py", "f\n"), ("keep.py", "k\n"), ("pkg2/deep/y.py", "y\n")];
    assert_eq!(paths, want.map(|(p, c)| (p.to_owned(), c.to_owned())));
    assert_eq!((applied.diff.files, applied.diff.added, applied.diff.removed), (4, 3, 2));
    // A file makes room for a directory of its name, and the other way round.
    let edits = [Edit::Delete { path: "a.py".into() }, write("a.py/b", "b\n"), Edit::Delete { path: "pkg/x.py".into() }];
    let applied = store.apply(&tree, &edits, &open_rules()).unwrap();
    assert_eq!(applied.changed, ["a.py", "a.py/b", "pkg/x.py"]);
}

#[test]
fn what_may_not_be_or_does_not_fit_is_refused_with_the_reason() {
    use Label::{ApplyFailed, OutOfBounds};
    let (_dir, store) = store();
    let tree = tree_of(
        &store,
        &[
            ("net.py", FILE),
            ("protected.py", "p\n"),
            ("link@", "pkg"),
            ("pkg/x.py", "x\ny\nx\n"),
            ("conftest.py", "c\n"),
            ("usercustomize.py", "u\n"),
            ("same.py", "s\n"),
        ],
    );
    let big = "x".repeat(1_000_001);
    for (name, edit, label, why) in [
        ("protected", write("protected.py", "q"), OutOfBounds, "protected by `protected.py`; editable: **"),
        ("the evaluator", write("evaluate.py", "print(0)"), OutOfBounds, "belongs to the evaluator"),
        ("dots", write("pkg/../protected.py", "q"), OutOfBounds, "`..`"),
        ("absolute", write("/etc/passwd", "q"), OutOfBounds, "absolute"),
        ("git", write("pkg/.GIT/hooks/x", "q"), OutOfBounds, "belongs to git"),
        ("a link", write("link", "q"), OutOfBounds, "symbolic link"),
        ("through a link", write("link/x.py", "q"), OutOfBounds, "`link` is a symbolic link"),
        ("removal of a link", Edit::Delete { path: "link".into() }, OutOfBounds, "symbolic link"),
        ("below a file", write("net.py/x", "q"), ApplyFailed, "is a file"),
        ("a directory", write("pkg", "q"), ApplyFailed, "is a directory"),
        ("a new hook", write("pkg/conftest.py", "q"), OutOfBounds, "of itself"),
        ("a start of Python", write("sitecustomize.py", "q"), OutOfBounds, "no proposal may add or change"),
        ("a start of Python that stood there", write("usercustomize.py", "q"), OutOfBounds, "no proposal may add or change"),
        ("its removal", Edit::Delete { path: "usercustomize.py".into() }, OutOfBounds, "no proposal may add or change"),
        ("a path file", write("pkg/evil.pth", "import os"), OutOfBounds, "no proposal may add or change"),
        ("attributes", write(".gitattributes", "* filter=x"), OutOfBounds, "belongs to git"),
        ("modules", write("pkg/.gitmodules", "[submodule]"), OutOfBounds, "belongs to git"),
        ("a nested repository", write("pkg/.Git/HEAD", "ref: x"), OutOfBounds, "belongs to git"),
        ("an escape in a name", write("pkg/\u{1b}]0;x\u{7}.py", "q"), OutOfBounds, "U+001B"),
        ("a name that reads backwards", write("pkg/\u{202e}yp.x", "q"), OutOfBounds, "U+202E"),
        ("a line end in a name", write("pkg/a\nb.py", "q"), OutOfBounds, "U+000A"),
        ("too large", write("big.py", &big), OutOfBounds, "at most 1000000"),
        ("nothing", write("same.py", "s\n"), ApplyFailed, "change nothing"),
        ("not there", Edit::Delete { path: "nett.py".into() }, ApplyFailed, "the nearest is `net.py`"),
        ("several", replace("pkg/x.py", "x\n", "z\n"), ApplyFailed, "several places (lines 1, 3)"),
        ("empty block", replace("net.py", "", "z\n"), ApplyFailed, "search block is empty"),
        ("no such text", replace("net.py", "    optimiser = Adam()\n    go()\n", ""), ApplyFailed, "nor anything like it"),
        (
            "the nearest place",
            replace("net.py", "        self.rate = 0.55\n        self.depth = 3\n", ""),
            ApplyFailed,
            "the nearest place is line 5 (",
        ),
    ] {
        let failure = store.apply(&tree, &[edit], &open_rules()).expect_err(name).failure;
        assert!(failure.label == label && failure.detail.contains(why), "{name}: {failure:?}");
    }
    assert!(store.apply(&tree, &[write("conftest.py", "d\n")], &open_rules()).is_ok(), "a hook that stood there may change");
    let failure = store.apply("00", &[], &open_rules()).unwrap_err().failure;
    assert_eq!(failure.label, Label::Infrastructure);
    let failure = store.apply(&tree, &[], &open_rules()).unwrap_err().failure;
    assert_eq!(failure.label, ApplyFailed);
}

#[test]
fn limits_on_files_and_lines_hold_on_the_result() {
    let (_dir, store) = store();
    let tree = tree_of(&store, &[("a", "a\n")]);
    let many: Vec<_> = (0..201).map(|i| write(&format!("f{i}"), "x\n")).collect();
    let failure = store.apply(&tree, &many, &open_rules()).unwrap_err().failure;
    assert!(failure.label == Label::OutOfBounds && failure.detail.contains("at most 200"), "{failure:?}");
    let spec = RulesSpec { editable: words(&["**"]), max_changed_lines: Some(3), ..RulesSpec::default() };
    let rules = Rules::new(&spec).unwrap();
    assert!(store.apply(&tree, &[write("a", "1\n2\n")], &rules).is_ok());
    let failure = store.apply(&tree, &[write("a", "1\n2\n3\n")], &rules).unwrap_err().failure;
    assert!(failure.label == Label::OutOfBounds && failure.detail.contains("4 lines"), "{failure:?}");
    let heavy: Vec<_> = (0..6).map(|i| write(&format!("f{i}"), &"x".repeat(900_000))).collect();
    let failure = store.apply(&tree, &heavy, &open_rules()).unwrap_err().failure;
    assert!(failure.detail.contains("5400000 bytes"), "{failure:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any block on any file: no panic, and where its lines stand exactly once, exactly they are replaced.
    #[test]
    fn a_block_that_stands_once_is_replaced_byte_for_byte(
        file in prop::collection::vec("[ab ]{0,3}", 1..10), at in 0usize..10, len in 1usize..4, with in "[xy\n ]{0,6}", wild in "(?s)[ab\n .]{0,8}"
    ) {
        let (_dir, store) = store();
        let text = file.join("\n") + "\n";
        let tree = tree_of(&store, &[("f", &text), ("g", "g")]);
        let _ = store.apply(&tree, &[replace("f", &wild, &with)], &open_rules());
        let block: Vec<&String> = file.iter().skip(at).take(len).collect();
        let stands = file.windows(block.len().max(1)).filter(|w| w.iter().eq(block.iter().copied())).count();
        let search: String = block.iter().map(|l| format!("{l}\n")).collect();
        prop_assume!(stands == 1 && !search.trim().is_empty());
        let new: String = with.lines().map(|l| format!("{l}\n")).collect();
        let kept = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
        let want = format!("{}{new}{}", kept(&file[..at]), kept(&file[at + block.len()..]));
        match store.apply(&tree, &[replace("f", &search, &with)], &open_rules()) {
            Ok(applied) => prop_assert_eq!(&contents(&store, &applied.tree)["f"], &want),
            Err(refusal) => prop_assert!(want == text && refusal.failure.detail.contains("change nothing"), "{}", refusal),
        }
    }
}
