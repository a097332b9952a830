//! From what a person typed to a study, a trial, a proposal.

use super::args::Studies;
use super::{Failure, host};
use crate::client::studies;
use crate::journal;
use crate::model::{ProposalId, RunId, Study, Trial, TrialId};
use std::path::PathBuf;

/// The directory of the study with this name.
pub(super) fn study_dir(name: &str, choice: &Studies) -> Result<PathBuf, Failure> {
    let dir = host::studies_dir(choice)?;
    studies::find(&dir, name).map_err(|e| Failure::usage(e.to_string()))
}

/// The directory of all studies. Errors: what lies there and is none.
pub(super) fn studies_dir(choice: &Studies) -> Result<PathBuf, Failure> {
    let dir = host::studies_dir(choice)?;
    studies::readable(&dir).map_err(|e| Failure::usage(e.to_string()))?;
    Ok(dir)
}

/// A study, read from its directory.
pub(super) fn study(name: &str, choice: &Studies) -> Result<(PathBuf, Study), Failure> {
    let dir = study_dir(name, choice)?;
    let reading = journal::read(&dir)?;
    Ok((dir, reading.study))
}

/// Refuses what a history without a task or without code cannot do.
pub(super) fn can_go_on(study: &Study) -> Result<(), Failure> {
    match study.imported.as_ref().and_then(|from| Some((from, from.fixed.as_ref()?))) {
        None => Ok(()),
        Some((from, why)) => Err(Failure::usage(format!(
            "{} was imported from {} ({}) and cannot go on: {}; it can be looked at, filtered and exported",
            study.name,
            crate::model::Safe::line(&from.file),
            from.format,
            crate::model::Safe::line(why)
        ))),
    }
}

/// A trial by its number, or `best`, or `incumbent`, or `baseline`.
pub(super) fn trial<'a>(study: &'a Study, text: &str) -> Result<&'a Trial, Failure> {
    let id = match text {
        "best" => match &study.best {
            Some(best) => best.trial,
            None => return Err(Failure::usage(format!("{} has no best trial: nothing was kept yet", study.name))),
        },
        "incumbent" => study.incumbent,
        "baseline" => TrialId::BASELINE,
        text => text.parse::<TrialId>().map_err(|e| Failure::usage(format!("{e}, or `best`")))?,
    };
    let last = study.trials.len().saturating_sub(1);
    study.trial(id).ok_or_else(|| Failure::usage(format!("{} has no trial {id}; its last is t{last:04}", study.name)))
}

/// A proposal by its number; a trial's number will do as well.
pub(super) fn proposal(study: &Study, text: &str) -> Result<ProposalId, Failure> {
    if text.starts_with('t') {
        let trial = trial(study, text)?;
        return trial.proposal.ok_or_else(|| Failure::usage(format!("{} is the baseline, not a proposal", trial.id)));
    }
    text.parse().map_err(|e| Failure::usage(format!("{e}")))
}

/// A run by its number, or the last run of a trial.
pub(super) fn run(study: &Study, text: &str) -> Result<RunId, Failure> {
    if text.contains('/') {
        let run: RunId = text.parse().map_err(|e| Failure::usage(format!("{e}")))?;
        let trial = trial(study, &run.trial.to_string())?;
        return match trial.run(run.run) {
            Some(_) => Ok(run),
            None => Err(Failure::usage(format!("{} has no {}; it has {} runs", trial.id, run.run, trial.runs.len()))),
        };
    }
    let trial = trial(study, text)?;
    let last = trial.runs.last().ok_or_else(|| Failure::usage(format!("{} has not run: it is {}", trial.id, trial.status.word())))?;
    Ok(trial.id.run(last.id))
}
