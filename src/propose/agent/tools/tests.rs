use super::*;
use crate::model::Operator;
use crate::propose::invented::{self, Fake, scene};
use crate::propose::role;
use proptest::prelude::*;
use serde_json::{Value, json};

struct Bench {
    fake: Fake,
    role: Role,
    scene: Scene,
    desk: Desk,
}

impl Bench {
    fn new(role: &str, operator: Operator, parent: u32) -> Self {
        Self::on(invented::task(), role, operator, parent)
    }

    fn on(task: Task, name: &str, operator: Operator, parent: u32) -> Self {
        let role = role::embedded().into_iter().find(|r| r.name == name).unwrap();
        Self { fake: Fake::new(invented::busy(), task), role, scene: scene(operator, &[parent], name), desk: Desk::default() }
    }

    fn raw(&mut self, name: &str, arguments: &str) -> Outcome {
        let asked = ToolCall { id: "c1".into(), name: name.into(), arguments: arguments.into() };
        call(&self.fake, &self.role, &self.scene, &mut self.desk, &asked)
    }

    fn told(&mut self, name: &str, arguments: Value) -> (String, bool) {
        match self.raw(name, &arguments.to_string()) {
            Outcome::Told { text, failed } => (text, failed),
            other => panic!("{name} ended: {other:?}"),
        }
    }
}

