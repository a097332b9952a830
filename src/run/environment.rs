//! The environment of a run, built from nothing: no variable of the user's shell reaches it.

use std::{collections::BTreeMap, path::PathBuf};

/// What the environment of a run is made of.
#[derive(Debug, Default, Clone)]
pub struct EnvPlan {
    /// Directories to find programs in, the task's own first.
    pub path: String,
    /// Home directory: inside the slot.
    pub home: PathBuf,
    /// Directory for temporary files: inside the slot.
    pub tmp: PathBuf,
    /// UUIDs of the GPUs that it may use; empty hides all of them.
    pub gpus: Vec<String>,
    /// Threads that numeric libraries may use.
    pub threads: u32,
    /// The harness's seed.
    pub seed: u64,
    /// Another variable that the task wants the seed in.
    pub seed_variable: Option<String>,
    /// Data that the evaluator gives to every run, read-only.
    pub public: Option<PathBuf>,
    /// Wall-clock budget in seconds, for programs that pace themselves.
    pub wall_secs: f64,
    /// `t0007/run-1`.
    pub run: String,
    /// The task's own variables; they win, but over `TRIALDECK_…`.
    pub task: BTreeMap<String, String>,
}

/// Returns the complete environment of a run.
pub fn environment(plan: &EnvPlan) -> BTreeMap<String, String> {
    let threads = plan.threads.max(1).to_string();
    let mut env = base(&plan.path, &plan.home, &plan.tmp);
    env.insert("CUDA_VISIBLE_DEVICES".into(), plan.gpus.join(","));
    env.insert("CUDA_DEVICE_ORDER".into(), "PCI_BUS_ID".into());
    // Who sets one of them means them all: a library that reads its own first would start more threads than were asked for.
    let threads = plan.task.get("OMP_NUM_THREADS").unwrap_or(&threads);
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"] {
        env.insert(name.into(), threads.clone());
    }
    env.extend(plan.task.iter().filter(|(name, _)| usable(name)).map(|(name, value)| (name.clone(), value.clone())));
    if let Some(name) = plan.seed_variable.as_ref().filter(|n| usable(n)) {
        env.insert(name.clone(), plan.seed.to_string());
    }
    env.retain(|name, _| !name.starts_with("TRIALDECK_"));
    env.insert("TRIALDECK_SEED".into(), plan.seed.to_string());
    env.insert("TRIALDECK_TRIAL".into(), plan.run.clone());
    env.insert("TRIALDECK_WALL_SECONDS".into(), plan.wall_secs.to_string());
    if let Some(public) = &plan.public {
        env.insert("TRIALDECK_PUBLIC".into(), public.to_string_lossy().into_owned());
    }
    env
}

/// What every process of ours needs: programs, a home, a place for temporary files, a locale, and a Python that neither
/// buffers its log nor leaves byte code behind.
pub fn base(path: &str, home: &std::path::Path, tmp: &std::path::Path) -> BTreeMap<String, String> {
    let path = if path.is_empty() { "/usr/local/bin:/usr/bin:/bin" } else { path };
    [
        ("PATH", path),
        ("HOME", &home.to_string_lossy()),
        ("TMPDIR", &tmp.to_string_lossy()),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// A name that a process can be given.
fn usable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_complete_and_the_tasks_words_win() {
        let plan = EnvPlan {
            path: "/setup/bin:/bin".into(),
            home: "/slot/.trialdeck/home".into(),
            tmp: "/slot/.trialdeck/tmp".into(),
            gpus: vec!["GPU-a".into(), "GPU-b".into()],
            threads: 4,
            seed: 7,
            seed_variable: Some("SEED".into()),
            public: Some("/evaluator/public".into()),
            wall_secs: 300.0,
            run: "t0001/run-1".into(),
            task: [("OMP_NUM_THREADS", "1"), ("A=B", "x"), ("TRIALDECK_SEED", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        };
        let env = environment(&plan);
        for (name, want) in [
            ("PATH", "/setup/bin:/bin"),
            ("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b"),
            ("OMP_NUM_THREADS", "1"),
            ("MKL_NUM_THREADS", "1"),
            ("SEED", "7"),
            ("TRIALDECK_SEED", "7"),
            ("TRIALDECK_PUBLIC", "/evaluator/public"),
            ("TRIALDECK_WALL_SECONDS", "300"),
            ("HOME", "/slot/.trialdeck/home"),
        ] {
            assert_eq!(env.get(name).map(String::as_str), Some(want), "{name}");
        }
        assert!(!env.contains_key("A=B"));
        assert_eq!(environment(&EnvPlan::default()).get("CUDA_VISIBLE_DEVICES").map(String::as_str), Some(""));
    }
}
