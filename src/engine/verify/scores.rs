//! Kept scores, made again from kept artifacts by the evaluator, in a directory elsewhere. A journal that was forged, chain
//! and all, is found out here: nobody can forge what the artifacts give.

use super::Check;
use crate::decide;
use crate::engine::effects::evaluate as scoring;
use crate::engine::rig::Rig;
use crate::evaluate::{self, ARTIFACTS, Artifacts, Evaluation, Measured, STDOUT_MAX};
use crate::model::{Run, RunId, Study, Trial, TrialId, Verdict, number::short};
use crate::run::{Executor, Observation, Stream};
use crate::task::Scoring;
use serde::Serialize;
use std::{fs, path::Path, time::Duration};

/// Scores that differ by less than this share of themselves are equal: an evaluator may add in another order.
const EQUAL: f64 = 1e-9;
/// How often the evaluator is looked at.
const LOOK: Duration = Duration::from_millis(20);
const TRUST: &str = "trust neither: `trialdeck replay` runs the code again";

/// Whose scores are made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The baseline's, kept trials' and the best one's.
    Kept,
    /// All there are.
    All,
}

/// A score that was made again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recomputed {
    /// Which run's.
    pub run: RunId,
    /// What the journal says.
    pub journal: f64,
    /// What its artifacts give.
    pub recomputed: f64,
    /// To the last digit.
    pub equal: bool,
}

/// Makes the scores of `scope` again, working in `scratch`; `say` is told of each run.
pub fn scores(rig: &Rig, study: &Study, scratch: &Path, scope: Scope, say: &dyn Fn(&str)) -> Check {
    let mut check = Check::new("scores");
    let best = study.best.as_ref().map(|b| b.trial);
    let wanted = |t: &&Trial| {
        scope == Scope::All
            || t.id == TrialId::BASELINE
            || t.verdict == Some(Verdict::Keep)
            || best == Some(t.id)
            || t.id == study.incumbent
    };
    for trial in study.trials.iter().filter(wanted) {
        let runs = || trial.runs.iter().filter(|r| r.score.is_some() && !r.imported);
        if runs().next().is_none() {
            if trial.imported.is_some() && trial.score.is_some() {
                check.leave(trial.id.to_string(), "its score was imported: there is no artifact of it here", "nothing");
            }
            continue;
        }
        for run in runs() {
            let id = trial.id.run(run.id);
            say(&format!("{id}: scoring its artifacts again"));
            one(rig, run, id, scratch, &mut check);
        }
        let whole = decide::aggregate(&trial.own_scores(), study.settings.aggregate);
        if let (Some(said), Some(is)) = (trial.score, whole)
            && !near(said, is)
        {
            check.wrong(trial.id.to_string(), format!("its score is {said} in the journal, its runs give {is}"), TRUST);
        }
    }
    let near = check.scores.iter().filter(|s| !s.equal).count();
    let near = if near > 0 { format!(", {near} of them to 9 digits") } else { String::new() };
    check.looked_at = match check.scores.len() {
        1 => format!("1 score made again{near}"),
        n => format!("{n} scores made again{near}"),
    };
    check
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= EQUAL * a.abs().max(b.abs())
}

fn one(rig: &Rig, run: &Run, id: RunId, scratch: &Path, check: &mut Check) {
    let dir = rig.layout.run(id);
    let Some(said) = run.score else { return };
    let before = check.wrong.len();
    measures(rig, run, id, &dir, check);
    if let Some(kept) = Evaluation::load(&dir)
        && kept.score != Some(said)
    {
        let there = kept.score.map_or_else(|| "no score".to_owned(), |s| s.to_string());
        check.wrong(format!("{id} evaluation.json"), format!("it says {there}, the journal {said}"), TRUST);
    }
    let artifacts = Artifacts::load(&dir);
    let measured = scoring::measured(run, &dir, artifacts.as_ref());
    let again = match &rig.task.evaluator.scoring {
        Scoring::SelfReported(report) => {
            let score = rig.self_reported_score(report, &dir, &scoring::rules(rig, measured)).score;
            score.ok_or_else(|| "its log does not have the score any more".to_owned())
        }
        Scoring::Command(command) => {
            if !whole(run, id, &dir, artifacts.as_ref(), check) {
                return;
            }
            compared(rig, run, id, command, measured, scratch, said)
        }
    };
    match again {
        Ok(again) if near(said, again) => {
            let equal = said.to_bits() == again.to_bits() || said == again;
            check.scores.push(Recomputed { run: id, journal: said, recomputed: again, equal });
        }
        Ok(again) => {
            check.wrong(
                id.to_string(),
                format!("the journal says {said}, its artifacts give {again} ({} apart)", short((said - again).abs())),
                TRUST,
            );
            check.scores.push(Recomputed { run: id, journal: said, recomputed: again, equal: false });
        }
        Err(why) if check.wrong.len() == before => check.leave(id.to_string(), why, "`trialdeck replay` runs the code again"),
        Err(_) => {}
    }
}

