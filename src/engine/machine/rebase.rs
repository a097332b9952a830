//! Proposals of agents that wait while the search moves on: their edits are carried over to the node that it builds on now,
//! as a new revision, or they go stale with the reason.
//!
//! Never after a person's accept, never what a person decided on or sent back, and only under a policy that builds on one node
//! at a time. What passed by rule is reviewed again with its new tree. A sampler's proposal costs nothing and is drafted anew instead (`stale`).

use super::agents::is_agent;
use super::{Effect, EffectId};
use crate::model::{Event, Operator, PolicyName, Reviewer, Status, Study, Trial, TrialId};
use crate::search::{self, Repair};
use std::collections::BTreeMap;

/// The nodes that a proposal is to build on instead of its own; none when it stays where it is.
pub(super) fn due(study: &Study, trial: &Trial) -> Option<Vec<TrialId>> {
    // What the autonomy or a rule let pass waits for a slot like the others for a word: nobody has seen its tree.
    let waits =
        matches!(trial.status, Status::Proposed | Status::Waiting | Status::Queued) && trial.runs.is_empty() && trial.revise.is_none();
    // A draft begins at the baseline, a repair at what failed, a crossover at the nodes that were chosen for it.
    let moves = matches!(trial.operator, Operator::Improve | Operator::Ablate);
    let agents = is_agent(&trial.proposer) || trial.proposer.starts_with("command/");
    // A person who took a rule's accept back has decided too.
    let untouched = trial.reviews.iter().all(|r| r.by != Reviewer::Human) && !crate::review::taken_back(trial);
    if !(waits && moves && agents && untouched && super::schedule::may_start(study)) {
        return None;
    }
    // What a person pitched on a node of their choice stays there.
    let request = trial.proposal.and_then(|p| study.proposals.get(&p)).filter(|p| p.requested)?;
    let parents = match study.settings.policy {
        // Hill climbing draws no number.
        PolicyName::Hillclimb => search::choose(study, study.settings.policy, Repair::Unable, 0).parents,
        PolicyName::Greedy => return None,
    };
    // Everywhere a parent has a smaller number. What was numbered before the new incumbent runs where it was written: it is
    // compared with the incumbent all the same.
    let older = parents.iter().all(|p| *p < trial.id);
    (request.operator == trial.operator && trial.parents != parents && older).then_some(parents)
}

/// What carries it over.
pub(super) fn want(study: &Study, trial: &Trial, wanted: &mut BTreeMap<EffectId, Effect>) -> bool {
    let (Some(parents), Some(proposal)) = (due(study, trial), trial.proposal) else { return false };
    wanted.insert(EffectId::Rebase(trial.id, trial.revision + 1), Effect::Rebase { proposal, revision: trial.revision, parents });
    true
}

/// The edits were tried on the new node. A report on what is no longer due becomes nothing.
pub(super) fn take(study: &Study, id: TrialId, revision: u32, parents: Vec<TrialId>, refused: Option<String>) -> Option<Event> {
    let trial = study.trial(id).filter(|t| t.revision + 1 == revision)?;
    if due(study, trial)? != parents {
        return None;
    }
    let onto = parents.first().map(ToString::to_string).unwrap_or_default();
    Some(match refused {
        None => Event::Rebased { trial: id, revision, parents },
        Some(why) => {
            let from = trial.parents.first().map(ToString::to_string).unwrap_or_default();
            let detail = format!("it was written on {from} and cannot be carried over to {onto}: {why}");
            Event::Staled { trial: id, detail: super::reports::cut(&detail, super::reports::DETAIL) }
        }
    })
}
