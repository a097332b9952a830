//! Journey 6: an agent at the shell drives a study with commands alone.

use crate::support::{Out, Place, Running, Toy, trial, wait_until};
use serde_json::{Value, json};
use std::fs;

/// A study that waits for its researcher, and what the agent does with it.
struct Desk {
    place: Place,
}

impl Desk {
    fn new() -> Self {
        let place = Place::new();
        Toy::new(&place).write(&place, "toy");
        let out = place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--autonomy", "ask", "--name", "a", "--json"]).exits(0);
        assert_eq!(out.json()["study"], "a");
        let desk = Self { place };
        desk.place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
        desk
    }

    fn edited(&self, name: &str, changes: &[(&str, &str)]) {
        let toy = changes.iter().fold(Toy::new(&self.place), |toy, (old, new)| toy.train(old, new));
        fs::create_dir_all(self.place.path(name)).unwrap();
        fs::write(self.place.path(name).join("train.py"), toy.train).unwrap();
    }

    /// Hands an edit in, in the background, and returns once it waits for review.
    fn propose(&self, trial_id: &str, changes: &[(&str, &str)]) -> Running {
        self.edited(trial_id, changes);
        let words = format!("the change of {trial_id}");
        let running = self.place.spawn(&["propose", "a", "--from", trial_id, "-m", &words, "--parent", "t0000", "--wait", "--json"]);
        self.reaches(trial_id, "waiting");
        running
    }

    fn reaches(&self, id: &str, status: &str) -> Value {
        let there = |s: &Value| s["trials"].as_array().unwrap().iter().any(|t| t["id"] == id && t["status"] == status);
        trial(&self.place.shown("a", &format!("{id} to be {status}"), there), id).clone()
    }

    #[track_caller]
    fn ctl(&self, words: &[&str]) -> Out {
        self.place.run(&[&["ctl", "a"], words].concat())
    }
}

#[test]
fn an_agent_drives_a_study_with_commands_alone() {
    let desk = Desk::new();
    accept(&desk);
    veto(&desk);
    edit(&desk);
    end_a_run(&desk);
    pause(&desk);
    refusals(&desk);
    let place = &desk.place;

    desk.ctl(&["replicate", "t0001", "--runs", "1"]).exits(0);
    let more = place.shown("a", "a replicate of t0001", |s| {
        let runs = trial(s, "t0001")["runs"].as_array().unwrap();
        runs.len() == 3 && runs[2]["score"].is_number()
    });
    let kept = trial(&more, "t0001");
    let mean = kept["runs"].as_array().unwrap().iter().map(|r| r["score"].as_f64().unwrap()).sum::<f64>() / 3.0;
    assert!((kept["score"].as_f64().unwrap() - mean).abs() < 1e-12);
    wait_until("the replicate to be judged", || {
        let last = place.journal("a").into_iter().rfind(|e| e["event"] == "judged" && e["trial"] == "t0001")?;
        (last["comparison"]["n_candidate"].as_u64() == Some(2)).then_some(())
    });
    // Another engine for the same study is refused while this one lives.
    place.run(&["resume", "a", "--foreground", "--auto"]).exits(5);
    place.run(&["stop", "a"]).exits(0);
    let ended = place.shown("a", "the end", |s| s["state"] == "finished");
    assert_eq!((&ended["reason"], &ended["best"]["trial"]), (&json!("user"), &json!("t0001")));
    place.run(&["attach", "a"]).exits(4);
    place.run(&["stop", "a"]).exits(0).says(&["finished already"]);
    wait_until("the engine to leave", || place.engine("a").is_none().then_some(()));
    desk.ctl(&["pause"]).exits(2).says(&["resume"]);
}

