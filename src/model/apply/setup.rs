//! What is known of the environment of the runs: asked for, building, prepared, gone.

use super::*;

pub(super) fn apply_setup(study: &mut Study, at: Millis, event: &Event) {
    if let Event::SetupAsked { wall_secs, prepare } = event {
        study.setup = Some(Setup {
            stage: SetupStage::Wanted,
            prepare: *prepare,
            wall_secs: *wall_secs,
            ended: 0,
            repeats: false,
            hash: None,
            since: None,
            waiting: None,
            seconds: 0.0,
            cached: false,
            failure: None,
            tail: Vec::new(),
        });
    }
    if let Event::SetupPrepared { evaluator: Some(list), .. } = event {
        study.evaluator = Some(list.clone());
    }
    let Some(setup) = study.setup.as_mut() else { return };
    match event {
        Event::SetupStarted { hash, waiting, .. } => {
            setup.stage = SetupStage::Building;
            setup.hash = Some(hash.clone());
            setup.waiting.clone_from(waiting);
            setup.since = Some(at);
            setup.failure = None;
            setup.tail.clear();
        }
        Event::SetupEnded { attempt, seconds, cached, failure, repeat, tail } => {
            setup.ended = *attempt;
            setup.seconds = *seconds;
            setup.cached = *cached;
            setup.waiting = None;
            setup.since = Some(at);
            setup.repeats = *repeat;
            setup.failure.clone_from(failure);
            setup.tail.clone_from(tail);
            setup.stage = match (failure, repeat) {
                (Some(_), true) => SetupStage::Wanted,
                (Some(_), false) => SetupStage::Failed,
                (None, _) if setup.prepare => SetupStage::Preparing,
                (None, _) => SetupStage::Ready,
            };
        }
        Event::SetupPrepared { failure, tail, .. } => {
            setup.failure.clone_from(failure);
            setup.tail.clone_from(tail);
            setup.since = Some(at);
            // What is prepared once is not prepared again.
            setup.prepare = failure.is_some();
            setup.stage = if failure.is_some() { SetupStage::Failed } else { SetupStage::Ready };
        }
        Event::SetupGone { .. } => setup.stage = SetupStage::Wanted,
        _ => {}
    }
}
