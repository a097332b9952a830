//! Builds the environment of the runs, or finds it in the cache, and runs the evaluator's preparation in it. After a restart
//! it adopts what it finds: an attempt has a directory of its own, and a directory starts at most once.

use super::{Shared, look};
use crate::engine::environment::{self, Place};
use crate::engine::inference;
use crate::engine::machine::{Input, SetupEnd};
use crate::engine::rig::Rig;
use crate::model::{Failure, Label, TrialId};
use crate::protocol::Signal;
use crate::run::{Executor, Observation, Status, Stream, setup};
use std::{fs, future::Future, path::Path, sync::Arc, time::Duration};
use tokio::sync::{broadcast, watch};

/// How often a command is looked at.
const LOOK: Duration = Duration::from_millis(40);
/// How often its log is looked at.
const LOG_EVERY: u32 = 5;
/// Before an attempt that a hiccup of the network ended is repeated.
const BREATH: Duration = Duration::from_secs(3);
/// Bytes of a log's end that are read when it failed.
const LOG_END: u64 = 64 << 10;
/// Lines of it that are kept.
const LINES: usize = 8;

/// An attempt as the machine wants it.
pub(in crate::engine) struct Attempt {
    pub(in crate::engine) number: u32,
    pub(in crate::engine) repeats: bool,
}

/// Sees one attempt at the setup through; returns the report of its end.
pub(in crate::engine) async fn setup<F: Future<Output = ()>>(
    rig: Arc<Rig>,
    study: Shared,
    attempt: Attempt,
    mut kill: watch::Receiver<Option<String>>,
    signals: broadcast::Sender<Arc<Signal>>,
    tell: impl Fn(Input) -> F,
) -> Input {
    let number = attempt.number;
    let machine = |detail: String| SetupEnd { failure: Some(Failure::new(Label::Infrastructure, detail)), ..SetupEnd::default() };
    let end = match begin(&rig, &study, &attempt, &mut kill).await {
        Err(end) => *end,
        Ok(place) => {
            let dir = rig.layout.setup_attempt(number);
            let started = |waiting| tell(Input::SetupStarted { attempt: number, hash: place.hash.clone(), waiting });
            started(None).await;
            let observed = observe(&rig, &dir, &mut kill, &signals, started).await;
            let (ending, at, log_dir) = (Arc::clone(&rig), place.clone(), dir);
            let ended = tokio::task::spawn_blocking(move || ended(&ending, &at, &log_dir, observed)).await;
            ended.unwrap_or_else(|e| machine(e.to_string()))
        }
    };
    Input::SetupEnded { attempt: number, end }
}

/// Starts the attempt unless an earlier engine did.
async fn begin(
    rig: &Arc<Rig>,
    study: &Shared,
    attempt: &Attempt,
    kill: &mut watch::Receiver<Option<String>>,
) -> Result<Place, Box<SetupEnd>> {
    let fail = |label, detail: String| Box::new(SetupEnd { failure: Some(Failure::new(label, detail)), ..SetupEnd::default() });
    let dir = rig.layout.setup_attempt(attempt.number);
    if let (false, Some(place)) = (matches!(rig.executor.find(&dir), Observation::Absent), Place::read(&dir)) {
        return Ok(place);
    }
    if attempt.repeats {
        let _ = tokio::time::timeout(BREATH, kill.wait_for(Option::is_some)).await;
    }
    if let Some(why) = kill.borrow().clone() {
        return Err(fail(Label::Killed, why));
    }
    let (tree, name) = look(study, |s| (s.trial(TrialId::BASELINE).and_then(|t| t.tree.clone()), s.name.clone()));
    let rig = Arc::clone(rig);
    let submitted = tokio::task::spawn_blocking(move || submit(&rig, &dir, &tree.unwrap_or_default(), &name)).await;
    match submitted {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(error)) => Err(fail(Label::Infrastructure, format!("[setup] could not be started: {error:#}"))),
        Err(error) => Err(fail(Label::Infrastructure, error.to_string())),
    }
}

