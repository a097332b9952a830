//! The closing table: what a study came to, and what to do next. Its JSON is the `summary`.

use super::words::{counts, fit, gain, limits, noise_advice, pad, plural, safe, score, signed, span, table, with_noise, wrapped};
use crate::model::{EndReason, Label, Millis, Status, Study, StudyState, Trial, TrialId, Verdict};
use crate::protocol::{document::study_document, slot_utilisation};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// Columns before the texts: the longest key, and two blanks.
const KEY: usize = 10;

/// Returns the closing table in lines of at most `width` columns. `suffix` is what every further command needs, for instance
/// ` --studies DIR`. The hypothesis of the best is cut, the rest is broken at blanks.
pub fn closing(study: &Study, now: Millis, suffix: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut say = |key: &str, text: String| rows.push([key.to_owned(), text]);
    say("study", heading(study));
    if setup_failed(study) {
        return without_environment(study, suffix, width);
    }
    let baseline = study.reference();
    let source = study.settings.score_source;
    let runs = baseline.map_or(0, |b| b.scores().len());
    let mended = study.reference.map(|id| format!(" of {id}, which mended {}", TrialId::BASELINE)).unwrap_or_default();
    say("baseline", format!("{} ({}{mended})", with_noise(baseline.and_then(|b| b.score), study.noise, source), plural(runs, "run")));
    match &study.best {
        Some(best) => {
            let what = study.trial(best.trial).map(|t| safe(&t.hypothesis)).unwrap_or_default();
            let text = format!("{} {}  {what}", best.trial, score(Some(best.score), source));
            say("best", fit(&text, width.saturating_sub(KEY)));
            say("gain", gain(best));
        }
        None if study.reference.is_some() => say("best", "none: nothing but the mend was kept".into()),
        None => say("best", "none: nothing was kept".into()),
    }
    if let Some(text) = holdout(study) {
        say("holdout", text);
    }
    // Before the baseline has run, nobody can know the noise.
    let fixed = study.imported.as_ref().is_some_and(|from| from.fixed.is_some());
    let early = (runs == 0 && !study.is_over()) || fixed;
    if let Some(advice) = noise_advice(study.noise, study.settings.min_effect).filter(|_| !early) {
        say("noise", advice);
    }
    say("trials", tally(study));
    let failures = counts(labels(study));
    if !failures.is_empty() {
        say("failures", failures);
    }
    if !study.spend.is_nothing() {
        say("agents", super::words::spent(&study.spend));
    }
    let gpu = if study.gpu_seconds > 0.0 { format!(", {} of GPU time", span(study.gpu_seconds)) } else { String::new() };
    if !fixed {
        say("time", format!("{}, slots {:.0} % in use{gpu}", span(study.active_seconds(now)), slot_utilisation(study) * 100.0));
    }
    let mut lines = wrapped(&rows, width);
    lines.push(String::new());
    lines.extend(next_commands(study, suffix, width));
    lines
}

/// The environment of the runs could not be built: nothing ran.
fn setup_failed(study: &Study) -> bool {
    study.state == StudyState::Failed && study.reason == Some(EndReason::Setup)
}

/// What stands in the way, the last lines of the log, and the mend.
fn without_environment(study: &Study, suffix: &str, width: usize) -> Vec<String> {
    let tail = study.setup.as_ref().map(|s| s.tail.as_slice()).unwrap_or_default();
    let mut rows = vec![["study".to_owned(), heading(study)]];
    rows.extend(tail.iter().enumerate().map(|(n, line)| [if n == 0 { "log" } else { "" }.to_owned(), safe(line)]));
    let mend = "if the fault lay outside (network, index, disk), resume; else correct [setup], or the files that it installs from, and start a new study";
    rows.push(["mend".to_owned(), mend.to_owned()]);
    let mut lines = wrapped(&rows, width);
    lines.push(String::new());
    lines.extend(next_commands(study, suffix, width));
    lines
}

fn heading(study: &Study) -> String {
    let why: Vec<String> = study
        .reason
        .filter(|_| study.is_over())
        .map(|r| r.word().to_owned())
        .into_iter()
        .chain(study.detail.as_deref().map(safe))
        .collect();
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(": ")) };
    let (name, metric) = (safe(&study.name), safe(&study.settings.metric));
    // Told to end, but not at its end yet: what runs is waited for, or being killed.
    let ending =
        study.stopping.filter(|_| !study.is_over()).map(|now| if now { ", ending now" } else { ", ending after the running runs" });
    let word = if study.slots.is_empty() && study.imported.is_none() && !study.is_over() { "not started" } else { study.state.word() };
    format!("{name}: {word}{}{why}, {} {metric}", ending.unwrap_or_default(), study.settings.goal.word())
}

fn holdout(study: &Study) -> Option<String> {
    let value = |id: TrialId| study.trial(id).and_then(|t| t.holdout);
    let baseline = value(study.reference_id());
    let best = study.best.as_ref().and_then(|b| value(b.trial));
    let source = study.settings.score_source;
    match (baseline, best) {
        (None, None) => None,
        (Some(baseline), Some(best)) => {
            let gain = study.settings.goal.gain(best, baseline);
            Some(format!("baseline {}, best {} ({})", score(Some(baseline), source), score(Some(best), source), signed(gain)))
        }
        (baseline, None) if study.best.is_none() => Some(format!("baseline {}", score(baseline, source))),
        (baseline, best) => Some(format!("baseline {}, best {}", score(baseline, source), score(best, source))),
    }
}

