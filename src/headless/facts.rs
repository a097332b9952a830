//! One line a notable fact, for people. What the closing table says anyway, or follows from another line, has none.

use super::paint::{Tone, tone_of};
use super::words::{freedom, gain, gain_vs, noise_advice, outcome, plural, safe, score, signed, span, spent};
use crate::model::{
    Autonomy, Best, Comparison, Decision, EndReason, Event, Flag, Label, Noise, ProposalId, Record, Reviewer, Spend, Status, StudyState,
    TrialId, Verdict, flagged,
    number::{rough, short},
};
use crate::protocol::{Header, Row};
use std::collections::BTreeMap;

/// A fact in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is said of it first: `t0003  keep`.
    pub subject: String,
    /// How that is shown.
    pub tone: Tone,
    /// The rest.
    pub text: String,
}

impl Line {
    pub(super) fn new(tone: Tone, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { subject: subject.into(), tone, text: text.into() }
    }

    fn of(trial: TrialId, word: &str, tone: Tone, text: impl Into<String>) -> Self {
        Self::new(tone, format!("{trial}  {word:<11}"), text)
    }
}

/// What was known before a fact: what was said already is no news.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Before {
    noise: Option<Noise>,
    best: Option<Best>,
    /// What each request under way has cost: it is said once, with what came of it.
    spent: BTreeMap<ProposalId, Spend>,
}

impl Before {
    /// Takes a fact in, once its line is said.
    pub fn know(&mut self, event: &Event) {
        match event {
            Event::NoiseMeasured { noise } => self.noise = Some(*noise),
            Event::BestChanged { .. } => self.best = best_of(event),
            Event::Spent { proposal, spend } => self.spent.entry(*proposal).or_default().add(spend),
            Event::Proposed { proposal, .. } | Event::ProposalFailed { proposal, .. } => drop(self.spent.remove(proposal)),
            _ => {}
        }
    }
}

fn best_of(event: &Event) -> Option<Best> {
    match event {
        Event::BestChanged { trial, score, verified, gain, gain_interval } => {
            Some(Best { trial: *trial, score: *score, verified: *verified, gain: *gain, gain_interval: *gain_interval })
        }
        _ => None,
    }
}

