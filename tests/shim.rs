//! The supervisor shim with the real binary and real processes: budgets, trees that hide, kills of the supervisors, limits,
//! evidence, adoption.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test file")]

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};
use trialdeck::{
    model::{Failure, Label, Tier},
    run::{Executor, Local, Observation, Sandbox, Spec, Status, Stream},
};

struct Bench {
    dir: tempfile::TempDir,
    local: Local,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("slot")).unwrap();
        Self { dir, local: Local::new(env!("CARGO_BIN_EXE_trialdeck")) }
    }

    fn run(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("run-1")
    }

    fn slot(&self) -> PathBuf {
        self.dir.path().join("slot")
    }

    fn spec(&self, command: &str) -> Spec {
        Spec {
            label: "test t0001/run-1".into(),
            command: command.into(),
            cwd: self.slot(),
            env: BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap()), ("GREETING".to_owned(), "hello".to_owned())]),
            inherit: false,
            wall_secs: 60.0,
            grace_secs: 0.5,
            memory_bytes: None,
            output_bytes: None,
            watched_dirs: vec![self.slot()],
            stall_secs: None,
            locks: Vec::new(),
            sandbox: None,
        }
    }

    fn start(&self, spec: &Spec) {
        self.local.submit(&self.run(), spec).unwrap();
    }

    fn end(&self) -> Status {
        wait_for("the status", || match self.local.observe(&self.run()) {
            Observation::Ended(status) => Some(*status),
            _ => None,
        })
    }

    fn finish(&self, spec: &Spec) -> Status {
        self.start(spec);
        self.end()
    }

    fn running(&self) -> u32 {
        wait_for("the command to run", || match self.local.observe(&self.run()) {
            Observation::Running { pid, .. } => Some(pid),
            _ => None,
        })
    }

    fn log(&self, stream: Stream) -> String {
        String::from_utf8(self.local.log(&self.run(), stream, 0, 1 << 20).unwrap().bytes).unwrap()
    }

    /// Waits until the command has written a file into the slot.
    fn file(&self, name: &str) -> String {
        let path = self.slot().join(name);
        wait_for(name, || fs::read_to_string(&path).ok().filter(|t| t.ends_with('\n')))
    }

    fn pids(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.run().join("pid.json")).unwrap()).unwrap()
    }

    fn guard(&self) -> String {
        let claim: serde_json::Value = serde_json::from_slice(&fs::read(self.run().join("claim")).unwrap()).unwrap();
        claim["guard"]["pid"].to_string()
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited 30 s for {what}");
}

fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn kill_9(pid: &str) {
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
}

fn failure(status: &Status) -> (Label, &str) {
    status.failure.as_ref().map(|f| (f.label, f.detail.as_str())).expect("a failure")
}

/// Detaches a grandchild with a session of its own, whose pid goes to `name`.
fn detached(name: &str) -> String {
    format!(
        "import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0:\n  f=open('{name}.tmp','w'); f.write(str(os.getpid())+'\\n'); f.close(); os.rename('{name}.tmp','{name}')\n  [os.close(n) for n in (0,1,2)]\n  time.sleep(1000)\n os._exit(0)\n"
    )
}

fn python(bench: &Bench, code: &str) -> String {
    fs::write(bench.slot().join("train.py"), code).unwrap();
    "python3 train.py".into()
}

#[test]
fn a_good_run_has_logs_seconds_and_memory() {
    let bench = Bench::new();
    let status = bench.finish(&bench.spec("echo $GREETING; echo oops >&2; sleep 0.3"));
    assert_eq!((status.exit_code, &status.failure), (Some(0), &None));
    assert_eq!((bench.log(Stream::Stdout).as_str(), bench.log(Stream::Stderr).as_str()), ("hello\n", "oops\n"));
    assert_eq!((status.stdout_bytes, status.stderr_bytes), (6, 5));
    assert!(status.seconds >= 0.3 && status.seconds < 5.0, "{}", status.seconds);
    assert!(status.peak_memory_bytes > 100_000, "{}", status.peak_memory_bytes);
    assert!(status.ended.seconds_since(status.started.unwrap()) < 5.0);
}

