//! Bad input: task files, entry commands, names and studies directories that cannot work.

use crate::support::{Place, Toy};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_missing_or_broken_task_is_explained_where_it_stands() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.run(&["run", "empty", "--auto"]).exits(2).says(&["there is no task.toml in"]);
    place.run(&["run", "nothing", "--auto"]).exits(2).says(&["there is no task `nothing`", "quickstart"]);
    place.run(&["run", "quikstart", "--auto"]).exits(2).says(&["quickstart"]);

    Toy::new(&place)
        .task("metric = \"loss\"", "metrc = \"loss\"")
        .task("goal   = \"minimize\"", "goal = \"minimise\"")
        .write(&place, "toy");
    let out = place.run(&["run", "toy", "--auto"]).exits(2).says(&[
        "task.toml:3:1",
        "metrc = \"loss\"",
        "^^^^^",
        "did you mean `metric`?",
        "task.toml:4:8",
        "did you mean \"minimize\"?",
        "2 problems",
    ]);
    assert!(!out.err.contains("error: error:"), "{}", out.err);
    fs::write(place.path("toy/task.toml"), "[task\nname = 1").unwrap();
    place.run(&["run", "toy", "--auto"]).exits(2).says(&["task.toml:1:6"]);
    assert!(!place.path("state").exists(), "a study was begun for a task that cannot be");
}

#[test]
fn an_entry_command_that_does_not_exist_fails_the_baseline_with_its_evidence() {
    let place = Place::new();
    Toy::new(&place).task("python3 -u train.py", "no-such-program train.py").write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--trials", "3", "--name", "a"]).exits(1).says(&["failed (baseline", "no-such-program"]);
    let shown = place.show("a");
    assert_eq!((&shown["state"], &shown["reason"], &shown["best"]), (&json!("failed"), &json!("baseline"), &Value::Null));
    let runs = shown["trials"][0]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    let baseline = &shown["trials"][0];
    assert_eq!((&baseline["status"], &baseline["failure"]["label"]), (&json!("done"), &json!("crashed")), "{baseline:#}");
    assert!(baseline["times"]["finished"].is_string() && baseline["verdict"].is_null(), "{baseline:#}");
    let queued = |words: &[&str]| place.run(words).out.lines().any(|l| l.starts_with("t0000") && l.contains("queued"));
    assert!(!queued(&["show", "a"]) && !queued(&["tree", "a"]));
    for run in runs {
        assert_eq!((&run["failure"]["label"], &run["score"]), (&json!("crashed"), &Value::Null));
        assert!(run["failure"]["detail"].as_str().unwrap().contains("not found"), "{run:#}");
    }
    place.run(&["log", "a", "t0000", "--stderr"]).exits(0).says(&["not found"]);
    place.run(&["attach", "a"]).exits(1);
}

#[test]
fn a_name_in_use_is_gone_on_with_or_refused() {
    let place = Place::new();
    Toy::new(&place).quick().write(&place, "toy");
    Toy::new(&place).quick().task("name   = \"toy\"", "name   = \"other\"").write(&place, "other");
    let out = place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    place.run(&["run", "other", "--auto", "--trials", "1", "--name", "a"]).exits(2).says(&["another task", "--name", "resume a"]);
    // The same task goes on; options not given keep the study's.
    place.run(&["run", "toy", "--auto", "--name", "a"]).exits(2).says(&["--trials +"]);
    place.run(&["run", "toy", "--auto", "--trials", "2", "--name", "a"]);
    assert_eq!(place.show("a")["budget"]["trials_used"], 2);
    for name in ["../b", ".b", "b/c", "", "b c"] {
        place.run(&["run", "toy", "--auto", "--trials", "1", "--name", name]).exits(2).says(&["--name"]);
    }
    fs::create_dir(place.study("junk")).unwrap();
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "junk"]).exits(2).says(&["junk"]);
}

#[test]
fn a_studies_directory_that_cannot_be_is_named() {
    let place = Place::new();
    Toy::new(&place).write(&place, "toy");
    fs::write(place.path("file"), "").unwrap();
    for studies in ["file", "file/below"] {
        place.run(&["run", "toy", "--auto", "--trials", "1", "--studies", studies]).exits(2).says(&[
            "studies directory",
            studies,
            "--studies",
        ]);
    }
    place.run(&["ls", "--studies", "nowhere"]).exits(0);
    for (command, name) in [("ls", None), ("attach", None), ("show", Some("a")), ("resume", Some("a")), ("stop", Some("a"))] {
        let words: Vec<&str> = [command].into_iter().chain(name).chain(["--studies", "file"]).collect();
        place.run(&words).exits(2).says(&["studies directory", "file cannot be read", "no directory", "--studies"]);
    }
}

#[test]
fn a_machine_without_python_is_told_so() {
    let place = Place::new();
    let bin = place.path("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["sh", "git"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|d| d.join(program)).find(|p| p.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(program)).unwrap();
    }
    let mut command = place.command(&["run", "quickstart", "--auto", "--trials", "2", "--name", "a"]);
    command.env("PATH", &bin);
    let out = place.start(command).end().exits(2).says(&["python3", "not found"]);
    assert!(!place.study("a").exists(), "{out:#?}");
    let studies = place.path("state/trialdeck/studies");
    assert_eq!(fs::read_dir(studies).unwrap().count(), 0, "half a study was left behind");
}

#[test]
fn a_run_sees_no_key_of_the_shell() {
    let place = Place::new();
    let spy = "    with open(os.environ[\"STARTS\"] + \".env\", \"a\") as out:\n        out.write(json.dumps(dict(os.environ)) + \"\\n\")\n    loss = (LEARNING";
    Toy::new(&place).quick().train("    loss = (LEARNING", spy).write(&place, "toy");
    let mut command = place.command(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    command.env("OPENAI_API_KEY", "sk-secret").env("AWS_SECRET_ACCESS_KEY", "hidden-word").env("SSH_AUTH_SOCK", "/tmp/agent");
    let out = place.start(command).end();
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let seen = fs::read_to_string(place.path("starts.env")).unwrap();
    for secret in ["sk-secret", "hidden-word", "SSH_AUTH_SOCK", "XDG_"] {
        assert!(!seen.contains(secret), "{secret} reached a run: {seen}");
    }
    for line in seen.lines() {
        let env: Value = serde_json::from_str(line).unwrap();
        assert!(env["HOME"].as_str().unwrap().contains("/slot-"), "{env:#}");
        assert!(env["SEED"].is_string() && env["TRIALDECK_TRIAL"].is_string());
    }
}
