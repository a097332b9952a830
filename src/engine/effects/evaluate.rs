//! Scores a run's artifacts: the evaluator's own process from the pristine copy, or the run's own words where the task
//! chose that. `evaluation.json` holds the answer, holdout included; the holdout goes nowhere else until the study is over.

use super::{Shared, look};
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::evaluate::{self, ARTIFACTS, Artifacts, Bounds, Evaluation, Gate, Measured, Rules};
use crate::model::{Failure, Label, Run, RunId};
use crate::run::{Executor, Observation, Status, Stream};
use crate::task::{Scoring, Stage};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// By whose wish an effect is to end, once there is one.
type Kill = watch::Receiver<Option<String>>;

const LOOK: Duration = Duration::from_millis(25);
/// An evaluation that vanished through no fault of the code is tried once more.
const ATTEMPTS: u32 = 2;

pub(in crate::engine) async fn evaluate(rig: Arc<Rig>, study: Shared, run: RunId, mut kill: Kill) -> Input {
    let evaluation = match look(&study, |s| s.trial(run.trial).and_then(|t| t.run(run.run)).cloned()) {
        Some(record) => scored(&rig, run, &record, &mut kill).await,
        None => Evaluation::failed(Failure::new(Label::Infrastructure, "the run is not in the journal")),
    };
    let result = match (evaluation.score, evaluation.failure) {
        (Some(score), None) => Ok(score),
        (_, Some(failure)) => Err(failure),
        (None, None) => Err(Failure::new(Label::InvalidScore, "the evaluation gave neither a score nor a reason")),
    };
    Input::Scored { run, result, metrics: evaluation.metrics, gates: evaluation.gates }
}

async fn scored(rig: &Arc<Rig>, run: RunId, record: &Run, kill: &mut Kill) -> Evaluation {
    let dir = rig.layout.run(run);
    // An earlier engine may have been killed between the answer and its fact.
    if let Some(known) = Evaluation::load(&dir) {
        return known;
    }
    // Scores of an older version's runs have no list: nothing says what was collected.
    let artifacts = Artifacts::load(&dir);
    let measured = measured(record, &dir, artifacts.as_ref());
    let rules = rules(rig, measured);
    let mut evaluation = match &rig.task.evaluator.scoring {
        Scoring::Command(command) => by_evaluator(rig, run, record, command, &rules, artifacts.as_ref(), kill).await,
        Scoring::SelfReported(report) => rig.self_reported_score(report, &dir, &rules),
    };
    evaluation.artifacts = artifacts.map(|a| a.hashes()).unwrap_or_default();
    if evaluation.failure.is_some() && !rig.has_room() {
        // What an evaluator says when it cannot write is no word on the code: it is asked again once there is room.
        for attempt in 1..=ATTEMPTS {
            let _ = fs::remove_dir_all(evaluation_dir(&dir, attempt));
        }
        return Evaluation::failed(Failure::new(Label::Infrastructure, "the disk was full while the run was scored"));
    }
    if let Err(error) = evaluation.save(&dir) {
        crate::engine::log::line(&format!("{run}: evaluation.json could not be written: {error}"));
    }
    evaluation
}

/// What the harness measured of a run.
pub(in crate::engine) fn measured(record: &Run, dir: &Path, artifacts: Option<&Artifacts>) -> Measured {
    let artifact_bytes = artifacts.map_or_else(|| bytes_below(&dir.join(ARTIFACTS)), Artifacts::bytes);
    Measured { run_seconds: record.seconds, peak_memory_bytes: record.peak_memory_bytes, artifact_bytes }
}

/// How the answer of the task's evaluator is read.
pub(in crate::engine) fn rules(rig: &Rig, measured: Measured) -> Rules {
    let gate =
        |g: &crate::task::Gate| Gate { key: g.key.clone(), bounds: Bounds { min: g.min, max: g.max }, stage: evaluate::Stage::Final };
    Rules {
        metric: rig.task.task.metric.clone(),
        holdout: rig.task.evaluator.holdout.clone(),
        gates: rig.task.gates.iter().filter(|g| g.stage == Stage::Final).map(gate).collect(),
        measured,
    }
}

/// With what the evaluator is run on a run's artifacts.
pub(in crate::engine) fn plan(rig: &Rig, run: RunId, record: &Run, command: &str, measured: Measured) -> evaluate::Plan {
    let place = rig.slots.get(record.slot as usize);
    let (path, env) = rig.programs();
    evaluate::Plan {
        label: format!("{} {run}, evaluation", rig.task.task.name),
        command: command.to_owned(),
        wall: rig.task.evaluator.wall,
        memory_bytes: rig.task.budget.memory_bytes,
        path,
        gpus: Vec::new(),
        threads: place.map_or(1, |p| p.threads),
        seed: record.seed,
        artifacts: Some(rig.layout.run(run).join(ARTIFACTS)),
        measured: Some(measured),
        env,
    }
}

