//! `trialdeck import`: the history of another program as a study.

use super::args::{FormatArg, GoalArg, ImportArgs};
use super::told::{self, Told};
use super::{Exit, Failure, Outcome, config, create, host, isolation, put, put_json, say};
use crate::engine::{create as engine_create, history, study_file};
use crate::import::{self, Format, Hints, History};
use crate::lineage::Foreign;
use crate::model::{Goal, Safe, Verdict, number::short};
use crate::run::slots;
use crate::task::{self, Choices, Found, Origin};
use std::path::{Path, PathBuf};

/// Bytes of the largest file that is read.
const LARGEST: u64 = 1 << 30;
/// Remarks that are printed; the study keeps the file.
const TOLD: usize = 8;

/// `trialdeck import`.
pub(super) fn import(args: &ImportArgs) -> Outcome {
    let format = match args.from {
        FormatArg::Autoresearch => Format::Autoresearch,
        FormatArg::Recipes => Format::Recipes,
        FormatArg::Aide => Format::Aide,
    };
    if format != Format::Autoresearch && (args.branch.is_some() || args.repo.is_some()) {
        return Err(Failure::usage("--branch and --repo go with --from autoresearch: only its table names commits"));
    }
    let file = host::cwd()?.join(&args.file);
    let history = read(&file, format, args)?;
    let studies = host::studies_dir(&args.studies)?;
    let name = match &args.name {
        Some(name) => {
            create::check_name(name)?;
            if studies.join(name).symlink_metadata().is_ok() {
                return Err(Failure::usage(format!("there is a study {name} in {} already; choose another --name", studies.display())));
            }
            name.clone()
        }
        None => free_name(&studies, &file),
    };
    let branch = (args.branch.is_some() || args.repo.is_some()).then(|| branch(args, &file)).transpose()?;
    let found = branch.as_ref().map(|repository| found(repository, &history)).transpose()?;
    let mut assumed = None;
    let prepared = match found {
        Some(Ok((found, said))) => {
            assumed = said;
            Some(Ok(prepare(found, &name)?))
        }
        Some(Err(why)) => Some(Err(why)),
        None => None,
    };
    let (program, cache) = (host::program()?, host::cache_dir());
    let signals = Told::listening()?;
    let to_end = || signals.to_end();
    let plan = prepared.as_ref().map(|p| {
        p.as_ref().map_err(Clone::clone).map(|(found, settings, choices)| engine_create::Plan {
            found,
            settings: settings.clone(),
            choices: choices.clone(),
            studies: &studies,
            program: &program,
            cache: cache.as_deref(),
            prompts: &[],
            recorded: None,
            say: &say,
            told_to_end: &to_end,
        })
    });
    let made = history::write(&history::Plan {
        history: &history,
        file: &file,
        name: &name,
        studies: &studies,
        program: &program,
        told_to_end: &to_end,
        branch: branch.as_ref().zip(plan.as_ref()).map(|(repository, task)| history::Branch {
            repository,
            name: args.branch.as_deref(),
            task: task.as_ref().map_err(Clone::clone),
        }),
    })
    .map_err(|e| told::failure(&e))?;
    signals.defaults();
    for warning in history.warnings.iter().take(TOLD) {
        say(&format!("note: {}", Safe::line(warning)));
    }
    if let more @ 1.. = history.warnings.len().saturating_sub(TOLD) {
        say(&format!("note: and {more} more remarks of this kind; the file itself lies in the study"));
    }
    if let Some(text) = assumed.filter(|_| made.fixed.is_none()) {
        say(&format!("note: {text}"));
    }
    if args.json {
        put_json(&serde_json::json!({
            "study": name, "dir": made.dir, "rows": history.rows.len(), "with_code": made.with_code,
            "best": made.best.map(|(trial, score)| serde_json::json!({ "trial": trial, "score": score })),
            "resumable": made.fixed.is_none(), "fixed": made.fixed, "warnings": history.warnings,
        }))?;
    } else {
        put(&told(&name, &history, &made, &host::suffix(&made.dir)));
    }
    Ok(Exit::DONE)
}

