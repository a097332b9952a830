//! Scores that need care: self-reported ones, several seeds a score, a seed without effect, an early target.

use crate::support::{Place, Toy};
use serde_json::{Value, json};

#[test]
fn a_self_reported_score_says_so_wherever_it_is_shown() {
    let place = Place::new();
    let mut toy = Toy::new(&place).task("metric = \"loss\"", "metric = \"val_loss\"");
    let start = toy.task.find("[evaluator]").unwrap();
    let end = toy.task.find("[live]").unwrap();
    toy.task.replace_range(start..end, "[evaluator]\nfrom = \"stdout:val_loss\"\n\n");
    toy.write(&place, "toy");
    let out = place.run(&["run", "toy", "--auto", "--trials", "4", "--seed", "2", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert_eq!(shown["score_source"], "self");
    for trial in shown["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "done") {
        let own: Vec<f64> = trial["runs"].as_array().unwrap().iter().map(|r| r["self_reported"].as_f64().unwrap()).collect();
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        assert!((trial["self_reported"].as_f64().unwrap() - mean).abs() < 1e-12, "{trial:#}");
        for run in trial["runs"].as_array().unwrap() {
            assert!(run["score"].is_number() && run["score"] == run["self_reported"], "{run:#}");
        }
    }
    let row = out.out.lines().rev().find(|l| l.starts_with("baseline")).unwrap();
    assert!(row.contains("self"), "{row}");
    for words in [vec!["show", "a"], vec!["tree", "a"], vec!["ls"]] {
        place.run(&words).exits(0).says(&["self"]);
    }
}

#[test]
fn several_seeds_make_one_score() {
    let place = Place::new();
    let run = "seed    = { env = \"SEED\" }";
    Toy::new(&place).quick().task(run, &format!("{run}\nseeds   = 3\naggregate = \"median\"")).write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--trials", "3", "--slots", "2", "--name", "a"]);
    let shown = place.show("a");
    let mut compared = 0;
    for trial in shown["trials"].as_array().unwrap().iter().filter(|t| t["status"] == "done" && t["id"] != "t0000") {
        let runs = trial["runs"].as_array().unwrap();
        assert_eq!(runs.len() % 3, 0, "{trial:#}");
        let mut scores: Vec<f64> = runs.iter().map(|r| r["score"].as_f64().unwrap()).collect();
        scores.sort_by(f64::total_cmp);
        let middle = scores.len() / 2;
        let median = if scores.len() % 2 == 1 { scores[middle] } else { f64::midpoint(scores[middle - 1], scores[middle]) };
        assert!((trial["score"].as_f64().unwrap() - median).abs() < 1e-12, "{trial:#}");
        let mut seeds: Vec<u64> = runs.iter().map(|r| r["seed"].as_u64().unwrap()).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), runs.len(), "each run has its own seed");
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[test]
fn a_seed_without_effect_leaves_the_noise_unknown_and_nothing_verified() {
    let place = Place::new();
    let toy = || Toy::new(&place).train("random.gauss(0, 0.004)", "0.0");
    toy().write(&place, "toy");
    let out = place.run(&["run", "toy", "--auto", "--trials", "4", "--seed", "1", "--name", "a"]).exits(3);
    let out = out.says(&["the seed has no effect", "min_effect"]);
    let shown = place.show("a");
    assert_eq!((&shown["baseline"]["noise"], &shown["baseline"]["sd"], &shown["best"]), (&json!("unknown"), &Value::Null, &Value::Null));
    let trials = shown["trials"].as_array().unwrap();
    assert!(trials.iter().any(|t| t["verdict"] == "undecided"), "{}", out.out);
    assert!(trials.iter().all(|t| t["verdict"] != "keep"));

    toy().task("goal   = \"minimize\"", "goal   = \"minimize\"\nmin_effect = 0.005").write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--trials", "4", "--seed", "1", "--name", "b"]).exits(0);
    let shown = place.show("b");
    assert_eq!((&shown["best"]["verified"], &shown["best"]["gain_interval"]), (&json!(false), &Value::Null));
    assert!(shown["best"]["gain"].as_f64().unwrap() >= 0.005);
}

#[test]
fn limits_of_time_and_the_target_end_a_study() {
    let place = Place::new();
    Toy::new(&place).task("goal   = \"minimize\"", "goal   = \"minimize\"\ntarget = 0.2").write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--seed", "1", "--name", "a"]).exits(0);
    let shown = place.show("a");
    assert_eq!((&shown["reason"], &shown["best"]["verified"]), (&json!("target"), &json!(true)));
    assert!(shown["best"]["score"].as_f64().unwrap() <= 0.2);
    Toy::new(&place).quick().write(&place, "toy");
    let out = place.run(&["run", "toy", "--auto", "--time", "2s", "--name", "b"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!(place.show("b")["reason"], "time");
    // No knobs to turn: the study says that there is nothing left to try.
    let mut toy = Toy::new(&place).quick();
    toy.train = toy.train.replace("LEARNING_RATE = 0.1\nMOMENTUM = 0.0\nWIDTH = 8\n", "LEARNING_RATE, MOMENTUM, WIDTH = [0.1, 0.0, 8]\n");
    toy.write(&place, "toy");
    place.run(&["run", "toy", "--auto", "--name", "c"]).exits(3).says(&["exhausted"]);
}
