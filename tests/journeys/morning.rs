//! Journey 4: a study that ran by itself is read in the morning, by a person and by programs.

use crate::support::{Place, Toy, trial};
use serde_json::{Value, json};
use std::fs;

/// A field's name and what may stand there.
type Field = (&'static str, &'static [&'static str]);

const STUDY: [Field; 13] = [
    ("study", &["string"]),
    ("task", &["string"]),
    ("metric", &["string"]),
    ("goal", &["string"]),
    ("score_source", &["string"]),
    ("isolation", &["string"]),
    ("state", &["string"]),
    ("reason", &["string", "null"]),
    ("seed", &["integer"]),
    ("baseline", &["object"]),
    ("best", &["object", "null"]),
    ("budget", &["object"]),
    ("trials", &["array"]),
];
const BASELINE: [Field; 5] =
    [("trial", &["string"]), ("score", &["number"]), ("sd", &["number", "null"]), ("runs", &["integer"]), ("noise", &["string"])];
const BEST: [Field; 5] = [
    ("trial", &["string"]),
    ("score", &["number"]),
    ("verified", &["boolean"]),
    ("gain", &["number"]),
    ("gain_interval", &["array", "null"]),
];
const BUDGET: [Field; 8] = [
    ("trials", &["integer", "null"]),
    ("trials_used", &["integer"]),
    ("seconds", &["number"]),
    ("prompt_tokens", &["integer"]),
    ("completion_tokens", &["integer"]),
    ("usd", &["number"]),
    ("gpu_seconds", &["number"]),
    ("slot_utilisation", &["number"]),
];
const TRIAL: [Field; 21] = [
    ("id", &["string"]),
    ("parents", &["array"]),
    ("proposal", &["string", "null"]),
    ("operator", &["string"]),
    ("proposer", &["string"]),
    ("surface", &["string", "null"]),
    ("hypothesis", &["string"]),
    ("commit", &["string", "null"]),
    ("tree", &["string", "null"]),
    ("status", &["string"]),
    ("verdict", &["string", "null"]),
    ("verified", &["boolean"]),
    ("score", &["number", "null"]),
    ("holdout", &["number", "null"]),
    ("self_reported", &["number", "null"]),
    ("runs", &["array"]),
    ("failure", &["object", "null"]),
    ("gates", &["array"]),
    ("diff", &["object", "null"]),
    ("reviews", &["array"]),
    ("cost", &["object"]),
];
const RUN: [Field; 7] = [
    ("id", &["string"]),
    ("kind", &["string"]),
    ("seed", &["integer"]),
    ("score", &["number", "null"]),
    ("seconds", &["number"]),
    ("metrics", &["object"]),
    ("failure", &["object", "null"]),
];
const REVIEW: [Field; 4] = [("by", &["string"]), ("decision", &["string"]), ("reason", &["string", "null"]), ("tree", &["string", "null"])];
const TIMES: [Field; 4] = [
    ("proposed", &["string", "null"]),
    ("accepted", &["string", "null"]),
    ("started", &["string", "null"]),
    ("finished", &["string", "null"]),
];
const COST: [Field; 4] =
    [("prompt_tokens", &["integer"]), ("completion_tokens", &["integer"]), ("usd", &["number"]), ("gpu_seconds", &["number"])];

fn kinds(value: &Value) -> &'static [&'static str] {
    match value {
        Value::Null => &["null"],
        Value::Bool(_) => &["boolean"],
        Value::Number(n) if n.is_u64() || n.is_i64() => &["integer", "number"],
        Value::Number(_) => &["number"],
        Value::String(_) => &["string"],
        Value::Array(_) => &["array"],
        Value::Object(_) => &["object"],
    }
}

#[track_caller]
fn has(object: &Value, fields: &[Field]) {
    for (name, allowed) in fields {
        let value = object.get(name).unwrap_or_else(|| panic!("no field `{name}` in {object:#}"));
        assert!(kinds(value).iter().any(|k| allowed.contains(k)), "`{name}` is {value}, allowed is {allowed:?}");
    }
}

/// Asserts that a document keeps the contract of `show --json`.
#[track_caller]
fn keeps_the_contract(shown: &Value) {
    has(shown, &STUDY);
    has(&shown["baseline"], &BASELINE);
    has(&shown["budget"], &BUDGET);
    if shown["best"].is_object() {
        has(&shown["best"], &BEST);
    }
    for (i, trial) in shown["trials"].as_array().unwrap().iter().enumerate() {
        has(trial, &TRIAL);
        assert_eq!(trial["id"], format!("t{i:04}"), "numeric order");
        has(&trial["times"], &TIMES);
        has(&trial["cost"], &COST);
        trial["runs"].as_array().unwrap().iter().for_each(|r| has(r, &RUN));
        trial["reviews"].as_array().unwrap().iter().for_each(|r| has(r, &REVIEW));
        let failures = trial["runs"].as_array().unwrap().iter().map(|r| &r["failure"]).chain([&trial["failure"]]);
        failures.filter(|f| f.is_object()).for_each(|f| has(f, &[("label", &["string"]), ("detail", &["string"])]));
        trial["gates"]
            .as_array()
            .unwrap()
            .iter()
            .for_each(|g| has(g, &[("key", &["string"]), ("value", &["number", "null"]), ("ok", &["boolean"])]));
        if trial["diff"].is_object() {
            has(&trial["diff"], &[("files", &["integer"]), ("added", &["integer"]), ("removed", &["integer"])]);
        }
        let statuses = ["proposed", "waiting", "vetoed", "rejected", "stale", "queued", "running", "evaluating", "done", "unreadable"];
        assert!(statuses.contains(&trial["status"].as_str().unwrap()));
        let verdicts = [json!("keep"), json!("revert"), json!("undecided"), json!("rolled_back"), Value::Null];
        assert!(verdicts.contains(&trial["verdict"]));
    }
}

#[test]
fn a_finished_study_can_be_read_replayed_and_taken_home() {
    let place = Place::new();
    let home = Toy::new(&place).write(&place, "toy");
    place.git(&home, &["init", "-q"]);
    place.git(&home, &["add", "."]);
    place.git(&home, &["commit", "-qm", "start"]);
    fs::write(home.join("notes.txt"), "not tracked").unwrap();
    fs::write(home.join("staged.txt"), "staged").unwrap();
    place.git(&home, &["add", "staged.txt"]);

    let out = place.run(&["run", "toy", "--auto", "--trials", "12", "--seed", "1", "--name", "a", "--json"]).exits(0);
    let lines: Vec<Value> = out.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(lines.iter().filter(|l| l["event"] == "judged").count() >= 12);
    let summary = &lines.last().unwrap()["summary"];
    let shown = place.show("a");
    keeps_the_contract(&shown);
    for key in ["study", "state", "reason", "best", "baseline"] {
        assert_eq!(summary[key], shown[key], "{key}");
    }
    assert_eq!(summary["exit_code"], 0);
    for (key, want) in [("study", json!("a")), ("task", json!("toy")), ("metric", json!("loss")), ("goal", json!("minimize"))] {
        assert_eq!(shown[key], want);
    }
    for (key, want) in [("score_source", json!("evaluator")), ("state", json!("finished")), ("reason", json!("trials")), ("seed", json!(1))]
    {
        assert_eq!(shown[key], want);
    }
    assert_eq!((&shown["budget"]["trials"], &shown["budget"]["trials_used"]), (&json!(12), &json!(12)));
    assert_eq!((&shown["baseline"]["runs"], &shown["baseline"]["noise"]), (&json!(3), &json!("measured")));
    let base = trial(&shown, "t0000");
    assert_eq!((&base["proposal"], &base["parents"]), (&Value::Null, &json!([])));
    let best = trial(&shown, shown["best"]["trial"].as_str().unwrap());
    assert_eq!(best["score"], shown["best"]["score"]);
    assert_eq!(best["reviews"][0]["by"], "auto");
    assert_eq!(best["reviews"][0]["tree"], best["tree"]);
    assert!(best["holdout"].is_number(), "unsealed at the end");
    assert_eq!(best["runs"][0]["metrics"], json!({"extra": 1.5}), "the holdout is no metric");
    assert!(best["times"]["finished"].as_str().unwrap().ends_with('Z'));
    // Gain is positive when better; its interval holds it.
    let (gain, interval) = (shown["best"]["gain"].as_f64().unwrap(), &shown["best"]["gain_interval"]);
    assert!(interval[0].as_f64().unwrap() < gain && gain < interval[1].as_f64().unwrap());
    assert!(gain > 0.0 && shown["best"]["score"].as_f64() < shown["baseline"]["score"].as_f64());

    // Each trial's commit is in the store, with its tree, its parents and its score.
    let store = place.study("a").join("repo.git");
    for trial in shown["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "done") {
        let commit = trial["commit"].as_str().unwrap();
        let read = place.git(&store, &["rev-parse", &format!("{commit}^{{tree}}")]);
        assert_eq!(trial["tree"], read.trim());
        assert_eq!(place.git(&store, &["rev-parse", &format!("refs/trialdeck/trials/{}", trial["id"].as_str().unwrap())]).trim(), commit);
        assert!(!place.git(&store, &["ls-tree", "-r", "--name-only", commit]).contains("evaluate.py"));
    }
    place.git(&store, &["fsck", "--strict", "--no-dangling"]);
    assert_eq!(place.git(&store, &["rev-parse", "refs/trialdeck/best"]).trim(), best["commit"].as_str().unwrap());

    replay(&place, best);
    exports(&place, &home);
    // A trial alone has the same form.
    let alone = place.run(&["show", "a", best["id"].as_str().unwrap(), "--json"]).exits(0).json();
    assert_eq!(&alone, best);
    for command in [vec!["show", "a"], vec!["tree", "a"], vec!["diff", "a", "best", "--against", "baseline"], vec!["log", "a", "best"]] {
        assert!(!place.run(&command).exits(0).out.is_empty(), "{command:?}");
    }
    // An ended study with its trials used up says how to go on; more trials do go on.
    place.run(&["resume", "a"]).exits(2).says(&["--trials +"]);
    place.run(&["resume", "a", "--trials", "+1", "--auto"]);
    assert_eq!(place.show("a")["budget"]["trials_used"], 13);
}

fn replay(place: &Place, best: &Value) {
    let again = place.run(&["replay", "a", "best", "--json"]).exits(0).json();
    assert_eq!((&again["agrees"], &again["equal"]), (&json!(true), &json!(true)), "{again:#}");
    assert_eq!(again["replayed"], best["runs"][0]["score"]);
}

fn exports(place: &Place, home: &std::path::Path) {
    let state = |git: &dyn Fn(&[&str]) -> String| {
        [
            &["status", "--porcelain"] as &[&str],
            &["rev-parse", "HEAD"],
            &["symbolic-ref", "HEAD"],
            &["diff", "--cached"],
            &["stash", "list"],
        ]
        .map(git)
    };
    let git = |args: &[&str]| place.git(home, args);
    let (before, index) = (state(&git), fs::read(home.join(".git/index")).unwrap());
    place.run(&["export", "a", "best", "--branch", "faster", "--into", "toy"]).exits(0).says(&["faster"]);
    assert_eq!(fs::read(home.join(".git/index")).unwrap(), index, "the index was touched");
    assert_eq!(state(&git), before);
    assert_eq!(git(&["rev-list", "--count", "HEAD..faster"]).trim(), "1");
    assert_eq!(git(&["rev-parse", "faster^"]), git(&["rev-parse", "HEAD"]), "the commit sits on HEAD");
    assert_eq!(git(&["diff", "--name-only", "HEAD", "faster"]).trim(), "train.py", "nothing else is in it");
    assert_eq!(git(&["worktree", "list"]).lines().count(), 1);
    assert!(git(&["log", "-1", "--format=%B", "faster"]).contains("loss = "));
    git(&["fsck", "--strict", "--no-dangling"]);
    // A branch that is there already is never overwritten.
    place.run(&["export", "a", "best", "--branch", "faster", "--into", "toy"]).exits(2).says(&["faster"]);

    let patch = place.run(&["export", "a", "best", "--patch"]).exits(0).out;
    fs::write(place.path("gain.diff"), &patch).unwrap();
    git(&["clone", "-q", ".", "../clone"]);
    place.git(&place.path("clone"), &["apply", "--index", "../gain.diff"]);
    assert_eq!(place.git(&place.path("clone"), &["write-tree"]), git(&["rev-parse", "faster^{tree}"]));

    place.run(&["export", "a", "best", "--dir", "best"]).exits(0);
    assert_eq!(fs::read_to_string(place.path("best/train.py")).unwrap(), git(&["show", "faster:train.py"]));
    place.run(&["export", "a", "best", "--dir", "best"]).exits(2);
}
