//! A study in the making is whole or not at all: a signal ends the making and leaves nothing, and what a killed one left
//! goes with the next. A baseline that failed is tried again.

use crate::support::{Place, Toy, alive, kill, trial, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::{fs, path::Path};

/// A toy whose preparation starts another process, tells both pids, and waits for `gate`.
fn slow(place: &Place) {
    let prepare = "import os, subprocess, time\n\
        other = subprocess.Popen(['sleep', '300'], start_new_session=True)\n\
        os.makedirs('public')\n\
        open('BEGUN.new', 'w').write(f'{os.getpid()} {other.pid}')\n\
        os.rename('BEGUN.new', 'BEGUN')\n\
        while not os.path.exists('GATE'):\n    time.sleep(0.02)\n";
    let own = |name: &str| place.path(name).to_string_lossy().into_owned();
    let prepare = prepare.replace("BEGUN", &own("begun")).replace("GATE", &own("gate"));
    let dir = Toy::new(place).quick().task("[evaluator]\n", "[evaluator]\nprepare = \"python3 prepare.py\"\n").write(place, "toy");
    fs::write(dir.join("prepare.py"), prepare).unwrap();
}

fn begun(place: &Place) -> Vec<i32> {
    let text = wait_until("the preparation", || fs::read_to_string(place.path("begun")).ok());
    text.split(' ').map(|pid| pid.parse().unwrap()).collect()
}

/// Whether whoever started the tests has them ignore a signal.
fn ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

fn entries(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).map(|all| all.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()).unwrap_or_default()
}

const RUN: [&str; 7] = ["run", "toy", "--auto", "--trials", "1", "--name", "a"];

#[test]
fn a_signal_ends_the_making_and_leaves_nothing() {
    let place = Place::new();
    slow(&place);
    let studies = place.study("a").parent().unwrap().to_owned();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        // By nohup, or in the background of a shell: then what they start rightly ignores it too.
        if ignored(signal) {
            eprintln!("left out: these tests were started with {signal:?} ignored");
            continue;
        }
        let run = place.spawn(&RUN);
        let pids = begun(&place);
        assert!(pids.iter().all(|pid| alive(*pid)));
        kill_process(Pid::from_raw(run.pid()).unwrap(), signal).unwrap();
        let out = run.end().exits(code);
        assert_eq!((out.out.as_str(), out.err.lines().count()), ("", 1), "{out:#?}");
        assert!(out.err.contains("told to end while the study was made: nothing of it is left"), "{out:#?}");
        assert_eq!(pids.into_iter().filter(|pid| alive(*pid)).count(), 0);
        assert_eq!(entries(&studies), [""; 0]);
        fs::remove_file(place.path("begun")).unwrap();
    }
}

#[test]
fn what_a_killed_making_left_goes_with_the_next_and_a_living_one_stays() {
    let place = Place::new();
    slow(&place);
    let studies = place.study("a").parent().unwrap().to_owned();
    let killed = place.spawn(&RUN);
    let pids = begun(&place);
    kill(killed.pid());
    killed.end();
    assert_eq!(entries(&studies).len(), 1);
    fs::remove_file(place.path("begun")).unwrap();
    let living = place.spawn(&RUN);
    let own = begun(&place);
    assert_eq!(pids.into_iter().filter(|pid| alive(*pid)).count(), 0);
    assert_eq!(entries(&studies).len(), 1, "the living one's");
    // A third, of another task, removes nothing of the second.
    Toy::new(&place).quick().write(&place, "other");
    let out = place.run(&["run", "other", "--auto", "--trials", "1", "--name", "b"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(alive(own[0]));
    fs::write(place.path("gate"), "").unwrap();
    let out = living.end();
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let mut left = entries(&studies);
    left.sort();
    assert_eq!(left, ["a", "b"]);
}

#[test]
fn signals_have_their_usual_effect_once_the_study_is_there() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 0.3").write(&place, "toy");
    let run = place.spawn(&["run", "toy", "--auto", "--trials", "3", "--name", "a"]);
    wait_until("a run", || place.starts().first().cloned());
    wait_until("a line", || (!run.said().is_empty()).then_some(()));
    // Whoever only follows goes by TERM; the engine works on.
    kill_process(Pid::from_raw(run.pid()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(run.end().code, -1, "ended by the signal itself");
    place.shown("a", "the end", |v| v["state"] == "finished");
    assert_eq!(place.show("a")["reason"], "trials");
}

#[test]
fn a_failed_baseline_is_tried_again() {
    let place = Place::new();
    let data = place.path("data.txt");
    let line = format!("PAUSE = 0.0\nopen('{}')", data.display());
    Toy::new(&place).quick().train("PAUSE = 0.0", &line).write(&place, "toy");
    let out = place.run(&RUN).exits(1).says(&["every baseline run failed", "FileNotFoundError", "trialdeck resume a"]);
    assert!(out.out.contains("try it again"), "{out:#?}");
    place.run(&["resume", "a", "--auto"]).exits(1).says(&["every baseline run failed"]);
    fs::write(data, "").unwrap();
    let out = place.run(&["resume", "a", "--auto"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    let baseline = trial(&shown, "t0000");
    assert!(baseline["score"].is_number() && baseline["failure"].is_null(), "{baseline:#}");
    assert_eq!((&shown["state"], &shown["budget"]["trials_used"]), (&json!("finished"), &json!(1)));
    assert_eq!(baseline["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_study_whose_engine_was_killed_is_over_once_stop_now_returns() {
    let place = Place::new();
    Toy::new(&place).quick().train("PAUSE = 0.0", "PAUSE = 60.0").write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--trials", "3", "--name", "a"]).exits(0);
    wait_until("a run", || place.starts().first().cloned());
    kill(place.engine("a").unwrap());
    wait_until("the engine's end", || place.engine("a").is_none().then_some(()));
    place.run(&["stop", "a", "--now"]).exits(0).says(&["a has ended", "killed"]);
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("finished"), &json!("user")));
    assert_eq!(trial(&shown, "t0000")["runs"][0]["failure"]["label"], "killed");
}
