//! Plays a recording: says what of it comes next, keeps back what came too early, and tells where the study leaves it.
//!
//! Where it stands follows from the study's own journal, so that the next engine goes on where one was killed. It never waits for what
//! cannot come: once nothing is at work, a fact that does not fit is passed over, and a request that cannot be asked for ends the study.

use super::Recorded;
use super::part::{self, Key, Part};
use crate::engine::machine::{self, Effect, EffectId, Input};
use crate::model::{Draft, EndReason, Event, ProposalId, Study, StudyState, TrialId, Verdict, number::short};
use std::collections::{BTreeMap, VecDeque};

/// What a replay does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Nothing before something ends.
    Wait,
    /// These facts are recorded, after the body of a revision where they speak of one.
    Record(Vec<Event>, Option<(ProposalId, u32, Box<Draft>)>),
    /// What this effect had to say is due now.
    Take(EffectId, Input),
}

/// A recorded fact that comes again.
struct Cue {
    key: Key,
    event: Event,
    done: bool,
}

/// The replay of a study, as far as it has come.
pub struct Player {
    recorded: Recorded,
    cues: Vec<Cue>,
    /// All before this one are done.
    first: usize,
    /// First verdicts of then, with the scores that they rest on.
    verdicts: BTreeMap<TrialId, (Verdict, Option<f64>)>,
    scores: BTreeMap<TrialId, f64>,
    /// What ended before its turn.
    early: BTreeMap<EffectId, Input>,
    /// Where the study left the recording first.
    left: Option<String>,
    unsaid: VecDeque<String>,
}

