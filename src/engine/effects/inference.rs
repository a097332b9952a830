//! What crosses from a run that ended well to its evaluator: what it left itself, or what its inference makes of that and of
//! the evaluator's inputs. After a restart an inference is adopted like a run.

use super::run::{self, Plan};
use crate::engine::rig::Rig;
use crate::evaluate::{self, ARTIFACTS, Artifacts, Rest};
use crate::model::{Failure, Label};
use crate::run::{Executor, Observation, Status};
use std::{fs, path::PathBuf, sync::Arc};
use tokio::sync::watch;

/// Artifacts of one run, in bytes, where the task sets no limit of output.
const BYTES: u64 = 8 << 30;
/// An inference that vanished through no fault of the code is tried once more: the training before it was long.
const ATTEMPTS: u32 = 2;

type Kill = watch::Receiver<Option<String>>;

/// Collects what the evaluator needs; returns one hash of it.
pub(super) async fn crossed(rig: &Arc<Rig>, plan: &Plan, kill: &mut Kill) -> Result<Option<String>, Failure> {
    let artifacts = match rig.task.inference {
        None => {
            let (slot, rest) = (rig.layout.slot(plan.slot), Rest::Refused("the run did not write it"));
            collected(rig, plan, slot, rig.layout.run(plan.run).join(ARTIFACTS), rest).await?
        }
        Some(_) => {
            let made = by_inference(rig, plan, kill).await;
            let kept = made.and_then(|artifacts| save(rig, plan, &artifacts).map(|()| artifacts));
            clear(rig, plan).await;
            return kept.map(|artifacts| artifacts.digest());
        }
    };
    save(rig, plan, &artifacts)?;
    Ok(artifacts.digest())
}

/// Inputs are not for the next run to find.
async fn clear(rig: &Arc<Rig>, plan: &Plan) {
    let (clearing, run, slot) = (Arc::clone(rig), plan.run, plan.slot);
    let cleared = tokio::task::spawn_blocking(move || {
        for dir in [clearing.layout.inference(slot), clearing.handed_dir(run)] {
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    crate::engine::log::line(&format!("{} stays: {error}", dir.display()));
                }
                _ => {}
            }
        }
    });
    let _ = cleared.await;
}

fn machine(detail: impl std::fmt::Display) -> Failure {
    Failure::new(Label::Infrastructure, detail.to_string())
}

fn save(rig: &Rig, plan: &Plan, artifacts: &Artifacts) -> Result<(), Failure> {
    let dir = rig.layout.run(plan.run);
    // A run that could reach its own directory left no word in it that counts.
    let _ = fs::remove_file(dir.join("evaluation.json"));
    artifacts.save(&dir).map_err(|e| machine(format!("the list of artifacts could not be kept: {e}")))
}

/// Copies the task's `needs`: large ones are not for the loop.
async fn collected(rig: &Arc<Rig>, plan: &Plan, from: PathBuf, into: PathBuf, rest: Rest) -> Result<Artifacts, Failure> {
    let (rig, run) = (Arc::clone(rig), plan.run);
    let cap = rig.task.budget.output_bytes.unwrap_or(BYTES);
    let collected = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(rig.layout.run(run)).map_err(machine)?;
        evaluate::collect(&rig.task.evaluator.needs, &from, &into, cap, rest)
    });
    collected.await.unwrap_or_else(|e| Err(machine(e)))
}

async fn by_inference(rig: &Arc<Rig>, plan: &Plan, kill: &mut Kill) -> Result<Artifacts, Failure> {
    let mut status = None;
    for attempt in 1..=ATTEMPTS {
        match attempted(rig, plan, attempt, kill).await {
            Ok(ended) => {
                status = Some(ended);
                break;
            }
            Err(failure) if attempt == ATTEMPTS || !matches!(failure.label, Label::LostSupervisor) => return Err(failure),
            Err(_) => {}
        }
    }
    if let Some(failure) = status.and_then(|s| s.failure) {
        return Err(in_inference(&failure));
    }
    let (run_dir, dir) = (rig.layout.run(plan.run), rig.layout.inference(plan.slot));
    let known = Artifacts::load(&run_dir).unwrap_or_default();
    if !dir.exists() && !known.files.is_empty() {
        // An engine before this one came as far as that, and no further.
        return Ok(known);
    }
    let rest = Rest::Refused("neither the run nor its inference wrote it");
    let artifacts = collected(rig, plan, dir, run_dir.join(ARTIFACTS), rest).await?;
    Ok(Artifacts { handed: Some(known.handed.unwrap_or_default()), ..artifacts })
}

async fn attempted(rig: &Arc<Rig>, plan: &Plan, attempt: u32, kill: &mut Kill) -> Result<Box<Status>, Failure> {
    let name = if attempt == 1 { "inference".to_owned() } else { format!("inference-{attempt}") };
    let dir = rig.layout.run(plan.run).join(name);
    if matches!(rig.executor.find(&dir), Observation::Absent) {
        if let Some(why) = kill.borrow().clone() {
            return Err(Failure::new(Label::Killed, why));
        }
        let left = collected(rig, plan, rig.layout.slot(plan.slot), rig.handed_dir(plan.run), Rest::Left).await?;
        // What the run left is measured now: its inference may write over its own copies.
        save(rig, plan, &Artifacts { handed: Some(left.files.clone()), ..Artifacts::default() })?;
        let (preparing, run, slot, tree) = (Arc::clone(rig), plan.run, plan.slot, plan.tree.clone());
        let prepared = tokio::task::spawn_blocking(move || preparing.prepare_inference(run, slot, &tree, &left));
        prepared.await.map_err(machine)?.map_err(|e| machine(format!("the inference could not be prepared: {e:#}")))?;
        let spec = rig.inference_spec(plan.run, plan.slot, plan.seed).ok_or_else(|| machine("the task has no [inference]"))?;
        rig.executor.submit(&dir, &spec).map_err(machine)?;
    }
    run::observe(rig, &dir, kill, run::UNTOLD).await
}

/// The evidence under the evaluation's labels; what is the machine's or a person's doing stays as it is.
fn in_inference(failure: &Failure) -> Failure {
    let words = |detail: &str| format!("inference: {detail}");
    match failure.label {
        Label::TimedOut => Failure::new(Label::EvalTimedOut, words(&failure.detail)),
        Label::OutOfMemory => Failure::new(Label::EvalFailed, words(&format!("out of memory: {}", failure.detail))),
        Label::Stalled => Failure::new(Label::EvalFailed, words(&format!("stalled: {}", failure.detail))),
        Label::GateFailed => Failure::new(Label::GateFailed, words(&failure.detail)),
        label if label.not_the_codes_fault() => failure.clone(),
        _ => Failure::new(Label::EvalFailed, words(&failure.detail)),
    }
}
