//! What isolation must not break: programs that fork, spawn and share memory, the grace before a kill; and what it must
//! refuse before anything runs. What it keeps out is the business of `tests/attacks`.

use crate::support::{Place, wait_until};
use serde_json::Value;
use std::{fs, path::PathBuf};

const TRAIN: &str = r#"import json
import multiprocessing
import os
from multiprocessing import shared_memory

LEARNING_RATE = 0.1


def square(x):
    return x * x


def write(name):
    memory = shared_memory.SharedMemory(name=name)
    memory.buf[3] = 4
    memory.close()


def main():
    total = 0
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            total += sum(pool.map(square, range(10)))
        memory = shared_memory.SharedMemory(create=True, size=32 << 20)
        child = context.Process(target=write, args=(memory.name,))
        child.start()
        child.join()
        assert memory.buf[3] == 4, method
        memory.close()
        memory.unlink()
    with multiprocessing.Manager() as manager:
        shared = manager.dict(a=1)
        assert dict(shared) == {"a": 1}
    os.close(os.memfd_create("cache"))
    torch()
    with open("pred.json", "w") as out:
        json.dump({"loss": LEARNING_RATE + total, "user": os.getuid()}, out)


def torch():
    try:
        import torch
    except ImportError:
        return print("torch: absent")
    data = torch.utils.data.TensorDataset(torch.randn(64, 4))
    for method in ("fork", "spawn"):
        loader = torch.utils.data.DataLoader(data, batch_size=16, num_workers=2, multiprocessing_context=method)
        assert sum(len(batch[0]) for batch in loader) == 64
    torch.zeros(1000).share_memory_()
    print("torch: loaded")


if __name__ == "__main__":
    main()
"#;

const EVALUATE: &str = r#"import json
import os

with open(os.path.join(os.environ["TRIALDECK_ARTIFACTS"], "pred.json")) as pred:
    found = json.load(pred)
try:
    open("evaluate.py", "a").close()
    can_write = 1
except OSError:
    can_write = 0
print(json.dumps({"loss": found["loss"], "run_user": found["user"], "own_user": os.getuid(), "can_write": can_write}))
"#;

const TASK: &str = r#"[task]
name = "workers"
metric = "loss"
goal = "minimize"
[repository]
editable = ["train.py"]
[run]
command = "python3 -u train.py"
[budget]
wall = "60s"
gpus = 0
[evaluator]
command = "python3 evaluate.py"
files = ["evaluate.py"]
needs = ["pred.json"]
"#;

fn workers(place: &Place, train: &str, task: &str) -> PathBuf {
    let dir = place.path("workers");
    fs::create_dir_all(&dir).unwrap();
    for (name, text) in [("train.py", train), ("evaluate.py", EVALUATE), ("task.toml", task)] {
        fs::write(dir.join(name), text).unwrap();
    }
    dir
}

/// The tiers below which runs are contained that this machine offers, as `doctor` tried them.
fn offered(place: &Place) -> Vec<&'static str> {
    let out = place.run(&["doctor", "--json"]);
    let lines: Vec<Value> = out.out.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let works = |tier: &str| lines.iter().any(|l| l["what"] == format!("tier {tier}") && l["level"] == "ok");
    ["A", "B", "C"].into_iter().filter(|tier| works(tier)).collect()
}

#[test]
fn programs_that_fork_spawn_and_share_memory_work_in_each_tier() {
    let place = Place::new();
    let tiers = [offered(&place), vec!["none"]].concat();
    eprintln!("tiers here: {tiers:?}");
    let dir = workers(&place, TRAIN, TASK);
    for tier in tiers {
        // So long that no socket's path below its directories would fit: what a user's home and the name of a paper come to.
        let name = format!("{tier}-as-long-as-a-study-of-wind-power-may-be");
        let args = ["run", &dir.to_string_lossy(), "--auto", "--name", &name, "--trials", "1", "--seed", "1", "--isolation", tier];
        let out = place.run(&args);
        let shown = place.show(&name);
        assert_eq!(shown["isolation"], if tier == "none" { "E" } else { tier });
        let run = &shown["trials"][0]["runs"][0];
        assert!(run["score"].is_number(), "{tier}: {run} {out:?}");
        if tier == "none" {
            continue;
        }
        let log = fs::read_to_string(place.study(&name).join("trials/t0000/run-1/stdout.log")).unwrap();
        eprintln!("{tier}: {}", log.trim());
        let metric = |name: &str| run["metrics"][name].as_f64().unwrap();
        // Root can modes and owners; so only another user, or a file system that cannot be written, keeps the evaluator.
        assert_eq!(metric("can_write"), 0.0, "{tier}: the evaluator's own copy can be written by it");
        if tier != "C" && rustix::process::geteuid().is_root() {
            assert!(metric("run_user") != metric("own_user") && metric("run_user") != 0.0, "{tier}: {run}");
        }
    }
}

