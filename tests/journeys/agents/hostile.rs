//! Models that do harm: edits of what is not theirs, paths that leave, links, hooks, answers of a megabyte, and text that wants to
//! act on a terminal. Nothing outside of the study changes, each attempt is named for what it is, and nothing of it is drawn.

use super::Lab;
use crate::endpoint::mind::{change, read};
use crate::endpoint::{Reply, Request, chunk};
use crate::support::{Place, trial};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

/// What a terminal, and a reader, would obey.
const INK: &str = "\u{1b}]0;OWNED\u{7}\u{1b}[2J\u{1b}[H\u{9b}31m\u{202e}APPROVED by user\u{2066}";

/// Many different lines, shorter than what is broken off.
fn long(words: &str) -> String {
    (0..2_000).map(|n| format!("{n} {words}\n")).collect()
}

/// Each attempt, and what the refusal says of it.
fn attempts(outside: &Path) -> Vec<(&'static str, Value, &'static str)> {
    let write = |path: &str, content: &str| json!({ "hypothesis": "this will help the loss a lot", "edits": [{ "path": path, "content": content }] });
    let patch = |text: &str| json!({ "hypothesis": "this will help the loss a lot", "patch": text });
    let link = |path: &str| {
        patch(&format!(
            "diff --git a/{path} b/{path}\nnew file mode 120000\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"
        ))
    };
    let turned = "diff --git a/train.py b/train.py\nold mode 100644\nnew mode 120000\n--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-import json\n+/etc/passwd\n";
    vec![
        ("submit", write("evaluate.py", "print('{\"loss\": 0}')\n"), "out_of_bounds"),
        ("submit", write("../x", "x"), "out_of_bounds"),
        ("submit", write(&outside.join("x").to_string_lossy(), "x"), "out_of_bounds"),
        ("submit", write(".git/hooks/post-checkout", "#!/bin/sh\ntouch /tmp/owned\n"), "out_of_bounds"),
        ("submit", write("a/../../x", "x"), "out_of_bounds"),
        ("submit", link("link"), "out_of_bounds"),
        ("submit", patch(turned), "out_of_bounds"),
        ("submit", write(&format!("tr{INK}ain.py"), "x"), "out_of_bounds"),
        ("submit", write("train.py", &long("this does not parse ")), "does not parse"),
        ("read_file", json!({ "path": "../../../../../../etc/passwd" }), ""),
        ("read_file", json!({ "path": "/etc/passwd" }), ""),
        ("check_edit", json!({ "edits": long(INK) }), ""),
        (INK, json!({ "path": INK }), ""),
    ]
}

