//! Journey: a study is recorded and replayed offline, to the same tree.

use crate::endpoint::{Endpoint, Reply, Request};
use crate::support::{Place, Toy, kill, trial, wait_until};
use serde_json::{Value, json};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

/// Proposals of the recorded study.
const TRIALS: usize = 100;

/// A model that reads the file, changes two numbers of what it read, and argues when it is told that this was tried before.
fn model(number: usize, request: &Request) -> Reply {
    let said = request.last();
    // A line of the file as a tool shows it; digests and diffs have others.
    if said.contains("| LEARNING_RATE = ") && said.contains("| MOMENTUM = ") {
        return Reply::calls("a step elsewhere", &[("submit", edit(number, &said))]);
    }
    if said.contains("NEARLY") {
        let mut again = edit(number, &request.said());
        again["argue"] = "the number alone is what is measured here".into();
        return Reply::calls("it is another number", &[("submit", again)]);
    }
    if said.contains("The edit holds nothing else") {
        // It was told what a rule will say to this, and insists.
        return Reply::calls("it is meant so", &[("submit", handed_in(request))]);
    }
    if said.contains("refused") || number % 17 == 2 {
        return Reply::calls("nothing", &[("give_up", json!({ "why": said }))]);
    }
    Reply::calls("I look first", &[("read_file", json!({ "path": "train.py" }))])
}

/// What the last answer handed in.
fn handed_in(request: &Request) -> Value {
    let messages = request.body["messages"].as_array().unwrap();
    let calls = messages.iter().rev().find_map(|m| m["tool_calls"].as_array().filter(|_| m["role"] == "assistant"));
    serde_json::from_str(calls.unwrap()[0]["function"]["arguments"].as_str().unwrap()).unwrap()
}

