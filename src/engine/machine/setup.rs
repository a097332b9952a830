//! The environment of the runs: built before the first of them, tried again once after a hiccup, and the study's end where
//! it cannot be built.

use super::reports::{bounded, cut};
use super::{Effect, EffectId, Input, SetupEnd};
use crate::model::{EndReason, Event, Failure, Label, Setup, SetupStage, Study, StudyState};
use std::collections::BTreeMap;

/// Last lines of a failed setup's log in a fact, and the longest of them, in characters.
const TAIL: (usize, usize) = (8, 180);

/// Whether runs may start as far as the setup goes.
pub(super) fn is_ready(study: &Study) -> bool {
    study.setup.as_ref().is_none_or(|s| s.stage == SetupStage::Ready)
}

/// Ends a study whose setup failed for good.
pub(super) fn settle(study: &Study) -> Vec<Event> {
    let Some(setup) = study.setup.as_ref().filter(|s| s.stage == SetupStage::Failed) else { return Vec::new() };
    // Who stopped the study ended the setup with it.
    if study.stopping.is_some() {
        return Vec::new();
    }
    let detail = setup.failure.as_ref().map(|f| f.detail.clone());
    vec![Event::StateChanged { state: StudyState::Failed, reason: Some(EndReason::Setup), detail }]
}

/// Adds what should be in flight.
pub(super) fn want(study: &Study, wanted: &mut BTreeMap<EffectId, Effect>) {
    let Some(setup) = &study.setup else { return };
    let kill = study.stopping.map(|_| "the study was stopped".to_owned());
    let may_begin = study.state == StudyState::Running && kill.is_none();
    match setup.stage {
        SetupStage::Wanted if !may_begin => {}
        SetupStage::Wanted | SetupStage::Building if !study.is_over() => {
            wanted.insert(EffectId::Setup(setup.attempt()), Effect::Setup { repeats: setup.repeats, kill });
        }
        SetupStage::Preparing if !study.is_over() => {
            wanted.insert(EffectId::Prepare, Effect::Prepare { kill });
        }
        SetupStage::Wanted | SetupStage::Building | SetupStage::Preparing | SetupStage::Ready | SetupStage::Failed => {}
    }
}

/// What the effects report, as facts.
pub(super) fn take(study: &Study, input: Input) -> Vec<Event> {
    let Some(setup) = &study.setup else { return Vec::new() };
    match input {
        Input::SetupStarted { attempt, hash, waiting } if awaited(setup, attempt) => {
            let known = setup.stage == SetupStage::Building && setup.waiting == waiting && setup.hash.as_ref() == Some(&hash);
            if known { Vec::new() } else { vec![Event::SetupStarted { attempt, hash, waiting: waiting.map(|w| cut(&w, TAIL.1)) }] }
        }
        Input::SetupEnded { attempt, end } if awaited(setup, attempt) => {
            let repeat = !setup.repeats && study.stopping.is_none() && end.failure.as_ref().is_some_and(|f| passing(f, end.hiccup));
            let SetupEnd { seconds, cached, failure, tail, .. } = end;
            vec![Event::SetupEnded { attempt, seconds, cached, failure: failure.map(bounded), repeat, tail: last(tail) }]
        }
        Input::SetupPrepared { end } if setup.stage == SetupStage::Preparing => {
            vec![Event::SetupPrepared {
                seconds: end.seconds,
                failure: end.failure.map(bounded),
                tail: last(end.tail),
                evaluator: end.evaluator,
            }]
        }
        Input::SetupGone { detail } if matches!(setup.stage, SetupStage::Preparing | SetupStage::Ready) => {
            vec![Event::SetupGone { detail: cut(&detail, TAIL.1) }]
        }
        _ => Vec::new(),
    }
}

fn awaited(setup: &Setup, attempt: u32) -> bool {
    matches!(setup.stage, SetupStage::Wanted | SetupStage::Building) && setup.attempt() == attempt
}

/// A failure that may be gone at the next attempt.
fn passing(failure: &Failure, hiccup: bool) -> bool {
    hiccup || matches!(failure.label, Label::Infrastructure | Label::LostSupervisor)
}

