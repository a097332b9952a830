//! What each kind of agent was asked for and what came of it: one pass over the requests, fast for ten thousand.

use super::{Millis, Proposal, ProposalId, Quiet, Status, Study, StudyState, Trial, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A kind of agent: who, by which model, for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arm {
    /// The role.
    pub role: String,
    /// The model.
    pub model: String,
    /// The part of the recipe; null for a role that works on all.
    pub surface: Option<String>,
}

impl std::fmt::Display for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.surface {
            Some(surface) => write!(f, "{} on {surface} by {}", self.role, self.model),
            None => write!(f, "{} by {}", self.role, self.model),
        }
    }
}

/// How far one request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is not decided yet.
    Open,
    /// Nothing ran: no answer, refused by a rule, a duplicate, vetoed, stale.
    Nothing,
    /// It ran and failed.
    Failed,
    /// It ran and was not kept.
    Reverted,
    /// It ran and was kept.
    Kept,
}

/// One request to an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// Its number.
    pub proposal: ProposalId,
    /// Who was asked.
    pub arm: Arm,
    /// How far it came.
    pub fate: Fate,
    /// What a keep gained, in the metric's unit; 0 for all others.
    pub gain: f64,
    /// Seconds of its runs.
    pub seconds: f64,
    /// Tokens, sent and received.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// When it was asked for.
    pub asked: Millis,
}

/// What came of all requests to one kind of agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmRow {
    /// Which kind.
    #[serde(flatten)]
    pub arm: Arm,
    /// Requests.
    pub asked: u32,
    /// How many of them ran.
    pub ran: u32,
    /// How many were kept.
    pub kept: u32,
    /// How many came to nothing, or ran and failed.
    pub failed: u32,
    /// Sum of the gains of its keeps, in the metric's unit.
    pub gain: f64,
    /// Seconds of its runs.
    pub seconds: f64,
    /// Tokens, sent and received.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// What a person's favour multiplies its worth by.
    pub favour: f64,
    /// Its part of the worth by which the next one is chosen, in percent; null for one that was never asked.
    #[serde(default)]
    pub share: Option<f64>,
}

impl ArmRow {
    /// A kind that nobody was asked of yet.
    pub fn unasked(arm: Arm) -> Self {
        Self { arm, asked: 0, ran: 0, kept: 0, failed: 0, gain: 0.0, seconds: 0.0, tokens: 0, usd: 0.0, favour: 1.0, share: None }
    }
}

/// All requests to agents, in the order of their numbers.
pub fn plays(study: &Study) -> impl DoubleEndedIterator<Item = Play> {
    study.proposals.values().filter_map(|p| play(study, p))
}

fn play(study: &Study, request: &Proposal) -> Option<Play> {
    let assignment = request.assignment.as_deref()?;
    let trial = request.trial.and_then(|id| study.trial(id));
    let arm = Arm { role: assignment.role.clone(), model: assignment.model.clone(), surface: assignment.surface.clone() };
    let fate = if request.failed.is_some() { Fate::Nothing } else { trial.map_or(Fate::Open, fate) };
    let gain = trial.filter(|_| fate == Fate::Kept).and_then(|t| t.comparison.as_ref()).map_or(0.0, |c| c.gain);
    Some(Play {
        proposal: request.id,
        arm,
        fate,
        gain: if gain.is_finite() { gain.max(0.0) } else { 0.0 },
        seconds: trial.map_or(0.0, |t| t.runs.iter().map(|r| r.seconds).sum()),
        tokens: request.spend.prompt_tokens.saturating_add(request.spend.completion_tokens),
        usd: request.spend.usd,
        asked: request.asked,
    })
}

fn fate(trial: &Trial) -> Fate {
    match (trial.status, trial.verdict) {
        (Status::Vetoed | Status::Rejected | Status::Stale | Status::Unreadable, _) => Fate::Nothing,
        (Status::Done, Some(Verdict::Keep)) => Fate::Kept,
        (Status::Done, _) if trial.failure.is_some() => Fate::Failed,
        (Status::Done, _) => Fate::Reverted,
        (Status::Proposed | Status::Waiting | Status::Queued | Status::Running | Status::Evaluating, _) => Fate::Open,
    }
}

/// What a person's favours make of a kind of agent: the last word that covers it, else 1.
pub fn favour(study: &Study, arm: &Arm) -> f64 {
    let said = study.favours.iter().rev().find(|f| f.covers(&arm.role, &arm.model, arm.surface.as_deref()));
    said.map_or(1.0, |f| f.factor)
}

/// Whether a person turned off every kind of agent that there is.
pub fn all_off(study: &Study) -> bool {
    let Some(agents) = study.settings.agents.as_deref() else { return false };
    let arms = agents.roles.iter().flat_map(|role| {
        let surfaces: Vec<Option<String>> =
            if role.surfaces.is_empty() { vec![None] } else { role.surfaces.iter().cloned().map(Some).collect() };
        let of = move |surface: Option<String>| agents.models.iter().map(move |m| (role.name.clone(), m.name.clone(), surface.clone()));
        surfaces.into_iter().flat_map(of).map(|(role, model, surface)| Arm { role, model, surface })
    });
    let mut arms = arms.peekable();
    arms.peek().is_some() && arms.all(|arm| favour(study, &arm) == 0.0)
}

/// Why no agent is asked now, where agents propose and the study goes on; none where one is at work or proposals are at hand.
pub fn quiet(study: &Study) -> Option<Quiet> {
    let by_agents = study.settings.proposers.iter().any(|p| p == "agents");
    let goes_on = study.state == StudyState::Running && study.stopping.is_none();
    let thinking = study.asked.iter().filter_map(|id| study.proposals.get(id)).any(|p| p.assignment.is_some());
    let at_hand = |t: &Trial| t.proposal.is_some() && t.runs.is_empty() && !t.status.is_final();
    if !by_agents || !goes_on || thinking || study.open.iter().filter_map(|id| study.trial(*id)).any(at_hand) {
        return None;
    }
    let gave_up = || study.proposals.values().next_back().is_some_and(|p| p.gave_up && p.news >= study.news);
    match (all_off(study), study.faults.in_a_row) {
        (true, _) => Some(Quiet::TurnedOff),
        (false, 1..) => Some(Quiet::Failing),
        (false, 0) => gave_up().then_some(Quiet::GivenUp),
    }
}

/// What came of each kind of agent that was asked, in the order of their names.
pub fn arms(study: &Study) -> Vec<ArmRow> {
    let mut rows: BTreeMap<Arm, ArmRow> = BTreeMap::new();
    for play in plays(study) {
        let row = rows.entry(play.arm.clone()).or_insert_with(|| ArmRow { favour: favour(study, &play.arm), ..ArmRow::unasked(play.arm) });
        row.asked += 1;
        row.ran += u32::from(play.seconds > 0.0 || matches!(play.fate, Fate::Failed | Fate::Reverted | Fate::Kept));
        row.kept += u32::from(play.fate == Fate::Kept);
        row.failed += u32::from(matches!(play.fate, Fate::Nothing | Fate::Failed));
        row.gain += play.gain;
        row.seconds += play.seconds;
        row.tokens = row.tokens.saturating_add(play.tokens);
        row.usd += play.usd;
    }
    rows.into_values().collect()
}
