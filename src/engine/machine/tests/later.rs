//! What comes after: a headline whose numbers change, a target that was reached, labels and requests that take long.

use super::*;

/// A study with a best, whose engine has nothing to do; its samplers wait for a person.
fn with_best(target: Option<f64>) -> World {
    let mut world = World::new(Settings { target, limits: Limits::default(), ..settings() }, 4);
    while world.study.best.is_none() {
        assert!(world.turn());
    }
    world.command(Command::Autonomy { mode: Autonomy::Ask }).unwrap();
    world.finish();
    world
}

#[test]
fn the_headline_follows_the_runs_of_the_baseline_and_the_noise() {
    let mut world = with_best(None);
    let before = world.study.best.clone().unwrap();
    world.score = Box::new(|trial, seed| Ok(if trial.0 == 0 { 0.45 } else { 0.5 } + (seed % 100) as f64 * 1e-4));
    let facts = world.log.len();
    world.command(Command::Replicate { trial: TrialId::BASELINE, runs: 3 }).unwrap();
    assert_eq!(world.study.best.as_ref(), Some(&before), "not before the runs have ended");
    world.finish();
    let best = world.study.best.clone().unwrap();
    let baseline = world.study.baseline().unwrap();
    assert_eq!((best.trial, best.score), (before.trial, before.score));
    assert_eq!(best.verified, best.gain_interval.is_some_and(|[low, _]| low > 0.0), "more noise is known now: {best:?}");
    assert!(best.gain > before.gain + 0.01 && best.gain_interval != before.gain_interval, "{before:?} {best:?}");
    assert_eq!(baseline.scores().len(), 6);
    let said = |world: &World| world.log.iter().skip(facts).filter(|r| matches!(r.event, Event::BestChanged { .. })).count();
    let once = said(&world);
    assert!((1..=3).contains(&once), "{once} facts for three runs");
    // Nothing new, nothing said.
    for _ in 0..5 {
        world.tell(Input::Settle);
    }
    assert_eq!(said(&world), once);
}

#[test]
fn a_reached_target_ends_the_study_and_is_lifted_on_a_wish_only() {
    let mut world = World::new(Settings { target: Some(0.55), limits: Limits { trials: Some(40), ..Limits::default() }, ..settings() }, 1);
    world.finish();
    assert_eq!((world.study.state, world.study.reason), (StudyState::Finished, Some(EndReason::Target)));
    let used = world.study.trials_used;
    let more = Limits { trials: Some(used + 4), ..Limits::default() };
    let refused = world.command(Command::Extend { limits: world.study.settings.limits, beyond: false }).unwrap_err();
    assert!(refused.contains("target 0.55") && refused.contains("--trials +20"), "{refused}");
    world.command(Command::Extend { limits: more, beyond: true }).unwrap();
    assert_eq!((world.study.state, world.study.settings.target), (StudyState::Running, None));
    world.finish();
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), used + 4));
    // A target that is out of reach stays.
    let mut world = World::new(Settings { target: Some(0.99), ..settings() }, 1);
    world.finish();
    world.command(Command::Extend { limits: Limits { trials: Some(14), ..Limits::default() }, beyond: true }).unwrap();
    assert_eq!(world.study.settings.target, Some(0.99));
}

#[test]
fn stop_now_ends_an_evaluation_too() {
    let mut world = World::new(settings(), 2);
    let evaluating =
        |w: &World| w.study.runs_in_flight().find(|(id, r)| id.trial.0 > 0 && r.phase == RunPhase::Evaluating).map(|(id, _)| id);
    while evaluating(&world).is_none() {
        assert!(world.turn());
    }
    let run = evaluating(&world).unwrap();
    assert_eq!(wanted(&world.study).get(&EffectId::Evaluate(run)), Some(&Effect::Evaluate { kill: None }));
    world.command(Command::Stop { now: true }).unwrap();
    let killed = Effect::Evaluate { kill: Some("the study was stopped".into()) };
    assert_eq!(wanted(&world.study).get(&EffectId::Evaluate(run)), Some(&killed));
    world.finish();
    let trial = world.study.trial(run.trial).unwrap();
    assert_eq!(trial.run(run.run).unwrap().failure.as_ref().unwrap().label, Label::Killed);
    assert_eq!(world.study.state, StudyState::Finished);
}

