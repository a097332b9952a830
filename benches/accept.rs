//! How long it takes from a researcher's accept to the first instruction of the run: a repository of 5,000 files, a warm
//! slot, the real engine, the real socket. The run notes the time itself, as its very first act.
//!
//! `cargo bench --bench accept` prints the median and the worst of 30 accepts in milliseconds; the goal is a median of 40.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise and prints its figure"
)]

use std::{
    fs,
    path::Path,
    process::Command as Process,
    time::{SystemTime, UNIX_EPOCH},
};
use trialdeck::{
    client::Caller,
    model::{Draft, Edit, Status},
    protocol::{Command, socket::socket_path},
};

const FILES: usize = 5_000;
const ACCEPTS: usize = 30;

const TASK: &str = r#"
[task]
name = "warm"
metric = "score"
goal = "maximize"
noise = { sd = 0.1 }

[repository]
editable = ["src/**"]

[run]
command = "date +%s%N > started.txt"

[budget]
wall = "10s"

[evaluator]
command = "echo '{\"score\": 1}'"
needs = ["started.txt"]
"#;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("repo");
    for n in 0..FILES {
        let path = repo.join(format!("src/d{:02}/f{n:04}.py", n % 50));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("VALUE = {n}\n{}", "# a line of some length to be read and hashed\n".repeat(80))).unwrap();
    }
    fs::write(repo.join("task.toml"), TASK).unwrap();
    let studies = dir.path().join("studies");
    let trialdeck = |arguments: &[&str]| {
        let mut command = Process::new(env!("CARGO_BIN_EXE_trialdeck"));
        command.args(arguments).arg("--studies").arg(&studies).env("XDG_RUNTIME_DIR", dir.path());
        let out = command.output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    let options = ["--name", "warm", "--proposer", "researcher", "--autonomy", "ask", "--slots", "1", "--detach"];
    trialdeck(&[&["run", repo.to_str().unwrap()], &options[..]].concat());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut millis = runtime.block_on(accepts(&studies.join("warm"), dir.path()));
    trialdeck(&["stop", "warm", "--now"]);
    // The first fills the slot and reads everything once.
    millis.remove(0);
    millis.sort_by(f64::total_cmp);
    println!(
        "accept to process started, {FILES} files, warm slot: median {:.1} ms, worst {:.1} ms",
        millis[millis.len() / 2],
        millis[millis.len() - 1]
    );
}

async fn accepts(study: &Path, runtime_dir: &Path) -> Vec<f64> {
    let uid = rustix::process::getuid().as_raw();
    let mut caller = Caller::connect(study, &socket_path(study, Some(runtime_dir), &std::env::temp_dir(), uid)).await.unwrap();
    caller.wait_until(|m| m.rows.first().filter(|r| r.status == Status::Done).map(|_| ())).await.unwrap();
    let mut millis = Vec::new();
    for n in 0..=ACCEPTS {
        let path = format!("src/d{:02}/f{:04}.py", n % 50, n % 50);
        let draft = Draft {
            hypothesis: format!("change {n}"),
            surface: None,
            expected: None,
            edits: vec![Edit::Write { path, content: format!("VALUE = -{n}\n") }],
            knobs: Default::default(),
            reasoning: String::new(),
        };
        let propose = Command::Propose { parent: None, proposer: "researcher".into(), draft: Box::new(draft), accepted: false };
        let ack = caller.command(propose).await.unwrap();
        let (trial, proposal) = (ack.trial.unwrap(), ack.proposal.unwrap());
        caller.wait_until(|m| m.row(trial).filter(|r| r.status == Status::Waiting).map(|_| ())).await.unwrap();
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        caller.command(Command::Accept { proposal, tree: None }).await.unwrap();
        caller.wait_until(|m| m.row(trial).filter(|r| r.status == Status::Done).map(|_| ())).await.unwrap();
        let text = fs::read_to_string(study.join(format!("trials/{trial}/run-1/artifacts/started.txt"))).unwrap();
        let started = text.trim().parse::<f64>().unwrap() / 1e6;
        millis.push(started - asked.as_secs_f64() * 1e3);
    }
    millis
}
