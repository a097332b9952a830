//! The stable JSON of `show --json`: every field always present, null without a value, trials in numeric order.

use crate::model::{
    Decision, DiffStat, EndReason, Failure, Flag, GateResult, Goal, Millis, Noise, Operator, ProposalId, Reviewer, RunKind, RunNo,
    ScoreSource, SetupStage, Status, Study, StudyState, Trial, TrialId, Verdict,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One study, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct StudyDocument {
    pub study: String,
    pub task: String,
    pub metric: String,
    pub goal: Goal,
    pub score_source: ScoreSource,
    pub isolation: String,
    pub state: StudyState,
    pub reason: Option<EndReason>,
    pub detail: Option<String>,
    pub seed: u64,
    pub autonomy: crate::model::Autonomy,
    pub policy: String,
    pub proposers: Vec<String>,
    pub incumbent: TrialId,
    pub baseline: BaselineDocument,
    pub best: Option<BestDocument>,
    pub budget: BudgetDocument,
    #[serde(default)]
    pub setup: Option<SetupDocument>,
    #[serde(default)]
    pub imported: Option<crate::model::ImportedFrom>,
    /// Patterns of paths that proposals must not touch.
    #[serde(default)]
    pub forbidden: Vec<String>,
    /// What came of each kind of agent that was asked; empty without agents.
    #[serde(default)]
    pub arms: Vec<crate::model::arms::ArmRow>,
    pub trials: Vec<TrialDocument>,
}

/// The baseline at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct BaselineDocument {
    /// What scores are measured against: t0000, or the repair of it that stands in for it.
    pub trial: TrialId,
    /// The baseline that failed and was mended by `trial`; null where it has a score of its own.
    #[serde(default)]
    pub mends: Option<TrialId>,
    pub score: Option<f64>,
    /// Standard deviation of one run's score, pooled over every trial that ran more than once (not of the baseline's runs
    /// alone, nor of their mean), or as the task gives it; null when unknown.
    pub sd: Option<f64>,
    /// Runs of the baseline that have a score.
    pub runs: u32,
    /// How `sd` is known: `measured`, `given` or `unknown`.
    pub noise: String,
}

/// The best trial at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct BestDocument {
    pub trial: TrialId,
    pub score: f64,
    pub verified: bool,
    pub gain: f64,
    pub gain_interval: Option<[f64; 2]>,
}

/// The environment of the runs; null where the task builds none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct SetupDocument {
    pub state: SetupStage,
    pub hash: Option<String>,
    pub seconds: f64,
    pub cached: bool,
    pub attempts: u32,
    pub failure: Option<Failure>,
    pub log: Vec<String>,
}

/// What was spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct BudgetDocument {
    pub trials: Option<u32>,
    pub trials_used: u32,
    pub seconds: f64,
    /// Where money ends proposing by models; null is unlimited.
    #[serde(default)]
    pub usd_limit: Option<f64>,
    /// Where tokens do.
    #[serde(default)]
    pub tokens_limit: Option<u64>,
    /// Answers of models.
    #[serde(default)]
    pub answers: u32,
    /// Tokens were counted by their letters, for a server did not say.
    #[serde(default)]
    pub estimated: bool,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub usd: f64,
    pub gpu_seconds: f64,
    pub slot_utilisation: f64,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct TrialDocument {
    pub id: TrialId,
    pub parents: Vec<TrialId>,
    pub proposal: Option<ProposalId>,
    pub operator: Operator,
    pub proposer: String,
    pub surface: Option<String>,
    pub hypothesis: String,
    pub revision: u32,
    pub commit: Option<String>,
    pub tree: Option<String>,
    pub status: Status,
    pub verdict: Option<Verdict>,
    pub verified: bool,
    pub score: Option<f64>,
    pub holdout: Option<f64>,
    pub self_reported: Option<f64>,
    pub runs: Vec<RunDocument>,
    pub failure: Option<Failure>,
    pub gates: Vec<GateResult>,
    pub diff: Option<DiffStat>,
    #[serde(default)]
    pub flags: Vec<Flag>,
    pub reviews: Vec<ReviewDocument>,
    pub cost: CostDocument,
    pub times: TimesDocument,
    #[serde(default)]
    pub imported: Option<crate::model::Origin>,
    #[serde(default)]
    pub superseded: Vec<crate::model::Superseded>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct RunDocument {
    pub id: RunNo,
    pub kind: RunKind,
    pub seed: Option<u64>,
    pub score: Option<f64>,
    pub self_reported: Option<f64>,
    pub seconds: f64,
    pub peak_memory_bytes: u64,
    pub metrics: BTreeMap<String, f64>,
    pub failure: Option<Failure>,
    pub retry_of: Option<RunNo>,
    #[serde(default)]
    pub artifacts: Option<String>,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct ReviewDocument {
    pub by: Reviewer,
    pub decision: Decision,
    pub reason: Option<String>,
    pub tree: Option<String>,
}

/// What one trial cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct CostDocument {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub usd: f64,
    pub gpu_seconds: f64,
}

/// Marks of time, RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the contract's own words")]
pub struct TimesDocument {
    pub proposed: Option<String>,
    pub accepted: Option<String>,
    pub started: Option<String>,
    pub finished: Option<String>,
}

/// Writes a time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(at: Millis) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => "out of range".into(),
    }
}

