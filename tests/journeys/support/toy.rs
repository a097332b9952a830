//! A toy task: three knobs, a loss that is known, a little noise by seed, a tenth of a second a run.

use super::Place;
use std::{fs, path::PathBuf};

const TRAIN: &str = r#"import json
import os
import random
import time

LEARNING_RATE = 0.1
MOMENTUM = 0.0
WIDTH = 8
PAUSE = 0.0


def main():
    random.seed(int(os.environ["SEED"]))
    with open(os.environ["STARTS"], "a") as starts:
        starts.write(os.environ["TRIALDECK_TRIAL"] + "\n")
    loss = (LEARNING_RATE - 0.3) ** 2 + 0.2 * (0.8 - MOMENTUM) ** 2 + 1 / WIDTH
    for step in range(5):
        print(f"step {step} train_loss {loss + 1 / (step + 1):.4f}")
        time.sleep(PAUSE / 5)
    loss += random.gauss(0, 0.004)
    with open("pred.json", "w") as out:
        json.dump({"loss": loss}, out)
    print(f"val_loss: {loss}")


main()
"#;

const EVALUATE: &str = r#"import json
import os

with open(os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "pred.json")) as pred:
    loss = json.load(pred)["loss"]
print(json.dumps({"loss": loss, "holdout_loss": loss + 0.5, "extra": 1.5}))
"#;

const TASK: &str = r#"[task]
name   = "toy"
metric = "loss"
goal   = "minimize"

[repository]
path     = "."
editable = ["train.py"]

[run]
command = "python3 -u train.py"
seed    = { env = "SEED" }
env     = { STARTS = "@STARTS@" }

[budget]
wall  = "60s"
grace = "1s"
gpus  = 0

[evaluator]
command = "python3 evaluate.py"
files   = ["evaluate.py"]
needs   = ["pred.json"]
wall    = "60s"
holdout = "holdout_loss"

[live]
stdout = ['^step (?P<step>\d+) train_loss (?P<train_loss>\S+)']

[[knob]]
name    = "PAUSE"
exclude = true
"#;

/// The files of a toy task, to be changed before they are written.
pub(crate) struct Toy {
    pub(crate) train: String,
    pub(crate) evaluate: String,
    pub(crate) task: String,
}

impl Toy {
    pub(crate) fn new(place: &Place) -> Self {
        let task = TASK.replace("@STARTS@", &place.path("starts").to_string_lossy());
        Self { train: TRAIN.to_owned(), evaluate: EVALUATE.to_owned(), task }
    }

    fn replaced(text: &str, old: &str, new: &str) -> String {
        assert!(text.contains(old), "no `{old}` in\n{text}");
        text.replace(old, new)
    }

    /// Changes train.py.
    pub(crate) fn train(mut self, old: &str, new: &str) -> Self {
        self.train = Self::replaced(&self.train, old, new);
        self
    }

    /// Changes task.toml.
    pub(crate) fn task(mut self, old: &str, new: &str) -> Self {
        self.task = Self::replaced(&self.task, old, new);
        self
    }

    /// Another evaluator.
    pub(crate) fn evaluator(mut self, text: &str) -> Self {
        text.clone_into(&mut self.evaluate);
        self
    }

    /// One baseline run, for tests that care for something else.
    pub(crate) fn quick(self) -> Self {
        self.task("goal   = \"minimize\"", "goal   = \"minimize\"\nnoise  = { sd = 0.004 }")
    }

    /// Writes the files into a directory of the place.
    pub(crate) fn write(&self, place: &Place, name: &str) -> PathBuf {
        let dir = place.path(name);
        fs::create_dir_all(&dir).unwrap();
        for (file, text) in [("train.py", &self.train), ("evaluate.py", &self.evaluate), ("task.toml", &self.task)] {
            fs::write(dir.join(file), text).unwrap();
        }
        dir
    }
}
