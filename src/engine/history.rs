//! Writes another program's history as a study: its rows as facts, its code into the study's own store.
//!
//! As in `create`, all of it happens in a directory beside the final one, which gets its name last. Where the code and a task are
//! there, the study is one that can go on; else it says why it cannot. Knows nothing of the formats: `import` has read them.

use super::building::Building;
use super::clock::now;
use super::create::{self, ToldToEnd, hidden, prepare_evaluator, taken};
use super::grants::{self, Grant};
use super::layout::Layout;
use super::study_file;
use crate::import::History;
use crate::journal::{Journal, head};
use crate::lineage::{Foreign, Store};
use crate::model::{
    Aggregate, Autonomy, ImportedFrom, Limits, NoisePlan, PolicyName, Safe, ScoreSource, Settings, Status, TrialId, Verdict, apply,
    create as created,
};
use anyhow::Context;
use std::{fs, path::Path, path::PathBuf};

mod code;
mod facts;

use code::Code;

/// Longest name or word of the source in a fact, in characters.
const WORD: usize = 60;

/// What is written.
pub struct Plan<'a> {
    /// The rows.
    pub history: &'a History,
    /// The file that they were read from.
    pub file: &'a Path,
    /// Name of the study.
    pub name: &'a str,
    /// Where studies lie.
    pub studies: &'a Path,
    /// Our own binary.
    pub program: &'a Path,
    /// The signal by which the making was told to end.
    pub told_to_end: &'a dyn Fn() -> Option<i32>,
    /// The repository that holds the commits that the rows name.
    pub branch: Option<Branch<'a>>,
}

/// A repository, and what new trials on top of it would run.
pub struct Branch<'a> {
    /// The repository.
    pub repository: &'a Foreign,
    /// Its branch.
    pub name: Option<&'a str>,
    /// The task, or why there is none.
    pub task: Result<&'a create::Plan<'a>, String>,
}

/// A study that was made.
#[derive(Debug)]
pub struct Made {
    /// Its directory.
    pub dir: PathBuf,
    /// Why it cannot go on; none when it can.
    pub fixed: Option<String>,
    /// Rows whose code is there.
    pub with_code: usize,
    /// The best kept row.
    pub best: Option<(TrialId, f64)>,
}

