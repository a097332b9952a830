//! A baseline that failed, where agents can mend it: who is asked, what stands in for it, and when it is given up.

use super::agents::{team, trials};
use super::*;
use crate::model::{Caution, Favour, Noise, Operator, Reviewer};
use crate::search::mend::{self, Mend};

fn world(proposers: &[&str], policy: PolicyName, seed: u64) -> World {
    let proposers = proposers.iter().map(|p| (*p).to_owned()).collect();
    let settings = Settings { agents: Some(Box::new(team())), proposers, policy, limits: trials(12), ..settings() };
    World::new(settings, seed)
}

fn crash() -> Failure {
    Failure::new(Label::Crashed, "NameError: no such thing")
}

/// What came before `mend` crashes.
fn broken_before(world: &mut World, mend: u32) {
    world.score =
        Box::new(
            move |trial, seed| {
                if trial.0 < mend { Err(crash()) } else { Ok(0.5 + f64::from(trial.0 - mend) * 0.02 + (seed % 100) as f64 * 1e-5) }
            },
        );
}

fn at(world: &World, so: impl Fn(&Event) -> bool) -> Option<usize> {
    world.log.iter().position(|r| so(&r.event))
}

#[test]
fn the_first_repair_with_a_score_stands_in_for_the_baseline() {
    for (proposers, policy) in [
        (&["agents"][..], PolicyName::Hillclimb),
        (&["agents"], PolicyName::Greedy),
        (&["agents", "tpe"], PolicyName::Hillclimb),
        (&["tpe", "agents"], PolicyName::Greedy),
    ] {
        for seed in 0..6 {
            let mut world = world(proposers, policy, seed);
            world.score = Box::new(|_, _| Err(crash()));
            // Until the first repair has run.
            while world.study.trials.iter().filter(|t| mend::mends(t) && t.verdict.is_some()).count() < 1 {
                assert!(world.turn(), "{proposers:?} {policy:?} {seed}");
            }
            let first = world.study.trials.iter().find(|t| mend::mends(t)).unwrap().clone();
            assert_eq!((first.operator, &first.parents, first.verdict), (Operator::Debug, &vec![TrialId(0)], Some(Verdict::Revert)));
            assert!(world.study.cautions.contains(&Caution::Mending) && world.study.state == StudyState::Running);
            broken_before(&mut world, first.id.0 + 1);
            world.finish();
            let study = &world.study;
            assert_eq!(study.reason, Some(EndReason::Trials), "{:?}", study.detail);
            let mended = study.reference().unwrap();
            assert_eq!((mended.operator, &mended.parents), (Operator::Debug, &vec![first.id]), "the newest failure was mended");
            assert_eq!((mended.verdict, mended.verified, &mended.comparison), (Some(Verdict::Keep), false, &None));
            assert_eq!(mended.scores().len(), study.settings.baseline_runs as usize, "as many runs as of a baseline");
            assert!(matches!(study.noise, Noise::Measured { .. }));
            // The baseline is what it was.
            let baseline = &study.trials[0];
            assert_eq!((baseline.score, baseline.failure.as_ref().map(|f| f.label)), (None, Some(Label::Crashed)));
            assert_eq!(baseline.tree.as_deref(), Some("tree-0"));
            // Nothing but repairs ran, and agents were asked for nothing else, before.
            let stood_in = at(&world, |e| matches!(e, Event::BaselineMended { .. })).unwrap();
            for record in &world.log[..stood_in] {
                match &record.event {
                    Event::ProposalAsked { operator, assignment: Some(_), .. } => assert_eq!(*operator, Operator::Debug),
                    Event::RunScheduled { run, .. } => {
                        let trial = study.trial(run.trial).unwrap();
                        assert!(trial.id == TrialId::BASELINE || mend::mends(trial), "{}", trial.id);
                    }
                    _ => {}
                }
            }
            // All that ran later builds on it, is compared with it or with what came of it, and its own failures are not mended again.
            for trial in study.trials.iter().filter(|t| t.id > mended.id && !t.runs.is_empty()) {
                assert!(trial.parents[0] >= mended.id, "{} on {:?}", trial.id, trial.parents);
                assert!(trial.comparison.as_ref().is_none_or(|c| c.against >= mended.id && c.n_reference >= 1));
            }
            let best = study.best.as_ref().unwrap();
            assert!(best.trial > mended.id && best.gain > 0.0 && best.gain_interval.is_some());
            let judged = at(&world, |e| matches!(e, Event::Judged { trial, .. } if *trial > mended.id)).unwrap();
            let scored = |r: &Record| matches!(r.event, Event::RunScored { run, .. } if run.trial == mended.id);
            assert!(world.log[..judged].iter().filter(|r| scored(r)).count() >= study.settings.baseline_runs as usize);
            let document = crate::protocol::document::study_document(study, world.now);
            assert_eq!(
                (document.baseline.trial, document.baseline.mends, document.baseline.score),
                (mended.id, Some(TrialId(0)), mended.score)
            );
        }
    }
}

