//! Facts in words, for the feed.

use super::ink::clean;
use super::panes::status;
use super::theme::Role;
use crate::model::{Decision, Event, Flag, Noise, Reviewer, SettingsChange, Status, TrialId, Verdict, flagged, number::short};

fn by(reviewer: Reviewer) -> &'static str {
    match reviewer {
        Reviewer::Human => "you",
        Reviewer::Rule => "a rule",
        Reviewer::Proposer => "the proposer",
        Reviewer::Auto => "auto",
    }
}

/// A fact in one line and how it is drawn; none for bookkeeping that nobody reads. Scores have the study's number of places.
pub fn words(event: &Event, decimals: usize) -> Option<(String, Role)> {
    let score_of = |value: f64| status::score(value, decimals);
    let gain_of = |value: f64| status::delta(value, decimals).0;
    let because = |reason: &Option<String>| reason.as_ref().map(|r| format!(": {}", clean(r))).unwrap_or_default();
    Some(match event {
        Event::StudyCreated { study, .. } => (format!("study {} created", clean(study)), Role::Text),
        Event::EngineStarted { pid, host, slots, .. } => {
            (format!("engine {pid} on {}, {} slot{}", clean(host), slots.len(), if slots.len() == 1 { "" } else { "s" }), Role::Dim)
        }
        Event::EngineStopped => ("engine stopped".into(), Role::Dim),
        Event::BaselineDone { failure: None } => ("the baseline is measured".into(), Role::Text),
        Event::BaselineDone { failure: Some(f) } => (format!("the baseline failed: {}", f.label.word().replace('_', " ")), Role::Failed),
        Event::StateChanged { state, reason, .. } => {
            (format!("study {}{}", state.word(), reason.map(|r| format!(" ({})", r.word())).unwrap_or_default()), Role::Strong)
        }
        Event::SetupAsked { .. } => return None,
        Event::SetupStarted { hash, waiting, .. } => match waiting {
            Some(why) => (format!("setup {} waits: {}", clean(hash), clean(why)), Role::Warn),
            None => (format!("setup {} begun", clean(hash)), Role::Running),
        },
        Event::SetupEnded { failure, cached, seconds, repeat, .. } => match failure {
            Some(f) => (format!("{}{}", clean(&f.detail), if *repeat { ": trying once more" } else { "" }), Role::Failed),
            None if *cached => ("setup found in the cache".into(), Role::Text),
            None => (format!("setup built in {}", super::ink::span_of_time(*seconds)), Role::Text),
        },
        Event::SetupPrepared { failure, seconds, .. } => match failure {
            Some(f) => (clean(&f.detail), Role::Failed),
            None => (format!("data prepared in {}", super::ink::span_of_time(*seconds)), Role::Text),
        },
        Event::SetupGone { detail } => (format!("{}: built again", clean(detail)), Role::Warn),
        Event::StopAsked { now, .. } => {
            (if *now { "stop asked: now".into() } else { "stop asked: after the running runs".into() }, Role::Warn)
        }
        Event::SettingsChanged { change } => (
            match change {
                SettingsChange::Autonomy { mode } => format!("autonomy is {} now", mode.word()),
                SettingsChange::Limits { limits } => {
                    format!("limit of trials: {}", limits.trials.map_or_else(|| "none".into(), |n| n.to_string()))
                }
                SettingsChange::Target { target: Some(target) } => format!("target: {}", short(*target)),
                SettingsChange::Target { target: None } => "the target is lifted: on beyond it".into(),
                SettingsChange::Proposers { proposers } => format!("proposers: {}", clean(&proposers.join(", "))),
                SettingsChange::Policy { policy } => format!("policy: {}", policy.word()),
                SettingsChange::Isolation { tier } => format!("isolation is {tier} now, by {}", tier.by()),
                SettingsChange::Favour { favour } => clean(&favour.to_string()),
                SettingsChange::Forbidden { glob, on: true } => format!("forbidden from now on: {}", clean(glob)),
                SettingsChange::Forbidden { glob, on: false } => format!("no longer forbidden: {}", clean(glob)),
                SettingsChange::LetPass { proposer } => format!("proposals of {} pass from now on", clean(proposer)),
            },
            Role::Text,
        ),
        Event::Steered { text, to: None } => (format!("steered: {}", clean(text)), Role::Text),
        Event::Steered { text, to: Some(to) } => (format!("steered {}: {}", clean(to), clean(text)), Role::Text),
        Event::ProposalAsked { proposal, assignment: Some(a), .. } => {
            let surface = a.surface.as_ref().map(|s| format!(", on {}", clean(s))).unwrap_or_default();
            let idea = a.idea.as_ref().map(|i| format!(": your idea, {}", clean(i))).unwrap_or_default();
            (format!("{proposal} asked of {} · {}{surface}{idea}", clean(&a.role), clean(&a.model)), Role::Dim)
        }
        Event::ProposalAsked { proposal, proposer, assignment: None, .. } => {
            (format!("{proposal} asked of {}", clean(proposer)), Role::Dim)
        }
        Event::ProposalFailed { proposal, detail, gave_up: true } => (format!("{proposal}: {}", clean(detail)), Role::Dim),
        Event::ProposalFailed { proposal, detail, .. } => (format!("{proposal} came to nothing: {}", clean(detail)), Role::Failed),
        Event::Proposed { proposal, trial, hypothesis, .. } => {
            (format!("{trial} proposed as {proposal}: {}", clean(hypothesis)), Role::Text)
        }
        Event::Revised { trial, revision, by: who, reason, .. } => {
            (format!("{trial} revision {revision} by {}{}", by(*who), because(reason)), Role::Text)
        }
        Event::Checked { trial, diff, flags, .. } => match flagged(flags.iter().map(Flag::mark)) {
            Some(flags) => (format!("{trial} flagged: {flags} (+{} −{})", diff.added, diff.removed), Role::Warn),
            None => (format!("{trial} checked: +{} −{}", diff.added, diff.removed), Role::Dim),
        },
        Event::Spent { proposal, spend } => {
            let tokens = super::ink::tokens(spend.prompt_tokens.saturating_add(spend.completion_tokens));
            let money = if spend.usd > 0.0 { format!(", {}", super::ink::dollars(spend.usd)) } else { String::new() };
            let answers = if spend.calls == 1 { "1 answer".into() } else { format!("{} answers", spend.calls) };
            (format!("{proposal} spent {tokens} tokens{money} in {answers}"), Role::Dim)
        }
        Event::NotRevised { trial, detail } => (format!("{trial} has no new revision: {}", clean(detail)), Role::Warn),
        Event::Rebased { trial, parents, .. } => {
            let onto = parents.first().map(ToString::to_string).unwrap_or_default();
            (format!("{trial} carried over to {onto}, which the search builds on now: look again"), Role::Text)
        }
        Event::Rejected { trial, failure } => {
            (format!("{trial} rejected, {}: {}", failure.label.word().replace('_', " "), clean(&failure.detail)), Role::Failed)
        }
        Event::Reviewed { trial, by: who, decision, reason, .. } => match decision {
            Decision::Accept => (format!("{trial} accepted by {}", by(*who)), Role::Text),
            Decision::Veto => (format!("{trial} vetoed by {}{}", by(*who), because(reason)), Role::Killed),
            Decision::Edit => (format!("{trial} edited by {}{}", by(*who), because(reason)), Role::Text),
            Decision::Revise => (format!("{trial} sent back by {}{}", by(*who), because(reason)), Role::Text),
        },
        Event::ReviewUndone { trial } => (format!("{trial} review taken back"), Role::Text),
        Event::Staled { trial, detail } => (format!("{trial} stale: {}", clean(detail)), Role::Dim),
        Event::RunScheduled { run, kind, seed, slot, .. } => (format!("{run} {} on slot {slot}, seed {seed}", kind.word()), Role::Running),
        Event::RunStarted { .. } | Event::CommitLabelled { .. } => return None,
        Event::RunKillAsked { run } => (format!("{run} kill asked"), Role::Killed),
        Event::RunEnded { run, seconds, failure, .. } => match failure {
            Some(f) => (format!("{run} {}: {}", f.label.word().replace('_', " "), clean(&f.detail)), Role::Failed),
            None => (format!("{run} ended after {}", super::ink::span_of_time(*seconds)), Role::Dim),
        },
        Event::RunScored { run, score, failure, .. } => match (score, failure) {
            (Some(score), _) => (format!("{run} scored {}", score_of(*score)), Role::Text),
            (None, Some(f)) => (format!("{run} {}: {}", f.label.word().replace('_', " "), clean(&f.detail)), Role::Failed),
            (None, None) => (format!("{run} has no score"), Role::Failed),
        },
        Event::NoiseMeasured { noise } => (
            match noise {
                Noise::Measured { sd, nu } => format!("noise of one run: sd {} (ν {nu})", score_of(*sd)),
                Noise::Given { sd } => format!("noise of one run: sd {} (given)", score_of(*sd)),
                Noise::Unknown { seed_without_effect: true } => "noise unknown: the seed has no effect".into(),
                Noise::Unknown { seed_without_effect: false } => "noise unknown".into(),
            },
            Role::Dim,
        ),
        Event::Advanced { trial, comparison } => {
            let by = gain_of(comparison.gain);
            (format!("{trial} looks better than {} by {by}: confirming", comparison.against), Role::Unsure)
        }
        Event::SetAside { trial, .. } => (format!("{trial} implausible gain, set aside: rerun with fresh seeds"), Role::Warn),
        Event::Rerun { trial, held_up, .. } => {
            let held = if *held_up { "held up; a person should look" } else { "did not hold up" };
            (format!("{trial} implausible gain, rerun with fresh seeds: {held}"), Role::Warn)
        }
        Event::Judged { trial, verdict, comparison, failure, verified } => {
            let gain = comparison.as_ref().map(|c| format!(" {} vs {}", gain_of(c.gain), c.against)).unwrap_or_default();
            match (verdict, failure) {
                (_, Some(f)) => (format!("{trial} reverted: {}", f.label.word().replace('_', " ")), Role::Failed),
                (Verdict::Keep, None) => (format!("{trial} kept{gain}{}", if *verified { ", verified" } else { "" }), Role::Ok),
                (Verdict::Revert, None) => (format!("{trial} reverted{gain}"), Role::Dim),
                (Verdict::Undecided, None) => (format!("{trial} undecided{gain}"), Role::Unsure),
                (Verdict::RolledBack, None) => (format!("{trial} rolled back{gain}"), Role::Warn),
            }
        }
        Event::BaselineMended { trial, .. } => (format!("baseline failed: mended by {trial}; scores are measured against it"), Role::Ok),
        Event::IncumbentMoved { trial, from } => (format!("the search builds on {trial} now, not on {from}"), Role::Accent),
        Event::BestChanged { trial, score, .. } if *trial == TrialId::BASELINE => {
            (format!("nothing is kept: the baseline has {}", score_of(*score)), Role::Best)
        }
        Event::BestChanged { trial, score, verified, gain, .. } => {
            let sure = if *verified { "verified" } else { "provisional" };
            (format!("best is {trial} with {}, {} on baseline, {sure}", score_of(*score), gain_of(*gain)), Role::Best)
        }
        Event::ReplicatesAsked { trial, runs, certify } => {
            (format!("{trial} {runs} more runs{}", if *certify { " to certify the best" } else { "" }), Role::Text)
        }
        Event::Marked { trial, pinned, pruned } => {
            let what = match (pinned, pruned) {
                (_, true) => "pruned",
                (true, false) => "pinned",
                (false, false) => "unmarked",
            };
            (format!("{trial} {what}"), Role::Text)
        }
        Event::HoldoutUnsealed { holdout } => (format!("holdout of {} trials unsealed", holdout.len()), Role::Strong),
        Event::HistoryImported { from } => (format!("{} rows imported from {}", from.rows, clean(&from.file)), Role::Strong),
        Event::Imported { trial, row } => {
            let name = clean(&row.origin.name);
            match (&row.failure, row.score) {
                _ if row.status == Status::Unreadable => (format!("{trial} imported ({name}): unreadable"), Role::Warn),
                (Some(f), _) => (format!("{trial} imported ({name}): {}", f.label.word().replace('_', " ")), Role::Failed),
                (None, Some(score)) => {
                    let verdict = row.verdict.map(|v| format!(" {}", v.word().replace('_', " "))).unwrap_or_default();
                    (format!("{trial} imported ({name}):{verdict} {}", score_of(score)), Role::Dim)
                }
                (None, None) => (format!("{trial} imported ({name})"), Role::Dim),
            }
        }
        Event::Cautioned { text, .. } => (clean(text), Role::Warn),
        Event::Noted { warning, text } => (clean(text), if *warning { Role::Warn } else { Role::Text }),
    })
}

/// A number with its sign.
pub struct Signed(pub f64);

impl std::fmt::Display for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = short(self.0.abs());
        let sign = if self.0 < 0.0 { "−" } else { "+" };
        write!(f, "{sign}{text}")
    }
}
