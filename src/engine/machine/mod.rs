//! The pure machine of a study: `step` decides what happened, `wanted` says what should be in flight.
//!
//! No IO, clock, environment or randomness: time comes in as `now`, randomness is counted from the study's seed. The
//! driver journals what `step` returns, applies it, and steps with `Input::Settle` until nothing more follows.

mod agents;
mod budget;
mod commands;
mod ending;
mod judge;
mod mend;
mod proposer;
mod rebase;
mod reports;
mod requests;
mod schedule;
mod set_aside;
mod setup;
mod stale;
#[cfg(test)]
mod tests;

pub use proposer::proposer_name;

use crate::model::{
    Assignment, DiffStat, Draft, Event, Failure, Flag, GateResult, Millis, Operator, ProposalId, RunId, RunKind, RunPhase, SlotInfo, Spend,
    Status, Study, TrialId,
};
use crate::protocol::{Ack, Command};
use std::collections::BTreeMap;

/// What the machine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Nothing new: decide what follows from the state and the time.
    Settle,
    /// An engine took the study.
    EngineStarted {
        /// Process id.
        pid: u32,
        /// Host name.
        host: String,
        /// Version of trialdeck.
        version: String,
        /// The places to run.
        slots: Vec<SlotInfo>,
    },
    /// The engine lets go in good order.
    EngineStopped,
    /// A proposer answered; the body is stored already.
    Drafted {
        /// The request.
        proposal: ProposalId,
        /// The body.
        draft: Box<Draft>,
        /// Sequence number of the last fact that the proposer knew.
        basis: u64,
    },
    /// A proposer's model was paid for an answer.
    Spent {
        /// The request.
        proposal: ProposalId,
        /// How much.
        spend: Spend,
    },
    /// A proposer wrote the revision that a reviewer asked for; the body is stored already.
    Redrafted {
        /// The node.
        trial: TrialId,
        /// Which revision it is.
        revision: u32,
        /// The body.
        draft: Box<Draft>,
    },
    /// A proposer had no new revision.
    NotRedrafted {
        /// The node.
        trial: TrialId,
        /// Which revision it would have been.
        revision: u32,
        /// Why.
        detail: String,
    },
    /// The edits of a waiting revision were tried on the node that the search builds on now; the body is stored already.
    Rebased {
        /// The node.
        trial: TrialId,
        /// Which revision it is.
        revision: u32,
        /// The nodes that it builds on.
        parents: Vec<TrialId>,
        /// The body, or why they cannot be carried over.
        result: Result<Box<Draft>, String>,
    },
    /// A proposer had nothing.
    NoDraft {
        /// The request.
        proposal: ProposalId,
        /// Why.
        detail: String,
        /// It had no idea worth a run: nothing was at fault.
        gave_up: bool,
    },
    /// The edits of a revision were tried on the parent's tree.
    Checked {
        /// The node.
        trial: TrialId,
        /// Which revision.
        revision: u32,
        /// The tree that results, or the rule that it breaks.
        result: Result<CheckedTree, Failure>,
    },
    /// The command of a run has a process.
    Started {
        /// Which.
        run: RunId,
        /// Its process id.
        pid: u32,
    },
    /// The command of a run has ended and its artifacts are collected.
    Ended {
        /// Which.
        run: RunId,
        /// Wall-clock seconds.
        seconds: f64,
        /// Largest resident memory, bytes.
        peak_memory_bytes: u64,
        /// The score that it printed itself.
        self_reported: Option<f64>,
        /// Why it failed.
        failure: Option<Failure>,
        /// Hash of the list of its artifacts.
        artifacts: Option<String>,
    },
    /// The evaluator has spoken.
    Scored {
        /// Which.
        run: RunId,
        /// Its score, or why there is none.
        result: Result<f64, Failure>,
        /// Its other numbers, without the holdout.
        metrics: BTreeMap<String, f64>,
        /// Gates in the task's order.
        gates: Vec<GateResult>,
    },
    /// An attempt at the setup has begun, or waits.
    SetupStarted {
        /// Which attempt.
        attempt: u32,
        /// The content that it is named by.
        hash: String,
        /// What it waits for, in words.
        waiting: Option<String>,
    },
    /// An attempt at the setup has ended.
    SetupEnded {
        /// Which attempt.
        attempt: u32,
        /// What came of it.
        end: SetupEnd,
    },
    /// The evaluator's preparation has ended.
    SetupPrepared {
        /// What came of it.
        end: SetupEnd,
    },
    /// What the setup built is not there any more.
    SetupGone {
        /// What is missing, in words.
        detail: String,
    },
    /// A commit carries its score.
    Labelled {
        /// The node.
        trial: TrialId,
        /// The new commit.
        commit: String,
        /// Sequence number of the last fact that its message carries.
        basis: u64,
    },
    /// The holdout scores of a study that is over.
    Unsealed {
        /// Mean of each trial's runs.
        holdout: BTreeMap<TrialId, f64>,
    },
    /// Something that a person should read.
    Note {
        /// Whether it needs attention.
        warning: bool,
        /// In one line.
        text: String,
    },
}

