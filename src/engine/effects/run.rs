//! Runs a tree on a slot until it has ended and its artifacts are collected. After a restart it adopts what it finds.

use super::inference;
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::lineage::Record;
use crate::model::{Failure, Label, RunId};
use crate::run::{Executor, Observation, Spec, Status};
use std::{
    future::Future,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How often a run is looked at: a status file is read, nothing more.
const LOOK: Duration = Duration::from_millis(40);

/// One run as the machine wants it.
pub(in crate::engine) struct Plan {
    pub(in crate::engine) run: RunId,
    pub(in crate::engine) seed: u64,
    pub(in crate::engine) slot: u32,
    pub(in crate::engine) tree: String,
}

/// Sees a run through; returns the report of its end.
pub(in crate::engine) async fn run<F: Future<Output = ()>>(
    rig: Arc<Rig>,
    plan: Plan,
    mut kill: watch::Receiver<Option<String>>,
    tell: impl Fn(Input) -> F,
) -> Input {
    let run = plan.run;
    match see_through(&rig, &plan, &mut kill, &tell).await {
        Ok(status) => {
            let crossed = match status.failure.clone() {
                Some(failure) => Err(failure),
                None => inference::crossed(&rig, &plan, &mut kill).await,
            };
            let (artifacts, failure) = crossed.map_or_else(|f| (None, Some(without_room(&rig, f))), |digest| (digest, None));
            // A large log is not for the loop.
            let reading = Arc::clone(&rig);
            let self_reported = tokio::task::spawn_blocking(move || reading.self_reported(run)).await.unwrap_or_default();
            let (seconds, peak_memory_bytes) = (status.seconds, status.peak_memory_bytes);
            Input::Ended { run, seconds, peak_memory_bytes, self_reported, failure, artifacts }
        }
        Err((failure, seconds)) => {
            let self_reported = rig.self_reported(run);
            Input::Ended { run, seconds, peak_memory_bytes: 0, self_reported, failure: Some(failure), artifacts: None }
        }
    }
}

/// A program that crashed on a full disk shows nothing about its code.
fn without_room(rig: &Rig, failure: Failure) -> Failure {
    match failure.label {
        Label::Crashed | Label::EvalFailed if !rig.has_room() => {
            Failure::new(Label::Infrastructure, format!("the disk was full: {}", failure.detail))
        }
        _ => failure,
    }
}

async fn see_through<F: Future<Output = ()>>(
    rig: &Arc<Rig>,
    plan: &Plan,
    kill: &mut watch::Receiver<Option<String>>,
    tell: &impl Fn(Input) -> F,
) -> Result<Box<Status>, (Failure, f64)> {
    let dir = rig.layout.run(plan.run);
    let record = if matches!(rig.executor.find(&dir), Observation::Absent) { start(rig, plan, &dir, kill).await? } else { None };
    rig.watch(plan.run, plan.slot);
    // Not before the command runs: they would take the processor from one another.
    let unsaved = Unsaved::new(record);
    let tell_and_save = |input| {
        unsaved.save();
        tell(input)
    };
    let ended = observe(rig, &dir, kill, Some((plan.run, &tell_and_save))).await;
    // The rest of its output is read, and its slot's record written, before the slot is given away.
    unsaved.save();
    let (finishing, run) = (Arc::clone(rig), plan.run);
    let _ = tokio::task::spawn_blocking(move || finishing.watcher.finish(run)).await;
    unsaved.saved().await;
    ended.map_err(|failure| (failure, 0.0))
}

/// The record of a slot's files, written beside the run. One that cannot be written costs time and nothing else.
struct Unsaved {
    record: Mutex<Option<Record>>,
    saving: Mutex<Option<tokio::task::JoinHandle<std::io::Result<()>>>>,
}

impl Unsaved {
    fn new(record: Option<Record>) -> Self {
        Self { record: Mutex::new(record), saving: Mutex::new(None) }
    }

    /// Begins to write it, once.
    fn save(&self) {
        let Some(record) = self.record.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let saving = tokio::task::spawn_blocking(|| record.save());
        *self.saving.lock().unwrap_or_else(PoisonError::into_inner) = Some(saving);
    }

    async fn saved(self) {
        if let Some(saving) = self.saving.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let _ = saving.await;
        }
    }
}

