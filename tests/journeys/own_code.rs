//! Somebody's own training code: a study at once from a command line, and `init`, which reads a repository and writes its task.

use crate::support::{Place, trial};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// A trainer that merely runs: pure Python, NumPy where there is one.
const TRAINER: &str = r#""""Fits a line by gradient descent and prints how well it does on held-back points."""
import os
import random

try:
    import numpy as np
except ImportError:
    np = None

LEARNING_RATE = 0.02
MOMENTUM = 0.0
EPOCHS = 4


def points(n, rng):
    xs = [rng.uniform(-1, 1) for _ in range(n)]
    return [(x, 3 * x - 1 + rng.gauss(0, 0.1)) for x in xs]


def loss(data, w, b):
    errors = [(w * x + b - y) ** 2 for x, y in data]
    return float(np.mean(errors)) if np else sum(errors) / len(errors)


def main():
    rng = random.Random(int(os.environ.get("SEED", "0")))
    train, val = points(100, rng), points(100, rng)
    w = b = vw = vb = 0.0
    for epoch in range(EPOCHS):
        rng.shuffle(train)
        for x, y in train:
            error = w * x + b - y
            vw = MOMENTUM * vw - LEARNING_RATE * error * x
            vb = MOMENTUM * vb - LEARNING_RATE * error
            w, b = w + vw, b + vb
        print(f"epoch {epoch} val_loss {loss(val, w, b):.4f}", flush=True)


if __name__ == "__main__":
    main()
"#;

