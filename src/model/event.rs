//! The facts of a study: sequenced, journalled, sent to every client. Fields are only ever added.
//!
//! An event carries a decision with its numbers, so that `apply` records and never judges. Bodies over 4 KiB (patches,
//! conversations, logs, curves) lie beside the journal.

use super::{
    Assignment, Comparison, Decision, DiffStat, EndReason, Failure, Flag, GateResult, Implausible, ImportedFrom, ImportedTrial, KnobValue,
    Millis, Noise, Operator, ProposalId, Reviewer, RunId, RunKind, Settings, SettingsChange, SlotInfo, Spend, StudyState, TrialId, Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first fact of every study; it makes the baseline trial.
    StudyCreated {
        /// Version of the journal's format.
        format: u32,
        /// Name of the study.
        study: String,
        /// What decisions depend on.
        settings: Box<Settings>,
        /// Commit of the imported repository.
        commit: String,
        /// Its tree.
        tree: String,
        /// What was imported: path, revision, changed files; one line for people.
        source: String,
        /// Hash of the evaluator's list of hashes; null where it is sealed later, or by an older version.
        #[serde(default)]
        evaluator: Option<String>,
    },
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
    /// The engine let the study go in good order.
    EngineStopped,
    /// The task has a `[setup]`: no run starts before it is built.
    SetupAsked {
        /// Its limit, in seconds.
        wall_secs: f64,
        /// The evaluator's preparation needs it and follows it.
        prepare: bool,
    },
    /// An attempt at the setup has begun, or waits for another study that builds the same.
    SetupStarted {
        /// Which attempt, from 1.
        attempt: u32,
        /// The content that it is named by.
        hash: String,
        /// What it waits for, in words.
        waiting: Option<String>,
    },
    /// The attempt has ended.
    SetupEnded {
        /// Which attempt.
        attempt: u32,
        /// Wall-clock seconds.
        seconds: f64,
        /// It lay in the cache.
        cached: bool,
        /// Why it failed.
        failure: Option<Failure>,
        /// Another attempt follows: the fault was the network's or the machine's.
        repeat: bool,
        /// The last lines of its log, where it failed.
        tail: Vec<String>,
    },
    /// The evaluator's preparation, which ran in what the setup built, has ended.
    SetupPrepared {
        /// Wall-clock seconds.
        seconds: f64,
        /// Why it failed.
        failure: Option<Failure>,
        /// The last lines of its log, where it failed.
        tail: Vec<String>,
        /// Hash of the evaluator's list of hashes, which was sealed by it.
        #[serde(default)]
        evaluator: Option<String>,
    },
    /// What was built is not there any more: it is built again.
    SetupGone {
        /// What is missing, in words.
        detail: String,
    },
    /// The state changed.
    StateChanged {
        /// The new state.
        state: StudyState,
        /// Why it is over, when it is.
        reason: Option<EndReason>,
        /// In words, where there is more to say.
        detail: Option<String>,
    },
    /// A person asked to end the study: running runs may finish, or are killed.
    StopAsked {
        /// Kill what runs.
        now: bool,
        /// The reason that will be recorded.
        reason: EndReason,
    },
    /// A setting changed.
    SettingsChanged {
        /// Which, and its new value.
        change: SettingsChange,
    },
    /// A word of the researcher's to the agents.
    Steered {
        /// What was said.
        text: String,
        /// To which role; to all when null.
        to: Option<String>,
    },
    /// A proposer was asked.
    ProposalAsked {
        /// Its number.
        proposal: ProposalId,
        /// Who.
        proposer: String,
        /// The nodes to build on.
        parents: Vec<TrialId>,
        /// How.
        operator: Operator,
        /// Counter of random decisions.
        decision: u64,
        /// Which specialist, and for what; null where no agent is asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assignment: Option<Box<Assignment>>,
    },
    /// A proposer's model was paid for an answer.
    Spent {
        /// For which request.
        proposal: ProposalId,
        /// How much, since the last such fact.
        spend: Spend,
    },
    /// Nothing came of the request.
    ProposalFailed {
        /// Its number.
        proposal: ProposalId,
        /// Why.
        detail: String,
        /// Who was asked had no idea worth a run: nothing was at fault.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        gave_up: bool,
    },
    /// A draft was handed in; its body lies in `proposals/pNNNN/rev-1.json`.
    Proposed {
        /// The request.
        proposal: ProposalId,
        /// The node made for it.
        trial: TrialId,
        /// Who.
        proposer: String,
        /// The nodes it builds on.
        parents: Vec<TrialId>,
        /// How.
        operator: Operator,
        /// One sentence, cut to 1,000 characters.
        hypothesis: String,
        /// The part of the recipe.
        surface: Option<String>,
        /// Expected change, positive when better.
        expected: Option<f64>,
        /// Knob values that the proposer set.
        knobs: BTreeMap<String, KnobValue>,
        /// Handed in with the researcher's accept (the cockpit's own `i` and `b`).
        accepted: bool,
        /// Sequence number of the last fact that the proposer knew.
        basis: u64,
    },
    /// A new revision replaced the one before; its body lies in `rev-N.json`.
    Revised {
        /// The node.
        trial: TrialId,
        /// The new revision.
        revision: u32,
        /// Who.
        by: Reviewer,
        /// Why, in the reviewer's words.
        reason: Option<String>,
        /// Accepted as soon as it is checked (an edit in the cockpit).
        accepted: bool,
        /// The new revision's own sentence; none where it keeps that of the one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hypothesis: Option<String>,
        /// The gain that it expects, in the metric's unit; positive is better.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<f64>,
    },
    /// The proposer had no new revision: the one before waits again.
    NotRevised {
        /// The node.
        trial: TrialId,
        /// Why.
        detail: String,
    },
    /// The incumbent moved and the edits were carried over to it as a new revision; its body lies in `rev-N.json`.
    Rebased {
        /// The node.
        trial: TrialId,
        /// The new revision.
        revision: u32,
        /// The nodes that it builds on now.
        parents: Vec<TrialId>,
    },
    /// The current revision applies, is in bounds and new; it waits for review.
    Checked {
        /// The node.
        trial: TrialId,
        /// Which revision.
        revision: u32,
        /// Its commit.
        commit: String,
        /// Its tree.
        tree: String,
        /// Its size.
        diff: DiffStat,
        /// Knob values of the tree, as far as the proposer set them.
        surface: Option<String>,
        /// What a reviewer should know of it before compute is spent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flags: Vec<Flag>,
    },
    /// A rule refused the current revision.
    Rejected {
        /// The node.
        trial: TrialId,
        /// Why.
        failure: Failure,
    },
    /// A review was given.
    Reviewed {
        /// The node.
        trial: TrialId,
        /// Who.
        by: Reviewer,
        /// What.
        decision: Decision,
        /// Why.
        reason: Option<String>,
        /// The tree that was shown.
        tree: Option<String>,
    },
    /// A review was taken back; the proposal waits again and a run that had started is ended.
    ReviewUndone {
        /// The node.
        trial: TrialId,
    },
    /// Its parent moved before it was accepted.
    Staled {
        /// The node.
        trial: TrialId,
        /// Why.
        detail: String,
    },
    /// A run was given a slot (the intent; the shim starts after this is durable).
    RunScheduled {
        /// Which.
        run: RunId,
        /// Why.
        kind: RunKind,
        /// The harness's seed.
        seed: u64,
        /// Index of the slot.
        slot: u32,
        /// The tree that runs.
        tree: String,
        /// The run that it repeats.
        retry_of: Option<super::RunNo>,
        /// GPUs it holds.
        gpus: u32,
    },
    /// Its process started.
    RunStarted {
        /// Which.
        run: RunId,
        /// Process id of the command.
        pid: u32,
    },
    /// A person asked for its end.
    RunKillAsked {
        /// Which.
        run: RunId,
    },
    /// Its command ended and the artifacts were collected; the evaluator is next unless it failed.
    RunEnded {
        /// Which.
        run: RunId,
        /// Wall-clock seconds of the command.
        seconds: f64,
        /// Largest resident memory, in bytes.
        peak_memory_bytes: u64,
        /// The score it printed itself.
        self_reported: Option<f64>,
        /// Why it failed.
        failure: Option<Failure>,
        /// Hash of the list of its artifacts.
        #[serde(default)]
        artifacts: Option<String>,
    },
    /// The evaluator spoke.
    RunScored {
        /// Which.
        run: RunId,
        /// The score; null on failure.
        score: Option<f64>,
        /// Its other numbers, without the holdout.
        metrics: BTreeMap<String, f64>,
        /// Gates in the task's order.
        gates: Vec<GateResult>,
        /// Why there is no score.
        failure: Option<Failure>,
        /// The trial's score with this run: the aggregate of its valid runs.
        trial_score: Option<f64>,
    },
    /// The noise of one run was estimated anew.
    NoiseMeasured {
        /// What is known.
        noise: Noise,
    },
    /// An apparent gain: it goes on to its confirming run.
    Advanced {
        /// The node.
        trial: TrialId,
        /// The numbers.
        comparison: Box<Comparison>,
    },
    /// A gain is too good for the study's own history: it is rerun with fresh seeds before it may be kept.
    SetAside {
        /// The node.
        trial: TrialId,
        /// The numbers.
        implausible: Box<Implausible>,
    },
    /// The rerun of a gain that was set aside has ended.
    Rerun {
        /// The node.
        trial: TrialId,
        /// The fresh runs agree with the gain.
        held_up: bool,
        /// Their mean.
        mean: f64,
        /// Their distance from the score that was set aside.
        distance: f64,
        /// The largest distance that agrees.
        allowed: f64,
    },
    /// A verdict was given, or changed by later runs.
    Judged {
        /// The node.
        trial: TrialId,
        /// What.
        verdict: Verdict,
        /// Whether fresh runs certified it.
        verified: bool,
        /// The numbers; null for a failure.
        comparison: Option<Box<Comparison>>,
        /// Why it failed, when it did.
        failure: Option<Failure>,
    },
    /// All runs of the baseline have ended.
    BaselineDone {
        /// Why it has no score, when it has none.
        #[serde(default)]
        failure: Option<Failure>,
    },
    /// The baseline has no score, and this repair of it has one: scores are measured against it from here.
    BaselineMended {
        /// The repair.
        trial: TrialId,
        /// More runs of it, by which the noise is measured as by a baseline.
        runs: u32,
    },
    /// The trial's commit was written anew with its score in the message.
    CommitLabelled {
        /// The node.
        trial: TrialId,
        /// The new commit; the tree is the same.
        commit: String,
        /// Sequence number of the last fact that it carries; a later verdict is written anew.
        #[serde(default)]
        basis: Option<u64>,
    },
    /// The search builds on another trial from here.
    IncumbentMoved {
        /// The new one.
        trial: TrialId,
        /// The one before.
        from: TrialId,
    },
    /// The best trial and the headline comparison with the baseline.
    BestChanged {
        /// The node.
        trial: TrialId,
        /// Its score.
        score: f64,
        /// Whether fresh runs certified it.
        verified: bool,
        /// Against the baseline, positive when better.
        gain: f64,
        /// 95 % interval of the gain; null when the noise is unknown.
        gain_interval: Option<[f64; 2]>,
    },
    /// More runs of a trial were asked for.
    ReplicatesAsked {
        /// The node.
        trial: TrialId,
        /// How many more.
        runs: u32,
        /// Asked for by the rule that certifies the headline, not by a person.
        certify: bool,
    },
    /// A person's mark on a node.
    Marked {
        /// The node.
        trial: TrialId,
        /// Extend it.
        pinned: bool,
        /// Do not extend it.
        pruned: bool,
    },
    /// The study is over and its holdout scores are open.
    HoldoutUnsealed {
        /// Mean holdout of each trial.
        holdout: BTreeMap<TrialId, f64>,
    },
    /// The study is the history of another program: what its rows say follows, one fact each, the baseline first.
    HistoryImported {
        /// Where it comes from.
        from: Box<ImportedFrom>,
    },
    /// One row of an imported history. The baseline's fills the trial that the study began with.
    Imported {
        /// The node.
        trial: TrialId,
        /// What the source says of it.
        row: Box<ImportedTrial>,
    },
    /// Something that a person should read, said once until what it is about changes.
    Cautioned {
        /// About what.
        about: super::Caution,
        /// In one line.
        text: String,
    },
    /// Something that a person should read: a full disk, a recovered journal, a lost shim.
    Noted {
        /// Whether it needs attention.
        warning: bool,
        /// In one line.
        text: String,
    },
}

/// One line of the journal without its chain: a fact, its number and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1, without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Millis,
    /// The fact.
    #[serde(flatten)]
    pub event: Event,
}