async fn by_evaluator(
    rig: &Arc<Rig>,
    run: RunId,
    record: &Run,
    command: &str,
    rules: &Rules,
    artifacts: Option<&Artifacts>,
    kill: &mut Kill,
) -> Evaluation {
    let untouched = async || check(rig, rig.layout.run(run), artifacts.cloned(), record.artifacts.clone()).await;
    if let Err(failure) = untouched().await {
        return Evaluation::failed(failure);
    }
    let plan = plan(rig, run, record, command, rules.measured);
    for attempt in 1..=ATTEMPTS {
        let dir = evaluation_dir(&rig.layout.run(run), attempt);
        let machine = |detail: String| Evaluation::failed(Failure::new(Label::Infrastructure, detail));
        if matches!(rig.executor.find(&dir), Observation::Absent) {
            if let Some(why) = kill.borrow().clone() {
                return Evaluation::failed(Failure::new(Label::Killed, why));
            }
            let submitted = fs::create_dir_all(&dir)
                .map_err(|e| e.to_string())
                .and_then(|()| evaluate::spec(&rig.pristine, &dir, &plan).map_err(|e| e.to_string()))
                .and_then(|mut spec| {
                    let artifacts = rig.layout.run(run).join("artifacts");
                    rig.contain_evaluator(&mut spec, record.slot, &dir, &artifacts).map_err(|e| e.to_string())?;
                    Ok(spec)
                })
                .and_then(|spec| rig.executor.submit(&dir, &spec).map_err(|e| e.to_string()));
            if let Err(detail) = submitted {
                return machine(format!("the evaluator could not be started: {detail}"));
            }
        }
        match ended(rig, &dir, kill).await {
            Some(status) => {
                if let Err(failure) = untouched().await {
                    return Evaluation::failed(failure);
                }
                let log = rig.executor.log(&dir, Stream::Stdout, 0, evaluate::STDOUT_MAX + 1);
                return match log {
                    Ok(part) => evaluate::read(&part.bytes, &status, rules),
                    Err(error) => machine(error.to_string()),
                };
            }
            None if attempt < ATTEMPTS => {}
            None => return machine("the evaluator vanished twice without an answer".into()),
        }
    }
    Evaluation::failed(Failure::new(Label::Infrastructure, "the evaluator was not tried"))
}

/// The directory of one attempt at an evaluation.
fn evaluation_dir(run_dir: &Path, attempt: u32) -> std::path::PathBuf {
    run_dir.join(if attempt == 1 { "evaluation".to_owned() } else { format!("evaluation-{attempt}") })
}

/// Whether evaluator and artifacts are what they were when they were put there.
async fn check(rig: &Arc<Rig>, run_dir: PathBuf, artifacts: Option<Artifacts>, journalled: Option<String>) -> Result<(), Failure> {
    let rig = Arc::clone(rig);
    let checked = tokio::task::spawn_blocking(move || {
        rig.pristine.check()?;
        let Some(artifacts) = artifacts else {
            return match journalled {
                Some(_) => Err(Failure::new(Label::Tampered, "the list of the run's artifacts is gone")),
                None => Ok(()),
            };
        };
        if journalled.is_some() && artifacts.digest() != journalled {
            return Err(Failure::new(Label::Tampered, "the list of the run's artifacts is not what the journal says"));
        }
        artifacts.check(&run_dir)
    });
    match checked.await {
        Ok(result) => result,
        Err(error) => Err(Failure::new(Label::Infrastructure, error.to_string())),
    }
}

/// Waits for the end of an evaluator, passing on a wish to kill it.
async fn ended(rig: &Rig, dir: &Path, kill: &mut Kill) -> Option<Box<Status>> {
    let mut asked = false;
    loop {
        if !asked && let Some(why) = kill.borrow_and_update().clone() {
            asked = true;
            if let Err(error) = rig.executor.cancel(dir, &Failure::new(Label::Killed, why)) {
                crate::engine::log::line(&format!("{}: {error}", dir.display()));
            }
        }
        match rig.executor.observe(dir) {
            Observation::Ended(status) => return Some(status),
            Observation::Lost { .. } | Observation::Rebooted => return None,
            Observation::Absent | Observation::Starting { .. } | Observation::Running { .. } => tokio::time::sleep(LOOK).await,
        }
    }
}

fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
