//! The environment of the runs: built once for all studies, adopted after a crash, explained when it cannot be built; and
//! the interpreter in it.

use crate::support::{Place, Toy, kill, trial, wait_until};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// A toy whose runs need a program that only its setup makes; `line` is what the setup does besides.
fn toy(place: &Place, name: &str, line: &str) -> PathBuf {
    let setup = format!(
        "[setup]\ncommand = '''echo begun >> {}; {line}; mkdir $SETUP/bin && cp tool.sh $SETUP/bin/tool'''\nwall = \"60s\"\n\n[run]",
        place.path("built").display()
    );
    let dir = Toy::new(place).quick().task("[run]", &setup).task("python3 -u train.py", "tool && python3 -u train.py").write(place, name);
    fs::write(dir.join("tool.sh"), "#!/bin/sh\necho tool of $SETUP\n").unwrap();
    fs::set_permissions(dir.join("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn built(place: &Place) -> usize {
    fs::read_to_string(place.path("built")).unwrap_or_default().lines().count()
}

fn facts<'a>(journal: &'a [Value], event: &str) -> Vec<&'a Value> {
    journal.iter().filter(|f| f["event"] == event).collect()
}

#[test]
fn it_is_built_once_for_all_studies_and_again_for_another_content() {
    let place = Place::new();
    let dir = toy(&place, "toy", "echo one; echo two >&2");
    let run = |name: &str| {
        let out = place.run(&["run", "toy", "--auto", "--trials", "1", "--name", name]);
        assert!(matches!(out.code, 0 | 3), "{out:#?}");
        out
    };
    run("a").says(&["setup built in"]);
    run("b").says(&["setup found in the cache"]);
    assert_eq!(built(&place), 1);
    let (a, b) = (place.show("a"), place.show("b"));
    assert_eq!((&a["setup"]["cached"], &b["setup"]["cached"], &a["setup"]["state"]), (&json!(false), &json!(true), &json!("ready")));
    assert_eq!(a["setup"]["hash"], b["setup"]["hash"]);
    let hash = a["setup"]["hash"].as_str().unwrap();
    // One directory in the user's cache, linked into both studies, which nobody writes to by accident.
    let cached = place.path("home/.cache/trialdeck/setup").join(hash);
    for study in ["a", "b"] {
        assert_eq!(fs::read_link(place.study(study).join("setup").join(hash)).unwrap(), cached);
    }
    assert!(fs::metadata(cached.join("bin/tool")).unwrap().permissions().readonly());
    place.run(&["log", "a", "setup"]).exits(0).says(&["one", "two"]);
    place.run(&["log", "a", "t0000"]).exits(0).says(&[&format!("tool of {}", cached.display())]);
    place.run(&["doctor", "toy"]).says(&[hash, "in the cache"]);
    // Something of it went: it is built again. A file that the command names changed: it is another.
    place.program("chmod", &["-R", "u+w", &cached.to_string_lossy()]).status().unwrap();
    fs::remove_file(cached.join("bin/tool")).unwrap();
    run("c").says(&["setup built in"]);
    fs::write(dir.join("tool.sh"), "#!/bin/sh\necho another\n").unwrap();
    run("d").says(&["setup built in"]);
    assert_eq!(built(&place), 3);
    assert_ne!(place.show("d")["setup"]["hash"], a["setup"]["hash"]);
    // The cache was emptied between two engines: what goes on builds it again.
    place.program("chmod", &["-R", "u+w", &cached.to_string_lossy()]).status().unwrap();
    fs::remove_dir_all(&cached).unwrap();
    let out = place.run(&["resume", "b", "--auto", "--trials", "+1"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!((built(&place), facts(&place.journal("b"), "setup_gone").len()), (4, 1));
}

#[test]
fn two_studies_at_once_build_it_once_and_the_second_says_what_it_waits_for() {
    let place = Place::new();
    let gate = place.path("gate");
    toy(&place, "toy", &format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display()));
    let first = place.spawn(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    wait_until("the first to build", || (built(&place) == 1).then_some(()));
    let second = place.spawn(&["run", "toy", "--auto", "--trials", "1", "--name", "b"]);
    wait_until("the second to wait", || {
        let journal = place.journal("b");
        facts(&journal, "setup_started").iter().any(|f| f["waiting"].as_str().is_some_and(|w| w.contains("study a"))).then_some(())
    });
    assert_eq!(place.show("b")["trials"][0]["runs"], json!([]));
    fs::write(gate, "").unwrap();
    for out in [first.end(), second.end()] {
        assert!(matches!(out.code, 0 | 3), "{out:#?}");
    }
    assert_eq!((built(&place), &place.show("b")["setup"]["cached"]), (1, &json!(true)));
}

#[test]
fn a_killed_engine_does_not_build_it_twice() {
    let place = Place::new();
    let gate = place.path("gate");
    toy(&place, "toy", &format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display()));
    place.run(&["run", "toy", "--detach", "--auto", "--trials", "1", "--name", "a"]).exits(0);
    wait_until("the setup", || (built(&place) == 1).then_some(()));
    kill(place.engine("a").unwrap());
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    let resumed = place.spawn(&["resume", "a", "--auto"]);
    wait_until("the next engine", || place.engine("a"));
    fs::write(gate, "").unwrap();
    let out = resumed.end();
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!((built(&place), facts(&place.journal("a"), "setup_ended").len()), (1, 1));
    assert!(trial(&place.show("a"), "t0000")["score"].is_number());
}

#[test]
fn one_that_cannot_be_built_is_one_clear_message_and_resume_tries_again() {
    let place = Place::new();
    let lines = "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; echo ERROR: no such package >&2; [ -e ../mended ] || [ -n \"$NONE\" ] || exit 3";
    toy(&place, "toy", &lines.replace("../mended", &place.path("mended").to_string_lossy()));
    let out = place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]).exits(1);
    assert_eq!(out.out.matches("ERROR: no such package (exit code 3").count(), 1, "{out:#?}");
    let out = out.says(&[
        "failed (setup: [setup] failed: ERROR: no such package (exit code 3",
        "line 9",
        "mend",
        "trialdeck resume a",
        "trialdeck log a setup",
    ]);
    assert!(!out.out.contains("line 1\n"), "{out:#?}");
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"], &shown["setup"]["state"]), (&json!("failed"), &json!("setup"), &json!("failed")));
    assert_eq!((&shown["trials"][0]["runs"], &shown["setup"]["attempts"]), (&json!([]), &json!(1)));
    fs::write(place.path("mended"), "").unwrap();
    let out = place.run(&["resume", "a", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(trial(&place.show("a"), "t0000")["score"].is_number());
}

#[test]
fn its_wall_ends_it_and_a_hiccup_is_tried_once_more() {
    let place = Place::new();
    let dir = toy(&place, "slow", "echo asleep; sleep 600");
    let task = fs::read_to_string(dir.join("task.toml")).unwrap().replace("wall = \"60s\"", "wall = \"1500ms\"");
    fs::write(dir.join("task.toml"), task).unwrap();
    place.run(&["run", "slow", "--auto", "--name", "slow"]).exits(1).says(&["was not done after its wall of 1.5 s; it last said: asleep"]);
    assert_eq!(place.show("slow")["setup"]["failure"]["label"], "timed_out");

    toy(&place, "net", "echo Temporary failure in name resolution; exit 1");
    place.run(&["run", "net", "--auto", "--name", "net"]).exits(1).says(&["trying once more", "Temporary failure"]);
    assert_eq!(place.show("net")["setup"]["attempts"], 2);
}

#[test]
fn it_gets_what_installing_needs_and_no_key_and_nothing_of_it_is_written() {
    let place = Place::new();
    toy(&place, "toy", "env > $SETUP/env; echo at $HOME");
    let mut command = place.command(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    command.env("PIP_INDEX_URL", "https://me:pa55word@index.example/simple").env("OPENAI_API_KEY", "sk-12345").env("PYTHONPATH", "/x");
    let out = place.start(command).end();
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let hash = place.show("a")["setup"]["hash"].as_str().unwrap().to_owned();
    let env = fs::read_to_string(place.study("a").join("setup").join(hash).join("env")).unwrap();
    assert!(
        env.contains("PIP_INDEX_URL=https://me:pa55word@") && env.contains(&format!("HOME={}\n", place.path("home").display())),
        "{env}"
    );
    assert!(!env.contains("sk-12345") && !env.contains("PYTHONPATH"), "{env}");
    fn look(dir: &Path) {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                look(&entry.path());
            } else if let Ok(bytes) = fs::read(entry.path()) {
                assert!(!bytes.windows(8).any(|w| w == b"pa55word"), "{}", entry.path().display());
            }
        }
    }
    look(&place.study("a"));
}

