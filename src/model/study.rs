//! One search on a task: the fold of its facts.

use super::{
    EndReason, ImportedFrom, Millis, Noise, Operator, Proposal, ProposalId, RunId, RunPhase, Settings, Setup, SlotInfo, Spend, StudyState,
    Trial, TrialId,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The best trial and its comparison with the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The node.
    pub trial: TrialId,
    /// Its score.
    pub score: f64,
    /// Whether fresh runs certified it.
    pub verified: bool,
    /// Against the baseline, positive when better, in the metric's unit.
    pub gain: f64,
    /// 95 % interval.
    pub gain_interval: Option<[f64; 2]>,
}

/// The state of a study: nothing but the fold of its facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Number of the last fact.
    pub seq: u64,
    /// Time of the last fact.
    pub at: Millis,
    /// Time of the first fact.
    pub created: Millis,
    /// Its name.
    pub name: String,
    /// What was imported, for people.
    pub source: String,
    /// What decisions depend on.
    pub settings: Settings,
    /// How far it has come.
    pub state: StudyState,
    /// Why it is over, or will be once the running runs have ended.
    pub reason: Option<EndReason>,
    /// In words, where there is more to say.
    pub detail: Option<String>,
    /// An end was asked for; `true` kills what runs.
    pub stopping: Option<bool>,
    /// The places to run.
    pub slots: Vec<SlotInfo>,
    /// An engine has it.
    pub engine_live: bool,
    /// Milliseconds with an engine at work.
    pub active_millis: i64,
    /// All nodes; the index is the number.
    pub trials: Vec<Trial>,
    /// All requests, by number.
    pub proposals: BTreeMap<ProposalId, Proposal>,
    /// Requests that nobody has answered yet.
    pub asked: BTreeSet<ProposalId>,
    /// Nodes with two scores or more: what the noise is pooled over.
    pub replicated: BTreeSet<TrialId>,
    /// Nodes that are not final, or have a run in flight.
    pub open: BTreeSet<TrialId>,
    /// Decided nodes whose commit's message does not carry the verdict yet, and the last fact that it is to carry.
    pub unlabelled: BTreeMap<TrialId, u64>,
    /// Counter of random decisions.
    pub decisions: u64,
    /// The trial that the search builds on.
    pub incumbent: TrialId,
    /// The trial that stands in for a baseline that failed: what scores are measured against. None where the baseline has a score.
    #[serde(default)]
    pub reference: Option<TrialId>,
    /// The best trial; none until a keep.
    pub best: Option<Best>,
    /// What is known of the noise.
    pub noise: Noise,
    /// Trials whose first run started, without the baseline.
    pub trials_used: u32,
    /// Requests in a row, to proposers of the settings, that started nothing.
    pub fruitless: u32,
    /// Proposers whose proposals pass whatever the autonomy.
    pub let_pass: BTreeSet<String>,
    /// Seconds times slots that runs have used.
    pub slot_seconds: f64,
    /// Seconds times GPUs that runs have used.
    pub gpu_seconds: f64,
    /// Words to the agents, in order.
    pub steers: Vec<super::Steer>,
    /// What models cost so far.
    #[serde(default)]
    pub spend: Spend,
    /// Which agents a person wants asked more or less often; the last word on a kind counts.
    #[serde(default)]
    pub favours: Vec<super::Favour>,
    /// Patterns of paths that proposals must not touch, but for the researcher's own.
    #[serde(default)]
    pub forbidden: BTreeSet<String>,
    /// Requests to agents that failed in a row.
    #[serde(default)]
    pub faults: super::Faults,
    /// Number of the last fact that tells proposers something: a score, a decision, a word of the researcher's.
    #[serde(default)]
    pub news: u64,
    /// What was said once.
    #[serde(default)]
    pub cautions: BTreeSet<super::Caution>,
    /// The holdout was opened after the study's last end.
    pub unsealed: bool,
    /// The last notes for people, at most 50.
    pub notes: Vec<Note>,
    /// Where the history comes from that it began as; null for a study that began here.
    #[serde(default)]
    pub imported: Option<ImportedFrom>,
    /// The environment of its runs, where the task builds one.
    #[serde(default)]
    pub setup: Option<Setup>,
    /// Hash of the evaluator's list of hashes.
    #[serde(default)]
    pub evaluator: Option<String>,
}

/// Something that a person should read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Millis,
    /// Whether it needs attention.
    pub warning: bool,
    /// In one line.
    pub text: String,
}

impl Study {
    /// The node with this number.
    pub fn trial(&self, id: TrialId) -> Option<&Trial> {
        self.trials.get(id.0 as usize)
    }

    /// The same, to change.
    pub fn trial_mut(&mut self, id: TrialId) -> Option<&mut Trial> {
        self.trials.get_mut(id.0 as usize)
    }

    /// The node that came of a request.
    pub fn trial_of(&self, proposal: ProposalId) -> Option<&Trial> {
        self.trial(self.proposals.get(&proposal)?.trial?)
    }

    /// The baseline.
    pub fn baseline(&self) -> Option<&Trial> {
        self.trials.first()
    }

    /// What scores are measured against: the baseline, or the trial that mended it.
    pub fn reference(&self) -> Option<&Trial> {
        self.trial(self.reference_id())
    }

    /// Its number.
    pub fn reference_id(&self) -> TrialId {
        self.reference.unwrap_or(TrialId::BASELINE)
    }

    /// Number of the next node.
    pub fn next_trial(&self) -> TrialId {
        TrialId(self.trials.len() as u32)
    }

    /// Number of the next request.
    pub fn next_proposal(&self) -> ProposalId {
        ProposalId(self.proposals.last_key_value().map_or(1, |(id, _)| id.0 + 1))
    }

    /// A proposal that is handed in without having been asked for, as things stand.
    pub fn unasked(&self, id: ProposalId, proposer: String, parents: Vec<TrialId>, operator: Operator, at: Millis) -> Proposal {
        Proposal {
            id,
            proposer,
            parents,
            operator,
            decision: self.decisions,
            asked: at,
            requested: false,
            trial: None,
            failed: None,
            gave_up: false,
            news: self.news,
            assignment: None,
            spend: Spend::default(),
        }
    }

    /// Runs that have not ended.
    pub fn runs_in_flight(&self) -> impl Iterator<Item = (RunId, &super::Run)> {
        self.open
            .iter()
            .filter_map(|id| self.trial(*id))
            .flat_map(|t| t.runs.iter().filter(|r| r.phase != RunPhase::Ended).map(move |r| (t.id.run(r.id), r)))
    }

    /// Runs of other code than this tree that left these very artifacts: copied, or made by a change without an effect.
    pub fn same_artifacts(&self, tree: &str, artifacts: Option<&str>) -> impl Iterator<Item = RunId> {
        let runs = self.trials.iter().flat_map(|t| t.runs.iter().map(move |r| (t.id.run(r.id), r)));
        runs.filter(move |(_, r)| artifacts.is_some() && r.artifacts.as_deref() == artifacts && r.tree != tree).map(|(id, _)| id)
    }

    /// Whether the study is over.
    pub fn is_over(&self) -> bool {
        matches!(self.state, StudyState::Finished | StudyState::Failed)
    }

    /// Seconds with an engine at work, up to `now`.
    pub fn active_seconds(&self, now: Millis) -> f64 {
        let open_end = if self.engine_live && !self.is_over() { (now.0 - self.at.0).max(0) } else { 0 };
        (self.active_millis + open_end) as f64 / 1000.0
    }
}