#[test]
fn a_verdict_that_comes_while_a_label_is_written_is_written_anew() {
    let mut world = with_best(None);
    let id = world.study.best.as_ref().unwrap().trial;
    let again = |world: &World| Event::Judged {
        trial: id,
        verdict: Verdict::Keep,
        verified: true,
        comparison: world.study.trial(id).unwrap().comparison.clone().map(Box::new),
        failure: None,
    };
    let event = again(&world);
    world.record(vec![event]);
    let read = world.study.seq;
    let event = again(&world);
    world.record(vec![event]);
    world.tell(Input::Labelled { trial: id, commit: "old".into(), basis: read });
    assert!(wanted(&world.study).contains_key(&EffectId::Label(id)), "the second verdict has no label");
    world.tell(Input::Labelled { trial: id, commit: "new".into(), basis: world.study.seq });
    assert!(!wanted(&world.study).contains_key(&EffectId::Label(id)));
    // A fact of an older version has no basis and ends it.
    let event = again(&world);
    world.record(vec![event, Event::CommitLabelled { trial: id, commit: "c".into(), basis: None }]);
    assert!(world.study.unlabelled.is_empty());
}

#[test]
fn a_request_that_takes_long_is_not_forgotten() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, 1);
    while world.study.asked.is_empty() {
        assert!(world.turn());
    }
    let slow = *world.study.asked.first().unwrap();
    for _ in 0..100 {
        let draft = Box::new((world.draft)(slow).unwrap());
        world.command(Command::Propose { parent: None, proposer: "researcher".into(), draft, accepted: false }).unwrap();
    }
    assert!(wanted(&world.study).contains_key(&EffectId::Propose(slow)));
}

#[test]
fn a_stop_during_the_baseline_is_no_failure_of_it() {
    for now in [false, true] {
        let mut world = World::new(Settings { baseline_runs: 1, noise: NoisePlan::Given { sd: 0.01 }, ..settings() }, 2);
        world.command(Command::Stop { now }).unwrap();
        world.finish();
        assert_eq!((world.study.state, world.study.reason), (StudyState::Finished, Some(EndReason::User)), "{:?}", world.study.detail);
        world.command(Command::Extend { limits: world.study.settings.limits, beyond: false }).unwrap();
        world.finish();
        assert_eq!((world.study.reason, world.study.baseline().unwrap().status), (Some(EndReason::Trials), Status::Done), "now {now}");
    }
}

#[test]
fn the_very_artifacts_of_other_code_are_noted_and_cost_nothing() {
    let limits = Limits { trials: Some(3), ..Limits::default() };
    let mut world = World::new(Settings { limits, ..settings() }, 4);
    // The third trial's are those of the baseline's second run, and the runs of one trial are alike.
    world.artifacts = Box::new(|run| match (run.trial.0, run.run.0) {
        (0, 2) | (3, _) => Some("same".into()),
        (trial, _) => Some(format!("of trial {trial}")),
    });
    world.finish();
    let noted = |r: &&Record| matches!(&r.event, Event::Noted { warning: true, text } if text.contains("the very artifacts of"));
    let texts: Vec<String> = world.log.iter().filter(noted).map(|r| format!("{:?}", r.event)).collect();
    assert!(texts.iter().all(|t| t.contains("t0003/run-") && t.contains("t0000/run-2")) && !texts.is_empty(), "{texts:?}");
    let third = world.study.trial(TrialId(3)).unwrap();
    assert!(third.score.is_some() && third.verdict.is_some());
    let same: Vec<_> = world.study.same_artifacts(&third.runs[0].tree, Some("same")).collect();
    assert_eq!(same, [TrialId(0).run(crate::model::RunNo(2))]);
}
