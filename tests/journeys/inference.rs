//! `[inference]`: a model that training writes, a predict.py that looks for labels, and what the evaluator gets of both.

use crate::support::{Place, Toy, kill, wait_until};
use serde_json::{Value, json};
use std::fs;

/// y = 3 x + 1, learnt by gradient descent; the model is two numbers.
const TRAIN: &str = r#"import json
import os
import random

LEARNING_RATE = 0.02
STEPS = 20


def main():
    random.seed(int(os.environ["SEED"]))
    assert not os.path.exists("inputs.json"), "training sees the inputs"
    a = b = 0.0
    for step in range(STEPS):
        x = random.uniform(-1, 1)
        error = a * x + b - (3 * x + 1)
        a, b = a - LEARNING_RATE * error * x, b - LEARNING_RATE * error
        print(f"step {step} train_loss {error * error:.5f}")
    with open("model.json", "w") as out:
        json.dump({"a": a, "b": b}, out)
    with open("scratch.txt", "w") as out:
        out.write("not for anybody")


main()
"#;

const PREDICT: &str = r#"import json
import os
import time

with open("model.json") as file:
    model = json.load(file)
with open("inputs.json") as file:
    inputs = json.load(file)
while os.path.exists(os.environ.get("HOLD", "/nowhere")):
    time.sleep(0.01)
seen = sorted(os.path.join(d, f) for d, _, fs in os.walk(".") for f in fs)
variables = sorted(v for v in os.environ if v.startswith("TRIALDECK_"))
reach = [p for p in ("../../evaluator/tree/truth.json", "../slot-0", "../../journal.jsonl") if os.access(p, os.R_OK)]
with open("pred.json", "w") as out:
    json.dump({"y": [model["a"] * x + model["b"] for x in inputs], "seen": seen, "variables": variables, "cwd": os.getcwd(), "reach": reach}, out)
"#;

const EVALUATE: &str = r#"import json
import os

with open(os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "pred.json")) as pred:
    y = json.load(pred)["y"]
with open("truth.json") as file:
    truth = json.load(file)
assert len(y) == len(truth)
print(json.dumps({"loss": sum((a - b) ** 2 for a, b in zip(y, truth)) / len(y)}))
"#;

fn task(place: &Place, predict: &str) -> Toy {
    let toy = Toy::new(place)
        .quick()
        .task("files   = [\"evaluate.py\"]", "files   = [\"evaluate.py\", \"truth.json\"]")
        .task("needs   = [\"pred.json\"]", "needs   = [\"model.json\", \"pred.json\"]")
        .task(
            "holdout = \"holdout_loss\"\n",
            "\n[inference]\ncommand = \"python3 predict.py\"\ninputs  = [\"inputs.json\"]\nwall    = \"20s\"\n",
        )
        .task("editable = [\"train.py\"]", "editable = [\"train.py\", \"predict.py\"]")
        .task("[[knob]]\nname    = \"PAUSE\"\nexclude = true", "[[gate]]\nkey = \"artifact_bytes\"\nmax = 100")
        .task("env     = {", &format!("env     = {{ HOLD = {:?},", place.path("hold")))
        .evaluator(EVALUATE);
    let toy = Toy { train: TRAIN.to_owned(), ..toy };
    let dir = toy.write(place, "line");
    let inputs: Vec<f64> = (0..40).map(|n| f64::from(n) / 20.0 - 1.0).collect();
    let truth: Vec<f64> = inputs.iter().map(|x| 3.0 * x + 1.0).collect();
    fs::write(dir.join("inputs.json"), json!(inputs).to_string()).unwrap();
    fs::write(dir.join("truth.json"), json!(truth).to_string()).unwrap();
    fs::write(dir.join("predict.py"), predict).unwrap();
    toy
}