#[test]
fn a_run_over_its_budget_gets_its_grace_in_each_tier() {
    let place = Place::new();
    let train = "import signal, sys, time\n\
                 signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n\
                 print('ready', flush=True)\nX = 1\nwhile True:\n    time.sleep(0.01)\n";
    let dir = workers(&place, train, &TASK.replace("60s", "2s").replace("gpus = 0", "gpus = 0\ngrace = \"20s\""));
    for tier in offered(&place) {
        place.run(&["run", &dir.to_string_lossy(), "--auto", "--name", tier, "--trials", "1", "--isolation", tier]).exits(1);
        let shown = place.show(tier);
        let failure = &shown["trials"][0]["runs"][0]["failure"];
        assert_eq!(failure["label"], "timed_out", "{tier}: {shown}");
        assert!(failure["detail"].as_str().unwrap().contains("ended by TERM"), "{tier}: {failure}");
        let log = fs::read_to_string(place.study(tier).join("trials/t0000/run-1/stdout.log")).unwrap();
        assert!(log.contains("saved"), "{tier}: {log}");
    }
}

#[test]
fn a_kill_ends_all_of_a_contained_run() {
    let place = Place::new();
    let train = "import os, subprocess, time\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)\n\
                 print('ready', flush=True)\ntime.sleep(1000)\n";
    let dir = workers(&place, train, TASK);
    for tier in offered(&place) {
        place.run(&["run", &dir.to_string_lossy(), "--detach", "--name", tier, "--isolation", tier]).exits(0);
        let log = place.study(tier).join("trials/t0000/run-1/stdout.log");
        wait_until("the child", || fs::read_to_string(&log).ok().filter(|t| t.contains("ready")));
        place.run(&["stop", tier, "--now"]);
        let mark = place.study(tier);
        wait_until("all processes to be gone", || {
            let left = fs::read_dir("/proc").unwrap().flatten().any(|p| {
                let line = fs::read(p.path().join("cmdline")).unwrap_or_default();
                let cwd = fs::read_link(p.path().join("cwd")).unwrap_or_default();
                line.starts_with(b"sleep\x004321") && cwd.starts_with(&mark)
            });
            (!left).then_some(())
        });
    }
}

#[test]
fn what_is_required_is_had_or_nothing_starts() {
    let place = Place::new();
    let dir = workers(&place, TRAIN, &format!("{TASK}[sandbox]\nrequire = \"B\"\n"));
    let dir = dir.to_string_lossy();
    place.run(&["run", &dir, "--auto", "--name", "a", "--isolation", "none"]).exits(2).says(&["requires isolation B", "E was asked for"]);
    place.run(&["run", &dir, "--auto", "--name", "a", "--isolation", "F"]).exits(2).says(&["the tiers A to E"]);
    assert!(!place.study("a").exists());
    if offered(&place).contains(&"C") {
        place.run(&["run", &dir, "--auto", "--name", "a", "--isolation", "c"]).exits(2).says(&["C was asked for"]);
    }
}

#[test]
fn a_study_goes_on_in_another_tier_when_it_is_told_to() {
    let place = Place::new();
    let Some(tier) = offered(&place).pop() else { return eprintln!("skipped: no tier but E") };
    let dir = workers(&place, "import json\nX = 0.5\njson.dump({'loss': X, 'user': 0}, open('pred.json', 'w'))\n", TASK);
    place.run(&["run", &dir.to_string_lossy(), "--auto", "--name", "a", "--trials", "1", "--isolation", "none"]);
    assert_eq!(place.show("a")["isolation"], "E");
    place.run(&["resume", "a", "--auto", "--trials", "+1", "--isolation", "Z"]).exits(2).says(&["the tiers A to E"]);
    place.run(&["resume", "a", "--auto", "--trials", "+1", "--isolation", tier]);
    let shown = place.show("a");
    assert_eq!(shown["isolation"], tier);
    assert_eq!(shown["budget"]["trials_used"], 2, "{shown}");
    let spec = fs::read_to_string(place.study("a").join("trials/t0002/run-1/spec.json")).unwrap();
    assert!(spec.contains(&format!("\"tier\":\"{tier}\"")), "{spec}");
}
