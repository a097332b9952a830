//! How following a study ended, and the exit code that says so.

use crate::model::{EndReason, Study, StudyState};

/// Why there is nothing more to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The study is over.
    Over,
    /// The engine is gone and the study is not over.
    Lost,
    /// The person has left; the study goes on.
    Detached,
}

/// How following a study ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// Why there is nothing more to follow.
    pub ending: Ending,
    /// How far the study has come.
    pub state: StudyState,
    /// Why it is over.
    pub reason: Option<EndReason>,
    /// A trial was kept that beats the baseline.
    pub improved: bool,
}

impl Finish {
    /// How a study stands.
    pub fn of(study: &Study, ending: Ending) -> Self {
        let improved = study.best.as_ref().is_some_and(|best| best.gain > 0.0);
        Self { ending, state: study.state, reason: study.reason.filter(|_| study.is_over()), improved }
    }
}

/// The exit code: 0 done with an improvement or the target, or detached; 1 failed; 3 no improvement; 4 stopped by the user.
pub fn exit_code(finish: &Finish) -> u8 {
    match (finish.ending, finish.state, finish.reason) {
        (Ending::Detached, ..) => 0,
        (Ending::Lost, ..) | (_, StudyState::Failed, _) => 1,
        (_, _, Some(EndReason::User)) => 4,
        (_, _, Some(EndReason::Target)) => 0,
        (Ending::Over, ..) => {
            if finish.improved {
                0
            } else {
                3
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        use {EndReason as R, Ending as E, StudyState as S};
        for (ending, state, reason, improved, want) in [
            (E::Over, S::Finished, Some(R::Trials), true, 0),
            (E::Over, S::Finished, Some(R::Target), false, 0),
            (E::Over, S::Finished, Some(R::Time), false, 3),
            (E::Over, S::Finished, Some(R::Exhausted), false, 3),
            (E::Over, S::Finished, Some(R::User), true, 4),
            (E::Over, S::Failed, Some(R::Baseline), false, 1),
            (E::Lost, S::Running, None, true, 1),
            (E::Detached, S::Running, None, false, 0),
        ] {
            assert_eq!(exit_code(&Finish { ending, state, reason, improved }), want, "{ending:?} {state:?} {reason:?} {improved}");
        }
    }
}
