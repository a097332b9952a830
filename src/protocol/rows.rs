//! What every client holds of a study: one header and one slim row a trial. The rest is asked for.

use super::wire::{Snapshot, Update};
use crate::model::{
    Assignment, Autonomy, Best, Decision, EndReason, Goal, Label, Limits, Mark, Millis, Noise, Note, Operator, Proposal, ProposalId, Quiet,
    Record, RunId, RunPhase, ScoreSource, Setup, SlotInfo, Spend, Status, Study, StudyState, Trial, TrialId, Verdict, arms,
};
use serde::{Deserialize, Serialize};

/// Longest title of a row, in characters.
const TITLE: usize = 96;

/// The study at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Its name.
    pub study: String,
    /// The task's name.
    pub task: String,
    /// The task's title.
    pub title: String,
    /// What was imported.
    pub source: String,
    /// The metric's key.
    pub metric: String,
    /// The live metric that curves show first, where the task names one.
    #[serde(default)]
    pub primary: Option<String>,
    /// Which way is better.
    pub goal: Goal,
    /// Where it should end.
    pub target: Option<f64>,
    /// Smaller differences do not matter.
    pub min_effect: Option<f64>,
    /// Who owns the score.
    pub score_source: ScoreSource,
    /// Tier of the sandbox.
    pub isolation: String,
    /// How far it has come.
    pub state: StudyState,
    /// Why it is over, or will be.
    pub reason: Option<EndReason>,
    /// In words.
    pub detail: Option<String>,
    /// An end was asked for.
    pub stopping: bool,
    /// The study's seed.
    pub seed: u64,
    /// What may pass without a person.
    pub autonomy: Autonomy,
    /// The policy's name.
    pub policy: String,
    /// Who proposes.
    pub proposers: Vec<String>,
    /// Where it ends.
    pub limits: Limits,
    /// Trials whose first run started.
    pub trials_used: u32,
    /// Seconds with an engine at work, at `at`.
    pub active_secs: f64,
    /// Time of the last fact.
    pub at: Millis,
    /// Time of the first.
    pub created: Millis,
    /// Budget of one run, seconds.
    pub wall_secs: f64,
    /// Runs of the baseline wanted.
    pub baseline_runs: u32,
    /// The places to run.
    pub slots: Vec<SlotInfo>,
    /// Runs in flight: which, on which slot, since when.
    pub running: Vec<RunningRow>,
    /// Requests that a proposer works on.
    pub proposing: Vec<(ProposalId, String)>,
    /// The same with what they were asked for, and the revisions that are being written.
    #[serde(default)]
    pub thinking: Vec<ThinkingRow>,
    /// What models cost so far.
    #[serde(default)]
    pub spend: Spend,
    /// Names of the specialists and their models, where agents propose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<AgentNames>,
    /// Why no agent is asked, where agents propose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// Proposals that wait for review.
    pub waiting: u32,
    /// The trial that the search builds on.
    pub incumbent: TrialId,
    /// A baseline that failed is being mended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mending: bool,
    /// The trial that mended it: scores are measured against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended: Option<TrialId>,
    /// Mean score of the baseline, or of what stands in for it.
    pub baseline_score: Option<f64>,
    /// The best trial.
    pub best: Option<Best>,
    /// What is known of the noise.
    pub noise: Noise,
    /// Share of the slots' time in use, 0 to 1.
    pub slot_utilisation: f64,
    /// Seconds times GPUs used.
    pub gpu_seconds: f64,
    /// The last notes.
    pub notes: Vec<Note>,
    /// An engine has it.
    pub engine_live: bool,
    /// The environment of its runs, where the task builds one.
    #[serde(default)]
    pub setup: Option<Setup>,
    /// Where the history comes from that it began as.
    #[serde(default)]
    pub imported: Option<crate::model::ImportedFrom>,
}

/// One request that a proposer works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThinkingRow {
    /// The request.
    pub proposal: ProposalId,
    /// Who was asked.
    pub proposer: String,
    /// Which specialist, and for what; null where no agent is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Box<Assignment>>,
    /// The first of the nodes to build on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TrialId>,
    /// The node whose new revision is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revising: Option<TrialId>,
    /// Since when.
    pub asked: Millis,
    /// What it cost so far.
    #[serde(default)]
    pub spend: Spend,
}

