//! When a proposer is asked, and which: they take turns, so that a proposal is at hand when a slot becomes free.

use super::agents;
use super::schedule::{live_runs, may_start};
use crate::model::{Autonomy, Event, Millis, Proposal, RunPhase, Status, Study, Trial, TrialId};
use crate::search::{self, Repair};

/// Proposals at hand beyond the slots, at most: what is drafted earlier knows less.
const AHEAD: usize = 3;
/// Requests and runs that say how long one takes.
const LAST: usize = 20;

/// Asks one proposer, where more proposals should be at hand.
pub(super) fn requests(study: &Study, now: Millis) -> Vec<Event> {
    let proposers: Vec<&str> = study.settings.proposers.iter().map(String::as_str).filter(|p| *p != "researcher").collect();
    if !may_start(study) || proposers.is_empty() || study.trials.first().is_none_or(|b| b.runs.is_empty()) {
        return Vec::new();
    }
    if super::mend::under_way(study) {
        return super::mend::request(study, now).into_iter().collect();
    }
    let asked: Vec<&Proposal> = crate::protocol::proposing(study).filter(|p| p.requested).collect();
    let open = || study.open.iter().filter_map(|id| study.trial(*id)).filter(|t| t.id != TrialId::BASELINE);
    let waits = |t: &&Trial| live_runs(t).is_empty() && matches!(t.status, Status::Proposed | Status::Waiting | Status::Queued);
    // What a person asked for goes beyond what is kept at hand.
    let not_started = open().filter(waits).filter(|t| requested(study, t)).count();
    let at_hand = asked.len() + not_started;
    let waiting = open().any(|t| t.status == Status::Waiting);
    let room = study.settings.limits.trials.is_none_or(|n| study.trials_used as usize + at_hand < n as usize);
    if !room {
        return Vec::new();
    }
    let able: Vec<&str> = proposers.iter().copied().filter(|p| *p != agents::NAME || agents::may_ask(study, now)).collect();
    let decision = study.decisions;
    let next = if at_hand < depth(study, waiting, proposers.contains(&agents::NAME)) {
        turn(study, &proposers, &able)
    } else if not_started == 0 && idle(study) && asked.iter().all(|p| p.assignment.is_some()) {
        // Slots do not wait for talk: while agents think, a sampler of the same study has a value to try.
        able.iter().copied().find(|p| *p != agents::NAME)
    } else {
        None
    };
    match next {
        // A person may have turned off all that could do what is wanted now: that is no reason for others to wait.
        Some(agents::NAME) => {
            let other = || able.iter().find(|p| **p != agents::NAME).map(|name| sampler(study, name, decision));
            agents::ask(study, decision).or_else(other).into_iter().collect()
        }
        Some(name) => vec![sampler(study, name, decision)],
        None => Vec::new(),
    }
}

fn requested(study: &Study, trial: &Trial) -> bool {
    let by_idea = |p: &Proposal| p.assignment.as_ref().is_some_and(|a| a.idea.is_some());
    trial.proposal.and_then(|p| study.proposals.get(&p)).is_none_or(|p| !by_idea(p))
}

/// Whether a slot has nothing to do, the baseline being through.
fn idle(study: &Study) -> bool {
    let busy = study.runs_in_flight().filter(|(_, r)| r.phase == RunPhase::Running).count();
    busy < study.slots.len() && study.baseline().is_some_and(|b| b.status == Status::Done)
}

/// The proposer after the one that was asked last, as far as it can be asked.
fn turn<'a>(study: &Study, proposers: &[&'a str], able: &[&'a str]) -> Option<&'a str> {
    let last = study.proposals.values().rev().find(|p| p.requested).and_then(|p| proposers.iter().position(|name| asks(name, &p.proposer)));
    let first = last.map_or(0, |at| at + 1);
    (0..proposers.len()).filter_map(|i| proposers.get((first + i) % proposers.len()).copied()).find(|name| able.contains(name))
}

/// Whether a fact's proposer is the one that the settings call `name`.
fn asks(name: &str, proposer: &str) -> bool {
    if name == agents::NAME { agents::is_agent(proposer) } else { proposer == super::proposer_name(name) }
}

fn sampler(study: &Study, name: &str, decision: u64) -> Event {
    let number = search::draw(study.settings.seed, decision, search::draw::stream::POLICY);
    let choice = search::choose(study, study.settings.policy, Repair::Unable, number);
    Event::ProposalAsked {
        proposal: study.next_proposal(),
        proposer: super::proposer_name(name),
        parents: choice.parents,
        operator: choice.operator,
        decision,
        assignment: None,
    }
}

/// How many proposals should be at hand: one ahead when none waits for a person, else one more than there are slots; and as
/// many as runs end while an agent thinks, which keeps every slot at work (`q >= ceil(W L / T) + 1`).
fn depth(study: &Study, waiting: bool, by_agents: bool) -> usize {
    let slots = study.slots.len();
    let depth = if study.settings.autonomy == Autonomy::Auto && !waiting { 1 } else { slots + 1 };
    let Some((thinking, running)) = by_agents.then(|| thinking(study).zip(running(study))).flatten().filter(|(_, t)| *t > 0.0) else {
        return depth;
    };
    let needed = (slots as f64 * thinking / running).ceil();
    let most = slots + AHEAD;
    depth.max(if needed < most as f64 { needed as usize + 1 } else { most }).min(most.max(depth))
}

/// Mean seconds from a request to an agent to its draft.
fn thinking(study: &Study) -> Option<f64> {
    let drafted = |p: &Proposal| Some(study.trial(p.trial?)?.times.proposed?.seconds_since(p.asked));
    mean(study.proposals.values().rev().filter(|p| p.assignment.is_some()).filter_map(drafted))
}

/// Mean seconds of a run.
fn running(study: &Study) -> Option<f64> {
    mean(study.trials.iter().rev().flat_map(|t| t.runs.iter().rev()).filter(|r| r.seconds > 0.0 && !r.imported).map(|r| r.seconds))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let last: Vec<f64> = values.take(LAST).collect();
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
}