fn pred(place: &Place, name: &str) -> Value {
    let path = place.study(name).join("trials/t0000/run-1/artifacts/pred.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_model_from_training_is_scored_on_inputs_that_it_never_saw() {
    let place = Place::new();
    task(&place, PREDICT);
    let out = place.run(&["run", "line", "--auto", "--trials", "3", "--seed", "1", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert!(shown["baseline"]["score"].as_f64().unwrap() > 0.0, "{shown:#}");
    // The tree, the model and the inputs; nothing of the run's directory, no label, no word of the evaluator's.
    let pred = pred(&place, "a");
    assert_eq!(pred["seen"], json!(["./inputs.json", "./model.json", "./predict.py", "./train.py"]));
    let variables = pred["variables"].as_array().unwrap();
    assert!(variables.iter().all(|v| v != "TRIALDECK_PUBLIC" && v != "TRIALDECK_ARTIFACTS"), "{pred:#}");
    assert!(pred["cwd"].as_str().unwrap().ends_with("inference-0"), "{pred:#}");
    if shown["isolation"] != "E" && shown["isolation"] != "D" {
        assert_eq!(pred["reach"], json!([]), "labels and leftovers are out of its reach");
    }
    // Nothing of it stays for the next run.
    assert!(!place.study("a").join("work/inference-0/inputs.json").exists());
    assert!(!place.study("a").join("work/slot-0/inputs.json").exists());
    // The size that the gate looks at is that of the model.
    let list = fs::read_to_string(place.study("a").join("trials/t0000/run-1/artifacts.json")).unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(shown["trials"][0]["gates"][0]["value"].as_f64(), list["handed"]["model.json"]["bytes"].as_f64());
    assert_eq!(list["handed"].as_object().unwrap().len(), 1, "{list:#}");
    assert_eq!(list["files"].as_object().unwrap().len(), 2, "{list:#}");
    let evaluation = fs::read_to_string(place.study("a").join("trials/t0000/run-1/evaluation.json")).unwrap();
    let evaluation: Value = serde_json::from_str(&evaluation).unwrap();
    assert_eq!(evaluation["artifacts"]["model.json"], list["files"]["model.json"]["sha256"]);
    place.run(&["replay", "a", "baseline"]).exits(0).says(&["equal"]);
}

#[test]
fn an_inference_reads_the_libraries_that_its_task_grants_and_no_training_data() {
    let place = Place::new();
    let (library, data) = (place.path("library"), place.path("corpus"));
    let predict = format!(
        "import os, sys\nsys.path.insert(0, {library:?})\nimport straight\n{}",
        PREDICT.replace("\"../slot-0\"", &format!("{:?}", data.join("train.txt"))).replace("import json\nimport os\n", "import json\n")
    );
    task(&place, &predict);
    for (dir, file, text) in [(&library, "straight.py", "A = 3\n"), (&data, "train.txt", "1 2 3\n")] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join(file), text).unwrap();
    }
    let file = place.path("line/task.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[sandbox]\nread = [{library:?}]\n\n[[data]]\npath = {data:?}\n")).unwrap();
    let out = place.run(&["run", "line", "--auto", "--trials", "1", "--seed", "1", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert!(shown["baseline"]["score"].as_f64().is_some(), "{shown:#}");
    if shown["isolation"] != "E" && shown["isolation"] != "D" {
        assert_eq!(pred(&place, "a")["reach"], json!([]), "neither labels nor what it was trained on");
    }
}

#[test]
fn what_goes_wrong_in_the_inference_is_said_to_be_there() {
    let place = Place::new();
    for (name, predict, label, detail) in [
        ("crash", "open('truth.json')\n", "eval_failed", "inference: FileNotFoundError"),
        ("labels", "import glob\nassert glob.glob('**/*truth*', recursive=True), 'no labels here'\n", "eval_failed", "no labels here"),
        ("nothing", "pass\n", "eval_failed", "needs pred.json: neither the run nor its inference wrote it"),
        ("slow", "import time\ntime.sleep(60)\n", "eval_timed_out", "inference: "),
        ("link", "import os\nos.symlink('model.json', 'pred.json')\n", "eval_failed", "symbolic link"),
    ] {
        task(&place, predict).task("wall    = \"20s\"", "wall    = \"2s\"").write(&place, "line");
        let out = place.run(&["run", "line", "--auto", "--trials", "1", "--name", name]).exits(1);
        let shown = place.show(name);
        let run = &shown["trials"][0]["runs"][0];
        assert_eq!((&run["failure"]["label"], &run["score"]), (&json!(label), &Value::Null), "{name}: {run:#}");
        assert!(run["failure"]["detail"].as_str().unwrap().contains(detail), "{name}: {run:#}");
        assert!(out.out.contains(label), "{out:#?}");
        assert!(!place.study(name).join("work/inference-0/inputs.json").exists(), "{name}");
    }
    // An input that nobody has is told before a study exists.
    task(&place, PREDICT).task("inputs  = [\"inputs.json\"]", "inputs  = [\"inputs.npy\"]").write(&place, "line");
    place.run(&["run", "line", "--auto", "--name", "b"]).exits(2).says(&["[inference] input inputs.npy is missing", "prepare"]);
    assert!(!place.study("b").exists());
}

#[test]
fn an_inference_outlives_its_engine_and_is_ended_by_stop_now() {
    let place = Place::new();
    task(&place, PREDICT);
    fs::write(place.path("hold"), "").unwrap();
    place.run(&["run", "line", "--detach", "--isolation", "none", "--proposer", "researcher", "--name", "a"]).exits(0);
    let pid = place.study("a").join("trials/t0000/run-1/inference/pid.json");
    wait_until("an inference at work", || fs::read_to_string(&pid).ok().filter(|t| t.contains("\"command\":{")));
    let engine = place.engine("a").unwrap();
    kill(engine);
    wait_until("the engine to be gone", || place.engine("a").is_none().then_some(()));
    let resumed = place.spawn(&["resume", "a", "--detach"]);
    resumed.end().exits(0);
    fs::remove_file(place.path("hold")).unwrap();
    let shown = place.shown("a", "a score", |v| v["baseline"]["score"].is_number());
    assert_eq!(shown["trials"][0]["runs"].as_array().unwrap().len(), 1, "{shown:#}");
    place.run(&["stop", "a"]).exits(0);

    fs::write(place.path("hold"), "").unwrap();
    place.run(&["run", "line", "--detach", "--isolation", "none", "--proposer", "researcher", "--name", "b"]).exits(0);
    let pid = place.study("b").join("trials/t0000/run-1/inference/pid.json");
    wait_until("an inference at work", || fs::read_to_string(&pid).ok().filter(|t| t.contains("\"command\":{")));
    place.run(&["stop", "b", "--now"]).exits(0);
    let shown = place.shown("b", "an end", |v| v["state"] == "finished" || v["state"] == "failed");
    assert_eq!(shown["trials"][0]["runs"][0]["failure"]["label"], "killed", "{shown:#}");
}
