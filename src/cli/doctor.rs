//! What this machine offers, what a task uses, and the card before the first run.

use super::args::Studies;
use super::{Exit, Failure, Outcome, host, put, put_json};
use crate::engine::study_file::Choices;
use crate::model::{NoisePlan, Safe, ScoreSource, Study};
use crate::run::slots;
use crate::task::{self, Scoring, Task};
use crate::tui::Preflight;
use serde::Serialize;
use std::{path::Path, process::Command};

/// What tier E means, in one line.
const TIER_E: &str = "none: runs have your rights, your network and your files; only accept code that you would run yourself";

/// How one finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    Note,
    Problem,
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    what: &'static str,
    level: Level,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

fn finding(what: &'static str, level: Level, found: impl Into<String>, mend: Option<&str>) -> Finding {
    Finding { what, level, found: found.into(), mend: mend.map(str::to_owned) }
}

/// `trialdeck doctor`. Exits 1 when something stands in the way of a study.
pub(super) fn doctor(task: Option<&str>, json: bool, studies: &Studies) -> Outcome {
    let mut findings = vec![
        program("python", "python3", "install Python 3.9 or newer; the quickstart and most tasks run it"),
        program("git", "git", "install git; your own repositories are read with it where libgit2 cannot"),
        gpu(),
        finding("isolation", Level::Note, format!("tier E, {TIER_E}"), None),
        place(&host::studies_dir(studies)?),
        watches(),
        terminal(),
    ];
    if let Some(name) = task {
        findings.extend(task_findings(name)?);
    }
    let width = findings.iter().map(|f| f.what.len()).max().unwrap_or(0);
    for found in &findings {
        if json {
            put_json(found)?;
            continue;
        }
        let mark = match found.level {
            Level::Ok => "ok     ",
            Level::Note => "note   ",
            Level::Problem => "PROBLEM",
        };
        put(&format!("{mark}  {:<width$}  {}", found.what, Safe::line(&found.found)));
        if let Some(mend) = &found.mend {
            put(&format!("         {:<width$}  {}", "", mend));
        }
    }
    let bad = findings.iter().any(|f| f.level == Level::Problem);
    Ok(if bad { Exit::FAILED } else { Exit::DONE })
}

fn program(what: &'static str, name: &str, mend: &str) -> Finding {
    match Command::new(name).arg("--version").output() {
        Ok(out) if out.status.success() => {
            let text = if out.stdout.is_empty() { out.stderr } else { out.stdout };
            finding(what, Level::Ok, String::from_utf8_lossy(&text).trim(), None)
        }
        Ok(out) => finding(what, Level::Problem, format!("{name} --version ended with {}", out.status), Some(mend)),
        Err(error) => finding(what, Level::Problem, format!("{name} cannot be started: {error}"), Some(mend)),
    }
}

fn gpu() -> Finding {
    match slots::gpus() {
        Ok(gpus) => {
            let names: Vec<String> = gpus.iter().map(|g| format!("{} {}", g.index, g.name)).collect();
            finding("gpu", Level::Ok, names.join(", "), None)
        }
        Err(why) => finding("gpu", Level::Note, format!("{why}; runs use the CPU"), None),
    }
}

fn place(dir: &Path) -> Finding {
    let mend = "choose another place with --studies DIR";
    let existing = dir.ancestors().find(|d| d.is_dir()).unwrap_or(Path::new("/"));
    let free = rustix::fs::statvfs(existing).map(|s| s.f_bavail.saturating_mul(s.f_frsize)).unwrap_or(0);
    let gib = free as f64 / f64::from(1 << 30);
    let probe = tempfile::Builder::new().prefix(".trialdeck-").tempfile_in(existing);
    match probe {
        Err(error) => finding("studies", Level::Problem, format!("{} cannot be written: {error}", dir.display()), Some(mend)),
        Ok(_) if gib < 1.0 => finding("studies", Level::Problem, format!("{}, {gib:.1} GiB free", dir.display()), Some(mend)),
        Ok(_) => finding("studies", Level::Ok, format!("{}, {gib:.0} GiB free", dir.display()), None),
    }
}