/// Starts the run on its slot; returns what is to be saved of the slot's files.
async fn start(
    rig: &Arc<Rig>,
    plan: &Plan,
    dir: &Path,
    kill: &mut watch::Receiver<Option<String>>,
) -> Result<Option<Record>, (Failure, f64)> {
    let machine = |detail: String| (Failure::new(Label::Infrastructure, detail), 0.0);
    if let Some(why) = kill.borrow().clone() {
        return Err((Failure::new(Label::Killed, why), 0.0));
    }
    let (mut record, mut ready) = (None, None);
    let run = plan.run;
    let adopted = !matches!(rig.executor.find(&rig.preflight_dir(run)), Observation::Absent);
    if !adopted {
        if rig.task.run.preflight.is_none() {
            ready = Some(rig.executor.ready(dir).map_err(|e| machine(e.to_string()))?);
        }
        let (preparing, slot, tree) = (Arc::clone(rig), plan.slot, plan.tree.clone());
        let prepared = tokio::task::spawn_blocking(move || preparing.prepare(slot, &tree, run)).await;
        record = Some(prepared.map_err(|e| machine(e.to_string())).and_then(|r| r.map_err(|e| machine(e.to_string())))?);
    }
    if let Some(spec) = rig.preflight_spec(run, plan.slot, plan.seed) {
        preflight(rig, plan, &spec, kill).await?;
    }
    let spec = rig.run_spec(run, plan.slot, plan.seed);
    if let Some(fault) = rig.confinement.fault(&spec) {
        return Err((fault, 0.0));
    }
    let submitted = match ready {
        Some(ready) => rig.executor.submit_ready(ready, &spec),
        None => rig.executor.submit(dir, &spec),
    };
    submitted.map_err(|e| machine(e.to_string()))?;
    Ok(record)
}

/// Runs the cheap check before the run; its failure is the run's.
async fn preflight(rig: &Arc<Rig>, plan: &Plan, spec: &Spec, kill: &mut watch::Receiver<Option<String>>) -> Result<(), (Failure, f64)> {
    let dir = rig.preflight_dir(plan.run);
    rig.executor.submit(&dir, spec).map_err(|e| (Failure::new(Label::Infrastructure, e.to_string()), 0.0))?;
    let status = observe(rig, &dir, kill, UNTOLD).await.map_err(|f| (f, 0.0))?;
    let failure = match status.failure {
        Some(failure) if failure.label == Label::Killed => Some(failure),
        Some(failure) => Some(Failure::new(Label::PreflightFailed, format!("{}: {}", failure.label.word(), failure.detail))),
        None => rig.preflight_gates(plan.run).err(),
    };
    failure.map_or(Ok(()), |failure| Err((failure, status.seconds)))
}

/// Nobody is told of the start.
pub(super) const UNTOLD: Option<(RunId, &Unheard)> = None;
type Unheard = fn(Input) -> std::future::Ready<()>;

/// Waits for the end of a run directory, passing on a wish to kill.
pub(super) async fn observe<F: Future<Output = ()>>(
    rig: &Rig,
    dir: &Path,
    kill: &mut watch::Receiver<Option<String>>,
    tell: Option<(RunId, &impl Fn(Input) -> F)>,
) -> Result<Box<Status>, Failure> {
    let (mut started, mut asked) = (false, false);
    loop {
        if !asked && let Some(why) = kill.borrow_and_update().clone() {
            asked = true;
            rig.executor.cancel(dir, &Failure::new(Label::Killed, why)).map_err(|e| Failure::new(Label::Infrastructure, e.to_string()))?;
        }
        match rig.executor.observe(dir) {
            Observation::Running { pid, .. } => {
                if let (false, Some((run, tell))) = (started, &tell) {
                    started = true;
                    tell(Input::Started { run: *run, pid }).await;
                }
            }
            Observation::Ended(status) => return Ok(status),
            Observation::Lost { detail } => return Err(Failure::new(Label::LostSupervisor, detail)),
            Observation::Rebooted => return Err(Failure::new(Label::Infrastructure, "the machine was restarted while it ran")),
            Observation::Absent | Observation::Starting { .. } => {}
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
