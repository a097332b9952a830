use super::{
    super::gates::{Bounds, Stage},
    *,
};
use crate::model::Millis;

fn status() -> Status {
    Status {
        pid: Some(7),
        pid_start: Some(8),
        boot_id: "b".into(),
        started: Some(Millis(1)),
        ended: Millis(2),
        seconds: 0.1,
        exit_code: Some(0),
        signal: None,
        failure: None,
        peak_memory_bytes: 1,
        file_bytes: 0,
        stdout_bytes: 0,
        stdout_dropped_bytes: 0,
        stderr_bytes: 0,
        stderr_dropped_bytes: 0,
    }
}

fn rules() -> Rules {
    Rules {
        metric: "mse".into(),
        holdout: Some("holdout_mse".into()),
        gates: Vec::new(),
        measured: Measured { run_seconds: 12.5, peak_memory_bytes: 1 << 30, artifact_bytes: 100 },
    }
}

#[test]
fn one_finite_score() {
    for text in [
        "{\"mse\": 0.25, \"mae\": 1, \"holdout_mse\": 0.5, \"note\": \"NaN {\"}",
        "\n\n  {\"mse\":0.25,\"mae\":1,\n\"holdout_mse\":0.5}\n\n",
        "\u{feff}{\"mse\": 2.5e-1, \"mae\": 1, \"holdout_mse\": 0.5, \"aux\": NaN, \"per_class\": [1, NaN]}",
    ] {
        let got = read(text.as_bytes(), &status(), &rules());
        let want =
            Evaluation { score: Some(0.25), metrics: BTreeMap::from([("mae".into(), 1.0)]), holdout: Some(0.5), ..Evaluation::default() };
        assert_eq!(got, want, "{text}");
    }
}

#[test]
fn everything_else_has_its_own_words() {
    for (text, want) in [
        ("", "the evaluator printed nothing on standard output"),
        (" \n\t\n", "the evaluator printed nothing on standard output"),
        ("{\"mse\": NaN}", "`mse` is NaN"),
        ("{\"mse\": -Infinity}", "`mse` is -Infinity"),
        ("{\"mse\": 1e999}", "the evaluator's JSON object is broken: number out of range at line 1 column 13"),
        ("{\"mse\": 1, \"mse\": 0}", "the evaluator's JSON object has `mse` twice"),
        ("{\"mse\": 1, \"a\": 1, \"\\u0061\": 0}", "the evaluator's JSON object has `a` twice"),
        ("{\"mse\": 1e308}", "`mse` is 1e308: too large to be compared with anything"),
        ("{\"mse\": null}", "`mse` is null, not a number"),
        ("{\"mse\": \"0.25\"}", "`mse` is a text, not a number"),
        ("{\"mse\": true}", "`mse` is a boolean, not a number"),
        ("{\"mae\": 1, \"holdout_mse\": 3}", "the evaluator's JSON has no `mse`; it has: mae"),
        ("{\"mse\": 1}\n{\"mse\": 2}", "the evaluator printed two JSON objects; one is expected"),
        ("{\"mse\": 1}{\"mse\": 2}", "the evaluator printed two JSON objects; one is expected"),
        ("{\"mse\": 1}\ndone", "the evaluator printed more than its JSON object: `done`; logs belong on standard error"),
        ("loading\n{\"mse\": 1}", "the evaluator printed text before its JSON object: `loading`; logs belong on standard error"),
        ("12 rows\n{\"mse\": 1}", "the evaluator printed `## rows`, not one JSON object; logs belong on standard error"),
        ("0.25", "the evaluator printed a bare number, not a JSON object"),
        ("[1]", "the evaluator printed a list, not a JSON object"),
        ("NaN", "the evaluator printed NaN, not a JSON object"),
        ("mse = \u{1b}[31m1", "the evaluator printed `mse = #…`, not one JSON object"),
        ("{\"mse\": 1", "the evaluator's JSON object ends too early"),
        ("{mse: 1}", "the evaluator's JSON object is broken: key must be a string at line 1 column 2"),
    ] {
        let got = read(text.as_bytes(), &status(), &rules());
        assert_eq!(got, Evaluation::failed(Failure::new(Label::InvalidScore, want)), "{text:?}");
    }
    let open = Rules { holdout: None, ..rules() };
    for (rules, want) in [(rules(), "`holdout_mse #.####`"), (open, "`holdout_mse 0.7771`")] {
        let got = read(b"holdout_mse 0.7771\n{\"mse\": 1}", &status(), &rules).failure.unwrap().detail;
        assert!(got.contains(want) && got.contains("text before its JSON object"), "{got}");
    }
    let got = read(b"\xff\xfe{}", &status(), &rules());
    assert!(got.failure.unwrap().detail.starts_with("the evaluator printed bytes that are not text"));
    let got = read(b"{}", &Status { stdout_bytes: 5 << 20, ..status() }, &rules());
    assert_eq!(got.failure.unwrap().detail, "the evaluator printed 5242880 bytes; one JSON object is expected");
}

