//! What each kind of fact is to a replay: recorded anew as it was, waited for because its work is done anew, or neither.

use crate::engine::machine::EffectId;
use crate::model::{
    EndReason, Event, ProposalId, Reviewer, RunId, RunPhase, SettingsChange, Status, Study, StudyState, Trial, TrialId, Verdict,
};

/// What a fact is to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It came from outside of the decisions, and comes again as it was.
    Played(Key),
    /// It came of work that is done anew.
    Awaited(Key),
    /// It follows from the others and is compared.
    Judged(TrialId, Verdict),
    /// It follows from the others, or is of one engine alone.
    Own,
}

/// What a fact is about. Of several about the same the first that is left is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A request.
    Asked(ProposalId),
    /// Its answer.
    Answered(ProposalId),
    /// What it cost.
    Spent(ProposalId),
    /// The answer to a wish for another revision.
    Rewritten(TrialId),
    /// A person's revision.
    Edited(TrialId),
    /// The search moved on while it waited.
    Moved(TrialId),
    /// A person's review.
    Reviewed(TrialId),
    /// A review that was taken back.
    Undone(TrialId),
    /// The check of a revision.
    Checked(TrialId),
    /// A person's wish that a run ends.
    Killed(RunId),
    /// The end of a run.
    Ended(RunId),
    /// The evaluator's word on a run.
    Scored(RunId),
    /// Any other word of a person's, or the end of the time.
    Said,
}

/// What a fact is to a replay.
pub(super) fn part(event: &Event) -> Part {
    match event {
        Event::ProposalAsked { proposal, .. } => Part::Played(Key::Asked(*proposal)),
        Event::Proposed { proposal, .. } | Event::ProposalFailed { proposal, .. } => Part::Played(Key::Answered(*proposal)),
        Event::Spent { proposal, .. } => Part::Played(Key::Spent(*proposal)),
        Event::Revised { trial, by: Reviewer::Human | Reviewer::Rule | Reviewer::Auto, .. } => Part::Played(Key::Edited(*trial)),
        Event::Revised { trial, by: Reviewer::Proposer, .. } | Event::NotRevised { trial, .. } => Part::Played(Key::Rewritten(*trial)),
        Event::Rebased { trial, .. } | Event::Staled { trial, .. } => Part::Played(Key::Moved(*trial)),
        Event::Reviewed { trial, by: Reviewer::Human, .. } => Part::Played(Key::Reviewed(*trial)),
        Event::ReviewUndone { trial } => Part::Played(Key::Undone(*trial)),
        Event::RunKillAsked { run } => Part::Played(Key::Killed(*run)),
        // The tier of the sandbox is this machine's.
        Event::SettingsChanged { change: SettingsChange::Isolation { .. } } => Part::Own,
        Event::Steered { .. }
        | Event::SettingsChanged { .. }
        | Event::Marked { .. }
        | Event::ReplicatesAsked { certify: false, .. }
        | Event::StopAsked { reason: EndReason::User | EndReason::Time, .. }
        | Event::StateChanged { state: StudyState::Running, .. } => Part::Played(Key::Said),
        Event::Checked { trial, .. } | Event::Rejected { trial, .. } => Part::Awaited(Key::Checked(*trial)),
        Event::RunEnded { run, .. } => Part::Awaited(Key::Ended(*run)),
        Event::RunScored { run, .. } => Part::Awaited(Key::Scored(*run)),
        Event::Judged { trial, verdict, .. } => Part::Judged(*trial, *verdict),
        // A pause changes when something happens, not what.
        Event::StateChanged { .. }
        | Event::StopAsked { .. }
        | Event::ReplicatesAsked { .. }
        | Event::Reviewed { .. }
        | Event::StudyCreated { .. }
        | Event::EngineStarted { .. }
        | Event::EngineStopped
        | Event::SetupAsked { .. }
        | Event::SetupStarted { .. }
        | Event::SetupEnded { .. }
        | Event::SetupPrepared { .. }
        | Event::SetupGone { .. }
        | Event::RunScheduled { .. }
        | Event::RunStarted { .. }
        | Event::NoiseMeasured { .. }
        | Event::Advanced { .. }
        | Event::SetAside { .. }
        | Event::Rerun { .. }
        | Event::BaselineDone { .. }
        | Event::CommitLabelled { .. }
        | Event::IncumbentMoved { .. }
        | Event::BestChanged { .. }
        | Event::HoldoutUnsealed { .. }
        | Event::HistoryImported { .. }
        | Event::Imported { .. }
        | Event::Cautioned { .. }
        | Event::BaselineMended { .. }
        | Event::Noted { .. } => Part::Own,
    }
}

