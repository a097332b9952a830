//! Memory: the incumbent's chain, the best keeps, this parent's children, the last trials, and the chain that a repair mends.

use super::fit::Section;
use super::row::row;
use super::{DigestExtra, card};
use crate::model::{Operator, Status, Study, Trial, TrialId, Verdict};
use crate::propose::agent::Scene;
use std::collections::BTreeSet;

/// Nodes of a chain that are shown; the root is always among them.
const CHAIN: usize = 12;
const KEEPS: usize = 8;
const CHILDREN: usize = 24;
const LAST: usize = 10;
/// Longest chain that is walked.
const DEEPEST: usize = 100_000;

pub(super) fn chain(study: &Study) -> Section {
    let chain = lineage(study, study.incumbent);
    if chain.len() == 1 {
        // The baseline alone stands among the scores already.
        return Section::new("From the baseline to the incumbent", 0, 120, Vec::new());
    }
    let left_out = chain.len().saturating_sub(CHAIN);
    let mut lines = Vec::new();
    for (at, trial) in chain.iter().enumerate() {
        if at > 0 && at <= left_out {
            if at == 1 {
                lines.push(format!("- (… {left_out} nodes …)"));
            }
            continue;
        }
        lines.push(row(study, trial));
    }
    Section::new(format!("From the baseline to the incumbent {}", study.incumbent), 1800, 120, lines)
}

pub(super) fn keeps(study: &Study) -> Section {
    let inside: BTreeSet<TrialId> = lineage(study, study.incumbent).iter().map(|t| t.id).collect();
    let kept = best_keeps(study);
    let lines = kept.iter().take(KEEPS).map(|t| match inside.contains(&t.id) {
        // Its sentence stands in the chain.
        true => format!("- {} {} (in the incumbent's chain)", t.id, super::row::outcome(study, t)),
        false => row(study, t),
    });
    Section::new("Best keeps", 1100, 80, lines.collect())
}

/// Kept trials, the best first.
fn best_keeps(study: &Study) -> Vec<&Trial> {
    let mut kept: Vec<&Trial> = study.trials.iter().skip(1).filter(|t| t.verdict == Some(Verdict::Keep) && t.score.is_some()).collect();
    kept.sort_by(|a, b| by_score(study, a, b));
    kept
}

/// What was tried on this parent already: the memory of an improvement.
pub(super) fn siblings(study: &Study, scene: &Scene) -> Section {
    let base = scene.base();
    let children = children(study, base, scene.trial);
    let mut shown: Vec<&Trial> = children.iter().rev().take(CHILDREN).copied().collect();
    // What could be told of comes before what still waits.
    shown.sort_by_key(|t| !super::row::told(t));
    let title = format!("Tried on {base} already ({} in all, failed and vetoed ones included)", children.len());
    Section::new(title, 2800, 150, shown.into_iter().map(|t| row(study, t)).collect())
}

/// The chain of repairs back to the last node that worked: the memory of a repair.
pub(super) fn ancestors(study: &Study, scene: &Scene) -> Section {
    let mut chain = lineage(study, scene.base());
    let works = chain.iter().rposition(|t| t.score.is_some()).unwrap_or(0);
    let chain = chain.split_off(works);
    let mut lines: Vec<String> = chain.iter().map(|t| row(study, t)).collect();
    let repairs = children(study, scene.base(), scene.trial);
    if !repairs.is_empty() {
        lines.push(format!("Repairs of {} that were tried:", scene.base()));
        lines.extend(repairs.iter().rev().take(8).map(|t| row(study, t)));
    }
    Section::new("From the last node that worked to the one to mend", 1800, 150, lines)
}

/// The failure card of the node to mend.
pub(super) fn card(study: &Study, scene: &Scene, extra: &DigestExtra<'_>) -> Section {
    let log = study.trial(scene.base()).and_then(|t| t.runs.last().map(|r| t.id.run(r.id))).and_then(|run| extra.log(run));
    let lines = card::card(study, extra.task, scene.base(), log).map(|card| card.lines()).unwrap_or_default();
    Section::new(format!("Failure card of {}", scene.base()), 1900, 180, lines)
}

/// The failure card of the refused proposal whose idea is to come in another form.
pub(super) fn refused(study: &Study, refused: TrialId, extra: &DigestExtra<'_>) -> Section {
    let lines = card::card(study, extra.task, refused, None).map(|card| card.lines()).unwrap_or_default();
    Section::new(format!("Failure card of {refused}"), 1900, 180, lines)
}

/// Both parents with their chains: the memory of a crossover.
pub(super) fn parents(study: &Study, scene: &Scene) -> Section {
    let mut lines = Vec::new();
    for parent in &scene.parents {
        let mut chain = lineage(study, *parent);
        let from = chain.len().saturating_sub(6);
        lines.push(format!("The chain of {parent}:"));
        lines.extend(chain.split_off(from).iter().map(|t| row(study, t)));
    }
    Section::new("The two parents", 2400, 150, lines)
}

/// The latest trials that no other section shows in full.
pub(super) fn last(study: &Study, scene: &Scene) -> Section {
    let mut shown: BTreeSet<TrialId> = lineage(study, study.incumbent).iter().rev().take(CHAIN - 1).map(|t| t.id).collect();
    shown.extend(best_keeps(study).iter().take(KEEPS).map(|t| t.id));
    if matches!(scene.operator, Operator::Draft | Operator::Improve | Operator::Ablate) {
        shown.extend(children(study, scene.base(), None).iter().rev().take(CHILDREN).map(|t| t.id));
    }
    let fresh = |t: &&Trial| Some(t.id) != scene.trial && t.status != Status::Unreadable && !shown.contains(&t.id);
    let recent = study.trials.iter().skip(1).rev().filter(fresh);
    Section::new("Last trials elsewhere, latest first", 1500, 70, recent.take(LAST).map(|t| row(study, t)).collect())
}

/// From the root to a node, by first parents.
pub(super) fn lineage(study: &Study, id: TrialId) -> Vec<&Trial> {
    let (mut chain, mut next) = (Vec::new(), study.trial(id));
    while let Some(trial) = next.filter(|_| chain.len() < DEEPEST) {
        chain.push(trial);
        // A parent is older; a damaged history may say otherwise.
        next = trial.parents.first().filter(|parent| **parent < trial.id).and_then(|parent| study.trial(*parent));
    }
    chain.reverse();
    chain
}

fn children(study: &Study, of: TrialId, but: Option<TrialId>) -> Vec<&Trial> {
    study.trials.iter().filter(|t| t.parents.first() == Some(&of) && Some(t.id) != but && t.status != Status::Unreadable).collect()
}

/// The better score first, the earlier of equals.
fn by_score(study: &Study, a: &Trial, b: &Trial) -> std::cmp::Ordering {
    let value = |t: &Trial| t.score.map(|s| study.settings.goal.gain(s, 0.0)).unwrap_or(f64::NEG_INFINITY);
    value(b).total_cmp(&value(a)).then(a.id.cmp(&b.id))
}