fn last(tail: Vec<String>) -> Vec<String> {
    let skip = tail.len().saturating_sub(TAIL.0);
    tail.into_iter().skip(skip).map(|line| cut(&line, TAIL.1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::super::{command, step, wanted};
    use super::*;
    use crate::model::{Millis, Record, SlotInfo, apply, create};
    use crate::protocol::Command;

    fn record(study: &mut Study, events: Vec<Event>) {
        for event in events {
            let next = Record { seq: study.seq + 1, at: Millis(study.at.0 + 10), event };
            assert!(serde_json::to_string(&next).unwrap().len() < 4096);
            apply(study, &next);
        }
    }

    fn tell(study: &mut Study, input: Input) {
        let events = step(study, input, study.at);
        record(study, events);
        loop {
            let events = step(study, Input::Settle, study.at);
            if events.is_empty() {
                return;
            }
            record(study, events);
        }
    }

    fn study(prepare: bool) -> Study {
        let first = Event::StudyCreated {
            format: 1,
            study: "s".into(),
            settings: Box::new(settings()),
            commit: "c".into(),
            tree: "t".into(),
            source: String::new(),
            evaluator: None,
        };
        let mut study = create(&Record { seq: 1, at: Millis(0), event: first }).unwrap();
        record(&mut study, vec![Event::SetupAsked { wall_secs: 60.0, prepare }]);
        let slots = vec![SlotInfo { name: "CPU".into(), gpus: vec![], threads: 1 }];
        tell(&mut study, Input::EngineStarted { pid: 1, host: "h".into(), version: "0".into(), slots });
        study
    }

    fn started(attempt: u32) -> Input {
        Input::SetupStarted { attempt, hash: "abc".into(), waiting: None }
    }

    fn failed(attempt: u32, label: Label, hiccup: bool) -> Input {
        let failure = Some(Failure::new(label, "no such package"));
        Input::SetupEnded { attempt, end: SetupEnd { failure, hiccup, tail: vec!["x".repeat(900); 30], ..SetupEnd::default() } }
    }

    fn ids(study: &Study) -> Vec<EffectId> {
        wanted(study).into_keys().collect()
    }

    #[test]
    fn no_run_starts_before_it_is_built_and_prepared() {
        for prepare in [false, true] {
            let mut s = study(prepare);
            assert_eq!(ids(&s), [EffectId::Setup(1)]);
            let waiting = Some("another study builds it".to_owned());
            tell(&mut s, Input::SetupStarted { attempt: 1, hash: "abc".into(), waiting });
            tell(&mut s, started(1));
            let seq = s.seq;
            tell(&mut s, started(1));
            assert_eq!((s.seq, ids(&s)), (seq, vec![EffectId::Setup(1)]), "asking twice is harmless");
            tell(&mut s, Input::SetupEnded { attempt: 1, end: SetupEnd { seconds: 3.0, ..SetupEnd::default() } });
            if prepare {
                assert_eq!(ids(&s), [EffectId::Prepare]);
                assert_eq!(s.trials[0].runs.len(), 0);
                tell(&mut s, Input::SetupPrepared { end: SetupEnd::default() });
            }
            assert_eq!(s.trials[0].runs.len(), 1);
            assert_eq!(s.setup.as_ref().map(|s| (s.stage, s.seconds)), Some((SetupStage::Ready, 3.0)));
            // Its place was emptied meanwhile: it is built again, and not prepared again.
            tell(&mut s, Input::SetupGone { detail: "gone".into() });
            assert!(ids(&s).contains(&EffectId::Setup(2)));
            tell(&mut s, started(2));
            tell(&mut s, Input::SetupEnded { attempt: 2, end: SetupEnd::default() });
            assert!(is_ready(&s));
        }
    }

    #[test]
    fn a_hiccup_is_tried_again_once_and_anything_else_ends_the_study() {
        for (label, hiccup, attempts) in [
            (Label::Crashed, false, 1),
            (Label::TimedOut, false, 1),
            (Label::Crashed, true, 2),
            (Label::LostSupervisor, false, 2),
            (Label::Infrastructure, false, 2),
        ] {
            let mut s = study(false);
            for attempt in 1..=attempts {
                assert_eq!(ids(&s), [EffectId::Setup(attempt)], "{label:?}");
                tell(&mut s, started(attempt));
                tell(&mut s, failed(attempt, label, hiccup));
            }
            assert_eq!((s.state, s.reason), (StudyState::Failed, Some(EndReason::Setup)), "{label:?}");
            assert_eq!(s.detail.as_deref(), Some("no such package"));
            assert_eq!((ids(&s), s.trials[0].runs.len()), (vec![EffectId::Unseal], 0));
            assert_eq!(s.setup.as_ref().map(|s| s.tail.len()), Some(TAIL.0));
            // `resume` tries again, with a repeat of its own.
            let (events, _) = command(&s, Command::Extend { limits: s.settings.limits, beyond: false }, s.at).unwrap();
            record(&mut s, events);
            tell(&mut s, Input::Settle);
            assert_eq!(ids(&s), [EffectId::Setup(attempts + 1)]);
            tell(&mut s, started(attempts + 1));
            tell(&mut s, Input::SetupEnded { attempt: attempts + 1, end: SetupEnd::default() });
            assert_eq!(s.trials[0].runs.len(), 1);
        }
    }

    #[test]
    fn a_stop_ends_it() {
        let mut s = study(false);
        tell(&mut s, started(1));
        let (events, _) = command(&s, Command::Stop { now: false }, s.at).unwrap();
        record(&mut s, events);
        tell(&mut s, Input::Settle);
        assert_eq!(s.state, StudyState::Running, "it is waited for");
        assert!(matches!(wanted(&s).get(&EffectId::Setup(1)), Some(Effect::Setup { kill: Some(_), .. })));
        tell(&mut s, failed(1, Label::Killed, false));
        assert_eq!((s.state, s.reason), (StudyState::Finished, Some(EndReason::User)));
    }
}
