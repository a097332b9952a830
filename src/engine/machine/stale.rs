//! Proposals of samplers that were drafted on a node which the search has left: they make room for fresh ones.
//!
//! Only under a policy that builds on one node at a time. What a person wrote, edited, accepted or looked at twice is never
//! taken away, nor what has started. A fresh request builds on what `search::choose` says, so nothing goes stale twice for
//! one move: settling ends. Tested in `tests`.

use super::schedule::may_start;
use crate::model::{Event, PolicyName, Reviewer, Status, Study, Trial};
use crate::search::{self, Repair};

/// Says which proposals the search has left behind.
pub(super) fn settle(study: &Study) -> Vec<Event> {
    match study.settings.policy {
        PolicyName::Hillclimb => {}
        // It extends whatever is best, and its drafts are to differ from that.
        PolicyName::Greedy => return Vec::new(),
    }
    if !may_start(study) {
        return Vec::new();
    }
    let mut left = study.open.iter().filter_map(|id| study.trial(*id)).filter(|t| replaceable(study, t)).peekable();
    if left.peek().is_none() {
        return Vec::new();
    }
    // Hill climbing draws no number.
    let choice = search::choose(study, study.settings.policy, Repair::Unable, 0);
    left.filter(|t| t.parents != choice.parents)
        .map(|t| {
            let from = t.parents.first().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            Event::Staled { trial: t.id, detail: format!("it was drafted on {from}; the search builds on {} now", choice.why) }
        })
        .collect()
}

/// A sampler's own proposal that waits, untouched by a person, for its first run.
fn replaceable(study: &Study, trial: &Trial) -> bool {
    let asked_for = trial.proposal.and_then(|p| study.proposals.get(&p)).is_some_and(|p| p.requested && p.proposer.starts_with("knobs/"));
    asked_for
        && trial.runs.is_empty()
        && matches!(trial.status, Status::Proposed | Status::Waiting | Status::Queued)
        && trial.reviews.iter().all(|r| r.by != Reviewer::Human)
}