/// Trials by what became of them.
fn tally(study: &Study) -> String {
    let proposed = || study.trials.iter().filter(|t| t.id != TrialId::BASELINE);
    let verdicts = [Verdict::Keep, Verdict::Revert, Verdict::Undecided, Verdict::RolledBack]
        .into_iter()
        .map(|verdict| (proposed().filter(|t| t.verdict == Some(verdict)).count(), verdict.word()));
    let others = [
        Status::Vetoed,
        Status::Rejected,
        Status::Stale,
        Status::Waiting,
        Status::Queued,
        Status::Running,
        Status::Evaluating,
        Status::Unreadable,
    ]
    .into_iter()
    .map(|status| {
        // Nothing waits for its turn in a study that is over.
        let word = if status == Status::Queued && study.is_over() { "not started" } else { status.word() };
        (proposed().filter(|t| t.status == status && t.verdict.is_none()).count(), word)
    });
    let parts: Vec<String> = verdicts.chain(others).filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let of = study.settings.limits.trials.map_or(String::new(), |limit| format!(" of {limit}"));
    let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{}{of}{parts}", study.trials_used)
}

fn labels(study: &Study) -> impl Iterator<Item = Label> {
    study.trials.iter().filter(|t| t.status != Status::Rejected).filter_map(|t| t.failure.as_ref()).map(|f| f.label)
}

/// What to do next; in a terminal too narrow for it the reason of each command stands under it.
fn next_commands(study: &Study, suffix: &str, width: usize) -> Vec<String> {
    let name = safe(&study.name);
    let mut commands: Vec<(&str, String, String)> = Vec::new();
    if setup_failed(study) {
        commands.push(("resume", String::new(), "try again".into()));
        commands.push(("log", " setup".into(), "the whole log".into()));
    } else if study.state == StudyState::Failed {
        commands.push(("log", format!(" {}", TrialId::BASELINE), "what the baseline printed".into()));
        commands.push(("resume", String::new(), "try it again, once what it needs is there".into()));
    }
    commands.push(("show", String::new(), "all numbers, `--json` for programs".into()));
    if study.imported.as_ref().is_some_and(|from| from.fixed.is_some()) {
        commands.push(("attach", String::new(), "the same in the cockpit, with filters".into()));
        commands.push(("export", " --tsv".into(), "the table of all trials".into()));
    } else if let Some(best) = &study.best {
        if study.imported.is_some() && study.reason.is_none() && study.state == StudyState::Finished {
            commands.push(("resume", " --trials +20".into(), "go on from the best".into()));
        }
        commands.push(("diff", format!(" {} --against baseline", best.trial), "what the best trial changes".into()));
        commands.push(("export", " best --branch NAME --into REPO".into(), "take it home as a commit".into()));
    } else if study.state == StudyState::Finished {
        let more = study.settings.limits.trials.map_or("", |_| " --trials +20");
        commands.push(("resume", more.into(), format!("go on; the limits were {}", limits(&study.settings.limits))));
    }
    let rows: Vec<Vec<String>> = commands
        .into_iter()
        .enumerate()
        .map(|(n, (command, arguments, why))| {
            let head = pad(if n == 0 { "next" } else { "" }, "baseline".len());
            vec![head, format!("trialdeck {command} {name}{arguments}{suffix}"), why]
        })
        .collect();
    let lines = table(&rows, &[]);
    if lines.iter().all(|line| line.width() <= width) {
        return lines;
    }
    let under = |row: Vec<String>| {
        let (command, why) = row.split_at(2);
        [command.join("  "), format!("{}{}", " ".repeat(KEY + 4), why.concat())]
    };
    rows.into_iter().flat_map(under).collect()
}

/// The `summary` object of `--json`: the document of `show --json` without its trials, and counts in their place.
pub fn summary(study: &Study, now: Millis, exit_code: u8) -> Value {
    let mut document = serde_json::to_value(study_document(study, now)).unwrap_or_default();
    let count = |verdict: Verdict| {
        let judged = |t: &&Trial| t.id != TrialId::BASELINE && t.verdict == Some(verdict);
        study.trials.iter().filter(judged).count()
    };
    let mut failures: BTreeMap<&str, u32> = BTreeMap::new();
    for label in labels(study) {
        *failures.entry(label.word()).or_default() += 1;
    }
    if let Some(object) = document.as_object_mut() {
        object.remove("trials");
        object.insert("keeps".into(), json!(count(Verdict::Keep)));
        object.insert("reverts".into(), json!(count(Verdict::Revert)));
        object.insert("undecided".into(), json!(count(Verdict::Undecided)));
        object.insert("rolled_back".into(), json!(count(Verdict::RolledBack)));
        object.insert("failures".into(), json!(failures));
        object.insert("baseline_holdout".into(), json!(study.reference().and_then(|t| t.holdout)));
        object.insert("best_holdout".into(), json!(study.best.as_ref().and_then(|b| study.trial(b.trial)?.holdout)));
        object.insert("exit_code".into(), json!(exit_code));
    }
    json!({ "summary": document })
}