#[test]
fn repairs_that_do_not_help_end_with_what_a_person_can_do() {
    for policy in [PolicyName::Hillclimb, PolicyName::Greedy] {
        let mut world = world(&["agents", "tpe"], policy, 3);
        world.score = Box::new(|_, _| Err(crash()));
        world.finish();
        let study = &world.study;
        assert_eq!((study.state, study.reason), (StudyState::Failed, Some(EndReason::Baseline)));
        let repairs: Vec<_> = study.trials.iter().filter(|t| t.operator == Operator::Debug).collect();
        assert_eq!(repairs.len(), 3);
        assert!(repairs.iter().all(|t| t.failure.is_some()), "each in a row on the one before");
        let detail = study.detail.as_ref().unwrap();
        assert!(detail.contains("3 repairs did not help") && detail.contains("trialdeck log STUDY t0000"), "{detail}");
        // Going on measures the baseline anew, and mends it anew if it must.
        let limits = study.settings.limits;
        world.command(Command::Extend { limits, beyond: false }).unwrap();
        world.finish();
        assert_eq!(world.study.trials.iter().filter(|t| t.operator == Operator::Debug).count(), 6);
        assert_eq!((world.study.state, world.study.reason), (StudyState::Failed, Some(EndReason::Baseline)));
        world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0 % 5) * 0.02 + (seed % 100) as f64 * 1e-5));
        world.command(Command::Extend { limits: trials(20), beyond: false }).unwrap();
        world.finish();
        assert_eq!(
            (world.study.reason, world.study.reference, world.study.trials[0].failure.as_ref()),
            (Some(EndReason::Trials), None, None)
        );
    }
}

#[test]
fn without_anybody_who_mends_the_study_fails_at_once() {
    let off = |w: &mut World| {
        let favour = Favour { role: "debugger".into(), model: None, surface: None, factor: 0.0 };
        w.command(Command::Favour { favour }).unwrap();
    };
    let spent = |w: &mut World| w.study.settings.limits.usd = Some(0.0);
    let samplers = |_: &mut World| ();
    let changes: [&dyn Fn(&mut World); 4] = [&samplers, &off, &off, &spent];
    for (proposers, change) in [vec!["tpe"], vec!["agents"], vec!["agents", "tpe"], vec!["agents"]].iter().zip(changes) {
        let mut world = world(proposers, PolicyName::Hillclimb, 1);
        change(&mut world);
        world.score = Box::new(|_, _| Err(crash()));
        world.finish();
        assert_eq!((world.study.state, world.study.reason), (StudyState::Failed, Some(EndReason::Baseline)), "{proposers:?}");
        assert!(!world.study.proposals.values().any(|p| p.operator == Operator::Debug));
        assert!(world.study.detail.as_ref().unwrap().contains("NameError"));
    }
    // A fault of the machine is nothing that an edit could mend.
    let mut world = world(&["agents"], PolicyName::Hillclimb, 1);
    world.score = Box::new(|_, _| Err(Failure::new(Label::Infrastructure, "no disk")));
    world.finish();
    assert_eq!((world.study.reason, world.study.proposals.len()), (Some(EndReason::Baseline), 0));
}

