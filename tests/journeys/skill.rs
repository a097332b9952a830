//! A coding agent that knows `docs/agent-skill.md` and nothing else ends with a kept trial.
//!
//! The agent here is a script: it takes the fenced lines out of the document, puts names in for the words in capitals, and
//! runs every one of them by a shell. So each command line that the document teaches is one that works.

use crate::support::{Out, Place, Toy, trial, wait_until};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The states of a trial that pass.
const OPEN: &[&str] = &["proposed", "waiting", "queued", "running", "evaluating"];
/// The closed set of failures.
const LABELS: &[&str] = &[
    "apply_failed",
    "out_of_bounds",
    "duplicate",
    "preflight_failed",
    "crashed",
    "out_of_memory",
    "diverged",
    "stalled",
    "timed_out",
    "eval_failed",
    "eval_timed_out",
    "gate_failed",
    "invalid_score",
    "tampered",
    "stopped_early",
    "killed",
    "lost_supervisor",
    "infrastructure",
];

/// What the agent has read, and what it calls things.
struct Agent {
    place: Place,
    blocks: Vec<Vec<String>>,
    names: BTreeMap<&'static str, String>,
    ran: BTreeSet<String>,
}

fn skill() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agent-skill.md")).unwrap()
}

/// The fenced shell lines, block by block.
fn blocks(text: &str) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```sh" => {
                inside = true;
                blocks.push(Vec::new());
            }
            "```" => inside = false,
            line if inside && !line.trim().is_empty() => blocks.last_mut().unwrap().push(line.to_owned()),
            _ => {}
        }
    }
    blocks
}

impl Agent {
    fn new() -> Self {
        let place = Place::new();
        let mut toy = Toy::new(&place);
        toy.evaluate += "print(\"scored\", file=__import__(\"sys\").stderr)\n";
        toy.write(&place, "toy");
        let names = [("TASK", "toy"), ("NAME", "mine"), ("TRIAL", "t0001"), ("HYPOTHESIS", "momentum carries it on")];
        let names = names.map(|(word, name)| (word, name.to_owned())).into();
        Self { place, blocks: blocks(&skill()), names, ran: BTreeSet::new() }
    }

    /// Runs a line of the document as a shell would: the one that reads or begins like this.
    #[track_caller]
    fn does(&mut self, wanted: &str) -> Out {
        let all: Vec<&String> = self.blocks.iter().flatten().collect();
        let exact: Vec<_> = all.iter().filter(|l| l.as_str() == wanted).collect();
        let lines = if exact.is_empty() { all.iter().filter(|l| l.starts_with(wanted)).collect() } else { exact };
        assert_eq!(lines.len(), 1, "the document has {} lines `{wanted}`", lines.len());
        let line = lines[0].to_string();
        let command = self.names.iter().fold(line.clone(), |line, (word, name)| line.replace(word, name));
        self.ran.insert(line);
        let binary = Path::new(env!("CARGO_BIN_EXE_trialdeck")).parent().unwrap();
        let path = std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        let mut shell = self.place.program("sh", &["-c", &command]);
        shell.env("PATH", path.unwrap());
        self.place.start(shell).end()
    }

    /// Asks for the trial until it is decided, as the document says.
    fn decided(&mut self) -> Value {
        wait_until("a verdict", || {
            let trial = self.does("trialdeck show NAME TRIAL --json").exits(0).json();
            (!OPEN.contains(&trial["status"].as_str().unwrap())).then_some(trial)
        })
    }

    fn calls(&mut self, word: &'static str, name: &str) {
        self.names.insert(word, name.to_owned());
    }

    fn edits(&self, old: &str, new: &str) {
        let file = self.place.path("edit-1/train.py");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(file, text.replace(old, new)).unwrap();
    }
}

