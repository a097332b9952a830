//! What this machine offers, what a task uses, where the configuration comes from, and the card before the first run.
//!
//! Each room of checks is a file of its own and knows nothing of the others; here they are put in order.

mod asked;
mod endpoints;
pub(super) mod finding;
mod isolation;
mod machine;
mod place;
mod programs;
mod terminal;

use super::args::Studies;
use super::{Exit, Failure, Outcome, config, host, put, put_json};
use crate::engine::study_file::Choices;
use crate::headless::{Paint, Tone};
use crate::model::{NoisePlan, Safe, ScoreSource, Study};
use crate::run::slots;
use crate::task::{self, Found, Scoring, Task};
use crate::tui::Preflight;
use finding::{Finding, Level, draw, under, wrap};

/// `trialdeck doctor`. Exits 1 when something stands in the way of a study.
pub(super) fn doctor(task: Option<&str>, json: bool, studies: &Studies) -> Outcome {
    let config = config::current();
    let found = task.map(find).transpose()?;
    let findings = findings(config, studies, found.as_ref());
    let rows = config::rows(config, studies, found.as_ref());
    let count = |level: Level| findings.iter().filter(|f| f.level == level).count();
    let (bad, warned) = (count(Level::Fail), count(Level::Warn));
    if json {
        findings.iter().try_for_each(put_json)?;
        rows.iter().try_for_each(|row| put_json(&row.document()))?;
    } else {
        let (width, paint) = (host::width().min(120), Paint { color: host::colour() });
        put(&draw(&findings, width, paint));
        if let Some(trouble) = &config.trouble {
            put(&format!("{}\n", trouble.render(host::colour())));
        }
        put(&table(config, &rows, width, paint));
        let warnings = match warned {
            0 => "no warning".to_owned(),
            1 => "1 warning".to_owned(),
            n => format!("{n} warnings"),
        };
        put("");
        put(&match bad {
            0 => format!("{warnings}, nothing stands in the way of a study"),
            1 => paint.tone(Tone::Bad, &format!("1 check failed: mend it before a study; {warnings}")),
            n => paint.tone(Tone::Bad, &format!("{n} checks failed: mend them before a study; {warnings}")),
        });
    }
    Ok(if bad > 0 { Exit::FAILED } else { Exit::DONE })
}

/// `trialdeck doctor --init`.
pub(super) fn init() -> Outcome {
    let path = config::init()?;
    put(&format!("{}: every key with its default, commented out\n`trialdeck doctor` shows what holds", path.display()));
    Ok(Exit::DONE)
}

fn find(name: &str) -> Result<Found, Failure> {
    task::find(name, &host::cwd()?).map_err(|error| match error {
        task::FindError::Problems(problems) => Failure::usage(problems.render(host::colour())),
        other => Failure::usage(other.to_string()),
    })
}

fn findings(config: &config::Config, studies: &Studies, found: Option<&Found>) -> Vec<Finding> {
    let gpus = found.map(|f| f.parsed.task.gpus(slots::gpus().is_ok()));
    let asked = config.file.slots.as_ref().map(|at| at.value);
    let mut findings = under("programs", [programs::python(), programs::git()]);
    if let Some(found) = found {
        findings.extend(under("task", task_findings(found)));
    }
    let dir = host::studies_dir(studies);
    let beside = dir.as_deref().unwrap_or(std::path::Path::new("/"));
    let of_machine = [
        machine::gpu(gpus),
        machine::slots_found(gpus.unwrap_or_else(|| u32::from(slots::gpus().is_ok())), asked),
        machine::file_events(),
        machine::logout(),
        machine::time(beside),
    ];
    findings.extend(under("machine", of_machine));
    findings.extend(under("isolation", isolation::isolation()));
    findings.extend(under(
        "studies",
        match &dir {
            Ok(dir) => place::place(dir).into_iter().chain(place::future(dir)).collect(),
            Err(failure) => vec![Finding::fail("directory", failure.message.clone())],
        },
    ));
    findings.extend(under("models", endpoints::endpoints(config)));
    findings.extend(under("terminal", terminal::terminal()));
    findings.extend(under("configuration", [file(config)]));
    findings
}

