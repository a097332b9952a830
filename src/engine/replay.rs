//! Runs a trial's commit once more with a run's seed, beside the study and without a word in its journal.

use super::effects::{evaluate, run};
use super::machine::Input;
use super::rig::Rig;
use crate::model::{Failure, RunId, Study};
use std::sync::{Arc, RwLock};
use tokio::sync::watch;

/// What a replay gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Its score, or why there is none.
    pub result: Result<f64, Failure>,
    /// Wall-clock seconds of the command.
    pub seconds: f64,
}

/// Replays one run. None when the study has no such run, or its trial no tree.
pub async fn replay(rig: Rig, mut study: Study, id: RunId) -> Option<Replayed> {
    let rig = Arc::new(rig);
    let tree = study.trial(id.trial)?.tree.clone()?;
    let seed = study.trial(id.trial)?.run(id.run)?.seed;
    let (_kill, kill) = watch::channel(None);
    let plan = run::Plan { run: id, seed, slot: 0, tree };
    let ended = run::run(Arc::clone(&rig), plan, kill.clone(), |_| std::future::ready(())).await;
    let Input::Ended { seconds, peak_memory_bytes, failure, artifacts, .. } = ended else { return None };
    if let Some(failure) = failure {
        return Some(Replayed { result: Err(failure), seconds });
    }
    let record = study.trial_mut(id.trial)?.run_mut(id.run)?;
    record.seconds = seconds;
    record.peak_memory_bytes = peak_memory_bytes;
    record.slot = 0;
    record.artifacts = artifacts;
    let scored = evaluate::evaluate(rig, Arc::new(RwLock::new(study)), id, kill).await;
    let Input::Scored { result, .. } = scored else { return None };
    Some(Replayed { result, seconds })
}
