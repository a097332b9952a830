//! Asks a specialist: it is told of the study, works with its tools, and what it hands in is a draft like any other.

use super::{Shared, look};
use crate::archive::conversation::Recorder;
use crate::engine::aloud::Aloud;
use crate::engine::machine::Input;
use crate::engine::rig::Rig;
use crate::engine::workbench::Bench;
use crate::model::conversation::{Message, Thought};
use crate::model::{Assignment, Draft, ProposalId, RunId, Study, TrialId, redact};
use crate::propose::agent::{End, Ended, Revise, Said, Scene, Session, Workbench};
use crate::propose::digest::{DigestExtra, digest, telling_run};
use crate::propose::role::Role;
use std::{future::Future, sync::Arc};
use tokio::sync::{mpsc, watch};

/// Bytes of a log's end that a digest may draw on.
const LOG: u32 = 16 << 10;

/// What a specialist is asked to do.
pub(super) struct Request {
    pub(super) proposal: ProposalId,
    /// The revision that it will be.
    pub(super) revision: u32,
    pub(super) scene: Scene,
}

/// Why nothing came of a request.
pub(super) struct Nothing {
    pub(super) why: String,
    /// The model had no idea worth a run: nothing was at fault.
    pub(super) gave_up: bool,
}

impl From<String> for Nothing {
    fn from(why: String) -> Self {
        Self { why, gave_up: false }
    }
}

/// Ends what the tools of a request are still at, once nobody waits for it.
struct Gone(watch::Sender<Option<String>>);

impl Drop for Gone {
    fn drop(&mut self) {
        // Nobody listening is as well: then nothing is at work.
        let _ = self.0.send(Some("its proposal is not wanted any more".into()));
    }
}

/// Sees one request through. `tell` hears what was spent, as it is spent; `lost` what an answer has cost that was broken off.
pub(super) async fn ask<F: Future<Output = ()>>(
    rig: &Arc<Rig>,
    study: &Shared,
    request: Request,
    aloud: &Aloud,
    tell: impl Fn(Input) -> F,
    lost: impl Fn(Input) + Send + Sync,
) -> Result<Box<Draft>, Nothing> {
    let Request { proposal, revision, scene } = request;
    let role = rig.cast.role(&scene.assignment.role)?;
    rig.cast.models.begin(proposal, revision);
    let llm = rig.cast.models.get(&scene.assignment.model, proposal)?;
    let mut recorder = Recorder::begin(rig.layout.root(), proposal, revision).map_err(|e| format!("its record cannot be kept: {e}"))?;
    let voice = aloud.begin(proposal, revision);
    let (gone, kill) = watch::channel(None);
    let _gone = Gone(gone);
    let bench: Arc<dyn Workbench> = Arc::new(Bench { rig: Arc::clone(rig), study: Arc::clone(study), kill });
    let (scene, role) = (Arc::new(scene), role);
    let first = {
        let (bench, scene, role) = (Arc::clone(&bench), Arc::clone(&scene), Arc::clone(&role));
        tokio::task::spawn_blocking(move || first(&*bench, &scene, &role)).await.map_err(|e| e.to_string())??
    };
    let (spent, mut due) = mpsc::unbounded_channel();
    let lost = |spend| lost(Input::Spent { proposal, spend });
    let session = Session { llm: &*llm, role, bench, scene, allowance: rig.cast.allowance, lost: &lost };
    let working = async move {
        let mut unkept = None;
        let mut hear = |said: Said| match said {
            Said::Turn(turn) => {
                if let Err(error) = recorder.note(&turn) {
                    unkept = Some(error.to_string());
                }
            }
            Said::Thought(thought) => {
                voice.say(covered(thought));
            }
            Said::Spent(spend) => drop(spent.send(spend)),
        };
        let ended = session.propose(first, &mut hear).await;
        (ended, unkept)
    };
    let paying = async {
        while let Some(spend) = due.recv().await {
            tell(Input::Spent { proposal, spend }).await;
        }
    };
    let ((ended, unkept), ()) = futures::join!(working, paying);
    if let Some(error) = unkept {
        crate::engine::log::line(&format!("the record of {proposal} is not whole: {error}"));
    }
    match ended {
        Ended::Submitted(draft) => Ok(draft),
        Ended::Nothing { why, end } => Err(Nothing { why, gave_up: end == End::GaveUp }),
    }
}

/// The scene of a new proposal.
pub(super) fn scene(operator: crate::model::Operator, parents: Vec<TrialId>, assignment: Assignment, draw: u64) -> Scene {
    Scene::new(operator, parents, assignment, draw)
}

/// The scene of a revision that a reviewer asked for.
pub(super) fn revised(rig: &Rig, study: &Shared, trial: TrialId, proposal: ProposalId, comment: &str) -> Result<Scene, String> {
    let found = look(study, |s| {
        let t = s.trial(trial)?;
        let assignment = s.proposals.get(&proposal)?.assignment.as_deref()?.clone();
        Some((t.operator, t.parents.clone(), assignment, t.revision))
    });
    let (operator, parents, assignment, revision) = found.ok_or_else(|| format!("{proposal} was not made by an agent"))?;
    let draft = rig.draft(proposal, revision).map_err(|e| e.to_string())?;
    let mut scene = Scene::new(operator, parents, assignment, 0);
    scene.revise = Some(Revise { comment: comment.to_owned(), draft, revision });
    scene.trial = Some(trial);
    Ok(scene)
}

/// What a specialist is told before its first answer: who it is, then the digest.
fn first(bench: &dyn Workbench, scene: &Scene, role: &Role) -> Result<Vec<Message>, String> {
    let extra = extra(bench, scene, Some(role));
    let mut messages = Err("the study cannot be read now".to_owned());
    bench.look(&mut |study| {
        messages = role.render(scene, bench.task(), study).map_err(|problem| problem.to_string()).map(|system| {
            let text = digest(study, scene, &extra);
            vec![Message::System { text: system }, Message::User { text }]
        });
    });
    messages
}

/// What a digest draws on beside the study.
pub(super) fn extra<'a>(bench: &'a dyn Workbench, scene: &Scene, role: Option<&'a Role>) -> DigestExtra<'a> {
    let mut runs = Vec::new();
    bench.look(&mut |study| runs = shown_runs(study, scene));
    let mut extra = DigestExtra { role, hardware: bench.hardware(), ..DigestExtra::new(bench.task()) };
    for run in runs {
        extra.curves.push((run, bench.curves(run).unwrap_or_default()));
        let [out, err] = [false, true].map(|stderr| bench.log(run, stderr, LOG).unwrap_or_default());
        extra.logs.push((run, format!("{out}\n{err}")));
    }
    extra
}

/// The runs of the parents that tell most: what a specialist is shown of curves and logs.
fn shown_runs(study: &Study, scene: &Scene) -> Vec<RunId> {
    scene.parents.iter().filter_map(|id| study.trial(*id)).filter_map(|t| Some(t.id.run(telling_run(t)?))).collect()
}

/// What clients are shown holds no key.
pub(super) fn covered(thought: Thought) -> Thought {
    let clean = |text: String| redact::ours().text(&text).into_owned();
    match thought {
        Thought::Reasoning { text } => Thought::Reasoning { text: clean(text) },
        Thought::Answer { text } => Thought::Answer { text: clean(text) },
        Thought::Called { name, arguments } => Thought::Called { name: clean(name), arguments: clean(arguments) },
        Thought::Told { name, text, failed } => Thought::Told { name: clean(name), text: clean(text), failed },
        Thought::Note { text } => Thought::Note { text: clean(text) },
    }
}
