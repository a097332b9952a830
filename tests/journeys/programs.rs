//! Programs that propose: a copy of the code goes in, an edit comes out, and nothing else of the study or of the user's is theirs.

use crate::keys::{HUNT, canaries, held_nowhere};
use crate::support::{Out, Place, Toy, alive, kill, trial, wait_until};
use serde_json::Value;
use std::fs;

/// Raises the learning rate of its copy, and says so.
const RAISES: &str = r#"import os, re, sys
brief = sys.stdin.read()
digest = open(os.environ["TRIALDECK_DIGEST"]).read()
assert "You may change: train.py" in brief and "`loss`, lower is better" in brief, brief
assert "What you are asked for" in digest and "t0000" in digest, digest
text = open("train.py").read()
rate = float(re.search(r"LEARNING_RATE = (\S+)", text)[1])
text = re.sub(r"LEARNING_RATE = \S+", f"LEARNING_RATE = {rate + 0.05:.2f}", text)
open("train.py", "w").write(text)
open("NOTES.md", "w").write("for myself")
print("the loss falls with the rate")
print(f"hypothesis: a rate of {rate + 0.05:.2f} is nearer to the best one")
"#;

/// Writes a program into the place; returns its path.
fn program(place: &Place, text: &str) -> String {
    let path = place.path("propose.py");
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Why proposals came to nothing.
fn failures(place: &Place, name: &str) -> Vec<String> {
    let facts = place.journal(name);
    facts.iter().filter(|f| f["event"] == "proposal_failed").map(|f| f["detail"].as_str().unwrap().to_owned()).collect()
}

/// The tiers that this machine offers and that keep a program from other files, the strongest first.
fn tiers(place: &Place) -> Vec<&'static str> {
    let out = place.run(&["doctor", "--json"]);
    let lines: Vec<Value> = out.out.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let tiers = ["A", "B", "C"].into_iter().filter(|t| lines.iter().any(|l| l["what"] == format!("tier {t}") && l["level"] == "ok"));
    let tiers: Vec<&str> = tiers.collect();
    tiers
}

/// A toy that writes nothing outside of its slot, so that it may be contained.
fn contained_toy(place: &Place) -> Toy {
    let starts =
        "    with open(os.environ[\"STARTS\"], \"a\") as starts:\n        starts.write(os.environ[\"TRIALDECK_TRIAL\"] + \"\\n\")\n";
    Toy::new(place).quick().train(starts, "")
}

#[test]
fn what_a_program_changes_is_a_proposal_like_any_other() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let run = format!("command:\"python3 {}\"", program(&place, RAISES));
    let out = place.run(&["run", "toy", "--auto", "--trials", "2", "--name", "a", "--proposer", &run]);
    assert_eq!(out.code, 0, "{out:#?}");
    out.says(&["the proposer command/python3 runs", "is granted nothing but a copy of the code"]);
    let shown = place.show("a");
    let first = trial(&shown, "t0001");
    assert_eq!((&first["proposer"], &first["status"]), (&"command/python3".into(), &"done".into()), "{first:#}");
    assert_eq!(first["hypothesis"], "a rate of 0.15 is nearer to the best one");
    assert!(shown["trials"].as_array().unwrap().iter().any(|t| t["verdict"] == "keep" && t["id"] != "t0000"), "{shown:#}");
    let diff = place.run(&["diff", "a", "t0001"]).exits(0);
    assert!(diff.out.contains("+LEARNING_RATE = 0.15") && !diff.out.contains("NOTES"), "{}", diff.out);
    place.run(&["show", "a", "t0001"]).exits(0).says(&["the loss falls with the rate", "not taken: `NOTES.md` is not editable"]);
    let said = place.run(&["show", "a", "t0001", "--conversation", "--full"]).exits(0);
    said.says(&["told", "You may change: train.py", "command/python3", "the loss falls with the rate"]);
    let json = place.run(&["show", "a", "p0001", "--conversation", "--json"]).exits(0).json();
    assert_eq!((json["turns"].as_array().unwrap().len(), &json["trouble"]), (3, &Value::Null), "{json:#}");
    assert_eq!(json["turns"][2]["model"], "command/python3");
}

const HOSTILE: &str = r#"import os, sys
what = sys.argv[1]
if what == "evaluator":
    open("evaluate.py", "w").write("print('{\"loss\": 0}')")
elif what == "climb":
    for path in ("../x", "../../journal.jsonl", "../../evaluator/tree/evaluate.py"):
        try:
            open(path, "a").write("x")
            print("wrote", path)
        except OSError as error:
            print("could not:", error.strerror)
elif what == "link":
    os.remove("train.py")
    os.symlink("/etc/passwd", "train.py")
elif what == "pipe":
    os.remove("train.py")
    os.mkfifo("train.py")
elif what == "escape":
    print("\x1b]0;owned\x07\x1b[2J\x1b[Hlast words\u202e")
