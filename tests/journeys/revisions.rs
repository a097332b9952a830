//! Journey: a proposal that was sent back. Its earlier revision stays to be looked at, with what was said about each.

use crate::endpoint::{
    Endpoint, Reply, Request,
    mind::{change, number_after, read, submit},
};
use crate::support::{Place, Toy, trial};
use serde_json::{Value, json};
use std::fs;

/// Wider layers; as wide as the reviewer wants them.
fn model(number: usize, request: &Request) -> Reply {
    if request.turn() == 0 {
        return read("train.py");
    }
    let width = request.line_of("WIDTH = ").unwrap();
    let asked = request.section("What you are asked for");
    if asked.contains("came back; the reviewer wants: ") {
        let wide = number_after(asked, "the reviewer wants: \"only");
        return submit(
            "Less is enough.",
            change("train.py", &width, &format!("WIDTH = {wide}"), "less wide, as the reviewer wants it to be"),
        );
    }
    submit("More may help.", change("train.py", &width, &format!("WIDTH = {}", 20 + number), "a wider layer holds more of the data"))
}

#[test]
fn what_was_sent_back_stays_to_be_looked_at() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    let server = Endpoint::start(model);
    let config = format!("[run]\nisolation = \"none\"\n{}", server.model("local"));
    fs::write(place.path("home/.config/trialdeck/config.toml"), config).unwrap();
    let run = ["run", "toy", "--detach", "--autonomy", "ask", "--slots", "1", "--name", "a", "--proposer", "agents"];
    place.run(&run).exits(0);
    let waits = |id: &str, revision: u32| {
        let so = |t: &Value| t["id"] == id && t["status"] == "waiting" && t["revision"] == revision;
        place.shown("a", &format!("{id} to wait in revision {revision}"), |s| s["trials"].as_array().unwrap().iter().any(so));
    };
    waits("t0001", 1);
    waits("t0002", 1);
    let before = place.run(&["diff", "a", "t0001"]).exits(0).out;
    place.run(&["ctl", "a", "revise", "t0001", "--comment", "only 12 wide, please"]).exits(0);
    waits("t0001", 2);

    let first = place.run(&["diff", "a", "t0001", "--revision", "1"]).exits(0).out;
    assert_eq!(first, before, "a pipe gets the patch as it was");
    assert!(first.starts_with("diff --git ") && first.contains("\n+WIDTH = 2"), "{first}");
    let second = place.run(&["diff", "a", "t0001"]).exits(0).out;
    assert!(second.contains("\n+WIDTH = 12\n") && second != first, "{second}");
    assert_eq!(place.run(&["diff", "a", "t0001", "--revision", "2"]).exits(0).out, second);
    place.run(&["diff", "a", "t0001", "--revision", "3"]).exits(1).says(&["t0001 has no revision 3: it has 1 to 2"]);
    place.run(&["diff", "a", "t0002", "--revision", "2"]).exits(1).says(&["t0002 has no revision 2: it has one"]);

    let shown = place.run(&["show", "a", "t0001"]).exits(0);
    shown.says(&[
        "less wide, as the reviewer wants it to be",
        "revision 1  a wider layer holds more of the data (+1 -1); its proposer wrote the next: only 12 wide, please",
        "sent back by a person: only 12 wide, please",
        "trialdeck diff a t0001 --revision 1",
    ]);
    let study = place.show("a");
    let t = trial(&study, "t0001");
    assert_eq!((&t["superseded"][0]["revision"], t["superseded"].as_array().unwrap().len()), (&json!(1), 1));
    let proposal = t["proposal"].as_str().unwrap();

    let said = place.run(&["show", "a", "t0001", "--conversation"]).exits(0);
    let said = said.says(&["More may help.", "Less is enough.", "calls submit", "tool read_file", "more lines: --full shows them"]).out;
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no `{text}` in:\n{said}"));
    assert!(at("\nrevision 1\n") < at("More may help.") && at("More may help.") < at("\nrevision 2\n"), "{said}");
    assert!(at("\nrevision 2\n") < at("Less is enough."), "{said}");
    assert_eq!(place.run(&["show", "a", proposal, "--conversation"]).exits(0).out, said, "by its own number too");
    let full = place.run(&["show", "a", "t0001", "--conversation", "--full"]).exits(0).out;
    assert!(full.len() > said.len() && full.contains("only 12 wide, please") && !full.contains("--full shows them"), "{full}");
    let lines = place.run(&["show", "a", "t0001", "--conversation", "--json"]).exits(0).out;
    let record: Value = serde_json::from_str(&lines).unwrap();
    let began = record["turns"].as_array().unwrap().iter().filter(|t| t["turn"] == "began").count();
    assert_eq!((began, &record["trouble"]), (2, &Value::Null), "{record:#}");
    place.run(&["show", "a", "t0000", "--conversation"]).exits(2).says(&["t0000 is the baseline: nobody proposed it"]);
    place.run(&["show", "a", "p0099", "--conversation"]).exits(2).says(&["a has no proposal p0099; its last is p"]);
    place.run(&["stop", "a", "--now"]).exits(0);
}