/// The user's file itself.
fn file(config: &config::Config) -> Finding {
    let place = config::Source::find();
    match (&config.path, &config.trouble) {
        (Some(path), Some(_)) => Finding::fail("file", format!("{} is broken", path.display()))
            .means("`run` refuses to start; everything else goes on with what is right in it")
            .mend("see below"),
        (Some(path), None) => {
            let others = std::fs::metadata(path).is_ok_and(|m| std::os::unix::fs::MetadataExt::mode(&m) & 0o022 != 0);
            match others {
                true => Finding::warn("file", format!("{} can be written by others", path.display()))
                    .means("it names commands that run with your rights")
                    .mend(format!("chmod go-w {}", path.display())),
                false => Finding::ok("file", path.display().to_string()),
            }
        }
        (None, _) => match place {
            Some(place) => {
                Finding::info("file", format!("none ({})", place.path.display())).mend("trialdeck doctor --init writes one, with comments")
            }
            None => Finding::info("file", "none: neither HOME nor XDG_CONFIG_HOME is set"),
        },
    }
}

/// The table of the configuration, wrapped to `width` columns. Values come last: a long path breaks nothing there.
fn table(config: &config::Config, rows: &[config::Row], width: usize, paint: Paint) -> String {
    let name = config.path.as_ref().and_then(|p| p.file_name()).map(|n| Safe::line(&n.to_string_lossy()).into_string()).unwrap_or_default();
    let longest = |of: &dyn Fn(&config::Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let keys = longest(&|r| Safe::line(&r.key).as_str().chars().count()).min(32);
    let origins = longest(&|r| r.origin.words(&name).chars().count());
    let room = width.saturating_sub(2 + keys + 2 + origins + 2).max(24);
    let mut out = String::new();
    for row in rows {
        let tone = if row.origin == config::Origin::Default { Tone::Faint } else { Tone::Plain };
        let mut origin = row.origin.words(&name);
        let mut key = Safe::line(&row.key).into_string();
        for line in wrap(Safe::line(&row.value).as_str(), room) {
            out += &format!("  {key:<keys$}  {}  {line}\n", paint.tone(tone, &format!("{origin:<origins$}")));
            (key, origin) = (String::new(), String::new());
        }
    }
    out
}

fn task_findings(found: &Found) -> Vec<Finding> {
    let task = &found.parsed.task;
    let about = &task.task;
    let mut findings = vec![Finding::ok("task", format!("{}: {}, {} {}", about.name, about.title, about.goal.word(), about.metric))];
    findings.extend(programs::interpreter(found));
    if about.noise == (NoisePlan::Given { sd: 0.0 }) && about.min_effect.is_none() {
        let noise = Finding::warn("noise", "sd = 0 means that it is unknown").means("nothing can be kept");
        findings.push(noise.mend("give [task] min_effect, or leave `noise` out to have it measured"));
    }
    for unused in &found.parsed.unused {
        let text = format!("line {}: {}", unused.line, unused.key);
        let finding = if unused.essential { Finding::fail("not used yet", text) } else { Finding::info("not used yet", text) };
        findings.push(finding.means(unused.why));
    }
    match super::outfit::findings(found) {
        Ok(outfit) => {
            findings.extend(
                outfit.into_iter().map(|(what, good, text)| if good { Finding::ok(what, text) } else { Finding::fail(what, text) }),
            );
        }
        Err(failure) => findings.push(Finding::fail("setup", failure.message)),
    }
    findings
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
    if task.setup.is_some() {
        warnings.push("[setup] is built first, or found in the cache; its log is in the log pane".into());
    }
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
            .map(|d| format!("{} (where it lies)", d.path))
            .chain(task.evaluator.prepare.iter().map(|_| "public/".to_owned()))
            .chain(task.sandbox.read.iter().map(|path| format!("{path} (outside)")))
            .chain(task.sandbox.network.then(|| "THE NETWORK".to_owned()))
            .collect(),
        isolation: settings.isolation.clone(),
        isolation_means: crate::model::Tier::parse(&settings.isolation).unwrap_or(crate::model::Tier::E).means().into(),
        minutes: runs.map(|n| (n * per_run / slots.len().max(1) as f64 / 60.0).ceil()),
        slots: slots.into_iter().map(|s| s.name).collect(),
        trials: settings.limits.trials,
        seconds: settings.limits.seconds,
        proposers: format!("{} by {}", settings.policy.word(), settings.proposers.join(" + ")),
        autonomy: settings.autonomy.word().into(),
        warnings,
    }
}
