//! The second stage: starts the command, keeps its limits, takes its logs, ends its whole tree and writes the status.

use super::{
    Claim, CommandId, EXIT_BROKEN, PidFile, RUN_VARIABLE, budget, exec, files, gpu_gate, gpu_lock, guard, limits, own_program, say, tree,
};
use crate::{
    model::{Failure, Label, Tier, redact},
    run::{
        Spec, Status, Stream,
        capture::{Caps, Capture, Counters},
        durable::{self, Keep},
        evidence, local, names,
        process::{self, Identity},
        sandbox,
        status_file::Slot,
        time::{boottime, now},
    },
};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, atomic::AtomicBool, mpsc},
    thread,
    time::Duration,
};

/// Between two tries for a GPU.
const GPU_TICK: Duration = Duration::from_millis(100);
/// A disk with less room than this is full.
const DISK_FULL: u64 = 16 << 20;
/// Longest wait for a log's end after all writers should be gone.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Sees one run from its start to its status.
pub(super) fn run(dir: &Path) -> i32 {
    guard::ignore_signals();
    let asked_to_end = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGTERM, asked_to_end.clone());
    if super::word::wait().is_none() {
        return 0;
    }
    match supervise(dir, &asked_to_end) {
        Ok(()) => 0,
        Err(error) => {
            say(&error.to_string());
            tree::end_all(&mut |_, _| {});
            let failure = Failure::new(Label::Infrastructure, format!("the supervisor gave up: {error}"));
            let status = Status { failure: Some(failure), ..Status::unstarted(process::boot_id()) };
            match Slot::preallocate(&dir.join(names::STATUS)).and_then(|mut slot| slot.write(&status)) {
                Ok(()) => 0,
                Err(_) => EXIT_BROKEN,
            }
        }
    }
}

