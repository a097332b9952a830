//! The digits by themselves: their environment, their data, a run and its score. Skips, saying so, where pip finds no index.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use trialdeck::task::embedded;

fn python(python: &Path, dir: &Path, script: &str, seed: u32) -> Output {
    Command::new(python)
        .args([script])
        .current_dir(dir)
        .env("SEED", seed.to_string())
        .env("OMP_NUM_THREADS", "1")
        .env("TRIALDECK_ARTIFACTS", dir)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap()
}

/// The environment, as the task's own command builds it; none where that cannot be done here.
fn environment(dir: &Path) -> Option<PathBuf> {
    let task = trialdeck::task::parse(embedded::text("digits").unwrap(), "digits").unwrap().task;
    let setup = dir.join("setup");
    let out = Command::new("/bin/sh")
        .args(["-c", &task.setup.unwrap().command])
        .env("SETUP", &setup)
        .env("PIP_RETRIES", "0")
        .env("PIP_DEFAULT_TIMEOUT", "20")
        .env("PIP_CACHE_DIR", dir.join("pip"))
        .current_dir(dir)
        .output()
        .unwrap();
    if !out.status.success() {
        println!("skipped: the environment cannot be built here: {}", String::from_utf8_lossy(&out.stderr));
        return None;
    }
    Some(setup.join("bin/python"))
}

#[test]
fn prepared_trained_and_scored() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    embedded::unpack("digits", dir).unwrap();
    let Some(interpreter) = environment(dir) else { return };
    let run = |script: &str, seed: u32| python(&interpreter, dir, script, seed);
    let good = |script: &str, seed: u32| {
        let out = run(script, seed);
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    good("prepare.py", 0);
    good("check.py", 0);
    let score = |seed: u32| -> serde_json::Value {
        good("train.py", seed);
        serde_json::from_slice(&good("evaluate.py", seed)).unwrap()
    };
    let first = score(1);
    let loss = first["val_loss"].as_f64().unwrap();
    assert!(loss < 2.2 && loss > 0.8, "better than guessing, and poor: {first}");
    assert_eq!(score(1), first, "the same seed gives the same score");
    assert_ne!(score(2), first, "the seed has an effect");

    let table = fs::read_to_string(dir.join("logs/metrics.csv")).unwrap();
    assert!(table.starts_with("step,epoch,train_loss,dev_loss") && table.lines().count() >= 10, "{table}");
    let events = fs::read_dir(dir.join("runs")).unwrap().flatten().next().unwrap();
    assert!(events.file_name().to_string_lossy().starts_with("events.out.tfevents."));
    let bytes = fs::read(events.path()).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert!(length < 100 && bytes[12..].windows(13).any(|w| w == b"brain.Event:2"));

    // A recipe that reaches for the library's labels is stopped before it runs.
    let recipe = fs::read_to_string(dir.join("train.py")).unwrap();
    fs::write(dir.join("train.py"), format!("from sklearn.datasets import load_digits\n{recipe}")).unwrap();
    let out = run("check.py", 0);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("line 1"), "{out:?}");

    let answers = [
        ("nothing", "open('predictions.npy', 'w').close()"),
        ("a pickle", "np.save('predictions.npy', np.array([print], dtype=object), allow_pickle=True)"),
        ("too few", "np.save('predictions.npy', np.full((3, 10), 0.1))"),
        ("NaN", "np.save('predictions.npy', np.full((1000, 10), np.nan))"),
        ("no shares", "np.save('predictions.npy', np.full((1000, 10), 0.5))"),
    ];
    for (what, code) in answers {
        fs::write(dir.join("bad.py"), format!("import numpy as np\n{code}\n")).unwrap();
        good("bad.py", 0);
        let out = run("evaluate.py", 0);
        assert!(!out.status.success() && out.stdout.is_empty(), "{what}: {out:?}");
        assert!(String::from_utf8_lossy(&out.stderr).starts_with("evaluate.py: "), "{what}: {out:?}");
    }
}