fn read(file: &Path, format: Format, args: &ImportArgs) -> Result<History, Failure> {
    let shown = file.display();
    let failed = |e: std::io::Error| Failure::usage(format!("cannot read {shown}: {e}"));
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::usage(format!("{shown} is not a file")));
    }
    if meta.len() > LARGEST {
        return Err(Failure::usage(format!("{shown} has {} MB; at most {} are read", meta.len() >> 20, LARGEST >> 20)));
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    let goal = args.goal.map(|goal| match goal {
        GoalArg::Minimize => Goal::Minimize,
        GoalArg::Maximize => Goal::Maximize,
    });
    let hints = Hints { metric: args.metric.clone(), goal };
    import::read(format, &bytes, &hints).map_err(|e| Failure::usage(format!("{shown}: {}", Safe::line(&e.to_string()))))
}

/// The name of the file, or of its directory where every program calls the file alike, and a number where that is taken.
fn free_name(studies: &Path, file: &Path) -> String {
    let stem = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let own = stem(file);
    let own = own.split('.').next().unwrap_or_default();
    let telling = if ["results", "journal", "filtered_journal", ""].contains(&own) {
        file.parent().map(stem).unwrap_or_default()
    } else {
        own.to_owned()
    };
    let plain: String = telling.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(48).collect();
    let plain = plain.trim_start_matches('-').to_owned();
    let base = if plain.is_empty() { "history".to_owned() } else { plain };
    let free = |name: &String| studies.join(name).symlink_metadata().is_err();
    std::iter::once(base.clone()).chain((2u32..).map(|n| format!("{base}-{n}"))).find(free).unwrap_or(base)
}

/// The repository that the table's commits are in.
fn branch(args: &ImportArgs, file: &Path) -> Result<Foreign, Failure> {
    let from = match &args.repo {
        Some(repo) => host::cwd()?.join(repo),
        None => file.parent().map(Path::to_owned).unwrap_or_else(|| PathBuf::from("/")),
    };
    let repository = Foreign::discover(&from).map_err(|e| Failure::usage(e.to_string()))?;
    if let Some(branch) = &args.branch {
        let all = repository.branches();
        if !all.iter().any(|b| b == branch) {
            let near = task::nearest_word(branch, all.iter().map(String::as_str));
            let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
            return Err(Failure::usage(format!("there is no branch {} in {}{near}", Safe::line(branch), repository.root().display())));
        }
    }
    Ok(repository)
}

type Task = Result<(Found, Option<String>), String>;

/// The repository's own task, else what is known of a repository like karpathy's; or why there is none.
fn found(repository: &Foreign, history: &History) -> Result<Task, Failure> {
    let root = repository.root().canonicalize()?;
    if root.join("task.toml").is_file() {
        let found = task::find(&root.display().to_string(), &root).map_err(|error| match error {
            task::FindError::Problems(problems) => Failure::usage(problems.render(host::colour())),
            other => Failure::usage(other.to_string()),
        })?;
        let task = &found.parsed.task;
        if task.task.metric != history.metric || task.task.goal != history.goal {
            return Ok(Err(format!(
                "its task.toml is about {} ({}), the table about {} ({})",
                task.task.metric,
                task.task.goal.word(),
                history.metric,
                history.goal.word()
            )));
        }
        if found.base.join(&task.repository.path).canonicalize().ok().as_deref() != Some(root.as_path()) {
            return Ok(Err("its task.toml is about another directory than the whole repository".into()));
        }
        return Ok(Ok((found, None)));
    }
    if !root.join("train.py").is_file() {
        return Ok(Err(format!("{} has neither a task.toml nor a train.py, so what would run is not known", root.display())));
    }
    let command = if root.join("pyproject.toml").is_file() { "uv run train.py" } else { "python train.py" };
    let name: String = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let text = assumed(&name, &root, history, command);
    let parsed = task::parse(&text, "the assumed task.toml").map_err(|problems| Failure::usage(problems.to_string()))?;
    let said = format!(
        "the repository has no task.toml, so this was assumed: `{command}` for at most 10 minutes, its printed {} as the score (self-reported), train.py alone may be edited, no seed; write a task.toml there and import again to change it",
        history.metric
    );
    Ok(Ok((Found { parsed, text, file: root.join("task.toml"), base: root, origin: Origin::Disk }, Some(said))))
}