impl Player {
    /// Goes on after the facts that the study has already.
    pub fn new<'a>(recorded: Recorded, own: impl IntoIterator<Item = &'a Event>) -> Self {
        let (mut cues, mut verdicts, mut scores) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for event in &recorded.manifest.events {
            if let Event::RunScored { run, trial_score: Some(score), .. } = event {
                scores.insert(run.trial, *score);
            }
            match part::part(event) {
                Part::Played(key) | Part::Awaited(key) => cues.push(Cue { key, event: event.clone(), done: false }),
                Part::Judged(trial, verdict) => {
                    verdicts.entry(trial).or_insert((verdict, scores.get(&trial).copied()));
                }
                Part::Own => {}
            }
        }
        let mut player = Self {
            recorded,
            cues,
            first: 0,
            verdicts,
            scores: BTreeMap::new(),
            early: BTreeMap::new(),
            left: None,
            unsaid: VecDeque::new(),
        };
        own.into_iter().for_each(|event| player.heard(event));
        // The engine before has said it.
        player.unsaid.clear();
        player
    }

    /// A fact is recorded.
    pub fn heard(&mut self, event: &Event) {
        if let Event::RunScored { run, trial_score: Some(score), .. } = event {
            self.scores.insert(run.trial, *score);
        }
        match part::part(event) {
            Part::Played(key) | Part::Awaited(key) => self.done(key, event),
            Part::Judged(trial, verdict) => self.judged(trial, verdict),
            Part::Own => {}
        }
    }

    fn done(&mut self, key: Key, event: &Event) {
        let left = self.cues.iter_mut().skip(self.first);
        let Some(cue) = left.filter(|c| !c.done && c.key == key).find(|c| key != Key::Said || c.event == *event) else { return };
        cue.done = true;
        let tree = |event: &Event| if let Event::Checked { tree, .. } = event { Some(tree.clone()) } else { None };
        let differs = matches!(key, Key::Checked(_)) && tree(&cue.event) != tree(event);
        while self.cues.get(self.first).is_some_and(|c| c.done) {
            self.first += 1;
        }
        if let (Key::Checked(trial), true) = (key, differs) {
            let now = if let Event::Rejected { failure, .. } = event { failure.detail.as_str() } else { "it has another tree" };
            self.differs(format!("{trial} was checked with another result than in {}: {now}", self.study()));
        }
    }

    fn judged(&mut self, trial: TrialId, verdict: Verdict) {
        let Some((then, score)) = self.verdicts.remove(&trial) else { return };
        if then != verdict {
            let with = |score: Option<f64>| score.map_or_else(|| "without a score".to_owned(), |s| format!("with {}", short(s)));
            let (then, now) = (format!("{} {}", then.word(), with(score)), with(self.scores.get(&trial).copied()));
            self.differs(format!("the verdict on {trial} is {} {now} here and was {then} in {}", verdict.word(), self.study()));
        }
    }

    fn differs(&mut self, text: String) {
        self.left.get_or_insert_with(|| text.clone());
        self.unsaid.push_back(format!("{text}; the replay goes on with what was recorded"));
    }

    /// The name of the recorded study.
    fn study(&self) -> String {
        self.recorded.manifest.study.clone()
    }

    /// What follows from the state of a study, of that which a replay decides: not whom to ask, nor an end that was gone beyond.
    pub fn settle(&self, events: Vec<Event>) -> Vec<Event> {
        let goes_on = |e: &Event| matches!(e, Event::StateChanged { state: StudyState::Running, .. });
        match events.as_slice() {
            [Event::ProposalAsked { .. }] => Vec::new(),
            [Event::StateChanged { state: StudyState::Finished, .. }] if self.left().any(|cue| goes_on(&cue.event)) => Vec::new(),
            _ => events,
        }
    }

    fn left(&self) -> impl Iterator<Item = &Cue> {
        self.cues.iter().skip(self.first).filter(|c| !c.done)
    }

    /// Whether an effect is to be at work: agents speak from the recording, others' answers are known, and what was carried over
    /// comes as it was, until the study has left the recording.
    pub fn works(&self, study: &Study, id: EffectId, effect: &Effect) -> bool {
        let agents = |proposal: &ProposalId| study.proposals.get(proposal).is_some_and(|p| p.assignment.is_some());
        let wanted = match effect {
            Effect::Propose { assignment, .. } => assignment.is_some(),
            Effect::Rewrite { proposal, .. } => agents(proposal),
            Effect::Rebase { .. } => self.left.is_some() && part::key_of(id).is_some_and(|key| self.left().all(|c| c.key != key)),
            Effect::Check { .. }
            | Effect::Run { .. }
            | Effect::Evaluate { .. }
            | Effect::Setup { .. }
            | Effect::Prepare { .. }
            | Effect::Label
            | Effect::Unseal => true,
        };
        wanted && !self.early.contains_key(&id)
    }

    /// Keeps what an effect says at its end until its turn has come; gives it back where it has none.
    pub fn keep(&mut self, id: EffectId, input: Input) -> Option<Input> {
        if part::key_of(id).is_none() || matches!(input, Input::Note { .. }) {
            return Some(input);
        }
        self.early.insert(id, input);
        None
    }

    /// What comes next, once nothing follows from the state of the study any more.
    pub fn next(&mut self, study: &Study) -> Turn {
        let wanted = machine::wanted(study);
        self.early.retain(|id, _| wanted.contains_key(id));
        if let Some(text) = self.unsaid.pop_front() {
            return Turn::Record(vec![Event::Noted { warning: true, text }], None);
        }
        // A commit's label changes nothing.
        let idle = |id: EffectId, effect: &Effect| matches!(effect, Effect::Label | Effect::Unseal) || !self.works(study, id, effect);
        let quiet = wanted.iter().all(|(id, effect)| idle(*id, effect));
        loop {
            let ends_itself = study.is_over() || study.stopping.is_some() || study.state == StudyState::Paused;
            let Some(cue) = self.left().next() else {
                return match self.took(|_| quiet) {
                    Some(turn) => turn,
                    None if quiet && !ends_itself => self.end("it was not over when it was read".into()),
                    None => Turn::Wait,
                };
            };
            let (key, event) = (cue.key, cue.event.clone());
            let early = wanted.keys().copied().find(|id| part::key_of(*id) == Some(key));
            let why = match part::part(&event) {
                Part::Awaited(_) => match early.and_then(|id| Some((id, self.early.remove(&id)?))) {
                    Some((id, input)) => return Turn::Take(id, input),
                    None => "it does not come here".to_owned(),
                },
                Part::Played(_) => match part::possible(study, key, &event) {
                    // An agent is heard out first.
                    Ok(()) if early.is_some_and(|id| wanted.get(&id).is_some_and(|e| self.works(study, id, e))) => return Turn::Wait,
                    Ok(()) => return self.play(study, early, &event),
                    Err(why) => why,
                },
                Part::Judged(..) | Part::Own => String::new(),
            };
            if !quiet {
                return Turn::Wait;
            }
            let asks = matches!(event, Event::ProposalAsked { .. } | Event::Proposed { .. });
            // What never came then is taken when nothing else can come; all is, before the study ends.
            let due: Vec<Key> = self.left().map(|c| c.key).collect();
            if let Some(turn) = self.took(|key| asks || ends_itself || !due.contains(&key)) {
                return turn;
            }
            if ends_itself {
                return Turn::Wait;
            }
            if asks {
                return self.end(format!("{} does not fit here: {why}", named(&event)));
            }
            self.pass_over(&event, &why);
        }
    }

    /// The first of what ended early that is meant.
    fn took(&mut self, meant: impl Fn(Key) -> bool) -> Option<Turn> {
        let id = self.early.keys().copied().find(|id| part::key_of(*id).is_some_and(&meant))?;
        self.early.remove(&id).map(|input| Turn::Take(id, input))
    }

    fn play(&mut self, study: &Study, said: Option<EffectId>, event: &Event) -> Turn {
        let body = match self.body(study, event) {
            Ok(body) => body,
            Err(why) => return self.end(why),
        };
        if let (Some(input), Some((proposal, _, draft))) = (said.and_then(|id| self.early.remove(&id)), &body) {
            let same = matches!(&input, Input::Drafted { draft: d, .. } | Input::Redrafted { draft: d, .. } if d.edits == draft.edits);
            if !same {
                crate::engine::log::line(&format!(
                    "the recorded answers of {proposal} give something else here; its edit is taken as it was"
                ));
            }
        }
        Turn::Record(vec![part::here(study, event)], body)
    }

    /// The body that a fact speaks of.
    fn body(&self, study: &Study, event: &Event) -> Result<Option<(ProposalId, u32, Box<Draft>)>, String> {
        let of = |trial: &TrialId| study.trial(*trial).and_then(|t| t.proposal);
        let named = if let Event::Proposed { proposal, .. } = event {
            Some((*proposal, 1))
        } else if let Event::Revised { trial, revision, .. } | Event::Rebased { trial, revision, .. } = event {
            of(trial).map(|proposal| (proposal, *revision))
        } else {
            None
        };
        let Some((proposal, revision)) = named else { return Ok(None) };
        Ok(Some((proposal, revision, Box::new(self.recorded.draft(proposal, revision)?))))
    }

    fn pass_over(&mut self, event: &Event, why: &str) {
        if let Some(cue) = self.cues.iter_mut().skip(self.first).find(|c| !c.done) {
            cue.done = true;
        }
        // One tells of all that follow from it.
        if self.left.is_none() {
            self.differs(format!("{} is passed over: {why}", named(event)));
        }
    }

    fn end(&self, why: String) -> Turn {
        let first = self.left.as_ref().map(|left| format!("; the first difference: {left}")).unwrap_or_default();
        let detail = Some(format!("the recording of {} ends here: {why}{first}", self.study()));
        Turn::Record(vec![Event::StateChanged { state: StudyState::Finished, reason: Some(EndReason::Exhausted), detail }], None)
    }
}

/// A recorded fact in a few words.
fn named(event: &Event) -> String {
    let what = match part::part(event) {
        Part::Played(key) | Part::Awaited(key) => match key {
            Key::Asked(proposal) => format!("the request {proposal}"),
            Key::Answered(proposal) => format!("the answer to {proposal}"),
            Key::Spent(proposal) => format!("the cost of {proposal}"),
            Key::Rewritten(trial) | Key::Edited(trial) => format!("the new revision of {trial}"),
            Key::Moved(trial) => format!("the move of {trial}"),
            Key::Reviewed(trial) | Key::Undone(trial) => format!("the review of {trial}"),
            Key::Checked(trial) => format!("the check of {trial}"),
            Key::Killed(run) | Key::Ended(run) => format!("the end of {run}"),
            Key::Scored(run) => format!("the score of {run}"),
            Key::Said => "a word of the researcher's".to_owned(),
        },
        Part::Judged(trial, _) => format!("the verdict on {trial}"),
        Part::Own => "a fact".to_owned(),
    };
    format!("recorded, {what}")
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