#[test]
fn an_agent_works_through_the_document_and_ends_with_a_kept_trial() {
    let mut agent = Agent::new();
    // Start, look, get the code.
    agent.does("trialdeck run ").exits(0);
    let begun = agent.does("trialdeck show NAME --json").exits(0).json();
    assert_eq!((&begun["metric"], &begun["goal"]), (&json!("loss"), &json!("minimize")));
    agent.does("trialdeck export NAME incumbent ").exits(0);
    // A first edit, waited for.
    agent.edits("MOMENTUM = 0.0", "MOMENTUM = 0.8");
    let kept = agent.does("trialdeck propose NAME --from ").exits(0).json();
    assert_eq!((&kept["id"], &kept["verdict"]), (&json!("t0001"), &json!("keep")));
    assert_eq!(kept["hypothesis"], "momentum carries it on");
    agent.does("trialdeck diff ").exits(0).says(&["+MOMENTUM = 0.8"]);
    // A second one by a patch, not waited for, that crashes: label and log say how.
    let patch = "--- a/train.py\n+++ b/train.py\n@@ -6,3 +6,3 @@\n LEARNING_RATE = 0.1\n MOMENTUM = 0.8\n-WIDTH = 8\n+WIDTH = 0\n";
    fs::write(agent.place.path("fix.diff"), patch).unwrap();
    agent.calls("HYPOTHESIS", "no width at all");
    assert_eq!(agent.does("trialdeck propose NAME --patch ").exits(0).json()["id"], "t0002");
    agent.calls("TRIAL", "t0002");
    let crashed = agent.decided();
    assert_eq!((&crashed["failure"]["label"], &crashed["score"]), (&json!("crashed"), &json!(null)));
    agent.does("trialdeck log NAME TRIAL --stderr").exits(0).says(&["ZeroDivisionError"]);
    // A third one runs too long, and is ended.
    let patch = "--- a/train.py\n+++ b/train.py\n@@ -8,2 +8,2 @@\n WIDTH = 8\n-PAUSE = 0.0\n+PAUSE = 30.0\n";
    fs::write(agent.place.path("fix.diff"), patch).unwrap();
    agent.does("trialdeck propose NAME --patch ").exits(0);
    agent.calls("TRIAL", "t0003");
    wait_until("its run", || agent.place.starts().contains(&"t0003/run-1".to_owned()).then_some(()));
    agent.does("trialdeck ctl NAME kill ").exits(0);
    assert_eq!(agent.decided()["failure"]["label"], "killed");
    // The rest, on the kept trial.
    agent.calls("TRIAL", "t0001");
    agent.does("trialdeck log NAME TRIAL --evaluator").exits(0).says(&["scored"]);
    agent.does("trialdeck ctl NAME replicate ").exits(0);
    agent.place.shown("mine", "the replicate", |s| {
        trial(s, "t0001")["runs"].as_array().unwrap().iter().filter(|r| r["score"].is_number()).count() == 3
    });
    agent.does("trialdeck stop ").exits(0);
    agent.place.shown("mine", "the end", |s| s["state"] == "finished" && s["best"]["trial"] == "t0001");
    agent.does("trialdeck show NAME").exits(0).says(&["best", "t0001", "gain"]);
    agent.does("trialdeck export NAME best --patch").exits(0).says(&["+MOMENTUM = 0.8"]);
    wait_until("the engine to leave", || agent.place.engine("mine").is_none().then_some(()));
    agent.does("trialdeck resume ").exits(0);
    agent.does("trialdeck stop ").exits(0);
    let all: BTreeSet<String> = agent.blocks.iter().flatten().cloned().collect();
    assert_eq!(agent.ran, all, "every line of the document was run");
}

/// What the document says in words is true as well.
#[test]
fn the_words_of_the_document_are_those_of_the_program() {
    let text = skill();
    assert!(text.starts_with("---\nname: trialdeck\ndescription: "), "the head that agents read");
    let flat = text.replace('\n', " ");
    let quoted: BTreeSet<&str> = flat.split('`').skip(1).step_by(2).flat_map(|q| q.split(", ")).collect();
    for label in LABELS.iter().chain(OPEN) {
        assert!(quoted.contains(label), "`{label}` is not in the document");
    }
    for label in LABELS {
        serde_json::from_value::<trialdeck::model::Label>(json!(label)).unwrap_or_else(|e| panic!("{label}: {e}"));
    }
    for status in OPEN {
        serde_json::from_value::<trialdeck::model::Status>(json!(status)).unwrap_or_else(|e| panic!("{status}: {e}"));
    }
}
