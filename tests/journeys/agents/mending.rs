//! A recipe that does not run as it was handed in: agents mend it, or the study says why they could not.

use super::Lab;
use crate::endpoint::mind::{change, give_up, read, submit};
use crate::endpoint::{Reply, Request};
use crate::support::{Toy, trial};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Crashes in every run, at its end. Its noise is to be measured.
fn broken(toy: Toy) -> Toy {
    toy.train("    loss += random.gauss(", "    loss += random.gaus(").task("\nnoise  = { sd = 0.004 }", "")
}

/// The debugger looks at the log that its card quotes; its first attempt is wrong in another way. The others change the momentum.
fn model(attempts: &AtomicUsize, written: &AtomicUsize, request: &Request) -> Reply {
    if request.turn() == 0 {
        return read("train.py");
    }
    if !request.mends() {
        let task = request.section("Task and score");
        assert!(task.contains("- baseline t0002: ") && task.contains("mended t0000"), "{}", request.digest());
        let old = request.line_of("MOMENTUM = ").unwrap();
        let new = format!("MOMENTUM = 0.{}", 50 + written.fetch_add(1, Ordering::SeqCst));
        return submit("Slowly, now.", change("train.py", &old, &new, "another momentum lies nearer to the best one"));
    }
    assert_eq!(request.who(), "debugger");
    let attempt = attempts.fetch_add(1, Ordering::SeqCst);
    let card = request.section("Failure card of ");
    let (failed, said, new) = match attempt {
        0 => ("debug: mend t0000", "random.gaus(", "    loss += random.gauss(0, 0.004) + missing"),
        _ => ("debug: mend t0001", "name 'missing' is not defined", "    loss += random.gauss(0, 0.004)"),
    };
    assert!(request.section("What you are asked for").contains(failed) && card.contains(said), "{}", request.digest());
    let old = request.line_of("    loss += ").unwrap();
    submit("The log says where.", change("train.py", &old, new, "what the log names is not there; this is what was meant"))
}

#[test]
fn a_baseline_that_crashes_is_mended_and_the_study_goes_on_from_the_mend() {
    let (attempts, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let lab = Lab::new(broken, move |_, request| model(&attempts, &written, request));
    let place = &lab.place;
    let out =
        place.run(&["run", "toy", "--auto", "--time", "300s", "--trials", "5", "--slots", "1", "--name", "a", "--proposer", "agents"]);
    assert_eq!(out.code, 0, "{out:#?}");
    let out = out.says(&["every baseline run failed", "agents are asked to mend it", "baseline failed: mended by t0002"]);
    assert!(out.out.contains("of t0002, which mended t0000") && !out.out.contains("asked for by a person"), "{out:#?}");
    let shown = place.show("a");
    let (baseline, first, mended) = (trial(&shown, "t0000"), trial(&shown, "t0001"), trial(&shown, "t0002"));
    assert_eq!((&baseline["failure"]["label"], &baseline["score"]), (&json!("crashed"), &Value::Null));
    assert_eq!((&first["verdict"], &first["failure"]["label"]), (&json!("revert"), &json!("crashed")));
    assert_eq!(
        (&mended["verdict"], &mended["operator"], &mended["proposer"]),
        (&json!("keep"), &json!("debug"), &json!("agents/debugger"))
    );
    let of = &shown["baseline"];
    assert_eq!((&of["trial"], &of["mends"], &of["score"]), (&json!("t0002"), &json!("t0000"), &mended["score"]), "{of}");
    assert_eq!((&of["runs"], &of["noise"]), (&json!(3), &json!("measured")));
    let best = &shown["best"];
    assert!(best["verified"] == true && best["gain_interval"][0].as_f64().unwrap() > 0.03, "{best}");
    for later in shown["trials"].as_array().unwrap().iter().skip(3).filter(|t| t["status"] == "done") {
        assert!(later["parents"][0].as_str().unwrap() >= "t0002" && later["failure"].is_null(), "{later:#}");
    }
    // What is taken home runs: the mend is part of it.
    let diff = place.run(&["diff", "a", best["trial"].as_str().unwrap(), "--against", "baseline"]).exits(0).out;
    assert!(diff.contains("+    loss += random.gauss(0, 0.004)") && diff.contains("+MOMENTUM = 0."), "{diff}");
    place.run(&["tree", "a"]).exits(0).says(&["t0002 keep", "mended baseline"]);
    place.run(&["verify", "a"]).exits(0);
}

#[test]
fn a_baseline_that_nobody_can_mend_fails_the_study_with_what_was_tried() {
    let lab = Lab::new(broken, |_, request| {
        assert!(request.mends(), "{}", request.digest());
        give_up("the package that it needs is not there")
    });
    let place = &lab.place;
    let run = ["run", "toy", "--auto", "--time", "300s", "--trials", "5", "--slots", "1", "--name", "a", "--proposer", "agents"];
    place.run(&run).exits(1).says(&[
        "failed (baseline",
        "AttributeError",
        "the package that it needs is not there",
        "trialdeck log a t0000",
    ]);
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"], &shown["best"]), (&json!("failed"), &json!("baseline"), &Value::Null));
    assert_eq!(shown["trials"].as_array().map(Vec::len), Some(1));
}