/// What is known of a repository like karpathy's, as a task.
fn assumed(name: &str, root: &Path, history: &History, command: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "# Assumed by `trialdeck import --from autoresearch`: the repository had no task.toml.\n\n[task]\nname = {}\nmetric = {}\ngoal = \"{}\"\n\n[repository]\npath = {}\neditable = [\"train.py\"]\n\n[run]\ncommand = {}\nseed = \"none\"\n\n[budget]\nkind = \"wall\"\nwall = \"10m\"\n\n[evaluator]\nfrom = {}   # the run's own word: everything that shows it says `self`\n",
        quoted(if name.is_empty() { "autoresearch" } else { name }),
        quoted(&history.metric),
        history.goal.word(),
        quoted(&root.display().to_string()),
        quoted(command),
        quoted(&format!("stdout:{}", history.metric)),
    )
}

type Prepared = (Found, crate::model::Settings, study_file::Choices);

fn prepare(found: Found, name: &str) -> Result<Prepared, Failure> {
    let has_gpu = found.parsed.task.budget.gpus.is_none() && slots::gpus().is_ok();
    // Runs that go on from there are contained as those of a new study; nothing runs now, so nothing is refused.
    let asked = config::current().file.isolation.as_ref().map(|at| at.value.as_str());
    let isolation = isolation::choose(asked, found.parsed.task.sandbox.require, false)?;
    let settings = found.parsed.task.settings(&Choices { has_gpu, isolation, ..Choices::default() });
    let choices = study_file::Choices {
        name: name.to_owned(),
        path: host::program_path(),
        task_hash: create::task_hash(&found.text),
        ..study_file::Choices::default()
    };
    Ok((found, settings, choices))
}

/// What came of it, for people.
fn told(name: &str, history: &History, made: &history::Made, suffix: &str) -> String {
    let of = |what: fn(&import::Row) -> bool| history.rows.iter().skip(1).filter(|r| what(r)).count();
    let parts: Vec<String> = [
        (of(|r| r.verdict == Some(Verdict::Keep)), "kept"),
        (of(|r| r.verdict == Some(Verdict::Revert) && r.failure.is_none()), "reverted"),
        (of(|r| r.failure.is_some()), "failed"),
        (of(|r| r.verdict == Some(Verdict::Undecided)), "undecided"),
        (of(|r| r.status == crate::model::Status::Unreadable), "unreadable"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    let trials = history.rows.len().saturating_sub(1);
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let s = if trials == 1 { "" } else { "s" };
    let mut lines = vec![format!("{name}: a baseline and {trials} trial{s} imported{parts}")];
    if let Some((trial, score)) = made.best {
        lines.push(format!("best {trial} {} {} ({}, as the source says)", history.metric, short(score), history.goal.word()));
    }
    if made.with_code > 0 {
        lines.push(format!("the code of {} of {} rows is in the study", made.with_code, history.rows.len()));
    }
    let next = match &made.fixed {
        Some(why) => format!("to look at, not to go on with: {why}\n  trialdeck attach {name}{suffix}"),
        None => format!(
            "  trialdeck attach {name}{suffix}     look at it\n  trialdeck resume {name} --trials +20{suffix}     go on from the best"
        ),
    };
    lines.push(next);
    lines.join("\n")
}
