//! What the researcher says reaches the models, and those it is meant for alone; they do what it says.

use super::Lab;
use crate::endpoint::mind::{change, number_after, read, submit};
use crate::endpoint::{Gate, Reply, Request, Step};
use crate::support::{Out, trial, wait_until};
use serde_json::Value;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Writes ever wider layers until somebody says something else.
fn model(written: &AtomicUsize, hold: &Gate, request: &Request) -> Reply {
    if request.turn() == 0 {
        return read("train.py");
    }
    let asked = request.section("What you are asked for");
    let width = || request.line_of("WIDTH = ").unwrap();
    if asked.contains("wait for it") {
        let mut reply = submit("", change("train.py", &width(), "WIDTH = 99", "a width that nobody wants to see"));
        reply.steps.insert(0, Step::Wait(hold.clone()));
        return reply;
    }
    if asked.contains("came back; the reviewer wants: ") {
        // Its own draft lies before it, and the comment says what is wrong with it.
        assert!(asked.contains("your revision 1 came back") && asked.contains("WIDTH = 2"), "{asked}");
        let wide = number_after(asked, "the reviewer wants: \"only");
        return submit("", change("train.py", &width(), &format!("WIDTH = {wide}"), "less wide, as the reviewer wants it to be"));
    }
    if asked.contains("THE RESEARCHER'S IDEA") {
        let momentum = number_after(asked, "a momentum of");
        let old = request.line_of("MOMENTUM = ").unwrap();
        return submit("", change("train.py", &old, &format!("MOMENTUM = {momentum}"), "the momentum that the researcher thinks of"));
    }
    let number = written.fetch_add(1, Ordering::SeqCst) + 1;
    let standing = request.section("Standing instructions");
    if standing.contains("leave the width alone") {
        let most = if standing.contains("no rate above") { number_after(standing, "no rate above") } else { 0.25 };
        let old = request.line_of("LEARNING_RATE = ").unwrap();
        let new = format!("LEARNING_RATE = {:.3}", most - 0.001 * number as f64);
        return submit("", change("train.py", &old, &new, "another rate, since the width was decided on"));
    }
    submit("", change("train.py", &width(), &format!("WIDTH = {}", 20 + number), "a wider layer holds more of the data"))
}

/// A study that waits for its researcher.
struct Desk {
    lab: Lab,
}

impl Desk {
    #[track_caller]
    fn ctl(&self, words: &[&str]) -> Out {
        self.lab.place.run(&[&["ctl", "a"], words].concat()).exits(0)
    }

    /// Waits until a trial is at this revision and status.
    #[track_caller]
    fn reaches(&self, id: &str, status: &str, revision: u64) -> Value {
        let is = |t: &Value| t["id"] == id && t["status"] == status && t["revision"] == revision;
        let shown = self.lab.place.shown("a", &format!("{id} {status}"), |v| v["trials"].as_array().unwrap().iter().any(is));
        trial(&shown, id).clone()
    }

    #[track_caller]
    fn added(&self, id: &str, line: &str) {
        let diff = self.lab.place.run(&["diff", "a", id]).exits(0).out;
        assert!(diff.contains(&format!("+{line}")), "{diff}");
    }

    /// Waits for a proposal that adds such a line, and vetoes those that wait with another one meanwhile.
    #[track_caller]
    fn waits_with(&self, line: &str, other: Option<(&str, &str)>) -> Value {
        let mut found = None;
        let place = &self.lab.place;
        wait_until(line, || {
            for waiting in place.show("a")["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "waiting" && t["id"] != "t0001") {
                let (id, proposal) = (waiting["id"].as_str().unwrap(), waiting["proposal"].as_str().unwrap());
                let diff = place.run(&["diff", "a", id]).out;
                if diff.contains(&format!("+{line}")) {
                    found = Some(waiting.clone());
                } else if let Some((_, reason)) = other.filter(|(other, _)| diff.contains(&format!("+{other}"))) {
                    // It may be carried over to a new parent just now.
                    place.run(&["ctl", "a", "veto", proposal, "--reason", reason]);
                }
            }
            found.take()
        })
    }

    /// Requests that hold these words.
    fn with(&self, words: &str) -> Vec<Request> {
        self.lab.asked().into_iter().filter(|r| r.said().contains(words)).collect()
    }
}

#[test]
fn what_the_researcher_says_reaches_the_models() {
    let (written, hold) = (Arc::new(AtomicUsize::new(0)), Gate::default());
    let held = hold.clone();
    let lab = Lab::new(|toy| toy, move |_, request| model(&written, &held, request));
    let run = ["run", "toy", "--detach", "--autonomy", "ask", "--trials", "12", "--slots", "1", "--name", "a", "--proposer", "agents"];
    lab.place.run(&run).exits(0);
    let desk = Desk { lab };
    revise(&desk, &hold);
    veto(&desk);
    steer(&desk);
    idea(&desk);
    desk.lab.place.run(&["stop", "a", "--now"]).exits(0);
}