fn repository(place: &Place, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = place.path(name);
    for (path, text) in files {
        let at = dir.join(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }
    dir
}

const LINE: [&str; 8] = ["--cmd", "python3 train.py", "--metric", r"val_loss ([\d.]+)", "--goal", "minimize", "--wall", "1m"];

#[test]
fn one_line_makes_a_study_of_a_trainer_that_merely_runs() {
    let place = Place::new();
    let dir = repository(&place, "line", &[("train.py", TRAINER)]);
    let words = [&["run", "line"], &LINE[..], &["--auto", "--trials", "3", "--seed", "1", "--name", "a"]].concat();
    let out = place.run(&words).says(&[
        "wrote line/task.toml: refine it, then `trialdeck run line`",
        "edits may touch train.py",
        "the seed goes into the variable SEED (train.py:",
    ]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert_eq!((&shown["metric"], &shown["score_source"]), (&Value::from("val_loss"), &Value::from("self")));
    assert_eq!(shown["baseline"]["noise"], "measured", "{:#}", shown["baseline"]);
    assert!(trial(&shown, "t0001")["score"].is_number(), "{shown:#}");
    for words in [vec!["show", "a"], vec!["show", "a", "t0000"], vec!["tree", "a"], vec!["ls"]] {
        place.run(&words).exits(0).says(&[" self"]);
    }
    assert!(out.out.lines().rev().any(|l| l.starts_with("baseline") && l.contains(" self ± ")), "{}", out.out);
    // The file is a task like any other, and the same line uses it.
    let text = fs::read_to_string(dir.join("task.toml")).unwrap();
    place.run(&["doctor", "line"]).says(&["minimize val_loss"]);
    let again = [&["run", "line"], &LINE[..], &["--auto", "--trials", "1", "--name", "b"]].concat();
    let out = place.run(&again).says(&["says the same"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    // Another line does not write over it.
    let mut other = again.clone();
    other[7] = "maximize";
    place.run(&other).exits(2).says(&["says something else ([task] goal)", "not written over", "trialdeck run line"]);
    assert_eq!(fs::read_to_string(dir.join("task.toml")).unwrap(), text);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
}

#[test]
fn what_is_missing_or_wrong_is_said_with_the_line_to_type() {
    let place = Place::new();
    let dir = repository(&place, "line", &[("train.py", TRAINER)]);
    let run = |words: &[&str]| place.run(&[&["run", "line", "--auto"], words].concat());
    run(&["--cmd", "python3 train.py"]).exits(2).says(&[
        "also needs --metric, --goal and --wall",
        r"trialdeck run line --cmd 'python3 train.py' --metric 'val_loss\s+(\S+)' --goal minimize --wall 5m",
        "val_loss is printed at train.py:",
        "trialdeck init line",
    ]);
    run(&["--metric", "x (.)"]).exits(2).says(&["also needs --cmd, --goal and --wall", "--cmd 'python train.py'"]);
    let with = |at: usize, value: &str| {
        let mut words = LINE;
        words[at] = value;
        run(&words)
    };
    with(3, r"val_loss [\d.]+").exits(2).says(&[r"has no group around the number; write for instance 'val_loss ([\d.]+)'"]);
    with(3, "val_loss ([").exits(2).says(&["is no regular expression", "unclosed"]);
    with(5, "smaller").exits(2).says(&["--goal smaller: write minimize or maximize"]);
    with(7, "soon").exits(2).says(&["--wall"]);
    with(1, "make all").exits(2).says(&["say which may be, for instance --edit train.py"]);
    with(1, "python3 trian.py").exits(2).says(&["runs trian.py, and there is no such file in line", "did you mean `train.py`?"]);
    run(&[&LINE[..], &["--edit", "models/**"]].concat()).exits(2).says(&["--edit models/** fits no file of line"]);
    place.run(&["run", "line"]).exits(2).says(&["there is no task.toml in", "trialdeck init"]);
    // Nothing is written for a study that cannot start.
    run(&[&LINE[..], &["--proposer", "nobody"]].concat()).exits(2);
    place.git(&dir, &["init", "-q"]);
    run(&LINE).exits(2).says(&["git does not track train.py", "git add train.py"]);
    assert!(!dir.join("task.toml").exists());
    let inner = repository(&place, "inner", &[("net.py", TRAINER)]);
    place.git(&inner, &["init", "-q"]);
    place.git(&inner, &["add", "."]);
    place.git(&inner, &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "net"]);
    place.git(&dir, &["-c", "protocol.file.allow=always", "submodule", "-q", "add", &inner.to_string_lossy(), "lib"]);
    with(1, "python3 lib/net.py").exits(2).says(&["lib/net.py lies in the git submodule lib", "trialdeck run lib --cmd"]);
    place.git(&dir, &["add", "train.py"]);
    let out = run(&[&LINE[..], &["--trials", "1", "--edit", "*.py"]].concat());
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert!(fs::read_to_string(dir.join("task.toml")).unwrap().contains("editable = [\"*.py\"]"));
}

/// Written by nobody but this test, in the style of forecasting papers: arguments, an experiment class, a shell script of runs.
const FORECAST: &[(&str, &str)] = &[
    ("README.md", "# Forecast\n\n```\npip install -r requirements.txt\n```\n\nTo reproduce:\n\n```\nbash ./scripts/wind.sh\n```\n"),
    ("requirements.txt", ""),
    (
        "scripts/wind.sh",
        "export CUDA_VISIBLE_DEVICES=0\nmodel_name=Linear\n\npython3 -u run.py \\\n  --root_path ./dataset/ \\\n  --model $model_name \\\n  --d_model 16 \\\n  --des test\n\npython3 -u run.py \\\n  --model $model_name \\\n  --d_model 32\n",
    ),
    (
        "run.py",
        r#"import argparse
import random

from exp.forecast import Experiment

if __name__ == "__main__":
    fix_seed = 2021
    random.seed(fix_seed)
    parser = argparse.ArgumentParser(description="forecasting")
    parser.add_argument("--root_path", type=str, default="./dataset/")
    parser.add_argument("--model", type=str, required=True)
    parser.add_argument("--des", type=str, default="x")
    parser.add_argument("--d_model", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=0.01)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--train_epochs", type=int, default=3)
    args = parser.parse_args()
    Experiment(args).train()
"#,
    ),
    ("exp/__init__.py", ""),
    (
        "exp/forecast.py",
        r#"import random

from data_provider.loader import load
from utils.metrics import MSE


class Experiment:
    def __init__(self, args):
        self.args = args

    def train(self):
        values = load(self.args.root_path)
        weight = 0.0
        for epoch in range(self.args.train_epochs):
            for value in values:
                weight += self.args.learning_rate * (value - weight) + random.gauss(0, 0.001)
            vali = MSE([weight] * len(values), values)
            print("Epoch: {0}, Steps: {1} | Train Loss: {2:.7f} Vali Loss: {3:.7f}".format(epoch + 1, len(values), vali, vali))
        print('mse:{}, mae:{}'.format(vali, vali ** 0.5))
"#,
    ),
    ("data_provider/__init__.py", ""),
    (
        "data_provider/loader.py",
        "import os\n\n\ndef load(root):\n    with open(os.path.join(root, \"wind.csv\")) as f:\n        return [float(line) for line in f if line.strip()]\n",
    ),
    ("utils/__init__.py", ""),
    ("utils/metrics.py", "def MSE(pred, true):\n    return sum((p - t) ** 2 for p, t in zip(pred, true)) / len(true)\n"),
    ("dataset/wind.csv", "1.0\n2.0\n1.5\n"),
];

/// A module's constants, nothing on the command line, a summary at the end.
const CONSTANTS: &[(&str, &str)] = &[
    ("README.md", "# Tiny\n\n```bash\n# one-time\npython3 prepare.py\n# train\npython3 train.py\n```\n"),
    (
        "prepare.py",
        "TOKENS = 100\n\n\ndef evaluate_bpb(w):\n    return (w - 1.5) ** 2 + 0.9\n\n\nif __name__ == \"__main__\":\n    print(f\"prepared {TOKENS} tokens\")\n",
    ),
    (
        "train.py",
        r#"from prepare import TOKENS, evaluate_bpb
import random

MATRIX_LR = 0.04
WEIGHT_DECAY = 0.2
WARMUP_RATIO = 0.1
DEPTH = 8
random.seed(42)

w = 0.0
for step in range(20):
    w += MATRIX_LR * (1.5 - w) + random.gauss(0, 0.01)
    print(f"\rstep {step:05d} | loss: {(w - 1.5) ** 2:.6f} | dt: 1ms", end="")
print()
val_bpb = evaluate_bpb(w)
print("---")
print(f"val_bpb:          {val_bpb:.6f}")
print(f"num_steps:        {step}")
"#,
    ),
];

/// Everything of interest in a YAML file.
const CONFIGURED: &[(&str, &str)] = &[
    (
        "README.md",
        "# Detect\n\n```shell\npython3 ./train.py ./configs/small.yaml --output first\n```\n\n```shell\npython3 ./eval.py ./configs/small.yaml\n```\n",
    ),
    ("configs/small.yaml", "dataset:\n  json_file: ./data/truth.json\nopt:\n  learning_rate: 0.0001\n  epochs: 30\n"),
    ("eval.py", "if __name__ == \"__main__\":\n    pass\n"),
    ("libs/datasets.py", "def load(cfg):\n    return []\n"),
    ("libs/model.py", "class Model:\n    pass\n"),
    (
        "train.py",
        "import argparse\nimport yaml\nfrom torch.utils.tensorboard import SummaryWriter\nfrom libs.datasets import load\nfrom libs.model import Model\n\nif __name__ == \"__main__\":\n    parser = argparse.ArgumentParser()\n    parser.add_argument(\"config\")\n    parser.add_argument(\"--output\", default=\"\")\n    writer = SummaryWriter(\"logs\")\n    print(\"Average mAP: {:>4.2f} (%)\".format(0.5))\n",
    ),
];

fn init(place: &Place, name: &str, files: &[(&str, &str)]) -> (PathBuf, String, String) {
    let dir = repository(place, name, files);
    let out = place.run(&["init", name, "--no-run"]).exits(0);
    assert!(out.out.lines().last().unwrap().trim() == format!("trialdeck run {name}"), "{}", out.out);
    let text = fs::read_to_string(dir.join("task.toml")).unwrap();
    (dir, text, format!("{}{}", out.out, out.err))
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in\n{text}");
    }
}

#[test]
fn init_reads_arguments_and_a_shell_script() {
    let place = Place::new();
    let (dir, text, said) = init(&place, "forecast", FORECAST);
    holds(
        &text,
        &[
            "command = \"head -n 8 scripts/wind.sh | bash\"   # sure: README.md:10, scripts/wind.sh:4",
            "`python3 -u run.py --root_path ./dataset/ --model Linear --d_model 16 --des test` is what it comes to",
            "# scripts/wind.sh:1 chooses the GPU itself",
            "# scripts/wind.sh runs 2 such commands",
            "metric = \"vali_loss\"",
            "others that are printed: mse (exp/forecast.py:",
            "goal   = \"minimize\"",
            "\"run.py\", \"exp/forecast.py\"",
            "protected = [",
            "data_provider/loader.py",
            "utils/metrics.py",
            "comes along with the repository: dataset (12 bytes, 1 file; named at the command)",
            "seed = \"none\"   # sure: the seed is a number in the source: run.py:7",
            "(?P<vali_loss>",
            "(?P<mse>",
            "# scripts/wind.sh:7, now 16\n# [[knob]]\n# name = \"d_model\"",
            "# QUESTION: how long may one run take?",
        ],
    );
    for knob in ["learning_rate", "dropout", "batch_size", "train_epochs", "d_model"] {
        holds(&text, &[&format!("# name = \"{knob}\"\n# type = ")]);
    }
    holds(&said, &["+    fix_seed = int(os.environ.get(\"SEED\", \"2021\"))", "not applied", "the seed has no effect as it is"]);
    assert_eq!(fs::read_to_string(dir.join("run.py")).unwrap(), FORECAST[3].1, "the source is left alone");
    // Never over another.
    place.run(&["init", "forecast"]).exits(2).says(&["is not written over", "trialdeck run forecast", "--stdout"]);
    assert_eq!(fs::read_to_string(dir.join("task.toml")).unwrap(), text);
    // It is a study as it stands.
    let out = place.run(&["run", "forecast", "--auto", "--trials", "1", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    let shown = place.show("a");
    assert!(shown["baseline"]["score"].is_number() && shown["baseline"]["noise"] == "unknown", "{:#}", shown["baseline"]);
}

#[test]
fn init_reads_constants_and_lets_the_seed_decide_where_asked() {
    let place = Place::new();
    let dir = repository(&place, "tiny", CONSTANTS);
    let printed = place.run(&["init", "tiny", "--stdout", "--no-run"]).exits(0).out;
    assert!(!dir.join("task.toml").exists() && !dir.join("evaluate.py").exists());
    holds(&printed, &["command = \"python3 train.py\"   # sure: README.md:", "from = \"stdout:val_bpb\"", "seed = \"none\""]);
    let out = place.run(&["init", "tiny", "--yes", "--apply-seed-patch"]).exits(0).says(&[
        "applied to train.py",
        "it took",
        "wrote tiny/task.toml",
    ]);
    let text = fs::read_to_string(dir.join("task.toml")).unwrap();
    holds(
        &text,
        &[
            "metric = \"val_bpb\"",
            "editable = [\"train.py\"]",
            "protected = [\"prepare.py\"]",
            "seed = { env = \"SEED\" }   # sure: read at train.py:",
            "(?P<loss>",
            "# sure: a timed run took",
            "and read ",
        ],
    );
    for knob in ["MATRIX_LR", "WEIGHT_DECAY", "WARMUP_RATIO", "DEPTH"] {
        holds(&text, &[&format!("# name = \"{knob}\"")]);
    }
    holds(&fs::read_to_string(dir.join("train.py")).unwrap(), &["random.seed(int(os.environ.get(\"SEED\", \"42\")))"]);
    // The timed run left nothing in the repository.
    let mut left: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["README.md", "evaluate.py", "prepare.py", "task.toml", "train.py"], "{out:?}");
    // The skeleton does not pretend.
    let evaluated = place.start({
        let mut command = place.program("python3", &["evaluate.py"]);
        command.current_dir(&dir).env("TRIALDECK_ARTIFACTS", &dir);
        command
    });
    evaluated.end().exits(1).says(&["there is no truth.json beside this file yet"]);
    let out = place.run(&["run", "tiny", "--auto", "--trials", "2", "--name", "a"]);
    assert!(matches!(out.code, 0 | 3), "{out:#?}");
    assert_eq!(place.show("a")["baseline"]["noise"], "measured");
}

#[test]
fn init_reads_a_configured_repository_and_asks_what_it_cannot_know() {
    let place = Place::new();
    let (dir, text, said) = init(&place, "detect", CONFIGURED);
    holds(
        &text,
        &[
            "command = \"python3 ./train.py ./configs/small.yaml --output first\"   # sure: README.md:4",
            "metric = \"average_map\"",
            "goal   = \"maximize\"",
            "editable = [\"train.py\", \"libs/model.py\", \"configs/small.yaml\"]",
            "protected = [\"libs/datasets.py\"]",
            "# QUESTION: data/truth.json is not there (named at configs/small.yaml:2): where is the data?",
            "# QUESTION: how is the environment built? imported and not installed here: ",
            "**/events.out.tfevents.*",
        ],
    );
    holds(&said, &["only you can know", "wrote evaluate.py: a skeleton", "np.save(\"pred.npy\", predictions)"]);
    assert!(dir.join("evaluate.py").exists());
    place.run(&["doctor", "detect"]).says(&["maximize average_map"]);
    // Nothing to read: nothing is invented.
    let empty = repository(&place, "empty", &[("notes.md", "nothing here\n")]);
    place.run(&["init", "empty"]).exits(0).says(&["how is the training started?", "which number is the score?"]);
    place.run(&["run", "empty", "--auto", "--trials", "1", "--name", "e"]).exits(2).says(&["nothing could ever be changed"]);
    assert!(empty.join("task.toml").exists());
    place.run(&["init", "nowhere"]).exits(2).says(&["nowhere is no directory"]);
}

#[test]
fn bare_trialdeck_in_a_repository_says_how_to_start_there() {
    let place = Place::new();
    let dir = repository(&place, "mine", &[("train.py", TRAINER)]);
    let bare = || {
        let mut command = place.command(&[]);
        command.current_dir(&dir);
        place.start(command).end().exits(0)
    };
    assert!(!bare().says(&["run quickstart"]).out.contains("In this repository"));
    place.git(&dir, &["init", "-q"]);
    bare().says(&["In this repository:", "trialdeck init"]);
    fs::write(dir.join("task.toml"), "").unwrap();
    bare().says(&["trialdeck run .  "]);
}
