//! What models may cost: what is in flight counts, people are told at 80 %, agents are asked no more at 100 %.
//!
//! A limit of money or tokens ends proposing by models. Samplers of the same study go on; where there are none, the study
//! ends once nothing that was paid for is left to decide.

use super::agents::NAME;
use crate::model::{Caution, Event, Limits, Proposal, Spend, Status, Study, number::short};

/// Share of a limit at which people are told.
const NEAR: f64 = 0.8;
/// Finished requests of a model that say what its next one costs.
const LAST: usize = 20;

/// Whether a limit of money or tokens is set.
pub(super) fn limited(study: &Study) -> bool {
    study.settings.limits.usd.is_some() || study.settings.limits.tokens.is_some()
}

/// Whether all of it is spent or spoken for.
pub(super) fn spent(study: &Study) -> bool {
    limited(study) && share(study) >= 1.0
}

/// Whether nothing is known of what a request costs, so that only one at a time is asked.
pub(super) fn unknown(study: &Study) -> bool {
    limited(study) && !study.proposals.values().rev().any(|p| p.assignment.is_some() && !open(p) && !p.spend.is_nothing())
}

/// Says once that the limit is near, and once that it is reached.
pub(super) fn cautions(study: &Study) -> Vec<Event> {
    if !limited(study) || study.stopping.is_some() || study.cautions.contains(&Caution::BudgetSpent) {
        return Vec::new();
    }
    let share = share(study);
    let said = |about, text| vec![Event::Cautioned { about, text }];
    if share >= 1.0 {
        let next = if samplers(study).is_empty() {
            "the study ends once what was proposed is decided; `trialdeck resume` with a higher --cost goes on".to_owned()
        } else {
            format!("agents propose no more, {} goes on", samplers(study).join(", "))
        };
        said(Caution::BudgetSpent, format!("{} for models is spent, what is being written included: {next}", told(study)))
    } else if share >= NEAR && !study.cautions.contains(&Caution::BudgetNear) {
        said(Caution::BudgetNear, format!("{:.0} % of the limit for models is spent or spoken for: {}", share * 100.0, told(study)))
    } else {
        Vec::new()
    }
}

/// Whether the limit leaves nothing more to do: models alone propose, and all that they proposed is decided.
pub(super) fn over(study: &Study) -> bool {
    let models_alone = samplers(study).is_empty() && study.settings.proposers.iter().any(|p| p == NAME);
    let undecided = || study.open.iter().filter_map(|id| study.trial(*id)).any(|t| !t.status.is_final() || t.replicates_wanted > 0);
    limited(study) && models_alone && study.asked.is_empty() && !undecided() && spent(study)
}

fn samplers(study: &Study) -> Vec<&str> {
    study.settings.proposers.iter().map(String::as_str).filter(|p| *p != NAME && *p != "researcher").collect()
}

fn told(study: &Study) -> String {
    let Limits { usd, tokens, .. } = study.settings.limits;
    let spend = &study.spend;
    let usd = usd.map(|limit| format!("${} of ${}", short((spend.usd * 1e4).round() / 1e4), short(limit)));
    let tokens = tokens.map(|limit| format!("{} of {limit} tokens", spend.prompt_tokens.saturating_add(spend.completion_tokens)));
    usd.into_iter().chain(tokens).collect::<Vec<_>>().join(", ")
}

/// The larger share of the limits that is spent or spoken for.
fn share(study: &Study) -> f64 {
    let (mut usd, mut tokens) = (study.spend.usd, tokens_of(&study.spend));
    for request in in_flight(study) {
        let (more_usd, more_tokens) = reserve(study, request);
        usd += more_usd;
        tokens += more_tokens;
    }
    let of = |spent: f64, limit: f64| if limit > 0.0 { spent / limit } else { 1.0 };
    let limits = &study.settings.limits;
    let shares = [limits.usd.map(|limit| of(usd, limit)), limits.tokens.map(|limit| of(tokens, limit as f64))];
    shares.into_iter().flatten().fold(0.0, f64::max)
}

/// Requests whose models are at work: those without an answer, and revisions that are being written.
fn in_flight(study: &Study) -> impl Iterator<Item = &Proposal> {
    let revised = study.open.iter().filter_map(|id| study.trial(*id));
    let revised = revised.filter(|t| t.status == Status::Proposed && t.revise.is_some()).filter_map(|t| t.proposal);
    let asked = study.asked.iter().copied();
    asked.chain(revised).filter_map(|id| study.proposals.get(&id)).filter(|p| p.assignment.is_some())
}

/// What a request will cost beyond what it did: the mean of its model's finished ones, at least the last one's.
fn reserve(study: &Study, request: &Proposal) -> (f64, f64) {
    let Some(model) = request.assignment.as_ref().map(|a| &a.model) else { return (0.0, 0.0) };
    let same = |p: &&Proposal| p.assignment.as_ref().is_some_and(|a| a.model == *model);
    let finished = study.proposals.values().rev().filter(same).filter(|p| !open(p) && !p.spend.is_nothing());
    let finished: Vec<&Spend> = finished.map(|p| &p.spend).take(LAST).collect();
    let expected = |of: &dyn Fn(&Spend) -> f64| {
        let mean = finished.iter().map(|s| of(s)).sum::<f64>() / finished.len().max(1) as f64;
        let more = if open(request) { of(&request.spend) } else { 0.0 };
        (mean.max(finished.first().map_or(0.0, |s| of(s))) - more).max(0.0)
    };
    (expected(&|s| s.usd), expected(&tokens_of))
}

fn tokens_of(spend: &Spend) -> f64 {
    spend.prompt_tokens.saturating_add(spend.completion_tokens) as f64
}

fn open(request: &Proposal) -> bool {
    request.trial.is_none() && request.failed.is_none()
}