#[test]
fn answers_that_start_nothing_give_it_up_and_a_server_that_is_away_does_not() {
    // Two models could mend; each gives up once.
    let mut given_up = world(&["agents"], PolicyName::Hillclimb, 1);
    given_up.score = Box::new(|_, _| Err(crash()));
    given_up.draft = Box::new(|_| Err(format!("{GAVE_UP}: it needs a package")));
    given_up.finish();
    assert_eq!((given_up.study.state, given_up.study.reason), (StudyState::Failed, Some(EndReason::Baseline)));
    assert_eq!(given_up.study.proposals.len(), 2);
    assert!(given_up.study.detail.as_ref().unwrap().contains("it needs a package"));

    // A reviewer says no twice; between the two the study waits for their word.
    let mut vetoed = world(&["agents"], PolicyName::Hillclimb, 1);
    vetoed.study.settings.autonomy = Autonomy::Ask;
    vetoed.score = Box::new(|_, _| Err(crash()));
    for n in 1..=2 {
        vetoed.finish();
        assert_eq!(vetoed.study.state, StudyState::Running);
        let waiting = vetoed.study.trials.iter().find(|t| t.status == Status::Waiting).unwrap();
        assert_eq!((waiting.id, mend::baseline(&vetoed.study)), (TrialId(n), Some(Mend::UnderWay)));
        let proposal = waiting.proposal.unwrap();
        vetoed.command(Command::Veto { proposal, reason: "it hides the fault".into(), tree: None }).unwrap();
    }
    vetoed.finish();
    assert_eq!((vetoed.study.state, vetoed.study.reason), (StudyState::Failed, Some(EndReason::Baseline)));
    assert!(vetoed.study.detail.as_ref().unwrap().contains("it hides the fault"), "{:?}", vetoed.study.detail);

    // The server is away for five requests, then answers.
    let mut away = world(&["agents"], PolicyName::Hillclimb, 1);
    away.draft = Box::new(|p| if p.0 <= 5 { Err("503".into()) } else { Ok(draft_of(p)) });
    broken_before(&mut away, 1);
    for _ in 0..20_000 {
        if !away.turn() {
            if away.study.is_over() {
                break;
            }
            away.now = Millis(away.now.0 + 1000);
            away.tell(Input::Settle);
        }
    }
    assert_eq!((away.study.reason, away.study.reference), (Some(EndReason::Trials), Some(TrialId(1))));
}

#[test]
fn a_person_may_mend_it_and_a_pruned_baseline_is_left() {
    let mut world = world(&["agents"], PolicyName::Hillclimb, 1);
    world.study.settings.autonomy = Autonomy::Ask;
    world.score = Box::new(|_, _| Err(crash()));
    world.finish();
    let waiting = world.study.trials[1].proposal.unwrap();
    let draft = Box::new(draft_of(ProposalId(9)));
    world.command(Command::Propose { parent: None, proposer: "researcher".into(), draft, accepted: true }).unwrap();
    broken_before(&mut world, 2);
    world.finish();
    let mended = world.study.reference().unwrap();
    assert_eq!((mended.id, mended.proposer.as_str()), (TrialId(2), "researcher"));
    assert_eq!(mended.scores().len(), 3);
    // The agent's own repair still waits for a word; taken, it runs and is compared like anything else.
    assert_eq!(world.study.trials[1].status, Status::Waiting);
    world.score = Box::new(|_, seed| Ok(0.4 + (seed % 100) as f64 * 1e-5));
    world.command(Command::Accept { proposal: waiting, tree: None }).unwrap();
    world.finish();
    let other = &world.study.trials[1];
    assert_eq!((other.verdict, other.comparison.as_ref().map(|c| c.against)), (Some(Verdict::Revert), Some(TrialId(2))));
    assert!(other.reviews.iter().any(|r| r.by == Reviewer::Human));

    let mut world = self::world(&["agents"], PolicyName::Hillclimb, 1);
    world.study.trials[0].pruned = true;
    world.score = Box::new(|_, _| Err(crash()));
    world.finish();
    assert_eq!(world.study.reason, Some(EndReason::Baseline));
}