/// Returns the line of a fact. `row` looks up a trial as it is now.
pub fn line(record: &Record, header: &Header, row: impl Fn(TrialId) -> Option<Row>, before: &Before) -> Option<Line> {
    match &record.event {
        Event::RunScored { run, score: Some(value), .. } if run.trial == TrialId::BASELINE || Some(run.trial) == header.mended => {
            Some(Line::of(run.trial, "baseline", Tone::Plain, format!("{}  {}", score(Some(*value), header.score_source), run.run)))
        }
        Event::RunEnded { run, failure: Some(failure), .. } | Event::RunScored { run, failure: Some(failure), .. }
            if run.trial == TrialId::BASELINE || failure.label.not_the_codes_fault() =>
        {
            Some(Line::of(run.trial, failure.label.word(), Tone::Bad, format!("{}: {}", run.run, safe(&failure.detail))))
        }
        Event::NoiseMeasured { noise } => noise_line(*noise, before.noise, header.min_effect),
        Event::Checked { trial, flags, .. } if header.autonomy == Autonomy::Auto => flagged_line(*trial, flags),
        Event::Checked { trial, flags, .. } => {
            let Some(row) = row(*trial).filter(|row| row.status == Status::Waiting) else { return flagged_line(*trial, flags) };
            let flags = flagged(flags.iter().map(Flag::mark)).map(|f| format!("  flagged: {f}")).unwrap_or_default();
            let proposal = row.proposal.map(|p| format!("{p}  ")).unwrap_or_default();
            Some(Line::of(*trial, "waiting", Tone::Warning, format!("{proposal}{}  {}{flags}", safe(&row.proposer), safe(&row.title))))
        }
        Event::Rejected { trial, failure } => {
            Some(Line::of(*trial, "rejected", Tone::Faint, format!("{}: {}", failure.label.word(), safe(&failure.detail))))
        }
        Event::Staled { trial, detail } => Some(Line::of(*trial, "stale", Tone::Faint, safe(detail))),
        Event::Reviewed { trial, by, decision, reason, .. } => review_line(*trial, *by, *decision, reason.as_deref()),
        Event::ReviewUndone { trial } => Some(Line::of(*trial, "waiting", Tone::Warning, "the last review was taken back")),
        Event::Revised { trial, revision, by: Reviewer::Human, .. } => {
            Some(Line::of(*trial, "edited", Tone::Plain, format!("revision {revision} by a person")))
        }
        Event::Advanced { trial, comparison } => {
            let text = format!(
                "{} ({})  an apparent gain, confirming it",
                score(Some(comparison.candidate), header.score_source),
                gain_vs(comparison)
            );
            Some(Line::of(*trial, "promising", Tone::Plain, text))
        }
        Event::BaselineMended { trial, runs } => {
            let more = if *runs > 0 { format!("; it runs {} for the noise", plural(*runs as usize, "more time")) } else { String::new() };
            let text = format!("baseline failed: mended by {trial}, and scores are measured against it{more}");
            Some(Line::of(*trial, "mended", Tone::Good, text))
        }
        Event::SetAside { trial, implausible } => {
            let text = format!("implausible gain, set aside: {}; {}", implausible.why(), implausible.told());
            Some(Line::of(*trial, "set aside", Tone::Warning, text))
        }
        Event::Rerun { trial, held_up, mean, .. } => {
            let said = if *held_up { "held up; a person should look at it" } else { "did not hold up" };
            let mean = score(Some(*mean), header.score_source);
            Some(Line::of(*trial, "set aside", Tone::Warning, format!("implausible gain, rerun with fresh seeds: {said} (mean {mean})")))
        }
        Event::Judged { trial, verdict, comparison, failure, .. } => {
            let failure = failure.as_ref().map(|f| (f.label, f.detail.as_str()));
            Some(judged_line(*trial, *verdict, comparison.as_deref(), failure, header, row(*trial)))
        }
        Event::BestChanged { .. } => best_line(&best_of(&record.event)?, before.best.as_ref(), header),
        Event::ReplicatesAsked { trial, runs, certify } => {
            let why = if *certify { "to certify the headline" } else { "asked for by a person" };
            Some(Line::of(*trial, "replicate", Tone::Plain, format!("{runs} more, {why}")))
        }
        Event::ProposalAsked { proposal, proposer, operator, parents, assignment: Some(assignment), .. } => {
            let on = parents.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            let what = format!("{}  {} on {on}  {}", safe(proposer), operator.word(), safe(&assignment.why));
            let idea = assignment.idea.as_ref().map(|idea| format!(": {}", safe(idea))).unwrap_or_default();
            Some(Line::new(Tone::Faint, format!("{proposal}  asked"), format!("{what}{idea}")))
        }
        Event::Proposed { proposal, trial, hypothesis, .. } if before.spent.contains_key(proposal) => {
            let cost = before.spent.get(proposal).map(spent).unwrap_or_default();
            Some(Line::of(*trial, "drafted", Tone::Faint, format!("{proposal}  {}  ({cost})", safe(hypothesis))))
        }
        Event::Revised { trial, revision, by: Reviewer::Proposer, .. } => {
            Some(Line::of(*trial, "revised", Tone::Plain, format!("revision {revision} by its proposer")))
        }
        Event::NotRevised { trial, detail } => {
            Some(Line::of(*trial, "not revised", Tone::Warning, format!("{}; the revision before waits", safe(detail))))
        }
        Event::Rebased { trial, revision, parents } => {
            let onto = parents.first().map(ToString::to_string).unwrap_or_default();
            Some(Line::of(*trial, "rebased", Tone::Faint, format!("revision {revision}, carried over to {onto}")))
        }
        Event::Cautioned { text, .. } => Some(Line::new(Tone::Warning, "warning", safe(text))),
        Event::ProposalFailed { proposal, detail, gave_up } => {
            let cost = before.spent.get(proposal).map(|s| format!("  ({})", spent(s))).unwrap_or_default();
            let tone = if *gave_up { Tone::Plain } else { Tone::Warning };
            Some(Line::new(tone, format!("{proposal}  nothing"), format!("{}{cost}", safe(detail))))
        }
        Event::HoldoutUnsealed { holdout } if !holdout.is_empty() => {
            Some(Line::new(Tone::Plain, "holdout", format!("unsealed for {}", plural(holdout.len(), "trial"))))
        }
        Event::Noted { warning, text } => {
            let (tone, word) = if *warning { (Tone::Warning, "warning") } else { (Tone::Faint, "note") };
            Some(Line::new(tone, word, safe(text)))
        }
        event => setup_line(event).or_else(|| study_line(event)),
    }
}

