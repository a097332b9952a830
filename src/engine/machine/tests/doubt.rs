//! What is flagged before compute, gains that are too good, and whose the seeds are.

use super::*;
use crate::model::{Decision, FlagKind, Reviewer, RunNo};
use crate::protocol::document::trial_document;

/// The trial whose gain is too good.
const ODD: TrialId = TrialId(20);

fn long() -> Settings {
    Settings { limits: Limits { trials: Some(24), ..Limits::default() }, ..settings() }
}

fn usual(trial: TrialId, seed: u64) -> f64 {
    0.5 + f64::from(trial.0 % 5) * 0.002 + (seed % 100) as f64 * 1e-4
}

/// Whether the noise is what the runs show without the odd one.
fn quiet(study: &Study) -> bool {
    matches!(study.noise, crate::model::Noise::Measured { sd, .. } | crate::model::Noise::Given { sd } if sd < 0.01)
}

#[test]
fn a_gain_too_good_is_rerun_and_kept_with_a_mark_when_it_holds_up() {
    for seed in 0..10 {
        let mut world = World::new(long(), seed);
        world.score = Box::new(|trial, seed| Ok(if trial >= ODD { 0.47 } else { 0.0 } + usual(trial, seed)));
        world.finish();
        let odd =
            world.study.trials.iter().find(|t| t.implausible.is_some() && t.verdict == Some(Verdict::Keep)).expect("one is set aside");
        let about: Vec<&Event> = world.log.iter().map(|r| &r.event).filter(|e| e.trial() == Some(odd.id)).collect();
        let at = |what: &dyn Fn(&Event) -> bool| about.iter().position(|e| what(e)).expect("the fact");
        let order = [
            at(&|e| matches!(e, Event::SetAside { .. })),
            at(&|e| matches!(e, Event::Advanced { .. })),
            at(&|e| matches!(e, Event::RunScheduled { kind: RunKind::Confirm, .. })),
            at(&|e| matches!(e, Event::Rerun { held_up: true, .. })),
            at(&|e| matches!(e, Event::Judged { verdict: Verdict::Keep, .. })),
        ];
        assert!(order.is_sorted(), "seed {seed}: {about:#?}");
        assert_eq!(odd.runs.iter().filter(|r| r.kind == RunKind::Confirm).count(), 2, "seed {seed}");
        assert!(world.study.best.as_ref().is_some_and(|b| b.gain > 0.4), "seed {seed}");
        let flag = trial_document(odd).flags.pop().unwrap();
        assert_eq!((flag.flag, flag.only), (FlagKind::Implausible, false));
        assert!(flag.evidence.contains(": held up") && flag.evidence.contains("a person should look"), "{flag:?}");
        assert!(quiet(&world.study), "seed {seed}");
        // What comes after it at its level is no surprise any more; what ran beside it may be.
        let since = odd.times.finished;
        let after = world.study.trials.iter().filter(|t| t.runs.first().is_some_and(|r| Some(r.scheduled) > since));
        assert!(after.clone().all(|t| t.implausible.is_none()), "seed {seed}");
    }
}

#[test]
fn a_lucky_run_does_not_hold_up() {
    let mut aside = 0;
    for (seed, plan) in (0..10).map(|s| (s, NoisePlan::Measure)).chain([(3, NoisePlan::Given { sd: 0.003 })]) {
        let mut world = World::new(Settings { noise: plan, ..long() }, seed);
        let first = crate::search::run_seed(long().seed, ODD, RunNo(1));
        world.score = Box::new(move |trial, seed| Ok(if seed == first { 0.97 } else { usual(trial, seed) }));
        world.finish();
        let odd = world.study.trial(ODD).unwrap();
        // In some orders the search moves on before it runs.
        let Some(implausible) = odd.implausible.as_ref() else {
            assert!(odd.runs.is_empty(), "seed {seed}");
            continue;
        };
        aside += 1;
        assert_eq!((implausible.held_up, odd.verdict, odd.verified), (Some(false), Some(Verdict::Revert), false), "seed {seed}");
        assert!(world.study.incumbent != ODD && world.study.best.as_ref().is_none_or(|b| b.trial != ODD), "seed {seed}");
        assert!(quiet(&world.study), "seed {seed}: one lucky run is no noise: {:?}", world.study.noise);
        assert!(trial_document(odd).flags[0].evidence.contains("did not hold up"));
    }
    assert!(aside > 5, "{aside}");
}

#[test]
fn more_runs_of_a_lucky_trial_do_not_bring_the_lucky_one_back() {
    let mut world = World::new(Settings { limits: Limits::default(), ..long() }, 1);
    let first = crate::search::run_seed(long().seed, ODD, RunNo(1));
    world.score = Box::new(move |trial, seed| Ok(if seed == first { 9.0 } else { usual(trial, seed) }));
    while world.study.trial(ODD).is_none_or(|t| t.verdict.is_none()) {
        assert!(world.turn());
    }
    world.command(Command::Replicate { trial: ODD, runs: 1 }).unwrap();
    let judged = world.study.trial(ODD).unwrap().judged_runs;
    while world.study.trial(ODD).unwrap().judged_runs == judged {
        assert!(world.turn());
    }
    assert_eq!(world.study.trial(ODD).unwrap().verdict, Some(Verdict::Revert));
    assert_ne!(world.study.incumbent, ODD);
}

#[test]
fn the_gains_of_a_usual_study_are_not_doubted() {
    for seed in 0..30 {
        let mut world = World::new(settings(), seed);
        // The first trials gain by far the most: history is short, and that alone is no reason.
        world.score = Box::new(|trial, seed| Ok(0.5 + 0.3 * (1.0 - (-f64::from(trial.0)).exp()) + (seed % 100) as f64 * 1e-4));
        world.finish();
        assert!(world.study.trials.iter().all(|t| t.implausible.is_none()), "seed {seed}");
        assert!(world.study.trials.iter().any(|t| t.verdict == Some(Verdict::Keep)), "seed {seed}");
    }
}

