//! Makes a study: the repository into its own store, the evaluator into its pristine place, the first fact into the journal.
//!
//! All of it happens in a directory beside the final one, which gets its name last: a study exists whole or not at all.

use super::clock::now;
use super::layout::Layout;
use super::study_file::{self, Choices};
use crate::evaluate::{self, Pristine};
use crate::journal::{Journal, head};
use crate::lineage::{Rules, RulesSpec, Store};
use crate::model::{Event, FORMAT, Settings, create as created};
use crate::run::{Executor, Local, Observation};
use crate::task::{Found, Origin, Task};
use anyhow::Context;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
    time::Duration,
};

/// Limit of a preparation: data are made once, not downloaded at leisure.
const PREPARE_WALL: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);

/// What a study is made of.
pub struct Plan<'a> {
    /// The task, unpacked if the binary carries it.
    pub found: &'a Found,
    /// First settings.
    pub settings: Settings,
    /// Choices beside them.
    pub choices: Choices,
    /// Where studies lie.
    pub studies: &'a Path,
    /// Our own binary.
    pub program: &'a Path,
}

/// A study that was made.
pub struct Made {
    /// Its directory.
    pub dir: PathBuf,
    /// What was imported.
    pub source: String,
    /// What a person should know: LFS pointers, submodules, …
    pub warnings: Vec<String>,
}

/// Makes a study.
pub fn create(plan: &Plan<'_>) -> anyhow::Result<Made> {
    let (task, name) = (&plan.found.parsed.task, &plan.choices.name);
    fs::create_dir_all(plan.studies).with_context(|| format!("the studies directory {} cannot be made", plan.studies.display()))?;
    let dir = plan.studies.join(name);
    if dir.symlink_metadata().is_ok() {
        anyhow::bail!("there is a study {name} in {} already; choose another --name", plan.studies.display());
    }
    let building = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        // Labels and holdout are in it: nobody else on the machine reads them.
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(plan.studies)
        .with_context(|| format!("the studies directory {} cannot be written", plan.studies.display()))?;
    let layout = Layout::new(building.path());
    let source = plan.found.base.join(&task.repository.path);
    let source = source.canonicalize().with_context(|| format!("the repository {} (key `path` of [repository])", source.display()))?;
    let store = Store::create(&layout.store())?;
    let imported = store.import(&source, &hidden(task, &plan.found.base, &source))?;
    if nothing_editable(&rules_with(task, &plan.found.base, &source)?, &store, &imported.tree)? {
        anyhow::bail!(
            "no file of the repository matches `editable` ({}), so nothing could ever be changed",
            task.repository.editable.join(", ")
        );
    }
    let origin = match &plan.found.origin {
        Origin::Embedded(name) => format!("the task {name} of trialdeck {}", env!("CARGO_PKG_VERSION")),
        Origin::Disk => imported.summary.clone(),
    };
    prepare_evaluator(plan, &layout, &store, &imported.tree)?;
    study_file::write(&layout, &plan.found.text, &plan.choices, &plan.settings)?;
    let mut journal = Journal::create(layout.root())?;
    let first = Event::StudyCreated {
        format: FORMAT,
        study: name.clone(),
        settings: Box::new(plan.settings.clone()),
        commit: imported.commit,
        tree: imported.tree,
        source: origin.clone(),
    };
    let records = journal.append(now(), &[first])?;
    if let Some(study) = records.first().and_then(created) {
        head::write(layout.root(), &study, None)?;
    }
    drop(journal);
    // Another of this name that was made meanwhile stays, and this one goes with its guard.
    fs::rename(building.path(), &dir).with_context(|| format!("the study could not be put at {}", dir.display()))?;
    let _ = building.keep();
    Ok(Made { dir, source: origin, warnings: imported.warnings })
}