fn supervise(dir: &Path, asked_to_end: &AtomicBool) -> io::Result<()> {
    let claim: Claim = durable::read_json(&dir.join(names::CLAIM)).ok_or_else(|| io::Error::other("the claim is not readable"))?;
    let spec: Spec = durable::read_json(&dir.join(names::SPEC)).ok_or_else(|| io::Error::other("spec.json is not readable"))?;
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let own = Identity::own();
    let pid_path = dir.join(names::PID);
    durable::write_json(&pid_path, &PidFile { supervisor: own, command: None }, Keep::Whole)?;
    // Without its guard this would be a second run of a directory that may already be given up.
    let parent = rustix::process::getppid().map(|p| p.as_raw_nonzero().get());
    if parent != i32::try_from(claim.guard.pid).ok() {
        return Err(io::Error::other("the guard is gone; nothing was started"));
    }
    let starting = start(dir, &spec);
    let status_path = dir.join(names::STATUS);
    let mut slot = Slot::preallocate(&status_path)?;
    let mut status = Status::unstarted(claim.boot_id);

    let ready = wait_for_gpus(dir, &spec, asked_to_end).and_then(|locks| Ok((locks, starting?)));
    let (locks, (mut child, mut word)) = match ready {
        Ok(ready) => ready,
        // What waits for its release goes when that cannot come any more.
        Err(failure) => {
            status.failure = Some(failure);
            return slot.write(&status);
        }
    };
    // What a run before this one left, if both of its supervisors were killed.
    let user = spec.sandbox.as_ref().and_then(|s| s.user);
    let leftovers = user.map(|user| thread::spawn(move || sandbox::end_leftovers(user)));
    let group = spec.sandbox.as_ref().and_then(|s| sandbox::Group::make(&local::mark(dir), spec.memory_bytes, s.processes));
    let counters = Counters::new(spec.output_bytes.unwrap_or(u64::MAX).max(budget::LOG_FLOOR));
    let captures = [Stream::Stdout, Stream::Stderr].map(|s| Capture::create(dir, s, Caps::USUAL, counters.clone()));
    let files = files::Files::watch(&spec);
    let oom_before = process::oom_kills();
    // Whatever they are, they are gone before the command of the same user starts.
    let _ = leftovers.map(thread::JoinHandle::join);
    let begin = boottime();
    // Where it has died meanwhile, its end says so.
    let _ = exec::release(&word, group.as_ref());
    let id = Identity::of(child.id()).unwrap_or(Identity { pid: child.id(), start: 0 });
    let command = CommandId { id, started: now() };
    (status.pid, status.pid_start, status.started) = (Some(id.pid), Some(id.start), Some(command.started));
    durable::write_json(&pid_path, &PidFile { supervisor: own, command: Some(command) }, Keep::Whole)?;
    let drained = drain(captures, &mut child, &spec);
    slot.sync(&status_path)?;

    let mut watch =
        budget::Watch { dir, spec: &spec, begin, asked_to_end, counters: &counters, files: &files, meter: limits::Meter::new(&spec) };
    let (end, ending) = watch.until_end(id);
    let peak = watch.meter.peak;
    status.seconds = boottime().saturating_sub(begin).as_secs_f64();
    let mut clean = tree::end_all(&mut |_, _| {});
    clean &= group.as_ref().is_none_or(sandbox::Group::end);
    if let Some(user) = user {
        clean &= sandbox::end_leftovers(user);
    }
    let mut stderr = Vec::new();
    for (stream, last) in (0..2).filter_map(|_| drained.recv_timeout(LOG_PATIENCE).ok()) {
        if stream == Stream::Stderr {
            stderr = last;
        }
    }
    status.file_bytes = files.finish();
    status.peak_memory_bytes = peak;
    (status.exit_code, status.signal) = end.map_or((None, None), |e| (e.exit_status(), e.terminating_signal()));
    status.failure = match ending {
        Some(ending) => Some(ending.words(&spec)),
        None if spec.sandbox.is_some() && !entered(dir, &spec, &mut word) => Some(not_entered(&stderr)),
        None => judge(&stderr, &spec, &status, process::oom_kills() > oom_before),
    };
    if !clean {
        let failure = status.failure.get_or_insert_with(|| Failure::new(Label::Infrastructure, "the command ended"));
        failure.detail.push_str("; some of its processes did not end");
    }
    let [out, err] = [Stream::Stdout, Stream::Stderr].map(|s| counters.of(s));
    (status.stdout_bytes, status.stdout_dropped_bytes) = out;
    (status.stderr_bytes, status.stderr_dropped_bytes) = err;
    status.ended = now();
    drop(locks);
    slot.write(&status)
}

/// Waits until all GPUs are free and hold no memory that is nobody's; says in a file what it waits for.
fn wait_for_gpus(dir: &Path, spec: &Spec, asked_to_end: &AtomicBool) -> Result<Vec<File>, Failure> {
    let note = dir.join(names::WAITING);
    let (mut said, mut looks) = (String::new(), 0);
    let mut say_once = |words: String| {
        if words != said {
            let _ = durable::write(&note, words.as_bytes(), Keep::Whole);
            said = words;
        }
    };
    loop {
        if let Some(why) = budget::wish(dir, asked_to_end) {
            return Err(why);
        }
        match gpu_lock::try_all(&spec.locks, &format!("{}, supervisor pid {}", spec.label, std::process::id())) {
            Ok(gpu_lock::Try::Held(locks)) => {
                let Some(held) = gpu_gate::look(&spec.locks) else {
                    let _ = fs::remove_file(&note);
                    return Ok(locks);
                };
                looks += 1;
                if looks >= gpu_gate::LOOKS {
                    say_once(held);
                }
                drop(locks);
                thread::sleep(GPU_TICK * 5);
            }
            Ok(gpu_lock::Try::Busy(words)) => {
                say_once(words);
                thread::sleep(GPU_TICK);
            }
            Err(error) => return Err(Failure::new(Label::Infrastructure, format!("could not lock a GPU's file: {error}"))),
        }
    }
}

