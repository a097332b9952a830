//! From the arguments of `run` to a study on disk.

use super::args::{AutonomyArg, PolicyArg, RunArgs, Studies};
use super::told::{self, Told};
use super::{Failure, agents, at_once, config, host, say};
use crate::engine::create::{self, Made, Plan};
use crate::engine::external::Program;
use crate::engine::recording::Source;
use crate::engine::study_file;
use crate::model::{Agents, Autonomy, Limits, ModelSettings, PolicyName, Settings};
use crate::propose::samplers::Sampler;
use crate::run::slots;
use crate::task::{self, Choices, Found, quantity};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What `run` was asked for, checked.
pub(super) struct Wanted {
    /// The task.
    pub(super) found: Found,
    /// First settings of a new study.
    pub(super) settings: Settings,
    /// The name, if one was given.
    pub(super) name: Option<String>,
    /// Programs that propose.
    pub(super) programs: Vec<Program>,
    /// The study that it replays.
    pub(super) recorded: Option<Source>,
}

/// Finds the task and checks the options. Nothing is written.
pub(super) fn wanted(args: &RunArgs, unattended: bool) -> Result<Wanted, Failure> {
    if args.strategy.is_some() {
        return Err(Failure::usage("--strategy is not built yet: choose with --policy and --proposer"));
    }
    let at_once = if at_once::asked(args) { Some(at_once::task(args)?) } else { None };
    let found = match &at_once {
        Some(made) => made.found.clone(),
        None => find_task(&args.task)?,
    };
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let task = &found.parsed.task;
    let user = &config::current().file;
    home_is_not_granted(&task.sandbox.read, &found.base)?;
    let asked = args.isolation.as_deref().or(user.isolation.as_ref().map(|at| at.value.as_str()));
    let mut names = proposers_or_usual(args.proposer.as_deref(), user)?;
    let recorded = replayed(&names, &args.studies, &found)?;
    let programs = super::proposers::programs(&mut names, &user.commands, &args.proposer_grants)?;
    let isolation = super::isolation::choose(asked, task.sandbox.require, unattended)?;
    let has_gpu = task.budget.gpus.is_none() && slots::gpus().is_ok();
    let agents = if names.iter().any(|p| p == "agents") { Some(Box::new(agents::of(task, user)?)) } else { None };
    let mut settings = task.settings(&Choices {
        seed: args.seed.unwrap_or(0),
        autonomy: match args.autonomy {
            Some(mode) => autonomy(mode),
            None if unattended => Autonomy::Auto,
            None => user.autonomy.as_ref().map_or(Autonomy::Ask, |at| at.value),
        },
        policy: args.policy.map(policy).or(user.policy.as_ref().map(|at| at.value)).unwrap_or(PolicyName::Hillclimb),
        proposers: names,
        agents,
        limits: limits(args)?,
        isolation,
        has_gpu,
        ..Choices::default()
    });
    priced(&settings.limits, settings.agents.as_deref())?;
    if let Some(recorded) = &recorded {
        settings = as_recorded(recorded, settings, args);
    }
    if matches!(settings.noise, crate::model::NoisePlan::Given { .. }) {
        settings.baseline_runs = 1;
    }
    // Last: a task file is written only for a study that can start.
    let found = match at_once {
        Some(made) => made.settle(&args.task)?,
        None => found,
    };
    Ok(Wanted { found, settings, name: args.name.clone(), programs, recorded })
}

/// The study that `replay:STUDY` names. Errors: one that is not there, or of another task.
fn replayed(names: &[String], studies: &Studies, found: &Found) -> Result<Option<Source>, Failure> {
    let named: Vec<&str> = names.iter().filter_map(|n| n.strip_prefix("replay:")).collect();
    let name = match named.as_slice() {
        [] => return Ok(None),
        [name] if names.len() == 1 => *name,
        _ => return Err(Failure::usage("a replay stands alone: its proposers are those of the recorded study")),
    };
    let dir = if name.contains('/') { host::cwd()?.join(name) } else { super::find::study_dir(name, studies)? };
    let source = Source::read(&dir)?;
    let (_, choices) = study_file::read(&crate::engine::layout::Layout::new(&dir))?;
    if choices.task_hash != task_hash(&found.text) {
        return Err(Failure::usage(format!(
            "{name} was recorded with another task, or with another version of this one: name the very task.toml that it was made with"
        )));
    }
    Ok(Some(source))
}

