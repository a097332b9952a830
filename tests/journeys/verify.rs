//! `verify` on a study that is whole, and on one of which each part was really damaged.

use crate::support::{Place, Toy, wait_until};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const STARTS: &str =
    "    with open(os.environ[\"STARTS\"], \"a\") as starts:\n        starts.write(os.environ[\"TRIALDECK_TRIAL\"] + \"\\n\")\n";

/// A study that has ended.
fn ended(place: &Place, toy: &Toy, name: &str) -> PathBuf {
    toy.write(place, "toy");
    let out = place.run(&["run", "toy", "--auto", "--trials", "3", "--seed", "1", "--name", name]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    // It writes its caches when it leaves.
    wait_until("the engine to be gone", || place.engine(name).is_none().then_some(()));
    place.study(name)
}

fn toy(place: &Place) -> Toy {
    Toy::new(place).quick().train(STARTS, "")
}

/// Every file below a directory with its bytes.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let (mut left, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            match entry.file_type().unwrap() {
                t if t.is_dir() => left.push(entry.path()),
                t if t.is_file() => found.push((entry.path(), fs::read(entry.path()).unwrap())),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn overwrite(path: &Path, bytes: &[u8]) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Changes lines and makes sums and chain fit again, as a forger would.
fn forged(text: &str, change: impl Fn(&str) -> String) -> String {
    let (mut out, mut prev) = (String::new(), "0".repeat(64));
    for line in text.lines() {
        let line = change(line);
        let at = line.find("\"prev\":\"").unwrap() + 8;
        let body = format!("{}{prev}{}", &line[..at], &line[at + 64..line.rfind(",\"sum\"").unwrap()]);
        let whole = format!("{body},\"sum\":\"{}\"}}", &hex(&Sha256::digest(&body))[..16]);
        prev = hex(&Sha256::digest(&whole));
        out.push_str(&whole);
        out.push('\n');
    }
    out
}

/// What is done, to which file, its new bytes; then the look that finds it, where, and a word of the mend.
type Case<'a> = (&'a str, PathBuf, Vec<u8>, &'a str, &'a str, &'a str);

fn wrong<'a>(report: &'a Value, check: &str) -> &'a Vec<Value> {
    let check = report["checks"].as_array().unwrap().iter().find(|c| c["check"] == check).unwrap();
    check["wrong"].as_array().unwrap()
}

#[test]
fn a_study_that_is_whole_is_said_to_be_and_not_touched() {
    let place = Place::new();
    let dir = ended(&place, &toy(&place), "a");
    let before = files(&dir);
    let out = place.run(&["verify", "a"]).exits(0).says(&["a is what it says it is", "scores made again"]);
    let report = place.run(&["verify", "a", "--all", "--json"]).exits(0).json();
    assert_eq!(report["ok"], true);
    let scores = report["checks"][3]["scores"].as_array().unwrap();
    let shown = place.show("a");
    let runs: usize = shown["trials"].as_array().unwrap().iter().map(|t| t["runs"].as_array().unwrap().len()).sum();
    assert_eq!(scores.len(), runs, "{report:#}");
    assert!(scores.iter().all(|s| s["equal"] == true), "{report:#}");
    assert_eq!(report["checks"].as_array().unwrap().iter().map(|c| c["not_checked"].as_array().unwrap().len()).sum::<usize>(), 0);
    assert!(files(&dir) == before, "verify changed the study: {out:#?}");
    assert!(fs::read_dir(place.path("tmp")).unwrap().flatten().all(|e| !e.file_name().to_string_lossy().contains("verify")));
    // One that runs is looked at as well.
    place.run(&["run", "toy", "--detach", "--proposer", "researcher", "--name", "b"]).exits(0);
    place.shown("b", "a baseline", |v| v["baseline"]["score"].is_number());
    place.run(&["verify", "b"]).exits(0);
    place.run(&["stop", "b"]).exits(0);
    place.run(&["verify", "nobody"]).exits(2);
}

