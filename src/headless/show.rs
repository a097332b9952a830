//! `trialdeck show`: a study in one page, and all of one trial.

use super::paint::{Paint, Tone, tone_of};
use super::words::{fit, freedom, gain_vs, outcome, plural, safe, score, seconds, signed, span, table};
use crate::model::{
    Comparison, Decision, Millis, Reviewer, Study, StudyState, TrialId,
    number::{rough, short},
};
use crate::protocol::{
    TrialDetail,
    document::{RunDocument, TrialDocument},
};

/// Longest hypothesis of a trial's row, in columns.
const HYPOTHESIS: usize = 72;
/// Lines of reasoning shown.
const REASONING: usize = 40;

/// Returns a study for people: settings, the closing table's facts so far, and one row a trial. `live`: an engine drives it.
pub fn show_study(study: &Study, now: Millis, live: bool, suffix: &str, paint: Paint) -> String {
    let s = &study.settings;
    let mut lines = vec![paint.tone(Tone::Strong, &safe(&s.title)), how(study), format!("from {}", safe(&study.source)), String::new()];
    if !(live || matches!(study.state, StudyState::Finished | StudyState::Failed)) {
        let text = format!("no engine drives this study: `trialdeck resume {}{suffix}` goes on where it stopped", safe(&study.name));
        lines.extend([paint.tone(Tone::Bad, &text), String::new()]);
    }
    lines.extend(super::closing::closing(study, now, suffix));
    lines.push(String::new());
    lines.extend(trials(study, paint));
    lines.join("\n") + "\n"
}

/// How it searches; of a history that nothing runs for, that it does not.
fn how(study: &Study) -> String {
    let s = &study.settings;
    match study.imported.as_ref().and_then(|from| Some((from, from.fixed.as_ref()?))) {
        Some((from, why)) => {
            format!("imported from {} ({}), to look at and not to go on with: {}", safe(&from.file), from.format, safe(why))
        }
        None => format!(
            "{} by {}, autonomy {}, isolation {}, seed {}, {} a run, {}",
            s.policy.word(),
            safe(&s.proposers.join("+")),
            s.autonomy.word(),
            safe(&s.isolation),
            s.seed,
            span(s.wall_secs),
            super::words::limits(&s.limits)
        ),
    }
}