/// Starts the last stage, which gets ready and waits for its release: a program takes its time to load. The release goes through
/// its standard input, and in tier A its word that it is inside comes back there.
fn start(dir: &Path, spec: &Spec) -> Result<(Child, UnixStream), Failure> {
    if !spec.cwd.is_dir() {
        return Err(Failure::new(Label::Infrastructure, format!("the working directory {} is not there", spec.cwd.display())));
    }
    let not_started = |error: io::Error| Failure::new(Label::Infrastructure, format!("the command could not be started: {error}"));
    // What holds the namespaces of tier A keeps this open, and has the run's own user perhaps: a file or a pipe could be opened again
    // by its way through /proc, a socket cannot, and the last stage shuts it.
    let (ours, theirs) = UnixStream::pair().map_err(not_started)?;
    let mut command = Command::new(own_program());
    if !spec.inherit {
        command.env_clear();
    }
    command
        .arg0("trialdeck")
        .args(["shim", "--exec"])
        .arg(dir)
        .envs(&spec.env)
        .env(RUN_VARIABLE, local::mark(dir))
        .current_dir(&spec.cwd)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map(|child| (child, ours))
        .map_err(not_started)
}

/// Takes both logs in threads; each hands over the end of its stream.
fn drain(captures: [io::Result<Capture>; 2], child: &mut Child, spec: &Spec) -> mpsc::Receiver<(Stream, Vec<u8>)> {
    // Made in their threads: the command does not wait for it.
    let env = spec.env.clone();
    let redactor = Arc::new(LazyLock::new(move || redact::ours_and(&env)));
    let (done, drained) = mpsc::channel();
    let pipes = [(Stream::Stdout, child.stdout.take().map(OwnedFd::from)), (Stream::Stderr, child.stderr.take().map(OwnedFd::from))];
    for (capture, (stream, pipe)) in captures.into_iter().zip(pipes) {
        let Some(mut pipe) = pipe.map(File::from) else { continue };
        let done = done.clone();
        let redactor = Arc::clone(&redactor);
        thread::spawn(move || {
            let last = match capture {
                Ok(capture) => capture.drain(pipe, &redactor, quiet),
                // The log cannot be written; the command must not block on it.
                Err(error) => {
                    say(&format!("a log cannot be written: {error}"));
                    let _ = io::copy(&mut pipe, &mut io::sink());
                    Vec::new()
                }
            };
            let _ = done.send((stream, last));
        });
    }
    drained
}

/// Whether nothing is to be read from a pipe for a moment.
fn quiet(pipe: &File) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let moment = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&moment)) == Ok(0)
}

/// Why the command failed when nobody ended it.
fn judge(stderr: &[u8], spec: &Spec, status: &Status, kernel_oom: bool) -> Option<Failure> {
    let end = evidence::End {
        exit_code: status.exit_code,
        signal: status.signal,
        peak_memory_bytes: status.peak_memory_bytes,
        kernel_oom,
        output_bytes: spec.output_bytes,
    };
    match evidence::failure(&end, stderr) {
        Some(failure) if failure.detail.contains("No space left on device") && disk_full(&spec.cwd) => {
            Some(Failure::new(Label::Infrastructure, format!("the disk is full: {}", failure.detail)))
        }
        Some(failure) => Some(failure),
        None => spec.output_bytes.filter(|limit| status.file_bytes > *limit).map(|limit| files::too_much(status.file_bytes, limit)),
    }
}

/// Whether the command was in its sandbox; nothing that runs inside can pretend it was not.
fn entered(dir: &Path, spec: &Spec, word: &mut UnixStream) -> bool {
    if spec.sandbox.as_ref().is_some_and(|s| s.tier == Tier::A) {
        return word.set_nonblocking(true).is_ok() && word.read(&mut [0]).is_ok_and(|n| n == 1);
    }
    fs::metadata(dir.join(names::ENTERED)).is_ok_and(|meta| meta.len() > 0)
}

fn not_entered(stderr: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(stderr);
    let why = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
    let why = why.trim_start_matches("trialdeck shim: ");
    Failure::new(Label::Infrastructure, format!("the sandbox could not be entered: {}", crate::model::Safe::line(why)))
}

fn disk_full(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|s| s.f_bavail.saturating_mul(s.f_frsize) < DISK_FULL)
}
