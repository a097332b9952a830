//! What a client's wish makes true, or why it is refused.

use super::reports;
use crate::model::{
    Decision, Draft, Event, Favour, KnobValue, Limits, Millis, Operator, ProposalId, Reviewer, RunPhase, SettingsChange, Status, Study,
    StudyState, Trial, TrialId, Verdict, number::short,
};
use crate::protocol::{Ack, Command};

/// How long after an accept it can be taken back although its run has started.
const UNDO_SECS: f64 = 10.0;
/// Bytes of a name that a client gives.
const LONGEST_NAME: usize = 120;
/// Bytes of the knobs that a client names.
const LARGEST_KNOBS: usize = 1500;
/// Bytes of what a person says to agents; quotes and ends of lines are two letters in a fact.
const LONGEST_WORDS: usize = 1500;
/// Patterns of paths that may be forbidden at a time.
const MOST_FORBIDDEN: usize = 100;

type Taken = Result<(Vec<Event>, Ack), String>;

pub(super) fn take(study: &Study, command: Command, now: Millis) -> Taken {
    match command {
        Command::Accept { proposal, tree } => accept(study, proposal, tree),
        Command::Veto { proposal, tree, reason } => veto(study, proposal, tree, reason),
        Command::Edit { proposal, tree, draft, accepted } => {
            sound(&draft)?;
            let trial = waiting(study, proposal, tree.as_deref())?;
            let event = Event::Revised {
                trial: trial.id,
                revision: trial.revision + 1,
                by: Reviewer::Human,
                reason: Some("edited".into()),
                accepted,
                hypothesis: None,
                expected: None,
            };
            about(study, trial, vec![event])
        }
        Command::Revise { proposal, comment } => revise(study, proposal, &comment),
        Command::Idea { text, parent, to } => {
            if study.is_over() || study.stopping.is_some() {
                return Err(format!("the study is {}; go on with `trialdeck resume`", ended(study)));
            }
            let text = spoken(&text, "the idea")?;
            let (event, id) = super::agents::pitched(study, text, parent, to)?;
            Ok((vec![event], Ack { seq: study.seq, trial: None, proposal: Some(id) }))
        }
        Command::Favour { favour } => favoured(study, favour),
        Command::Forbid { glob, on } => forbid(study, &glob, on),
        Command::Proposers { proposers } => proposing(study, proposers),
        Command::Undo { proposal } => undo(study, proposal, now),
        Command::Propose { parent, proposer, draft, accepted } => {
            if study.is_over() {
                return Err(format!("the study is {}; go on with `trialdeck resume`", study.state.word()));
            }
            let parent = parent.unwrap_or(study.incumbent);
            let trial = study.trial(parent).ok_or_else(|| format!("there is no trial {parent}"))?;
            if trial.tree.is_none() {
                return Err(format!("{parent} has no tree to build on ({})", trial.status.word()));
            }
            sound(&draft)?;
            let proposer = name(&proposer, "proposer")?;
            let operator = if trial.failure.is_some() { Operator::Debug } else { Operator::Improve };
            let id = study.next_proposal();
            let request = study.unasked(id, proposer, vec![parent], operator, now);
            let event = reports::proposed(study, &request, &draft, accepted, study.seq);
            let ack = Ack { seq: study.seq, trial: Some(study.next_trial()), proposal: Some(id) };
            Ok((vec![event], ack))
        }
        Command::Pause => match (study.state, study.stopping) {
            (StudyState::Running, None) => state(study, StudyState::Paused, "paused by the researcher"),
            (StudyState::Paused, _) => nothing(study),
            _ => Err("the study is ending or over, so there is nothing to pause".into()),
        },
        Command::Unpause => match study.state {
            StudyState::Paused => state(study, StudyState::Running, ""),
            StudyState::Running => nothing(study),
            _ => Err(format!("the study is {}; go on with `trialdeck resume`", study.state.word())),
        },
        Command::Kill { run } => {
            let found = study.trial(run.trial).and_then(|t| t.run(run.run)).ok_or_else(|| format!("there is no run {run}"))?;
            match found.phase {
                RunPhase::Running if !found.kill => plain(study, vec![Event::RunKillAsked { run }], Some(run.trial)),
                RunPhase::Running => nothing(study),
                RunPhase::Evaluating => Err(format!("{run} has ended and is being scored")),
                RunPhase::Ended => Err(format!("{run} has ended already")),
            }
        }
        Command::Replicate { trial, runs } => {
            let found = study.trial(trial).ok_or_else(|| format!("there is no trial {trial}"))?;
            if found.status != Status::Done || found.tree.is_none() {
                return Err(format!("{trial} is {}; only a decided trial can be run again", found.status.word()));
            }
            if study.is_over() {
                return Err(format!("the study is {}; go on with `trialdeck resume`", study.state.word()));
            }
            if runs == 0 || runs > 100 {
                return Err(format!("{runs} runs: ask for 1 to 100"));
            }
            plain(study, vec![Event::ReplicatesAsked { trial, runs, certify: false }], Some(trial))
        }
        Command::Autonomy { mode } => change(study, SettingsChange::Autonomy { mode }),
        Command::LetPass { proposer } => change(study, SettingsChange::LetPass { proposer: name(&proposer, "proposer")? }),
        Command::Steer { text, to } => {
            let text = spoken(&text, "the word to the agents")?;
            if let Some(to) = &to {
                super::agents::role(study, to)?;
            }
            plain(study, vec![Event::Steered { text, to }], None)
        }
        Command::Pin { trial, on } => mark(study, trial, |_, pruned| (on, pruned && !on)),
        Command::Prune { trial, on } => mark(study, trial, |pinned, _| (pinned && !on, on)),
        Command::Extend { limits, beyond } => extend(study, limits, beyond),
        Command::Stop { now: kill } => {
            if study.is_over() || study.stopping == Some(true) || (study.stopping == Some(false) && !kill) {
                return nothing(study);
            }
            plain(study, vec![Event::StopAsked { now: kill, reason: crate::model::EndReason::User }], None)
        }
    }
}