/// Writes the study.
pub fn write(plan: &Plan<'_>) -> anyhow::Result<Made> {
    fs::create_dir_all(plan.studies).with_context(|| format!("the studies directory {} cannot be made", plan.studies.display()))?;
    let dir = plan.studies.join(plan.name);
    if dir.symlink_metadata().is_ok() {
        anyhow::bail!("there is a study {} in {} already; choose another --name", plan.name, plan.studies.display());
    }
    let building = Building::begin(plan.studies, plan.name, plan.program)?;
    let layout = Layout::new(building.path());
    let rows = &plan.history.rows;
    let store = Store::create(&layout.store())?;
    let code = code::bring(plan, &store)?;
    let best = best_row(plan.history);
    if let Some(best) = best.and_then(|n| code.get(n)).and_then(Option::as_ref) {
        store.name_commits(&[], Some(&best.commit))?;
    }
    let grants = granted(plan);
    let fixed = fixed(plan, &code, best.unwrap_or(0), &store, &layout, &grants)?;
    let settings = match &plan.branch {
        Some(Branch { task: Ok(task), .. }) if fixed.is_none() => task.settings.clone(),
        Some(_) | None => settings(plan),
    };
    study_toml(plan, &layout, fixed.as_deref(), grants.unwrap_or_default())?;
    let copy = layout.root().join("imported");
    fs::create_dir(&copy)?;
    let file = plan.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_else(|| "history".into());
    fs::copy(plan.file, copy.join(&file)).with_context(|| format!("{} cannot be copied into the study", plan.file.display()))?;

    let unreadable = rows.iter().filter(|r| r.status == Status::Unreadable).count();
    let from = ImportedFrom {
        format: plan.history.format.word().to_owned(),
        file: cut(&file, 200),
        rows: count(rows.len()),
        unreadable: count(unreadable),
        fixed: fixed.clone(),
    };
    let events = facts::events(plan, settings, &code, from, best);
    let mut journal = Journal::create(layout.root())?;
    let records = journal.append(now(), &events)?;
    let mut study = records.first().and_then(created).context("the first fact made no study")?;
    for record in records.iter().skip(1) {
        apply(&mut study, record);
    }
    journal.save_snapshot(&study)?;
    head::write(layout.root(), &study, None)?;
    drop(journal);
    if let Some(signal) = (plan.told_to_end)() {
        return Err(ToldToEnd { signal }.into());
    }
    building.finish(&dir)?;
    let with_code = code.iter().flatten().count();
    Ok(Made { dir, fixed, with_code, best: study.best.map(|b| (b.trial, b.score)) })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn id(place: usize) -> TrialId {
    TrialId(count(place))
}

/// The best of what the source kept.
fn best_row(history: &History) -> Option<usize> {
    let kept = history.rows.iter().enumerate().filter(|(_, r)| r.verdict == Some(Verdict::Keep));
    let mut best: Option<(usize, f64)> = None;
    for (place, row) in kept {
        let Some(score) = row.score else { continue };
        if best.is_none_or(|(_, least)| history.goal.better(score, least)) {
            best = Some((place, score));
        }
    }
    best.map(|(place, _)| place)
}

/// Why the search cannot go on; where it can, the evaluator is put in its place.
fn fixed(
    plan: &Plan<'_>,
    code: &[Option<Code>],
    best: usize,
    store: &Store,
    layout: &Layout,
    grants: &Result<Vec<Grant>, String>,
) -> anyhow::Result<Option<String>> {
    let Some(branch) = &plan.branch else {
        let without = match code.iter().flatten().next() {
            Some(_) => "nothing says how its code is run and scored",
            None => "the table holds no code",
        };
        return Ok(Some(without.into()));
    };
    let task = match &branch.task {
        Ok(task) => task,
        Err(why) => return Ok(Some(why.clone())),
    };
    for place in [0, best] {
        if code.get(place).is_none_or(Option::is_none) {
            let name = plan.history.rows.get(place).map(|r| cut(&r.name, WORD)).unwrap_or_default();
            let root = branch.repository.root().display();
            return Ok(Some(format!("the commit `{name}` of {} is not in {root}", id(place))));
        }
    }
    let (Some(Some(first)), Some(Some(top))) = (code.first(), code.get(best)) else { return Ok(None) };
    let grants = match grants {
        Ok(grants) => grants,
        Err(why) => return Ok(Some(why.clone())),
    };
    let (wanted, base, root) = (&task.found.parsed.task, &task.found.base, branch.repository.root());
    if !create::editable(wanted, grants, base, root, store, &top.tree)? {
        return Ok(Some(format!("no file of {} matches `editable`", id(best))));
    }
    let taken = taken(store, &first.tree, hidden(wanted, base, root))?;
    prepare_evaluator(task, layout, store, &first.tree, &grants::links(grants, &taken))?;
    Ok(None)
}

/// The data that the task grants to the runs that may follow, or why it cannot.
fn granted(plan: &Plan<'_>) -> Result<Vec<Grant>, String> {
    let Some(branch) = &plan.branch else { return Ok(Vec::new()) };
    let Ok(task) = &branch.task else { return Ok(Vec::new()) };
    grants::resolve(&task.found.parsed.task, &task.found.base, branch.repository.root(), task.cache, task.say).map_err(|e| format!("{e:#}"))
}

/// The settings of a history that nothing is run for.
fn settings(plan: &Plan<'_>) -> Settings {
    let history = plan.history;
    let task = history.task.clone().unwrap_or_else(|| plan.name.to_owned());
    Settings {
        title: history.title.clone().unwrap_or_else(|| task.clone()),
        task,
        primary: None,
        metric: cut(&history.metric, WORD),
        goal: history.goal,
        reference: None,
        target: None,
        min_effect: None,
        noise: NoisePlan::Measure,
        baseline_runs: 1,
        seeds_per_score: 1,
        aggregate: Aggregate::Mean,
        seeded: false,
        has_holdout: false,
        // No evaluator of ours has seen any of it.
        score_source: ScoreSource::SelfReported,
        isolation: "E".into(),
        seed: 0,
        autonomy: Autonomy::Ask,
        policy: PolicyName::Hillclimb,
        proposers: Vec::new(),
        limits: Limits::default(),
        wall_secs: 0.0,
        gpus: 0,
        agents: None,
    }
}

fn study_toml(plan: &Plan<'_>, layout: &Layout, fixed: Option<&str>, grants: Vec<Grant>) -> anyhow::Result<()> {
    if let (Some(Branch { task: Ok(task), .. }), None) = (&plan.branch, fixed) {
        let found = &task.found;
        let shut = super::create::shut(&found.parsed.task, &found.base, &found.base.join(&found.parsed.task.repository.path));
        let choices = study_file::Choices { grants, shut, ..task.choices.clone() };
        return Ok(study_file::write(layout, &task.found.text, &choices, &task.settings)?);
    }
    let settings = settings(plan);
    let history = plan.history;
    let why = fixed.unwrap_or_default();
    let text = format!(
        "# A history imported from {}: {}\n# There is no task to go on with: {}.\n\n[task]\nname = {:?}\nmetric = {:?}\ngoal = \"{}\"\n",
        history.format.word(),
        Safe::line(&plan.file.to_string_lossy()),
        Safe::line(why),
        settings.task,
        settings.metric,
        settings.goal.word()
    );
    let choices = study_file::Choices { name: plan.name.to_owned(), ..study_file::Choices::default() };
    Ok(study_file::write(layout, &text, &choices, &settings)?)
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) if chars == 0 => String::new(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