#[test]
fn the_budget_ends_a_run_with_term_and_then_with_kill() {
    let bench = Bench::new();
    let status = bench.finish(&Spec { wall_secs: 0.5, ..bench.spec("sleep 100") });
    let (label, detail) = failure(&status);
    assert_eq!(label, Label::TimedOut);
    assert!(detail.starts_with("over 0.5 s wall-clock budget; ended by TERM after"), "{detail}");

    let bench = Bench::new();
    let status = bench.finish(&Spec { wall_secs: 1.0, ..bench.spec("trap '' TERM; sleep 100; sleep 100") });
    assert_eq!(failure(&status), (Label::TimedOut, "over 1 s wall-clock budget; killed after 0.5 s of grace"));
    assert!(status.seconds < 4.0, "{}", status.seconds);
}

#[test]
fn a_child_that_hides_in_its_own_session_is_gone_with_the_run() {
    for (tail, label) in [("time.sleep(1000)\n", Some(Label::TimedOut)), ("while not os.path.exists('p'): time.sleep(.01)\n", None)] {
        let bench = Bench::new();
        let command = python(&bench, &(detached("p") + tail));
        let status = bench.finish(&Spec { wall_secs: 2.0, ..bench.spec(&command) });
        assert_eq!(status.failure.map(|f| f.label), label);
        assert!(!alive(&bench.file("p")), "the grandchild lives");
    }
}

#[test]
fn a_killed_supervisor_takes_the_whole_tree_with_it() {
    let bench = Bench::new();
    let command = python(&bench, &(detached("p") + "time.sleep(1000)\n"));
    bench.start(&bench.spec(&format!("true && {command}; true")));
    let hidden = bench.file("p");
    let command = bench.running().to_string();
    let tree = bench.local.processes(&bench.run());
    assert!(tree.contains(&hidden.trim().parse().unwrap()) && tree.contains(&command.parse().unwrap()), "{tree:?}");
    kill_9(&bench.pids()["supervisor"]["pid"].to_string());
    let status = bench.end();
    assert_eq!(failure(&status), (Label::LostSupervisor, "the supervisor was ended by SIGKILL"));
    assert!(!alive(&hidden) && !alive(&command));
}

#[test]
fn a_killed_guard_changes_nothing() {
    let bench = Bench::new();
    bench.start(&bench.spec("while ! test -e go; do sleep 0.01; done; echo done"));
    bench.running();
    kill_9(&bench.guard());
    wait_for("the guard's end", || (!alive(&bench.guard())).then_some(()));
    assert!(matches!(bench.local.observe(&bench.run()), Observation::Running { .. }));
    fs::write(bench.slot().join("go"), "").unwrap();
    assert_eq!(bench.end().failure, None);
}

#[test]
fn when_both_are_killed_the_run_is_lost_and_its_processes_are_ended() {
    let bench = Bench::new();
    let command = python(&bench, &(detached("p") + "time.sleep(1000)\n"));
    bench.start(&bench.spec(&format!("true && {command}; true")));
    let hidden = bench.file("p");
    bench.running();
    kill_9(&bench.guard());
    kill_9(&bench.pids()["supervisor"]["pid"].to_string());
    let detail = wait_for("the loss", || match bench.local.observe(&bench.run()) {
        Observation::Lost { detail } => Some(detail),
        _ => None,
    });
    assert!(detail.contains("vanished while the command ran"), "{detail}");
    wait_for("the end of the leftovers", || (!alive(&hidden)).then_some(()));
}

#[test]
fn a_directory_starts_once() {
    let bench = Bench::new();
    let spec = bench.spec("echo ran >> count; sleep 0.2");
    let path = bench.run();
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    let start = || Command::new(env!("CARGO_BIN_EXE_trialdeck")).arg("shim").arg(&path).spawn().unwrap();
    let codes: Vec<Option<i32>> = [start(), start(), start(), start()].map(|mut c| c.wait().unwrap().code()).into();
    assert_eq!(codes.iter().filter(|c| **c == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == Some(76)).count(), 3, "{codes:?}");
    bench.start(&spec);
    assert_eq!(bench.end().failure, None);
    assert_eq!(bench.file("count"), "ran\n");
}