fn submit(rig: &Rig, dir: &Path, tree: &str, study: &str) -> anyhow::Result<Place> {
    let command = rig.task.setup.as_ref().map(|s| s.command.clone()).unwrap_or_default();
    let content = environment::content(&rig.store(), tree, &command, &rig.path)?;
    let place = Place::choose(rig.cache.as_deref(), &rig.layout, setup::key(&content));
    // A checkout that an earlier engine did not finish.
    let checkout = dir.join("tree");
    if checkout.exists() {
        fs::remove_dir_all(&checkout)?;
    }
    fs::create_dir_all(dir)?;
    rig.store().export_dir(tree, &checkout)?;
    place.write(dir)?;
    let spec = environment::setup_spec(rig, study, dir, &place)?.ok_or_else(|| anyhow::anyhow!("the task has no [setup]"))?;
    rig.executor.submit_with(dir, &spec, &rig.private)?;
    Ok(place)
}

/// Waits for the end of a command, passing on a wish to kill, the growth of its log and what it waits for.
async fn observe<F: Future<Output = ()>>(
    rig: &Rig,
    dir: &Path,
    kill: &mut watch::Receiver<Option<String>>,
    signals: &broadcast::Sender<Arc<Signal>>,
    started: impl Fn(Option<String>) -> F,
) -> Result<Box<Status>, Failure> {
    let (mut asked, mut before, mut log, mut looks) = (false, None, 0, 0_u32);
    loop {
        if !asked && let Some(why) = kill.borrow_and_update().clone() {
            asked = true;
            rig.executor.cancel(dir, &Failure::new(Label::Killed, why)).map_err(|e| Failure::new(Label::Infrastructure, e.to_string()))?;
        }
        let waiting = match rig.executor.observe(dir) {
            Observation::Ended(status) => return Ok(status),
            Observation::Lost { detail } => return Err(Failure::new(Label::LostSupervisor, detail)),
            Observation::Rebooted => return Err(Failure::new(Label::Infrastructure, "the machine was restarted while it ran")),
            Observation::Starting { waiting_for } => waiting_for.map(|words| holder(&words)),
            Observation::Absent | Observation::Running { .. } => None,
        };
        if waiting != before {
            started(waiting.clone()).await;
            before = waiting;
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOG_EVERY) && signals.receiver_count() > 0 {
            let (bytes, text) = log_end(rig, dir, Stream::Stdout, 2 << 10);
            if bytes > log {
                log = bytes;
                let last = setup::last_lines(&text, 1).pop().unwrap_or_default();
                let _ = signals.send(Arc::new(Signal::SetupLog { bytes, last }));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            changed = kill.changed() => {
                if changed.is_err() {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }
}

/// `HASH is held by study a, setup, supervisor pid 7`, for people.
fn holder(words: &str) -> String {
    let who = words.split_once(" is held by ").map_or(words, |(_, who)| who);
    format!("the same is being built by {who}")
}

fn log_end(rig: &Rig, dir: &Path, stream: Stream, most: u64) -> (u64, String) {
    let end = rig.executor.log(dir, stream, u64::MAX, 0).map_or(0, |part| part.end);
    let part = rig.executor.log(dir, stream, end.saturating_sub(most), usize::try_from(most).unwrap_or(0));
    (end, part.map(|p| String::from_utf8_lossy(&p.bytes).into_owned()).unwrap_or_default())
}

fn ended(rig: &Rig, place: &Place, dir: &Path, observed: Result<Box<Status>, Failure>) -> SetupEnd {
    for ours in ["tree", "tmp", "home"] {
        let _ = fs::remove_dir_all(dir.join(ours));
    }
    let wall = rig.task.setup.as_ref().map(|s| s.wall).unwrap_or_default();
    let (seconds, exit_code, failure) = match observed {
        Ok(status) => (status.seconds, status.exit_code, status.failure),
        Err(failure) => (0.0, None, Some(failure)),
    };
    let (_, log) = log_end(rig, dir, Stream::Stdout, LOG_END);
    let failed = |failure: Failure| SetupEnd {
        seconds,
        hiccup: failure.label == Label::Crashed && setup::hiccup(&log),
        failure: Some(Failure::new(failure.label, setup::words("[setup]", &failure, exit_code, wall, seconds, &log))),
        tail: setup::last_lines(&log, LINES),
        ..SetupEnd::default()
    };
    if let Some(failure) = failure {
        return failed(failure);
    }
    if let Err(error) = rig.layout.link_setup(&place.hash, &place.dir) {
        return failed(Failure::new(Label::Infrastructure, format!("{} cannot be linked into the study: {error}", place.dir.display())));
    }
    if !rig.find_setup(&place.hash) {
        return failed(Failure::new(Label::Infrastructure, format!("{} vanished", place.dir.display())));
    }
    SetupEnd { seconds, cached: dir.join(setup::CACHED).exists(), ..SetupEnd::default() }
}

/// Runs the evaluator's preparation and seals the evaluator.
pub(in crate::engine) async fn prepare(
    rig: Arc<Rig>,
    study: Shared,
    mut kill: watch::Receiver<Option<String>>,
    signals: broadcast::Sender<Arc<Signal>>,
) -> Input {
    let seed = look(&study, |s| s.settings.seed);
    let dir = rig.pristine.prepare_dir();
    let command = rig.task.evaluator.prepare.clone().unwrap_or_default();
    let failed = |label, detail: String| SetupEnd { failure: Some(Failure::new(label, detail)), ..SetupEnd::default() };
    if matches!(rig.executor.find(&dir), Observation::Absent) {
        let submitted = environment::prepare_spec(&rig.pristine, &rig.task.task.name, &command, rig.programs(), seed)
            .and_then(|spec| Ok(rig.executor.submit(&dir, &spec)?));
        if let Err(error) = submitted {
            return Input::SetupPrepared { end: failed(Label::Infrastructure, format!("[evaluator] prepare: {error:#}")) };
        }
    }
    let observed = observe(&rig, &dir, &mut kill, &signals, |_| std::future::ready(())).await;
    let prepared = tokio::task::spawn_blocking(move || prepared(&rig, &dir, &command, observed)).await;
    Input::SetupPrepared { end: prepared.unwrap_or_else(|e| failed(Label::Infrastructure, e.to_string())) }
}

fn prepared(rig: &Rig, dir: &Path, command: &str, observed: Result<Box<Status>, Failure>) -> SetupEnd {
    let (seconds, exit_code, failure) = match observed {
        Ok(status) => (status.seconds, status.exit_code, status.failure),
        Err(failure) => (0.0, None, Some(failure)),
    };
    let what = format!("[evaluator] prepare `{command}`");
    let Some(failure) = failure else {
        let sealed = inference::inputs_there(&rig.task, &rig.pristine).and_then(|()| Ok(rig.pristine.seal()?));
        let failure = sealed.err().map(|e| Failure::new(Label::Infrastructure, format!("{what}: {e:#}")));
        return SetupEnd { seconds, failure, evaluator: rig.pristine.digest(), ..SetupEnd::default() };
    };
    let streams = [Stream::Stdout, Stream::Stderr].map(|s| log_end(rig, dir, s, LOG_END).1);
    let log = streams.concat();
    // The next try begins with nothing of this one; its logs stay beside.
    let aside = dir.with_extension("failed");
    let _ = fs::remove_dir_all(&aside).and_then(|()| fs::rename(dir, &aside)).or_else(|_| fs::rename(dir, &aside));
    for made in ["public", "hidden"] {
        let _ = fs::remove_dir_all(rig.pristine.tree().join(made));
    }
    SetupEnd {
        seconds,
        failure: Some(Failure::new(failure.label, setup::words(&what, &failure, exit_code, Duration::from_secs(600), seconds, &log))),
        tail: setup::last_lines(&log, LINES),
        ..SetupEnd::default()
    }
}
