//! Makes a study: the repository into its own store, the evaluator into its pristine place, the first fact into the journal.
//!
//! All of it happens in a directory beside the final one, which gets its name last: a study exists whole or not at all.

use super::brief;
use super::building::{self, Building};
use super::clock::now;
use super::environment;
use super::external::Program;
use super::grants::{self, Grant};
use super::inference;
use super::layout::Layout;
use super::overlap;
use super::recording::Source;
use super::study_file::{self, Choices};
use crate::evaluate::Pristine;
use crate::journal::{Journal, head};
use crate::lineage::{Rules, RulesSpec, Store};
use crate::model::{Event, FORMAT, Settings, create as created};
use crate::propose::role;
use crate::run::{Executor, Local, Observation};
use crate::task::{Found, Origin, Task};
use anyhow::Context;
use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
    time::Duration,
};

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
    /// The user's cache directory.
    pub cache: Option<&'a Path>,
    /// Prompts of the user's own for the study's specialists: names and texts.
    pub prompts: &'a [(String, String)],
    /// The study that it replays.
    pub recorded: Option<&'a Source>,
    /// Tells a person what takes long.
    pub say: &'a dyn Fn(&str),
    /// The signal by which the making was told to end.
    pub told_to_end: &'a dyn Fn() -> Option<i32>,
}

/// The making was told to end: nothing of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("told to end while the study was made: nothing of it is left, and nothing was started")]
pub struct ToldToEnd {
    /// By which signal.
    pub signal: i32,
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
    let building = Building::begin(plan.studies, name, plan.program)?;
    let layout = Layout::new(building.path());
    let source = plan.found.base.join(&task.repository.path);
    let source = source.canonicalize().with_context(|| format!("the repository {} (key `path` of [repository])", source.display()))?;
    let grants = grants::resolve(task, &plan.found.base, &source, plan.cache, plan.say)?;
    wanted_still(plan)?;
    let choices = Choices { grants, shut: shut(task, &plan.found.base, &source), ..plan.choices.clone() };
    choices.programs.iter().try_for_each(|p| p.may_read(&choices.shut)).map_err(anyhow::Error::msg)?;
    let store = Store::create(&layout.store())?;
    let imported = store.import(&source, &hidden(task, &plan.found.base, &source))?;
    if nothing_editable(&rules_with(task, &choices.grants, &plan.found.base, &source)?, &store, &imported.tree)? {
        anyhow::bail!(
            "no file of the repository matches `editable` ({}), so nothing could ever be changed",
            task.repository.editable.join(", ")
        );
    }
    let origin = match &plan.found.origin {
        Origin::Embedded(name) => format!("the task {name} of trialdeck {}", env!("CARGO_PKG_VERSION")),
        Origin::Disk => imported.summary.clone(),
    };
    wanted_still(plan)?;
    let taken = taken(&store, &imported.tree, hidden(task, &plan.found.base, &source))?;
    let evaluator = prepare_evaluator(plan, &layout, &store, &imported.tree, &grants::links(&choices.grants, &taken))?;
    nothing_shown(task, &plan.found.base, &choices.grants, &Pristine::new(layout.evaluator()).tree())?;
    brief::keep(task, &plan.found.base, &layout)?;
    if plan.settings.agents.is_some() {
        keep_prompts(plan.prompts, &layout)?;
    }
    if let Some(recorded) = plan.recorded {
        recorded.copy(&layout)?;
    }
    study_file::write(&layout, &plan.found.text, &choices, &plan.settings)?;
    let mut journal = Journal::create(layout.root())?;
    let first = Event::StudyCreated {
        format: FORMAT,
        study: name.clone(),
        settings: Box::new(plan.settings.clone()),
        commit: imported.commit,
        tree: imported.tree,
        source: origin.clone(),
        evaluator,
    };
    let asked = setup_asked(task);
    let programs = choices.programs.iter().map(Program::words);
    let granted = granted_words(&choices.grants).into_iter().chain(programs).map(|text| Event::Noted { warning: false, text });
    let facts: Vec<Event> = std::iter::once(first).chain(asked).chain(granted).collect();
    let records = journal.append(now(), &facts)?;
    if let Some(study) = records.first().and_then(created) {
        head::write(layout.root(), &study, None)?;
    }
    drop(journal);
    wanted_still(plan)?;
    building.finish(&dir)?;
    Ok(Made { dir, source: origin, warnings: imported.warnings })
}

