//! What is told of an edit before compute is spent on it, and of a gain before it is believed.

use crate::support::{Place, Toy, trial};
use serde_json::{Value, json};
use std::fs;

/// A study with nobody to ask, and an edit handed in from a copy of its train.py.
fn propose(place: &Place, name: &str, changes: &[(&str, &str)]) -> Value {
    let toy = changes.iter().fold(Toy::new(place), |toy, (old, new)| toy.train(old, new));
    fs::create_dir_all(place.path(name)).unwrap();
    fs::write(place.path(name).join("train.py"), toy.train).unwrap();
    let out = place.run(&["propose", "a", "--from", name, "-m", name, "--parent", "t0000", "--wait", "--json"]);
    out.json()
}

const SEEDED: &str = "random.seed(int(os.environ[\"SEED\"]))";

#[test]
fn nothing_runs_for_an_edit_that_only_changes_the_seed() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--autonomy", "auto", "--name", "a"]).exits(0);
    place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
    let watching = place.spawn(&["run", "toy", "--name", "a", "--auto"]);

    let vetoed = propose(&place, "seed", &[(SEEDED, "random.seed(7)")]);
    assert_eq!((&vetoed["status"], &vetoed["runs"]), (&json!("vetoed"), &json!([])), "{vetoed:#}");
    let flag = &vetoed["flags"][0];
    assert_eq!((&flag["flag"], &flag["only"]), (&json!("seed"), &json!(true)), "{vetoed:#}");
    assert!(flag["evidence"].as_str().unwrap().starts_with("train.py:13 "), "{flag}");
    let review = &vetoed["reviews"][0];
    assert_eq!((&review["by"], &review["decision"]), (&json!("rule"), &json!("veto")));
    assert!(review["reason"].as_str().unwrap().contains("only changes the seed"), "{review}");

    // A rate beside it is an idea: it runs, and says what else it does. Its own seed is nobody's business but its own.
    let print = "    print(f\"val_loss: {loss}\")";
    let own = format!("{print}\n    print(\"seed: 7\")");
    let changes = [(SEEDED, "random.seed(7)"), ("LEARNING_RATE = 0.1", "LEARNING_RATE = 0.2"), (print, own.as_str())];
    let flagged = propose(&place, "seed-and-rate", &changes);
    assert_eq!((&flagged["status"], &flagged["flags"][0]["only"]), (&json!("done"), &json!(false)), "{flagged:#}");
    for run in flagged["runs"].as_array().unwrap() {
        assert!(run["score"].is_number() && run["seed"] != 7 && run["seed"].is_u64(), "{run:#}");
    }
    let plain = propose(&place, "rate", &[("LEARNING_RATE = 0.1", "LEARNING_RATE = 0.25")]);
    assert_eq!((&plain["flags"], &plain["status"]), (&json!([]), &json!("done")), "{plain:#}");
    let starts = place.starts();
    assert!(starts.iter().all(|s| !s.starts_with("t0001")) && starts.iter().any(|s| s.starts_with("t0002")), "{starts:?}");

    let checked = place.journal("a").into_iter().find(|e| e["event"] == "checked" && e["trial"] == "t0001").unwrap();
    assert_eq!(checked["flags"], vetoed["flags"], "the fact carries them");
    assert_eq!(place.show("a")["trials"][0]["flags"], json!([]), "always present");
    place.run(&["stop", "a"]).exits(0);
    let lines = watching.end().out;
    assert!(lines.contains("t0001  flagged:") && lines.contains("only changes the seed"), "{lines}");
    assert!(lines.contains("t0001  vetoed      by a rule: it only changes the seed"), "{lines}");
    assert!(lines.contains("t0002  flagged:    changes the seed"), "{lines}");
    place.run(&["show", "a", "t0001"]).exits(0).says(&["flagged", "nothing else, seed: train.py:13"]);
}

#[test]
fn a_flagged_edit_waits_for_its_person_under_ask() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--autonomy", "ask", "--name", "a"]).exits(0);
    place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
    fs::create_dir_all(place.path("seed")).unwrap();
    fs::write(place.path("seed/train.py"), Toy::new(&place).train(SEEDED, "random.seed(7)").train).unwrap();
    place.run(&["propose", "a", "--from", "seed", "-m", "a seed", "--json"]).exits(0);
    place.shown("a", "its check", |s| s["trials"].as_array().unwrap().len() == 2 && trial(s, "t0001")["status"] == "waiting");
    place.run(&["ctl", "a", "accept", "p0001"]).exits(0);
    let done = place.shown("a", "its end", |s| trial(s, "t0001")["status"] == "done");
    assert_eq!(trial(&done, "t0001")["flags"][0]["flag"], "seed");
}

#[test]
fn an_impossible_jump_is_set_aside_and_rerun() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--autonomy", "auto", "--name", "a"]).exits(0);
    place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
    for (n, momentum) in ["0.1", "0.05", "0.15", "0.02", "0.12"].iter().enumerate() {
        propose(&place, &format!("usual-{n}"), &[("MOMENTUM = 0.0", &format!("MOMENTUM = {momentum}"))]);
    }
    let usual = place.show("a");
    assert!(usual["trials"].as_array().unwrap().iter().all(|t| t["flags"] == json!([])), "{usual:#}");

    // Each run leaves predictions that nobody could make.
    let held = propose(&place, "leak", &[("    loss += random.gauss(0, 0.004)", "    loss = -90 + random.gauss(0, 0.004)")]);
    let flag = &held["flags"][0];
    assert_eq!((&flag["flag"], &held["verdict"]), (&json!("implausible"), &json!("keep")), "{held:#}");
    for word in ["held up", "a person should look"] {
        assert!(flag["evidence"].as_str().unwrap().contains(word), "{flag}");
    }
    let runs = held["runs"].as_array().unwrap();
    let kinds: Vec<&str> = runs.iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["screen", "confirm", "confirm"]);
    let seeds: std::collections::BTreeSet<u64> = runs.iter().map(|r| r["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds.len(), 3, "fresh seeds: {seeds:?}");

    // One run of it was lucky, the others are not.
    let lucky = "    loss = -9000 if os.environ[\"TRIALDECK_TRIAL\"].endswith(\"run-1\") else 0.3";
    let fell = propose(&place, "lucky", &[("    loss += random.gauss(0, 0.004)", lucky)]);
    assert_eq!((&fell["flags"][0]["flag"], &fell["verdict"]), (&json!("implausible"), &json!("revert")), "{fell:#}");
    assert!(fell["flags"][0]["evidence"].as_str().unwrap().contains("did not hold up"), "{fell:#}");
    assert_eq!(place.show("a")["incumbent"], held["id"]);
    place.run(&["show", "a", held["id"].as_str().unwrap()]).exits(0).says(&["implausible", "held up"]);
}
