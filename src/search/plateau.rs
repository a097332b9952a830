//! What changes when nothing is kept for a while: a ladder of warning, detours, another part of the recipe, the end.
//!
//! Counted in decided trials that were not kept since the last keep, or the start. Others count in much the same way:
//! they warn after five flat runs and stop after twenty (karpathy/autoresearch and its ports), or after four hours
//! without a keep (the specialists of "Auto-Research", where one trial in twenty was kept).

use super::{Choice, named};
use crate::model::{Operator, Study, Trial, TrialId, Verdict};

/// Non-keeps in a row after which people are told. With one keep in five, as in a study's first hours, three in ten
/// stretches are this long by chance: a warning costs nothing.
pub const WARN: u32 = 6;
/// Then every other request of agents leaves the beaten track.
pub const DIVERSIFY: u32 = 9;
/// Then requests go to the part of the recipe that was asked about least.
pub const SWITCH: u32 = 18;
/// Then a study without any limit ends. With one keep in thirty, as late in a study, it is one stretch in thirty.
pub const STOP: u32 = 100;

/// How long nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Not long.
    Steady,
    /// People are told.
    Warn,
    /// Drafts, crossovers and ablations take turns with improvements.
    Diversify,
    /// Another part of the recipe.
    Switch,
    /// A study without a limit ends.
    Stop,
}

/// Trials that were decided and not kept since the last keep.
pub fn flat(study: &Study) -> u32 {
    let last_keep = last_keep(study);
    let since = |t: &&Trial| t.id != TrialId::BASELINE && t.imported.is_none() && t.times.finished > last_keep;
    let not_kept = |t: &&Trial| t.verdict.is_some_and(|v| v != Verdict::Keep);
    study.trials.iter().filter(since).filter(not_kept).count() as u32
}

fn last_keep(study: &Study) -> Option<crate::model::Millis> {
    study.trials.iter().filter(|t| t.verdict == Some(Verdict::Keep)).filter_map(|t| t.times.finished).max()
}

/// The rung of so many non-keeps in a row.
pub fn rung(flat: u32) -> Rung {
    match flat {
        0..WARN => Rung::Steady,
        WARN..DIVERSIFY => Rung::Warn,
        DIVERSIFY..SWITCH => Rung::Diversify,
        SWITCH..STOP => Rung::Switch,
        STOP.. => Rung::Stop,
    }
}

/// Leaves the beaten track, at every other request: a fresh draft, a crossover of two keeps, an ablation of the last keep,
/// in turn, as far as `able` and the tree allow. None where the search goes on as ever; a person's pin goes before it.
pub fn detour(study: &Study, able: impl Fn(Operator) -> bool) -> Option<Choice> {
    let flat = flat(study);
    if rung(flat) < Rung::Diversify || super::pinned(study).is_some() {
        return None;
    }
    let since = last_keep(study);
    let asked = study.proposals.values().filter(|p| Some(p.asked) > since && p.assignment.as_ref().is_some_and(|a| a.idea.is_none()));
    let operators: Vec<Operator> = asked.map(|p| p.operator).filter(|o| *o != Operator::Debug).collect();
    let is_detour = |o: &Operator| matches!(o, Operator::Draft | Operator::Crossover | Operator::Ablate);
    if operators.last().is_some_and(is_detour) {
        return None;
    }
    let before = operators.iter().filter(|o| is_detour(o)).count();
    let ways = [draft(study), crossover(study), ablation(study)];
    (0..ways.len())
        .filter_map(|i| ways.get((before + i) % ways.len())?.clone())
        .find(|c| able(c.operator))
        .map(|c| Choice { why: format!("nothing was kept for {flat} trials: {}", c.why), ..c })
}

fn draft(study: &Study) -> Option<Choice> {
    let baseline = study.reference().filter(|b| !b.pruned && b.tree.is_some())?;
    // With the baseline as the incumbent, an improvement is a fresh start.
    (study.incumbent != baseline.id).then(|| Choice {
        parents: vec![baseline.id],
        operator: Operator::Draft,
        why: "a fresh start from the baseline".into(),
    })
}

/// The two best keeps of which neither came of the other.
fn crossover(study: &Study) -> Option<Choice> {
    let kept = |t: &&Trial| gained(study, t) && !t.pruned && t.tree.is_some() && t.score.is_some_and(f64::is_finite);
    let mut keeps: Vec<&Trial> = study.trials.iter().filter(kept).collect();
    keeps.sort_by(|a, b| {
        let gain = |t: &Trial| study.settings.goal.gain(t.score.unwrap_or_default(), 0.0);
        gain(b).total_cmp(&gain(a)).then(a.id.cmp(&b.id))
    });
    let first = keeps.first()?;
    let second = keeps.iter().skip(1).find(|t| !came_of(study, first, t.id) && !came_of(study, t, first.id))?;
    Some(Choice {
        parents: vec![first.id, second.id],
        operator: Operator::Crossover,
        why: format!("a crossover of {} and {}", named(first), named(second)),
    })
}

/// Kept for a gain, not for mending the baseline, without which nothing runs.
fn gained(study: &Study, trial: &Trial) -> bool {
    trial.verdict == Some(Verdict::Keep) && trial.id != study.reference_id()
}

fn ablation(study: &Study) -> Option<Choice> {
    let incumbent = study.trial(study.incumbent).filter(|t| gained(study, t) && !t.pruned && t.tree.is_some())?;
    Some(Choice {
        parents: vec![incumbent.id],
        operator: Operator::Ablate,
        why: format!("an ablation of {}: does each part of it matter?", named(incumbent)),
    })
}

/// Whether a node descends from another; a parent always has a smaller number, so this ends.
fn came_of(study: &Study, trial: &Trial, ancestor: TrialId) -> bool {
    let mut open = vec![trial.id];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(id) = open.pop() {
        if id == ancestor {
            return true;
        }
        if id > ancestor && seen.insert(id) {
            open.extend(study.trial(id).map(|t| t.parents.as_slice()).unwrap_or_default());
        }
    }
    false
}
