//! What effects report, turned into facts. A report about something that is no longer awaited becomes nothing.

use super::{CheckedTree, Input};
use crate::decide;
use crate::model::{Draft, Event, Failure, Flag, Label, Proposal, Reviewer, RunId, RunPhase, Status, Study, Trial, TrialId};

/// Longest hypothesis in an event, in characters; the whole text lies beside the journal.
const HYPOTHESIS: usize = 1000;

/// Longest evidence of a flag in an event, in characters; there are seven kinds.
const EVIDENCE: usize = 200;

/// Longest failure detail in an event, in characters.
pub(super) const DETAIL: usize = 600;

pub(super) fn take(study: &Study, input: Input) -> Vec<Event> {
    match input {
        Input::Settle => Vec::new(),
        Input::EngineStarted { pid, host, version, slots } => vec![Event::EngineStarted { pid, host, version, slots }],
        Input::EngineStopped => vec![Event::EngineStopped],
        Input::Drafted { proposal, draft, basis } => study
            .proposals
            .get(&proposal)
            .filter(|p| awaited(p))
            .map(|request| proposed(study, request, &draft, false, basis))
            .into_iter()
            .collect(),
        Input::Spent { proposal, spend } => vec![Event::Spent { proposal, spend }],
        Input::Redrafted { trial, revision, draft } => {
            let reason = study.trial(trial).and_then(|t| t.revise.clone());
            let hypothesis = Some(cut(&draft.hypothesis, HYPOTHESIS)).filter(|h| !h.trim().is_empty());
            let expected = draft.expected.filter(|gain| gain.is_finite());
            let revised = Event::Revised { trial, revision, by: Reviewer::Proposer, reason, accepted: false, hypothesis, expected };
            rewriting(study, trial, revision).then_some(revised).into_iter().collect()
        }
        Input::NotRedrafted { trial, revision, detail } => {
            let kept = Event::NotRevised { trial, detail: cut(&detail, DETAIL) };
            rewriting(study, trial, revision).then_some(kept).into_iter().collect()
        }
        Input::Rebased { trial, revision, parents, result } => {
            super::rebase::take(study, trial, revision, parents, result.err()).into_iter().collect()
        }
        Input::NoDraft { proposal, detail, gave_up } => {
            let open = study.proposals.get(&proposal).is_some_and(awaited);
            open.then_some(Event::ProposalFailed { proposal, detail: cut(&detail, DETAIL), gave_up }).into_iter().collect()
        }
        Input::Checked { trial, revision, result } => checked(study, trial, revision, result).into_iter().collect(),
        Input::Started { run, pid } => {
            let new = phase(study, run) == Some(RunPhase::Running)
                && study.trial(run.trial).and_then(|t| t.run(run.run)).is_some_and(|r| r.started.is_none());
            new.then_some(Event::RunStarted { run, pid }).into_iter().collect()
        }
        Input::Ended { run, seconds, peak_memory_bytes, self_reported, failure, artifacts } => {
            if phase(study, run) != Some(RunPhase::Running) {
                return Vec::new();
            }
            let same = same_artifacts(study, run, artifacts.as_deref());
            let ended = Event::RunEnded { run, seconds, peak_memory_bytes, self_reported, failure: failure.map(bounded), artifacts };
            std::iter::once(ended).chain(same).collect()
        }
        Input::Scored { run, result, metrics, gates } => {
            if phase(study, run) != Some(RunPhase::Evaluating) {
                return Vec::new();
            }
            let (score, failure) = match result {
                Ok(score) => (Some(score), None),
                Err(failure) => (None, Some(bounded(failure))),
            };
            let trial = study.trial(run.trial);
            // The score of a run whose review was taken back is the run's own and not the trial's.
            let counts = trial.and_then(|t| t.run(run.run)).is_some_and(|r| !r.undone);
            let scores: Vec<f64> = trial.map(Trial::own_scores).unwrap_or_default().into_iter().chain(score.filter(|_| counts)).collect();
            let trial_score = decide::aggregate(&scores, study.settings.aggregate);
            vec![Event::RunScored { run, score, metrics, gates, failure, trial_score }]
        }
        Input::Labelled { trial, commit, basis } => vec![Event::CommitLabelled { trial, commit, basis: Some(basis) }],
        input @ (Input::SetupStarted { .. } | Input::SetupEnded { .. } | Input::SetupPrepared { .. } | Input::SetupGone { .. }) => {
            super::setup::take(study, input)
        }
        Input::Unsealed { holdout } => {
            // A fact stays under 4 KiB: some 100 trials each.
            let all: Vec<_> = holdout.into_iter().collect();
            let mut events: Vec<Event> =
                all.chunks(100).map(|part| Event::HoldoutUnsealed { holdout: part.iter().copied().collect() }).collect();
            if events.is_empty() {
                events.push(Event::HoldoutUnsealed { holdout: Default::default() });
            }
            events
        }
        Input::Note { warning, text } => vec![Event::Noted { warning, text: cut(&text, DETAIL) }],
    }
}