/// The specialists of a study and the models that speak for them, by name.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNames {
    /// Roles.
    pub roles: Vec<String>,
    /// Models.
    pub models: Vec<String>,
}

/// A proposal that waited for review and comes back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// Its proposer writes the revision that was asked for.
    Writing,
    /// The new revision is being checked.
    Checking,
}

/// One run in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningRow {
    /// Which.
    pub run: RunId,
    /// Index of the slot.
    pub slot: u32,
    /// How far it has come.
    pub phase: RunPhase,
    /// When its process started, or when it was given the slot.
    pub since: Millis,
}

/// One trial, slim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: TrialId,
    /// The nodes it builds on.
    pub parents: Vec<TrialId>,
    /// The request it came from.
    pub proposal: Option<ProposalId>,
    /// How far it has come.
    pub status: Status,
    /// What the statistics say.
    pub verdict: Option<Verdict>,
    /// Certified by fresh runs.
    pub verified: bool,
    /// Aggregate of its valid runs.
    pub score: Option<f64>,
    /// Why it has none.
    pub label: Option<Label>,
    /// How it relates to its parents.
    pub operator: Operator,
    /// Who suggested it.
    pub proposer: String,
    /// The model that spoke for it, where an agent did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The part of the recipe.
    pub surface: Option<String>,
    /// The hypothesis, cut.
    pub title: String,
    /// Runs so far.
    pub runs: u32,
    /// Its current revision, from 1.
    #[serde(default)]
    pub revision: u32,
    /// It waited for review, and comes back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
    /// Hash of its tree.
    pub tree: Option<String>,
    /// What a reviewer should know of it; the evidence is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Mark>,
    /// A person wants it extended.
    pub pinned: bool,
    /// A person does not.
    pub pruned: bool,
    /// When it was decided.
    pub finished: Option<Millis>,
}

/// Makes the header.
pub fn header(study: &Study) -> Header {
    let s = &study.settings;
    let running = study
        .runs_in_flight()
        .map(|(run, r)| RunningRow { run, slot: r.slot, phase: r.phase, since: r.started.unwrap_or(r.scheduled) })
        .collect();
    Header {
        study: study.name.clone(),
        task: s.task.clone(),
        title: s.title.clone(),
        source: study.source.clone(),
        metric: s.metric.clone(),
        primary: s.primary.clone(),
        goal: s.goal,
        target: s.target,
        min_effect: s.min_effect,
        score_source: s.score_source,
        isolation: s.isolation.clone(),
        state: study.state,
        reason: study.reason,
        detail: study.detail.clone(),
        stopping: study.stopping.is_some(),
        seed: s.seed,
        autonomy: s.autonomy,
        policy: s.policy.word().to_owned(),
        proposers: s.proposers.clone(),
        limits: s.limits,
        trials_used: study.trials_used,
        active_secs: study.active_millis as f64 / 1000.0,
        at: study.at,
        created: study.created,
        wall_secs: s.wall_secs,
        baseline_runs: s.baseline_runs,
        slots: study.slots.clone(),
        running,
        proposing: proposing(study).map(|p| (p.id, p.proposer.clone())).collect(),
        thinking: thinking(study),
        spend: study.spend,
        agents: s.agents.as_ref().map(|a| AgentNames {
            roles: a.roles.iter().map(|r| r.name.clone()).collect(),
            models: a.models.iter().map(|m| m.name.clone()).collect(),
        }),
        quiet: arms::quiet(study),
        waiting: study.open.iter().filter_map(|id| study.trial(*id)).filter(|t| t.status == Status::Waiting).count() as u32,
        incumbent: study.incumbent,
        mending: !study.is_over()
            && study.reference.is_none()
            && study.baseline().is_some_and(|b| b.status == Status::Done && b.failure.is_some()),
        mended: study.reference,
        baseline_score: study.reference().and_then(|b| b.score),
        best: study.best.clone(),
        noise: study.noise,
        slot_utilisation: slot_utilisation(study),
        gpu_seconds: study.gpu_seconds,
        notes: study.notes.iter().rev().take(5).rev().cloned().collect(),
        engine_live: study.engine_live,
        setup: study.setup.clone(),
        imported: study.imported.clone(),
    }
}