/// The value of a knob in the file as a tool showed it.
fn at(said: &str, name: &str) -> String {
    let (_, rest) = said.split_once(&format!("| {name} = ")).unwrap_or_else(|| panic!("no {name} in {said}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Two numbers anew; sometimes what cannot run, or what no compute is spent on.
fn edit(number: usize, said: &str) -> Value {
    let replace = |name: &str, value: f64| json!({ "path": "train.py", "search": format!("{name} = {}", at(said, name)), "replace": format!("{name} = {value:.4}") });
    if number % 9 == 4 {
        let edit = json!({ "path": "train.py", "search": format!("MOMENTUM = {}", at(said, "MOMENTUM")), "replace": format!("MOMENTUM = None  # {number}") });
        return json!({ "hypothesis": format!("number {number}: without momentum every step follows its own gradient, which should lower the loss"), "edits": [edit] });
    }
    if number % 13 == 6 && said.contains("SEED\"]))") {
        let edit = json!({ "path": "train.py", "search": "[\"SEED\"]))", "replace": format!("[\"SEED\"]) + {number})") });
        return json!({ "hypothesis": format!("number {number}: another seed draws other noise, which may lower the loss a little"), "edits": [edit] });
    }
    let spread = |step: f64| (number as f64 * step).fract();
    json!({
        "hypothesis": format!("number {number}: another rate and momentum lie nearer to the optimum"),
        "edits": [replace("LEARNING_RATE", 0.6 * spread(0.618_034)), replace("MOMENTUM", spread(0.414_214))],
    })
}

/// The facts of a study that a replay has to bring about again, in their order: all but what an engine says of itself, with what a
/// clock and the machine put into them left out.
fn facts_of(place: &Place, study: &str) -> Vec<Value> {
    let own = ["engine_started", "engine_stopped", "run_started", "commit_labelled", "holdout_unsealed", "noted", "study_created"];
    let measured = ["seq", "at", "prev", "sum", "basis", "seconds", "peak_memory_bytes", "artifacts", "commit"];
    let facts = place.journal(study).into_iter().filter(|e| own.iter().all(|name| e["event"] != *name));
    facts
        .map(|mut fact| {
            measured.iter().for_each(|name| drop(fact.as_object_mut().unwrap().remove(*name)));
            fact
        })
        .collect()
}

/// What a replay has to bring about again: trees, parents, verdicts and what they rest on.
fn tree_of(shown: &Value) -> Vec<Value> {
    let of = |t: &Value| {
        let scores: Vec<&Value> = t["runs"].as_array().unwrap().iter().map(|r| &r["score"]).collect();
        json!([
            t["id"],
            t["proposal"],
            t["parents"],
            t["operator"],
            t["tree"],
            t["status"],
            t["verdict"],
            t["hypothesis"],
            t["proposer"],
            t["score"],
            scores
        ])
    };
    shown["trials"].as_array().unwrap().iter().map(of).collect()
}

#[track_caller]
fn is_same(place: &Place, one: &str, other: &str) {
    let (first, second) = (place.show(one), place.show(other));
    for (one, other) in facts_of(place, one).iter().zip(&facts_of(place, other)) {
        assert_eq!(one, other);
    }
    assert_eq!(tree_of(&first), tree_of(&second));
    assert_eq!((&first["best"]["trial"], &first["reason"]), (&second["best"]["trial"], &second["reason"]));
    let spent = |v: &Value| v["spend"]["usd"].as_f64();
    assert_eq!(spent(&first), spent(&second), "it cost what it cost");
}

/// The configuration with a model, or with none.
fn configure(place: &Place, server: Option<&Endpoint>) {
    let model = |url: String| {
        format!("\n[[model]]\nname = \"local\"\nmodel = \"m-1\"\nbase_url = \"{url}\"\nprices = {{ input = 1.0, output = 2.0 }}\n")
    };
    let text = format!("[run]\nisolation = \"none\"\n{}", server.map(|s| model(s.url())).unwrap_or_default());
    fs::write(place.path("home/.config/trialdeck/config.toml"), text).unwrap();
}

#[test]
fn a_recorded_study_is_replayed_offline_to_the_same_tree() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let server = Endpoint::start(model);
    configure(&place, Some(&server));
    let (trials, began) = (TRIALS.to_string(), Instant::now());
    let out =
        place.run(&["run", "toy", "--auto", "--trials", &trials, "--slots", "1", "--seed", "5", "--name", "a", "--proposer", "agents"]);
    assert_eq!(out.code, 0, "{out:#?}");
    let recorded = began.elapsed();
    let first = place.show("a");
    assert!(first["trials"].as_array().unwrap().len() > TRIALS, "{}", first["trials"].as_array().unwrap().len());
    let failed = first["trials"].as_array().unwrap().iter().filter(|t| t["failure"].is_object()).count();
    assert!(failed > 2, "{failed} failed");
    let by_rule = |t: &&Value| t["status"] == "vetoed" && t["reviews"].as_array().unwrap().iter().any(|r| r["by"] == "rule");
    let vetoed: Vec<&Value> = first["trials"].as_array().unwrap().iter().filter(by_rule).map(|t| &t["id"]).collect();
    assert!(!vetoed.is_empty(), "an edit of the seed alone gets no run");
    let journal = place.journal("a");
    let adapts = |id: &Value| journal.iter().any(|e| e["event"] == "proposal_asked" && e["assignment"]["adapts"] == *id);
    assert!(vetoed.iter().any(|id| adapts(id)), "its idea is asked for in another form: {vetoed:?}");
    let before = place.journal_bytes("a");

    drop(server);
    configure(&place, None);
    let out = place.run(&["run", "toy", "--auto", "--name", "b", "--proposer", "replay:a"]);
    assert_eq!(out.code, 0, "{out:#?}");
    println!("recorded in {recorded:.0?}, replayed in {:.0?}", began.elapsed() - recorded);
    is_same(&place, "a", "b");
    assert_eq!(place.journal_bytes("a"), before, "the recorded study was only read");
    let said = place.run(&["show", "b", "t0001", "--conversation"]).exits(0);
    said.says(&["calls submit", "I look first"]);
}

/// A model that sets one knob after the other, each as it was told to.
fn tuner(turns: Arc<AtomicUsize>) -> impl Fn(usize, &Request) -> Reply + Send + Sync + 'static {
    move |_, request| {
        let said = request.last();
        if !said.contains("| LEARNING_RATE = ") {
            return Reply::calls("I look first", &[("read_file", json!({ "path": "train.py" }))]);
        }
        // Two are asked at a time, so either of the first may come first; the third is written across the lines of both.
        let (name, before, value) = match turns.fetch_add(1, Ordering::Relaxed) {
            0 => ("MOMENTUM", "", "0.7"),
            1 => ("LEARNING_RATE", "", "0.2"),
            2 => ("WIDTH", "LEARNING_RATE = 0.1\nMOMENTUM = 0.0\n", "9"),
            n => ("WIDTH", "", ["10", "12", "14", "16", "18"][n % 5]),
        };
        let line = |value: &str| format!("{before}{name} = {value}");
        let edit = json!({ "path": "train.py", "search": line(&at(&said, name)), "replace": line(value) });
        Reply::calls("a step", &[("submit", json!({ "hypothesis": format!("{name} of {value} is nearer"), "edits": [edit] }))])
    }
}

#[test]
fn what_people_said_and_what_the_search_moved_come_again() {
    let place = Place::new();
    // Long enough for two more proposals to wait while the first is tried.
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 2.0").write(&place, "toy");
    let server = Endpoint::start(tuner(Arc::default()));
    configure(&place, Some(&server));
    let run = ["run", "toy", "--detach", "--autonomy", "ask", "--slots", "1", "--name", "a", "--proposer", "agents"];
    place.run(&run).exits(0);
    let reaches = |id: &str, status: &str| {
        let there = |s: &Value| s["trials"].as_array().unwrap().iter().any(|t| t["id"] == id && t["status"] == status);
        place.shown("a", &format!("{id} to be {status}"), there);
    };
    let ctl = |words: &[&str]| place.run(&[&["ctl", "a"], words].concat()).exits(0);
    let happens = |event: &str, id: &str| {
        wait_until(&format!("{event} of {id}"), || place.journal("a").into_iter().find(|e| e["event"] == event && e["trial"] == id));
    };
    reaches("t0001", "waiting");
    reaches("t0002", "waiting");
    let (first, second) = ("t0001", "t0002");
    ctl(&["accept", first]);
    reaches("t0003", "waiting");
    happens("rebased", second);
    happens("staled", "t0003");
    reaches(second, "waiting");
    ctl(&["steer", "small steps"]);
    ctl(&["revise", second, "--comment", "something else, please"]);
    happens("revised", second);
    reaches(second, "waiting");
    ctl(&["accept", second]);
    reaches("t0004", "waiting");
    ctl(&["veto", "t0004", "--reason", "not that"]);
    reaches(second, "done");
    place.run(&["stop", "a"]).exits(0);
    place.shown("a", "the end", |s| s["state"] == "finished");

    drop(server);
    configure(&place, None);
    place.run(&["run", "toy", "--auto", "--name", "b", "--proposer", "replay:a"]).exits(4);
    is_same(&place, "a", "b");
}

#[test]
fn a_replay_goes_on_after_its_engine_was_killed_and_one_that_was_cut_short_ends_with_the_reason() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let server = Endpoint::start(model);
    configure(&place, Some(&server));
    let run = ["run", "toy", "--detach", "--trials", "40", "--slots", "1", "--autonomy", "auto", "--name", "a", "--proposer", "agents"];
    place.run(&run).exits(0);
    let decided = |name: &str, n: usize| {
        let journal = |_: ()| place.journal(name).iter().filter(|e| e["event"] == "judged").count() >= n;
        wait_until(&format!("{n} verdicts in {name}"), || journal(()).then_some(()));
    };
    decided("a", 8);
    kill(wait_until("its engine", || place.engine("a")));
    drop(server);
    configure(&place, None);

    place.run(&["run", "toy", "--detach", "--name", "b", "--proposer", "replay:a"]).exits(0);
    decided("b", 3);
    kill(wait_until("its engine", || place.engine("b")));
    wait_until("the engine to be gone", || place.engine("b").is_none().then_some(()));
    place.run(&["resume", "b", "--auto"]).exits(0);
    let ended = place.show("b");
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("finished"), &json!("exhausted")));
    let detail = ended["detail"].as_str().unwrap();
    assert!(detail.contains("the recording of a ends here: it was not over when it was read"), "{detail}");
    assert!(!detail.contains("difference"), "{detail}");
    // As far as it was decided then.
    let verdicts = |name: &str| -> Vec<Value> { facts_of(&place, name).into_iter().filter(|e| e["event"] == "judged").collect() };
    let (then, now) = (verdicts("a"), verdicts("b"));
    assert!(now.len() >= then.len());
    assert_eq!(then, now[..then.len()]);
}

