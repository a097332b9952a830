//! Bad input: evaluators that say rubbish, nothing, too much, no number, or nothing in time; gates that do not hold.

use crate::support::{Place, Toy, trial};
use serde_json::{Value, json};

#[test]
fn what_is_no_score_is_no_score() {
    let place = Place::new();
    for (name, says, label, evidence) in [
        ("rubbish", "print('Traceback: all is well')", "invalid_score", "all is well"),
        ("nothing", "pass", "invalid_score", "nothing"),
        ("two", "print('{\"loss\": 1.0}'); print('{\"loss\": 2.0}')", "invalid_score", ""),
        ("nan", "print('{\"loss\": NaN}')", "invalid_score", ""),
        ("words", "print('{\"loss\": \"low\"}')", "invalid_score", "loss"),
        ("absent", "print('{\"accuracy\": 1.0}')", "invalid_score", "loss"),
        ("dies", "raise ValueError('no labels here')", "eval_failed", "no labels here"),
        ("hangs", "import time; time.sleep(600)", "eval_timed_out", ""),
    ] {
        Toy::new(&place).quick().task("wall    = \"60s\"", "wall    = \"1500ms\"").evaluator(&format!("{says}\n")).write(&place, name);
        let out = place.run(&["run", name, "--auto", "--trials", "2", "--name", name]).exits(1);
        let shown = place.show(name);
        let run = &shown["trials"][0]["runs"][0];
        assert_eq!((&shown["state"], &shown["reason"]), (&json!("failed"), &json!("baseline")), "{name}");
        assert_eq!((&run["failure"]["label"], &run["score"]), (&json!(label), &Value::Null), "{name}: {run:#}");
        assert!(run["failure"]["detail"].as_str().unwrap().contains(evidence), "{name}: {run:#}");
        assert!(out.out.contains(label) && !out.out.contains("queued"), "{out:#?}");
        let baseline = &shown["trials"][0];
        assert_eq!((&baseline["status"], &baseline["failure"]["label"]), (&json!("done"), &json!(label)), "{name}: {baseline:#}");
        eprintln!("{name}: {}", run["failure"]["detail"]);
    }
}

#[test]
fn a_score_that_breaks_a_gate_is_none() {
    let place = Place::new();
    let gates = "\n[[gate]]\nkey = \"changed_lines\"\nmax = 4\nstage = \"tree\"\n\n[[gate]]\nkey = \"extra\"\nmax = 2.0\n\n[[knob]]";
    let evaluate = Toy::new(&place).evaluate.replace("\"extra\": 1.5", "\"extra\": 10 if loss > 0.5 else 1");
    Toy::new(&place).quick().task("\n[[knob]]", gates).evaluator(&evaluate).write(&place, "toy");
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--name", "a"]).exits(0);
    let propose = |old: &str, new: &str| {
        let dir = place.path("edited");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("train.py"), Toy::new(&place).train(old, new).train).unwrap();
        place.run(&["propose", "a", "--from", "edited", "-m", "x", "--parent", "t0000", "--wait", "--json"])
    };
    let out = propose("WIDTH = 8", "WIDTH = 2").exits(3).json();
    assert_eq!(
        (&out["failure"]["label"], &out["verdict"], &out["score"]),
        (&json!("gate_failed"), &json!("revert"), &Value::Null),
        "{out:#}"
    );
    assert_eq!(out["gates"], json!([{"key": "extra", "value": 10.0, "ok": false}]));
    assert!(out["failure"]["detail"].as_str().unwrap().contains("extra"), "{out:#}");
    let out = propose("WIDTH = 8", "WIDTH = 9\nA = 1\nB = 2\nC = 3").exits(1).json();
    assert_eq!((&out["status"], &out["failure"]["label"]), (&json!("rejected"), &json!("gate_failed")), "{out:#}");
    let out = propose("WIDTH = 8", "WIDTH = 16").exits(0).json();
    assert_eq!((&out["verdict"], &out["gates"][0]["ok"]), (&json!("keep"), &json!(true)));
    assert_eq!(trial(&place.show("a"), "t0000")["gates"][0]["ok"], true);
    place.run(&["stop", "a"]).exits(0);
}