/// Makes what a client holds; `recent` are the last facts up to the study's, oldest first.
pub fn snapshot(study: &Study, recent: Vec<Record>) -> Snapshot {
    Snapshot { seq: study.seq, header: header(study), rows: study.trials.iter().filter_map(|t| row(study, t.id)).collect(), recent }
}

/// Makes what a client is told of a fact; the study has it already.
pub fn update(study: &Study, record: Record) -> Update {
    let rows = record.event.trial().or((record.seq == 1).then_some(TrialId::BASELINE)).and_then(|id| row(study, id));
    Update { header: header(study), rows: rows.into_iter().collect(), record }
}

/// Requests that a proposer works on.
pub fn proposing(study: &Study) -> impl Iterator<Item = &crate::model::Proposal> {
    study.asked.iter().rev().filter_map(|id| study.proposals.get(id))
}

/// Requests and revisions that are being worked on, the oldest first.
fn thinking(study: &Study) -> Vec<ThinkingRow> {
    let row = |p: &Proposal, revising: Option<&Trial>| ThinkingRow {
        proposal: p.id,
        proposer: p.proposer.clone(),
        assignment: p.assignment.clone(),
        parent: p.parents.first().copied(),
        revising: revising.map(|t| t.id),
        asked: revising.and_then(|t| t.reviews.last()).map_or(p.asked, |review| review.at),
        spend: p.spend,
    };
    let revising = study.open.iter().filter_map(|id| study.trial(*id)).filter(|t| back(t) == Some(Back::Writing));
    let revising = revising.filter_map(|t| Some(row(study.proposals.get(&t.proposal?)?, Some(t))));
    let mut rows: Vec<ThinkingRow> = proposing(study).map(|p| row(p, None)).chain(revising).collect();
    rows.sort_by_key(|r| (r.asked, r.proposal));
    rows
}

/// Whether a trial waited for review and comes back to it.
fn back(trial: &Trial) -> Option<Back> {
    if trial.status != Status::Proposed {
        return None;
    }
    if trial.revise.is_some() {
        return Some(Back::Writing);
    }
    // What a person edited and accepted goes to the runs from here.
    let accepted = trial.reviews.last().is_some_and(|r| r.decision == Decision::Accept && r.tree.is_none());
    (trial.revision > 1 && !accepted).then_some(Back::Checking)
}

/// Share of the slots' time that runs have used, 0 to 1.
pub fn slot_utilisation(study: &Study) -> f64 {
    let offered = study.active_millis as f64 / 1000.0 * study.slots.len() as f64;
    if offered > 0.0 { (study.slot_seconds / offered).min(1.0) } else { 0.0 }
}

/// Makes the row of one trial; none when there is no such trial.
pub fn row(study: &Study, id: TrialId) -> Option<Row> {
    let t = study.trial(id)?;
    let mut title: String = t.hypothesis.chars().take(TITLE).collect();
    if title.len() < t.hypothesis.len() {
        title.push('…');
    }
    Some(Row {
        id,
        parents: t.parents.clone(),
        proposal: t.proposal,
        status: t.status,
        verdict: t.verdict,
        verified: t.verified,
        score: t.score,
        label: t.failure.as_ref().map(|f| f.label),
        operator: t.operator,
        proposer: t.proposer.clone(),
        model: t.proposal.and_then(|p| study.proposals.get(&p)).and_then(|p| p.assignment.as_ref()).map(|a| a.model.clone()),
        surface: t.surface.clone(),
        title,
        runs: t.runs.len() as u32,
        revision: t.revision,
        back: back(t),
        tree: t.tree.clone(),
        flags: t.marks(),
        pinned: t.pinned,
        pruned: t.pruned,
        finished: t.times.finished,
    })
}
