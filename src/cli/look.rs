//! What can be seen of a study without an engine: lists, summaries, trees, diffs, logs.

use super::args::Studies;
use super::{Exit, Failure, Outcome, find, host, put, put_json, run};
use crate::archive;
use crate::client::studies;
use crate::engine::clock;
use crate::headless::{self, Paint};
use crate::model::{DiffOptions, LineKind, RunNo, RunPhase, Safe, Setup, Study, TrialId};
use crate::protocol::{Against, Answer, LogStream, Query, document};
use crate::task::embedded;
use std::{path::Path, time::Duration};

fn paint() -> Paint {
    Paint { color: host::colour() }
}

/// Bare `trialdeck`: the studies at hand and what to do next.
pub(super) fn home() -> Outcome {
    let all = studies::list(&find::studies_dir(&Studies { studies: None })?);
    if all.is_empty() {
        put(
            "trialdeck runs experiments on training code and keeps what helps. No study yet; try the quickstart:\n\n  trialdeck run quickstart --auto --trials 12    unattended, about a minute\n  trialdeck run quickstart                       in the cockpit: you accept, veto or edit\n\n`trialdeck --help` has the rest.",
        );
    } else {
        put(&headless::ls(&all, clock::now(), columns(), paint()));
        put(
            "\n  trialdeck attach NAME    open the cockpit on one\n  trialdeck run TASK       start another; `trialdeck tasks` lists what comes along",
        );
    }
    Ok(Exit::DONE)
}

/// Columns for a table: those of the terminal; a pipe has no end.
fn columns() -> usize {
    if host::stdout_is_terminal() { host::width() } else { usize::MAX }
}

/// `trialdeck ls`.
pub(super) fn ls(json: bool, short: bool, choice: &Studies) -> Outcome {
    let all = studies::list(&find::studies_dir(choice)?);
    if json {
        for listed in &all {
            let (head, error) = match &listed.head {
                Ok(head) => (Some(head), None),
                Err(error) => (None, Some(error)),
            };
            put_json(&serde_json::json!({ "study": listed.name, "dir": listed.dir, "live": listed.live, "head": head, "error": error }))?;
        }
    } else if short {
        all.iter().for_each(|listed| put(&listed.name));
    } else if all.is_empty() {
        put("no studies yet: `trialdeck run quickstart` starts one");
    } else {
        put(&headless::ls(&all, clock::now(), columns(), paint()));
    }
    Ok(Exit::DONE)
}

/// `trialdeck show`.
pub(super) fn show(name: &str, trial: Option<&str>, json: bool, choice: &Studies) -> Outcome {
    let (dir, study) = find::study(name, choice)?;
    // Without an engine no time passes for the study.
    let live = super::engine::owner(&dir).is_some();
    let now = if live { clock::now() } else { study.at };
    match trial {
        None if json => put_json(&document::study_document(&study, now))?,
        None => put(&headless::show_study(&study, now, live, &host::suffix(&dir), columns(), paint())),
        Some(text) => {
            let trial = find::trial(&study, text)?;
            if json {
                put_json(&document::priced_document(&study, trial))?;
            } else {
                let Answer::Trial { detail } = answer(&dir, &study, &Query::Trial { trial: trial.id })? else { return Err(odd()) };
                put(&headless::show_trial(&study, &detail, &host::suffix(&dir), columns(), paint()));
            }
        }
    }
    Ok(Exit::DONE)
}

/// `trialdeck show STUDY TRIAL --conversation`; of a proposal that came to nothing, by its own number.
pub(super) fn conversation(name: &str, which: &str, json: bool, full: bool, choice: &Studies) -> Outcome {
    let (dir, study) = find::study(name, choice)?;
    let id = if which.starts_with('p') {
        find::proposal(&study, which)?
    } else {
        let trial = find::trial(&study, which)?;
        trial.proposal.ok_or_else(|| Failure::usage(format!("{} is the baseline: nobody proposed it", trial.id)))?
    };
    let last = study.proposals.keys().next_back().map_or_else(|| "it has none".into(), |last| format!("its last is {last}"));
    let request = study.proposals.get(&id).ok_or_else(|| Failure::usage(format!("{} has no proposal {id}; {last}", study.name)))?;
    let record = archive::conversation::read(&dir, id)?;
    let trouble = record.trouble();
    if json {
        put_json(&serde_json::json!({ "proposal": request, "turns": record.turns, "trouble": trouble }))?;
    } else {
        let fold = if full { headless::Fold::Nothing } else { headless::Fold::Few };
        put(&headless::conversation(request, &record.turns, trouble.as_deref(), fold, paint()));
    }
    Ok(Exit::DONE)
}

/// `trialdeck tree`.
pub(super) fn tree(name: &str, choice: &Studies) -> Outcome {
    let (_, study) = find::study(name, choice)?;
    put(&headless::tree(&study, columns(), paint()));
    Ok(Exit::DONE)
}

