//! The work that the machine wants: one file a kind. Each effect first looks whether it was done already, so that asking
//! twice, or again after a crash, is harmless.

pub(super) mod check;
pub(super) mod evaluate;
mod inference;
mod label;
mod propose;
pub(super) mod run;
mod setup;

use super::machine::{Effect, EffectId, Input, SetupEnd};
use super::rig::Rig;
use crate::model::{Failure, Label, Study};
use crate::protocol::Signal;
use std::sync::{Arc, RwLock};
use tokio::sync::{broadcast, mpsc, watch};

/// What an effect has to say.
pub(super) struct Report {
    /// Which effect.
    pub(super) id: EffectId,
    /// What the machine is to be told; nothing when there is nothing to say.
    pub(super) input: Option<Input>,
    /// It has ended.
    pub(super) done: bool,
}

/// The study as the driver has it.
pub(super) type Shared = Arc<RwLock<Study>>;

/// Reads the study for a moment.
fn look<T>(study: &Shared, look: impl FnOnce(&Study) -> T) -> T {
    look(&study.read().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Does one effect and reports.
pub(super) async fn start(
    rig: Arc<Rig>,
    study: Shared,
    id: EffectId,
    effect: Effect,
    kill: watch::Receiver<Option<String>>,
    reports: mpsc::Sender<Report>,
    signals: broadcast::Sender<Arc<Signal>>,
) {
    let started = reports.clone();
    let tell = move |input| {
        let started = started.clone();
        async move {
            let _ = started.send(Report { id, input: Some(input), done: false }).await;
        }
    };
    let input = match (id, effect) {
        (EffectId::Propose(proposal), Effect::Propose { proposer, parents, operator: _, draw }) => {
            Some(blocking(id, move || propose::propose(&rig, &study, proposal, &proposer, &parents, draw)).await)
        }
        (EffectId::Check(trial, revision), Effect::Check { proposal, parents }) => {
            Some(blocking(id, move || check::check(&rig, &study, trial, revision, proposal, &parents)).await)
        }
        (EffectId::Run(run), Effect::Run { seed, slot, tree, .. }) => {
            let plan = run::Plan { run, seed, slot, tree };
            Some(run::run(rig, plan, kill, tell).await)
        }
        (EffectId::Evaluate(run), Effect::Evaluate { .. }) => Some(evaluate::evaluate(rig, study, run, kill).await),
        (EffectId::Setup(number), Effect::Setup { repeats, .. }) => {
            Some(setup::setup(rig, study, setup::Attempt { number, repeats }, kill, signals, tell).await)
        }
        (EffectId::Prepare, _) => Some(setup::prepare(rig, study, kill, signals).await),
        (EffectId::Label(trial), _) => Some(blocking(id, move || label::label(&rig, &study, trial)).await),
        (EffectId::Unseal, _) => Some(blocking(id, move || label::unseal(&rig, &study)).await),
        // `wanted` pairs ids and effects; another pair cannot come.
        (_, _) => None,
    };
    // The driver is gone only when the engine ends.
    let _ = reports.send(Report { id, input, done: true }).await;
}

/// Does blocking work off the loop.
async fn blocking(id: EffectId, work: impl FnOnce() -> Input + Send + 'static) -> Input {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| broken(id))
}

/// What is told of an effect that broke: a fault of ours must become a fact, not the end of the engine.
pub(super) fn broken(id: EffectId) -> Input {
    let detail = "an error inside trialdeck; engine.log has more";
    let failure = || Failure::new(Label::Infrastructure, detail);
    match id {
        EffectId::Propose(proposal) => Input::NoDraft { proposal, detail: detail.into() },
        EffectId::Check(trial, revision) => Input::Checked { trial, revision, result: Err(failure()) },
        EffectId::Run(run) => {
            Input::Ended { run, seconds: 0.0, peak_memory_bytes: 0, self_reported: None, failure: Some(failure()), artifacts: None }
        }
        EffectId::Evaluate(run) => Input::Scored { run, result: Err(failure()), metrics: Default::default(), gates: Vec::new() },
        EffectId::Setup(attempt) => Input::SetupEnded { attempt, end: SetupEnd { failure: Some(failure()), ..SetupEnd::default() } },
        EffectId::Prepare => Input::SetupPrepared { end: SetupEnd { failure: Some(failure()), ..SetupEnd::default() } },
        EffectId::Label(trial) => Input::Note { warning: true, text: format!("the commit of {trial} could not be labelled: {detail}") },
        EffectId::Unseal => Input::Unsealed { holdout: Default::default() },
    }
}
