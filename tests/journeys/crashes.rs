//! Journey 3: the client is killed, the engine is killed, and nothing acknowledged is lost, nothing runs twice.

use crate::support::{Place, Toy, kill, trial, wait_until};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const KILLS: usize = 20;

#[test]
fn a_dropped_line_changes_nothing_for_the_run() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.4").write(&place, "toy");
    let client = place.spawn(&["run", "toy", "--auto", "--trials", "3", "--name", "a"]);
    wait_until("a run of the first trial", || place.starts().iter().any(|s| s == "t0001/run-1").then_some(()));
    kill(client.pid());
    client.end();
    // Without a terminal `attach` prints lines until the study is over.
    let out = place.run(&["attach", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let out = out.says(&["t0001", "study", "baseline", "finished (trials)"]);
    assert!(out.err.is_empty(), "{out:#?}");
    let shown = place.show("a");
    assert_eq!(trial(&shown, "t0001")["runs"][0]["failure"], Value::Null);
    assert_eq!(place.starts().iter().filter(|s| *s == "t0001/run-1").count(), 1);
    assert_eq!(place.journal("a").iter().filter(|e| e["event"] == "engine_started").count(), 1);
    // An ended study is shown as well.
    place.run(&["attach", "a"]).says(&["finished (trials)"]);
}

/// Facts after which the engine is killed; proposing most often.
const POINTS: [&str; 11] = [
    "proposal_asked",
    "proposed",
    "proposal_asked",
    "checked",
    "proposal_asked",
    "run_scheduled",
    "run_started",
    "run_ended",
    "run_scored",
    "judged",
    "reviewed",
];

#[test]
fn twenty_kills_of_the_engine_lose_nothing_and_repeat_nothing() {
    let place = Place::new();
    Toy::new(&place).train("PAUSE = 0.0", "PAUSE = 0.15").write(&place, "toy");
    let mut rng = fastrand::Rng::with_seed(7);
    place.run(&["run", "toy", "--detach", "--seed", "3", "--slots", "2", "--name", "a"]).exits(0);
    let (mut seen, mut acknowledged, mut while_proposing) = (Vec::new(), Vec::new(), 0);
    for round in 0..KILLS {
        let engine = wait_until("an engine", || place.engine("a"));
        let acked = place.run(&["ctl", "a", "steer", &format!("word {round}"), "--json"]);
        let log = || std::fs::read_to_string(place.study("a").join("engine.log")).unwrap();
        assert_eq!(acked.code, 0, "round {round}: {acked:#?}, the engine said {}", log());
        let acked = acked.json();
        acknowledged.push((acked["seq"].as_u64().unwrap(), format!("word {round}")));
        let from = place.journal("a").len();
        let point = POINTS[rng.usize(..POINTS.len())];
        wait_until(point, || place.journal("a")[from..].iter().any(|e| e["event"] == point).then_some(()));
        // The point itself is at random: somewhere in the 30 ms after the fact.
        std::thread::sleep(Duration::from_micros(rng.u64(..30_000) * u64::from(rng.bool())));
        kill(engine);
        wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
        let (facts, bytes) = (place.journal("a"), place.journal_bytes("a"));
        while_proposing += usize::from(asked_in_vain(&facts));
        assert!(bytes.starts_with(&seen), "round {round}: what was in the journal before is no longer its beginning");
        seen = bytes;
        // A kill in the middle of a commit leaves git's lock behind; here it always does.
        std::fs::write(place.study("a").join("repo.git/refs/trialdeck/best.lock"), "").unwrap();
        // The last engine ends the study with two more trials.
        let more: &[&str] = if round + 1 == KILLS { &["--trials", "+2"] } else { &[] };
        place.run(&[&["resume", "a", "--detach"], more].concat()).exits(0);
    }
    let out = place.run(&["attach", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    wait_until("the engine to leave", || place.engine("a").is_none().then_some(()));
    eprintln!("{KILLS} kills, {while_proposing} while proposing");
    assert!(while_proposing > 0, "no kill hit a proposer at work");

    assert!(place.journal_bytes("a").starts_with(&seen));
    let facts = place.journal("a");
    for (seq, text) in acknowledged {
        assert_eq!(facts[usize::try_from(seq).unwrap() - 1]["text"], text.as_str());
    }
    assert!(facts.iter().enumerate().all(|(i, e)| e["seq"] == i as u64 + 1), "numbers without gaps");
    // The engine checks the whole chain when it opens the journal; this is the same check.
    let study = trialdeck::journal::Journal::open(&place.study("a")).unwrap().study.unwrap();
    assert!(study.is_over());

    let mut starts: BTreeMap<String, u32> = BTreeMap::new();
    for start in place.starts() {
        *starts.entry(start).or_default() += 1;
    }
    assert!(starts.values().all(|n| *n == 1), "a run started twice: {starts:?}");
    for (event, most) in [("run_scheduled", 1), ("run_started", 1), ("run_ended", 1), ("run_scored", 1)] {
        let mut runs: BTreeMap<&str, u32> = BTreeMap::new();
        for fact in facts.iter().filter(|e| e["event"] == event) {
            *runs.entry(fact["run"].as_str().unwrap()).or_default() += 1;
        }
        assert!(runs.values().all(|n| *n <= most), "{event}: {runs:?}");
    }
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"]), (&"finished".into(), &"trials".into()));
    assert_eq!(shown["budget"]["trials_used"], shown["budget"]["trials"]);
    for trial in shown["trials"].as_array().unwrap().iter().filter(|t| t["status"] != "rejected") {
        // What the search has moved on from never ran.
        let stale = trial["status"] == "stale" && trial["runs"] == serde_json::json!([]);
        assert!(stale || trial["status"] == "done", "{trial:#}");
        for run in trial["runs"].as_array().unwrap() {
            assert_eq!(run["failure"], Value::Null, "a run paid for the engine's death: {trial:#}");
            let name = format!("{}/{}", trial["id"].as_str().unwrap(), run["id"].as_str().unwrap());
            assert!(starts.remove(&name).is_some(), "{name} has a score and never started");
        }
    }
    assert!(starts.is_empty(), "started and unknown to the study: {starts:?}");
}

/// Whether a request was open when the journal ended.
fn asked_in_vain(facts: &[Value]) -> bool {
    let answered = |p: &Value| facts.iter().any(|e| (e["event"] == "proposed" || e["event"] == "proposal_failed") && e["proposal"] == *p);
    facts.iter().any(|e| e["event"] == "proposal_asked" && !answered(&e["proposal"]))
}