#[test]
fn an_evaluator_that_did_not_end_well() {
    for (label, detail, want) in [
        (Label::TimedOut, "over 60 s", Failure::new(Label::EvalTimedOut, "over 60 s")),
        (Label::Crashed, "ValueError: x (exit code 1)", Failure::new(Label::EvalFailed, "ValueError: x (exit code 1)")),
        (Label::OutOfMemory, "MemoryError", Failure::new(Label::EvalFailed, "out of memory: MemoryError")),
        (Label::GateFailed, "output_bytes: …", Failure::new(Label::EvalFailed, "output_bytes: …")),
        (Label::Killed, "by a person", Failure::new(Label::Killed, "by a person")),
        (Label::LostSupervisor, "gone", Failure::new(Label::LostSupervisor, "gone")),
    ] {
        let ended = Status { failure: Some(Failure::new(label, detail)), ..status() };
        assert_eq!(read(b"{\"mse\": 1}", &ended, &rules()), Evaluation::failed(want));
    }
}

#[test]
fn gates_and_the_harness_own_numbers() {
    let gate = |key: &str, max| Gate { key: key.into(), bounds: Bounds { min: None, max: Some(max) }, stage: Stage::Final };
    let gates = vec![gate("artifact_bytes", 99.0), gate("run_seconds", 20.0), gate("acc", 1.0)];
    let gated = Rules { gates, ..rules() };
    let got = read(b"{\"mse\": 1, \"acc\": 0.5, \"artifact_bytes\": 1, \"run_seconds\": 1}", &status(), &gated);
    assert_eq!(got.failure, Some(Failure::new(Label::GateFailed, "artifact_bytes is 100, over 99")));
    assert_eq!(got.score, None, "a failed run has no score");
    assert_eq!(
        got.gates.iter().map(|g| (g.key.as_str(), g.value, g.ok)).collect::<Vec<_>>(),
        [("artifact_bytes", Some(100.0), false), ("run_seconds", Some(12.5), true), ("acc", Some(0.5), true)]
    );
    let got = read(b"{\"mse\": 1, \"acc\": Infinity}", &status(), &gated);
    assert_eq!(got.failure, Some(Failure::new(Label::InvalidScore, "`acc`, the key of a gate, is Infinity")));
    let seconds = Rules { metric: "run_seconds".into(), ..rules() };
    assert_eq!(read(b"{\"run_seconds\": 0.001}", &status(), &seconds).score, Some(12.5));
    assert_eq!(read(b"{}", &status(), &seconds).score, Some(12.5));
}

#[test]
fn what_was_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Evaluation::load(dir.path()), None);
    let saved = read(b"{\"mse\": 0.1, \"holdout_mse\": 0.5}", &status(), &rules());
    saved.save(dir.path()).unwrap();
    assert_eq!(Evaluation::load(dir.path()), Some(saved));
    std::fs::write(dir.path().join("evaluation.json"), b"").unwrap();
    assert_eq!(Evaluation::load(dir.path()), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_score_or_a_reason(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let got = read(&bytes, &status(), &rules());
        proptest::prop_assert_ne!(got.score.is_some(), got.failure.is_some());
        proptest::prop_assert!(got.failure.is_none_or(|f| f.detail.len() < 1000 && !f.detail.contains(char::is_control)));
    }

    #[test]
    fn any_almost_json_gives_a_score_or_a_reason(text in "[{}\"\\\\mse:NaInfity0-9eE., \u{e9}-]{0,60}") {
        let got = read(text.as_bytes(), &status(), &rules());
        proptest::prop_assert_ne!(got.score.is_some(), got.failure.is_some());
    }

    #[test]
    fn every_score_that_can_be_compared_survives(score in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
        let text = serde_json::json!({ "mse": score }).to_string();
        let comparable = Some(score).filter(|s| s.abs() <= 1e150);
        proptest::prop_assert_eq!(read(text.as_bytes(), &status(), &rules()).score, comparable);
    }
}