/// What an edit touches that is no idea, before compute is spent on it.
fn flagged_line(trial: TrialId, flags: &[Flag]) -> Option<Line> {
    let words = flagged(flags.iter().map(Flag::mark))?;
    let evidence: Vec<String> = flags.iter().map(|f| safe(&f.evidence)).collect();
    Some(Line::of(trial, "flagged:", Tone::Warning, format!("{words}  ({})", evidence.join("; "))))
}

/// The environment of the runs.
fn setup_line(event: &Event) -> Option<Line> {
    Some(match event {
        Event::SetupStarted { hash, waiting: Some(why), .. } => Line::new(Tone::Plain, "setup", format!("{hash} waits: {}", safe(why))),
        Event::SetupStarted { hash, attempt, .. } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            Line::new(Tone::Plain, "setup", format!("{hash}{again}: building the environment of the runs, or finding it in the cache"))
        }
        Event::SetupEnded { failure: Some(failure), repeat: true, .. } => {
            Line::new(Tone::Warning, "setup", format!("{}: trying once more", safe(&failure.detail)))
        }
        Event::SetupEnded { failure: None, seconds, cached, .. } => {
            let what = if *cached { "found in the cache, looked through" } else { "built" };
            Line::new(Tone::Plain, "setup", format!("{what} in {}", span(*seconds)))
        }
        Event::SetupPrepared { failure: None, seconds, .. } => {
            Line::new(Tone::Plain, "setup", format!("data prepared in {}", span(*seconds)))
        }
        Event::SetupGone { detail } => Line::new(Tone::Warning, "setup", format!("{}: building it again", safe(detail))),
        _ => return None,
    })
}

fn study_line(event: &Event) -> Option<Line> {
    match event {
        // The closing table says it, with the last lines of the log.
        Event::StateChanged { state: StudyState::Failed, reason: Some(EndReason::Setup), .. } => None,
        Event::StateChanged { state, reason, detail } => {
            let why: Vec<String> = reason.map(|r| r.word().to_owned()).into_iter().chain(detail.as_deref().map(safe)).collect();
            let tone = if *state == StudyState::Failed { Tone::Bad } else { Tone::Strong };
            Some(Line::new(tone, format!("study {}", state.word()), why.join(": ")))
        }
        Event::StopAsked { now, .. } => {
            let text = if *now { "now: what runs is killed" } else { "once the running runs have ended" };
            Some(Line::new(Tone::Strong, "stopping", text))
        }
        Event::Steered { text, to } => {
            let to = to.as_deref().map_or_else(|| "to the agents".to_owned(), |role| format!("to {}", safe(role)));
            Some(Line::new(Tone::Plain, to, safe(text)))
        }
        Event::SettingsChanged { change } => Some(Line::new(Tone::Plain, "setting", setting(change))),
        _ => None,
    }
}

fn setting(change: &crate::model::SettingsChange) -> String {
    use crate::model::SettingsChange as Change;
    match change {
        Change::Autonomy { mode } => format!("autonomy is {} from now on", mode.word()),
        Change::Limits { limits } => format!("limits are {} from now on", super::words::limits(limits)),
        Change::Target { target: Some(target) } => format!("the target is {} from now on", short(*target)),
        Change::Target { target: None } => "the target is lifted: the study goes on beyond it".to_owned(),
        Change::Proposers { proposers } => format!("proposers are {}", safe(&proposers.join(", "))),
        Change::Policy { policy } => format!("the policy is {}", policy.word()),
        Change::Isolation { tier } => format!("isolation {tier}, {}", tier.by()),
        Change::Favour { favour } => safe(&favour.to_string()),
        Change::Forbidden { glob, on: true } => format!("proposals that touch {} are refused from now on", safe(glob)),
        Change::Forbidden { glob, on: false } => format!("{} may be touched again", safe(glob)),
        Change::LetPass { proposer } => format!("proposals of {} pass from now on", safe(proposer)),
    }
}