/// The same agent gets its own draft and the comment; both revisions are kept; `undo` takes the wish and an accept back.
fn revise(desk: &Desk, hold: &Gate) {
    let first = desk.reaches("t0001", "waiting", 1);
    desk.added("t0001", "WIDTH = 2");
    desk.ctl(&["revise", "t0001", "--comment", "only 12 wide, or it is too slow"]);
    let second = desk.reaches("t0001", "waiting", 2);
    desk.added("t0001", "WIDTH = 12");
    assert_eq!((&second["proposal"], &second["proposer"]), (&first["proposal"], &first["proposer"]));
    assert_ne!(second["tree"], first["tree"]);
    let came = desk.with("the reviewer wants: \"only 12 wide, or it is too slow\"");
    let role = first["proposer"].as_str().unwrap().trim_start_matches("agents/").split('-').next().unwrap();
    assert!(came.len() >= 2 && came.iter().all(|r| r.who().starts_with(role)), "the same agent, a look and an answer");
    let kept = |revision: u32| {
        let proposal = first["proposal"].as_str().unwrap();
        let text = std::fs::read_to_string(desk.lab.place.study("a").join(format!("proposals/{proposal}/rev-{revision}.json"))).unwrap();
        serde_json::from_str::<Value>(&text).unwrap().to_string()
    };
    assert!(kept(1).contains("WIDTH = 2") && kept(2).contains("WIDTH = 12"));
    desk.lab.place.run(&["show", "a", "t0001", "--conversation", "--full"]).exits(0).says(&["revision 1", "revision 2", "only 12 wide"]);
    // Taken back while it is being written: the revision before waits again, whatever still comes.
    desk.ctl(&["revise", "t0001", "--comment", "wait for it"]);
    desk.lab.server.wait_for("a request that waits", |r| r.iter().any(|r| r.turn() == 1 && r.said().contains("wait for it")));
    desk.ctl(&["undo", "t0001"]);
    desk.reaches("t0001", "waiting", 2);
    hold.open();
    desk.added("t0001", "WIDTH = 12");
}

/// The reason stands in later requests, and the model leaves what it speaks of.
fn veto(desk: &Desk) {
    desk.reaches("t0002", "waiting", 1);
    desk.ctl(&["veto", "t0002", "--reason", "leave the width alone: memory is dear"]);
    // What was written before the word fell goes too.
    desk.waits_with("LEARNING_RATE = 0.2", Some(("WIDTH = 2", "as before")));
    assert!(desk.with("t0002 was vetoed: \"leave the width alone: memory is dear\"").iter().any(|r| r.turn() == 0));
    // An accept can be taken back before its run has begun.
    desk.ctl(&["pause"]);
    desk.ctl(&["accept", "t0001"]);
    desk.reaches("t0001", "queued", 2);
    desk.ctl(&["undo", "t0001"]);
    desk.reaches("t0001", "waiting", 2);
    desk.ctl(&["accept", "t0001"]);
    desk.ctl(&["unpause"]);
    desk.reaches("t0001", "done", 2);
}

/// A word to all is heard by all.
fn steer(desk: &Desk) {
    desk.ctl(&["steer", "no rate above 0.15, it diverges elsewhere"]);
    desk.waits_with("LEARNING_RATE = 0.1", Some(("LEARNING_RATE = 0.2", "see above")));
    assert!(!desk.with("to all: \"no rate above 0.15, it diverges elsewhere\"").is_empty());
}

/// An idea in a sentence becomes an edit by the role that was named; a word to one role is that role's alone.
fn idea(desk: &Desk) {
    let place = &desk.lab.place;
    desk.ctl(&["steer", "--to", "architecture", "heads before trunks, always"]);
    let one = place.spawn(&["propose", "a", "--idea", "a momentum of 0.7 would help", "--to", "architecture", "--wait", "--json"]);
    let own = desk.waits_with("MOMENTUM = 0.7", None);
    assert_eq!(own["proposer"], "agents/architecture");
    desk.ctl(&["accept", own["proposal"].as_str().unwrap(), "--tree", own["tree"].as_str().unwrap()]);
    let done = one.end();
    assert!(matches!(done.code, 0 | 3), "{done:#?}");
    assert_eq!((&done.json()["id"], &done.json()["status"]), (&own["id"], &"done".into()));
    // Without `--wait`, by another role, which never hears what the first one was told.
    let other = ["propose", "a", "--idea", "a momentum of 0.6 would do", "--to", "optimizer-and-schedule", "--parent", "t0000"];
    place.run(&other).exits(0).says(&["is being written"]);
    desk.waits_with("MOMENTUM = 0.6", None);
    let told = desk.with("heads before trunks, always");
    assert!(!told.is_empty() && told.iter().all(|r| r.who() == "architecture specialist"), "only for that role");
    assert!(told.iter().any(|r| r.said().contains("to you: \"heads before trunks, always\"")));
    assert!(desk.with("a momentum of 0.6 would do").iter().any(|r| r.who().starts_with("optimizer")));
    place.run(&["propose", "a", "--idea", "x", "--to", "nobody"]).exits(1).says(&["there is no role `nobody`"]);
}