elif what == "fails":
    open("train.py", "a").write("x = 1")
    sys.exit("no key")
"#;

#[test]
fn what_a_program_may_not_do_changes_nothing_and_is_told() {
    let place = Place::new();
    contained_toy(&place).write(&place, "toy");
    let path = program(&place, HOSTILE);
    let hostile = [
        ("evaluator", "out_of_bounds: it changed nothing that it may change; not taken: `evaluate.py` belongs to the evaluator"),
        ("climb", "it changed nothing; its last words: could not:"),
        ("link", "out_of_bounds: `train.py` is, or lies behind, a symbolic link"),
        ("pipe", "out_of_bounds: `train.py` is neither a file nor a directory"),
        ("escape", "it changed nothing; its last words:"),
        ("fails", "crashed: "),
    ];
    for (tier, (what, why)) in tiers(&place).into_iter().flat_map(|tier| hostile.map(|h| (tier, h))) {
        let name = &format!("{what}-{tier}");
        let run = format!("command:'python3 {path} {what}'");
        let grant = format!("read:{path}");
        let args =
            ["run", "toy", "--auto", "--trials", "1", "--name", name, "--isolation", tier, "--proposer", &run, "--proposer-grant", &grant];
        let out = place.run(&args);
        assert_ne!(out.code, 2, "{out:#?}");
        let said = failures(&place, name);
        assert!(!said.is_empty() && said.iter().all(|detail| detail.starts_with(why)), "{name}: {said:#?}");
        assert_eq!(place.show(name)["trials"].as_array().unwrap().len(), 1, "{name}: only the baseline");
        let shown: [Out; 2] = [place.run(&["show", name, "p1", "--conversation", "--full"]), place.run(&["show", name])];
        for text in shown.iter().chain([&out]) {
            assert!(!text.out.contains(['\u{1b}', '\u{7}', '\u{202e}']) && !text.err.contains('\u{1b}'), "{name}: {text:#?}");
        }
        assert!(!place.study(name).join("work/x").exists(), "{name}");
        place.run(&["verify", name]).exits(0);
    }
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_its_children() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let pids = place.path("pids");
    let text = format!(
        "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '600'], start_new_session=True)\nwith open({:?}, 'a') as f:\n    f.write(f'{{os.getpid()}}\\n{{child.pid}}\\n')\ntime.sleep(600)\n",
        pids.to_string_lossy()
    );
    let config = format!(
        "[run]\nisolation = \"none\"\n\n[[command]]\nname = \"slow\"\nrun = \"python3 {}\"\nwall = \"1s\"\n",
        program(&place, &text)
    );
    fs::write(place.path("home/.config/trialdeck/config.toml"), config).unwrap();
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a", "--proposer", "command:slow"]);
    let said = failures(&place, "a");
    assert!(!said.is_empty() && said.iter().all(|d| d.starts_with("timed_out: ")), "{said:#?}");
    let pids: Vec<i32> = fs::read_to_string(pids).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    assert!(pids.len() >= 2 && pids.iter().all(|pid| !alive(*pid)), "{pids:?}");
}

#[test]
fn a_program_finds_no_key_but_what_it_was_granted() {
    let (place, keys) = (Place::new(), canaries());
    contained_toy(&place).write(&place, "toy");
    let word = ("PASSPHRASE_OF_MINE", format!("correct horse {}", keys[1].1.split('/').next().unwrap()));
    let exports: String = keys.iter().map(|(n, v)| format!("export {n}={v}\n")).collect();
    fs::write(place.path("home/.bashrc"), exports).unwrap();
    let hunt = HUNT.replace("HOMES", &place.path("home").to_string_lossy());
    let text = format!(
        "import os\n{hunt}\nos.remove('found.txt')\nword = os.environ['PASSPHRASE_OF_MINE']\nprint('granted', len(word), word)\nprint('others', [n for n in os.environ if 'OPENAI' in n or 'AWS' in n])\ntext = open('train.py').read()\nopen('train.py', 'w').write(text.replace('WIDTH = 8', 'WIDTH = 9'))\n"
    );
    let path = program(&place, &text);
    let (run, grant) = (format!("command:python3 {path}"), format!("read:{path}"));
    for tier in tiers(&place) {
        let name = &format!("in-{tier}");
        let args = ["run", "toy", "--auto", "--trials", "1", "--name", name, "--isolation", tier, "--proposer", &run];
        let grants = ["--proposer-grant", &grant, "--proposer-grant", "env:PASSPHRASE_OF_MINE"];
        let mut command = place.command(&[&args[..], &grants].concat());
        command.envs(keys.iter().map(|(n, v)| (*n, v))).env(word.0, &word.1);
        let out = place.start(command).end();
        assert!(matches!(out.code, 0 | 3), "{name}: {out:#?}");
        out.says(&["is granted $PASSPHRASE_OF_MINE,"]);
        let said = place.run(&["show", name, "t0001", "--conversation", "--full"]).exits(0);
        let granted = format!("granted {} [redacted]", word.1.len());
        assert!(said.out.contains("hunted 0") && said.out.contains("others []") && said.out.contains(&granted), "{name}: {}", said.out);
        held_nowhere(&place, &place.study(name), &keys);
        held_nowhere(&place, &place.study(name), std::slice::from_ref(&word));
    }
}

