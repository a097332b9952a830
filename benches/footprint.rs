//! What engine and cockpit cost when nothing happens: resident memory at 1,000 trials, processor time and bytes drawn
//! over ten idle seconds. The trials are real runs of a shell script, so this takes about two minutes.
//!
//! `cargo bench --bench footprint`; the goals are 80 MB together, 1 % of a core, and no frame when nothing changes.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at the first surprise and prints its figure")]

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    fs,
    io::Read,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use trialdeck::journal;

const TRIALS: &str = "1000";
const IDLE: Duration = Duration::from_secs(10);

const TASK: &str = r#"
[task]
name = "small"
metric = "loss"
goal = "minimize"
noise = { sd = 0.1 }

[repository]
editable = ["train.py"]

[run]
command = "sed -n 's/^LR = //p' train.py > out.txt"

[budget]
wall = "10s"

[evaluator]
command = "printf '{\"loss\": %s}' $(cat $TRIALDECK_ARTIFACTS/out.txt)"
needs = ["out.txt"]
"#;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, studies) = (dir.path().join("repo"), dir.path().join("studies"));
    fs::create_dir(&repo).unwrap();
    fs::write(repo.join("task.toml"), TASK).unwrap();
    fs::write(repo.join("train.py"), "LR = 0.01\nMOMENTUM = 0.9\nDROPOUT = 0.1\nDEPTH = 4\n").unwrap();
    let program = env!("CARGO_BIN_EXE_trialdeck");
    let place = ["--studies", studies.to_str().unwrap()];
    let trialdeck = |arguments: &[&str]| {
        let out = Command::new(program).args(arguments).args(place).env("XDG_RUNTIME_DIR", dir.path()).output().unwrap();
        assert!(out.status.code().is_some_and(|code| code == 0 || code == 3), "{arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    trialdeck(&["run", repo.to_str().unwrap(), "--name", "s", "--auto", "--proposer", "random", "--trials", TRIALS]);
    // One more trial, which waits for a person: the engine stays and has nothing to do.
    trialdeck(&["run", repo.to_str().unwrap(), "--name", "s", "--detach", "--trials", "1001", "--autonomy", "ask"]);
    trialdeck(&["ctl", "s", "pause"]);
    let pty = native_pty_system().openpty(PtySize { rows: 48, cols: 160, ..PtySize::default() }).unwrap();
    let mut command = CommandBuilder::new(program);
    command.args(["attach", "s"]);
    command.args(place);
    command.env("XDG_RUNTIME_DIR", dir.path());
    command.env("TERM", "xterm-256color");
    let mut cockpit = pty.slave.spawn_command(command).unwrap();
    let drawn = Arc::new(AtomicU64::new(0));
    let (mut screen, counter) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&drawn));
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(n @ 1..) = screen.read(&mut buffer) {
            counter.fetch_add(n as u64, Ordering::Relaxed);
        }
    });
    wait_until_still(&drawn);
    let pids = [journal::owner(&studies.join("s")).unwrap().pid, cockpit.process_id().unwrap()];
    let [engine, client] = pids.map(cpu_ticks);
    let (ticks, bytes) = ((engine, client), drawn.load(Ordering::Relaxed));
    thread::sleep(IDLE);
    let [engine, client] = pids.map(|pid| (resident_mb(pid), cpu_ticks(pid)));
    // The kernel counts 100 ticks a second.
    let idle = |now: u64, before: u64| (now - before) as f64 / IDLE.as_secs_f64();
    let (engine, client) = ((engine.0, idle(engine.1, ticks.0)), (client.0, idle(client.1, ticks.1)));
    println!("engine  {:.0} MB resident, {:.1} % of a core idle", engine.0, engine.1);
    println!(
        "cockpit {:.0} MB resident, {:.1} % of a core idle, {} bytes drawn in {IDLE:?}",
        client.0,
        client.1,
        drawn.load(Ordering::Relaxed) - bytes
    );
    println!("together {:.0} MB at {TRIALS} trials", engine.0 + client.0);
    cockpit.kill().unwrap();
    trialdeck(&["stop", "s", "--now"]);
}

/// Waits until the screen has been drawn and nothing more came for two seconds, half a minute at most.
fn wait_until_still(drawn: &AtomicU64) {
    let (mut before, mut since) = (0, Instant::now());
    let begun = Instant::now();
    while (before == 0 || since.elapsed() < Duration::from_secs(2)) && begun.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(50));
        let now = drawn.load(Ordering::Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
}

fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields.get(11).unwrap().parse::<u64>().unwrap() + fields.get(12).unwrap().parse::<u64>().unwrap()
}

fn resident_mb(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let kib: f64 = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024.0 / 1e6
}
