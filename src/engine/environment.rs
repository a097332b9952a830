//! The environment of a study's runs: what names it, where it lies, and how its command and the evaluator's preparation are
//! run. Who waits for what is the machine's business; who sees the commands through is `effects::setup`.

use super::layout::Layout;
use super::rig::Rig;
use crate::evaluate::{self, Pristine};
use crate::lineage::Store;
use crate::run::environment::base;
use crate::run::setup::{self, Content};
use crate::run::{Spec, durable};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Limit of a preparation: data are made once, not downloaded at leisure.
const PREPARE_WALL: Duration = Duration::from_secs(600);
/// Between TERM and KILL of a setup.
const GRACE: Duration = Duration::from_secs(5);

/// Where an environment is built; beside the attempt's logs, so that a later engine finds the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The content that it is named by.
    pub(super) hash: String,
    /// The directory that is filled.
    pub(super) dir: PathBuf,
    /// The file that is locked while it is filled.
    pub(super) lock: PathBuf,
}

impl Place {
    const FILE: &'static str = "place.json";

    /// In the user's cache, for all studies; inside the study where that cannot be written.
    pub(super) fn choose(cache: Option<&Path>, layout: &Layout, hash: String) -> Self {
        let shared = cache.map(|c| c.join("setup")).filter(|dir| setup::writable(dir));
        let root = shared.unwrap_or_else(|| layout.setup());
        Self { dir: root.join(&hash), lock: root.join(format!("{hash}.lock")), hash }
    }

    pub(super) fn read(attempt: &Path) -> Option<Self> {
        durable::read_json(&attempt.join(Self::FILE))
    }

    pub(super) fn write(&self, attempt: &Path) -> std::io::Result<()> {
        durable::write_json(&attempt.join(Self::FILE), self, durable::Keep::Whole)
    }
}

/// What names the environment of a tree: the command, the files that it may read, the programs that it uses.
pub fn content(store: &Store, tree: &str, command: &str, path: &str) -> anyhow::Result<Content> {
    let mut files = Vec::new();
    for entry in store.list(tree)? {
        if setup::declares(command, &entry.path) {
            files.push((entry.path.clone(), store.read(tree, &entry.path)?.unwrap_or_default()));
        }
    }
    Ok(Content { command: command.to_owned(), files, tools: setup::tools(command, path) })
}

/// What an attempt at the setup runs. The user's own variables are handed over apart: they lie on no disk.
pub(super) fn setup_spec(rig: &Rig, study: &str, attempt: &Path, place: &Place) -> anyhow::Result<Option<Spec>> {
    let Some(plan) = &rig.task.setup else { return Ok(None) };
    let (home, tmp) = (attempt.join("home"), attempt.join("tmp"));
    for own in [&home, &tmp] {
        fs::create_dir_all(own)?;
    }
    let mut env = base(&rig.path, &home, &tmp);
    // What is installed is imported by every run: compiled once, not each time.
    env.remove("PYTHONDONTWRITEBYTECODE");
    env.insert("UV_COMPILE_BYTECODE".into(), "1".into());
    env.retain(|name, _| !rig.private.contains_key(name));
    env.extend(setup::variables(&plan.command, &place.dir, attempt));
    Ok(Some(Spec {
        label: format!("study {study}, setup"),
        command: setup::script().to_owned(),
        cwd: attempt.join("tree"),
        env,
        inherit: true,
        wall_secs: plan.wall.as_secs_f64(),
        grace_secs: GRACE.as_secs_f64(),
        memory_bytes: None,
        output_bytes: None,
        watched_dirs: Vec::new(),
        stall_secs: None,
        locks: vec![place.lock.clone()],
        // The user's own command: it installs things, by the network and with caches.
        sandbox: None,
    }))
}

/// What the evaluator's preparation runs: under the evaluator's rules, with a limit of its own.
pub(super) fn prepare_spec(
    pristine: &Pristine,
    task: &str,
    command: &str,
    (path, env): (String, BTreeMap<String, String>),
    seed: u64,
) -> anyhow::Result<Spec> {
    let dir = pristine.prepare_dir();
    fs::create_dir_all(&dir)?;
    let plan = evaluate::Plan {
        label: format!("{task} prepare"),
        command: command.to_owned(),
        wall: PREPARE_WALL,
        memory_bytes: None,
        path,
        gpus: Vec::new(),
        threads: 1,
        seed,
        artifacts: None,
        measured: None,
        env,
    };
    Ok(evaluate::spec(pristine, &dir, &plan)?)
}
