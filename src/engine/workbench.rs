//! What agents may see and try of a study: the engine's side of their tools.
//!
//! Reads what the study has on disk, tries edits as `effects::check` does, and runs preflights in the sandbox. Nothing here
//! shows the evaluator's files, the hidden data, or a holdout score. Calls block.

use super::effects::{check, propose};
use super::rig::Rig;
use super::{brief, machine};
use crate::archive;
use crate::model::{Diff, DiffOptions, Draft, Failure, ProposalId, RunId, Study, TrialId};
use crate::propose::agent::{Checked, CurveSummary, FileEntry, KnobRow, Preflight, Workbench};
use crate::propose::knobs::{Bound, Kind};
use crate::protocol::{Answer, LogStream, Query};
use crate::task::Task;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Curves of a run that are summed up at most.
const MOST_CURVES: usize = 24;
/// Points of a summary.
const POINTS: usize = 16;

/// The workbench of one request.
pub(super) struct Bench {
    pub(super) rig: Arc<Rig>,
    pub(super) study: Arc<RwLock<Study>>,
    /// By whose wish what is at work is to end, once there is one.
    pub(super) kill: watch::Receiver<Option<String>>,
}

impl Bench {
    /// One at which nothing is tried that would have to be ended.
    pub(super) fn new(rig: &Arc<Rig>, study: &Arc<RwLock<Study>>) -> Self {
        Self { rig: Arc::clone(rig), study: Arc::clone(study), kill: watch::channel(None).1 }
    }

    fn read<T>(&self, look: impl FnOnce(&Study) -> T) -> T {
        look(&self.study.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn ask(&self, query: &Query) -> Result<Answer, String> {
        let resolved = self.read(|study| archive::resolve(study, query))?;
        resolved.read(self.rig.layout.root())
    }
}

impl Workbench for Bench {
    fn look(&self, look: &mut dyn FnMut(&Study)) {
        self.read(look);
    }

    fn task(&self) -> &Task {
        &self.rig.task
    }

    fn files(&self, tree: &str) -> Result<Vec<FileEntry>, String> {
        let entries = self.rig.store().list(tree).map_err(|e| e.to_string())?;
        let entry =
            |e: crate::lineage::Entry| FileEntry { editable: self.rig.rules.check(&e.path, true).is_ok(), path: e.path, bytes: e.size };
        Ok(entries.into_iter().map(entry).collect())
    }

    fn read(&self, tree: &str, path: &str) -> Result<Option<Vec<u8>>, String> {
        self.rig.store().read(tree, path).map_err(|e| e.to_string())
    }

    fn diff(&self, from: &str, to: &str) -> Result<Diff, String> {
        self.rig.store().diff(from, to, &DiffOptions::default()).map_err(|e| e.to_string())
    }

    fn log(&self, run: RunId, stderr: bool, bytes: u32) -> Result<String, String> {
        let stream = if stderr { LogStream::Stderr } else { LogStream::Stdout };
        match self.ask(&Query::Log { run, stream, offset: -i64::from(bytes), len: bytes })? {
            Answer::Log { part } => Ok(part.text),
            _ => Err("the log cannot be read".into()),
        }
    }

    fn curves(&self, run: RunId) -> Result<Vec<CurveSummary>, String> {
        let Answer::SeriesKeys { keys } = self.ask(&Query::SeriesKeys { run })? else { return Ok(Vec::new()) };
        let mut curves = Vec::new();
        for key in keys.into_iter().take(MOST_CURVES) {
            let query = Query::Series { run, key: key.key.clone(), width: u32::try_from(POINTS / 2).unwrap_or(8) };
            let Answer::Series { curve } = self.ask(&query)? else { continue };
            let points = curve.steps.into_iter().zip(curve.values).map(|(step, value)| (step, value.unwrap_or(f64::NAN)));
            curves.push(CurveSummary { key: key.key, count: key.count, points: points.take(POINTS).collect() });
        }
        Ok(curves)
    }

    fn knobs(&self, tree: &str) -> Result<Vec<KnobRow>, String> {
        let bounds: Vec<Bound> = self.rig.task.knobs.iter().map(Bound::from).collect();
        let (_, found) = propose::knobs_of(&self.rig, tree, &bounds)?;
        let row = |knob: crate::propose::knobs::Knob| KnobRow {
            range: range(&knob.kind),
            line: u32::try_from(knob.line).unwrap_or(u32::MAX),
            name: knob.name,
            path: knob.path,
            value: knob.text,
        };
        Ok(found.knobs.into_iter().map(row).collect())
    }

    fn draft(&self, proposal: ProposalId, revision: u32) -> Option<Draft> {
        self.rig.draft(proposal, revision).ok()
    }

    fn brief(&self) -> Vec<(String, String)> {
        brief::read(&self.rig.layout)
    }

    fn hardware(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for slot in &self.rig.slots {
            let _ = writeln!(text, "slot {}: {} threads for a run", slot.name, slot.threads);
        }
        if let Some(meters) = self.rig.sample(super::clock::now(), &[]) {
            let _ = writeln!(text, "{} processors, {:.1} GiB of memory", meters.cpus, meters.mem_total_bytes as f64 / f64::from(1 << 30));
            for gpu in &meters.gpus {
                let memory = gpu.mem_total_bytes.map(|b| format!(", {:.0} GiB", b as f64 / f64::from(1 << 30))).unwrap_or_default();
                let _ = writeln!(text, "GPU {}: {}{memory}", gpu.index, gpu.name);
            }
            if meters.gpus.is_empty() {
                text.push_str("no GPU\n");
            }
        }
        if let Some(packages) = self.rig.packages() {
            let _ = writeln!(text, "runs use {packages}");
        }
        let _ = writeln!(
            text,
            "a run has {} s{}; its network is {}",
            self.rig.task.budget.wall.as_secs(),
            self.rig.task.budget.memory_bytes.map(|b| format!(" and {:.1} GiB", b as f64 / f64::from(1 << 30))).unwrap_or_default(),
            if self.rig.task.sandbox.network { "open" } else { "closed" }
        );
        text
    }

    fn check(&self, parents: &[TrialId], role: &str, draft: &Draft) -> Result<Checked, Failure> {
        check::tried(&self.rig, &self.study, parents, role, draft)
    }

    fn preflight(&self, tree: &str) -> Result<Preflight, String> {
        super::effects::preflight::preflight(&self.rig, tree, self.kill.clone())
    }
}

/// What a sampler would try, in words.
fn range(kind: &Kind) -> String {
    use crate::model::number::short;
    let scale = |log: &bool| if *log { ", log" } else { "" };
    match kind {
        Kind::Float { lo, hi, log } => format!("{} to {}{}", short(*lo), short(*hi), scale(log)),
        Kind::Int { lo, hi, log } => format!("{lo} to {hi}{}", scale(log)),
        Kind::Bool => "true or false".into(),
        Kind::Choice(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "),
    }
}

/// The very tree of another trial, in words.
pub(super) fn duplicate(study: &Study, tree: &str) -> Option<String> {
    // The edit is of no trial yet.
    machine::duplicate(study, TrialId(u32::MAX), tree)
}