#[test]
fn the_interpreter_of_the_runs_says_whether_a_proposal_parses_and_prepares_the_data() {
    let place = Place::new();
    // A Python that knows one word less, in the setup alone.
    let dir = toy(&place, "toy", "true");
    let python = "#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\ncase \"$*\" in *compile*) printf 'train.py\\0007\\0003\\000walrus is not known here'; cat > /dev/null; exit 3;; esac\nexec python3 \"$@\"\n";
    fs::write(dir.join("python.sh"), python).unwrap();
    fs::set_permissions(dir.join("python.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let task = fs::read_to_string(dir.join("task.toml")).unwrap();
    let (head, rest) = task.split_once("[setup]\ncommand = '''").unwrap();
    let (_, rest) = rest.split_once("'''").unwrap();
    let setup = "mkdir $SETUP/bin && cp tool.sh $SETUP/bin/tool && cp python.sh $SETUP/bin/python3";
    let rest = rest.replace("[evaluator]\n", "[evaluator]\nprepare = \"python3 prepare.py\"\n");
    fs::write(dir.join("task.toml"), format!("{head}[setup]\ncommand = '''{setup}'''{rest}")).unwrap();
    fs::write(dir.join("prepare.py"), "import os\nos.makedirs('public')\nopen('public/python', 'w').write(os.environ['SETUP'])\n").unwrap();
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--name", "a"]).exits(0);
    place.shown("a", "the baseline", |v| trial(v, "t0000")["score"].is_number());
    fs::write(place.path("edit.diff"), "--- a/train.py\n+++ b/train.py\n@@ -8,1 +8,1 @@\n-WIDTH = 8\n+WIDTH = 16\n").unwrap();
    let out = place.run(&["propose", "a", "--patch", "edit.diff", "-m", "x", "--wait", "--json"]).exits(1).json();
    assert_eq!(
        (&out["status"], &out["failure"]["label"], &out["runs"]),
        (&json!("rejected"), &json!("preflight_failed"), &json!([])),
        "{out:#}"
    );
    assert_eq!(out["failure"]["detail"], "train.py does not parse: line 7, column 3: walrus is not known here (python3)");
    let prepared = fs::read_to_string(place.study("a").join("evaluator/public/python")).unwrap();
    assert!(prepared.contains(".cache/trialdeck/setup/"), "{prepared}");
    place.run(&["stop", "a"]).exits(0);
}