/// A study keeps the prompts that it was made with, the embedded ones too: later ones are another study's.
fn keep_prompts(own: &[(String, String)], layout: &Layout) -> anyhow::Result<()> {
    for (name, text) in role::texts(own) {
        let path = layout.prompts().join(format!("{name}.md"));
        fs::create_dir_all(path.parent().unwrap_or(layout.root()))?;
        fs::write(path, text)?;
    }
    Ok(())
}

fn wanted_still(plan: &Plan<'_>) -> Result<(), ToldToEnd> {
    (plan.told_to_end)().map_or(Ok(()), |signal| Err(ToldToEnd { signal }))
}

/// That an environment is to be built before the first run, where the task names one.
pub(super) fn setup_asked(task: &Task) -> Option<Event> {
    let prepare = task.evaluator.prepare.is_some();
    task.setup.as_ref().map(|setup| Event::SetupAsked { wall_secs: setup.wall.as_secs_f64(), prepare })
}

/// Refuses a task whose runs would get a copy of what it hides from them. `tree` is the evaluator's: the repository's files
/// with the hidden ones beside them.
fn nothing_shown(task: &Task, base: &Path, grants: &[Grant], tree: &Path) -> anyhow::Result<()> {
    let named = |path: &String| Ok((path.clone(), grants::original(base, path)?));
    let hidden: Vec<(String, PathBuf)> = task.data.iter().filter(|d| d.hidden).map(|d| named(&d.path)).collect::<anyhow::Result<_>>()?;
    if hidden.is_empty() {
        return Ok(());
    }
    let granted: Vec<(String, PathBuf)> = grants.iter().map(|g| (g.path.clone(), g.at.clone())).collect();
    if let Some(found) = overlap::find(&hidden, &granted, &[])? {
        anyhow::bail!(
            "data {} is the hidden data {} under another name, so runs could train on what scores them: take it out of [[data]], or set hidden = true",
            found.seen,
            found.hidden
        );
    }
    // What was put into the tree for the evaluator is not the runs'.
    let own: Vec<PathBuf> = task.evaluator.files.iter().chain(hidden.iter().map(|(name, _)| name)).map(|f| tree.join(f)).collect();
    if let Some(found) = overlap::find(&hidden, &[(String::new(), tree.to_owned())], &own)? {
        anyhow::bail!(
            "{} of the repository is the hidden data {} under another name, so runs could train on what scores them: name it in [[data]] with \
             hidden = true, which takes it out of every trial",
            found.seen,
            found.hidden
        );
    }
    Ok(())
}

/// What runs may read, in one line.
fn granted_words(grants: &[Grant]) -> Option<String> {
    let one = |g: &Grant| match &g.inside {
        Some(inside) => inside.clone(),
        None => format!("{} (outside of the repository)", g.at.display()),
    };
    let all: Vec<String> = grants.iter().take(12).map(one).collect();
    let more = if grants.len() > all.len() { format!(" and {} more", grants.len() - all.len()) } else { String::new() };
    (!all.is_empty()).then(|| format!("data granted to runs, where they lie: {}{more}", all.join(", ")))
}

/// Paths at which a link to data would stand in the way of the tree, or show what is hidden.
pub(super) fn taken(store: &Store, tree: &str, hidden: Vec<String>) -> anyhow::Result<BTreeSet<String>> {
    Ok(store.list(tree)?.into_iter().map(|entry| entry.path).chain(hidden).collect())
}

/// Fills the evaluator's copy and seals it; returns one hash of what it holds. One whose preparation waits for the setup has none yet.
pub(super) fn prepare_evaluator(
    plan: &Plan<'_>,
    layout: &Layout,
    store: &Store,
    tree: &str,
    links: &[(String, PathBuf)],
) -> anyhow::Result<Option<String>> {
    let task = &plan.found.parsed.task;
    let pristine = Pristine::new(layout.evaluator());
    store.export_dir(tree, &pristine.tree())?;
    for (place, original) in links {
        let link = pristine.tree().join(place);
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent)?;
        }
        std::os::unix::fs::symlink(original, &link)?;
    }
    inference::keep_inputs(task, &plan.found.base, &pristine)?;
    for file in task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path)) {
        pristine.add(&plan.found.base.join(file), file)?;
    }
    match &task.evaluator.prepare {
        // The engine prepares and seals, once there is what it is prepared in.
        Some(_) if task.setup.is_some() => return Ok(None),
        Some(command) => prepare(plan, &pristine, command)?,
        None => {}
    }
    inference::inputs_there(task, &pristine)?;
    pristine.seal()?;
    Ok(pristine.digest())
}

