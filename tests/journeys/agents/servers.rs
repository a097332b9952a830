//! Servers that fail, and limits of what they may cost: nothing is lost, trials go on, and the lines say what happened.

use super::{Lab, configured};
use crate::endpoint::mind::{change, read, submit};
use crate::endpoint::{Endpoint, Reply, Request, Step, chunk, usage};
use crate::support::{Place, Toy, wait_until};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Looks, then changes the momentum, another one each time.
fn model(written: &AtomicUsize, request: &Request) -> Reply {
    match request.line_of("MOMENTUM = ") {
        None => read("train.py"),
        Some(old) => {
            let new = format!("MOMENTUM = 0.{}", 50 + written.fetch_add(1, Ordering::SeqCst));
            submit("Slowly, now.", change("train.py", &old, &new, "another momentum lies nearer to the best one"))
        }
    }
}

fn trials(shown: &Value) -> Vec<(&str, &str)> {
    let all = shown["trials"].as_array().unwrap().iter().skip(1);
    all.map(|t| (t["proposer"].as_str().unwrap(), t["status"].as_str().unwrap())).collect()
}

#[test]
fn a_server_that_fails_costs_time_and_nothing_else() {
    let written = Arc::new(AtomicUsize::new(0));
    let script = {
        let written = Arc::clone(&written);
        move |number: usize, request: &Request| match number {
            0 => Reply::error(429, "slow down").header("retry-after", "1"),
            1 => Reply::stream(vec![chunk(json!({ "content": "I begin, and in the middle of a wo" })), Step::Cut]),
            _ => model(&written, request),
        }
    };
    let lab = Lab::new(|toy| toy, script);
    let Lab { place, server } = lab;
    let run = ["run", "toy", "--auto", "--time", "90s", "--trials", "4", "--slots", "1", "--name", "a", "--proposer", "agents"];
    let study = place.spawn(&run);
    let drafted = |n: usize| {
        wait_until("drafts", || (place.journal("a").iter().filter(|f| f["event"] == "proposed").count() >= n).then_some(()));
    };
    drafted(1);
    // It dies in the middle of the study, and comes back once that was noticed.
    let (at, before) = (server.address(), server.requests().len());
    drop(server);
    wait_until("a line about the dead server", || study.said().contains("cannot be reached").then_some(()));
    assert!(before >= 4, "429, cut, read, submit: {before}");
    let again = Endpoint::start_at(at, move |_, request| model(&written, request));
    let out = study.end();
    assert_eq!(out.code, 0, "{out:#?}");
    let out = out.says(&["answered 429", "slow down", "the next try is in 1 s", "study finished trials"]);
    assert!(out.out.contains("trouble") && !out.out.contains("in the middle of a wo"), "{out:#?}");
    let shown = place.show("a");
    // All ran but what could not be carried over to a better one.
    assert_eq!(trials(&shown).iter().filter(|(_, status)| *status == "done").count(), 4, "{shown:#}");
    assert!(trials(&shown).iter().all(|(_, status)| matches!(*status, "done" | "stale")), "{shown:#}");
    assert!(trials(&shown).iter().all(|(who, _)| who.starts_with("agents/")), "{shown:#}");
    assert!(!again.requests().is_empty());
    // Nothing came of nobody: what broke off was asked again within the same proposal.
    let facts = place.journal("a");
    assert!(facts.iter().all(|f| f["event"] != "proposal_failed"), "{out:#?}");
    let said = place.run(&["show", "a", "p0001", "--conversation"]).exits(0);
    said.says(&["429", "broke off"]);
}

/// An address at which nobody listens now.
fn nobody() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

#[test]
fn a_sampler_beside_agents_works_while_their_server_is_away() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let at = nobody();
    configured(&place, &format!("\n[[model]]\nname = \"local\"\nbase_url = \"http://{at}/v1\"\n"));
    let run = ["run", "toy", "--auto", "--time", "300s", "--slots", "1", "--name", "a", "--proposer", "agents+tpe"];
    let study = place.spawn(&run);
    let done = |v: &Value, by: &str| trials(v).iter().filter(|(who, status)| who.starts_with(by) && *status == "done").count();
    let before = place.shown("a", "trials by the sampler", |v| done(v, "knobs/tpe") >= 2);
    assert!(trials(&before).iter().all(|(who, _)| *who == "knobs/tpe"));
    let written = AtomicUsize::new(0);
    let server = Endpoint::start_at(at, move |_, request| model(&written, request));
    place.shown("a", "a trial by an agent", |v| done(v, "agents/") >= 1);
    place.run(&["stop", "a"]).exits(0);
    let out = study.end();
    assert_eq!(out.code, 4, "{out:#?}");
    assert!(!server.requests().is_empty());
    out.says(&["cannot be reached"]);
}

#[test]
fn a_limit_of_money_ends_proposing_and_lets_runs_finish() {
    let written = AtomicUsize::new(0);
    // A cent an answer, two answers a proposal.
    let dear = move |_: usize, request: &Request| {
        let mut reply = model(&written, request);
        let at = reply.steps.len() - 2;
        reply.steps[at] = usage(6_000, 2_000);
        reply
    };
    let lab = Lab::new(|toy| toy.train("PAUSE = 0.0", "PAUSE = 0.6"), dear);
    let place = &lab.place;
    let run = ["run", "toy", "--auto", "--time", "90s", "--cost", "0.05", "--slots", "1", "--name", "a", "--proposer", "agents"];
    let out = place.run(&run);
    assert_eq!(out.code, 0, "{out:#?}");
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"]), (&"finished".into(), &"cost".into()));
    let usd = shown["budget"]["usd"].as_f64().unwrap();
    // What was in flight when the limit was met is one proposal at most.
    assert!((0.04..=0.07 + 1e-9).contains(&usd), "{usd}");
    // All ran but what could not be carried over to a better one.
    let ran = trials(&shown).iter().filter(|(_, status)| *status == "done").count();
    assert!(ran >= 2 && trials(&shown).iter().all(|(_, status)| matches!(*status, "done" | "stale")), "{shown:#}");
    // Each edits the same line, so what was written before the first keep has nowhere to go, and says so.
    for left in shown["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "stale") {
        let why = left["reviews"].as_array().unwrap().last().unwrap()["reason"].as_str().unwrap();
        assert!(why.contains("cannot be carried over to") && left["runs"].as_array().unwrap().is_empty(), "{left:#}");
    }
    let facts = place.journal("a");
    let at = |what: &dyn Fn(&Value) -> bool| facts.iter().position(what);
    let cautions: Vec<&str> = facts.iter().filter(|f| f["event"] == "cautioned").filter_map(|f| f["about"].as_str()).collect();
    assert!(cautions == ["budget_near", "budget_spent"] || cautions == ["budget_spent"], "once each: {cautions:?}");
    let met = at(&|f| f["about"] == "budget_spent").unwrap();
    assert!(facts[met..].iter().all(|f| f["event"] != "proposal_asked"), "nobody is asked after it");
    assert!(facts[met..].iter().any(|f| f["event"] == "run_scored"), "what ran goes on to its end");
    assert_eq!(lab.asked().len(), facts.iter().filter(|f| f["event"] == "spent").count());
    assert_eq!(out.out.matches("% of the limit for models").count(), cautions.iter().filter(|c| **c == "budget_near").count());
    out.says(&["for models is spent", "the study ends once what was proposed is decided"]);
}
