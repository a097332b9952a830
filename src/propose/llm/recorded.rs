//! Models that say again what was recorded: the n-th question of a proposal gets the n-th answer that was given.
//!
//! What is asked is not compared: tools run afresh and clocks differ. Neither network nor key is needed. When the answers of a
//! proposal run out, that is said as a fault that no second try mends.

use super::models::Models;
use super::{Answered, Ask, Fault, FaultKind, Heard, Llm};
use crate::model::conversation::Turn;
use crate::model::{ProposalId, Spend};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// One recorded answer, and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    /// The name of the `[[model]]`.
    pub model: String,
    /// What it answered.
    pub answer: Answered,
}

/// What was answered about each revision of a proposal: of the last attempt at it, for those before it were lost with an engine.
pub fn answers(turns: impl IntoIterator<Item = Turn>) -> BTreeMap<u32, Vec<Spoken>> {
    let mut answers: BTreeMap<u32, Vec<Spoken>> = BTreeMap::new();
    let mut at = 1;
    for turn in turns {
        match turn {
            Turn::Began { revision } => {
                at = revision;
                answers.insert(revision, Vec::new());
            }
            Turn::Answered { model, answer } => answers.entry(at).or_default().push(Spoken { model, answer }),
            Turn::Told { .. } | Turn::Retried { .. } | Turn::Failed { .. } => {}
        }
    }
    answers
}

/// The recording of a study.
pub struct Recording {
    /// The name of the recorded study.
    study: String,
    answers: BTreeMap<(ProposalId, u32), Vec<Spoken>>,
    /// What is still to be said.
    left: Mutex<BTreeMap<ProposalId, Arc<Mutex<VecDeque<Spoken>>>>>,
}

impl Recording {
    /// Of the study of this name, with what was answered about each revision of each proposal.
    pub fn new(study: &str, answers: BTreeMap<(ProposalId, u32), Vec<Spoken>>) -> Self {
        Self { study: study.to_owned(), answers, left: Mutex::new(BTreeMap::new()) }
    }

    fn anew(&self, proposal: ProposalId, revision: u32) {
        let answers = self.answers.get(&(proposal, revision)).cloned().unwrap_or_default();
        self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(proposal, Arc::new(Mutex::new(answers.into())));
    }
}

impl Models for Recording {
    fn begin(&self, proposal: ProposalId, revision: u32) {
        self.anew(proposal, revision);
    }

    fn get(&self, model: &str, proposal: ProposalId) -> Result<Arc<dyn Llm>, String> {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || Arc::new(Mutex::new(self.answers.get(&(proposal, 1)).cloned().unwrap_or_default().into()));
        let left = Arc::clone(all.entry(proposal).or_insert_with(first));
        Ok(Arc::new(Recorded { name: model.to_owned(), proposal, study: self.study.clone(), left }))
    }
}

/// The model of one proposal.
struct Recorded {
    name: String,
    proposal: ProposalId,
    study: String,
    left: Arc<Mutex<VecDeque<Spoken>>>,
}

impl Recorded {
    fn next(&self) -> Result<Answered, Fault> {
        let fault = |line: String| Fault { kind: FaultKind::Setup, line, spend: Spend::default() };
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Self { study, proposal, name, .. } = self;
        match left.pop_front() {
            None => Err(fault(format!("the recording of {study} has no further answer for {proposal}: the replay has left its path"))),
            Some(spoken) if spoken.model != *name => Err(fault(format!(
                "the recording of {study} has an answer of {} for {proposal}, and {name} is asked: the replay has left its path",
                crate::model::Safe::line(&spoken.model)
            ))),
            Some(spoken) => Ok(spoken.answer),
        }
    }
}

/// It has no prices: what was spent is recorded with each answer.
impl Llm for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn ask<'a>(&'a self, _: Ask<'a>, hear: &'a mut (dyn FnMut(Heard<'_>) + Send)) -> BoxFuture<'a, Result<Answered, Fault>> {
        Box::pin(async move {
            let answer = self.next()?;
            if !answer.reasoning.is_empty() {
                hear(Heard::Reasoning(&answer.reasoning));
            }
            if !answer.text.is_empty() {
                hear(Heard::Text(&answer.text));
            }
            answer.calls.iter().for_each(|call| hear(Heard::Calling(&call.name)));
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conversation::Finish;

    fn answered(text: &str) -> Answered {
        let spend = Spend { calls: 1, usd: 0.5, ..Spend::default() };
        Answered {
            text: text.into(),
            reasoning: "why not".into(),
            calls: Vec::new(),
            opaque: Vec::new(),
            finish: Finish::Stop,
            spend,
            first_token_secs: None,
        }
    }

    fn turn(text: &str) -> Turn {
        Turn::Answered { model: "small".into(), answer: answered(text) }
    }

    async fn asked(llm: &dyn Llm) -> Result<(String, Vec<String>), String> {
        let mut heard = Vec::new();
        let mut hear = |piece: Heard<'_>| heard.push(format!("{piece:?}"));
        let answer = llm.ask(Ask { messages: &[], tools: &[], max_tokens: None }, &mut hear).await;
        answer.map(|a| (a.text, heard)).map_err(|fault| format!("{:?}: {}", fault.kind, fault.line))
    }

    #[tokio::test]
    async fn answers_come_in_their_order_and_run_out_with_a_word() {
        let turns = [
            Turn::Began { revision: 1 },
            turn("lost with the engine"),
            Turn::Began { revision: 1 },
            turn("one"),
            turn("two"),
            Turn::Began { revision: 2 },
            turn("three"),
        ];
        let (p, other) = (ProposalId(4), ProposalId(5));
        let all = answers(turns).into_iter().map(|(revision, spoken)| ((p, revision), spoken)).collect();
        let recording = Recording::new("first", all);
        let llm = recording.get("small", p).unwrap();
        let (text, heard) = asked(&*llm).await.unwrap();
        assert_eq!((text.as_str(), heard.len()), ("one", 2));
        let again = recording.get("small", p).unwrap();
        assert_eq!(asked(&*again).await.unwrap().0, "two", "the place is the proposal's");
        assert_eq!(
            asked(&*llm).await.unwrap_err(),
            "Setup: the recording of first has no further answer for p0004: the replay has left its path"
        );
        recording.begin(p, 1);
        assert_eq!(asked(&*recording.get("small", p).unwrap()).await.unwrap().0, "one", "an engine asks again");
        recording.begin(p, 2);
        assert!(
            asked(&*recording.get("large", p).unwrap()).await.unwrap_err().contains("has an answer of small for p0004, and large is asked")
        );
        assert!(asked(&*recording.get("small", other).unwrap()).await.unwrap_err().contains("no further answer for p0005"));
    }

    #[test]
    fn a_model_that_is_gone_is_told() {
        let why = |fixed: Fixed| fixed.get("large", ProposalId(1)).err().unwrap();
        use crate::propose::llm::models::Fixed;
        assert!(why(Fixed(Vec::new())).contains("add a [[model]]"));
        let recording = Recording::new("first", BTreeMap::new());
        let small = recording.get("small", ProposalId(1)).unwrap();
        assert!(why(Fixed(vec![Arc::clone(&small)])).ends_with("the configuration has small"));
        assert!(Fixed(vec![small]).get("small", ProposalId(1)).is_ok());
    }
}
