//! Commits that carry their score, and holdout scores once a study is over.

use super::{Shared, look};
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::evaluate::Evaluation;
use crate::lineage::Message;
use crate::model::{Study, TrialId, number::short};
use std::collections::BTreeMap;

/// Writes the trial's commit anew with its score and verdict in the message; the tree stays.
pub(super) fn label(rig: &Rig, study: &Shared, id: TrialId) -> Input {
    // Read before the trial is: a verdict that comes in between is written by another label.
    let basis = look(study, |s| s.seq);
    match labelled(rig, study, id) {
        Ok(commit) => Input::Labelled { trial: id, commit, basis },
        Err(why) => {
            let text = format!("the commit of {id} could not be labelled: {why}");
            // The commit is whole without its score: an engine that tried for ever would never leave.
            match look(study, |s| s.trial(id).and_then(|t| t.commit.clone())) {
                Some(commit) => {
                    crate::engine::log::line(&text);
                    Input::Labelled { trial: id, commit, basis }
                }
                None => Input::Note { warning: true, text },
            }
        }
    }
}

fn labelled(rig: &Rig, study: &Shared, id: TrialId) -> Result<String, String> {
    let (parents, tree, message, best) = look(study, |s| {
        let trial = s.trial(id)?;
        let parents: Vec<String> = trial.parents.iter().filter_map(|p| s.trial(*p)?.commit.clone()).collect();
        let mut message = Message::new(id, &trial.hypothesis, &trial.proposer);
        message.score = trial.score.map(|score| format!("{} = {}", s.settings.metric, short(score)));
        message.verdict = trial.verdict;
        message.proposal = trial.proposal;
        message.operator = Some(trial.operator);
        message.surface.clone_from(&trial.surface);
        message.failure = trial.failure.as_ref().map(|f| format!("{}: {}", f.label.word(), f.detail));
        Some((parents, trial.tree.clone()?, message, s.best.as_ref().is_some_and(|b| b.trial == id)))
    })
    .ok_or("it has no tree")?;
    let store = rig.store();
    if id == TrialId::BASELINE {
        // The root of all commits keeps its name.
        let commit = look(study, |s| s.trial(id).and_then(|t| t.commit.clone())).ok_or("it has no commit")?;
        store.set_best(&commit).map_err(|e| e.to_string())?;
        return Ok(commit);
    }
    let commit = store.commit(id, &parents, &tree, &message).map_err(|e| e.to_string())?;
    if best {
        store.set_best(&commit).map_err(|e| e.to_string())?;
    }
    Ok(commit)
}

/// Reads the sealed holdout scores of all trials.
pub(super) fn unseal(rig: &Rig, study: &Shared) -> Input {
    let runs = look(study, |s: &Study| {
        s.trials.iter().flat_map(|t| t.runs.iter().filter(|r| r.score.is_some() && !r.undone).map(|r| t.id.run(r.id))).collect::<Vec<_>>()
    });
    let mut values: BTreeMap<TrialId, Vec<f64>> = BTreeMap::new();
    for run in runs {
        if let Some(value) = Evaluation::load(&rig.layout.run(run)).and_then(|e| e.holdout) {
            values.entry(run.trial).or_default().push(value);
        }
    }
    let holdout = values.into_iter().map(|(id, v)| (id, v.iter().sum::<f64>() / v.len() as f64)).collect();
    Input::Unsealed { holdout }
}
