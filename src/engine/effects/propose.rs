//! Asks a knob sampler: the knobs of the parent's tree, the history of the study, and a number for its randomness go in.

use super::{Shared, look};
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::model::{KnobValue, Noise, ProposalId, Status, Study, Trial, TrialId};
use crate::propose::draft::{self, Request, Seen};
use crate::propose::knobs::{self, Around, Bound};
use crate::propose::samplers::{Outcome, Sampler};
use std::collections::BTreeMap;

/// The driver stores the draft: a thread that is still at work after a stop must not write over a later one's.
pub(super) fn propose(rig: &Rig, study: &Shared, proposal: ProposalId, proposer: &str, parents: &[TrialId], draw: u64) -> Input {
    let basis = look(study, |s| s.seq);
    match drafted(rig, study, proposer, parents, draw) {
        Ok(draft) => Input::Drafted { proposal, draft: Box::new(draft), basis },
        Err(detail) => Input::NoDraft { proposal, detail, gave_up: false },
    }
}

fn drafted(rig: &Rig, study: &Shared, proposer: &str, parents: &[TrialId], draw: u64) -> Result<crate::model::Draft, String> {
    let name = proposer.strip_prefix("knobs/").unwrap_or(proposer);
    let sampler = Sampler::parse(name).ok_or_else(|| format!("there is no proposer `{name}`"))?;
    let parent = parents.first().copied().unwrap_or(TrialId::BASELINE);
    // Only what a sampler learns from: a study of 10,000 trials is not copied for one proposal.
    let (tree, root, seen, settings, noise) = look(study, |s: &Study| {
        let tree = |id| s.trial(id).and_then(|t| t.tree.clone());
        let seen: Vec<(TrialId, String, Outcome)> = s.trials.iter().filter_map(|t| Some((t.id, t.tree.clone()?, outcome(t)?))).collect();
        (tree(parent), tree(TrialId::BASELINE), seen, s.settings.clone(), s.noise)
    });
    let tree = tree.ok_or_else(|| format!("{parent} has no tree"))?;
    let bounds: Vec<Bound> = rig.task.knobs.iter().map(Bound::from).collect();
    let root = root.ok_or("the baseline has no tree")?;
    let (_, first) = knobs_of(rig, &root, &bounds)?;
    let (sources, discovery) = knobs_of(rig, &tree, &bounds)?;
    let knobs = draft::anchor(discovery, &first.knobs);
    let mut vectors: BTreeMap<String, BTreeMap<String, KnobValue>> = BTreeMap::new();
    let mut history = Vec::new();
    for (trial, tree, outcome) in seen {
        if !vectors.contains_key(&tree) {
            let values = rig.knob_vector(&tree, || knobs_of(rig, &tree, &bounds).map(|(_, d)| draft::values(&d.knobs)).unwrap_or_default());
            vectors.insert(tree.clone(), values);
        }
        let Some(values) = vectors.get(&tree) else { continue };
        history.push(Seen { trial, knobs: values.clone(), outcome });
    }
    let noise_sd = match noise {
        Noise::Measured { sd, .. } | Noise::Given { sd } => Some(sd),
        Noise::Unknown { .. } => None,
    };
    let request = Request {
        sampler,
        knobs: &knobs,
        history: &history,
        goal: settings.goal,
        metric: &settings.metric,
        noise_sd,
        seed: draw,
        sources: &sources,
    };
    draft::draft(&request).map_err(|e| e.to_string())
}

/// The editable sources and files of settings of a tree, and the knobs in them.
pub(in crate::engine) fn knobs_of(rig: &Rig, tree: &str, bounds: &[Bound]) -> Result<(BTreeMap<String, String>, knobs::Discovery), String> {
    let store = rig.store();
    let mut sources = BTreeMap::new();
    let mut around = Around { command: Some(&rig.task.run.command), fixed: BTreeMap::new() };
    for entry in store.list(tree).map_err(|e| e.to_string())? {
        if entry.size > knobs::LARGEST || !knobs::is_source(&entry.path) {
            continue;
        }
        let bytes = store.read(tree, &entry.path).map_err(|e| e.to_string())?.unwrap_or_default();
        if let Ok(text) = String::from_utf8(bytes) {
            let files = if rig.rules.check(&entry.path, true).is_ok() { &mut sources } else { &mut around.fixed };
            files.insert(entry.path, text);
        }
    }
    let found = knobs::discover_around(&sources, bounds, &around);
    Ok((sources, found))
}

/// What a sampler learns from a trial; nothing from one that was never going to run.
fn outcome(trial: &Trial) -> Option<Outcome> {
    match (trial.status, trial.score) {
        (Status::Vetoed | Status::Rejected | Status::Stale | Status::Unreadable, _) => None,
        (_, Some(score)) => Some(Outcome::Score(score)),
        (Status::Done, None) => trial.failure.as_ref().filter(|f| !f.label.not_the_codes_fault()).map(|_| Outcome::Crash),
        (_, None) => Some(Outcome::Pending),
    }
}
