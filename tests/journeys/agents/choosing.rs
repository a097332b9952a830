//! What is refused to a model, and who may propose at all.

use super::{Lab, configured};
use crate::endpoint::mind::{change, give_up, read, submit};
use crate::endpoint::{Endpoint, Reply, Request};
use crate::support::{Place, Toy, trial};
use serde_json::Value;
use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Reaches for the file of another part first; then for the one that the refusal names.
fn stranger(written: &AtomicUsize, request: &Request) -> Reply {
    let mine = if request.who().starts_with("architecture") { "model.py" } else { "train.py" };
    match request.turn() {
        0 => read(if mine == "model.py" { "train.py" } else { "model.py" }),
        1 => match request.line_of("LEARNING_RATE = ").or_else(|| request.line_of("DEPTH = ")) {
            Some(line) if line.starts_with("LEARNING_RATE") => {
                submit("", change("train.py", &line, "LEARNING_RATE = 0.2", "a higher rate helps a network that is deep"))
            }
            Some(line) => submit("", change("model.py", &line, "DEPTH = 9", "a deeper network takes a higher rate")),
            None => give_up("nothing to change"),
        },
        2 => {
            let said = request.last();
            assert!(said.contains("refused, out_of_bounds") && said.contains(&format!("your part is {mine}.")), "{said}");
            read(mine)
        }
        _ => {
            let number = written.fetch_add(1, Ordering::SeqCst);
            let (begins, new) = match mine {
                "model.py" => ("DEPTH = ", format!("DEPTH = {}", 3 + number)),
                _ => ("MOMENTUM = ", format!("MOMENTUM = {}", 0.5 + 0.01 * number as f64)),
            };
            let old = request.line_of(begins).unwrap();
            submit("Within my own part, then.", change(mine, &old, &new, "the same idea, within my own part of the recipe"))
        }
    }
}

