//! `trialdeck show`: a study in one page, and all of one trial.

use super::paint::{Paint, Tone, tone_of};
use super::words::{fit, freedom, gain, gain_vs, outcome, plural, safe, score, seconds, signed, span, table, wrap, wrapped};
use crate::model::{
    Comparison, Decision, Millis, Reviewer, Study, StudyState, TrialId,
    number::{rough, short},
};
use crate::protocol::{
    TrialDetail,
    document::{RunDocument, TrialDocument},
};
use unicode_width::UnicodeWidthStr;

/// The least that a row of the table of trials says of a hypothesis, in columns: others give way to it.
const HYPOTHESIS: usize = 24;
/// What a narrow terminal shows of a proposer's name.
const PROPOSER: usize = 16;
/// Lines of reasoning shown.
const REASONING: usize = 40;

/// Returns a study for people: settings, the closing table's facts so far, and one row of at most `width` columns a trial. `live`:
/// an engine drives it.
pub fn show_study(study: &Study, now: Millis, live: bool, suffix: &str, width: usize, paint: Paint) -> String {
    let s = &study.settings;
    let mut lines = vec![paint.tone(Tone::Strong, &safe(&s.title))];
    lines.extend(wrap(&how(study), width));
    lines.extend([format!("from {}", safe(&study.source)), String::new()]);
    if !(live || matches!(study.state, StudyState::Finished | StudyState::Failed)) {
        let name = safe(&study.name);
        let (tone, text) = if study.slots.is_empty() {
            (Tone::Warning, format!("this study was not started yet: `trialdeck resume {name}{suffix}` starts it"))
        } else {
            (Tone::Bad, format!("no engine drives this study: `trialdeck resume {name}{suffix}` goes on where it stopped"))
        };
        lines.extend([paint.tone(tone, &text), String::new()]);
    }
    lines.extend(super::closing::closing(study, now, suffix, width));
    lines.push(String::new());
    lines.extend(trials(study, width, paint));
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

/// The table of trials; what a narrow terminal has no room for goes by and by.
fn trials(study: &Study, width: usize, paint: Paint) -> Vec<String> {
    let rows = |narrow: bool, short: bool| -> Vec<Vec<String>> {
        let head = ["TRIAL", "PARENT", "OUTCOME", "SCORE", "GAIN", "RUNS", "PROPOSER", "HYPOTHESIS"].map(str::to_owned).to_vec();
        let row = |t: &crate::model::Trial| {
            let label = t.failure.as_ref().map(|f| f.label);
            let (proposer, gain) = (safe(&t.proposer), t.comparison.as_ref().map_or("-".into(), gain_vs));
            vec![
                t.id.to_string(),
                t.parents.first().map_or("-".into(), TrialId::to_string),
                format!("{}{}", outcome(t.status, t.verdict, label), if t.verified { " verified" } else { "" }),
                score(t.score, study.settings.score_source),
                if short { gain.split(' ').next().unwrap_or_default().to_owned() } else { gain },
                t.runs.len().to_string(),
                if narrow { fit(proposer.strip_prefix("agents/").unwrap_or(&proposer), PROPOSER) } else { proposer },
                safe(&t.hypothesis),
            ]
        };
        let all = std::iter::once(head).chain(study.trials.iter().map(row));
        // The tree has the parents too, and a trial's own page all its runs.
        all.map(|mut row| {
            if short {
                row.remove(5);
                row.remove(1);
            }
            row
        })
        .collect()
    };
    let before = |rows: &Vec<Vec<String>>| {
        let last = rows.first().map_or(0, Vec::len).saturating_sub(1);
        let widest = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
        (0..last).map(|column| widest(column) + 2).sum::<usize>()
    };
    let choices = [(false, false), (true, false), (true, true)];
    let fits = |rows: &Vec<Vec<String>>| before(rows).saturating_add(HYPOTHESIS) <= width;
    let rows = choices.iter().map(|(narrow, short)| rows(*narrow, *short)).find(fits).unwrap_or_else(|| rows(true, true));
    let right = if rows.first().is_some_and(|head| head.len() == 8) { &[5][..] } else { &[] };
    let tones =
        std::iter::once(Tone::Strong).chain(study.trials.iter().map(|t| tone_of(t.status, t.verdict, t.failure.as_ref().map(|f| f.label))));
    table(&rows, right).iter().zip(tones).map(|(line, tone)| paint.tone(tone, &fit(line, width))).collect()
}

/// Returns all of one trial for people, in lines of at most `width` columns but for what is to be copied.
pub fn show_trial(study: &Study, detail: &TrialDetail, suffix: &str, width: usize, paint: Paint) -> String {
    let t = &detail.document;
    let label = t.failure.as_ref().map(|f| f.label);
    let word = outcome(t.status, t.verdict, label);
    let verified = if t.verified { ", verified" } else { "" };
    let mut lines = vec![format!(
        "{}  {}{verified}",
        paint.tone(Tone::Strong, &t.id.to_string()),
        paint.tone(tone_of(t.status, t.verdict, label), word)
    )];
    lines.extend(wrap(&safe(&t.hypothesis), width));
    lines.push(String::new());
    lines.extend(wrapped(&facts(study, detail), width));
    if !t.runs.is_empty() {
        lines.push(String::new());
        lines.extend(runs(study, &t.runs, width, paint));
    }
    for run in &t.runs {
        let tree = study.trial(t.id).and_then(|t| t.run(run.id)).map_or("", |r| r.tree.as_str());
        let same: Vec<String> = study.same_artifacts(tree, run.artifacts.as_deref()).take(4).map(|r| r.to_string()).collect();
        if !same.is_empty() {
            let text = format!("{} left the very artifacts of {}, whose code is another", run.id, same.join(", "));
            lines.extend(wrap(&text, width).iter().map(|line| paint.tone(Tone::Bad, line)));
        }
    }
    if let Some(draft) = detail.draft.as_ref().filter(|d| !d.reasoning.trim().is_empty()) {
        lines.extend([String::new(), paint.tone(Tone::Strong, "reasoning")]);
        let reasoning: Vec<&str> = draft.reasoning.lines().collect();
        lines.extend(reasoning.iter().take(REASONING).flat_map(|line| wrap(&format!("  {}", safe(line)), width)));
        if reasoning.len() > REASONING {
            lines.push(format!("  … {} more lines in --json", reasoning.len() - REASONING));
        }
    }
    if let Some(origin) = t.imported.as_ref().filter(|o| !o.notes.is_empty()) {
        lines.extend([String::new(), paint.tone(Tone::Strong, "notes of the source")]);
        lines.extend(wrap(&format!("  {}", safe(&origin.notes)), width));
    }
    if t.imported.is_some() && t.tree.is_none() {
        return lines.join("\n") + "\n";
    }
    let name = safe(&study.name);
    lines.extend([String::new(), format!("trialdeck diff {name} {}{suffix}    trialdeck log {name} {}{suffix}", t.id, t.id)]);
    lines.extend(t.superseded.last().map(|past| format!("trialdeck diff {name} {}{suffix} --revision {}", t.id, past.revision)));
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
    if let Some(best) = study.best.as_ref().filter(|b| b.trial == t.id && b.verified) {
        say("headline", format!("{}, of its fresh runs alone, without the one that made it stand out", gain(best)));
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
    for past in &t.superseded {
        let size = past.diff.map(|d| format!(" (+{} -{})", d.added, d.removed)).unwrap_or_default();
        say(&format!("revision {}", past.revision), format!("{}{size}; {}", safe(&past.hypothesis), safe(&past.why())));
    }
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

fn runs(study: &Study, runs: &[RunDocument], width: usize, paint: Paint) -> Vec<String> {
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
    table(&rows, &[2, 4, 5]).iter().zip(tones).map(|(line, tone)| paint.tone(tone, &fit(line, width))).collect()
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
