//! Tables of broken files, the example of the design, arbitrary text.

use super::*;
use crate::model::{Aggregate, Goal, KnobValue, NoisePlan, ScoreSource};
use proptest::prelude::*;
use std::time::Duration;

const SMALLEST: &str = r#"
[task]
name = "tiny"
metric = "loss"
goal = "minimize"
[run]
command = "python train.py"
[budget]
wall = "5m"
[evaluator]
command = "python evaluate.py"
"#;

/// The example of the design, its placeholders filled in.
const FULL: &str = include_str!("tests/full.toml");

/// `line:column message | hint` of every problem.
fn told(text: &str) -> Vec<String> {
    match parse(text, "task.toml") {
        Ok(_) => Vec::new(),
        Err(problems) => {
            let one =
                |p: &Problem| format!("{}:{} {} | {}", p.line, p.column, p.message, p.hint.as_deref().unwrap_or("").replace('\n', " ⏎ "));
            problems.list.iter().map(one).collect()
        }
    }
}

#[test]
fn the_smallest_task_gets_defaults() {
    let parsed = parse(SMALLEST, "task.toml").unwrap();
    assert_eq!(parsed.unused, []);
    let task = parsed.task;
    assert_eq!(task.task.title, "tiny");
    assert_eq!(task.task.noise, NoisePlan::Measure);
    assert_eq!((task.repository.path.as_str(), task.repository.editable.as_slice()), (".", ["**".to_owned()].as_slice()));
    assert_eq!((task.run.seed, task.run.seeds, task.run.aggregate), (SeedForm::None, 1, Aggregate::Mean));
    assert_eq!((task.budget.wall, task.budget.grace), (Duration::from_secs(300), Duration::from_secs(10)));
    assert_eq!((task.budget.memory_bytes, task.budget.gpus, task.budget.output_bytes), (None, None, None));
    assert_eq!(task.evaluator.scoring, Scoring::Command("python evaluate.py".into()));
    assert_eq!(task.retention, Retention::KeptAndTop(8));
}

#[test]
fn the_full_example_is_read() {
    let parsed = parse(FULL, "task.toml").unwrap_or_else(|p| panic!("{p}"));
    let task = &parsed.task;
    assert_eq!((task.task.target, task.task.min_effect), (Some(0.19), Some(0.001)));
    assert_eq!(task.task.brief, ["SOW.md", "paper.md"]);
    assert_eq!(task.reference.as_ref().map(|r| r.value), Some(0.183));
    assert_eq!(task.repository.protected, ["models/loss_reference.py"]);
    assert_eq!(task.repository.max_changed_lines, Some(400));
    assert_eq!(task.run.seed, SeedForm::Env("SEED".into()));
    assert_eq!(task.run.env.get("OMP_NUM_THREADS").map(String::as_str), Some("1"));
    assert_eq!(task.run.preflight.as_ref().map(|p| p.wall), Some(Duration::from_secs(20)));
    assert_eq!((task.budget.memory_bytes, task.budget.gpus, task.budget.output_bytes), (Some(16 << 30), Some(1), Some(2 << 30)));
    assert_eq!(task.evaluator.holdout.as_deref(), Some("holdout_mse"));
    assert_eq!(task.evaluator.prepare.as_deref(), Some("python prepare.py"));
    assert_eq!(task.gates, [Gate { key: "artifact_bytes".into(), min: None, max: Some(16e6), stage: Stage::Final }]);
    assert_eq!((task.live.files.len(), task.live.primary.as_deref()), (3, Some("val_loss")));
    assert_eq!(task.sandbox.require, Some(Tier::C));
    assert_eq!(task.surfaces.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["optimizer", "architecture"]);
    assert_eq!(task.knobs, [Knob { name: "learning_rate".into(), bounds: KnobBounds::Float { low: 1e-5, high: 1e-2, log: true } }]);
    let space = task.space.as_ref().unwrap();
    assert_eq!(space.axes.len(), 3);
    assert_eq!(space.axes[2].values, [KnobValue::Float(2.0), KnobValue::Float(2.5), KnobValue::Float(3.0)]);
    let unused: Vec<_> = parsed.unused.iter().map(|u| u.key.as_str()).collect();
    assert_eq!(unused, ["retention"]);
    assert!(parsed.unused[0].line > 7);
}

