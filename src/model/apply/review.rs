//! A revision on its way to a run: checked, reviewed, revised, carried over, refused, stale.

use super::*;

pub(super) fn apply_review(study: &mut Study, at: Millis, event: &Event) {
    let Some(id) = event.trial() else { return };
    let requested = study.trial(id).and_then(|t| t.proposal).and_then(|p| study.proposals.get(&p)).is_some_and(|p| p.requested);
    let mut fruitless = 0;
    let Some(trial) = study.trial_mut(id) else { return };
    match event {
        Event::Revised { revision, by, reason, accepted, hypothesis, expected, .. } => {
            trial.supersede(Some(*by), reason.as_ref());
            trial.revision = *revision;
            if let Some(hypothesis) = hypothesis {
                trial.hypothesis.clone_from(hypothesis);
                trial.expected = *expected;
            }
            trial.status = Status::Proposed;
            trial.failure = None;
            trial.flags.clear();
            trial.times.accepted = None;
            trial.revise = None;
            let tree = trial.tree.take();
            // The revision that a reviewer asked for is no review of its own.
            if *by != Reviewer::Proposer {
                trial.reviews.push(Review { by: *by, decision: Decision::Edit, reason: reason.clone(), tree, at });
            }
            if *accepted {
                trial.reviews.push(Review { by: *by, decision: Decision::Accept, reason: None, tree: None, at });
            }
        }
        Event::NotRevised { .. } => {
            trial.status = Status::Waiting;
            trial.revise = None;
        }
        Event::Rebased { revision, parents, .. } => {
            trial.supersede(None, None);
            trial.revision = *revision;
            trial.parents.clone_from(parents);
            trial.status = Status::Proposed;
            trial.failure = None;
            trial.flags.clear();
            trial.tree = None;
            trial.times.accepted = None;
        }
        Event::Checked { revision, commit, tree, diff, surface, flags, .. } if *revision == trial.revision => {
            trial.flags.clone_from(flags);
            trial.commit = Some(commit.clone());
            trial.tree = Some(tree.clone());
            trial.diff = Some(*diff);
            trial.surface = surface.clone().or(trial.surface.take());
            // A person's accept that came with the draft or the edit is bound to the tree that it makes.
            let accepted = match trial.reviews.last_mut() {
                Some(review) if review.decision == Decision::Accept && review.tree.is_none() => {
                    review.tree = Some(tree.clone());
                    true
                }
                _ => false,
            };
            trial.status = if accepted { Status::Queued } else { Status::Waiting };
            trial.times.accepted = accepted.then_some(at);
        }
        Event::Rejected { failure, .. } => {
            trial.status = Status::Rejected;
            trial.failure = Some(failure.clone());
            trial.times.finished = Some(at);
            // What a person wrote says nothing of the proposers.
            fruitless = u32::from(requested && trial.revision == 1);
        }
        Event::Reviewed { by, decision, reason, tree, .. } => {
            trial.reviews.push(Review { by: *by, decision: *decision, reason: reason.clone(), tree: tree.clone(), at });
            match decision {
                Decision::Accept => {
                    trial.status = Status::Queued;
                    trial.times.accepted = Some(at);
                }
                Decision::Veto => {
                    trial.status = Status::Vetoed;
                    trial.times.finished = Some(at);
                    // What a rule refuses starts nothing, like what does not apply.
                    fruitless = u32::from(requested && *by == Reviewer::Rule && trial.revision == 1);
                }
                Decision::Revise => {
                    trial.status = Status::Proposed;
                    trial.revise = Some(reason.clone().unwrap_or_default());
                }
                Decision::Edit => {}
            }
        }
        Event::ReviewUndone { .. } => {
            trial.status = Status::Waiting;
            trial.revise = None;
            trial.times.accepted = None;
            trial.times.finished = None;
            for run in trial.runs.iter_mut().filter(|r| r.phase != RunPhase::Ended) {
                run.kill = true;
            }
            for run in &mut trial.runs {
                run.undone = true;
            }
            // Nothing that those runs showed counts: the trial begins anew with its next accept.
            trial.advanced = false;
            trial.implausible = None;
            trial.comparison = None;
            trial.score = None;
            trial.self_reported = None;
            trial.gates.clear();
        }
        Event::Staled { detail, .. } => {
            trial.status = Status::Stale;
            trial.failure = None;
            trial.times.finished = Some(at);
            trial.reviews.push(Review {
                by: Reviewer::Rule,
                decision: Decision::Veto,
                reason: Some(detail.clone()),
                tree: trial.tree.clone(),
                at,
            });
        }
        _ => {}
    }
    study.fruitless += fruitless;
}