/// The recorded settings, but for what was said now and what is this machine's.
fn as_recorded(recorded: &Source, now: Settings, args: &RunArgs) -> Settings {
    let then = recorded.settings.clone();
    let given = now.limits != Limits::default();
    // What people and clocks did then is part of the recording.
    let as_then = Limits { seconds: None, ..then.limits };
    Settings {
        isolation: now.isolation,
        gpus: now.gpus,
        limits: if given { now.limits } else { as_then },
        autonomy: if args.autonomy.is_some() { now.autonomy } else { then.autonomy },
        policy: if args.policy.is_some() { now.policy } else { then.policy },
        seed: args.seed.unwrap_or(then.seed),
        ..then
    }
}

/// A home holds keys: it is kept from runs whole, and a grant of it would silently give nothing.
fn home_is_not_granted(read: &[String], base: &Path) -> Result<(), Failure> {
    let Some(home) = host::home() else { return Ok(()) };
    let holds = |path: &&String| base.join(path).canonicalize().is_ok_and(|real| home.starts_with(real));
    read.iter().find(holds).map_or(Ok(()), |path| {
        let what = "is your home directory, or holds it, which is kept from runs; name the directories that a run needs";
        Err(Failure::usage(format!("{path} of [sandbox] read {what}")))
    })
}

/// Finds and reads the task that was named.
pub(super) fn find_task(argument: &str) -> Result<Found, Failure> {
    task::find(argument, &host::cwd()?).map_err(|error| match error {
        task::FindError::Problems(problems) => Failure::usage(problems.render(host::colour())),
        other => Failure::usage(other.to_string()),
    })
}

/// The limits that were given.
pub(super) fn limits(args: &RunArgs) -> Result<Limits, Failure> {
    let seconds = args
        .time
        .as_deref()
        .map(|t| quantity::duration(t).map(|d| d.as_secs_f64()))
        .transpose()
        .map_err(|e| Failure::usage(format!("--time: {e}")))?;
    if args.trials == Some(0) {
        return Err(Failure::usage("--trials 0 would try nothing; leave it out for no limit"));
    }
    if args.cost.is_some_and(|c| !c.is_finite() || c < 0.0) {
        return Err(Failure::usage("--cost wants an amount of money, such as 5 or 2.50"));
    }
    Ok(Limits { trials: args.trials, seconds, usd: args.cost, tokens: args.tokens })
}

/// Refuses a limit of money where a model of the study has no price: it could never be held.
pub(super) fn priced(limits: &Limits, agents: Option<&Agents>) -> Result<(), Failure> {
    let free = |m: &&ModelSettings| !m.priced;
    let names: Vec<&str> = agents.into_iter().flat_map(|a| a.models.iter().filter(free)).map(|m| m.name.as_str()).collect();
    if limits.usd.is_none() || names.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--cost cannot be held: nothing says what {} costs; give its [[model]] a `prices = {{ input = …, output = … }}` in US dollars a \
         million tokens (0 where it costs nothing), or bound --tokens instead",
        names.join(", ")
    )))
}

/// The proposers that were named, else those of the user's configuration, else the default. Agents are the default of who
/// configured a model.
fn proposers_or_usual(named: Option<&str>, user: &config::UserFile) -> Result<Vec<String>, Failure> {
    if named.is_some() {
        return proposers(named);
    }
    match &user.proposers {
        Some(at) => Ok(at.value.clone()),
        // A key that merely lies in the environment is never spent unasked.
        None if user.models.is_empty() => proposers(None),
        None => Ok(vec!["agents".into()]),
    }
}