#[test]
fn settings_of_a_task() {
    let task = parse(FULL, "task.toml").unwrap().task;
    let settings = task.settings(&Choices { seed: 7, ..Choices::default() });
    assert_eq!((settings.task.as_str(), settings.metric.as_str(), settings.goal), ("wind-power", "mse", Goal::Minimize));
    assert_eq!((settings.seeded, settings.score_source, settings.seed), (true, ScoreSource::Evaluator, 7));
    assert_eq!((settings.wall_secs, settings.gpus, settings.baseline_runs), (300.0, 1, 3));
    let task = parse(&SMALLEST.replace("command = \"python evaluate.py\"", "from = \"stdout:loss\""), "task.toml").unwrap().task;
    for (has_gpu, want) in [(true, 1), (false, 0)] {
        let settings = task.settings(&Choices { has_gpu, ..Choices::default() });
        assert_eq!((settings.gpus, settings.seeded, settings.score_source), (want, false, ScoreSource::SelfReported));
    }
}

#[test]
fn a_run_is_told_its_seed() {
    let mut entry = parse(SMALLEST, "task.toml").unwrap().task.run;
    for (seed, want) in [
        (SeedForm::None, ("python train.py", None)),
        (SeedForm::Arg("--seed={seed} -x".into()), ("python train.py --seed=7 -x", None)),
        (SeedForm::Env("SEED".into()), ("python train.py", Some(("SEED".to_owned(), "7".to_owned())))),
    ] {
        entry.seed = seed;
        assert_eq!(entry.seeded(7), (want.0.to_owned(), want.1));
    }
}

#[test]
fn gates_hold_or_not() {
    let gate = Gate { key: "acc".into(), min: Some(0.5), max: Some(1.0), stage: Stage::Final };
    for (value, want) in [(0.5, true), (1.0, true), (0.4, false), (1.1, false), (f64::NAN, false), (f64::INFINITY, false)] {
        assert_eq!(gate.holds(value), want, "{value}");
    }
}