#[test]
fn an_edit_outside_of_a_roles_part_is_refused_with_the_reason() {
    let written = AtomicUsize::new(0);
    let lab = Lab::new(
        |toy| {
            let parts = "[surfaces]\narchitecture = { paths = [\"model.py\"] }\noptimizer = { paths = [\"train.py\"] }\n\n[live]";
            toy.task("editable = [\"train.py\"]", "editable = [\"train.py\", \"model.py\"]").task("[live]", parts)
        },
        move |_, request| match request.who() {
            // For the whole recipe: nothing is out of its bounds.
            "generalist" | "debugger" => give_up("not mine"),
            _ => stranger(&written, request),
        },
    );
    let place = &lab.place;
    fs::write(place.path("toy/model.py"), "DEPTH = 2\n").unwrap();
    let out = place.run(&["run", "toy", "--auto", "--time", "90s", "--trials", "2", "--slots", "1", "--name", "a", "--proposer", "agents"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    let mut who = Vec::new();
    for id in ["t0001", "t0002"] {
        let made = trial(&shown, id);
        let diff = place.run(&["diff", "a", id]).exits(0).out;
        let proposer = made["proposer"].as_str().unwrap();
        let (mine, other) = if proposer == "agents/architecture" { ("model.py", "train.py") } else { ("train.py", "model.py") };
        assert!(diff.contains(mine) && !diff.contains(other) && made["failure"].is_null(), "{proposer}: {diff}");
        who.push(proposer);
    }
    who.sort_unstable();
    assert_eq!(who, ["agents/architecture", "agents/optimizer-and-schedule"]);
    let said = place.run(&["show", "a", "t0001", "--conversation"]).exits(0);
    said.says(&["refused, out_of_bounds", "belongs to the surface"]);
}

/// Writes one edit, then the same with a comment; argues once it was told.
fn repeats(told: &Mutex<Vec<String>>, request: &Request) -> Reply {
    if request.turn() == 0 {
        return read("train.py");
    }
    let old = request.line_of("MOMENTUM = ").unwrap();
    let first = old == "MOMENTUM = 0.0";
    let new = if first { "MOMENTUM = 0.8".to_owned() } else { format!("{old}  # as it was") };
    let mut edit = change("train.py", &old, &new, "a momentum near one remembers more of the way");
    let last = request.last();
    if last.contains("NEARLY A REPETITION") {
        told.lock().unwrap().push(last);
    }
    if request.turn() > 1 {
        edit["argue"] = "the comment is what this trial is about".into();
    }
    submit("", edit)
}

#[test]
fn a_near_duplicate_is_told_and_argued_for() {
    let told: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    let lab = Lab::new(|toy| toy, move |_, request| repeats(told, request));
    let place = &lab.place;
    let out = place.run(&["run", "toy", "--auto", "--time", "90s", "--trials", "2", "--slots", "1", "--name", "a", "--proposer", "agents"]);
    assert_eq!(out.code, 0, "{out:#?}");
    let shown = place.show("a");
    assert_eq!(trial(&shown, "t0001")["verdict"], "keep");
    // Another request may have met the same idea at the same time: then it was refused as a duplicate.
    let again = shown["trials"].as_array().unwrap().iter().find(|t| t["parents"][0] == "t0001" && t["status"] == "done");
    let again = again.unwrap_or_else(|| panic!("{shown:#}"))["id"].as_str().unwrap();
    let said = told.lock().unwrap().clone();
    assert!(!said.is_empty() && said[0].contains("- t0001 ") && said[0].contains("You may argue once"), "{said:#?}");
    place.run(&["show", "a", again]).exits(0).says(&["Why it is no repetition: the comment is what this trial is about"]);
}

#[test]
fn nobody_asks_a_model_that_was_not_asked_for() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let run = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command(&[&["run", "toy", "--auto", "--time", "90s", "--trials", "1"], more].concat());
        command.envs(variables.iter().copied());
        place.start(command).end()
    };
    let studies = || fs::read_dir(place.path("state/trialdeck/studies")).map_or(0, Iterator::count);
    run(&["--proposer", "agents"], &[]).exits(2).says(&["agents need a model", "[[model]]"]);
    run(&["--proposer", "agents"], &[("OPENAI_API_KEY", "sk-nothing-1")]).exits(2).says(&["OPENAI_MODEL is not set"]);
    run(&["--proposer", "agents+tpe"], &[]).exits(2).says(&["agents need a model"]);
    assert_eq!(studies(), 0, "nothing is written");

    let server = Endpoint::start(|_, request| match request.turn() {
        0 => read("train.py"),
        _ => submit("", change("train.py", &request.line_of("WIDTH = ").unwrap(), "WIDTH = 9", "a little wider is a little better")),
    });
    let url = server.url();
    let variables = [("OPENAI_API_KEY", "sk-nothing-1"), ("OPENAI_BASE_URL", url.as_str()), ("OPENAI_MODEL", "m-1")];
    let out = run(&["--name", "alone"], &variables);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(server.requests().is_empty(), "a key that lies in the environment is not spent");
    assert_eq!(trial(&place.show("alone"), "t0001")["proposer"], "knobs/tpe");
    let out = run(&["--name", "asked", "--proposer", "agents"], &variables);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let requests = server.requests();
    assert!(requests.len() >= 2 && requests.iter().all(|r| r.header("authorization") == Some("Bearer sk-nothing-1")));
    let shown = place.show("asked");
    assert!(trial(&shown, "t0001")["proposer"].as_str().unwrap().starts_with("agents/"), "{shown:#}");

    // What has no price cannot be held to a limit of money.
    let unpriced = server.model("local").replace("prices", "#prices");
    configured(&place, &unpriced);
    let before = studies();
    run(&["--cost", "1"], &[]).exits(2).says(&["--cost cannot be held", "local", "prices"]);
    assert_eq!(studies(), before);
    // With a model in the configuration agents are who proposes.
    let out = run(&["--name", "usual"], &[]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown: Value = place.show("usual");
    assert!(trial(&shown, "t0001")["proposer"].as_str().unwrap().starts_with("agents/"), "{shown:#}");
}