/// A name out of a client's hand, which goes into a fact.
fn name(text: &str, what: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("the {what} has no name")),
        text if text.len() > LONGEST_NAME => Err(format!("the {what}'s name is longer than {LONGEST_NAME} bytes")),
        text => Ok(text.to_owned()),
    }
}

/// A draft out of a client's hand: its body lies beside the journal, its knobs go into a fact of at most 4 KiB.
fn sound(draft: &Draft) -> Result<(), String> {
    let knob = |value: &KnobValue| match value {
        KnobValue::Choice(text) => text.len(),
        _ => 24,
    };
    let knobs: usize = draft.knobs.iter().map(|(name, value)| name.len() + knob(value)).sum();
    if knobs > LARGEST_KNOBS {
        return Err(format!("the proposal names {} knobs of {knobs} bytes together; {LARGEST_KNOBS} are allowed", draft.knobs.len()));
    }
    Ok(())
}

/// What a person says to agents: cut to what fits in a fact, without control characters, of which JSON makes six letters.
fn spoken(text: &str, what: &str) -> Result<String, String> {
    let text: String = text.trim().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST_WORDS).last();
    match end.and_then(|end| text.get(..end)) {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("{what} is empty: say what you want")),
    }
}

fn ended(study: &Study) -> &'static str {
    if study.is_over() { study.state.word() } else { "ending" }
}

/// Who asks for another revision says what to do better; who proposed it must be able to write one.
fn revise(study: &Study, proposal: ProposalId, comment: &str) -> Taken {
    let trial = find(study, proposal)?;
    if !super::agents::is_agent(&trial.proposer) && !trial.proposer.starts_with("command/") {
        return Err(format!(
            "{proposal} comes from {}, which cannot be asked for a new revision: edit it, veto it, or propose your own",
            trial.proposer
        ));
    }
    let trial = waiting(study, proposal, None)?;
    let reason = Some(spoken(comment, "the comment")?);
    if study.is_over() || study.stopping.is_some() {
        return Err(format!("the study is {}, so nobody writes a new revision; go on with `trialdeck resume`", ended(study)));
    }
    let tree = trial.tree.clone();
    about(study, trial, vec![Event::Reviewed { trial: trial.id, by: Reviewer::Human, decision: Decision::Revise, reason, tree }])
}