/// What the harness measured lies beside the journal as well.
fn measures(rig: &Rig, run: &Run, id: RunId, dir: &Path, check: &mut Check) {
    if let Observation::Ended(status) = rig.executor.observe(dir)
        && (status.seconds.to_bits() != run.seconds.to_bits() || status.peak_memory_bytes != run.peak_memory_bytes)
    {
        let what = format!(
            "the journal says {} s and {} bytes of memory, its status {} s and {}",
            run.seconds, run.peak_memory_bytes, status.seconds, status.peak_memory_bytes
        );
        check.wrong(format!("{id} status.json"), what, TRUST);
    }
}

/// Whether the artifacts are those that were collected.
fn whole(run: &Run, id: RunId, dir: &Path, artifacts: Option<&Artifacts>, check: &mut Check) -> bool {
    const GONE: &str = "`trialdeck replay` runs the code again";
    let there = dir.join(ARTIFACTS).is_dir();
    let Some(artifacts) = artifacts else {
        match &run.artifacts {
            Some(_) if there => check.wrong(format!("{id} artifacts.json"), "the list of its artifacts is gone", TRUST),
            _ if there => return true,
            _ => check.leave(id.to_string(), "its artifacts are gone", GONE),
        }
        return false;
    };
    if run.artifacts.is_some() && artifacts.digest() != run.artifacts {
        check.wrong(format!("{id} artifacts.json"), "the list of its artifacts is not what the journal says", TRUST);
        return false;
    }
    if !there && !artifacts.files.is_empty() {
        check.leave(id.to_string(), "its artifacts are gone", GONE);
        return false;
    }
    let wrong = artifacts.read_whole(dir);
    for (path, what) in &wrong {
        let path = crate::model::Safe::line(path);
        check.wrong(format!("{id} {ARTIFACTS}/{path}"), format!("{what} since it was collected"), GONE);
    }
    wrong.is_empty()
}

/// The score again; twice where the first is another, for an evaluator may have noise of its own.
fn compared(rig: &Rig, run: &Run, id: RunId, command: &str, measured: Measured, scratch: &Path, said: f64) -> Result<f64, String> {
    let first = by_evaluator(rig, run, id, command, measured, &scratch.join(format!("{}-{}-1", id.trial, id.run)))?;
    if near(said, first) {
        return Ok(first);
    }
    let second = by_evaluator(rig, run, id, command, measured, &scratch.join(format!("{}-{}-2", id.trial, id.run)))?;
    let (spread, middle) = ((first - second).abs(), f64::midpoint(first, second));
    if !near(first, second) && (said - middle).abs() <= 5.0 * spread {
        return Err(format!("its evaluator is not deterministic: {first} and {second} for the same artifacts, {said} in the journal"));
    }
    Ok(first)
}

fn by_evaluator(rig: &Rig, run: &Run, id: RunId, command: &str, measured: Measured, dir: &Path) -> Result<f64, String> {
    let plan = scoring::plan(rig, id, run, command, measured);
    fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    let mut spec = evaluate::spec(&rig.pristine, dir, &plan).map_err(|e| e.to_string())?;
    let artifacts = rig.layout.run(id).join(ARTIFACTS);
    rig.contain_evaluator(&mut spec, run.slot, dir, &artifacts).map_err(|e| e.to_string())?;
    if let Some(fault) = rig.confinement.fault(&spec) {
        return Err(fault.detail);
    }
    rig.executor.submit(dir, &spec).map_err(|e| e.to_string())?;
    let status = loop {
        match rig.executor.observe(dir) {
            Observation::Ended(status) => break status,
            Observation::Lost { detail } => return Err(format!("the evaluator vanished: {detail}")),
            Observation::Rebooted => return Err("the machine was restarted".into()),
            Observation::Absent | Observation::Starting { .. } | Observation::Running { .. } => std::thread::sleep(LOOK),
        }
    };
    let log = rig.executor.log(dir, Stream::Stdout, 0, STDOUT_MAX + 1).map_err(|e| e.to_string())?;
    let evaluation = evaluate::read(&log.bytes, &status, &scoring::rules(rig, measured));
    let why = evaluation.failure.map(|f| format!("the evaluator fails now: {}: {}", f.label.word(), f.detail));
    evaluation.score.ok_or_else(|| why.unwrap_or_else(|| "the evaluator gave no score".into()))
}
