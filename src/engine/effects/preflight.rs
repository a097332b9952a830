//! A preflight that an agent asks for before it submits: the task's own cheap check on a tree, in the sandbox, in a directory
//! beside the slots. No GPU is taken for it, and one runs at a time.

use super::run::{UNTOLD, observe};
use crate::engine::confinement::{self, Granted, Who};
use crate::engine::rig::{OURS, Rig};
use crate::lineage::Slot;
use crate::model::{Label, RunId, RunNo, TrialId};
use crate::propose::agent::Preflight;
use crate::run::{Executor, Observation, Spec, Stream};
use std::{fs, path::PathBuf, sync::PoisonError};
use tokio::sync::watch;

/// Bytes of its output's end that an agent is shown.
const TAIL: usize = 4 << 10;

/// Runs it to its end, or until `kill` says why not. Errors: in words, where the task has none or it cannot start.
pub(in crate::engine) fn preflight(rig: &Rig, tree: &str, mut kill: watch::Receiver<Option<String>>) -> Result<Preflight, String> {
    let unwanted = || kill.borrow().clone().map_or(Ok(()), Err);
    unwanted()?;
    let alone = rig.trying.lock().unwrap_or_else(PoisonError::into_inner);
    unwanted()?;
    let command = rig.task.run.preflight.as_ref().ok_or("the task has no [run] preflight")?.command.clone();
    let dir = rig.layout.work().join("tryout");
    let owner = rig.confinement.user(Who::Tryout);
    let place = Slot::new(&dir).owned_by(owner);
    let words = |e: crate::lineage::Error| e.to_string();
    place.prepare(&rig.store(), tree, &[]).map_err(words)?;
    for ours in [OURS, "public"] {
        place.remove_reserved(ours).map_err(words)?;
    }
    if !rig.grants().is_empty() {
        let unseen = crate::engine::create::unseen(&rig.task);
        let taken = crate::engine::create::taken(&rig.store(), tree, unseen).map_err(|e| e.to_string())?;
        place.link(&crate::engine::grants::links(rig.grants(), &taken)).map_err(words)?;
    }
    place.make_reserved(&[&format!("{OURS}/home"), &format!("{OURS}/tmp")]).map_err(words)?;
    confinement::give(&dir.join(OURS), owner).map_err(|e| e.to_string())?;
    if let Some(public) = rig.public() {
        std::os::unix::fs::symlink(public, dir.join("public")).map_err(|e| e.to_string())?;
    }
    let log = rig.layout.root().join("tryout");
    if matches!(rig.executor.observe(&log), Observation::Starting { .. } | Observation::Running { .. }) {
        // An engine that was killed left it, and its answer would come to nobody.
        let (_keep, mut over) = watch::channel(Some("the engine that it worked for is gone".to_owned()));
        let _ = tokio::runtime::Handle::current().block_on(observe(rig, &log, &mut over, UNTOLD));
    }
    let _ = fs::remove_dir_all(&log);
    let spec = spec(rig, rig.as_seen(dir), &command);
    if let Some(fault) = rig.confinement.fault(&spec) {
        return Err(fault.detail);
    }
    rig.executor.submit(&log, &spec).map_err(|e| e.to_string())?;
    let ended = tokio::runtime::Handle::current().block_on(observe(rig, &log, &mut kill, UNTOLD));
    let status = ended.map_err(|failure| failure.detail)?;
    let text = |stream| rig.executor.log(&log, stream, status_end(rig, &log, stream), TAIL).map(|p| p.bytes).unwrap_or_default();
    let tail = [text(Stream::Stdout), text(Stream::Stderr)].concat();
    let failure = match status.failure.clone() {
        Some(failure) if failure.label == Label::Infrastructure => return Err(failure.detail),
        failure => failure,
    };
    drop(alone);
    Ok(Preflight {
        command,
        passed: failure.is_none(),
        seconds: status.seconds,
        failure,
        tail: String::from_utf8_lossy(&tail).into_owned(),
    })
}

/// Where the last part of a log begins.
fn status_end(rig: &Rig, log: &std::path::Path, stream: Stream) -> u64 {
    let end = rig.executor.log(log, stream, u64::MAX, 0).map_or(0, |part| part.end);
    end.saturating_sub(TAIL as u64)
}

/// The preflight of a run on the first slot, in a directory of its own and without its GPUs.
fn spec(rig: &Rig, dir: PathBuf, command: &str) -> Spec {
    let mut spec = rig.open_spec(RunId { trial: TrialId::BASELINE, run: RunNo(0) }, 0, 1);
    spec.label = format!("{} preflight of a proposal", rig.task.task.name);
    spec.command = command.to_owned();
    spec.wall_secs = rig.task.run.preflight.as_ref().map_or(60.0, |p| p.wall.as_secs_f64());
    spec.stall_secs = None;
    spec.locks.clear();
    spec.env.insert("CUDA_VISIBLE_DEVICES".into(), String::new());
    for (name, inner) in [("HOME", "home"), ("TMPDIR", "tmp")] {
        spec.env.insert(name.into(), dir.join(OURS).join(inner).to_string_lossy().into_owned());
    }
    spec.watched_dirs = vec![dir.clone()];
    spec.cwd.clone_from(&dir);
    let mut read: Vec<PathBuf> = rig.grants().iter().map(|g| g.at.clone()).collect();
    read.extend(rig.public());
    let setup = rig.setup().map(|s| s.dir);
    rig.confinement.contain(
        &mut spec,
        Who::Tryout,
        Granted { read, write: vec![dir], gpus: Vec::new(), network: false },
        &rig.task,
        setup.as_deref(),
    );
    spec
}