fn answer(dir: &Path, study: &Study, query: &Query) -> Result<Answer, Failure> {
    archive::answer(dir, study, query).map_err(|message| Failure { message, exit: Exit::FAILED })
}

fn odd() -> Failure {
    Failure { message: "another answer came than was asked for".into(), exit: Exit::FAILED }
}

/// `trialdeck diff`.
pub(super) fn diff(name: &str, trial: &str, against: &str, revision: Option<u32>, json: bool, choice: &Studies) -> Outcome {
    let (dir, study) = find::study(name, choice)?;
    let trial = find::trial(&study, trial)?.id;
    let against = match against {
        "parent" => Against::Parent,
        "baseline" => Against::Baseline,
        "best" => Against::Best,
        text => Against::Trial(find::trial(&study, text).map_err(|e| Failure::usage(format!("--against: {}", e.message)))?.id),
    };
    let Answer::Diff { diff } = answer(&dir, &study, &Query::Diff { trial, against, options: DiffOptions::default(), revision })? else {
        return Err(odd());
    };
    if json {
        super::put_code_json(&diff)?;
        return Ok(Exit::DONE);
    }
    if !host::stdout_is_terminal() {
        // A pipe gets the very bytes, so that `git apply` takes them.
        super::put_exactly(diff.patch.as_bytes());
        return Ok(Exit::DONE);
    }
    let paint = |code: &str, text: &str| if host::colour() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    if let Some(past) = study.trial(trial).and_then(|t| t.superseded.iter().find(|r| Some(r.revision) == revision)) {
        put(&paint("33", &format!("revision {} (superseded): {}", past.revision, Safe::line(&past.why()))));
    }
    for file in &diff.files {
        put(&paint("1", &format!("{}  +{} -{}", Safe::line(&file.path), file.added, file.removed)));
        for hunk in &file.hunks {
            put(&paint("36", Safe::line(&hunk.header).as_str()));
            for line in &hunk.lines {
                let text = Safe::code(&line.text);
                match line.kind {
                    LineKind::Added => put(&paint("32", &format!("+{text}"))),
                    LineKind::Removed => put(&paint("31", &format!("-{text}"))),
                    LineKind::Context => put(&format!(" {text}")),
                }
            }
        }
    }
    if diff.files.is_empty() {
        put("no difference");
    }
    Ok(Exit::DONE)
}

/// `trialdeck log`.
pub(super) fn log(name: &str, trial: &str, follow: bool, stderr: bool, evaluator: bool, choice: &Studies) -> Outcome {
    let (dir, mut study) = find::study(name, choice)?;
    let setup = trial == "setup";
    let run = if setup { TrialId::BASELINE.run(RunNo(1)) } else { find::run(&study, trial)? };
    let stream = match (setup, stderr, evaluator) {
        (true, _, _) => LogStream::Setup,
        (_, true, _) => LogStream::Stderr,
        (_, _, true) => LogStream::Evaluator,
        _ => LogStream::Stdout,
    };
    let (mut offset, terminal) = (0u64, host::stdout_is_terminal());
    loop {
        let over = if setup {
            !study.setup.as_ref().is_some_and(Setup::in_flight)
        } else {
            study.trial(run.trial).and_then(|t| t.run(run.run)).is_none_or(|r| r.phase == RunPhase::Ended)
        };
        loop {
            let from = i64::try_from(offset).unwrap_or(i64::MAX);
            let Answer::Log { part } = answer(&dir, &study, &Query::Log { run, stream, offset: from, len: 64 << 10 })? else {
                return Err(odd());
            };
            if part.text.is_empty() || part.next <= offset {
                break;
            }
            offset = part.next;
            print_log(&part.text, terminal);
        }
        if !follow || over {
            return Ok(Exit::DONE);
        }
        std::thread::sleep(Duration::from_millis(200));
        study = run::reread(&dir)?;
    }
}

/// A terminal gets text without control sequences; a pipe gets what the run wrote.
fn print_log(text: &str, terminal: bool) {
    let text = if terminal { text.split_inclusive('\n').map(clean).collect() } else { text.to_owned() };
    super::put_exactly(text.as_bytes());
}

fn clean(line: &str) -> String {
    format!("{}{}", Safe::line(line), if line.ends_with('\n') { "\n" } else { "" })
}

/// `trialdeck tasks`.
pub(super) fn tasks(json: bool) -> Outcome {
    let width = embedded::names().iter().map(|n| n.len()).max().unwrap_or(0);
    for name in embedded::names() {
        let title = embedded::title(name).unwrap_or_default();
        if json {
            put_json(&serde_json::json!({ "task": name, "title": title }))?;
        } else {
            put(&format!("{name:<width$}  {title}"));
        }
    }
    if !json {
        put("\n`trialdeck run NAME` starts a study of one; a task.toml of your own works the same");
    }
    Ok(Exit::DONE)
}
