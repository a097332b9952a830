//! `trial` and `failure_card`: all of one trial, and why it failed.

use super::{Args, Hands, diff, text};
use crate::model::{Reviewer, Status, Study, TrialId, number};
use crate::propose::agent::{Workbench, line};
use crate::propose::digest::{self, card};

const DIFF: usize = 9000;
const LOG: u32 = 24_000;

pub(super) fn trial(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let id = hands.meant(args)?;
    let holdout = hands.task().evaluator.holdout.clone();
    let mut text = hands.ask(|study| facts(study, id, holdout.as_deref())).flatten().ok_or_else(|| format!("there is no trial {id}"))?;
    let parent = hands.ask(|study| study.trial(id).and_then(|t| t.parents.first().copied())).flatten();
    if let Some(parent) = parent {
        match diff::between(hands, parent, id, DIFF) {
            Ok(diff) => text.push_str(&format!("\n{diff}")),
            Err(why) => text.push_str(&format!("\nno diff: {why}")),
        }
    }
    Ok(text)
}

fn facts(study: &Study, id: TrialId, holdout: Option<&str>) -> Option<String> {
    let trial = study.trial(id)?;
    let parents: Vec<String> = trial.parents.iter().map(ToString::to_string).collect();
    let mut out = vec![
        digest::row(study, trial),
        format!("by {}, {} of {}, revision {}", line(&trial.proposer, 60), trial.operator.word(), parents.join(" and "), trial.revision),
        format!("hypothesis, whole: \"{}\"", line(&trial.hypothesis, 900).replace('"', "'")),
    ];
    if let Some(expected) = trial.expected {
        let came = digest::gain(study, trial).map_or_else(|| "nothing yet".to_owned(), number::rough);
        out.push(format!("expected {}, came {came}", number::rough(expected)));
    }
    if !trial.knobs.is_empty() {
        let knobs: Vec<String> = trial.knobs.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        out.push(format!("knobs set: {}", line(&knobs.join(", "), 600)));
    }
    for run in &trial.runs {
        let score = run.score.map_or_else(|| "no score".to_owned(), number::short);
        let failure = run
            .failure
            .as_ref()
            .map(|f| format!(", {}: \"{}\"", f.label.word(), line(&f.detail, 300).replace('"', "'")))
            .unwrap_or_default();
        let metrics: Vec<String> = run
            .metrics
            .iter()
            .filter(|(key, _)| Some(key.as_str()) != holdout)
            .take(12)
            .map(|(key, value)| format!("{} {}", line(key, 40), number::short(*value)))
            .collect();
        out.push(format!(
            "{} {}: {score}, {} s, {} MiB{failure}{}{}",
            run.id,
            run.kind.word(),
            number::rough(run.seconds),
            run.peak_memory_bytes >> 20,
            if metrics.is_empty() { "" } else { "; " },
            metrics.join(", ")
        ));
        for gate in &run.gates {
            let value = gate.value.map_or_else(|| "not measured".to_owned(), number::short);
            out.push(format!("  gate {}: {value}, {}", line(&gate.key, 60), if gate.ok { "holds" } else { "missed" }));
        }
    }
    if let Some(comparison) = &trial.comparison {
        out.push(format!(
            "judged against {}: {} ({} runs) to {} ({} runs), t = {}, needed {}",
            comparison.against,
            number::short(comparison.candidate),
            comparison.n_candidate,
            number::short(comparison.reference),
            comparison.n_reference,
            comparison.t.map_or_else(|| "unknown".to_owned(), number::rough),
            comparison.needed.map_or_else(|| "no bound".to_owned(), number::rough)
        ));
    }
    for flag in trial.all_flags().iter().take(6) {
        out.push(format!("flag {}: \"{}\"", flag.flag.word(), line(&flag.evidence, 240).replace('"', "'")));
    }
    for review in trial.reviews.iter().filter(|review| review.by == Reviewer::Human) {
        if let Some(reason) = &review.reason {
            out.push(format!("a reviewer said: \"{}\"", line(reason, 400).replace('"', "'")));
        }
    }
    Some(out.join("\n"))
}

pub(super) fn card(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let id = hands.meant(args)?;
    let log = last_log(hands.bench, id);
    let task = hands.task();
    let card = hands.ask(|study| card::card(study, task, id, log.as_deref()).map(|card| card.to_string())).flatten();
    let fine = || hands.ask(|study| study.trial(id).map(|t| (t.status == Status::Done, digest::outcome(study, t)))).flatten();
    match (card, fine()) {
        (Some(card), _) => Ok(card),
        (None, Some((_, outcome))) => Ok(format!("{id} has no failure: {outcome}")),
        (None, None) => Err(format!("there is no trial {id}")),
    }
}

/// The end of the log of a trial's last run, errors last; none where there is no log.
pub(crate) fn last_log(bench: &dyn Workbench, trial: TrialId) -> Option<String> {
    let mut run = None;
    bench.look(&mut |study| run = study.trial(trial).and_then(|t| t.runs.last()).filter(|r| !r.imported).map(|r| trial.run(r.id)));
    text::both(bench, run?, LOG).ok()
}
