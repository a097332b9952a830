//! What fails comes back as a card with its numbers, and the next edit is made of them.

use super::Lab;
use crate::endpoint::mind::{change, give_up, number_after, read, submit};
use crate::endpoint::{Reply, Request};
use crate::support::trial;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Three ideas that fail: too large for a gate, too slow for the clock, and broken.
const IDEAS: [(&str, &str, &str); 3] = [
    ("WIDTH = ", "WIDTH = 16", "a wider layer holds more, so the loss falls by a sixteenth"),
    ("PAUSE = ", "PAUSE = 60.0", "a longer run sees more, so the loss falls a little"),
    ("    loss += ", "    loss += random.gaus(0, 0.004)", "another draw of the noise gives another loss"),
];

/// Proposes the ideas in turn; mends each by what its card says.
fn model(ideas: &AtomicUsize, request: &Request) -> Reply {
    if request.turn() == 0 {
        return read("train.py");
    }
    if request.mends() {
        return mend(request);
    }
    let Some((line, new, why)) = IDEAS.get(ideas.fetch_add(1, Ordering::SeqCst)) else { return give_up("no more ideas") };
    let old = request.line_of(line).unwrap();
    submit("Let me try this.", change("train.py", &old, new, why))
}

fn mend(request: &Request) -> Reply {
    let card = request.section("Failure card of ");
    assert!(card.contains("- what: ") && card.contains("- why: ") && card.contains("- legal would be: "), "{}", request.digest());
    assert_eq!(request.who(), "debugger");
    let (line, new) = if card.contains(" gate_failed: ") {
        let (is, most) = (number_after(card, "size is "), number_after(card, "at most "));
        assert!((number_after(card, "is legal: ") - (is - most)).abs() < 1e-9 && card.contains("size <= 1000"), "{card}");
        let width = number_after(&request.line_of("WIDTH = ").unwrap(), "WIDTH = ");
        ("WIDTH = ", format!("WIDTH = {}", (width * most / is).floor()))
    } else if card.contains(" timed_out: ") {
        ("PAUSE = ", format!("PAUSE = {}", number_after(card, "a run that ends within ") / 10.0))
    } else {
        assert!(card.contains(" crashed: ") && card.contains("AttributeError") && card.contains("random.gaus("), "{card}");
        // `Did you mean: 'gauss'?` stands in the log that the card quotes.
        let (_, rest) = card.split_once("Did you mean: '").unwrap_or_else(|| panic!("{card}"));
        ("    loss += ", format!("    loss += random.{}(0, 0.004) + 0.0", rest.split('\'').next().unwrap()))
    };
    let old = request.line_of(line).unwrap();
    submit("The card says by how much.", change("train.py", &old, &new, "the same idea, in the dose that the card allows"))
}

#[test]
fn a_failure_card_becomes_the_next_edit() {
    let ideas = AtomicUsize::new(0);
    let lab = Lab::new(
        |toy| {
            let size = r#"print(json.dumps({"loss": loss, "holdout_loss": loss + 0.5, "size": 100 * json.load(open(os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "pred.json")))["width"]}))"#;
            let toy = toy.train("{\"loss\": loss}", "{\"loss\": loss, \"width\": WIDTH}");
            let old = toy.evaluate.lines().last().unwrap().to_owned();
            let text = toy.evaluate.replace(&old, size);
            let gates = "[[gate]]\nkey = \"size\"\nmax = 1000\n\n[live]";
            toy.evaluator(&text).task("[live]", gates).task("wall  = \"60s\"\ngrace", "wall  = \"3s\"\ngrace")
        },
        move |_, request| model(&ideas, request),
    );
    let place = &lab.place;
    let out = place.run(&["run", "toy", "--auto", "--time", "90s", "--trials", "6", "--slots", "1", "--name", "a", "--proposer", "agents"]);
    assert_eq!(out.code, 0, "{out:#?}");
    let shown = place.show("a");
    let trials = shown["trials"].as_array().unwrap();
    let mut found = Vec::new();
    for failed in trials.iter().filter(|t| t["failure"].is_object()) {
        let id = failed["id"].as_str().unwrap();
        let child = trials.iter().find(|t| t["operator"] == "debug" && t["parents"][0] == id).unwrap_or_else(|| panic!("{id}: {shown:#}"));
        assert_eq!((&child["status"], &child["failure"]), (&"done".into(), &Value::Null), "{child:#}");
        assert_eq!(child["proposer"], "agents/debugger");
        let diff = place.run(&["diff", "a", child["id"].as_str().unwrap()]).exits(0).out;
        found.push((failed["failure"]["label"].as_str().unwrap().to_owned(), diff));
    }
    found.sort();
    let labels: Vec<&str> = found.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["crashed", "gate_failed", "timed_out"], "{shown:#}");
    for ((_, diff), line) in found.iter().zip(["+    loss += random.gauss(0, 0.004) + 0.0", "+WIDTH = 10", "+PAUSE = 0.3"]) {
        assert!(diff.contains(line), "{diff}");
    }
    assert_eq!(trial(&shown, "t0001")["proposer"].as_str().map(|p| p.starts_with("agents/")), Some(true));
}

