//! Knobs outside Python: a shell script, a YAML file and a TOML file are listed, turned, and the run sees the new values.

use crate::support::{Place, Toy, trial};
use std::fs;

const TRAIN: &str = r#"import argparse
import json
import os
import random
import re

parser = argparse.ArgumentParser()
parser.add_argument("--momentum", type=float, default=0.1)
args = parser.parse_args()
lr = float(re.search(r"lr: ([^\s}]+)", open("conf/opt.yaml").read()).group(1))
width = int(re.search(r"hidden_dim = (\d+)", open("model.toml").read()).group(1))
random.seed(int(os.environ["SEED"]))
print(f"seen lr={lr} momentum={args.momentum} hidden_dim={width}")
loss = (lr - 0.3) ** 2 + 0.2 * (0.8 - args.momentum) ** 2 + 1 / width + random.gauss(0, 0.004)
json.dump({"loss": loss}, open("pred.json", "w"))
"#;

const SCRIPT: &str = "#!/bin/sh\n# trains\nexec python3 -u train.py \\\n    --momentum 0.5   # not tuned yet\n";
const OPT: &str = "# settings\nopt: {lr: 0.1}  # tune me\nseed: 3\n";
const NET: &str = "[net]\r\nhidden_dim = 16  # of the one layer\r\n";

fn files(place: &Place, name: &str, knob: &str) {
    let mut toy = Toy::new(place).quick();
    toy.train = TRAIN.to_owned();
    toy = toy.task("python3 -u train.py", "sh run.sh").task("editable = [\"train.py\"]", "editable = [\"**\"]");
    let start = toy.task.find("[[knob]]").unwrap();
    toy.task.replace_range(start.., knob);
    let dir = toy.write(place, name);
    fs::create_dir(dir.join("conf")).unwrap();
    for (path, text) in [("run.sh", SCRIPT), ("conf/opt.yaml", OPT), ("model.toml", NET)] {
        fs::write(dir.join(path), text).unwrap();
    }
}

#[test]
fn knobs_in_yaml_shell_and_toml_are_listed_turned_and_seen_by_the_run() {
    let place = Place::new();
    files(&place, "all", "");
    let listed = place.run(&["knobs", "all", "--json"]).exits(0);
    let rows: Vec<serde_json::Value> = listed.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let places: Vec<(&str, &str)> = rows.iter().map(|r| (r["name"].as_str().unwrap(), r["path"].as_str().unwrap())).collect();
    assert_eq!(places, [("opt.lr", "conf/opt.yaml"), ("net.hidden_dim", "model.toml"), ("momentum", "run.sh")]);
    place.run(&["knobs", "all", "--all"]).exits(0).says(&["run.sh:4 sets it", "exclude = true", "held fixed"]);
    // Without a task.toml the directory is enough, and nothing of it is lost.
    fs::remove_file(place.path("all/task.toml")).unwrap();
    place.run(&["knobs", "all", "--cmd", "sh run.sh"]).exits(0).says(&["opt.lr", "momentum", "hidden_dim"]);

    for (study, knob, file, kind) in [
        ("yaml", "opt.lr", "conf/opt.yaml", "type = \"float\"\nrange = [0.01, 1.0]\nlog = true"),
        ("shell", "momentum", "run.sh", "type = \"float\"\nrange = [0.0, 0.99]"),
        ("toml", "net.hidden_dim", "model.toml", "type = \"int\"\nrange = [4, 64]"),
    ] {
        files(&place, study, &format!("[[knob]]\nname = \"{knob}\"\n{kind}\n"));
        let out = place.run(&["run", study, "--auto", "--trials", "2", "--slots", "1", "--name", study, "--seed", "4"]);
        assert!(matches!(out.code, 0 | 3), "{out:#?}");
        let shown = place.show(study);
        let leaf = knob.rsplit('.').next().unwrap();
        for id in ["t0001", "t0002"] {
            assert_eq!(trial(&shown, id)["diff"]["files"], 1, "{study} {id}");
            let diff = place.run(&["diff", study, id, "--against", "baseline"]).exits(0).out;
            assert!(diff.contains(&format!("b/{file}")) && diff.matches("\n+").count() == 2, "{diff}");
            let added = diff.lines().find(|l| l.starts_with('+') && !l.starts_with("+++")).unwrap();
            let log = place.run(&["log", study, id]).exits(0).out;
            let seen = log.split_whitespace().find_map(|w| w.strip_prefix(&format!("{leaf}="))).unwrap_or_else(|| panic!("{log}"));
            let value: f64 = seen.parse().unwrap();
            let numbers: Vec<f64> = added.split([' ', '{', '}', ',']).filter_map(|w| w.parse().ok()).collect();
            assert!(numbers.contains(&value), "{seen} is not in {added}");
            // All but the value is as it was.
            let comment = added.split('#').nth(1).unwrap().trim();
            assert!(["not tuned yet", "tune me", "of the one layer"].contains(&comment), "{added}");
        }
    }
}
