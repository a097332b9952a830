//! Runs of a node: scheduled, started, ended, scored.

use super::*;

pub(super) fn apply_run(study: &mut Study, at: Millis, event: &Event) {
    let Some(id) = event.trial() else { return };
    let (mut first_run, mut slot_seconds, mut gpus) = (false, 0.0, 0);
    let Some(trial) = study.trial_mut(id) else { return };
    match event {
        Event::RunScheduled { run, kind, seed, slot, tree, retry_of, gpus } => {
            first_run = trial.runs.is_empty();
            trial.replicates_wanted = trial.replicates_wanted.saturating_sub(u32::from(trial.status == Status::Done && retry_of.is_none()));
            trial.runs.push(Run {
                id: run.run,
                kind: *kind,
                seed: *seed,
                slot: *slot,
                tree: tree.clone(),
                retry_of: *retry_of,
                phase: RunPhase::Running,
                kill: false,
                undone: false,
                score: None,
                self_reported: None,
                metrics: BTreeMap::new(),
                gates: Vec::new(),
                failure: None,
                artifacts: None,
                seconds: 0.0,
                peak_memory_bytes: 0,
                gpus: *gpus,
                scheduled: at,
                started: None,
                finished: None,
                imported: false,
            });
        }
        Event::RunStarted { run, .. } => {
            trial.times.started = trial.times.started.or(Some(at));
            if let Some(r) = trial.run_mut(run.run) {
                r.started = r.started.or(Some(at));
            }
        }
        Event::RunKillAsked { run } => {
            if let Some(r) = trial.run_mut(run.run) {
                r.kill = true;
            }
        }
        Event::RunEnded { run, seconds, peak_memory_bytes, self_reported, failure, artifacts } => {
            slot_seconds = *seconds;
            if let Some(r) = trial.run_mut(run.run) {
                gpus = r.gpus;
                r.seconds = *seconds;
                r.peak_memory_bytes = *peak_memory_bytes;
                r.self_reported = *self_reported;
                r.failure.clone_from(failure);
                r.artifacts.clone_from(artifacts);
                r.phase = if failure.is_some() { RunPhase::Ended } else { RunPhase::Evaluating };
                r.finished = failure.as_ref().map(|_| at);
            }
            let reported: Vec<f64> = trial.runs.iter().filter(|r| !r.undone).filter_map(|r| r.self_reported).collect();
            trial.self_reported = (!reported.is_empty()).then(|| reported.iter().sum::<f64>() / reported.len() as f64);
        }
        Event::RunScored { run, score, metrics, gates, failure, trial_score } => {
            trial.score = *trial_score;
            if trial.run(run.run).is_some_and(|r| !r.undone) {
                trial.gates.clone_from(gates);
            }
            if let Some(r) = trial.run_mut(run.run) {
                r.score = *score;
                r.metrics.clone_from(metrics);
                r.gates.clone_from(gates);
                r.failure.clone_from(failure);
                r.phase = RunPhase::Ended;
                r.finished = Some(at);
            }
        }
        _ => {}
    }
    if !trial.status.is_final() && trial.status != Status::Waiting {
        let phases = || trial.runs.iter().map(|r| r.phase);
        trial.status = if phases().any(|p| p == RunPhase::Running) {
            Status::Running
        } else if phases().any(|p| p == RunPhase::Evaluating) {
            Status::Evaluating
        } else {
            Status::Queued
        };
    }
    study.slot_seconds += slot_seconds;
    study.gpu_seconds += slot_seconds * f64::from(gpus);
    if first_run {
        study.fruitless = 0;
        study.trials_used += u32::from(id != TrialId::BASELINE);
    }
}