/// The same bytes from other code are worth a look: outputs that were copied, or a change that does nothing.
fn same_artifacts(study: &Study, run: RunId, artifacts: Option<&str>) -> Option<Event> {
    let own = study.trial(run.trial)?.run(run.run)?;
    let other = study.same_artifacts(&own.tree, artifacts).next()?;
    let text =
        format!("{run} left the very artifacts of {other}, whose code is another: its outputs were copied, or the change has no effect");
    Some(Event::Noted { warning: true, text })
}

/// Whether this revision is the one that a proposer was asked to write.
fn rewriting(study: &Study, trial: TrialId, revision: u32) -> bool {
    study.trial(trial).is_some_and(|t| t.status == Status::Proposed && t.revise.is_some() && t.revision + 1 == revision)
}

fn awaited(request: &Proposal) -> bool {
    request.trial.is_none() && request.failed.is_none()
}

fn phase(study: &Study, run: RunId) -> Option<RunPhase> {
    Some(study.trial(run.trial)?.run(run.run)?.phase)
}

/// The fact that a draft was handed in.
pub(super) fn proposed(study: &Study, request: &Proposal, draft: &Draft, accepted: bool, basis: u64) -> Event {
    Event::Proposed {
        proposal: request.id,
        trial: study.next_trial(),
        proposer: request.proposer.clone(),
        parents: request.parents.clone(),
        operator: request.operator,
        hypothesis: cut(&draft.hypothesis, HYPOTHESIS),
        surface: draft.surface.as_deref().map(|s| cut(s, 60)),
        expected: draft.expected.filter(|v| v.is_finite()),
        knobs: draft.knobs.clone(),
        accepted,
        basis,
    }
}

fn checked(study: &Study, id: TrialId, revision: u32, result: Result<CheckedTree, Failure>) -> Option<Event> {
    let trial = study.trial(id).filter(|t| t.status == Status::Proposed && t.revision == revision)?;
    Some(match result {
        Err(failure) => Event::Rejected { trial: trial.id, failure: bounded(failure) },
        Ok(checked) => match duplicate_of(study, trial.id, &checked.tree) {
            Some(detail) => Event::Rejected { trial: trial.id, failure: Failure::new(Label::Duplicate, detail) },
            None => Event::Checked {
                trial: trial.id,
                revision,
                commit: checked.commit,
                tree: checked.tree,
                diff: checked.diff,
                surface: checked.surface,
                flags: checked.flags.into_iter().map(|f| Flag { evidence: cut(&f.evidence, EVIDENCE), ..f }).collect(),
            },
        },
    })
}

/// The trial that has the same tree and was decided, vetoed, or is on its way; one whose end was not its code's fault does not count.
pub(super) fn duplicate_of(study: &Study, id: TrialId, tree: &str) -> Option<String> {
    study
        .trials
        .iter()
        .filter(|t| t.id != id && t.tree.as_deref() == Some(tree))
        .filter(|t| !matches!(t.status, Status::Proposed | Status::Rejected | Status::Stale | Status::Unreadable))
        .find(|t| t.failure.as_ref().is_none_or(|f| !f.label.not_the_codes_fault()))
        .map(|t| {
            let fate = match (t.status, t.score) {
                (Status::Vetoed, _) => "was vetoed".to_owned(),
                (Status::Done, Some(score)) => format!("scored {}", crate::model::number::short(score)),
                (Status::Done, None) => {
                    t.failure.as_ref().map_or_else(|| "was decided".to_owned(), |f| format!("ended as {}", f.label.word()))
                }
                (status, _) => format!("is {}", status.word()),
            };
            format!("same tree as {}, which {fate}", t.id)
        })
}

pub(super) fn bounded(failure: Failure) -> Failure {
    Failure { label: failure.label, detail: cut(&failure.detail, DETAIL) }
}

pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