#[test]
fn a_supervisor_that_was_started_ahead_does_nothing_until_it_is_told() {
    let bench = Bench::new();
    let waiting = || -> Vec<String> {
        let run = bench.run();
        let processes = fs::read_dir("/proc").unwrap().flatten().filter(|p| {
            let line = fs::read(p.path().join("cmdline")).unwrap_or_default();
            line.split(|b| *b == 0).any(|word| word == run.as_os_str().as_encoded_bytes())
        });
        processes.map(|p| p.file_name().to_string_lossy().into_owned()).collect()
    };
    // Let go, it is gone, and the directory is as free as before.
    let ready = bench.local.ready(&bench.run()).unwrap();
    wait_for("guard and supervisor", || (waiting().len() == 2).then_some(()));
    assert_eq!(bench.local.observe(&bench.run()), Observation::Absent);
    drop(ready);
    wait_for("their end", || waiting().is_empty().then_some(()));
    assert_eq!(bench.local.observe(&bench.run()), Observation::Absent);
    // Told, it runs, once: a second one finds the directory taken.
    let (first, second) = (bench.local.ready(&bench.run()).unwrap(), bench.local.ready(&bench.run()).unwrap());
    let spec = bench.spec("echo started >> log; cat log");
    bench.local.submit_ready(first, &spec).unwrap();
    let status = bench.end();
    assert_eq!((status.failure, status.exit_code), (None, Some(0)));
    bench.local.submit_ready(second, &spec).unwrap();
    wait_for("their end", || waiting().is_empty().then_some(()));
    assert_eq!(bench.log(Stream::Stdout), "started\n");
    assert_eq!(fs::read_to_string(bench.slot().join("log")).unwrap(), "started\n");
}

#[test]
fn a_flood_of_output_neither_blocks_nor_fills_the_disk() {
    let bench = Bench::new();
    let status = bench.finish(&Spec { output_bytes: Some(8 << 20), ..bench.spec("head -c 60000000 /dev/zero; echo end >&2") });
    assert_eq!(status.failure, None);
    assert_eq!(status.stdout_bytes, 60_000_000);
    let kept: u64 = fs::read_dir(bench.run()).unwrap().flatten().map(|e| e.metadata().unwrap().len()).sum();
    assert!(kept < 9 << 20, "{kept} bytes kept");
    assert_eq!(status.stdout_bytes - status.stdout_dropped_bytes, fs::metadata(bench.run().join("stdout.log")).unwrap().len());

    let bench = Bench::new();
    let status = bench.finish(&bench.spec("head -c 280000000 /dev/zero; printf end"));
    let kept: u64 = fs::read_dir(bench.run()).unwrap().flatten().map(|e| e.metadata().unwrap().len()).sum();
    assert!(kept <= (256 << 20) + 20_000, "{kept} bytes kept");
    let part = bench.local.log(&bench.run(), Stream::Stdout, status.stdout_bytes - 3, 10).unwrap();
    assert_eq!((part.bytes.as_slice(), part.end), (&b"end"[..], status.stdout_bytes));
}

#[test]
fn the_memory_limit_counts_the_tree() {
    let bench = Bench::new();
    let command =
        python(&bench, "import os,time\nos.fork()\nx=bytearray(90<<20)\nfor i in range(0,len(x),4096): x[i]=1\ntime.sleep(100)\n");
    let status = bench.finish(&Spec { memory_bytes: Some(150 << 20), ..bench.spec(&command) });
    let (label, detail) = failure(&status);
    assert_eq!(label, Label::OutOfMemory);
    assert!(detail.ends_with("over the limit of 150 MiB"), "{detail}");
    assert!(status.peak_memory_bytes > 150 << 20);
}

#[test]
fn files_that_grow_too_much_end_the_run() {
    for command in ["head -c 60000000 /dev/zero > big", "for i in 1 2 3 4 5 6; do head -c 10000000 /dev/zero > f$i; done; sleep 100"] {
        let bench = Bench::new();
        fs::write(bench.slot().join("before"), vec![1; 1 << 20]).unwrap();
        let status = bench.finish(&Spec { output_bytes: Some(30 << 20), ..bench.spec(command) });
        let (label, detail) = failure(&status);
        assert_eq!(label, Label::GateFailed, "{detail}");
        assert!(detail.starts_with("output_bytes: "), "{detail}");
    }
}