/// A kind of agents must exist to be asked more or less often.
fn favoured(study: &Study, favour: Favour) -> Taken {
    let role = super::agents::role(study, &favour.role)?;
    let agents = study.settings.agents.as_ref();
    if let Some(model) = favour.model.as_ref().filter(|m| agents.is_none_or(|a| a.models.iter().all(|known| known.name != **m))) {
        let names: Vec<&str> = agents.into_iter().flat_map(|a| &a.models).map(|m| m.name.as_str()).collect();
        return Err(format!("there is no model `{model}` in this study; the models are {}", names.join(", ")));
    }
    if let Some(surface) = favour.surface.as_ref().filter(|s| !role.surfaces.contains(s)) {
        let known = if role.surfaces.is_empty() { "all of the recipe at once".to_owned() } else { role.surfaces.join(", ") };
        return Err(format!("{} does not work on `{surface}` but on {known}", role.name));
    }
    if !(favour.factor.is_finite() && (0.0..=1000.0).contains(&favour.factor)) {
        return Err(format!("{} is no factor: name a number from 0 (never) to 1000", favour.factor));
    }
    change(study, SettingsChange::Favour { favour })
}

fn forbid(study: &Study, glob: &str, on: bool) -> Taken {
    let glob = name(glob, "pattern")?;
    if let Err(error) = globset::GlobBuilder::new(&glob).literal_separator(true).build() {
        return Err(format!("`{glob}` is no pattern of paths: {}", error.kind()));
    }
    if !on && !study.forbidden.contains(&glob) {
        let known: Vec<&str> = study.forbidden.iter().map(String::as_str).collect();
        return Err(format!("`{glob}` is not forbidden; {}", if known.is_empty() { "nothing is".into() } else { known.join(", ") }));
    }
    if on && study.forbidden.len() >= MOST_FORBIDDEN {
        return Err(format!("{MOST_FORBIDDEN} patterns are forbidden already; lift one with --off"));
    }
    if on == study.forbidden.contains(&glob) { nothing(study) } else { change(study, SettingsChange::Forbidden { glob, on }) }
}

fn proposing(study: &Study, proposers: Vec<String>) -> Taken {
    if proposers.is_empty() || proposers.len() > 10 {
        return Err("name one to ten proposers, joined by +".into());
    }
    let proposers: Vec<String> = proposers.iter().map(|p| name(p, "proposer")).collect::<Result<_, _>>()?;
    let has_agents = study.settings.agents.as_ref().is_some_and(|a| !a.roles.is_empty() && !a.models.is_empty());
    if proposers.iter().any(|p| p == super::agents::NAME) && !has_agents {
        return Err("this study has no agents: start one with `trialdeck run TASK --proposer agents`".into());
    }
    if proposers == study.settings.proposers { nothing(study) } else { change(study, SettingsChange::Proposers { proposers }) }
}

fn plain(study: &Study, events: Vec<Event>, trial: Option<TrialId>) -> Taken {
    let proposal = trial.and_then(|id| study.trial(id)).and_then(|t| t.proposal);
    Ok((events, Ack { seq: study.seq, trial, proposal }))
}

fn nothing(study: &Study) -> Taken {
    plain(study, Vec::new(), None)
}

fn about(study: &Study, trial: &Trial, events: Vec<Event>) -> Taken {
    plain(study, events, Some(trial.id))
}

fn state(study: &Study, state: StudyState, detail: &str) -> Taken {
    let detail = (!detail.is_empty()).then(|| detail.to_owned());
    plain(study, vec![Event::StateChanged { state, reason: None, detail }], None)
}

fn change(study: &Study, change: SettingsChange) -> Taken {
    plain(study, vec![Event::SettingsChanged { change }], None)
}

fn mark(study: &Study, id: TrialId, new: impl Fn(bool, bool) -> (bool, bool)) -> Taken {
    let trial = study.trial(id).ok_or_else(|| format!("there is no trial {id}"))?;
    let (pinned, pruned) = new(trial.pinned, trial.pruned);
    plain(study, vec![Event::Marked { trial: id, pinned, pruned }], Some(id))
}

/// A target that was reached would end the study again at once: it is lifted where that is wished, else it stays the end.
fn extend(study: &Study, limits: Limits, beyond: bool) -> Taken {
    let mut events = Vec::new();
    if let Some((target, best)) = super::ending::reached_target(study) {
        if beyond {
            events.push(Event::SettingsChanged { change: SettingsChange::Target { target: None } });
        } else if study.is_over() {
            return Err(format!(
                "the target {} is reached: {} has {}, verified; to go on beyond it say how far, with --trials +20 or --time +2h",
                short(target),
                best.trial,
                short(best.score)
            ));
        }
    }
    if limits != study.settings.limits {
        events.push(Event::SettingsChanged { change: SettingsChange::Limits { limits } });
    }
    if study.state != StudyState::Running || study.stopping.is_some() {
        events.push(Event::StateChanged { state: StudyState::Running, reason: None, detail: None });
    }
    plain(study, events, None)
}