/// The fact that the end of an effect becomes.
pub(super) fn key_of(id: EffectId) -> Option<Key> {
    match id {
        EffectId::Propose(proposal) => Some(Key::Answered(proposal)),
        EffectId::Rewrite(trial, _) => Some(Key::Rewritten(trial)),
        EffectId::Rebase(trial, _) => Some(Key::Moved(trial)),
        EffectId::Check(trial, _) => Some(Key::Checked(trial)),
        EffectId::Run(run) => Some(Key::Ended(run)),
        EffectId::Evaluate(run) => Some(Key::Scored(run)),
        EffectId::Setup(_) | EffectId::Prepare | EffectId::Label(_) | EffectId::Unseal => None,
    }
}

/// Whether a fact that is played can be true now. Errors: what speaks against it, in words.
pub(super) fn possible(study: &Study, key: Key, event: &Event) -> Result<(), String> {
    match key {
        Key::Asked(proposal) => {
            going(study)?;
            told(study.state == StudyState::Running && study.stopping.is_none(), || "nothing new is started here".into())?;
            told(study.baseline().is_some_and(|b| !b.runs.is_empty()), || "the baseline has not begun here".into())?;
            told(!study.proposals.contains_key(&proposal), || format!("{proposal} is another here"))?;
        }
        Key::Answered(proposal) => {
            going(study)?;
            let unasked = matches!(event, Event::Proposed { .. }) && !study.proposals.contains_key(&proposal);
            told(unasked || study.asked.contains(&proposal), || format!("{proposal} does not wait here"))?;
        }
        Key::Spent(proposal) => told(study.proposals.contains_key(&proposal), || format!("there is no {proposal} here"))?,
        Key::Rewritten(trial) => trial_is(study, trial, rewrites)?,
        Key::Edited(trial) | Key::Reviewed(trial) => trial_is(study, trial, |t| t.status == Status::Waiting)?,
        Key::Moved(trial) => {
            trial_is(study, trial, |t| t.runs.is_empty() && matches!(t.status, Status::Proposed | Status::Waiting | Status::Queued))?
        }
        Key::Undone(trial) => {
            trial_is(study, trial, |t| rewrites(t) || matches!(t.status, Status::Vetoed | Status::Queued | Status::Running))?;
        }
        Key::Killed(run) => {
            let running = study.trial(run.trial).and_then(|t| t.run(run.run)).is_some_and(|r| r.phase == RunPhase::Running);
            told(running, || format!("{run} does not run here"))?;
        }
        Key::Said => return said(study, event),
        // These are not played.
        Key::Checked(_) | Key::Ended(_) | Key::Scored(_) => {}
    }
    if let Event::Proposed { trial, .. } = event {
        told(*trial == study.next_trial(), || format!("the next trial is {} here", study.next_trial()))?;
    }
    if let Event::Revised { trial, revision, .. } | Event::Rebased { trial, revision, .. } = event {
        trial_is(study, *trial, |t| t.revision + 1 == *revision)?;
    }
    if let Event::ProposalAsked { parents, .. } | Event::Proposed { parents, .. } | Event::Rebased { parents, .. } = event {
        for parent in parents {
            // Nodes can be built on when they have a tree.
            trial_is(study, *parent, |t| t.tree.is_some())?;
        }
    }
    Ok(())
}

fn said(study: &Study, event: &Event) -> Result<(), String> {
    if let Event::Marked { trial, .. } = event {
        trial_is(study, *trial, |_| true)?;
    }
    if let Event::ReplicatesAsked { trial, .. } = event {
        trial_is(study, *trial, |t| t.status == Status::Done)?;
    }
    if let Event::StopAsked { .. } = event { going(study) } else { Ok(()) }
}

fn going(study: &Study) -> Result<(), String> {
    told(!study.is_over(), || "the study is over here".into())
}

fn told(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn trial_is(study: &Study, id: TrialId, so: impl FnOnce(&Trial) -> bool) -> Result<(), String> {
    let trial = study.trial(id).ok_or_else(|| format!("there is no {id} here"))?;
    told(so(trial), || format!("{id} is {} here, in revision {}", trial.status.word(), trial.revision))
}

fn rewrites(trial: &Trial) -> bool {
    trial.status == Status::Proposed && trial.revise.is_some()
}

/// The fact as this study can record it: a tree that a person saw is that of here, and clocks of another day end nothing.
pub(super) fn here(study: &Study, event: &Event) -> Event {
    let mut event = event.clone();
    if let Event::Proposed { basis, .. } = &mut event {
        *basis = (*basis).min(study.seq);
    }
    if let Event::Reviewed { trial, tree, .. } = &mut event {
        *tree = study.trial(*trial).and_then(|t| t.tree.clone());
    }
    if let Event::SettingsChanged { change: SettingsChange::Limits { limits } } = &mut event {
        limits.seconds = None;
    }
    event
}