#[test]
fn edits_of_programs_and_people_come_from_the_recording() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let text = "import os, re\ntext = open('train.py').read()\nwidth = int(re.search(r'WIDTH = (\\d+)', text)[1])\nopen('train.py', 'w').write(text.replace(f'WIDTH = {width}', f'WIDTH = {width + int(os.environ[\"TRIALDECK_PROPOSAL\"][1:])}'))\nprint('hypothesis: wider')\n";
    let path = place.path("propose.py");
    fs::write(&path, text).unwrap();
    let run = format!("command:python3 {}", path.display());
    let out = place.run(&["run", "toy", "--auto", "--trials", "3", "--slots", "1", "--name", "a", "--proposer", &run]);
    assert_eq!(out.code, 0, "{out:#?}");
    let first = place.show("a");
    fs::remove_file(&path).unwrap();
    place.run(&["run", "toy", "--auto", "--slots", "1", "--name", "b", "--proposer", "replay:a"]).exits(0);
    let second = place.show("b");
    assert_eq!(tree_of(&first), tree_of(&second));
    assert_eq!(trial(&second, "t0002")["proposer"], "command/python3");
}

#[test]
fn a_replay_that_cannot_be_is_refused() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    Toy::new(&place).quick().task("wall  = \"60s\"\ngrace", "wall  = \"50s\"\ngrace").write(&place, "other");
    for (task, proposer, why) in [
        ("toy", "replay:none", "none"),
        ("toy", "replay:a+tpe", "a replay stands alone"),
        ("other", "replay:a", "was recorded with another task"),
    ] {
        let out = place.run(&["run", task, "--auto", "--name", "b", "--proposer", proposer]);
        assert_eq!(out.code, 2, "{out:#?}");
        out.says(&[why]);
        assert!(!place.study("b").exists());
    }
}
