//! One engine a study, whatever is typed at the same time: in the foreground, after a kill, twice at once, under a name
//! that is taken; and who only watches changes nothing.

use crate::support::{Place, Toy, alive, kill, trial, wait_until};
use serde_json::{Value, json};
use std::fs;

/// How often a fact stands in the journal.
fn count(place: &Place, event: &str) -> usize {
    place.journal("a").iter().filter(|e| e["event"] == event).count()
}

/// No run of the toy task began twice, and each that the study knows of began.
#[track_caller]
fn each_ran_once(place: &Place) {
    let mut starts = place.starts();
    starts.sort();
    let all = starts.len();
    starts.dedup();
    assert_eq!(starts.len(), all, "a run started twice: {starts:?}");
    let shown = place.show("a");
    let trials = shown["trials"].as_array().unwrap();
    let runs: usize = trials.iter().map(|t| t["runs"].as_array().unwrap().len()).sum();
    assert_eq!(runs, all, "{starts:?} and {shown:#}");
}

fn until_a_run_of(place: &Place, trial: &str) {
    wait_until(trial, || place.starts().iter().any(|s| s.starts_with(trial)).then_some(()));
}

#[test]
fn a_study_in_the_foreground_ends_with_its_command() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let out = place.run(&["run", "toy", "--foreground", "--auto", "--trials", "4", "--seed", "1", "--name", "a"]);
    assert!(place.engine("a").is_none(), "an engine was started beside it");
    let out = out.says(&["finished (trials)"]);
    let shown = place.show("a");
    assert_eq!(out.code, if shown["best"].is_null() { 3 } else { 0 }, "{out:#?}");
    for trial in shown["trials"].as_array().unwrap().iter().filter(|t| t["score"].is_number()) {
        assert!(trial["holdout"].is_number(), "the end unseals the holdout: {trial:#}");
    }
    assert_eq!(place.journal("a").last().unwrap()["event"], "engine_stopped");
    assert!(!place.study("a").join("engine.socket").exists());
    each_ran_once(&place);

    // Another one goes on with it, and is the only one while it does.
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.5").write(&place, "slow");
    let serving = place.spawn(&["run", "slow", "--foreground", "--auto", "--trials", "2", "--name", "b"]);
    place.shown("b", "its engine", |s| s["trials"][0]["runs"][0]["id"] == "run-1");
    place.run(&["resume", "b", "--foreground", "--auto"]).exits(5).says(&["b"]);
    let ended = serving.end();
    assert!(matches!(ended.code, 0 | 3), "{ended:#?}");
}

#[test]
fn more_time_for_a_study_whose_engine_was_killed_in_mid_run() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 1.0").write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--time", "10m", "--slots", "1", "--name", "a"]).exits(0);
    until_a_run_of(&place, "t0001");
    kill(place.engine("a").unwrap());
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    let before = place.journal_bytes("a");
    let out = place.run(&["resume", "a", "--time", "+4s", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(place.journal_bytes("a").starts_with(&before));
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("finished"), &json!("time")));
    // The run that was under way was taken over.
    assert_eq!(trial(&shown, "t0001")["runs"][0]["failure"], Value::Null);
    assert_eq!(count(&place, "engine_started"), 2);
    each_ran_once(&place);
}

#[test]
fn what_was_asked_about_goes_on_unattended() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--autonomy", "ask", "--trials", "2", "--name", "a"]).exits(0);
    place.shown("a", "a proposal that waits", |s| s["trials"].as_array().is_some_and(|t| t.iter().any(|t| t["status"] == "waiting")));
    place.run(&["stop", "a"]).exits(0);
    place.shown("a", "its end", |s| s["state"] == "finished");
    // Nobody is there to answer: it is reviewed by rule from here on.
    let out = place.run(&["resume", "a", "--auto", "--trials", "2"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert_eq!((&shown["reason"], &shown["budget"]["trials_used"]), (&json!("trials"), &json!(2)));
}

#[test]
fn two_that_resume_at_once_share_one_engine() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.5").write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--slots", "1", "--name", "a"]).exits(0);
    for round in 1..=3 {
        until_a_run_of(&place, &format!("t000{round}"));
        kill(place.engine("a").unwrap());
        wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
        let both = [(); 2].map(|()| place.spawn(&["resume", "a", "--time", "10m", "--detach"]));
        for one in both {
            one.end().exits(0);
        }
        // Whoever came second attached: a wish is heard at once.
        place.run(&["ctl", "a", "steer", "still one study"]).exits(0);
        assert_eq!(count(&place, "engine_started"), round + 1, "round {round}");
    }
    // Stopped and gone on with before it has ended, by two again.
    for _ in 0..3 {
        place.run(&["stop", "a", "--now"]).exits(0);
        let both = [(); 2].map(|()| place.spawn(&["resume", "a", "--detach"]));
        for one in both {
            one.end().exits(0);
        }
        place.run(&["ctl", "a", "steer", "and on"]).exits(0);
        assert_eq!(place.show("a")["state"], "running");
    }
    place.run(&["stop", "a", "--now"]).exits(0);
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    assert_eq!(count(&place, "engine_started"), count(&place, "engine_stopped"));
    let starts = place.starts();
    assert!(starts.iter().enumerate().all(|(i, s)| !starts[..i].contains(s)), "a run started twice: {starts:?}");
}

#[test]
fn a_name_attaches_while_its_engine_lives_and_goes_on_when_it_is_gone() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.3").write(&place, "toy");
    Toy::new(&place).quick().task("name   = \"toy\"", "name   = \"other\"").write(&place, "other");
    place.run(&["run", "toy", "--detach", "--trials", "3", "--slots", "1", "--name", "a"]).exits(0);
    let engine = place.engine("a").unwrap();
    place.run(&["run", "other", "--auto", "--name", "a"]).exits(2).says(&["another task", "--name"]);
    // Alive: attached to, and what was given beside the name is not taken up behind anyone's back.
    let out = place.run(&["run", "toy", "--auto", "--trials", "50", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let out = out.says(&["living engine: attaching", "stay as they are", "finished (trials)"]);
    assert_eq!((count(&place, "engine_started"), place.show("a")["budget"]["trials"].as_u64()), (1, Some(3)), "{out:#?}");
    wait_until("the engine's end", || (!alive(engine)).then_some(()));
    // Ended: gone on with. No word of the other task came into it.
    place.run(&["run", "other", "--auto", "--name", "a"]).exits(2).says(&["another task"]);
    let out = place.run(&["run", "toy", "--auto", "--trials", "4", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!(place.show("a")["budget"]["trials_used"], 4);
    assert_eq!(count(&place, "engine_started"), 2);
    each_ran_once(&place);
}

#[test]
fn who_only_watches_ends_nothing() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.3").write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--slots", "1", "--name", "a"]).exits(0);
    let watching = place.spawn(&["attach", "a", "--watch"]);
    wait_until("its first line", || watching.said().contains("t0001").then_some(()));
    watching.interrupt();
    watching.end().exits(0).says(&["detached", "the study goes on"]);
    assert_eq!(count(&place, "stop_asked"), 0);
    assert!(place.engine("a").is_some());
    // Without an engine there is nothing to follow, and none is started.
    kill(place.engine("a").unwrap());
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    let facts = fs::read(place.study("a").join("journal.jsonl")).unwrap();
    place.run(&["attach", "a", "--watch"]).exits(1).says(&["the engine is gone", "trialdeck resume a"]);
    assert_eq!(fs::read(place.study("a").join("journal.jsonl")).unwrap(), facts);
    assert!(place.engine("a").is_none());
}
