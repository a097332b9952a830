//! The same commit with the same seed once more: does the score agree?

use super::args::Studies;
use super::{Exit, Failure, Outcome, find, host, put, put_json, say};
use crate::decide::student_t;
use crate::engine::cast::Cast;
use crate::engine::layout::Layout;
use crate::engine::replay;
use crate::engine::rig::{Parts, Rig};
use crate::engine::{clock, study_file};
use crate::model::{Noise, Study, number::short};
use crate::run::slots;
use crate::watch::Watcher;

/// `trialdeck replay`.
pub(super) fn replay(name: &str, trial: &str, json: bool, choice: &Studies) -> Outcome {
    let (dir, study) = find::study(name, choice)?;
    let trial = find::trial(&study, trial)?;
    let run = trial.runs.iter().find(|r| r.score.is_some() && !r.imported).or_else(|| trial.runs.iter().find(|r| r.score.is_some()));
    if trial.imported.is_some() && run.is_none_or(|r| r.imported) {
        let how = match study.imported.as_ref().and_then(|from| from.fixed.as_ref()) {
            None if trial.tree.is_some() => {
                format!("`trialdeck resume {name}`, then `trialdeck ctl {name} replicate {}` runs its code here", trial.id)
            }
            _ => "there is nothing to run".to_owned(),
        };
        return Err(Failure::usage(format!(
            "{} was imported: its seed and its machine are not known, so no run of it can be repeated; {how}",
            trial.id
        )));
    }
    let run =
        run.ok_or_else(|| Failure::usage(format!("{} has no scored run to compare with: it is {}", trial.id, trial.status.word())))?;
    let (id, before) = (trial.id.run(run.id), run.score.unwrap_or_default());
    say(&format!("replaying {id} with seed {}: {}", run.seed, crate::model::Safe::line(&trial.hypothesis)));
    let layout = Layout::replay(&dir, &format!("{}-{}", trial.id, clock::now().0));
    let scratch = layout.slot(0);
    let (task, choices) = study_file::read(&layout)?;
    let (slots, _) = slots::find(study.settings.gpus, choices.slots, host::cpus());
    let watcher = Watcher::start(clock::now, |_| {})?;
    let parts = Parts {
        task,
        path: choices.path,
        program: host::program()?,
        slots,
        lock_dir: host::temp_dir(),
        cache: None,
        private: Default::default(),
        grants: choices.grants,
        confinement: super::isolation::confinement(&study, &dir, &scratch, &choices.shut)?,
        proposers: Vec::new(),
        granted: Default::default(),
        cast: Cast::nobody(),
    };
    let rig = Rig::open(layout, parts, watcher)?;
    if let Some(hash) = study.setup.as_ref().and_then(|s| s.hash.as_ref())
        && !rig.find_setup(hash)
    {
        let message = format!("what [setup] built for {name} is not there any more; `trialdeck resume {name}` builds it again");
        return Err(Failure { message, exit: Exit::FAILED });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let replayed = runtime
        .block_on(replay::replay(rig, study.clone(), id))
        .ok_or_else(|| Failure { message: format!("{id} cannot be replayed"), exit: Exit::FAILED })?;
    // The files of a replay are of no more use; its logs stay beside them.
    let _ = std::fs::remove_dir_all(scratch.canonicalize().unwrap_or_else(|_| scratch.clone()));
    let agreement = Agreement::of(&study, before, replayed.result.as_ref().ok().copied());
    if json {
        let failure = replayed.result.as_ref().err();
        put_json(&serde_json::json!({
            "run": id, "seed": run.seed, "score": before, "replayed": replayed.result.as_ref().ok(), "failure": failure,
            "agrees": agreement != Agreement::No, "equal": agreement == Agreement::Equal, "seconds": replayed.seconds,
        }))?;
    } else {
        let after = match &replayed.result {
            Ok(score) => short(*score),
            Err(failure) => format!("{} ({})", failure.label.word(), crate::model::Safe::line(&failure.detail)),
        };
        put(&format!("{id}: {} then, {after} now: {}", short(before), agreement.words()));
    }
    Ok(if agreement == Agreement::No { Exit::FAILED } else { Exit::DONE })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreement {
    Equal,
    WithinNoise,
    No,
}

impl Agreement {
    /// Equal scores agree; others agree when their difference is one that two runs of the same code show 19 times of 20.
    fn of(study: &Study, before: f64, after: Option<f64>) -> Self {
        let Some(after) = after else { return Self::No };
        if before == after {
            return Self::Equal;
        }
        let bound = match study.noise {
            Noise::Measured { sd, nu } => student_t(0.975, nu.max(1)) * sd * std::f64::consts::SQRT_2,
            Noise::Given { sd } => student_t(0.975, 60) * sd * std::f64::consts::SQRT_2,
            Noise::Unknown { .. } => 0.0,
        };
        if (before - after).abs() <= bound { Self::WithinNoise } else { Self::No }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::WithinNoise => "agrees within the noise",
            Self::No => "does not agree",
        }
    }
}