/// One line of the smallest task replaced, or lines added at its end.
#[test]
fn one_thing_wrong() {
    let table: &[(&str, &str, &[&str])] = &include!("tests/broken.in");
    let mut wrong = String::new();
    for (from, to, want) in table {
        let text = if from.is_empty() { format!("{SMALLEST}{to}") } else { SMALLEST.replacen(from, to, 1) };
        assert_ne!(text, SMALLEST, "{from}");
        let got = told(&text);
        if got != *want {
            wrong += &format!("{from:?} → {to:?}\n got  {got:#?}\n want {want:#?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_is_accepted() {
    for more in [
        "[[gate]]\nkey = \"acc\"\nmin = 0\nmax = 1\n",
        "[live]\nstdout = ['loss: ([\\d.]+)']\n",
        "[[knob]]\nname = \"width\"\ntype = \"int\"\nrange = [8, 256]\nlog = true\n",
        "[[knob]]\nname = \"amp\"\ntype = \"bool\"\n",
        "[[knob]]\nname = \"layers\"\ntype = \"choice\"\nchoices = [2, 4, \"all\"]\n",
        "[[knob]]\nname = \"SEED\"\nexclude = true\n",
        "[repository]\nurl = \"https://example.org/x\"\nrev = \"v1\"\n",
        "[retention]\nartifacts = \"all\"\n",
        "[surfaces]\n\"data mix\" = { paths = [\"data/**\"] }\n",
        "\u{feff}",
    ] {
        let text = if more == "\u{feff}" { format!("{more}{SMALLEST}") } else { format!("{SMALLEST}{more}") };
        assert_eq!(told(&text), [""; 0], "{more}");
    }
    for (from, to) in [
        ("goal = \"minimize\"", "goal = \"maximize\"\nnoise = { sd = 0 }\ntarget = -1"),
        ("goal = \"minimize\"", "goal = \"maximize\"\nnoise = \"measure\"\nmin_effect = 1e-9"),
        ("wall = \"5m\"", "wall = \"1h30m\"\ngpus = 0\nmemory = 1000000\nkind = \"steps\""),
        ("command = \"python train.py\"", "command = \"true\"\nseed = { arg = \"--seed={seed}\" }\nseeds = 3\naggregate = \"median\""),
        ("command = \"python train.py\"", "command = \"true\"\nseed = \"none\"\nenv = { EMPTY = \"\" }"),
        ("command = \"python train.py\"", "command = '''\nset -e\npython train.py'''"),
        ("\n", "\r\n"),
    ] {
        assert_eq!(told(&SMALLEST.replace(from, to)), [""; 0], "{to}");
    }
}

#[test]
fn all_problems_come_at_once_and_are_drawn() {
    let text = "[task]\nname = \"wind\"\nmetirc = \"mse\"\ngoal = \"minimise\"\n\n[run]\ncommand = \"python run.py\"\nwall = 300\n\n[budget]\nwall = 300\n";
    let problems = parse(text, "wind/task.toml").unwrap_err();
    insta::assert_snapshot!(problems.render(false), @r#"
    error: unknown key `metirc` in [task]
     --> wind/task.toml:3:1
      |
    3 | metirc = "mse"
      | ^^^^^^
      |
      = help: did you mean `metric`?

    error: `minimise` is not a valid `goal`
     --> wind/task.toml:4:8
      |
    4 | goal = "minimise"
      |        ^^^^^^^^^^
      |
      = help: did you mean "minimize"?

    error: unknown key `wall` in [run]
     --> wind/task.toml:8:1
      |
    8 | wall = 300
      | ^^^^
      |
      = help: `wall` belongs to [budget]

    error: `wall` has no unit: `300`
      --> wind/task.toml:11:8
       |
    11 | wall = 300
       |        ^^^
       |
       = help: write wall = "300s" for seconds, or "300m" for minutes

    error: [evaluator] is missing
      --> wind/task.toml:11:11
       |
    11 | wall = 300
       |           ^
       |
       = help: add
               [evaluator]
               command = "python evaluate.py"   # or from = "stdout:val_loss"

    5 problems in wind/task.toml
    "#);
    assert_eq!(problems.to_string(), problems.render(false));
    assert!(!problems.render(false).contains('\u{1b}'));
    assert!(problems.render(true).contains('\u{1b}'));
}

#[test]
fn hostile_text_is_harmless() {
    for text in [
        "[".repeat(20_000),
        "a=[".repeat(20_000),
        "a={a=".repeat(20_000),
        format!("{}=1", "a.".repeat(5_000) + "a"),
        "x = 1\n".repeat(3_000),
        "[task]\nname = \"\u{1b}]0;title\u{7}\u{202e}\"\n\u{1b}[2J = 1".to_owned(),
        "\u{1b}[31m".to_owned(),
        "[run]\n\"\\u001b[31m\" = 1\n".to_owned(),
    ] {
        let problems = parse(&text, "\u{1b}[31mtask.toml").unwrap_err();
        let drawn = problems.render(false);
        assert!(!drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{drawn}");
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_or_refused(text in "(?s).{0,200}") {
        if let Err(problems) = parse(&text, "task.toml") {
            prop_assert!(!problems.render(true).is_empty());
            prop_assert!(!problems.list.is_empty());
        }
    }

    /// Pieces of the real grammar reach the walker, where random characters do not.
    #[test]
    fn shuffled_lines_are_read_or_refused(picks in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..60), 0..40)) {
        let lines: Vec<&str> = FULL.lines().collect();
        let text: String = picks.iter().map(|(pick, cut)| {
            let line = lines[pick.index(lines.len())];
            let kept: String = if *cut < 10 { line.chars().skip(*cut).collect() } else { line.to_owned() };
            kept + "\n"
        }).collect();
        if let Err(problems) = parse(&text, "task.toml") {
            for p in &problems.list {
                prop_assert!(p.line >= 1 && p.column >= 1 && p.line <= lines.len() + 40);
            }
            prop_assert!(!problems.to_string().is_empty());
        }
    }
}