/// The proposers that were named.
pub(super) fn proposers(text: Option<&str>) -> Result<Vec<String>, Failure> {
    let names = super::proposers::split(text.unwrap_or("tpe")).map_err(|why| Failure::usage(format!("--proposer: {why}")))?;
    for name in &names {
        let known = Sampler::parse(name).is_some()
            || matches!(name.as_str(), "researcher" | "agents")
            || ["command:", "replay:"].iter().any(|p| name.starts_with(p));
        if !known {
            let later = name.starts_with("acp:");
            let why = if later { "is not built yet" } else { "does not exist" };
            return Err(Failure::usage(format!(
                "the proposer `{name}` {why}; there are agents, tpe, random, researcher (only you propose) and command:\"PROGRAM …\", joined by +"
            )));
        }
    }
    Ok(names)
}

/// The mode that an argument names.
pub(super) fn autonomy(mode: AutonomyArg) -> Autonomy {
    match mode {
        AutonomyArg::Ask => Autonomy::Ask,
        AutonomyArg::AskRisky => Autonomy::AskRisky,
        AutonomyArg::Auto => Autonomy::Auto,
    }
}

/// The policy that an argument names.
pub(super) fn policy(policy: PolicyArg) -> PolicyName {
    match policy {
        PolicyArg::Hillclimb => PolicyName::Hillclimb,
        PolicyArg::Greedy => PolicyName::Greedy,
    }
}

/// A name becomes a directory and is typed often: letters, digits, `.`, `_` and `-`, 64 at most, not beginning with `.` or `-`.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || name.starts_with(['.', '-']) || !name.chars().all(plain) {
        let shown = crate::model::Safe::line(name);
        return Err(Failure::usage(format!(
            "--name {shown}: use up to 64 letters, digits, `.`, `_` and `-`, and begin with a letter or digit"
        )));
    }
    Ok(())
}

/// The task's name and the first number that is free.
fn free_name(studies: &Path, task: &str) -> String {
    let task: String = task.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(48).collect();
    (1u32..).map(|n| format!("{task}-{n}")).find(|name| studies.join(name).symlink_metadata().is_err()).unwrap_or(task)
}

/// Hash of a task's text, by which the same name with another task is told.
pub(super) fn task_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Makes the study, unless it is told to end; `slots` as asked for on the command line, else as in the user's configuration.
pub(super) fn create(wanted: Wanted, slots: Option<u32>, studies: &Path, told: &Told) -> Result<Made, Failure> {
    let as_then = wanted.recorded.as_ref().and_then(|r| r.slots);
    let slots = slots.or(as_then).or(config::current().file.slots.as_ref().map(|at| at.value));
    std::fs::create_dir_all(studies).map_err(|e| {
        let why = if studies.exists() { "something that is no directory lies there".into() } else { e.to_string() };
        Failure::usage(format!("the studies directory {} cannot be made: {why}; choose another with --studies DIR", studies.display()))
    })?;
    let name = match wanted.name {
        Some(name) => name,
        None => free_name(studies, &wanted.settings.task),
    };
    // The store gets a copy of an embedded task's files, so that this place can go again.
    let unpacked = tempfile::Builder::new().prefix("trialdeck-task-").tempdir()?;
    let found = wanted.found.unpacked(unpacked.path())?;
    let choices = study_file::Choices {
        name,
        slots,
        path: host::program_path(),
        task_hash: task_hash(&found.text),
        grants: Vec::new(),
        shut: Vec::new(),
        programs: wanted.programs,
        replays: wanted.recorded.as_ref().map(|r| r.dir.display().to_string()),
    };
    choices.programs.iter().for_each(|program| say(&program.words()));
    let (program, cache) = (host::program()?, host::cache_dir());
    let prompts = match (&wanted.settings.agents, &wanted.recorded) {
        (None, _) => Vec::new(),
        (Some(_), Some(recorded)) => agents::kept(&crate::engine::layout::Layout::new(&recorded.dir))?,
        (Some(_), None) => agents::prompts()?,
    };
    let plan = Plan {
        found: &found,
        settings: wanted.settings,
        choices,
        studies,
        program: &program,
        cache: cache.as_deref(),
        prompts: &prompts,
        recorded: wanted.recorded.as_ref(),
        say: &say,
        told_to_end: &|| told.to_end(),
    };
    create::create(&plan).map_err(|e| told::failure(&e))
}