fn trials(study: &Study, paint: Paint) -> Vec<String> {
    let head = ["TRIAL", "PARENT", "OUTCOME", "SCORE", "GAIN", "RUNS", "PROPOSER", "HYPOTHESIS"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(study.trials.iter().map(|t| {
            let label = t.failure.as_ref().map(|f| f.label);
            vec![
                t.id.to_string(),
                t.parents.first().map_or("-".into(), TrialId::to_string),
                format!("{}{}", outcome(t.status, t.verdict, label), if t.verified { " verified" } else { "" }),
                score(t.score, study.settings.score_source),
                t.comparison.as_ref().map_or("-".into(), gain_vs),
                t.runs.len().to_string(),
                safe(&t.proposer),
                fit(&safe(&t.hypothesis), HYPOTHESIS),
            ]
        }))
        .collect();
    let tones =
        std::iter::once(Tone::Strong).chain(study.trials.iter().map(|t| tone_of(t.status, t.verdict, t.failure.as_ref().map(|f| f.label))));
    table(&rows, &[5]).iter().zip(tones).map(|(line, tone)| paint.tone(tone, line)).collect()
}

/// Returns all of one trial for people.
pub fn show_trial(study: &Study, detail: &TrialDetail, suffix: &str, paint: Paint) -> String {
    let t = &detail.document;
    let label = t.failure.as_ref().map(|f| f.label);
    let word = outcome(t.status, t.verdict, label);
    let verified = if t.verified { ", verified" } else { "" };
    let mut lines = vec![
        format!("{}  {}{verified}", paint.tone(Tone::Strong, &t.id.to_string()), paint.tone(tone_of(t.status, t.verdict, label), word)),
        safe(&t.hypothesis),
        String::new(),
    ];
    let rows: Vec<Vec<String>> = facts(study, detail).into_iter().map(Vec::from).collect();
    lines.extend(table(&rows, &[]));
    if !t.runs.is_empty() {
        lines.push(String::new());
        lines.extend(runs(study, &t.runs, paint));
    }
    for run in &t.runs {
        let tree = study.trial(t.id).and_then(|t| t.run(run.id)).map_or("", |r| r.tree.as_str());
        let same: Vec<String> = study.same_artifacts(tree, run.artifacts.as_deref()).take(4).map(|r| r.to_string()).collect();
        if !same.is_empty() {
            let text = format!("{} left the very artifacts of {}, whose code is another", run.id, same.join(", "));
            lines.push(paint.tone(Tone::Bad, &text));
        }
    }
    if let Some(draft) = detail.draft.as_ref().filter(|d| !d.reasoning.trim().is_empty()) {
        lines.extend([String::new(), paint.tone(Tone::Strong, "reasoning")]);
        let reasoning: Vec<&str> = draft.reasoning.lines().collect();
        lines.extend(reasoning.iter().take(REASONING).map(|line| format!("  {}", safe(line))));
        if reasoning.len() > REASONING {
            lines.push(format!("  … {} more lines in --json", reasoning.len() - REASONING));
        }
    }
    if let Some(origin) = t.imported.as_ref().filter(|o| !o.notes.is_empty()) {
        lines.extend([String::new(), paint.tone(Tone::Strong, "notes of the source"), format!("  {}", safe(&origin.notes))]);
    }
    if t.imported.is_some() && t.tree.is_none() {
        return lines.join("\n") + "\n";
    }
    let name = safe(&study.name);
    lines.extend([String::new(), format!("trialdeck diff {name} {}{suffix}    trialdeck log {name} {}{suffix}", t.id, t.id)]);
    lines.join("\n") + "\n"
}

fn facts(study: &Study, detail: &TrialDetail) -> Vec<[String; 2]> {
    let t = &detail.document;
    let source = study.settings.score_source;
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut say = |key: &str, text: String| rows.push([key.to_owned(), text]);
    say("score", format!("{} ({} {})", score(t.score, source), study.settings.goal.word(), safe(&study.settings.metric)));
    if let Some(comparison) = &detail.comparison {
        say("compared", compared(comparison));
    }
    if let Some(failure) = &t.failure {
        say("failure", format!("{}: {}", failure.label.word(), safe(&failure.detail)));
    }
    if let Some(holdout) = t.holdout {
        say("holdout", short(holdout));
    }
    if let Some(value) = t.self_reported.filter(|_| source == crate::model::ScoreSource::Evaluator) {
        say("self", format!("{} as the run itself reported", short(value)));
    }
    let parents: Vec<String> = t.parents.iter().map(TrialId::to_string).collect();
    if !parents.is_empty() {
        let surface = t.surface.as_deref().map(|s| format!(", {}", safe(s))).unwrap_or_default();
        say("builds on", format!("{} ({}{surface})", parents.join(" and "), t.operator.word()));
    }
    let proposal = t.proposal.map(|p| format!(", {p} revision {}", t.revision)).unwrap_or_default();
    say("proposer", format!("{}{proposal}", safe(&t.proposer)));
    if let Some(knobs) = detail.draft.as_ref().filter(|d| !d.knobs.is_empty()).map(|d| &d.knobs) {
        let knobs: Vec<String> = knobs.iter().map(|(name, value)| format!("{} = {}", safe(name), safe(&value.to_string()))).collect();
        say("knobs", knobs.join(", "));
    }
    if let Some(diff) = t.diff {
        say("diff", format!("{}, +{} -{}", plural(diff.files as usize, "file"), diff.added, diff.removed));
    }
    for flag in &t.flags {
        let only = if flag.only { "nothing else, " } else { "" };
        say("flagged", format!("{only}{}: {}", flag.flag.word().replace('_', " "), safe(&flag.evidence)));
    }
    for gate in &t.gates {
        let value = gate.value.map_or("no value".into(), short);
        say("gate", format!("{} {value}: {}", safe(&gate.key), if gate.ok { "ok" } else { "missed" }));
    }
    for review in &t.reviews {
        let reason = review.reason.as_deref().map(|r| format!(": {}", safe(r))).unwrap_or_default();
        say("review", format!("{} by {}{reason}", decision(review.decision), reviewer(review.by)));
    }
    for (key, hash) in [("commit", &t.commit), ("tree", &t.tree)] {
        if let Some(hash) = hash {
            say(key, safe(hash));
        }
    }
    if let Some(origin) = &t.imported {
        let word = if origin.word.is_empty() { "cut, so its outcome is not known" } else { &origin.word };
        let from = study.imported.as_ref().map_or("", |from| from.file.as_str());
        say("imported", format!("{} of {} (line {}): {}", safe(&origin.name), safe(from), origin.line, safe(word)));
    }
    for (key, at) in times(t) {
        say(key, at.clone());
    }
    rows
}

fn times(t: &TrialDocument) -> impl Iterator<Item = (&'static str, &String)> {
    let times = &t.times;
    [("proposed", &times.proposed), ("accepted", &times.accepted), ("started", &times.started), ("finished", &times.finished)]
        .into_iter()
        .filter_map(|(key, at)| at.as_ref().map(|at| (key, at)))
}

fn compared(c: &Comparison) -> String {
    let runs = |n: u32| plural(n as usize, "run");
    let noise = match (c.sd, c.t, c.needed) {
        (Some(sd), Some(t), Some(needed)) => {
            format!("; t = {} where {} is needed, sd {} with {}", rough(t), rough(needed), rough(sd), freedom(c.nu))
        }
        (Some(sd), ..) => format!("; sd {} with {}", rough(sd), freedom(c.nu)),
        (None, ..) => "; the noise is unknown".into(),
    };
    format!(
        "{} with {}: {} ({}) to {} ({}){noise}",
        signed(c.gain),
        c.against,
        short(c.candidate),
        runs(c.n_candidate),
        short(c.reference),
        runs(c.n_reference)
    )
}

fn runs(study: &Study, runs: &[RunDocument], paint: Paint) -> Vec<String> {
    let head = ["RUN", "KIND", "SEED", "SCORE", "TIME", "MEMORY", "NOTES"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(head)
        .chain(runs.iter().map(|r| {
            let metrics: Vec<String> = r.metrics.iter().map(|(key, value)| format!("{} {}", safe(key), short(*value))).collect();
            let failure = r.failure.as_ref().map(|f| format!("{}: {}", f.label.word(), safe(&f.detail)));
            vec![
                r.id.to_string(),
                r.kind.word().to_owned(),
                r.seed.map_or("?".into(), |seed| seed.to_string()),
                score(r.score, study.settings.score_source),
                seconds(r.seconds),
                if r.peak_memory_bytes > 0 { format!("{} MiB", r.peak_memory_bytes >> 20) } else { "-".into() },
                failure.unwrap_or_else(|| metrics.join(", ")),
            ]
        }))
        .collect();
    let tones = std::iter::once(Tone::Strong).chain(runs.iter().map(|r| if r.failure.is_some() { Tone::Bad } else { Tone::Plain }));
    table(&rows, &[2, 4, 5]).iter().zip(tones).map(|(line, tone)| paint.tone(tone, line)).collect()
}

fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "accepted",
        Decision::Veto => "vetoed",
        Decision::Edit => "edited",
        Decision::Revise => "sent back",
    }
}

fn reviewer(by: Reviewer) -> &'static str {
    match by {
        Reviewer::Human => "a person",
        Reviewer::Rule => "a rule",
        Reviewer::Proposer => "the proposer",
        Reviewer::Auto => "auto",
    }
}
