//! `head.json`: the few facts that lists and the home screen show, so that they need not fold a hundred journals.
//!
//! Rebuildable at any time; a missing or broken one reads as absent.

use super::{JournalError, replace};
use crate::model::{Best, EndReason, Goal, Millis, ScoreSource, Status, Study, StudyState, Verdict};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = "head.json";
/// Points of the sparkline at most.
const POINTS: usize = 40;

/// A study in a few lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Name of the study.
    pub name: String,
    /// Name of the task.
    pub task: String,
    /// The task's title.
    pub title: String,
    /// How far it has come.
    pub state: StudyState,
    /// Why it is over.
    pub reason: Option<EndReason>,
    /// The metric's key.
    pub metric: String,
    /// Which way is better.
    pub goal: Goal,
    /// Who owns the score.
    #[serde(default = "evaluator")]
    pub score_source: ScoreSource,
    /// The baseline's score.
    pub baseline: Option<f64>,
    /// The best trial with its gain.
    pub best: Option<Best>,
    /// Trials that count against the limit.
    pub trials_used: u32,
    /// The limit.
    pub trials_limit: Option<u32>,
    /// Proposals that wait for a person.
    pub waiting: u32,
    /// Runs that have not ended.
    pub running: u32,
    /// Number of the last fact.
    pub seq: u64,
    /// Time of the first fact.
    pub created: Millis,
    /// Time of the last fact.
    pub updated: Millis,
    /// The baseline's score, then the best kept score so far after each decided trial, thinned to at most 40 points.
    pub sparkline: Vec<f64>,
    /// The program whose history it began as; null for a study that began here.
    #[serde(default)]
    pub imported: Option<String>,
    /// Whether an engine ever worked on it: who leaves the card before the first run has a study that was never started.
    #[serde(default = "begun")]
    pub begun: bool,
    /// The engine that wrote it, while it had the study; whether it still lives is `journal::owner`'s to say.
    pub pid: Option<u32>,
}

impl Head {
    /// The head of a study.
    pub fn of(study: &Study, pid: Option<u32>) -> Self {
        Self {
            name: study.name.clone(),
            task: study.settings.task.clone(),
            title: study.settings.title.clone(),
            state: study.state,
            reason: study.reason,
            metric: study.settings.metric.clone(),
            goal: study.settings.goal,
            score_source: study.settings.score_source,
            baseline: study.reference().and_then(|t| t.score),
            best: study.best.clone(),
            trials_used: study.trials_used,
            trials_limit: study.settings.limits.trials,
            waiting: study.open.iter().filter(|id| study.trial(**id).is_some_and(|t| t.status == Status::Waiting)).count() as u32,
            running: study.runs_in_flight().count() as u32,
            seq: study.seq,
            created: study.created,
            updated: study.at,
            sparkline: sparkline(study),
            begun: !study.slots.is_empty() || study.imported.is_some(),
            imported: study.imported.as_ref().map(|from| from.format.clone()),
            pid,
        }
    }
}

/// Heads of an earlier version do not say.
fn evaluator() -> ScoreSource {
    ScoreSource::Evaluator
}

/// Nor do they say this.
fn begun() -> bool {
    true
}

/// Writes the head, whole or not at all.
pub fn write(study_dir: &Path, study: &Study, pid: Option<u32>) -> Result<(), JournalError> {
    let body = serde_json::to_vec(&Head::of(study, pid)).map_err(|e| JournalError::Unwritable { detail: format!("{FILE}: {e}") })?;
    replace::replace(study_dir, FILE, &[&body, b"\n"])
}

/// Reads the head; none when there is none that can be read.
pub fn read(study_dir: &Path) -> Option<Head> {
    serde_json::from_slice(&std::fs::read(study_dir.join(FILE)).ok()?).ok()
}

fn sparkline(study: &Study) -> Vec<f64> {
    let goal = study.settings.goal;
    let mut line: Vec<f64> = study.reference().and_then(|t| t.score).filter(|s| s.is_finite()).into_iter().collect();
    for trial in study.trials.iter().skip(1).filter(|t| t.status == Status::Done) {
        // A single lucky run does not count: only what was kept moves the line.
        let kept = trial.score.filter(|s| s.is_finite() && trial.verdict == Some(Verdict::Keep));
        let last = line.last().copied();
        line.extend(match (last, kept) {
            (Some(last), Some(score)) if goal.better(score, last) => Some(score),
            (Some(last), _) => Some(last),
            (None, kept) => kept,
        });
    }
    let n = line.len();
    if n <= POINTS {
        return line;
    }
    (0..POINTS).filter_map(|i| line.get(i * (n - 1) / (POINTS - 1)).copied()).collect()
}