/// Makes the whole document as of `now`.
pub fn study_document(study: &Study, now: Millis) -> StudyDocument {
    StudyDocument {
        study: study.name.clone(),
        task: study.settings.task.clone(),
        metric: study.settings.metric.clone(),
        goal: study.settings.goal,
        score_source: study.settings.score_source,
        isolation: study.settings.isolation.clone(),
        state: study.state,
        reason: study.is_over().then_some(study.reason).flatten(),
        detail: study.detail.clone(),
        seed: study.settings.seed,
        autonomy: study.settings.autonomy,
        policy: study.settings.policy.word().to_owned(),
        proposers: study.settings.proposers.clone(),
        incumbent: study.incumbent,
        baseline: baseline_document(study),
        best: study.best.as_ref().map(|b| BestDocument {
            trial: b.trial,
            score: b.score,
            verified: b.verified,
            gain: b.gain,
            gain_interval: b.gain_interval,
        }),
        budget: BudgetDocument {
            trials: study.settings.limits.trials,
            trials_used: study.trials_used,
            seconds: study.active_seconds(now),
            usd_limit: study.settings.limits.usd,
            tokens_limit: study.settings.limits.tokens,
            answers: study.spend.calls,
            prompt_tokens: study.spend.prompt_tokens,
            completion_tokens: study.spend.completion_tokens,
            usd: study.spend.usd,
            estimated: study.spend.estimated,
            gpu_seconds: study.gpu_seconds,
            slot_utilisation: super::slot_utilisation(study),
        },
        setup: study.setup.as_ref().map(|s| SetupDocument {
            state: s.stage,
            hash: s.hash.clone(),
            seconds: s.seconds,
            cached: s.cached,
            attempts: s.ended,
            failure: s.failure.clone(),
            log: s.tail.clone(),
        }),
        imported: study.imported.clone(),
        forbidden: study.forbidden.iter().cloned().collect(),
        arms: crate::model::arms::arms(study),
        trials: study.trials.iter().map(|t| priced_document(study, t)).collect(),
    }
}

fn baseline_document(study: &Study) -> BaselineDocument {
    let scores = study.reference().map(Trial::scores).unwrap_or_default();
    let (sd, noise) = match study.noise {
        Noise::Measured { sd, .. } => (Some(sd), "measured"),
        Noise::Given { sd } => (Some(sd), "given"),
        Noise::Unknown { .. } => (None, "unknown"),
    };
    BaselineDocument {
        trial: study.reference_id(),
        mends: study.reference.map(|_| TrialId::BASELINE),
        score: study.reference().and_then(|b| b.score),
        sd,
        runs: scores.len() as u32,
        noise: noise.to_owned(),
    }
}

/// Makes the document of one trial, with what its models cost.
pub fn priced_document(study: &Study, t: &Trial) -> TrialDocument {
    let document = trial_document(t);
    match t.proposal.and_then(|p| study.proposals.get(&p)).map(|p| &p.spend) {
        Some(spend) => {
            let cost = CostDocument {
                prompt_tokens: spend.prompt_tokens,
                completion_tokens: spend.completion_tokens,
                usd: spend.usd,
                ..document.cost
            };
            TrialDocument { cost, ..document }
        }
        None => document,
    }
}

/// Makes the document of one trial, without what its models cost, which its request knows.
pub fn trial_document(t: &Trial) -> TrialDocument {
    let time = |at: Option<Millis>| at.map(rfc3339);
    TrialDocument {
        id: t.id,
        parents: t.parents.clone(),
        proposal: t.proposal,
        operator: t.operator,
        proposer: t.proposer.clone(),
        surface: t.surface.clone(),
        hypothesis: t.hypothesis.clone(),
        revision: t.revision,
        commit: t.commit.clone(),
        tree: t.tree.clone(),
        status: t.status,
        verdict: t.verdict,
        verified: t.verified,
        score: t.score,
        holdout: t.holdout,
        self_reported: t.self_reported,
        runs: t
            .runs
            .iter()
            .map(|r| RunDocument {
                id: r.id,
                kind: r.kind,
                // With which seed an imported run ran is not known.
                seed: (!r.imported).then_some(r.seed),
                score: r.score,
                self_reported: r.self_reported,
                seconds: r.seconds,
                peak_memory_bytes: r.peak_memory_bytes,
                metrics: r.metrics.clone(),
                failure: r.failure.clone(),
                retry_of: r.retry_of,
                artifacts: r.artifacts.clone(),
            })
            .collect(),
        failure: t.failure.clone(),
        gates: t.gates.clone(),
        diff: t.diff,
        flags: t.all_flags(),
        reviews: t
            .reviews
            .iter()
            .map(|r| ReviewDocument { by: r.by, decision: r.decision, reason: r.reason.clone(), tree: r.tree.clone() })
            .collect(),
        cost: CostDocument { prompt_tokens: 0, completion_tokens: 0, usd: 0.0, gpu_seconds: t.gpu_seconds() },
        times: TimesDocument {
            proposed: time(t.times.proposed),
            accepted: time(t.times.accepted),
            started: time(t.times.started),
            finished: time(t.times.finished),
        },
        imported: t.imported.clone(),
        superseded: t.superseded.clone(),
    }
}
