//! Greedy search as in AIDE: a few drafts first, then repairs of failed leaves and improvements of the best node.
//!
//! Settings after AIDE (arXiv 2502.13138): 5 drafts, debug probability 0.5, debug depth at most 3.

use super::{Choice, Repair, best_of, draw, extensible, named};
use crate::model::{Label, Operator, Status, Study, Trial, TrialId};
use std::collections::BTreeSet;

/// Fresh starts from the baseline before anything is improved.
const DRAFTS: usize = 5;
/// How often a failed leaf is mended, where there is one.
const DEBUG_PROBABILITY: f64 = 0.5;
/// A failed leaf that came of more repairs in a row than this is given up.
const DEBUG_DEPTH: usize = 3;

pub(super) fn choose(study: &Study, repair: Repair, number: u64) -> Choice {
    let baseline = study.baseline();
    if repair == Repair::Able && baseline.is_some_and(mendable) && !study.trials.iter().any(extensible) {
        let leaves = failed_leaves(study);
        // Nothing works yet: fresh starts from a broken baseline would be broken too.
        let target = draw::index(number, leaves.len()).and_then(|i| leaves.get(i).copied()).or(baseline);
        if let Some(trial) = target {
            return debug(trial);
        }
    }
    let drafts = study.proposals.values().filter(|p| p.operator == Operator::Draft).count();
    if drafts < DRAFTS && baseline.is_some_and(|t| !t.pruned) {
        let why = format!("draft {} of {DRAFTS} from the baseline", drafts + 1);
        return Choice { parents: vec![TrialId::BASELINE], operator: Operator::Draft, why };
    }
    if repair == Repair::Able && draw::unit(number) < DEBUG_PROBABILITY {
        let leaves = failed_leaves(study);
        // The coin used the high bits; which leaf is another draw of the same counter.
        let pick = crate::model::splitmix64(number);
        if let Some(trial) = draw::index(pick, leaves.len()).and_then(|i| leaves.get(i)) {
            return debug(trial);
        }
    }
    match best_of(study, |_| true) {
        Some(trial) => Choice { parents: vec![trial.id], operator: Operator::Improve, why: format!("the best node, {}", named(trial)) },
        None => Choice {
            parents: vec![TrialId::BASELINE],
            operator: Operator::Improve,
            why: "the baseline, for nothing has a score yet".into(),
        },
    }
}

fn debug(trial: &Trial) -> Choice {
    let why = match &trial.failure {
        Some(failure) => format!("a repair of {}, which ended in {}", trial.id, failure.label.word()),
        None => format!("a repair of {}", trial.id),
    };
    Choice { parents: vec![trial.id], operator: Operator::Debug, why }
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
        .filter(|t| t.id != TrialId::BASELINE && mendable(t) && !extended.contains(&t.id) && debug_depth(study, t) <= DEBUG_DEPTH)
        .collect()
}

/// Whether a change of code could help: it ran and failed by its own fault.
fn mendable(trial: &Trial) -> bool {
    let own_fault = trial.failure.as_ref().is_some_and(|f| match f.label {
        Label::PreflightFailed
        | Label::Crashed
        | Label::OutOfMemory
        | Label::Diverged
        | Label::Stalled
        | Label::TimedOut
        | Label::EvalFailed
        | Label::EvalTimedOut
        | Label::GateFailed
        | Label::InvalidScore => true,
        Label::ApplyFailed
        | Label::OutOfBounds
        | Label::Duplicate
        | Label::Tampered
        | Label::StoppedEarly
        | Label::Killed
        | Label::LostSupervisor
        | Label::Infrastructure => false,
    });
    own_fault && trial.status == Status::Done && trial.tree.is_some() && !trial.pruned
}

/// Repairs in a row that led to this node.
fn debug_depth(study: &Study, trial: &Trial) -> usize {
    let (mut depth, mut node) = (0, trial);
    while node.operator == Operator::Debug && depth <= DEBUG_DEPTH {
        depth += 1;
        match node.parents.first().filter(|p| **p < node.id).and_then(|p| study.trial(*p)) {
            Some(parent) => node = parent,
            None => break,
        }
    }
    depth
}
