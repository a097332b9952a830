//! Hill climb: keep or revert. The next proposal always builds on the incumbent.

use super::{Choice, named};
use crate::model::{Operator, Study};

/// Extends the incumbent; where a person pruned it, its nearest ancestor that works and was not pruned.
pub(super) fn choose(study: &Study) -> Choice {
    let (mut id, mut pruned) = (study.incumbent, false);
    // A parent always has a smaller number, so this ends.
    while let Some(trial) = study.trial(id).filter(|t| t.pruned || (pruned && t.failure.is_some())) {
        let Some(parent) = trial.parents.first().copied().filter(|p| *p < id) else { break };
        (id, pruned) = (parent, true);
    }
    let Some(trial) = study.trial(id) else {
        return Choice { parents: vec![study.reference_id()], operator: Operator::Improve, why: "the baseline".into() };
    };
    let why = if pruned {
        format!("{}, for the incumbent {} was pruned", named(trial), study.incumbent)
    } else {
        format!("the incumbent {}", named(trial))
    };
    Choice { parents: vec![id], operator: Operator::Improve, why }
}
