//! Somebody's own repository at a keyboard: the menu of bare trialdeck, the questions of `init`, the file that comes of them.

use crate::{screen::Term, support::Place};
use std::fs;

const TRAINER: &str = r#"import os
import random

LEARNING_RATE = 0.1
random.seed(int(os.environ.get("SEED", "0")))
loss = 1.0
for epoch in range(3):
    loss -= LEARNING_RATE * loss + random.gauss(0, 0.001)
    print(f"epoch {epoch} train_loss {loss:.4f} val_loss {loss + 0.1:.4f}")
"#;

#[test]
fn the_menu_leads_through_the_questions_to_a_task_file() {
    let place = Place::new();
    let dir = place.path("mine");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("train.py"), TRAINER).unwrap();
    fs::write(dir.join("README.md"), "```\npython3 train.py\npython3 train.py --fast\n```\n").unwrap();
    place.git(&dir, &["init", "-q"]);
    place.git(&dir, &["add", "."]);
    let line = format!("cd {} && exec {}", dir.display(), env!("CARGO_BIN_EXE_trialdeck"));
    let mut term = Term::start(&place, (120, 40), "sh", &["-c", &line]);
    term.sees("s  start here");
    term.press("s");
    term.sees("how is the training started?");
    term.sees("2  python3 train.py --fast");
    term.press("9\r");
    term.sees("number [1], or the command: 9");
    term.press("1\r");
    term.sees("which of these is the score?");
    term.press("\r");
    term.sees("make a timed trial run of `python3 train.py`");
    term.press("perhaps\r");
    term.sees("please answer y or n");
    term.press("y\r");
    term.sees("and printed the score");
    term.sees("trialdeck run .");
    assert!(term.end().success());
    let text = fs::read_to_string(dir.join("task.toml")).unwrap();
    for wanted in
        ["command = \"python3 train.py\"", "metric = \"val_loss\"", "a timed run took", "seed = { env = \"SEED\" }", "LEARNING_RATE"]
    {
        assert!(text.contains(wanted), "no {wanted} in\n{text}");
    }
    place.run(&["doctor", "mine"]).says(&["minimize val_loss"]);
    // A second time the menu offers the study itself.
    let mut term = Term::start(&place, (120, 40), "sh", &["-c", &line]);
    term.sees("trialdeck run .");
    term.press("q");
    assert!(term.end().success());
}
