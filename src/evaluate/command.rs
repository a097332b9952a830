//! The evaluation's own run: command, environment and limits for the executor.

use super::{Measured, Pristine, pristine::EvaluateError};
use crate::run::{Spec, environment};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Files that an evaluator may write for itself, in bytes.
const SCRATCH_BYTES: u64 = 16 << 30;
/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// What an evaluation, or the evaluator's preparation, is run with.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is, for people: `wind-power t0007/run-1, evaluation`.
    pub label: String,
    /// Run by `/bin/sh -c` with the pristine tree as working directory.
    pub command: String,
    /// Its own limit.
    pub wall: Duration,
    /// Limit of resident memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Directories to find programs in.
    pub path: String,
    /// UUIDs of the GPUs that it may use.
    pub gpus: Vec<String>,
    /// Threads that numeric libraries may use.
    pub threads: u32,
    /// The run's seed; the study's for the preparation.
    pub seed: u64,
    /// Where the collected artifacts lie; none for the preparation.
    pub artifacts: Option<PathBuf>,
    /// What the harness measured of the run; none for the preparation.
    pub measured: Option<Measured>,
    /// The task's own variables.
    pub env: BTreeMap<String, String>,
}

/// Returns what to run in `dir` (`<run dir>/evaluation`), and makes its home and its directory for temporary files there.
pub fn spec(pristine: &Pristine, dir: &Path, plan: &Plan) -> Result<Spec, EvaluateError> {
    let (home, tmp) = (dir.join("home"), dir.join("tmp"));
    for own in [&home, &tmp] {
        std::fs::create_dir_all(own).map_err(|e| EvaluateError::io("make", own, e))?;
    }
    let mut env = environment(&crate::run::EnvPlan {
        path: plan.path.clone(),
        home: home.clone(),
        tmp: tmp.clone(),
        gpus: plan.gpus.clone(),
        threads: plan.threads,
        seed: plan.seed,
        wall_secs: plan.wall.as_secs_f64(),
        run: plan.label.clone(),
        task: plan.env.clone(),
        ..Default::default()
    });
    if let Some(public) = pristine.public() {
        env.insert("TRIALDECK_PUBLIC".into(), public.to_string_lossy().into_owned());
    }
    if let Some(artifacts) = &plan.artifacts {
        env.insert("TRIALDECK_ARTIFACTS".into(), artifacts.to_string_lossy().into_owned());
    }
    if let Some(measured) = &plan.measured {
        env.insert("TRIALDECK_RUN_SECONDS".into(), measured.run_seconds.to_string());
        env.insert("TRIALDECK_PEAK_MEMORY_BYTES".into(), measured.peak_memory_bytes.to_string());
        env.insert("TRIALDECK_ARTIFACT_BYTES".into(), measured.artifact_bytes.to_string());
    }
    Ok(Spec {
        label: plan.label.clone(),
        command: plan.command.clone(),
        cwd: pristine.tree(),
        env,
        inherit: false,
        wall_secs: plan.wall.as_secs_f64(),
        grace_secs: GRACE.as_secs_f64(),
        memory_bytes: plan.memory_bytes,
        output_bytes: Some(SCRATCH_BYTES),
        watched_dirs: vec![home, tmp],
        stall_secs: None,
        locks: Vec::new(),
        sandbox: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evaluator_is_told_what_the_harness_measured() {
        let dir = tempfile::tempdir().unwrap();
        let pristine = Pristine::new(dir.path().join("evaluator"));
        let plan = Plan {
            label: "t0001/run-1, evaluation".into(),
            command: "python evaluate.py".into(),
            wall: Duration::from_secs(60),
            memory_bytes: None,
            path: "/bin".into(),
            gpus: Vec::new(),
            threads: 2,
            seed: 7,
            artifacts: Some("/run/artifacts".into()),
            measured: Some(Measured { run_seconds: 1.5, peak_memory_bytes: 10, artifact_bytes: 20 }),
            env: BTreeMap::from([("TRIALDECK_RUN_SECONDS".to_owned(), "0".to_owned())]),
        };
        let own = dir.path().join("run-1/evaluation");
        let spec = spec(&pristine, &own, &plan).unwrap();
        for (name, want) in [
            ("TRIALDECK_ARTIFACTS", "/run/artifacts"),
            ("TRIALDECK_RUN_SECONDS", "1.5"),
            ("TRIALDECK_PEAK_MEMORY_BYTES", "10"),
            ("TRIALDECK_ARTIFACT_BYTES", "20"),
            ("TRIALDECK_SEED", "7"),
            ("HOME", &own.join("home").to_string_lossy()),
        ] {
            assert_eq!(spec.env.get(name).map(String::as_str), Some(want), "{name}");
        }
        assert_eq!((spec.cwd, spec.wall_secs), (dir.path().join("evaluator/tree"), 60.0));
        assert!(own.join("tmp").is_dir());
    }
}