#[test]
fn every_tool_that_is_offered_can_be_called() {
    let mut bench = Bench::on(invented::spaced(), "generalist", Operator::Improve, 2);
    let offered: Vec<&str> = specs(&bench.role, &bench.fake).iter().map(|s| s.name).collect();
    assert_eq!(offered, NAMES, "the generalist has all of them");
    for (name, arguments, want) in [
        ("brief", json!({}), "Make it better."),
        ("list_files", json!({"glob": "*.py"}), "train.py (114 bytes, you may edit it)"),
        ("list_files", json!({"glob": "lib/"}), "lib/notes.txt"),
        ("list_files", json!({"glob": "*.rs"}), "none of the 3 files"),
        ("read_file", json!({"file": "./train.py", "start_line": "3", "end": 4.0}), "    3| RATE = 0.03\n    4| EPOCHS = 2"),
        ("read_file", json!({"path": "lib/notes.txt"}), "x␛]0;t␇"),
        ("search_code", json!({"query": "rate\\s*="}), "    3: RATE = 0.03"),
        ("search_code", json!({"pattern": "step(row", "context": 0}), "    9:         step(row)"),
        ("tree", json!({}), "    - t0005 crashed"),
        ("trial", json!({"trial": "t4"}), "gate artifact_bytes: 4002056, missed"),
        ("diff", json!({"id": 2, "against": "baseline"}), "+RATE = 0.3"),
        ("log_tail", json!({"trial": "2", "stream": "stdout"}), "step 2 train_loss 1.9"),
        ("curves", json!({"trial": "t0001", "against": "t0002"}), "t0002/run-1 train_loss"),
        ("failure_card", json!({"trial": "t0006"}), "the run took 60.4 s of 60 s"),
        ("failure_card", json!({"trial": "t0007"}), "the live curve is for people"),
        ("failure_card", json!({"trial": "t0002"}), "has no failure"),
        ("knobs", json!({}), "RATE = 0.03 (train.py:3"),
        ("noise", json!({}), "sd 0.0037 (measured"),
        ("budget", json!({}), "of its trials: 6 of 40"),
        ("hardware", json!({}), "2 cores, 8 GiB"),
        ("cells", json!({}), "features.weighting: binary"),
        ("check_edit", json!({"cell": {"method": "adam"}}), "it applies, is in bounds"),
        ("check_edit", json!({"path": "train.py", "search": "RATE = 0.03", "replace": "RATE = 0.3"}), "nearest earlier trial"),
        ("preflight", json!({}), "passed in 0.2 s"),
    ] {
        let (text, failed) = bench.told(name, arguments.clone());
        assert!(text.contains(want) && !failed, "{name} {arguments}: {text}");
        assert!(text.len() <= LONGEST && !text.contains("0.777"), "{name}: {text}");
        assert!(text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{name}: {text:?}");
        assert_eq!(text.matches("</data>").count(), text.matches("<data of=").count(), "{name}: {text}");
    }
}

#[test]
fn what_cannot_be_done_is_said_with_the_way_out() {
    let mut bench = Bench::new("architecture", Operator::Improve, 2);
    for (name, arguments, want) in [
        ("read_files", "{}", "did you mean `read_file`?"),
        ("brief", "{}", "there is no tool `brief` for you"),
        ("read_file", "{}", "lack `path`. It takes {\"path\": string"),
        ("read_file", "[1]", "are a list, not an object"),
        ("read_file", "{\"path\": \"trian.py\"}", "did you mean train.py?"),
        ("read_file", "{\"path\": \"../../etc/passwd\"}", "there is no file"),
        ("read_file", "{\"path\": \"train.py\", \"start\": 99}", "has 10 lines; line 99 is beyond its end"),
        ("read_file", "{\"path\": \"train.py\", \"start\": 1e300}", "is beyond its end"),
        ("read_file", "{\"path\": \"train.py\", \"start\": 18446744073709551615, \"end\": 1e300}", "is beyond its end"),
        ("trial", "{\"trial\": \"t0099\"}", "trials go from t0000 to t0007"),
        ("trial", "{\"trial\": \"the best\"}", "name no trial in `trial`"),
        ("check_edit", "{}", "hold no change"),
        ("check_edit", "{\"edits\": [{\"path\": \"evaluate.py\", \"content\": \"x\"}]}", "out_of_bounds: evaluate.py is protected"),
        ("check_edit", "{\"edits\": [{\"path\": \"../x\", \"content\": \"x\"}]}", "out_of_bounds"),
        ("check_edit", "{\"edits\": [{\"path\": \"model.py\", \"content\": \"x = 1\"}]}", "model.py is not of your part of the recipe"),
        (
            "check_edit",
            "{\"edits\": [{\"path\": \"train.py\", \"search\": \"    return math.nan\", \"replace\": \"    return (\"}]}",
            "does not parse any more",
        ),
        ("submit", "{\"hypothesis\": \"better\", \"path\": \"train.py\", \"content\": \"x = 1\"}", "is one whole sentence"),
        ("curves", "{\"trial\": \"t0007\"}", "t0007 has not run yet"),
    ] {
        match bench.raw(name, arguments) {
            Outcome::Told { text, failed } => assert!(text.contains(want) && failed, "{name} {arguments}: {text}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_submit_is_refused_until_it_applies_and_then_quotes_the_file() {
    let mut bench = Bench::new("optimizer-and-schedule", Operator::Improve, 2);
    let edit = |search: &str| {
        json!({"hypothesis": "A rate of 0.3, for the loss still falls at the end; expect 0.02", "expected": "+0.02 nats",
               "falsified_by": "the loss rises early", "surface": "optimiser",
               "edits": [{"path": "train.py", "search": search, "replace": "RATE = 0.3"}]})
    };
    for n in 1..=3 {
        let (text, failed) = bench.told("submit", edit("LEARNING_RATE = 0.03\nEPOCHS = 2"));
        assert!(failed && text.contains("apply_failed"), "{text}");
        assert_eq!(text.contains("    3| RATE = 0.03"), n == 3, "try {n}: {text}");
    }
    match bench.raw("submit", &edit("RATE = 0.03").to_string()) {
        Outcome::Submitted { draft, checked } => {
            assert_eq!((draft.expected, draft.surface.as_deref()), (Some(0.02), Some("optimizer")));
            assert_eq!((draft.reasoning.as_str(), checked.tree.as_str()), ("It would be wrong if: the loss rises early", "new"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.raw("give_up", "{\"reason\": \"nothing\\nhonest\"}"), Outcome::GaveUp { why: "nothing honest".into() });
}

#[test]
fn an_edit_of_nothing_but_what_is_flagged_is_asked_back_once() {
    let mut bench = Bench::new("generalist", Operator::Improve, 2);
    let edit = json!({"hypothesis": "another seed only, which is no idea at all", "path": "train.py", "search": "RATE = 0.03", "replace": "RATE = 0.5"});
    let (text, failed) = bench.told("submit", edit.clone());
    assert!(failed && text.contains("holds nothing else"), "{text}");
    assert!(matches!(bench.raw("submit", &edit.to_string()), Outcome::Submitted { .. }), "a person may have wanted it");
}

#[test]
fn a_repetition_is_told_and_may_be_argued_once() {
    let mut bench = Bench::new("generalist", Operator::Improve, 2);
    let edit = |argue: Option<&str>| {
        let mut value = json!({"hypothesis": "A rate of 0.4 instead of 0.3, since it was lower", "path": "train.py", "search": "RATE = 0.03", "replace": "RATE = 0.4"});
        if let Some(argue) = argue {
            value["argue"] = json!(argue);
        }
        value
    };
    bench.fake.near = Some(TrialId(1));
    for argue in [Some("before it was told"), None] {
        let (text, failed) = bench.told("submit", edit(argue));
        assert!(failed && text.contains("NEARLY A REPETITION") && text.contains("- t0001 keep"), "{text}");
    }
    assert!(
        matches!(bench.raw("submit", &edit(Some("the decay is new")).to_string()), Outcome::Submitted { draft, .. } if draft.reasoning.contains("the decay is new"))
    );
    let (text, failed) = bench.told("submit", edit(Some("again")));
    assert!(failed && text.contains("argued once already"), "{text}");
    bench.fake.duplicate = Some("t0003, which gave 1.1532".into());
    let (text, failed) = bench.told("check_edit", edit(None));
    assert!(failed && text.contains("t0003, which gave 1.1532"), "{text}");
    (bench.fake.duplicate, bench.fake.near) = (None, None);
    let (text, _) = bench
        .told("check_edit", json!({"hypothesis": "another seed", "path": "train.py", "search": "RATE = 0.03", "replace": "RATE = 0.4"}));
    assert!(text.contains("A REVIEWER WILL BE TOLD that it changes the seed") && text.contains("you have not read train.py"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_arguments_break_a_tool(
        which in 0..NAMES.len(),
        arguments in "([{}\\[\\]\":,]|\"(path|trial|edits|patch|cell|pattern|glob|start|end|hypothesis)\":|null|-?[0-9]{1,20}|\"train.py\"|\"t0002\"|\\\\|\\PC{0,6}|\n){0,25}",
    ) {
        let mut bench = Bench::on(invented::spaced(), "generalist", Operator::Debug, 5);
        if let Outcome::Told { text, .. } = bench.raw(NAMES[which], &arguments) {
            prop_assert!(text.len() <= LONGEST);
            prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()), "{text:?}");
        }
    }

    #[test]
    fn valid_arguments_of_any_kind_break_no_tool(
        which in 0..NAMES.len(),
        key in "path|trial|edits|patch|cell|pattern|glob|start|end|depth|context|run|key|against|hypothesis",
        value in prop_oneof![Just(json!(null)), Just(json!([])), Just(json!({"a": {"b": [1]}})), any::<f64>().prop_map(|v| json!(v)), any::<i64>().prop_map(|v| json!(v)), "\\PC{0,12}".prop_map(|v| json!(v))],
    ) {
        let mut bench = Bench::on(invented::spaced(), "generalist", Operator::Improve, 2);
        let _ = bench.raw(NAMES[which], &json!({key: value, "path": "train.py", "trial": "t0002"}).to_string());
    }
}