fn watches() -> Finding {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok().and_then(|t| t.trim().parse::<u64>().ok());
    match (read("max_user_instances"), read("max_user_watches")) {
        (Some(instances), Some(watches)) => finding("inotify", Level::Ok, format!("{instances} instances, {watches} watches a user"), None),
        _ => finding("inotify", Level::Note, "its limits cannot be read; metrics are polled where it is missing", None),
    }
}

fn terminal() -> Finding {
    if !host::stdout_is_terminal() {
        return finding("terminal", Level::Note, "standard output is no terminal: `run` prints lines", None);
    }
    let letters = if host::unicode() { "UTF-8" } else { "no UTF-8 locale: drawn in ASCII" };
    let colours = if host::no_color() { "NO_COLOR is set".to_owned() } else { format!("{:?}", host::colour_depth()) };
    finding("terminal", Level::Ok, format!("{} columns, {letters}, {colours}", host::width()), None)
}

fn task_findings(name: &str) -> Result<Vec<Finding>, Failure> {
    let found = task::find(name, &host::cwd()?).map_err(|error| match error {
        task::FindError::Problems(problems) => Failure::usage(problems.render(host::colour())),
        other => Failure::usage(other.to_string()),
    })?;
    let about = &found.parsed.task.task;
    let mut findings =
        vec![finding("task", Level::Ok, format!("{}: {}, {} {}", about.name, about.title, about.goal.word(), about.metric), None)];
    if about.noise == (NoisePlan::Given { sd: 0.0 }) && about.min_effect.is_none() {
        let mend = "give [task] min_effect, or leave `noise` out to have it measured";
        findings.push(finding("task", Level::Note, "noise sd = 0 means that the noise is unknown: nothing can be kept", Some(mend)));
    }
    for unused in &found.parsed.unused {
        let level = if unused.essential { Level::Problem } else { Level::Note };
        findings.push(finding("task", level, format!("line {}: {} is not used yet: {}", unused.line, unused.key, unused.why), None));
    }
    Ok(findings)
}

/// The card before the first run.
pub(super) fn card(task: &Task, study: &Study, choices: &Choices) -> Preflight {
    let settings = &study.settings;
    let (slots, notes) = slots::find(settings.gpus, choices.slots, host::cpus());
    let evaluator = match &task.evaluator.scoring {
        Scoring::Command(command) => format!("{command} (its own process, on data that runs never see)"),
        Scoring::SelfReported(_) => "self: the run reports its own score".into(),
    };
    let mut warnings = notes;
    if settings.score_source == ScoreSource::SelfReported {
        warnings.push("the score is self-reported: an edit can change what is measured".into());
    }
    let runs = settings.limits.trials.map(|n| f64::from(settings.baseline_runs) + 1.5 * f64::from(n));
    let per_run = task.budget.wall.as_secs_f64() + task.evaluator.wall.as_secs_f64().min(task.budget.wall.as_secs_f64());
    Preflight {
        study: study.name.clone(),
        title: settings.title.clone(),
        metric: format!("{} {}", settings.goal.word(), settings.metric),
        command: task.run.command.clone(),
        wall_secs: settings.wall_secs,
        seeds: settings.seeds_per_score,
        baseline_runs: settings.baseline_runs,
        evaluator,
        editable: task.repository.editable.clone(),
        data: task
            .data
            .iter()
            .filter(|d| !d.hidden)
            .map(|d| d.path.clone())
            .chain(task.evaluator.prepare.iter().map(|_| "public/".to_owned()))
            .collect(),
        isolation: settings.isolation.clone(),
        isolation_means: TIER_E.into(),
        minutes: runs.map(|n| (n * per_run / slots.len().max(1) as f64 / 60.0).ceil()),
        slots: slots.into_iter().map(|s| s.name).collect(),
        trials: settings.limits.trials,
        seconds: settings.limits.seconds,
        proposers: format!("{} by {}", settings.policy.word(), settings.proposers.join(" + ")),
        autonomy: settings.autonomy.word().into(),
        warnings,
    }
}