#[test]
fn an_engine_that_is_killed_while_a_program_works_asks_it_again() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let (asked, go) = (place.path("asked"), place.path("go"));
    let text = format!(
        "import os, time\nwith open({:?}, 'a') as f:\n    f.write(f'{{os.getpid()}}\\n')\nwhile not os.path.exists({:?}):\n    time.sleep(0.02)\ntext = open('train.py').read()\nopen('train.py', 'w').write(text.replace('WIDTH = 8', 'WIDTH = 9'))\n",
        asked.to_string_lossy(),
        go.to_string_lossy()
    );
    let run = format!("command:python3 {}", program(&place, &text));
    place.run(&["run", "toy", "--auto", "--detach", "--trials", "1", "--name", "a", "--proposer", &run]).exits(0);
    let pids = || -> Vec<i32> {
        fs::read_to_string(&asked).unwrap_or_default().split_inclusive('\n').filter_map(|l| l.strip_suffix('\n')?.parse().ok()).collect()
    };
    let first = wait_until("the program's start", || pids().first().copied());
    kill(wait_until("an engine", || place.engine("a")));
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    place.run(&["resume", "a", "--detach"]).exits(0);
    wait_until("the program's second start", || pids().get(1).copied());
    assert!(!alive(first), "what the killed engine asked is ended first");
    fs::write(&go, "").unwrap();
    let shown = place.shown("a", "the end", |v| v["state"] == "finished");
    let made = trial(&shown, "t0001");
    assert_eq!((&made["status"], &made["hypothesis"]), (&"done".into(), &"changes train.py".into()), "{made:#}");
    assert_eq!(place.journal("a").iter().filter(|f| f["event"] == "proposal_asked").count(), 1);
    wait_until("the end of all of them", || pids().iter().all(|pid| !alive(*pid)).then_some(()));
}

#[test]
fn grants_that_make_no_sense_are_refused_before_anything_is_written() {
    let place = Place::new();
    let toy = Toy::new(&place).write(&place, "toy");
    let inside = format!("read:{}", toy.display());
    for (proposer, grant, why) in [
        ("tpe", "network", "--proposer-grant is for programs"),
        ("command:x", "net", "there are network, env:NAME"),
        ("command:x", "read:/no/such/place", "cannot be granted"),
        ("command:x", &inside, "is kept from whoever proposes"),
        ("command:\"x", "network", "is not closed"),
    ] {
        let out = place.run(&["run", "toy", "--detach", "--name", "a", "--proposer", proposer, "--proposer-grant", grant]);
        assert!(matches!(out.code, 1 | 2), "{out:#?}");
        out.says(&[why]);
        assert!(!place.study("a").exists(), "{proposer} {grant}");
    }
}

#[test]
fn a_reviewer_gets_another_revision_of_the_same_program() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let text = r#"import sys
brief = sys.stdin.read()
text = open("train.py").read()
if "Another revision is wanted" in brief:
    assert "> wider still,\n> please" in brief and "+WIDTH = 9" in brief, brief
    assert "WIDTH = 9" in text, text
    text = text.replace("WIDTH = 9", "WIDTH = 10")
    print("hypothesis: wider still, as you say")
else:
    text = text.replace("WIDTH = 8", "WIDTH = 9")
    print("hypothesis: wider")
open("train.py", "w").write(text)
"#;
    let run = format!("command:python3 {}", program(&place, text));
    let args = ["run", "toy", "--detach", "--autonomy", "ask", "--trials", "1", "--slots", "1", "--name", "a", "--proposer", &run];
    place.run(&args).exits(0);
    let waits = |v: &Value, revision: u64| {
        v["trials"]
            .as_array()
            .is_some_and(|t| t.iter().any(|t| t["id"] == "t0001" && t["status"] == "waiting" && t["revision"] == revision))
    };
    place.shown("a", "the first revision", |v| waits(v, 1));
    place.run(&["ctl", "a", "revise", "p1", "--comment", "wider still,\nplease"]).exits(0);
    place.shown("a", "the second revision", |v| waits(v, 2));
    let diff = place.run(&["diff", "a", "t0001"]).exits(0);
    assert!(diff.out.contains("+WIDTH = 10") && diff.out.contains("-WIDTH = 8"), "{}", diff.out);
    let said = place.run(&["show", "a", "t0001", "--conversation"]).exits(0);
    said.says(&["revision 1", "revision 2", "wider still, as you say"]);
    place.run(&["stop", "a", "--now"]).exits(0);
}