/// What came of an attempt at the setup, or of the preparation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetupEnd {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// It lay in the cache.
    pub cached: bool,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// It looks like a hiccup of the network.
    pub hiccup: bool,
    /// The last lines of its log, where it failed.
    pub tail: Vec<String>,
    /// Hash of the evaluator's list of hashes, where it was sealed.
    pub evaluator: Option<String>,
}

/// What became of a revision's edits.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTree {
    /// The commit.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// Size of the diff against the first parent.
    pub diff: DiffStat,
    /// The surface that the changed paths belong to, where the task binds paths to surfaces.
    pub surface: Option<String>,
    /// What a reviewer should know of it before compute is spent.
    pub flags: Vec<Flag>,
}

/// Work outside the machine. Asking twice under one id is harmless.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask a proposer.
    Propose {
        /// Who.
        proposer: String,
        /// The nodes to build on.
        parents: Vec<TrialId>,
        /// How.
        operator: Operator,
        /// The randomness it may use.
        draw: u64,
        /// Which specialist, and for what.
        assignment: Option<Box<Assignment>>,
    },
    /// Ask the proposer of a waiting revision for another one.
    Rewrite {
        /// The request.
        proposal: ProposalId,
        /// What the reviewer wants.
        comment: String,
    },
    /// Carry a revision's edits over to other nodes.
    Rebase {
        /// The request, whose body is read.
        proposal: ProposalId,
        /// The revision that is carried over.
        revision: u32,
        /// The nodes to build on.
        parents: Vec<TrialId>,
    },
    /// Try a revision's edits on the parent's tree.
    Check {
        /// The request, whose body is read.
        proposal: ProposalId,
        /// The nodes it builds on.
        parents: Vec<TrialId>,
    },
    /// Run a tree on a slot until it has ended.
    Run {
        /// Why.
        kind: RunKind,
        /// The harness's seed.
        seed: u64,
        /// Index of the slot.
        slot: u32,
        /// The tree.
        tree: String,
        /// End it: by whose wish.
        kill: Option<String>,
    },
    /// Score a run's artifacts.
    Evaluate {
        /// End the evaluator: by whose wish.
        kill: Option<String>,
    },
    /// Build the environment of the runs, or find it in the cache.
    Setup {
        /// The attempt before was ended by a hiccup: it is waited a moment.
        repeats: bool,
        /// End it: by whose wish.
        kill: Option<String>,
    },
    /// Run the evaluator's preparation.
    Prepare {
        /// End it: by whose wish.
        kill: Option<String>,
    },
    /// Write the trial's commit anew with its score in the message.
    Label,
    /// Read the holdout scores.
    Unseal,
}

/// Names an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectId {
    /// Of a request.
    Propose(ProposalId),
    /// Of the revision that is to be written.
    Rewrite(TrialId, u32),
    /// Of the revision that results.
    Rebase(TrialId, u32),
    /// Of a revision.
    Check(TrialId, u32),
    /// Of a run.
    Run(RunId),
    /// Of a run's artifacts.
    Evaluate(RunId),
    /// Of an attempt at the setup.
    Setup(u32),
    /// Of the evaluator's preparation.
    Prepare,
    /// Of a trial's commit.
    Label(TrialId),
    /// Of the study.
    Unseal,
}