fn accept(desk: &Desk) {
    let proposing = desk.propose("t0001", &[("MOMENTUM = 0.0", "MOMENTUM = 0.8")]);
    let waiting = desk.reaches("t0001", "waiting");
    assert!(waiting["runs"].as_array().unwrap().is_empty() && desk.place.starts().iter().all(|s| s.starts_with("t0000")));
    assert_eq!(
        (&waiting["proposal"], &waiting["proposer"], &waiting["diff"]),
        (&json!("p0001"), &json!("researcher"), &json!({"files": 1, "added": 1, "removed": 1}))
    );
    let tree = waiting["tree"].as_str().unwrap();
    desk.ctl(&["accept", "p0001", "--tree", "0123456789abcdef"]).exits(1).says(&["changed since it was shown", tree]);
    let ack = desk.ctl(&["accept", "p0001", "--tree", tree, "--json"]).exits(0).json();
    assert_eq!((&ack["trial"], &ack["proposal"]), (&json!("t0001"), &json!("p0001")));
    let facts = desk.place.journal("a");
    let fact = &facts[usize::try_from(ack["seq"].as_u64().unwrap()).unwrap() - 1];
    assert_eq!((&fact["event"], &fact["by"], &fact["tree"]), (&json!("reviewed"), &json!("human"), &json!(tree)));
    let done = proposing.end().exits(0).json();
    assert_eq!((&done["verdict"], &done["id"]), (&json!("keep"), &json!("t0001")));
    assert_eq!(done["runs"].as_array().unwrap().len(), 2, "a gain is confirmed");
}

fn veto(desk: &Desk) {
    let proposing = desk.propose("t0002", &[("WIDTH = 8", "WIDTH = 4")]);
    desk.ctl(&["veto", "p0002", "--reason", "too narrow"]).exits(0);
    let vetoed = proposing.end().exits(1).json();
    assert_eq!((&vetoed["status"], &vetoed["runs"]), (&json!("vetoed"), &json!([])));
    assert_eq!((&vetoed["reviews"][0]["decision"], &vetoed["reviews"][0]["reason"]), (&json!("veto"), &json!("too narrow")));
    desk.ctl(&["accept", "p0002"]).exits(1).says(&["vetoed"]);
}

