//! `[inference]`: a trial's code on the evaluator's inputs, in a directory of its own.
//!
//! The inputs are the evaluator's: runs do not see them. The directory holds the trial's tree, what the run left of
//! `needs`, and the inputs; neither labels, nor the evaluator's files, nor anything else of the run's directory.

use super::confinement::{self, Granted, Who};
use super::grants::{self, Grant};
use super::rig::{OURS, Rig};
use crate::evaluate::{Artifacts, Pristine};
use crate::lineage::Slot;
use crate::model::RunId;
use crate::run::Spec;
use crate::task::Task;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Inputs that no run sees, as paths of the repository's tree: all but those that `[[data]]` grants by the same name.
pub(super) fn kept_from_runs(task: &Task) -> Vec<String> {
    let granted = |input: &String| task.data.iter().any(|d| !d.hidden && plain(&d.path) == plain(input));
    inputs(task).filter(|i| !granted(i)).map(|input| plain(input)).collect()
}

fn inputs(task: &Task) -> impl Iterator<Item = &String> {
    task.inference.iter().flat_map(|i| &i.inputs)
}

fn plain(path: &str) -> String {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

/// Copies inputs that lie in the repository into the evaluator's tree, from which they are taken.
pub(super) fn keep_inputs(task: &Task, base: &Path, pristine: &Pristine) -> anyhow::Result<()> {
    let source = base.join(&task.repository.path);
    for input in kept_from_runs(task) {
        let at = source.join(&input);
        if at.exists() {
            pristine.add(&at, &input)?;
        }
    }
    Ok(())
}

/// Whether the evaluator's tree has every input. Errors: in words, which is not there and where it is looked for.
pub(super) fn inputs_there(task: &Task, pristine: &Pristine) -> anyhow::Result<()> {
    match inputs(task).find(|input| !pristine.tree().join(input).exists()) {
        None => Ok(()),
        Some(input) => anyhow::bail!(
            "[inference] input {input} is missing: it is neither in the repository, nor in `files` of [evaluator] or [[data]], nor does `prepare` write it"
        ),
    }
}

impl Rig {
    /// What the run left for its inference, until that has ended.
    pub(super) fn handed_dir(&self, run: RunId) -> PathBuf {
        self.layout.run(run).join("handed")
    }

    /// Makes the directory of an inference anew: the tree, what the run left, the inputs.
    pub(super) fn prepare_inference(&self, run: RunId, slot: u32, tree: &str, left: &Artifacts) -> anyhow::Result<()> {
        let dir = self.layout.inference(slot);
        let owner = self.confinement.user(Who::Inference(slot));
        let place = Slot::new(&dir).owned_by(owner);
        place.prepare(&self.store(), tree, &[])?;
        for ours in [OURS, "public"] {
            place.remove_reserved(ours)?;
        }
        for path in left.files.keys() {
            place.put(path, &self.handed_dir(run).join(path))?;
        }
        for input in inputs(&self.task) {
            let input = plain(input);
            match self.granted_input(&input) {
                Some(grant) => place.link(&grants::links(std::slice::from_ref(grant), &BTreeSet::new()))?,
                None => place.put(&input, &self.pristine.tree().join(&input))?,
            }
        }
        for own in ["home", "tmp"] {
            fs::create_dir_all(dir.join(OURS).join(own))?;
        }
        confinement::give(&dir.join(OURS), owner)?;
        Ok(())
    }

    fn granted_input(&self, input: &str) -> Option<&Grant> {
        self.grants().iter().find(|g| g.inside.as_deref() == Some(input))
    }

    /// What an inference runs: the task's command with a run's seed, limits and devices, in a sandbox that knows its inputs alone.
    pub(super) fn inference_spec(&self, run: RunId, slot: u32, seed: u64) -> Option<Spec> {
        let inference = self.task.inference.as_ref()?;
        let mut spec = self.open_spec(run, slot, seed);
        let dir = self.as_seen(self.layout.inference(slot));
        spec.label = format!("{} {run}, inference", self.task.task.name);
        spec.command.clone_from(&inference.command);
        spec.wall_secs = inference.wall.as_secs_f64();
        spec.stall_secs = Some((spec.wall_secs / 2.0).max(60.0));
        spec.watched_dirs = vec![dir.clone()];
        spec.env.remove("TRIALDECK_PUBLIC");
        for (name, value) in [
            ("HOME", dir.join(OURS).join("home").to_string_lossy().into_owned()),
            ("TMPDIR", dir.join(OURS).join("tmp").to_string_lossy().into_owned()),
            ("TRIALDECK_WALL_SECONDS", spec.wall_secs.to_string()),
        ] {
            spec.env.insert(name.to_owned(), value);
        }
        spec.cwd.clone_from(&dir);
        // What [sandbox] grants is the machine's own, a library say, and no data of the task's: a model needs it to be loaded as much
        // as to be trained.
        let libraries = self.grants().iter().filter(|g| g.inside.is_none() && self.task.sandbox.read.contains(&g.path));
        let read = inputs(&self.task).filter_map(|i| self.granted_input(&plain(i))).chain(libraries).map(|g| g.at.clone()).collect();
        let gpus = self.slots.get(slot as usize).map(|p| p.gpus.clone()).unwrap_or_default();
        let setup = self.setup().map(|s| s.dir);
        let granted = Granted { read, write: vec![dir], gpus, network: false };
        self.confinement.contain(&mut spec, Who::Inference(slot), granted, &self.task, setup.as_deref());
        Some(spec)
    }
}
