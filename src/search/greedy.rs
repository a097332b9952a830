//! Greedy search as in AIDE: a few drafts first, then repairs of failed leaves and improvements of the best node.
//!
//! Settings after AIDE (arXiv 2502.13138): 5 drafts, debug probability 0.5, debug depth at most 3.

use super::repair::{self, depth, mendable};
use super::{Choice, Repair, best_of, draw, mend, named};
use crate::model::{Operator, Status, Study, Trial, TrialId};
use std::collections::BTreeSet;

/// Fresh starts from the baseline before anything is improved.
const DRAFTS: usize = 5;
/// How often a failed leaf is mended, where there is one.
const DEBUG_PROBABILITY: f64 = 0.5;
/// A failed leaf that came of more repairs in a row than this is given up.
const DEBUG_DEPTH: usize = 3;

pub(super) fn choose(study: &Study, able: Repair, number: u64) -> Choice {
    let base = study.reference();
    let drafts = study.proposals.values().filter(|p| p.operator == Operator::Draft).count();
    if let Some(base) = base.filter(|t| drafts < DRAFTS && !t.pruned) {
        let why = format!("draft {} of {DRAFTS} from the baseline", drafts + 1);
        return Choice { parents: vec![base.id], operator: Operator::Draft, why };
    }
    if able == Repair::Able && draw::unit(number) < DEBUG_PROBABILITY {
        let leaves = failed_leaves(study);
        // The coin used the high bits; which leaf is another draw of the same counter.
        let pick = crate::model::splitmix64(number);
        if let Some(trial) = draw::index(pick, leaves.len()).and_then(|i| leaves.get(i)) {
            return repair::choice(trial);
        }
    }
    match best_of(study, |_| true) {
        Some(trial) => Choice { parents: vec![trial.id], operator: Operator::Improve, why: format!("the best node, {}", named(trial)) },
        None => Choice {
            parents: vec![study.reference_id()],
            operator: Operator::Improve,
            why: "the baseline, for nothing has a score yet".into(),
        },
    }
}

/// Failed nodes that nobody builds on yet, not too deep in repairs, in the order of their numbers.
fn failed_leaves(study: &Study) -> Vec<&Trial> {
    // A request that is still being answered counts as a child, or two slots would mend the same node.
    let asked = study.proposals.values().filter(|p| p.trial.is_none() && p.failed.is_none()).flat_map(|p| p.parents.iter());
    let handed_in = study
        .trials
        .iter()
        .filter(|t| !matches!(t.status, Status::Vetoed | Status::Rejected | Status::Stale | Status::Unreadable))
        .flat_map(|t| t.parents.iter());
    let extended: BTreeSet<TrialId> = asked.chain(handed_in).copied().collect();
    study
        .trials
        .iter()
        .filter(|t| !mend::of_baseline(study, t) && mendable(t) && !extended.contains(&t.id) && depth(study, t, DEBUG_DEPTH) <= DEBUG_DEPTH)
        .collect()
}