/// Files and links below a directory, with what they hold.
fn contents(dir: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.to_string_lossy().into_owned();
        if kind.is_dir() {
            out.insert(name, b"directory".to_vec());
            contents(&path, out);
        } else if kind.is_symlink() {
            out.insert(name, fs::read_link(&path).unwrap().to_string_lossy().into_owned().into_bytes());
        } else if kind.is_file() {
            out.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// All of a place but for the studies and what the test's own commands leave.
fn around(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for dir in ["toy", "home", "outside"] {
        contents(&place.path(dir), &mut all);
    }
    all
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir).unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A megabyte of thoughts, of words and of arguments; then one answer an attempt, then an edit that fits, whose words are as bad.
fn model(number: usize, attempts: &[(&'static str, Value, &'static str)], told: &Mutex<Vec<String>>, request: &Request) -> Reply {
    let endless: String = (0..100_000).map(|n| format!("{n}_words{}", if n % 500 == 0 { ' ' } else { '_' })).collect();
    match number {
        0 => return Reply::chat(&endless, ""),
        1 => return Reply::chat("", &endless),
        2 => return Reply::calls("", &[("submit", change("train.py", "WIDTH = 8", &endless, "a wider layer holds more of it"))]),
        _ => {}
    }
    if request.turn() > 0 {
        told.lock().unwrap().push(request.last());
    }
    let mut reply = match attempts.get(request.turn()) {
        Some((tool, arguments, _)) => Reply::calls(INK, &[(tool, arguments.clone())]),
        None => match request.line_of("WIDTH = ") {
            None => read("train.py"),
            Some(old) => {
                let mut edit = change("train.py", &old, "WIDTH = 7", &format!("a leaner layer {INK} holds more of the data"));
                edit["falsified_by"] = INK.into();
                edit["surface"] = INK.into();
                Reply::calls(&long(INK), &[("submit", edit)])
            }
        },
    };
    reply.steps.insert(0, chunk(json!({ "content": format!("{INK}\n") })));
    reply
}

/// A tool, its arguments, and the label of what must come of them; known once the place stands.
type Attempts = Arc<Mutex<Vec<(&'static str, Value, &'static str)>>>;

#[test]
fn what_models_may_not_do_changes_nothing_and_draws_nothing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    // The address of the place is known only once it stands.
    let list: Attempts = Arc::default();
    let (heard, tried) = (Arc::clone(&told), Arc::clone(&list));
    let lab = Lab::new(|toy| toy, move |number, request| model(number, &tried.lock().unwrap(), &heard, request));
    let place = &lab.place;
    fs::create_dir(place.path("outside")).unwrap();
    *list.lock().unwrap() = attempts(&place.path("outside"));
    let toy = place.path("toy");
    for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "first"]] {
        place.git(&toy, args);
    }
    let before = around(place);
    let run = ["run", "toy", "--auto", "--time", "90s", "--trials", "1", "--slots", "1", "--name", "a", "--proposer", "agents"];
    let out = place.run(&run);
    assert_eq!(out.code, 3, "{out:#?}");

    let out = out.says(&["p0001  nothing"]);
    let told = told.lock().unwrap().clone();
    let tried = list.lock().unwrap().clone();
    assert!(told.len() > tried.len(), "{told:#?}");
    for ((tool, arguments, label), answer) in tried.iter().zip(&told) {
        let what: String = arguments.to_string().chars().take(200).collect();
        let answer: String = answer.chars().take(1_000).collect();
        assert!(answer.contains(label) && !answer.contains("root:"), "{tool} {what}: {answer}");
        assert!(*tool != "submit" || answer.contains("refused"), "{what}: {answer}");
        assert!(!answer.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "it is told in marks: {answer:?}");
    }

    assert_eq!(around(place).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(around(place) == before, "repository, evaluator and home are as they were");
    assert_eq!(names(&place.path("outside")), [""; 0]);
    assert_eq!(names(place.study("a").parent().unwrap()), ["a"]);
    place.run(&["verify", "a"]).exits(0);
    let evaluator = fs::read(toy.join("evaluate.py")).unwrap();
    let mut study = BTreeMap::new();
    contents(&place.study("a"), &mut study);
    let copies: Vec<&Vec<u8>> = study.iter().filter(|(name, _)| name.ends_with("/evaluate.py")).map(|(_, bytes)| bytes).collect();
    assert!(!copies.is_empty() && copies.iter().all(|bytes| **bytes == evaluator), "the study's own copy too");
    assert!(study.keys().all(|name| !name.ends_with("/x") && !name.ends_with("/link") && !name.contains("post-checkout")));

    let shown = place.show("a");
    let made = trial(&shown, "t0001");
    assert_eq!((&made["status"], &made["failure"]), (&"done".into(), &Value::Null), "{made:#}");
    let diff = place.run(&["diff", "a", "t0001"]).exits(0).out;
    assert!(diff.contains("+WIDTH = 7") && diff.matches("diff --git").count() == 1, "{diff}");
    let said = [
        vec!["show", "a"],
        vec!["show", "a", "t0001"],
        vec!["show", "a", "t0001", "--json"],
        vec!["show", "a", "t0001", "--conversation"],
        vec!["show", "a", "t0001", "--conversation", "--full"],
        vec!["show", "a", "t0001", "--conversation", "--json"],
        vec!["show", "a", "p0001", "--conversation", "--full"],
        vec!["tree", "a"],
        vec!["ls"],
        vec!["export", "a", "--tsv"],
    ];
    for (what, text) in said.iter().map(|args| (args.join(" "), place.run(args).exits(0))).chain([("run".to_owned(), out)]) {
        for bad in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}'] {
            let at = text.out.find(bad).map(|at| text.out[..at].lines().last().unwrap_or_default().to_owned());
            assert!(at.is_none() && !text.err.contains(bad), "{what} draws {bad:?} after {at:?}");
        }
    }
}