/// One idea, which takes a moment; everybody else has none.
fn one_idea(ideas: &AtomicUsize, request: &Request) -> Reply {
    match request.line_of("MOMENTUM = ") {
        Some(old) => {
            submit("One thing is left.", change("train.py", &old, "MOMENTUM = 0.7", "a momentum near one remembers more of the way"))
        }
        None if ideas.fetch_add(1, Ordering::SeqCst) == 0 => read("train.py"),
        None => give_up("all that helps was tried before"),
    }
}

#[test]
fn agents_without_an_idea_end_the_study_once_nothing_is_under_way() {
    let ideas = AtomicUsize::new(0);
    let lab = Lab::new(|toy| toy.train("PAUSE = 0.0", "PAUSE = 0.6"), move |_, request| one_idea(&ideas, request));
    let place = &lab.place;
    let out =
        place.run(&["run", "toy", "--auto", "--time", "300s", "--trials", "9", "--slots", "1", "--name", "a", "--proposer", "agents"]);
    assert_eq!(out.code, 0, "the one idea is kept: {out:#?}");
    let out = out.says(&["every agent has given up on what is known", "all that helps was tried before", "study finished exhausted"]);
    assert!(!out.out.contains("asked less often") && !out.err.contains("asked less often"), "giving up is no fault: {out:#?}");
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"], &shown["budget"]["trials_used"]), (&"finished".into(), &"exhausted".into(), &1.into()));
    assert!(shown["detail"].as_str().unwrap().contains("has nothing to propose: all that helps was tried before"), "{}", shown["detail"]);
    assert_eq!(trial(&shown, "t0001")["verdict"], "keep");
    // After the last news nobody is asked again who gave up on it, and the end comes after it.
    let facts = place.journal("a");
    let ended = facts.iter().position(|f| f["event"] == "stop_asked").unwrap();
    let news = facts.iter().rposition(|f| ["judged", "incumbent_moved", "run_scored"].iter().any(|e| f["event"] == *e)).unwrap();
    assert!(news < ended, "what is under way is waited for");
    let by =
        |f: &Value| facts.iter().find(|a| a["event"] == "proposal_asked" && a["proposal"] == f["proposal"]).unwrap()["proposer"].clone();
    let mut gave_up = Vec::new();
    for fact in &facts[news..] {
        match fact["event"].as_str().unwrap() {
            "proposal_failed" => gave_up.push(by(fact)),
            "proposal_asked" => assert!(!gave_up.contains(&fact["proposer"]), "{gave_up:?} {fact}"),
            _ => {}
        }
    }
    assert!(gave_up.len() >= 5, "all who can be asked were: {gave_up:?}");
    assert!(facts.iter().filter(|f| f["event"] == "proposal_failed").all(|f| f["gave_up"] == true));
}