#[test]
fn files_that_are_hidden_from_a_count_end_the_run_too() {
    // A file without a name that is open, one that is closed and mapped, and directories below which nothing could be counted.
    let open = "import os,time\nk=[]\nfor n in range(16):\n f=open('x','wb'); os.unlink('x'); f.write(b'x'*(1<<20)); f.flush(); k.append(f)\n\
                time.sleep(1000)\n";
    let mapped = "import ctypes,os,time\nmmap=ctypes.CDLL(None).mmap\nmmap.restype=ctypes.c_void_p\nfor n in range(16):\n \
                  f=open('x','w+b'); os.unlink('x'); f.write(b'x'*(1<<20)); f.flush()\n \
                  assert mmap(None,ctypes.c_size_t(1<<20),1,1,f.fileno(),ctypes.c_long(0)) > 0; f.close()\ntime.sleep(1000)\n";
    let deep =
        "import os,time\nfor n in range(200):\n os.mkdir('d'); os.chdir('d')\nopen('x','wb').write(b'x'*(1<<20))\ntime.sleep(1000)\n";
    for (what, code, want) in [
        ("open", open, "output_bytes: files grew by "),
        ("mapped", mapped, "output_bytes: files grew by "),
        ("deep", deep, "more than 64 deep"),
    ] {
        let bench = Bench::new();
        let command = python(&bench, code);
        let status = bench.finish(&Spec { output_bytes: Some(4 << 20), grace_secs: 0.1, wall_secs: 20.0, ..bench.spec(&command) });
        let (label, detail) = failure(&status);
        assert!(label == Label::GateFailed && detail.contains(want), "{what}: {label:?} {detail}");
    }
}

#[test]
fn what_holds_the_namespaces_leads_to_no_file_of_the_supervisors() {
    let bench = Bench::new();
    let root = bench.dir.path().canonicalize().unwrap();
    let program = root.join("trialdeck");
    fs::copy(env!("CARGO_BIN_EXE_trialdeck"), &program).unwrap();
    let (run, slot) = (bench.run(), root.join("slot"));
    fs::create_dir(&run).unwrap();
    let command = "readlink /proc/1/fd/0; (: >> /proc/1/fd/0) && echo opened; true";
    let sandbox = Sandbox {
        tier: Tier::A,
        read: Vec::new(),
        write: vec![slot.clone()],
        network: false,
        processes: 1000,
        shared_memory_bytes: 1 << 20,
        ..Sandbox::none()
    };
    let spec = Spec { sandbox: Some(sandbox), cwd: slot.clone(), watched_dirs: vec![slot], ..bench.spec(command) };
    fs::write(run.join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    // Where runs have a user of their own the holder is root's and closed to them: it is the same user's that must not help.
    let mut shim = if rustix::process::geteuid().is_root() {
        assert!(Command::new("chown").args(["-R", "65534:65534"]).arg(&root).status().unwrap().success());
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    assert!(shim.arg("shim").arg(&run).current_dir("/").status().unwrap().success());
    let status = bench.end();
    if status.failure.as_ref().is_some_and(|f| f.detail.contains("the sandbox could not be entered")) {
        return eprintln!("skipped: {}", status.failure.unwrap().detail);
    }
    assert_eq!((status.exit_code, &status.failure), (Some(0), &None));
    let said = bench.log(Stream::Stdout);
    assert!(!said.contains("opened") && !said.contains("entered") && !run.join("entered").exists(), "{said}");
}

#[test]
fn the_right_to_look_through_closed_directories_opens_no_keys() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root has that right to give");
    }
    for tier in [Tier::A, Tier::B] {
        let bench = Bench::new();
        let root = bench.dir.path().canonicalize().unwrap();
        let (slot, library) = (root.join("slot"), root.join("library"));
        fs::create_dir_all(library.join(".ssh")).unwrap();
        for name in ["module", ".env", ".ssh/known"] {
            fs::write(library.join(name), format!("text of {name}\n")).unwrap();
        }
        assert!(Command::new("chmod").args(["-R", "go=", &library.to_string_lossy()]).status().unwrap().success());
        assert!(Command::new("chown").arg("65533").arg(&slot).status().unwrap().success());
        let masked = trialdeck::run::sandbox::masks(std::slice::from_ref(&library)).unwrap();
        let sandbox = Sandbox {
            tier,
            user: Some(65_533),
            reach: true,
            masked: masked.into_iter().filter(|m| m.starts_with(&library)).collect(),
            read: vec![library.clone()],
            write: vec![slot.clone()],
            network: false,
            processes: 1000,
            shared_memory_bytes: 1 << 20,
            ..Sandbox::none()
        };
        let at = library.display();
        let command = format!("cat {at}/module; cat {at}/.env; cat {at}/.ssh/known; ls {at} >names; true");
        let status = bench.finish(&Spec { sandbox: Some(sandbox), cwd: slot.clone(), ..bench.spec(&command) });
        if status.failure.as_ref().is_some_and(|f| f.detail.contains("the sandbox could not be entered")) {
            eprintln!("{tier} is skipped: {}", status.failure.unwrap().detail);
            continue;
        }
        assert_eq!((status.exit_code, &status.failure), (Some(0), &None), "{tier}");
        assert_eq!(bench.log(Stream::Stdout), "text of module\n", "{tier}: {}", bench.log(Stream::Stderr));
        assert_eq!(fs::read_to_string(slot.join("names")).unwrap(), "module\n", "{tier}: {}", bench.log(Stream::Stderr));
    }
}