/// Decides what an input makes true. Settling returns at most one small group of facts: the caller applies it and settles again.
pub fn step(study: &Study, input: Input, now: Millis) -> Vec<Event> {
    match input {
        Input::Settle => settle(study, now),
        other => reports::take(study, other),
    }
}

/// Decides a client's wish: the facts and what they are about, or the reason of a refusal.
pub fn command(study: &Study, command: Command, now: Millis) -> Result<(Vec<Event>, Ack), String> {
    commands::take(study, command, now)
}

fn settle(study: &Study, now: Millis) -> Vec<Event> {
    if study.is_over() {
        return Vec::new();
    }
    let steps: [&dyn Fn() -> Vec<Event>; 9] = [
        &|| setup::settle(study),
        &|| judge::settle(study),
        &|| ending::limits(study, now),
        &|| ending::cautions(study),
        &|| stale::settle(study),
        &|| schedule::reviews(study),
        &|| schedule::runs(study),
        &|| requests::requests(study, now),
        &|| ending::settle(study),
    ];
    steps.iter().map(|decide| decide()).find(|events| !events.is_empty()).unwrap_or_default()
}

/// What speaks against a new revision with this tree: it is that of another trial. None when nothing does.
pub fn duplicate(study: &Study, trial: TrialId, tree: &str) -> Option<String> {
    reports::duplicate_of(study, trial, tree)
}

/// Says what should be in flight.
pub fn wanted(study: &Study) -> BTreeMap<EffectId, Effect> {
    let mut wanted = BTreeMap::new();
    setup::want(study, &mut wanted);
    let halted = study.is_over() || study.stopping.is_some();
    if !halted {
        for request in crate::protocol::proposing(study) {
            let draw = crate::search::draw(study.settings.seed, request.decision, crate::search::draw::stream::PROPOSER);
            let effect = Effect::Propose {
                proposer: request.proposer.clone(),
                parents: request.parents.clone(),
                operator: request.operator,
                draw,
                assignment: request.assignment.clone(),
            };
            wanted.insert(EffectId::Propose(request.id), effect);
        }
    }
    for trial in study.open.iter().filter_map(|id| study.trial(*id)) {
        if let (Some(comment), Some(proposal), Status::Proposed, false) = (&trial.revise, trial.proposal, trial.status, halted) {
            let effect = Effect::Rewrite { proposal, comment: comment.clone() };
            wanted.insert(EffectId::Rewrite(trial.id, trial.revision + 1), effect);
        }
        if !halted && rebase::want(study, trial, &mut wanted) {
            continue;
        }
        // The interpreter that checks syntax is the one that the setup builds.
        if trial.status == Status::Proposed
            && trial.revise.is_none()
            && setup::is_ready(study)
            && let Some(proposal) = trial.proposal
        {
            wanted.insert(EffectId::Check(trial.id, trial.revision), Effect::Check { proposal, parents: trial.parents.clone() });
        }
        for run in &trial.runs {
            let id = trial.id.run(run.id);
            let kill = || {
                if study.stopping == Some(true) {
                    Some("the study was stopped".to_owned())
                } else if run.undone {
                    Some("the review was taken back".to_owned())
                } else {
                    run.kill.then(|| "killed by the researcher".to_owned())
                }
            };
            match run.phase {
                RunPhase::Running => {
                    let kill = kill();
                    let effect = Effect::Run { kind: run.kind, seed: run.seed, slot: run.slot, tree: run.tree.clone(), kill };
                    wanted.insert(EffectId::Run(id), effect);
                }
                RunPhase::Evaluating => {
                    wanted.insert(EffectId::Evaluate(id), Effect::Evaluate { kill: kill() });
                }
                RunPhase::Ended => {}
            }
        }
    }
    for trial in study.unlabelled.keys() {
        wanted.insert(EffectId::Label(*trial), Effect::Label);
    }
    if study.is_over() && !study.unsealed && study.settings.has_holdout {
        wanted.insert(EffectId::Unseal, Effect::Unseal);
    }
    wanted
}
