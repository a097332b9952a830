//! What is refused or ended in the middle: an edit that does not apply, a target that is reached, an evaluator that hangs.

use crate::support::{Place, Toy, alive, trial, wait_until};
use serde_json::json;
use std::fs;

#[test]
fn an_edit_that_cannot_be_taken_is_refused_and_nothing_is_lost() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--autonomy", "ask", "--name", "a"]).exits(0);
    place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
    let edited = |name: &str, change: &str| {
        let toy = Toy::new(&place).train("MOMENTUM = 0.0", change);
        fs::create_dir_all(place.path(name)).unwrap();
        fs::write(place.path(name).join("train.py"), toy.train).unwrap();
    };
    edited("first", "MOMENTUM = 0.5");
    edited("broken", "MOMENTUM = (0.5");
    edited("good", "MOMENTUM = 0.8");
    place.run(&["propose", "a", "--from", "first", "-m", "half the momentum"]).exits(0);
    let before = place.shown("a", "t0001 to wait", |s| s["trials"][1]["status"] == "waiting");
    fs::write(place.path("stale.diff"), "--- a/train.py\n+++ b/train.py\n@@ -7,2 +7,2 @@\n no such line\n-nor = this\n+nor = that\n")
        .unwrap();
    place.run(&["ctl", "a", "edit", "p0001", "--patch", "stale.diff"]).exits(1).says(&["not taken", "apply_failed", "train.py"]);
    place.run(&["ctl", "a", "edit", "p0001", "--from", "broken"]).exits(1).says(&["not taken", "does not parse"]);
    let after = place.show("a");
    assert_eq!(trial(&before, "t0001"), trial(&after, "t0001"), "the proposal is as it was");
    assert!(place.journal("a").iter().all(|e| e["event"] != "revised" && e["event"] != "rejected"));
    assert!(!place.study("a").join("proposals/p0001/rev-2.json").exists());
    place.run(&["ctl", "a", "edit", "p0001", "--from", "good"]).exits(0);
    let new = place
        .shown("a", "the new revision", |s| s["trials"][1]["status"] == "waiting" && s["trials"][1]["tree"] != before["trials"][1]["tree"]);
    place.run(&["ctl", "a", "accept", "p0001", "--tree", new["trials"][1]["tree"].as_str().unwrap()]).exits(0);
    place.shown("a", "t0001 to be kept", |s| s["trials"][1]["verdict"] == "keep");
}

#[test]
fn a_study_that_reached_its_target_goes_on_beyond_it_on_a_wish_only() {
    let place = Place::new();
    Toy::new(&place).quick().task("metric = \"loss\"", "metric = \"loss\"\ntarget = 0.27").write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--trials", "40", "--seed", "1", "--name", "a"]).exits(0);
    let ended = place.show("a");
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("finished"), &json!("target")));
    let used = ended["budget"]["trials_used"].as_u64().unwrap();
    let facts = place.journal("a").len();
    place.run(&["resume", "a", "--auto"]).exits(2).says(&["target 0.27 is reached", "--trials +20"]);
    assert_eq!(place.journal("a").len(), facts, "nothing was recorded");
    place.run(&["resume", "a", "--trials", "+2", "--auto"]).exits(0).says(&["target 0.27", "lifted"]);
    let ended = place.show("a");
    assert_eq!((&ended["reason"], ended["budget"]["trials_used"].as_u64().unwrap()), (&json!("trials"), used + 2));
}

#[test]
fn stop_now_ends_an_evaluator_with_all_that_it_started() {
    let place = Place::new();
    let pids = place.path("pids");
    let hangs = format!(
        "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n\
         open({pids:?}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')\ntime.sleep(1000)\n"
    );
    Toy::new(&place).quick().evaluator(&hangs).write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--detach", "--name", "a"]).exits(0);
    let processes: Vec<i32> = wait_until("the evaluator to hang", || {
        let text = fs::read_to_string(&pids).ok().filter(|t| t.ends_with('\n'))?;
        Some(text.split_whitespace().map(|p| p.parse().unwrap()).collect())
    });
    assert!(processes.len() == 2 && processes.iter().all(|pid| alive(*pid)));
    place.run(&["stop", "a", "--now"]).exits(0);
    let ended = place.shown("a", "the end", |s| s["state"] == "finished");
    assert_eq!(ended["reason"], "user");
    let run = &trial(&ended, "t0000")["runs"][0];
    assert_eq!((&run["failure"]["label"], &run["score"]), (&json!("killed"), &json!(null)), "{run}");
    wait_until("its processes to end", || processes.iter().all(|pid| !alive(*pid)).then_some(()));
}

#[test]
fn a_home_is_not_granted_and_a_model_without_its_key_begins_no_study() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let text = fs::read_to_string(place.path("toy/task.toml")).unwrap();
    fs::write(place.path("toy/task.toml"), format!("{text}\n[sandbox]\nread = [{:?}]\n", place.path("home"))).unwrap();
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]).exits(2).says(&["home directory", "name the directories"]);
    fs::write(place.path("toy/task.toml"), text).unwrap();
    let config = "[[model]]\nname = \"m\"\nbase_url = \"http://127.0.0.1:9/v1\"\nkey_env = \"NO_SUCH_KEY\"\n";
    fs::write(place.path("home/.config/trialdeck/config.toml"), config).unwrap();
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]).exits(2).says(&["NO_SUCH_KEY", "export"]);
    assert!(!place.study("a").exists());
}