#[test]
fn silence_without_work_is_a_stall_and_work_without_output_is_none() {
    let bench = Bench::new();
    let status = bench.finish(&Spec { stall_secs: Some(0.6), ..bench.spec("sleep 100") });
    assert_eq!(failure(&status).0, Label::Stalled);
    let bench = Bench::new();
    let command = python(&bench, "import time\nend=time.time()+2\nwhile time.time()<end: pass\n");
    assert_eq!(bench.finish(&Spec { stall_secs: Some(0.6), ..bench.spec(&command) }).failure, None);
}

#[test]
fn the_evidence_of_a_crash() {
    for (command, label, detail) in [
        ("python3 -c 'raise ValueError(\"x\")'", Label::Crashed, "ValueError: x (exit code 1)"),
        ("nosuchprogram --flag", Label::Crashed, "command not found: nosuchprogram (exit code 127)"),
        ("kill -SEGV $$", Label::Crashed, "SIGSEGV, nothing on stderr"),
        ("python3 -c 'raise MemoryError'", Label::OutOfMemory, "MemoryError (exit code 1)"),
        ("exit 3", Label::Crashed, "exit code 3, nothing on stderr"),
    ] {
        let bench = Bench::new();
        let status = bench.finish(&bench.spec(command));
        assert_eq!(failure(&status), (label, detail), "{command}");
    }
    let bench = Bench::new();
    let status = bench.finish(&Spec { cwd: bench.dir.path().join("gone"), ..bench.spec("true") });
    assert_eq!(failure(&status).0, Label::Infrastructure);
}

#[test]
fn nothing_of_the_shell_reaches_a_run() {
    let bench = Bench::new();
    fs::create_dir_all(bench.run()).unwrap();
    fs::write(bench.run().join("spec.json"), serde_json::to_vec(&bench.spec("env; ls -l /proc/self/fd >&2")).unwrap()).unwrap();
    let mut shim = Command::new(env!("CARGO_BIN_EXE_trialdeck"));
    shim.arg("shim").arg(bench.run()).env("OPENAI_API_KEY", "sk-canary").env("SSH_AUTH_SOCK", "/nowhere");
    assert!(shim.status().unwrap().success());
    assert_eq!(bench.end().failure, None);
    let log = bench.log(Stream::Stdout);
    let mut names: Vec<&str> =
        log.lines().filter_map(|l| l.split_once('=')).map(|(n, _)| n).filter(|n| *n != "_" && *n != "SHLVL").collect();
    names.sort_unstable();
    assert_eq!(names, ["GREETING", "PATH", "PWD", "TRIALDECK_RUN"]);
    // What the shell gave this test without close-on-exec goes through; of ours nothing does.
    let inherited = fs::read_dir("/proc/self/fdinfo").unwrap().flatten().filter(|entry| {
        let info = fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = info.lines().find_map(|l| l.strip_prefix("flags:")).and_then(|f| u32::from_str_radix(f.trim(), 8).ok());
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        number > 2 && flags.is_some_and(|f| f & 0o2_000_000 == 0)
    });
    let (descriptors, inherited) = (bench.log(Stream::Stderr), inherited.count());
    assert!(descriptors.lines().count() <= 5 + inherited, "a descriptor leaks into the run: {descriptors}");
}

