//! Journey 5: a train.py that detaches a child and sleeps past its budget leaves no process behind.

use crate::support::{Place, Toy, alive};
use std::fs;

/// Forks twice with a session of its own in between, ignores TERM, and sleeps; so does the program itself.
const BOMB: &str = r#"
    import signal
    pids = os.environ["STARTS"] + ".pids"
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                with open(pids, "a") as out:
                    out.write(f"{os.getpid()}\n")
                time.sleep(600)
            os._exit(0)
    time.sleep(600)
"#;

#[test]
fn a_detached_child_dies_with_its_run() {
    let place = Place::new();
    Toy::new(&place).quick().task("wall  = \"60s\"\ngrace = \"1s\"", "wall  = \"3s\"\ngrace = \"300ms\"").write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--name", "a"]).exits(0);
    let edited = place.path("edited");
    fs::create_dir(&edited).unwrap();
    let train = Toy::new(&place).train("    loss = (LEARNING", &format!("{BOMB}\n    loss = (LEARNING")).train;
    fs::write(edited.join("train.py"), train).unwrap();
    let out = place.run(&["propose", "a", "--from", "edited", "-m", "sleeps past its budget", "--wait", "--json"]).exits(3);
    let trial = out.json();
    assert_eq!((&trial["status"], &trial["verdict"]), (&"done".into(), &"revert".into()), "{trial:#}");
    assert_eq!(trial["failure"]["label"], "timed_out", "{trial:#}");
    assert!(trial["failure"]["detail"].as_str().unwrap().contains("3 s"), "{trial:#}");
    assert_eq!(trial["score"], serde_json::Value::Null);
    let pids = fs::read_to_string(place.path("starts.pids")).unwrap();
    assert_eq!(pids.lines().count(), 3, "the children did run");
    for pid in pids.lines() {
        assert!(!alive(pid.parse().unwrap()), "{pid} outlived its run");
    }
    place.run(&["stop", "a"]).exits(0);
}