fn noise_line(noise: Noise, before: Option<Noise>, min_effect: Option<f64>) -> Option<Line> {
    let same = before.is_some_and(|before| std::mem::discriminant(&before) == std::mem::discriminant(&noise));
    match noise {
        // Every replicated trial refines the estimate; only the first one is news.
        Noise::Measured { .. } | Noise::Given { .. } if same => None,
        Noise::Measured { sd, nu } => {
            Some(Line::new(Tone::Plain, "noise", format!("standard deviation of one run {} ({})", rough(sd), freedom(nu))))
        }
        Noise::Given { sd } => {
            Some(Line::new(Tone::Plain, "noise", format!("standard deviation of one run {}, given by the task", rough(sd))))
        }
        Noise::Unknown { .. } if before == Some(noise) => None,
        Noise::Unknown { .. } => noise_advice(noise, min_effect).map(|advice| Line::new(Tone::Warning, "noise", advice)),
    }
}

/// A better estimate of the noise moves the interval with every replicated trial: that alone is no news.
fn best_line(best: &Best, before: Option<&Best>, header: &Header) -> Option<Line> {
    let value = score(Some(best.score), header.score_source);
    let shown = |b: &Best| (b.trial, b.verified, score(Some(b.score), header.score_source), signed(b.gain));
    if before.is_some_and(|before| shown(before) == shown(best)) {
        return None;
    }
    if best.trial == header.mended.unwrap_or(TrialId::BASELINE) {
        return Some(Line::of(best.trial, "best", Tone::Plain, format!("{value}  nothing is kept")));
    }
    Some(Line::of(best.trial, "best", Tone::Good, format!("{value}  on the baseline {}", gain(best))))
}

fn review_line(trial: TrialId, by: Reviewer, decision: Decision, reason: Option<&str>) -> Option<Line> {
    let by = match by {
        Reviewer::Human => "by a person",
        Reviewer::Rule => "by a rule",
        Reviewer::Proposer => "by its proposer",
        Reviewer::Auto => return None,
    };
    let (word, tone) = match decision {
        Decision::Accept => ("accepted", Tone::Plain),
        Decision::Veto => ("vetoed", Tone::Faint),
        Decision::Revise => ("revise", Tone::Plain),
        Decision::Edit => return None,
    };
    let reason = reason.map(|reason| format!(": {}", safe(reason))).unwrap_or_default();
    Some(Line::of(trial, word, tone, format!("{by}{reason}")))
}

fn judged_line(
    trial: TrialId,
    verdict: Verdict,
    comparison: Option<&Comparison>,
    failure: Option<(Label, &str)>,
    header: &Header,
    row: Option<Row>,
) -> Line {
    let label = failure.map(|(label, _)| label);
    let (word, tone) = (outcome(Status::Done, Some(verdict), label), tone_of(Status::Done, Some(verdict), label));
    if let Some((_, detail)) = failure {
        return Line::of(trial, word, tone, safe(detail));
    }
    let value = score(comparison.map(|c| c.candidate).or(row.as_ref().and_then(|r| r.score)), header.score_source);
    let gain = comparison.map(|c| format!(" ({})", gain_vs(c))).unwrap_or_default();
    let what =
        row.filter(|r| r.id != TrialId::BASELINE).map(|r| format!("  {}  {}", safe(&r.proposer), safe(&r.title))).unwrap_or_default();
    Line::of(trial, word, tone, format!("{value}{gain}{what}"))
}

/// The first line: what runs, how it is scored, where, and where it ends.
pub fn opening(header: &Header) -> String {
    let slots = match header.slots.as_slice() {
        [] => "no slots yet".into(),
        [one] => format!("1 slot ({})", safe(&one.name)),
        many => format!("{} slots ({} to {})", many.len(), many.first().map_or("", |s| &s.name), many.last().map_or("", |s| &s.name)),
    };
    let source = match header.score_source {
        crate::model::ScoreSource::Evaluator => "",
        crate::model::ScoreSource::SelfReported => ", score source self: the run's own word",
    };
    format!(
        "study {}, task {}, {} {}{source}, {slots}, isolation {}, {}, {} a run",
        safe(&header.study),
        safe(&header.task),
        header.goal.word(),
        safe(&header.metric),
        safe(&header.isolation),
        super::words::limits(&header.limits),
        span(header.wall_secs),
    )
}
