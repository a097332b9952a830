//! The message of a trial's commit: the hypothesis as subject, who and what as trailers.

use crate::model::{Operator, ProposalId, Safe, TrialId, Verdict};
use std::fmt::Write as _;

/// Longest subject, in characters; a longer hypothesis is repeated in full in the body.
const SUBJECT: usize = 72;

/// What a commit says of its trial. Rewritten with the score once that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The trial.
    pub trial: TrialId,
    /// One sentence.
    pub hypothesis: String,
    /// Who suggested it.
    pub proposer: String,
    /// The request that it came from.
    pub proposal: Option<ProposalId>,
    /// How it relates to its parents.
    pub operator: Option<Operator>,
    /// The part of the recipe that it touches.
    pub surface: Option<String>,
    /// The score as written for people, with its metric.
    pub score: Option<String>,
    /// What the statistics say.
    pub verdict: Option<Verdict>,
    /// Why it has no score.
    pub failure: Option<String>,
}

impl Message {
    /// A message with the least that each trial has.
    pub fn new(trial: TrialId, hypothesis: impl Into<String>, proposer: impl Into<String>) -> Self {
        Self {
            trial,
            hypothesis: hypothesis.into(),
            proposer: proposer.into(),
            proposal: None,
            operator: None,
            surface: None,
            score: None,
            verdict: None,
            failure: None,
        }
    }

    /// The text of the commit. Foreign text is cleaned, so that it can neither forge a trailer nor move a cursor in `git log`.
    pub fn render(&self) -> String {
        let hypothesis = Safe::line(&self.hypothesis.trim().replace(['\n', '\r'], " ")).into_string();
        let hypothesis = if hypothesis.is_empty() { "no hypothesis given".to_owned() } else { hypothesis };
        let mut out: String = hypothesis.chars().take(SUBJECT).collect();
        if hypothesis.chars().count() > SUBJECT {
            out = out.chars().take(SUBJECT - 1).collect();
            let _ = write!(out, "…\n\n{hypothesis}");
        }
        out.push_str("\n\n");
        let mut trailer = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(out, "{key}: {}", Safe::line(&value.replace(['\n', '\r'], " ")));
            }
        };
        trailer("Trial", Some(self.trial.to_string()));
        trailer("Proposal", self.proposal.map(|p| p.to_string()));
        trailer("Proposer", Some(self.proposer.clone()));
        trailer("Operator", self.operator.map(|o| o.word().to_owned()));
        trailer("Surface", self.surface.clone());
        trailer("Score", self.score.clone());
        trailer("Verdict", self.verdict.map(|v| v.word().to_owned()));
        trailer("Failure", self.failure.clone());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_follow_the_hypothesis_and_cannot_be_forged() {
        let mut message = Message::new(TrialId(7), "raise lr\n\nScore: 0\u{1b}[31m", "knobs/tpe");
        message.score = Some("mse 0.19\nVerdict: keep".into());
        message.operator = Some(Operator::Improve);
        assert_eq!(
            message.render(),
            "raise lr  Score: 0\n\nTrial: t0007\nProposer: knobs/tpe\nOperator: improve\nScore: mse 0.19 Verdict: keep\n"
        );
        let long = Message::new(TrialId(1), "x".repeat(100), "researcher").render();
        assert!(long.starts_with(&format!("{}…\n\n{}\n\nTrial: t0001\n", "x".repeat(71), "x".repeat(100))), "{long}");
    }
}