#[test]
fn each_part_that_was_damaged_is_named() {
    let place = Place::new();
    let dir = ended(&place, &toy(&place), "a");
    let journal = dir.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let shown = place.show("a");
    let (commit, tree) = (shown["trials"][1]["commit"].as_str().unwrap(), shown["trials"][1]["tree"].as_str().unwrap());
    let object = dir.join("repo.git/objects").join(&tree[..2]).join(&tree[2..]);
    let score = shown["trials"][0]["runs"][0]["score"].as_f64().unwrap();
    let scored = text.lines().position(|l| l.contains("\"run_scored\"")).unwrap();
    let line = format!("journal.jsonl line {}", scored + 1);
    let run = dir.join("trials/t0000/run-1");
    let reference = dir.join("repo.git/refs/trialdeck/trials/t0001");
    let baseline = shown["trials"][0]["commit"].as_str().unwrap();
    let mut bytes = fs::read(&object).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let altered = text.replacen("\"score\":0.", "\"score\":1.", 1);
    assert_ne!(altered, text);
    let lower = forged(&text, |l| {
        l.replace(&format!("\"score\":{score}"), "\"score\":0.001").replace(&format!("\"trial_score\":{score}"), "\"trial_score\":0.001")
    });
    assert_ne!(lower, text);
    let evaluation = fs::read_to_string(run.join("evaluation.json")).unwrap();
    let cases: Vec<Case<'_>> = vec![
        ("a byte of the journal", journal.clone(), altered.into_bytes(), "chain", &line, "restore"),
        ("an object", object.clone(), bytes, "store", "repo.git object", "restore"),
        ("a reference", reference, format!("{baseline}\n").into_bytes(), "store", "repo.git refs/trialdeck/trials/t0001", commit),
        (
            "the evaluator",
            dir.join("evaluator/tree/evaluate.py"),
            b"print(1)\n".to_vec(),
            "evaluator",
            "evaluator/tree/evaluate.py",
            "restore",
        ),
        ("its list", dir.join("evaluator/manifest.json"), b"{}\n".to_vec(), "evaluator", "evaluator/manifest.json", "restore"),
        (
            "an artifact",
            run.join("artifacts/pred.json"),
            b"{\"loss\": 0.0}".to_vec(),
            "scores",
            "t0000/run-1 artifacts/pred.json",
            "replay",
        ),
        ("its list", run.join("artifacts.json"), b"{\"files\":{}}\n".to_vec(), "scores", "t0000/run-1 artifacts.json", "replay"),
        (
            "the evaluation",
            run.join("evaluation.json"),
            evaluation.replace(&score.to_string(), "0.5").into_bytes(),
            "scores",
            "t0000/run-1 evaluation.json",
            "replay",
        ),
        ("the score, chain and all", journal, lower.into_bytes(), "scores", "t0000/run-1", "replay"),
    ];
    for (what, path, bytes, check, at, mend) in cases {
        let kept = fs::read(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions();
        for cache in ["study.snapshot.json", "head.json"] {
            let _ = fs::remove_file(dir.join(cache));
        }
        overwrite(&path, &bytes);
        let report = place.run(&["verify", "a", "--json"]).exits(1).json();
        let found = wrong(&report, check);
        assert!(found.iter().any(|f| f["place"].as_str().unwrap().starts_with(at)), "{what}: {report:#}");
        assert!(found.iter().any(|f| f["mend"].as_str().unwrap().contains(mend)), "{what}: {report:#}");
        let out = place.run(&["verify", "a"]).exits(1).says(&[at, check]);
        assert_eq!(
            out.out.lines().filter(|l| l.starts_with("wrong ")).count(),
            report["checks"].as_array().unwrap().iter().map(|c| c["wrong"].as_array().unwrap().len()).sum::<usize>()
        );
        if what.starts_with("the score") {
            assert!(found.iter().any(|f| f["what"].as_str().unwrap().contains("its artifacts give")), "{report:#}");
        }
        eprintln!("{what}: {}", out.out.lines().next().unwrap_or_default());
        overwrite(&path, &kept);
        fs::set_permissions(&path, mode).unwrap();
    }
    fs::remove_file(&object).unwrap();
    place.run(&["verify", "a"]).exits(1).says(&[tree, "not whole in the store"]);
}

#[test]
fn what_cannot_be_made_again_is_said_with_the_reason() {
    let place = Place::new();
    let dir = ended(&place, &toy(&place), "a");
    fs::remove_dir_all(dir.join("trials/t0000/run-1/artifacts")).unwrap();
    place.run(&["verify", "a"]).exits(0).says(&["not checked", "t0000/run-1: its artifacts are gone", "replay"]);
    // An evaluator with noise of its own proves nothing to the last digit.
    let noisy = "import json, os, random\nloss = json.load(open(os.path.join(os.environ[\"TRIALDECK_ARTIFACTS\"], \"pred.json\")))[\"loss\"]\nprint(json.dumps({\"loss\": loss + random.uniform(0, 1e-3)}))\n";
    let toy = toy(&place).evaluator(noisy).task("holdout = \"holdout_loss\"\n", "");
    ended(&place, &toy, "n");
    let out = place.run(&["verify", "n"]);
    assert!(out.out.contains("is not deterministic") || out.code == 1, "{out:#?}");
    // A self-reported score is read from the log again.
    let mut own = self::toy(&place).task("metric = \"loss\"", "metric = \"val_loss\"");
    let (start, end) = (own.task.find("[evaluator]").unwrap(), own.task.find("[live]").unwrap());
    own.task.replace_range(start..end, "[evaluator]\nfrom = \"stdout:val_loss\"\n\n");
    let dir = ended(&place, &own, "s");
    place.run(&["verify", "s"]).exits(0);
    let log = dir.join("trials/t0000/run-1/stdout.log");
    let text = fs::read_to_string(&log).unwrap();
    overwrite(&log, text.replace("val_loss: 0.", "val_loss: 1.").as_bytes());
    place.run(&["verify", "s"]).exits(1).says(&["t0000/run-1"]);
}
