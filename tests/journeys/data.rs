//! Large data stay where they are: a link in the working directory, no edit, no copy, and the original survives everything.

use crate::support::{Place, Toy};
use serde_json::json;
use std::{fs, path::PathBuf};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A git repository whose data are ignored, and a training script that reads them and does its worst to the links.
fn toy(place: &Place, data: &str) -> PathBuf {
    let train = "def main():\n    assert open(\"dataset/big/wind.csv\").read() == \"abc\"\n    os.remove(\"dataset/one.csv\")\n    os.remove(\"dataset/big\")\n    os.makedirs(\"dataset/big\")\n    open(\"dataset/big/wind.csv\", \"w\").write(\"fake\")\n";
    let dir = Toy::new(place)
        .quick()
        .train("def main():\n", train)
        .task("editable = [\"train.py\"]", "editable = [\"**\"]")
        .task("[run]", &format!("{data}\n[run]"))
        .task("files   = [\"evaluate.py\"]", "files   = [\"evaluate.py\", \"truth.json\"]")
        .write(place, "toy");
    for (path, text) in [
        ("dataset/big/wind.csv", "abc"),
        ("dataset/one.csv", "1"),
        ("dataset/secret.csv", "s"),
        ("dataset/README", "x"),
        ("truth.json", "{}"),
    ] {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), text).unwrap();
    }
    fs::write(dir.join(".gitignore"), "dataset/*\n!dataset/README\n").unwrap();
    place.git(&dir, &["init", "-q"]);
    place.git(&dir, &["add", "."]);
    place.git(&dir, &["commit", "-qm", "first"]);
    dir
}

#[test]
fn a_run_sees_them_in_place_and_cannot_lose_them() {
    let place = Place::new();
    let data = format!(
        "[[data]]\npath = \"dataset\"\n[[data]]\npath = \"dataset/big/wind.csv\"\nsha256 = \"{ABC}\"\n[[data]]\npath = \"dataset/secret.csv\"\nhidden = true\n"
    );
    let dir = toy(&place, &data);
    place.run(&["doctor", "toy"]).says(&["dataset/secret.csv: for the evaluator alone", "a link in the working directory"]);
    let out = place.run(&["run", "toy", "--auto", "--trials", "2", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let out = out.says(&["data granted to runs, where they lie: dataset"]);
    assert!(!out.out.contains("crashed"), "{out:#?}");
    for (path, text) in [("dataset/big/wind.csv", "abc"), ("dataset/one.csv", "1"), ("dataset/secret.csv", "s"), ("dataset/README", "x")] {
        assert_eq!(fs::read_to_string(dir.join(path)).unwrap(), text, "{path}");
    }
    let slot = place.study("a").join("work/slot-0/dataset");
    assert!(slot.join("README").is_file() && !slot.join("secret.csv").exists());
    assert_eq!(fs::read_to_string(place.study("a").join("evaluator/tree/dataset/secret.csv")).unwrap(), "s");
    // An edit of granted data is refused before anything runs.
    place.run(&["resume", "a", "--detach", "--trials", "+5"]).exits(0);
    let edited = place.path("edited");
    fs::create_dir_all(edited.join("dataset")).unwrap();
    fs::copy(dir.join("train.py"), edited.join("train.py")).unwrap();
    let patch =
        "--- a/dataset/README\n+++ b/dataset/README\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n";
    fs::write(place.path("edit.diff"), patch).unwrap();
    let out = place.run(&["propose", "a", "--patch", "edit.diff", "-m", "x", "--parent", "t0000", "--wait", "--json"]).exits(1).json();
    assert_eq!((&out["status"], &out["failure"]["label"]), (&json!("rejected"), &json!("out_of_bounds")), "{out:#}");
    place.run(&["stop", "a", "--now"]).exits(0);
}

#[test]
fn missing_or_wrong_data_are_said_before_a_study_is_made() {
    let place = Place::new();
    for (data, words) in [
        ("[[data]]\npath = \"dataset/gone.csv\"\n", vec!["data dataset/gone.csv is missing", "[[data]]"]),
        ("[[data]]\npath = \"dataset/gone.csv\"\nhidden = true\n", vec!["data dataset/gone.csv is missing"]),
        (&format!("[[data]]\npath = \"dataset/one.csv\"\nsha256 = \"{ABC}\"\n"), vec!["is not what the task expects", ABC]),
    ] {
        let dir = toy(&place, data);
        place.run(&["run", "toy", "--auto", "--name", "a"]).exits(2).says(&words);
        assert!(!place.study("a").exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
