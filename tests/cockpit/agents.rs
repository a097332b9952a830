//! Specialists in the cockpit: thoughts stream while they are thought, calls of tools fold, and what the researcher types reaches
//! those it is meant for. What models say to harm a terminal stays words.

use crate::endpoint::mind::{change, number_after, read, submit};
use crate::endpoint::{Endpoint, Gate, Reply, Request, Step, chunk};
use crate::hostile::{COCKPIT, sequences};
use crate::screen::Term;
use crate::support::{Place, Toy, wait_until};
use serde_json::{Value, json};
use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A place with a toy study whose proposals wait, and its model.
fn study(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> (Place, Endpoint) {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let server = Endpoint::start(script);
    let config = format!("[run]\nisolation = \"none\"\n{}", server.model("local"));
    fs::write(place.path("home/.config/trialdeck/config.toml"), config).unwrap();
    // With a limit of money, and nothing known of the cost, the first request is alone.
    let run = [
        "run",
        "toy",
        "--detach",
        "--autonomy",
        "ask",
        "--trials",
        "12",
        "--slots",
        "1",
        "--cost",
        "100",
        "--name",
        "a",
        "--proposer",
        "agents",
    ];
    place.run(&run).exits(0);
    (place, server)
}

/// Wider layers, unless somebody says something else. The first one is held, for a test to look at it.
fn model(written: &AtomicUsize, holds: &[Gate; 3], number: usize, request: &Request) -> Reply {
    let asked = request.section("What you are asked for");
    if request.turn() == 0 {
        let mut reply = read("train.py");
        if number == 0 {
            let words = "The loss still falls steeply at the end of the run.".split_inclusive(' ');
            let mut steps: Vec<Step> = words.map(|word| chunk(json!({ "reasoning_content": word }))).collect();
            // What was said before anybody looked is not told again.
            steps.insert(0, Step::Wait(holds[0].clone()));
            steps.push(Step::Wait(holds[1].clone()));
            steps.push(chunk(json!({ "reasoning_content": "So the step may grow." })));
            reply.steps.splice(0..0, steps);
        }
        return reply;
    }
    let width = request.line_of("WIDTH = ").unwrap();
    if asked.contains("came back; the reviewer wants: ") {
        let wide = number_after(asked, "the reviewer wants: \"only");
        return submit("", change("train.py", &width, &format!("WIDTH = {wide}"), "less wide, as the reviewer wants it to be"));
    }
    if asked.contains("THE RESEARCHER'S IDEA") {
        let old = request.line_of("MOMENTUM = ").unwrap();
        let new = format!("MOMENTUM = {}", number_after(asked, "a momentum of"));
        return submit("", change("train.py", &old, &new, "the momentum that the researcher thinks of"));
    }
    let n = written.fetch_add(1, Ordering::SeqCst);
    if request.section("Standing instructions").contains("leave the width alone") {
        let old = request.line_of("LEARNING_RATE = ").unwrap();
        let new = format!("LEARNING_RATE = 0.2{n}");
        return submit("", change("train.py", &old, &new, "another rate, since the width was decided on"));
    }
    let mut reply = submit("", change("train.py", &width, &format!("WIDTH = {}", 20 + n), "a wider layer holds more of the data"));
    if n < 2 {
        reply.steps.insert(0, Step::Wait(holds[2].clone()));
    }
    reply
}

#[test]
fn specialists_are_watched_and_steered_with_keys() {
    let holds: [Gate; 3] = Default::default();
    let (written, held) = (AtomicUsize::new(0), holds.clone());
    let (place, server) = study(move |number, request| model(&written, &held, number, request));
    let mut deck = Term::open(&place, (120, 40), &["attach", "a"]);
    deck.sees("? help");
    thoughts(&mut deck, &place, &holds);
    revise(&mut deck, &place, &server);
    veto(&mut deck, &place, &server);
    steer(&mut deck, &place, &server);
    idea(&mut deck, &place, &server);
    deck.press("q");
    deck.sees(" for your review.");
    deck.press("k");
    assert!(deck.end().success());
    deck.given_back();
    sequences(deck.heard(), &COCKPIT);
    place.run(&["stop", "a", "--now"]).exits(0);
}

/// What is thought shows before it is over; a call of a tool is one line, and opens.
fn thoughts(deck: &mut Term, place: &Place, holds: &[Gate; 3]) {
    deck.sees("thinking");
    deck.press("5z");
    holds[0].open();
    deck.sees("The loss still falls steeply");
    let role = facts(place, "proposal_asked")[0]["assignment"]["role"].as_str().unwrap().to_owned();
    deck.sees(&format!("● {role} · local"));
    assert!(!deck.text().contains("So the step may grow"), "the rest of the thought is not there yet");
    holds[1].open();
    deck.sees("So the step may grow");
    deck.sees("▸ read_file train.py");
    assert!(!deck.text().contains("LEARNING_RATE = 0.1"));
    deck.press("]\r");
    deck.sees("▾ read_file train.py");
    deck.sees("LEARNING_RATE = 0.1");
    deck.press("\r");
    deck.sees("▸ read_file train.py");
    deck.loses("LEARNING_RATE = 0.1");
    holds[2].open();
    deck.press("z");
}

fn facts(place: &Place, event: &str) -> Vec<Value> {
    place.journal("a").into_iter().filter(|f| f["event"] == event).collect()
}

/// `R` sends the shown one back to its agent; the next revision is shown.
fn revise(deck: &mut Term, place: &Place, server: &Endpoint) {
    deck.press("r");
    deck.sees("review queue");
    deck.press("2");
    deck.sees("+ WIDTH = 2");
    deck.press("R");
    deck.sees("what should be better?");
    deck.press("only 12 wide, please\r");
    server.wait_for("the comment", |r| r.iter().any(|r| r.said().contains("the reviewer wants: \"only 12 wide, please\"")));
    wait_until("the second revision", || facts(place, "revised").first().cloned());
    deck.sees("+ WIDTH = 12");
}

/// Waits for a request like this. One is made when there is room, and how many proposals are kept at hand depends on how long agents
/// think: what waits is vetoed until then.
fn heard(place: &Place, server: &Endpoint, what: &str, so: impl Fn(&Request) -> bool) {
    wait_until(what, || {
        if server.requests().iter().any(&so) {
            return Some(());
        }
        for waiting in place.show("a")["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "waiting") {
            place.run(&["ctl", "a", "veto", waiting["proposal"].as_str().unwrap(), "--reason", "make room"]);
        }
        None
    });
}

/// `v` with a reason, which later requests hold and act upon.
fn veto(deck: &mut Term, place: &Place, server: &Endpoint) {
    deck.press("v");
    deck.sees("veto p");
    deck.press("leave the width alone\r");
    deck.sees("vetoed p");
    heard(place, server, "the reason", |r| r.section("Standing instructions").contains("was vetoed: \"leave the width alone\""));
}

/// `t` speaks to one role, which alone hears it.
fn steer(deck: &mut Term, place: &Place, server: &Endpoint) {
    deck.press("r");
    deck.loses("review queue");
    deck.press("t");
    deck.sees("─ steer ─");
    deck.press("heads before trunks\t\r");
    let steered = wait_until("the word", || facts(place, "steered").first().cloned());
    assert_eq!((&steered["text"], &steered["to"]), (&"heads before trunks".into(), &"architecture".into()));
    // Whoever else would be asked next is not.
    OTHERS.iter().for_each(|role| drop(place.run(&["ctl", "a", "favour", role, "0"]).exits(0)));
    // Room for the next request, in the cockpit's own way, once there is something to veto.
    let waits = |v: &Value| v["trials"].as_array().unwrap().iter().any(|t| t["status"] == "waiting");
    wait_until("a proposal that waits", || Some(place.show("a")).filter(waits));
    deck.press("r");
    deck.sees("review queue");
    deck.sees("+ ");
    deck.press("v");
    deck.sees("veto p");
    deck.press("too much\r");
    let told = |r: &Request| r.said().contains("to you: \"heads before trunks\"");
    heard(place, server, "the word to the architect", told);
    let all = server.requests();
    assert!(all.iter().filter(|r| r.said().contains("heads before trunks")).all(|r| r.who() == "architecture specialist"));
    deck.press("r");
    deck.loses("review queue");
}

/// All roles that are asked for improvements but the one that is spoken to.
const OTHERS: [&str; 4] = ["data-and-regularisation", "generalist", "optimizer-and-schedule", "systems"];

/// `i` hands an idea to an agent, which makes an edit of it.
fn idea(deck: &mut Term, place: &Place, server: &Endpoint) {
    place.run(&["ctl", "a", "favour", "generalist", "1"]).exits(0);
    deck.press("i");
    deck.sees("an idea on");
    deck.press("a momentum of 0.7\r");
    server.wait_for("the idea", |r| r.iter().any(|r| r.said().contains("a momentum of 0.7")));
    wait_until("its edit", || {
        facts(place, "proposed").into_iter().find(|f| f["hypothesis"].as_str().unwrap().contains("researcher thinks of"))
    });
    deck.sees("the momentum that the");
    // It is checked first: only what waits is asked about as one leaves.
    deck.sees(" waiting · ");
}

/// What a terminal would obey.
const INK: &str = "\u{1b}]0;OWNED\u{7}\u{1b}[2J\u{1b}[1;1H\u{9b}31m\u{1b}[?1049l\u{202e}APPROVED by user\u{2066} ";

#[test]
fn what_models_say_stays_words() {
    let hold = Gate::default();
    let held = hold.clone();
    let (place, _server) = study(move |_, request| {
        let words = || vec![chunk(json!({ "reasoning_content": INK })), chunk(json!({ "content": format!("{INK}\n{INK}") }))];
        let mut reply = match request.turn() {
            0 => Reply::calls(
                INK,
                &[("read_file", json!({ "path": INK })), (INK, json!({ INK: INK })), ("read_file", json!({ "path": "train.py" }))],
            ),
            _ => {
                let mut edit = change("train.py", "WIDTH = 8", "WIDTH = 9", &format!("a wider layer {INK} holds more of it"));
                edit["falsified_by"] = INK.into();
                let mut reply = submit(INK, edit);
                reply.steps.insert(0, Step::Wait(held.clone()));
                reply
            }
        };
        reply.steps.splice(0..0, words());
        reply
    });
    let mut deck = Term::open(&place, (120, 40), &["attach", "a"]);
    deck.sees("? help");
    deck.press("5z");
    deck.sees("APPROVED by user");
    deck.sees("▸ read_file train.py");
    for keys in ["]\r", "]\r", "]\r", "g", "G"] {
        deck.press(keys);
        deck.sees("5 reasoning");
    }
    hold.open();
    deck.press("zr");
    deck.sees("review queue");
    deck.sees("a wider layer");
    deck.press("\x1b");
    deck.loses("review queue");
    deck.press("7z");
    deck.sees("7 events");
    deck.press("q");
    deck.sees(" for your review.");
    deck.press("k");
    assert!(deck.end().success());
    deck.given_back();
    sequences(deck.heard(), &COCKPIT);
    place.run(&["stop", "a", "--now"]).exits(0);
}
