//! Requests to proposers, what they cost, and the node that comes of one.

use super::*;

pub(super) fn apply_request(study: &mut Study, at: Millis, event: &Event) {
    match event {
        Event::ProposalAsked { proposal, proposer, parents, operator, decision, assignment } => {
            study.decisions = study.decisions.max(decision.saturating_add(1));
            let request = Proposal {
                decision: *decision,
                // What a person asked for says nothing of the proposers.
                requested: assignment.as_ref().is_none_or(|a| a.idea.is_none()),
                assignment: assignment.clone(),
                ..study.unasked(*proposal, proposer.clone(), parents.clone(), *operator, at)
            };
            study.proposals.insert(*proposal, request);
            study.asked.insert(*proposal);
        }
        Event::Spent { proposal, spend } => {
            study.spend.add(spend);
            if let Some(p) = study.proposals.get_mut(proposal) {
                p.spend.add(spend);
            }
        }
        Event::ProposalFailed { proposal, detail, gave_up } => {
            study.asked.remove(proposal);
            if let Some(p) = study.proposals.get_mut(proposal) {
                p.failed = Some(detail.clone());
                p.gave_up = *gave_up;
                study.fruitless += u32::from(p.requested && !gave_up);
                if *gave_up {
                    // Its server has answered.
                    study.faults = Faults::default();
                } else if p.assignment.is_some() {
                    study.faults = Faults { in_a_row: study.faults.in_a_row.saturating_add(1), last: at };
                }
            }
        }
        _ => {}
    }
}

pub(super) fn apply_proposed(study: &mut Study, at: Millis, event: &Event) {
    let Event::Proposed { proposal, trial, proposer, parents, operator, hypothesis, surface, expected, knobs, accepted, .. } = event else {
        return;
    };
    if study.next_trial() != *trial {
        return;
    }
    let unasked = study.unasked(*proposal, proposer.clone(), parents.clone(), *operator, at);
    let request = study.proposals.entry(*proposal).or_insert(unasked);
    request.trial = Some(*trial);
    if request.assignment.is_some() {
        study.faults = Faults::default();
    }
    study.asked.remove(proposal);
    let mut reviews = Vec::new();
    if *accepted {
        reviews.push(Review { by: Reviewer::Human, decision: Decision::Accept, reason: None, tree: None, at });
    }
    study.trials.push(Trial {
        parents: parents.clone(),
        proposal: Some(*proposal),
        operator: *operator,
        proposer: proposer.clone(),
        surface: surface.clone(),
        hypothesis: hypothesis.clone(),
        expected: *expected,
        knobs: knobs.clone(),
        reviews,
        times: Times { proposed: Some(at), ..Times::default() },
        ..blank_trial(*trial)
    });
}
