//! The work that the machine wants: one file a kind. Each effect first looks whether it was done already, so that asking
//! twice, or again after a crash, is harmless.

mod agent;
pub(super) mod check;
mod command;
pub(super) mod evaluate;
mod inference;
mod label;
pub(super) mod preflight;
pub(super) mod propose;
mod rebase;
pub(super) mod run;
mod setup;
mod territory;

use super::aloud::Aloud;
use super::machine::{Effect, EffectId, Input, SetupEnd};
use super::rig::Rig;
use crate::model::{Failure, Label, Study};
use std::sync::{Arc, RwLock};
use tokio::sync::{mpsc, watch};

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
    aloud: Aloud,
) {
    let started = reports.clone();
    let tell = move |input| {
        let started = started.clone();
        async move {
            let _ = started.send(Report { id, input: Some(input), done: false }).await;
        }
    };
    let broken_off = reports.clone();
    // What is dropped cannot wait; where the line is full, what was lost is lost.
    let lost = move |input| drop(broken_off.try_send(Report { id, input: Some(input), done: false }));
    let input = match (id, effect) {
        (EffectId::Propose(proposal), Effect::Propose { proposer, parents, operator, .. }) if proposer.starts_with("command/") => {
            Some(command::propose(rig, study, command::Asked { proposal, proposer, parents, operator, revise: None }, &aloud).await)
        }
        (EffectId::Propose(proposal), Effect::Propose { proposer, parents, operator: _, draw, assignment: None }) => {
            Some(blocking(id, move || propose::propose(&rig, &study, proposal, &proposer, &parents, draw)).await)
        }
        (EffectId::Propose(proposal), Effect::Propose { parents, operator, draw, assignment: Some(assignment), .. }) => {
            let basis = look(&study, |s| s.seq);
            let scene = agent::scene(operator, parents, *assignment, draw);
            let request = agent::Request { proposal, revision: 1, scene };
            Some(match agent::ask(&rig, &study, request, &aloud, tell, lost).await {
                Ok(draft) => Input::Drafted { proposal, draft, basis },
                Err(agent::Nothing { why, gave_up }) => Input::NoDraft { proposal, detail: why, gave_up },
            })
        }
        (EffectId::Rewrite(trial, revision), Effect::Rewrite { proposal, comment }) if by_command(&study, trial) => {
            match command::Asked::again(&study, trial, revision, proposal, comment) {
                Some(asked) => Some(command::propose(rig, study, asked, &aloud).await),
                None => None,
            }
        }
        (EffectId::Rewrite(trial, revision), Effect::Rewrite { proposal, comment }) => {
            let asked = match agent::revised(&rig, &study, trial, proposal, &comment) {
                Ok(scene) => agent::ask(&rig, &study, agent::Request { proposal, revision, scene }, &aloud, tell, lost).await,
                Err(why) => Err(why.into()),
            };
            Some(match asked {
                Ok(draft) => Input::Redrafted { trial, revision, draft },
                Err(nothing) => Input::NotRedrafted { trial, revision, detail: nothing.why },
            })
        }
        (EffectId::Rebase(trial, _), Effect::Rebase { proposal, revision, parents }) => {
            Some(blocking(id, move || rebase::rebase(&rig, &study, trial, proposal, revision, parents)).await)
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
            Some(setup::setup(rig, study, setup::Attempt { number, repeats }, kill, aloud.signals, tell).await)
        }
        (EffectId::Prepare, _) => Some(setup::prepare(rig, study, kill, aloud.signals).await),
        (EffectId::Label(trial), _) => Some(blocking(id, move || label::label(&rig, &study, trial)).await),
        (EffectId::Unseal, _) => Some(blocking(id, move || label::unseal(&rig, &study)).await),
        // `wanted` pairs ids and effects; another pair cannot come.
        (_, _) => None,
    };
    // The driver is gone only when the engine ends.
    let _ = reports.send(Report { id, input, done: true }).await;
}

/// Whether a program proposed this.
fn by_command(study: &Shared, trial: crate::model::TrialId) -> bool {
    look(study, |s| s.trial(trial).is_some_and(|t| t.proposer.starts_with("command/")))
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
        EffectId::Propose(proposal) => Input::NoDraft { proposal, detail: detail.into(), gave_up: false },
        EffectId::Rewrite(trial, revision) => Input::NotRedrafted { trial, revision, detail: detail.into() },
        EffectId::Rebase(trial, revision) => Input::Rebased { trial, revision, parents: Vec::new(), result: Err(detail.into()) },
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