#[test]
fn a_cancel_ends_the_run_with_its_reason() {
    let bench = Bench::new();
    bench.start(&bench.spec("sleep 100"));
    bench.running();
    let why = Failure::new(Label::Killed, "by a person");
    bench.local.cancel(&bench.run(), &why).unwrap();
    assert_eq!(bench.end().failure, Some(why.clone()));

    let bench = Bench::new();
    bench.local.cancel(&bench.run(), &why).unwrap();
    let status = bench.finish(&bench.spec("touch ran"));
    assert_eq!((status.failure, status.pid), (Some(why), None));
    assert!(!bench.slot().join("ran").exists());
}

#[test]
fn a_second_executor_adopts_what_the_first_started() {
    let bench = Bench::new();
    assert_eq!(bench.local.observe(&bench.run()), Observation::Absent);
    bench.start(&bench.spec("while ! test -e go; do sleep 0.01; done; exit 4"));
    let pid = bench.running();
    let second = Local::new("/nonexistent");
    assert!(matches!(second.find(&bench.run()), Observation::Running { pid: p, .. } if p == pid));
    second.submit(&bench.run(), &bench.spec("touch twice")).unwrap();
    fs::write(bench.slot().join("go"), "").unwrap();
    assert_eq!(bench.end().exit_code, Some(4));
    assert!(!bench.slot().join("twice").exists());
}

#[test]
fn a_stranger_with_the_same_pid_is_not_the_run_and_is_never_signalled() {
    let bench = Bench::new();
    let mut stranger = Command::new("sleep").arg("100").spawn().unwrap();
    let id = serde_json::json!({"pid": stranger.id(), "start": 1});
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::create_dir_all(bench.run()).unwrap();
    let write = |name: &str, value: serde_json::Value| fs::write(bench.run().join(name), value.to_string()).unwrap();
    write("claim", serde_json::json!({"guard": id, "boot_id": boot.trim()}));
    write("pid.json", serde_json::json!({"supervisor": id, "command": {"id": id, "started": 1}}));
    assert!(matches!(bench.local.observe(&bench.run()), Observation::Lost { .. }));
    assert!(alive(&stranger.id().to_string()));
    write("claim", serde_json::json!({"guard": id, "boot_id": "another"}));
    assert_eq!(bench.local.observe(&bench.run()), Observation::Rebooted);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_run_waits_for_a_gpu_that_another_one_holds() {
    let (first, second) = (Bench::new(), Bench::new());
    let lock = vec![first.dir.path().join("GPU-1.lock")];
    first.start(&Spec { locks: lock.clone(), ..first.spec("while ! test -e go; do sleep 0.01; done") });
    first.running();
    second.start(&Spec { locks: lock, ..second.spec("true") });
    let words = wait_for("the note", || match second.local.observe(&second.run()) {
        Observation::Starting { waiting_for } => waiting_for,
        _ => None,
    });
    assert!(words.starts_with("GPU-1 is held by test t0001/run-1, supervisor pid"), "{words}");
    fs::write(first.slot().join("go"), "").unwrap();
    assert_eq!(second.end().failure, None);
}

#[test]
fn the_start_is_quick() {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let bench = Bench::new();
            let begin = Instant::now();
            bench.start(&bench.spec("echo started; sleep 0.05"));
            wait_for("the first line", || (!bench.log(Stream::Stdout).is_empty()).then_some(()));
            let took = begin.elapsed();
            bench.end();
            took
        })
        .collect();
    times.sort();
    // The figure is 40 ms with a release build on a quiet machine; this only catches a sleep on the way.
    assert!(times[4] < Duration::from_millis(400), "{times:?}");
    eprintln!("submit to first output: median {:?}, all {times:?}", times[4]);
}