fn find(study: &Study, proposal: ProposalId) -> Result<&Trial, String> {
    let request = study.proposals.get(&proposal).ok_or_else(|| format!("there is no proposal {proposal}"))?;
    match (&request.trial, &request.failed) {
        (Some(trial), _) => study.trial(*trial).ok_or_else(|| format!("there is no trial {trial}")),
        (None, Some(why)) => Err(format!("nothing came of {proposal}: {why}")),
        (None, None) => Err(format!("{proposal} is still being written")),
    }
}

/// The node of a proposal that waits for review, with the tree that the client saw.
fn waiting<'a>(study: &'a Study, proposal: ProposalId, tree: Option<&str>) -> Result<&'a Trial, String> {
    let trial = find(study, proposal)?;
    if trial.status == Status::Proposed && trial.revise.is_some() {
        return Err(format!("a new revision of {proposal} is being written; `undo` gives the old one back"));
    }
    if trial.status == Status::Proposed {
        return Err(format!("{proposal} is still being checked"));
    }
    if trial.status != Status::Waiting {
        return Err(format!("{proposal} ({}) is {} and no longer waits for review", trial.id, trial.status.word()));
    }
    same_tree(trial, proposal, tree)?;
    Ok(trial)
}

fn same_tree(trial: &Trial, proposal: ProposalId, tree: Option<&str>) -> Result<(), String> {
    let current = trial.tree.as_deref().unwrap_or_default();
    match tree {
        Some(shown) if shown.len() < 7 || !current.starts_with(shown) => {
            Err(format!("{proposal} changed since it was shown: its tree is {current} now, not {shown}; look at it again"))
        }
        _ => Ok(()),
    }
}

fn accept(study: &Study, proposal: ProposalId, tree: Option<String>) -> Taken {
    let trial = find(study, proposal)?;
    if matches!(trial.status, Status::Queued | Status::Running | Status::Evaluating | Status::Done) {
        same_tree(trial, proposal, tree.as_deref())?;
        return about(study, trial, Vec::new());
    }
    let trial = waiting(study, proposal, tree.as_deref())?;
    let event =
        Event::Reviewed { trial: trial.id, by: Reviewer::Human, decision: Decision::Accept, reason: None, tree: trial.tree.clone() };
    about(study, trial, vec![event])
}

fn veto(study: &Study, proposal: ProposalId, tree: Option<String>, reason: String) -> Taken {
    let trial = find(study, proposal)?;
    if trial.status == Status::Vetoed {
        return about(study, trial, Vec::new());
    }
    let trial = waiting(study, proposal, tree.as_deref())?;
    let reason = Some(reason.trim().chars().take(1000).collect::<String>()).filter(|r| !r.is_empty());
    let event = Event::Reviewed { trial: trial.id, by: Reviewer::Human, decision: Decision::Veto, reason, tree: trial.tree.clone() };
    about(study, trial, vec![event])
}

fn undo(study: &Study, proposal: ProposalId, now: Millis) -> Taken {
    let trial = find(study, proposal)?;
    match trial.status {
        Status::Waiting => about(study, trial, Vec::new()),
        Status::Proposed if trial.revise.is_some() => about(study, trial, vec![Event::ReviewUndone { trial: trial.id }]),
        Status::Vetoed | Status::Queued if trial.runs.iter().all(|r| r.undone) => {
            about(study, trial, vec![Event::ReviewUndone { trial: trial.id }])
        }
        Status::Running if trial.times.accepted.is_some_and(|at| now.seconds_since(at) <= UNDO_SECS) => {
            about(study, trial, vec![Event::ReviewUndone { trial: trial.id }])
        }
        Status::Running => Err(format!("{proposal} was accepted more than {UNDO_SECS:.0} s ago and runs; end it with kill")),
        _ => Err(format!("{proposal} is {}, so there is no review to take back", trial.status.word())),
    }
}

/// Whether a trial may be built on or shown as a success.
pub(super) fn is_kept(trial: &Trial) -> bool {
    trial.verdict == Some(Verdict::Keep)
}
