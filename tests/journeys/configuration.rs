//! The user's configuration from end to end: written by doctor, used by run, and never in anyone's way when it is broken.

use crate::support::{Out, Place, Toy};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

fn file(place: &Place) -> PathBuf {
    place.path("home/.config/trialdeck/config.toml")
}

fn configured(text: &str) -> Place {
    let place = Place::new();
    Toy::new(&place).write(&place, "toy");
    fs::create_dir_all(file(&place).parent().unwrap()).unwrap();
    fs::write(file(&place), text.replace("@", &place.path("").to_string_lossy())).unwrap();
    place
}

/// The lines of `doctor --json`.
fn lines(out: &Out) -> Vec<Value> {
    out.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn line<'a>(lines: &'a [Value], key: &str, name: &str) -> &'a Value {
    lines.iter().find(|l| l[key] == name).unwrap_or_else(|| panic!("no {key} {name} in {lines:#?}"))
}

#[test]
fn doctor_writes_a_configuration_once_and_reads_it() {
    let place = Place::new();
    fs::remove_file(file(&place)).unwrap();
    place.run(&["doctor", "--init"]).exits(0).says(&[&file(&place).to_string_lossy()]);
    assert_eq!(fs::metadata(file(&place)).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(file(&place)).unwrap();
    place.run(&["doctor", "--init"]).exits(2).says(&["already", &file(&place).to_string_lossy()]);
    assert_eq!(fs::read(file(&place)).unwrap(), before);
    let out = place.run(&["doctor", "--json"]).exits(0);
    let all = lines(&out);
    assert_eq!(line(&all, "what", "file")["level"], "ok");
    assert_eq!(line(&all, "key", "run.policy")["origin"], "default");
}

#[test]
fn what_is_configured_is_used_and_its_origin_is_told() {
    let place = configured(
        "[studies]\ndir = \"@elsewhere\"\n[run]\npolicy = \"greedy\"\nproposer = \"random\"\nslots = 1\n[[model]]\nname = \"m\"\nbase_url = \"https://h.example/v1\"\nkey_env = \"M_KEY\"\n",
    );
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "a"]);
    assert!(place.path("elsewhere/a/journal.jsonl").is_file() && !place.study("a").exists());
    let shown = place.show("a");
    assert_eq!((&shown["policy"], &shown["proposers"]), (&json!("greedy"), &json!(["random"])));
    // The command line wins.
    let studies = place.path("state/trialdeck/studies").to_string_lossy().into_owned();
    place.run(&[
        "run",
        "toy",
        "--auto",
        "--trials",
        "1",
        "--name",
        "b",
        "--policy",
        "hillclimb",
        "--proposer",
        "tpe",
        "--studies",
        &studies,
    ]);
    let shown = place.run(&["show", "b", "--json", "--studies", &studies]).exits(0).json();
    assert_eq!((&shown["policy"], &shown["proposers"]), (&json!("hillclimb"), &json!(["tpe"])));
    let all = lines(&place.run(&["doctor", "toy", "--json", "--studies", &studies]).exits(0));
    let origin = |key: &str| (line(&all, "key", key)["origin"].clone(), line(&all, "key", key)["line"].clone());
    assert_eq!(origin("studies.dir"), (json!("command line"), json!(null)));
    assert_eq!(origin("run.policy"), (json!("file"), json!(4)));
    assert_eq!(origin("budget.wall"), (json!("task"), json!(16)));
    assert_eq!(origin("evaluator.wall").0, "task");
    assert_eq!(origin("ui.theme"), (json!("default"), json!(null)));
    assert_eq!(
        (&line(&all, "what", "m")["level"], &line(&all, "what", "m")["mend"]),
        (&json!("warn"), &json!("export M_KEY=… before `trialdeck run`"))
    );
    assert_eq!(line(&all, "what", "interpreter")["level"], "ok");
}

#[test]
fn agents_are_who_proposes_where_a_model_is_configured_unless_another_is_named() {
    let model = "[[model]]\nname = \"m\"\nbase_url = \"http://localhost:1/v1\"\n";
    let place = configured(model);
    place.run(&["run", "toy", "--detach", "--name", "a"]).exits(0);
    assert_eq!(place.show("a")["proposers"], json!(["agents"]));
    place.run(&["stop", "a", "--now"]).exits(0);
    let named = place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "b", "--proposer", "random"]);
    assert!(!named.err.contains("agents") && place.show("b")["proposers"] == json!(["random"]), "{named:#?}");
    fs::write(file(&place), format!("[run]\nproposer = \"tpe\"\n{model}")).unwrap();
    place.run(&["run", "toy", "--auto", "--trials", "1", "--name", "c"]);
    assert_eq!(place.show("c")["proposers"], json!(["tpe"]));
}

#[test]
fn a_broken_configuration_stops_run_and_nothing_else() {
    let place =
        configured("[run]\npolcy = \"greedy\"\n[[model]]\nname = \"m\"\nbase_url = \"https://h/v1\"\nkey = \"sk-0123456789abcdef\"\n");
    let broken = fs::read(file(&place)).unwrap();
    fs::remove_file(file(&place)).unwrap();
    place.run(&["run", "toy", "--detach", "--name", "a", "--proposer", "researcher", "--isolation", "none"]).exits(0);
    place.shown("a", "the baseline", |s| s["trials"][0]["status"] == "done");
    fs::write(file(&place), broken).unwrap();
    let refused =
        place.run(&["run", "toy", "--auto", "--name", "b"]).exits(2).says(&["did you mean `policy`?", "key_env", "nothing was started"]);
    assert!(!refused.err.contains("0123456789") && !place.study("b").exists(), "{}", refused.err);
    for words in [vec!["ls"], vec!["show", "a"], vec!["show", "a", "--json"], vec!["stop", "a"], vec!["attach", "a"]] {
        let out = place.run(&words);
        assert!(out.code == 0 || (words[0] == "attach" && out.code == 4), "{out:#?}");
        assert_eq!(out.err.matches("warning: ").count(), 1, "{out:#?}");
        assert!(out.err.contains("config.toml line 2: unknown key `polcy`") && !out.err.contains("0123456789"), "{out:#?}");
    }
    let out = place.run(&["doctor"]).exits(1).says(&["FAIL  file", "did you mean `policy`?"]);
    assert!(!out.out.contains("0123456789") && out.err.is_empty(), "{out:#?}");
}

#[test]
fn doctor_fits_its_terminal_and_shows_no_secret() {
    let place = configured("[[model]]\nname = \"m\"\nbase_url = \"https://h.example/v1\"\nkey_env = \"M_KEY\"\n");
    let mut command = place.command(&["doctor", "toy"]);
    command.env("M_KEY", "sk-not-for-anyone-0123456789");
    let out = place.start(command).end().exits(0);
    assert!(out.out.contains("key $M_KEY, set") && !out.out.contains("not-for-anyone"), "{}", out.out);
    for line in out.out.lines() {
        let words = line.split_whitespace().count();
        assert!(line.chars().count() <= 100 || words <= 4, "{line}");
    }
}
