//! The quickstart by itself: its data, its runs and its evaluator with the Python of this machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};
use trialdeck::task::embedded;

fn python(dir: &Path, script: &str, seed: u32) -> Output {
    Command::new("python3")
        .arg(script)
        .current_dir(dir)
        .env("SEED", seed.to_string())
        .env("TRIALDECK_ARTIFACTS", dir)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap()
}

fn score(dir: &Path, seed: u32) -> serde_json::Value {
    let run = python(dir, "train.py", seed);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let evaluation = python(dir, "evaluate.py", seed);
    assert!(evaluation.status.success(), "{}", String::from_utf8_lossy(&evaluation.stderr));
    serde_json::from_slice(&evaluation.stdout).unwrap()
}

#[test]
fn prepared_trained_and_scored() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3 here");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    embedded::unpack("quickstart", dir).unwrap();
    let prepared = python(dir, "prepare.py", 0);
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));

    // What a run may read has neither the labels of the test examples nor words of the library.
    let test = fs::read_to_string(dir.join("public/test.jsonl")).unwrap();
    assert!(test.lines().count() > 1_000 && !test.contains("label") && !test.contains("import"));

    let first = score(dir, 1);
    for key in ["val_loss", "val_accuracy", "holdout_loss"] {
        assert!(first[key].as_f64().is_some_and(f64::is_finite), "{first}");
    }
    assert!(first["val_loss"].as_f64().unwrap() < 2.55, "better than guessing: {first}");
    assert_eq!(score(dir, 1), first, "the same seed gives the same score");
    assert_ne!(score(dir, 2), first, "the seed has an effect");

    let metrics = fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    for line in metrics.lines() {
        let point: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(point["step"].is_u64() && point["dev_loss"].is_f64() && point["train_loss"].is_f64(), "{line}");
    }
    assert!(metrics.lines().count() >= 10);

    let good = fs::read_to_string(dir.join("predictions.jsonl")).unwrap();
    let (first_line, rest) = good.split_once('\n').unwrap();
    for (what, bad) in [
        ("nothing", String::new()),
        ("rubbish", "rubbish\n".to_owned()),
        ("one missing", rest.to_owned()),
        ("one twice", format!("{first_line}\n{good}")),
        ("an unknown id", format!("{{\"id\": 99999999, \"probabilities\": [1]}}\n{good}")),
        ("too few classes", format!("{{\"id\": 0, \"probabilities\": [1.0]}}\n{rest}")),
        ("NaN", good.replacen("0.", "NaN, 0.", 1)),
    ] {
        fs::write(dir.join("predictions.jsonl"), bad).unwrap();
        let evaluation = python(dir, "evaluate.py", 0);
        assert!(!evaluation.status.success() && evaluation.stdout.is_empty(), "{what}: {evaluation:?}");
        assert!(String::from_utf8_lossy(&evaluation.stderr).starts_with("evaluate.py: "), "{what}: {evaluation:?}");
    }
}