#[test]
fn an_accept_taken_back_takes_the_doubt_back() {
    let mut world = World::new(long(), 2);
    world.score = Box::new(|trial, seed| Ok(if trial == ODD { 0.97 } else { usual(trial, seed) }));
    while world.study.trial(ODD).is_none_or(|t| t.implausible.is_none()) {
        assert!(world.turn());
    }
    world.record(vec![Event::ReviewUndone { trial: ODD }]);
    assert_eq!(world.study.trial(ODD).unwrap().implausible, None);
}

fn flags(kind: FlagKind, only: bool) -> Vec<Flag> {
    vec![Flag { flag: kind, only, evidence: format!("train.py:1 {}", "\"".repeat(900)) }]
}

#[test]
fn an_empty_edit_is_vetoed_before_compute_and_the_rest_runs_flagged() {
    let mut world = World::new(settings(), 1);
    world.flags = Box::new(|trial| match trial.0 % 4 {
        2 => flags(FlagKind::Seed, true),
        3 => flags(FlagKind::Seed, false),
        0 => flags(FlagKind::Split, true),
        _ => vec![],
    });
    world.finish();
    let checked: Vec<&Trial> = world.study.trials.iter().skip(1).filter(|t| t.tree.is_some()).collect();
    for trial in &checked {
        let empty = trial.id.0 % 4 == 2;
        assert_eq!(trial.flags.len(), usize::from(trial.id.0 % 4 != 1), "{}", trial.id);
        assert!(!empty || trial.runs.is_empty() && matches!(trial.status, Status::Vetoed | Status::Stale), "{}", trial.id);
        assert!(empty || trial.status != Status::Vetoed, "{}", trial.id);
    }
    let vetoed = checked.iter().find(|t| t.status == Status::Vetoed).expect("a veto");
    let review = vetoed.reviews.last().unwrap();
    assert_eq!((review.by, review.decision), (Reviewer::Rule, Decision::Veto));
    assert!(review.reason.as_ref().unwrap().contains("only changes the seed"));
    for rest in [3, 0] {
        assert!(checked.iter().any(|t| t.id.0 % 4 == rest && !t.runs.is_empty()), "flagged ones run");
    }
    assert_eq!(world.study.trials_used, 12, "a veto is no trial");
}

#[test]
fn a_person_may_take_the_rules_veto_back() {
    let mut world = World::new(Settings { limits: Limits { trials: Some(1), ..Limits::default() }, ..settings() }, 1);
    world.flags = Box::new(|trial| if trial.0 == 1 { flags(FlagKind::Seed, true) } else { vec![] });
    while world.study.trials.len() < 2 || world.study.trials[1].status != Status::Vetoed {
        assert!(world.turn());
    }
    let proposal = world.study.trials[1].proposal.unwrap();
    world.command(Command::Undo { proposal }).unwrap();
    assert_eq!(world.study.trials[1].status, Status::Waiting);
    world.command(Command::Accept { proposal, tree: None }).unwrap();
    assert!(matches!(world.study.trials[1].status, Status::Queued | Status::Running));
}

#[test]
fn nothing_but_empty_edits_exhausts_the_study() {
    let mut world = World::new(settings(), 1);
    world.flags = Box::new(|_| flags(FlagKind::TimeLimit, true));
    world.finish();
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Exhausted), 0));
}

#[test]
fn seeds_come_from_the_harness_and_fresh_ones_are_fresh() {
    let mut world = World::new(long(), 4);
    let lost = std::cell::Cell::new(0);
    world.score = Box::new(move |trial, seed| {
        lost.set(lost.get() + 1);
        if lost.get() % 9 == 0 { Err(Failure::new(Label::LostSupervisor, "gone")) } else { Ok(usual(trial, seed)) }
    });
    world.finish();
    let mut seen = BTreeSet::new();
    for trial in &world.study.trials {
        for run in &trial.runs {
            let expected = match run.retry_of.and_then(|no| trial.run(no)) {
                Some(before) => before.seed,
                None => crate::search::run_seed(long().seed, trial.id, run.id),
            };
            assert_eq!(run.seed, expected, "{} {}", trial.id, run.id);
            assert!(run.retry_of.is_some() || seen.insert(run.seed), "{} {} runs with a seed that was used", trial.id, run.id);
        }
    }
    assert!(world.study.trials.iter().flat_map(|t| &t.runs).any(|r| r.retry_of.is_some()));
}

#[test]
fn what_was_certain_under_less_noise_is_provisional_under_more() {
    let (mut certain, mut again) = (0, 0);
    for seed in 0..10 {
        let mut world = World::new(long(), seed);
        // The first trials run quietly, those after them do not.
        world.score = Box::new(|trial, seed| {
            let swing = if trial.0 < 4 { 0.002 } else { 0.2 };
            Ok(0.5 + 0.01 * f64::from(trial.0) + swing * ((seed % 100) as f64 / 50.0 - 1.0))
        });
        world.finish();
        let mut before = false;
        for record in &world.log {
            let Event::BestChanged { trial, verified, gain_interval, .. } = &record.event else { continue };
            assert!(!verified || gain_interval.is_none_or(|[low, _]| low > 0.0), "seed {seed}: {trial} {gain_interval:?}");
            certain += u32::from(*verified);
            again += u32::from(before && !verified);
            before = *verified;
        }
    }
    assert!(certain > 0 && again > 0, "{certain} {again}");
}