fn prepare_evaluator(plan: &Plan<'_>, layout: &Layout, store: &Store, tree: &str) -> anyhow::Result<()> {
    let task = &plan.found.parsed.task;
    let pristine = Pristine::new(layout.evaluator());
    store.export_dir(tree, &pristine.tree())?;
    for file in task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path)) {
        pristine.add(&plan.found.base.join(file), file)?;
    }
    if let Some(command) = &task.evaluator.prepare {
        prepare(plan, &pristine, command)?;
    }
    pristine.seal()?;
    Ok(())
}

/// Runs the task's preparation, once, under the evaluator's rules and a limit of its own.
fn prepare(plan: &Plan<'_>, pristine: &Pristine, command: &str) -> anyhow::Result<()> {
    let (dir, executor) = (pristine.prepare_dir(), Local::new(plan.program.to_owned()));
    fs::create_dir_all(&dir)?;
    let spec = evaluate::spec(
        pristine,
        &dir,
        &evaluate::Plan {
            label: format!("{} prepare", plan.settings.task),
            command: command.to_owned(),
            wall: PREPARE_WALL,
            memory_bytes: None,
            path: plan.choices.path.clone(),
            gpus: Vec::new(),
            threads: 1,
            seed: plan.settings.seed,
            artifacts: None,
            measured: None,
            env: Default::default(),
        },
    )?;
    executor.submit(&dir, &spec)?;
    loop {
        match executor.observe(&dir) {
            Observation::Ended(status) => match status.failure {
                None => return Ok(()),
                Some(failure) => anyhow::bail!("[evaluator] prepare `{command}` failed: {}: {}", failure.label.word(), failure.detail),
            },
            Observation::Lost { detail } => anyhow::bail!("[evaluator] prepare `{command}` vanished: {detail}"),
            Observation::Rebooted => anyhow::bail!("the machine was restarted during [evaluator] prepare"),
            Observation::Absent | Observation::Starting { .. } | Observation::Running { .. } => std::thread::sleep(LOOK),
        }
    }
}

/// What proposals of a study may touch.
pub fn rules(task: &Task) -> anyhow::Result<Rules> {
    let hidden =
        task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path)).filter_map(|f| plain(Path::new(f)));
    spec(task, hidden.chain(["public".to_owned(), "hidden".to_owned()].into_iter().filter(|_| task.evaluator.prepare.is_some())).collect())
}

fn rules_with(task: &Task, base: &Path, source: &Path) -> anyhow::Result<Rules> {
    spec(task, hidden(task, base, source))
}

fn nothing_editable(rules: &Rules, store: &Store, tree: &str) -> anyhow::Result<bool> {
    Ok(!store.list(tree)?.iter().any(|entry| rules.check(&entry.path, true).is_ok()))
}

fn spec(task: &Task, hidden: Vec<String>) -> anyhow::Result<Rules> {
    let repository = &task.repository;
    Ok(Rules::new(&RulesSpec {
        editable: repository.editable.clone(),
        protected: repository.protected.clone(),
        hidden,
        max_changed_lines: repository.max_changed_lines,
    })?)
}

/// Evaluator files and hidden data that lie inside the repository, as paths of its tree.
fn hidden(task: &Task, base: &Path, source: &Path) -> Vec<String> {
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    let files = task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path));
    let mut hidden: Vec<String> = files.filter_map(|f| plain(base.join(f).strip_prefix(source).ok()?)).collect();
    if task.evaluator.prepare.is_some() {
        hidden.extend(["public".to_owned(), "hidden".to_owned()]);
    }
    // The task itself says where the labels are and how they are scored.
    if let Some(own) = base.join("task.toml").strip_prefix(source).ok().and_then(plain) {
        hidden.push(own);
    }
    hidden
}

fn plain(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .filter(|c| !matches!(c, Component::CurDir))
        .map(|c| match c {
            Component::Normal(part) => part.to_str(),
            _ => None,
        })
        .collect();
    parts.map(|p| p.join("/")).filter(|p| !p.is_empty())
}