/// Runs the task's preparation, once, under the evaluator's rules and a limit of its own.
fn prepare(plan: &Plan<'_>, pristine: &Pristine, command: &str) -> anyhow::Result<()> {
    let (dir, executor) = (pristine.prepare_dir(), Local::new(plan.program.to_owned()));
    let programs = (plan.choices.path.clone(), std::collections::BTreeMap::new());
    let spec = environment::prepare_spec(pristine, &plan.settings.task, command, programs, plan.settings.seed)?;
    executor.submit(&dir, &spec)?;
    loop {
        if let Err(told) = wanted_still(plan) {
            building::end(&executor, &dir, "the making of the study was told to end");
            return Err(told.into());
        }
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
pub fn rules(task: &Task, grants: &[Grant]) -> anyhow::Result<Rules> {
    spec(task, grants, unseen(task))
}

/// Paths that no trial tree has, as far as they can be told from the task alone.
pub(super) fn unseen(task: &Task) -> Vec<String> {
    let hidden =
        task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path)).filter_map(|f| plain(Path::new(f)));
    hidden
        .chain(inference::kept_from_runs(task))
        .chain(["public".to_owned(), "hidden".to_owned()].into_iter().filter(|_| task.evaluator.prepare.is_some()))
        .collect()
}

/// What proposals of a task may touch, before there is a study: `base` is the task file's directory, `source` the
/// repository's.
pub fn rules_with(task: &Task, grants: &[Grant], base: &Path, source: &Path) -> anyhow::Result<Rules> {
    spec(task, grants, hidden(task, base, source))
}

/// Whether a proposal could change any file of a tree.
pub(super) fn editable(task: &Task, grants: &[Grant], base: &Path, source: &Path, store: &Store, tree: &str) -> anyhow::Result<bool> {
    Ok(!nothing_editable(&rules_with(task, grants, base, source)?, store, tree)?)
}

fn nothing_editable(rules: &Rules, store: &Store, tree: &str) -> anyhow::Result<bool> {
    Ok(!store.list(tree)?.iter().any(|entry| rules.check(&entry.path, true).is_ok()))
}

fn spec(task: &Task, grants: &[Grant], hidden: Vec<String>) -> anyhow::Result<Rules> {
    let repository = &task.repository;
    Ok(Rules::new(&RulesSpec {
        // The file of a space is written by choosing a cell, whatever else may be edited.
        editable: repository.editable.iter().chain(task.space.iter().map(|space| &space.writes)).cloned().collect(),
        protected: repository.protected.iter().cloned().chain(grants.iter().filter_map(|g| g.inside.clone())).collect(),
        hidden,
        max_changed_lines: repository.max_changed_lines,
    })?)
}

/// What nothing is granted above: a library that was installed from the repository itself (`pip install -e .`) would bring
/// all that lies there with it, the labels among it.
pub(super) fn shut(task: &Task, base: &Path, source: &Path) -> Vec<PathBuf> {
    let files = task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path));
    let inputs = inference::kept_from_runs(task).into_iter().map(|path| source.join(path));
    let all = files.map(|f| base.join(f)).chain(inputs).chain([source.to_owned(), base.join("task.toml")]);
    all.filter_map(|path| path.canonicalize().ok()).collect()
}

/// Evaluator files and hidden data that lie inside the repository, as paths of its tree.
pub fn hidden(task: &Task, base: &Path, source: &Path) -> Vec<String> {
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    let files = task.evaluator.files.iter().chain(task.data.iter().filter(|d| d.hidden).map(|d| &d.path));
    let mut hidden: Vec<String> = files.filter_map(|f| plain(base.join(f).strip_prefix(source).ok()?)).collect();
    hidden.extend(inference::kept_from_runs(task));
    if task.evaluator.prepare.is_some() {
        hidden.extend(["public".to_owned(), "hidden".to_owned()]);
    }
    // The task itself says where the labels are and how they are scored.
    if let Some(own) = base.join("task.toml").strip_prefix(source).ok().and_then(plain) {
        hidden.push(own);
    }
    hidden
}

pub(super) fn plain(path: &Path) -> Option<String> {
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