fn edit(desk: &Desk) {
    let proposing = desk.propose("t0003", &[("WIDTH = 8", "WIDTH = 2")]);
    let before = desk.reaches("t0003", "waiting");
    fs::write(
        desk.place.path("edit.diff"),
        "--- a/train.py\n+++ b/train.py\n@@ -7,3 +7,3 @@\n MOMENTUM = 0.0\n-WIDTH = 8\n+WIDTH = 3\n PAUSE = 0.0\n",
    )
    .unwrap();
    desk.ctl(&["edit", "p0003", "--patch", "edit.diff"]).exits(0);
    let after =
        desk.place.shown("a", "the second revision", |s| trial(s, "t0003")["revision"] == 2 && trial(s, "t0003")["status"] == "waiting");
    let after = trial(&after, "t0003");
    assert_ne!(after["tree"], before["tree"]);
    // What was shown before is not what an accept now means.
    desk.ctl(&["accept", "p0003", "--tree", before["tree"].as_str().unwrap()]).exits(1);
    desk.ctl(&["accept", "p0003", "--tree", after["tree"].as_str().unwrap()]).exits(0);
    let done = proposing.end().exits(3).json();
    assert_eq!((&done["verdict"], &done["tree"]), (&json!("revert"), &after["tree"]));
    let decisions: Vec<&str> = done["reviews"].as_array().unwrap().iter().map(|r| r["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["edit", "accept"]);
    let patch = desk.place.run(&["export", "a", "t0003", "--patch"]).exits(0).out;
    assert!(patch.contains("+WIDTH = 3") && !patch.contains("WIDTH = 2"), "{patch}");
}

fn end_a_run(desk: &Desk) {
    let proposing = desk.propose("t0004", &[("PAUSE = 0.0", "PAUSE = 30.0")]);
    desk.ctl(&["accept", "p0004"]).exits(0);
    wait_until("its run", || desk.place.starts().contains(&"t0004/run-1".to_owned()).then_some(()));
    // An accept can be taken back shortly after: the run is ended and counts for nothing.
    desk.ctl(&["undo", "p0004"]).exits(0);
    desk.place.shown("a", "its end", |s| trial(s, "t0004")["runs"][0]["failure"]["label"] == "killed");
    desk.reaches("t0004", "waiting");
    desk.ctl(&["accept", "p0004"]).exits(0);
    wait_until("its second run", || desk.place.starts().contains(&"t0004/run-2".to_owned()).then_some(()));
    desk.ctl(&["kill", "t0004/run-2"]).exits(0);
    let killed = proposing.end().exits(3).json();
    assert_eq!((&killed["failure"]["label"], &killed["score"]), (&json!("killed"), &Value::Null));
    desk.ctl(&["kill", "t0004/run-2"]).exits(1).says(&["ended already"]);
    desk.ctl(&["kill", "t0004/run-9"]).exits(2);
}

fn pause(desk: &Desk) {
    let proposing = desk.propose("t0005", &[("LEARNING_RATE = 0.1", "LEARNING_RATE = 0.0")]);
    desk.ctl(&["pause"]).exits(0);
    assert_eq!(desk.place.show("a")["state"], "paused");
    desk.ctl(&["accept", "t0005"]).exits(0);
    assert_eq!(desk.reaches("t0005", "queued")["runs"], json!([]));
    desk.ctl(&["steer", "still here"]).exits(0);
    assert_eq!(desk.reaches("t0005", "queued")["runs"], json!([]), "nothing starts while paused");
    desk.ctl(&["unpause"]).exits(0);
    assert_eq!(proposing.end().exits(3).json()["verdict"], "revert");
}

fn refusals(desk: &Desk) {
    let place = &desk.place;
    // A file that may not be edited, the same tree again, an edit that does not apply.
    fs::create_dir_all(place.path("t0006")).unwrap();
    fs::write(place.path("outside.diff"), "--- /dev/null\n+++ b/other.py\n@@ -0,0 +1 @@\n+print(1)\n").unwrap();
    let out = place.run(&["propose", "a", "--patch", "outside.diff", "-m", "x", "--wait", "--json"]).exits(1).json();
    assert_eq!((&out["status"], &out["failure"]["label"]), (&json!("rejected"), &json!("out_of_bounds")), "{out:#}");
    let out = place.run(&["propose", "a", "--from", "t0002", "-m", "x", "--parent", "t0000", "--wait", "--json"]).exits(1).json();
    assert_eq!(out["failure"]["label"], "duplicate", "{out:#}");
    fs::write(place.path("wrong.diff"), "--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n nothing like it\n-at all\n+there\n").unwrap();
    let out = place.run(&["propose", "a", "--patch", "wrong.diff", "-m", "x", "--wait", "--json"]).exits(1).json();
    assert_eq!(out["failure"]["label"], "apply_failed", "{out:#}");
    fs::write(place.path("broken.diff"), "--- a/train.py\n+++ b/train.py\n@@ -7,3 +7,3 @@\n WIDTH = 8\n-PAUSE = 0.0\n+PAUSE = (\n")
        .unwrap();
    let out = place.run(&["propose", "a", "--patch", "broken.diff", "-m", "x", "--wait", "--json"]).exits(1).json();
    assert_eq!(out["failure"]["label"], "preflight_failed", "{out:#}");
    // Usage.
    for (words, says) in [
        (vec!["propose", "a", "--from", "t0001"], "-m"),
        (vec!["propose", "a", "-m", "x"], "--patch"),
        (vec!["propose", "a", "--from", "t0001", "-m", "x", "--parent", "t0099"], "t0099"),
        (vec!["propose", "a", "--patch", "missing.diff", "-m", "x"], "missing.diff"),
        (vec!["propose", "b", "--from", "t0001", "-m", "x"], "b"),
        (vec!["ctl", "a", "accept", "q1"], "q1"),
        (vec!["ctl", "a", "veto", "p0001"], "--reason"),
        (vec!["show", "a", "t0099"], "t0099"),
    ] {
        place.run(&words).exits(2).says(&[says]);
    }
}
