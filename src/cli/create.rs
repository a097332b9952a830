//! From the arguments of `run` to a study on disk.

use super::args::{AutonomyArg, PolicyArg, RunArgs};
use super::{Failure, host, say};
use crate::engine::create::{self, Made, Plan};
use crate::engine::study_file;
use crate::model::{Autonomy, Limits, PolicyName, Settings};
use crate::propose::samplers::Sampler;
use crate::run::slots;
use crate::task::{self, Choices, Found, Tier, quantity};
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
}

/// Finds the task and checks the options. Nothing is written.
pub(super) fn wanted(args: &RunArgs, unattended: bool) -> Result<Wanted, Failure> {
    if args.strategy.is_some() {
        return Err(Failure::usage("--strategy is not built yet: choose with --policy and --proposer"));
    }
    if args.cmd.is_some() || args.metric.is_some() || args.goal.is_some() || args.wall.is_some() || !args.edit.is_empty() {
        return Err(Failure::usage(
            "--cmd, --metric, --goal, --wall and --edit are not built yet: write a task.toml (`trialdeck tasks` has examples)",
        ));
    }
    let found = task::find(&args.task, &host::cwd()?).map_err(|error| match error {
        task::FindError::Problems(problems) => Failure::usage(problems.render(host::colour())),
        other => Failure::usage(other.to_string()),
    })?;
    if let Some(name) = &args.name {
        check_name(name)?;
    }
    let task = &found.parsed.task;
    let isolation = isolation(args.isolation.as_deref(), task.sandbox.require)?;
    let has_gpu = task.budget.gpus.is_none() && slots::gpus().is_ok();
    let mut settings = task.settings(&Choices {
        seed: args.seed.unwrap_or(0),
        autonomy: args.autonomy.map_or(if unattended { Autonomy::Auto } else { Autonomy::Ask }, autonomy),
        policy: args.policy.map_or(PolicyName::Hillclimb, policy),
        proposers: proposers(args.proposer.as_deref())?,
        limits: limits(args)?,
        isolation,
        has_gpu,
        ..Choices::default()
    });
    if matches!(settings.noise, crate::model::NoisePlan::Given { .. }) {
        settings.baseline_runs = 1;
    }
    Ok(Wanted { found, settings, name: args.name.clone() })
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
    Ok(Limits { trials: args.trials, seconds, usd: args.cost })
}

/// The proposers that were named.
pub(super) fn proposers(text: Option<&str>) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = text.unwrap_or("tpe").split('+').map(|n| n.trim().to_owned()).collect();
    for name in &names {
        let known = Sampler::parse(name).is_some() || name == "researcher";
        if !known {
            let later = name == "agents" || name.starts_with("command:") || name.starts_with("acp:") || name.starts_with("replay:");
            let why = if later { "is not built yet" } else { "does not exist" };
            return Err(Failure::usage(format!(
                "the proposer `{name}` {why}; there are tpe, random and researcher (only you propose), joined by +"
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

/// Until isolation is built everything is tier E and nothing is refused; who asked for more is told.
fn isolation(asked: Option<&str>, required: Option<Tier>) -> Result<String, Failure> {
    let known = ["A", "B", "C", "D", "E", "none"];
    if let Some(text) = asked.filter(|a| !known.iter().any(|k| k.eq_ignore_ascii_case(a))) {
        return Err(Failure::usage(format!("--isolation {text}: there are the tiers A to E, and `none` to allow E")));
    }
    let more =
        asked.is_some_and(|a| !a.eq_ignore_ascii_case("E") && a != "none") || (asked.is_none() && required.is_some_and(|t| t != Tier::E));
    if more {
        say("note: isolation is not built yet: runs have your rights (tier E), whatever is asked for");
    }
    Ok("E".into())
}

/// A name becomes a directory and is typed often: letters, digits, `.`, `_` and `-`, 64 at most, not beginning with `.` or `-`.
fn check_name(name: &str) -> Result<(), Failure> {
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

/// Makes the study; `slots` as asked for on the command line.
pub(super) fn create(wanted: Wanted, slots: Option<u32>, studies: &Path) -> Result<Made, Failure> {
    std::fs::create_dir_all(studies).map_err(|e| {
        Failure::usage(format!("the studies directory {} cannot be made: {e}; choose another with --studies DIR", studies.display()))
    })?;
    let name = match wanted.name {
        Some(name) => name,
        None => free_name(studies, &wanted.settings.task),
    };
    // The store gets a copy of an embedded task's files, so that this place can go again.
    let unpacked = tempfile::Builder::new().prefix("trialdeck-task-").tempdir()?;
    let found = wanted.found.unpacked(unpacked.path())?;
    let choices = study_file::Choices { name, slots, path: host::program_path(), task_hash: task_hash(&found.text) };
    let plan = Plan { found: &found, settings: wanted.settings, choices, studies, program: &host::program()? };
    create::create(&plan).map_err(|e| Failure { message: format!("{e:#}"), exit: super::Exit::USAGE })
}
