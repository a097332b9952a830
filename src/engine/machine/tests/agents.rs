//! Studies that agents propose to, through step and wanted: who is asked, what follows a failure, the ladder, limits, steers.

use super::*;
use crate::model::{Agents, Caution, Decision, Favour, FlagKind, ModelSettings, Operator, Proposal, Quiet, Reviewer, RoleSettings, arms};
use Operator::{Ablate, Crossover, Debug, Draft as Fresh, Improve};

pub(super) fn team() -> Agents {
    let role = |name: &str, surfaces: &[&str], operators: &[Operator]| RoleSettings {
        name: name.into(),
        surfaces: surfaces.iter().map(|s| (*s).to_owned()).collect(),
        operators: operators.to_vec(),
    };
    let usual = [Fresh, Improve, Crossover, Ablate];
    Agents {
        roles: vec![
            role("architecture", &["architecture", "init"], &usual),
            role("debugger", &[], &[Debug]),
            role("generalist", &[], &usual),
            role("optimizer", &["optimizer", "schedule"], &usual),
        ],
        models: vec![ModelSettings { name: "large".into(), priced: true }, ModelSettings { name: "small".into(), priced: true }],
    }
}

fn with(limits: Limits) -> Settings {
    Settings { agents: Some(Box::new(team())), proposers: vec!["agents".into()], limits, ..settings() }
}

pub(super) fn trials(n: u32) -> Limits {
    Limits { trials: Some(n), ..Limits::default() }
}

fn asked(study: &Study) -> Vec<&Proposal> {
    study.proposals.values().filter(|p| p.assignment.is_some()).collect()
}

/// Lets time pass until something is wanted again or the study is over.
fn through(world: &mut World) {
    for _ in 0..20_000 {
        if !world.turn() {
            if world.study.is_over() {
                return;
            }
            world.now = Millis(world.now.0 + 1000);
            world.tell(Input::Settle);
        }
    }
    panic!("the study does not end: {:?}", world.study.open);
}

#[test]
fn sixty_trials_share_the_surfaces_mend_what_fails_and_climb_the_ladder() {
    let (mut debugged, mut detours, mut switched) = (0, 0, 0);
    for seed in 0..10 {
        let mut world = World::new(with(trials(60)), seed);
        // Few gains, and every ninth idea crashes.
        world.score = Box::new(|trial, seed| match trial.0 {
            n if n % 9 == 4 => Err(Failure::new(Label::Crashed, "boom")),
            n => Ok(0.5 + if n > 3 { 0.1 } else { 0.0 } + if n > 12 { 0.1 } else { 0.0 } + (seed % 100) as f64 * 1e-5),
        });
        through(&mut world);
        let study = &world.study;
        assert_eq!((study.reason, study.trials_used), (Some(EndReason::Trials), 60), "seed {seed}");
        let asked = asked(study);
        for surface in ["architecture", "init", "optimizer", "schedule"] {
            let share = asked.iter().filter(|p| p.assignment.as_ref().unwrap().surface.as_deref() == Some(surface)).count();
            assert!(share >= 4, "seed {seed}: {surface} was asked {share} times of {}", asked.len());
        }
        for model in ["large", "small"] {
            assert!(asked.iter().filter(|p| p.assignment.as_ref().unwrap().model == model).count() >= 5, "seed {seed}: {model}");
        }
        assert!(asked.iter().all(|p| !p.assignment.as_ref().unwrap().why.is_empty()));
        // What failed is mended by the debugger, once, in the part of the recipe that it was in.
        let repairs: Vec<_> = asked.iter().filter(|p| p.operator == Debug).collect();
        debugged += repairs.len();
        for repair in repairs {
            let failed = study.trial(repair.parents[0]).unwrap();
            assert!(failed.failure.is_some() && failed.status == Status::Done);
            let assignment = repair.assignment.as_ref().unwrap();
            assert_eq!((assignment.role.as_str(), &assignment.surface), ("debugger", &failed.surface));
            assert!(assignment.why.contains("a repair of"), "{}", assignment.why);
            assert_eq!(asked.iter().filter(|p| p.operator == Debug && p.parents == repair.parents && p.failed.is_none()).count(), 1);
        }
        // After the last gain nothing helps: people are told once, then the track is left, then the surface is forced.
        assert!(study.cautions.contains(&Caution::Flat), "seed {seed}");
        let of = |operator| asked.iter().filter(|p| p.operator == operator).count();
        detours += of(Fresh).min(of(Ablate));
        assert!(of(Fresh) + of(Ablate) >= 3, "seed {seed}: {} drafts, {} ablations", of(Fresh), of(Ablate));
        switched += u32::from(asked.iter().any(|p| p.assignment.as_ref().unwrap().why.contains("least used part")));
        let rows = arms::arms(study);
        assert_eq!(rows.iter().map(|r| r.asked as usize).sum::<usize>(), asked.len());
        assert_eq!(
            rows.iter().map(|r| r.kept).sum::<u32>() as usize,
            study.trials.iter().filter(|t| t.verdict == Some(Verdict::Keep)).count()
        );
    }
    assert!(debugged >= 30 && detours >= 10 && switched >= 5, "{debugged} {detours} {switched}");
}

#[test]
fn a_repair_that_works_is_compared_with_the_incumbent_and_one_that_fails_is_repaired_thrice_at_most() {
    let mut world = World::new(with(trials(40)), 4);
    world.score = Box::new(|_, seed| Ok(0.5 + (seed % 100) as f64 * 1e-5));
    while world.study.trials.len() < 3 {
        world.turn();
    }
    world.score =
        Box::new(
            |trial, seed| {
                if trial.0 == 2 { Err(Failure::new(Label::GateFailed, "12 bytes over")) } else { Ok(0.5 + (seed % 100) as f64 * 1e-5) }
            },
        );
    let child = loop {
        assert!(world.turn());
        let child = world.study.trials.iter().find(|t| t.parents == [TrialId(2)]);
        if let Some(child) = child.filter(|t| t.verdict.is_some()) {
            break child.clone();
        }
    };
    assert_eq!((child.operator, child.comparison.unwrap().against), (Debug, world.study.incumbent));
    // Nothing ever works: chains of repairs end.
    let mut world = World::new(with(trials(40)), 4);
    world.score =
        Box::new(|trial, seed| if trial.0 == 0 { Ok(0.5 + (seed % 100) as f64 * 1e-5) } else { Err(Failure::new(Label::Diverged, "nan")) });
    through(&mut world);
    let study = &world.study;
    let depth = |mut id: TrialId| {
        let mut depth = 0;
        while study.trial(id).unwrap().operator == Debug {
            depth += 1;
            id = study.trial(id).unwrap().parents[0];
        }
        depth
    };
    assert_eq!(study.trials.iter().map(|t| depth(t.id)).max(), Some(3));
    let repairs = study.trials.iter().filter(|t| t.operator == Debug).count();
    assert!(repairs * 2 <= study.trials.len(), "{repairs} of {}", study.trials.len());
}

#[test]
fn agents_and_samplers_take_turns_and_a_dead_server_does_not_stop_the_sampler() {
    let mut world = World::new(Settings { proposers: vec!["agents".into(), "tpe".into()], ..with(trials(20)) }, 2);
    world.finish();
    let of = |w: &World, prefix: &str| w.study.proposals.values().filter(|p| p.proposer.starts_with(prefix)).count();
    let (agents, samplers) = (of(&world, "agents/"), of(&world, "knobs/tpe"));
    assert!(agents >= 8 && samplers >= 8, "{agents} {samplers}");
    // The server is dead: requests are spaced out, the sampler goes on, and the study reaches its limit.
    let mut world = World::new(Settings { proposers: vec!["agents".into(), "tpe".into()], ..with(trials(20)) }, 2);
    let dead: std::rc::Rc<std::cell::RefCell<BTreeSet<ProposalId>>> = Default::default();
    world.draft = Box::new({
        let dead = std::rc::Rc::clone(&dead);
        move |p| if dead.borrow().contains(&p) { Err("connection refused".into()) } else { Ok(draft_of(p)) }
    });
    while !world.study.is_over() {
        dead.borrow_mut().extend(asked(&world.study).iter().map(|p| p.id));
        if !world.turn() {
            world.now = Millis(world.now.0 + 1000);
            world.tell(Input::Settle);
        }
    }
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), 20));
    assert!(of(&world, "agents/") < 12, "{}", of(&world, "agents/"));
}

#[test]
fn agents_that_can_do_nothing_of_what_is_wanted_keep_no_sampler_waiting() {
    let mut world = World::new(Settings { proposers: vec!["agents".into(), "tpe".into()], ..with(trials(6)) }, 2);
    for role in ["architecture", "generalist", "optimizer"] {
        let favour = Favour { role: role.into(), model: None, surface: None, factor: 0.0 };
        world.command(Command::Favour { favour }).unwrap();
    }
    world.finish();
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), 6));
}

#[test]
fn a_server_that_is_dead_for_a_while_costs_no_study_and_one_that_stays_dead_ends_it_after_minutes() {
    let mut world = World::new(with(trials(5)), 3);
    world.draft = Box::new(|_| Err("connection refused".into()));
    through(&mut world);
    assert_eq!(world.study.reason, Some(EndReason::Exhausted));
    assert!(world.study.detail.as_ref().unwrap().contains("connection refused"));
    let times: Vec<i64> = asked(&world.study).iter().map(|p| p.asked.0).collect();
    assert_eq!(times.len(), 20);
    assert!(times[19] - times[0] > 10 * 60_000, "{times:?}");
    // The first answer after the fault makes the waiting forgotten.
    let mut world = World::new(with(trials(5)), 3);
    world.draft = Box::new(|p| if p.0 < 5 { Err("connection refused".into()) } else { Ok(draft_of(p)) });
    through(&mut world);
    assert_eq!((world.study.reason, world.study.faults.in_a_row), (Some(EndReason::Trials), 0));
}

#[test]
fn money_is_warned_of_at_eighty_percent_and_ends_proposing_within_what_was_in_flight() {
    for (limits, seed) in [(Limits { usd: Some(0.05), ..Limits::default() }, 1), (Limits { tokens: Some(5_000), ..Limits::default() }, 2)] {
        let mut world = World::new(with(limits), seed);
        world.spend = Spend { calls: 1, prompt_tokens: 900, completion_tokens: 100, usd: 0.01, ..Spend::default() };
        through(&mut world);
        let study = &world.study;
        assert_eq!((study.state, study.reason), (StudyState::Finished, Some(EndReason::Cost)));
        assert!(study.spend.usd >= 0.05 - 1e-9 && study.spend.usd < 0.05 + 0.04, "{:?}", study.spend);
        assert_eq!(study.trials_used as usize, asked(study).len(), "what was paid for ran");
        let told = |about| world.log.iter().filter(|r| matches!(&r.event, Event::Cautioned { about: a, .. } if *a == about)).count();
        assert_eq!((told(Caution::BudgetNear) <= 1, told(Caution::BudgetSpent)), (true, 1));
        // More money, more proposals.
        let before = asked(study).len();
        world.command(Command::Extend { limits: Limits { usd: Some(0.1), ..Limits::default() }, beyond: false }).unwrap();
        through(&mut world);
        assert!(asked(&world.study).len() > before);
    }
    // Samplers of the same study go on.
    let limits = Limits { usd: Some(0.03), trials: Some(25), ..Limits::default() };
    let mut world = World::new(Settings { proposers: vec!["agents".into(), "tpe".into()], ..with(limits) }, 5);
    world.spend = Spend { calls: 1, usd: 0.01, ..Spend::default() };
    through(&mut world);
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), 25));
    assert!(asked(&world.study).len() <= 6, "{}", asked(&world.study).len());
}

#[test]
fn a_revision_is_written_by_the_same_agent_and_a_wish_for_one_can_be_taken_back() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..with(trials(5)) }, 1);
    world.finish();
    let p = world.study.trials.iter().find(|t| t.status == Status::Waiting).unwrap().proposal.unwrap();
    let revise = |comment: &str| Command::Revise { proposal: p, comment: comment.into() };
    assert!(world.command(revise("  ")).unwrap_err().contains("empty"));
    let tree = world.study.trial_of(p).unwrap().tree.clone();
    world.command(revise("halve the rate")).unwrap();
    let effect = wanted(&world.study).into_iter().find(|(id, _)| matches!(id, EffectId::Rewrite(..))).unwrap().1;
    assert_eq!(effect, Effect::Rewrite { proposal: p, comment: "halve the rate".into() });
    assert!(world.command(Command::Accept { proposal: p, tree: None }).unwrap_err().contains("is being written"));
    world.command(Command::Undo { proposal: p }).unwrap();
    let trial = world.study.trial_of(p).unwrap();
    assert_eq!((trial.status, trial.revision, &trial.tree, &trial.revise), (Status::Waiting, 1, &tree, &None));
    world.command(revise("halve the rate")).unwrap();
    world.finish();
    let trial = world.study.trial_of(p).unwrap();
    assert_eq!((trial.status, trial.revision), (Status::Waiting, 2));
    assert_ne!(trial.tree, tree);
    let said: Vec<_> = trial.reviews.iter().filter(|r| r.decision == Decision::Revise).map(|r| r.reason.as_deref()).collect();
    assert_eq!(said, [Some("halve the rate"); 2]);
    // It has no other: the old one waits, also where nobody is asked.
    world.draft = Box::new(|_| Err("no better idea".into()));
    world.command(revise("again")).unwrap();
    world.command(Command::Autonomy { mode: Autonomy::Auto }).unwrap();
    while wanted(&world.study).keys().any(|id| matches!(id, EffectId::Rewrite(..))) {
        world.turn();
    }
    assert_eq!(world.study.trial_of(p).unwrap().status, Status::Waiting);
    // A sampler cannot be asked.
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, 1);
    world.finish();
    let p = world.study.trials.iter().find(|t| t.status == Status::Waiting).unwrap().proposal.unwrap();
    assert!(world.command(Command::Revise { proposal: p, comment: "more".into() }).unwrap_err().contains("cannot be asked"));
}

#[test]
fn an_idea_becomes_a_proposal_that_is_reviewed_like_any_other() {
    let idea = |to: Option<&str>| Command::Idea { text: "cosine decay".into(), parent: None, to: to.map(Into::into) };
    for (autonomy, end) in [(Autonomy::Ask, Status::Waiting), (Autonomy::Auto, Status::Done)] {
        let mut world = World::new(Settings { autonomy, ..with(trials(4)) }, 1);
        if autonomy == Autonomy::Ask {
            world.finish();
        } else {
            while world.study.trials.len() < 2 {
                world.turn();
            }
        }
        let at_hand = world.study.trials.len();
        let ack = world.command(idea(None)).unwrap();
        let request = world.study.proposals[&ack.proposal.unwrap()].clone();
        let assignment = request.assignment.clone().unwrap();
        assert_eq!(
            (request.proposer.as_str(), assignment.idea.as_deref(), request.requested),
            ("agents/generalist", Some("cosine decay"), false)
        );
        assert_eq!(request.parents, [world.study.incumbent]);
        world.finish();
        assert!(world.study.trials.len() > at_hand);
        let trial = world.study.trial_of(request.id).unwrap();
        assert!(trial.status == end || autonomy == Autonomy::Auto && trial.status == Status::Queued, "{:?}", trial.status);
        // That nothing came of it says nothing of the proposers.
        if autonomy == Autonomy::Ask {
            world.draft = Box::new(|_| Err("no".into()));
            let before = world.study.fruitless;
            let failed = world.command(idea(Some("optimizer"))).unwrap().proposal.unwrap();
            while world.study.asked.contains(&failed) {
                world.turn();
            }
            assert_eq!(world.study.fruitless, before);
            assert!(world.command(idea(Some("nobody"))).unwrap_err().contains("architecture, debugger, generalist, optimizer"));
        }
    }
    let mut world = World::new(settings(), 1);
    assert!(world.command(idea(None)).unwrap_err().contains("--proposer agents"));
}

#[test]
fn steers_favours_and_forbidden_paths_name_what_exists() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..with(trials(30)) }, 1);
    let steer = |to: &str| Command::Steer { text: "smaller".into(), to: Some(to.into()) };
    world.command(steer("optimizer")).unwrap();
    assert!(world.command(steer("optimiser")).unwrap_err().contains("no role `optimiser`"));
    let favour = |role: &str, surface: Option<&str>, factor| Command::Favour {
        favour: Favour { role: role.into(), model: None, surface: surface.map(Into::into), factor },
    };
    assert!(world.command(favour("optimizer", Some("init"), 2.0)).unwrap_err().contains("optimizer, schedule"));
    assert!(world.command(favour("optimizer", None, f64::NAN)).is_err());
    for role in ["generalist", "optimizer"] {
        world.command(favour(role, None, 0.0)).unwrap();
    }
    let before = world.study.proposals.len();
    world.command(Command::Autonomy { mode: Autonomy::Auto }).unwrap();
    world.finish();
    let roles: BTreeSet<&str> = world.study.proposals.values().skip(before).map(|p| p.proposer.as_str()).collect();
    assert!(
        roles.contains("agents/architecture") && !roles.contains("agents/optimizer") && !roles.contains("agents/generalist"),
        "{roles:?}"
    );
    let mut world = World::new(with(trials(3)), 1);
    let forbid = |glob: &str, on| Command::Forbid { glob: glob.into(), on };
    world.command(forbid("models/**", true)).unwrap();
    assert!(world.command(forbid("a[", true)).unwrap_err().contains("no pattern"));
    assert!(world.command(forbid("data", false)).unwrap_err().contains("models/**"));
    world.command(forbid("models/**", false)).unwrap();
    assert!(world.study.forbidden.is_empty());
    assert!(world.command(Command::Proposers { proposers: vec!["tpe".into()] }).is_ok());
    assert_eq!(world.study.settings.proposers, ["tpe"]);
}

#[test]
fn what_waits_is_carried_over_when_the_incumbent_moves_but_never_what_a_person_took_in_hand() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..with(trials(30)) }, 1);
    world.finish();
    let waiting: Vec<_> = world.study.trials.iter().filter(|t| t.status == Status::Waiting).map(|t| t.proposal.unwrap()).collect();
    assert_eq!(waiting.len(), 3);
    // The first is kept; the second was looked at and undone; the third waits untouched.
    world.command(Command::Veto { proposal: waiting[1], tree: None, reason: "no".into() }).unwrap();
    world.command(Command::Undo { proposal: waiting[1] }).unwrap();
    world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0) * 0.1 + (seed % 100) as f64 * 1e-5));
    world.command(Command::Accept { proposal: waiting[0], tree: None }).unwrap();
    world.finish();
    let first = world.study.trial_of(waiting[0]).unwrap().id;
    assert_eq!(world.study.incumbent, first);
    let (second, third) = (world.study.trial_of(waiting[1]).unwrap(), world.study.trial_of(waiting[2]).unwrap());
    assert_eq!((second.parents.as_slice(), second.revision), ([TrialId::BASELINE].as_slice(), 1));
    assert_eq!((third.parents.as_slice(), third.revision, third.status), ([first].as_slice(), 2, Status::Waiting));
    // What does not apply there goes stale, with the reason.
    world.rebase = Box::new(|_| Err("the lines are gone".into()));
    let next = third.proposal.unwrap();
    let other =
        world.study.trials.iter().find(|t| t.status == Status::Waiting && ![waiting[1], next].contains(&t.proposal.unwrap())).unwrap().id;
    world.command(Command::Accept { proposal: next, tree: None }).unwrap();
    world.finish();
    let other = world.study.trial(other).unwrap();
    assert_eq!(other.status, Status::Stale, "{:?}", other.parents);
    let why = other.reviews.last().unwrap();
    assert!(why.by == Reviewer::Rule && why.reason.as_ref().unwrap().contains("the lines are gone"));
}

#[test]
fn a_study_without_a_limit_ends_when_agents_have_tried_for_long() {
    let mut world = World::new(with(Limits::default()), 1);
    world.score = Box::new(|_, seed| Ok(0.5 + (seed % 100) as f64 * 1e-5));
    through(&mut world);
    assert_eq!(world.study.reason, Some(EndReason::Exhausted));
    assert!(world.study.trials_used >= 100 && world.study.detail.as_ref().unwrap().contains("in a row were not kept"));
}

#[test]
fn who_gives_up_is_not_asked_again_until_there_is_news_and_costs_no_time() {
    // Nobody has an idea: each kind is asked once, at once, and the study says why it ends.
    let mut world = World::new(with(trials(30)), 1);
    world.draft = Box::new(|_| Err(format!("{GAVE_UP}: all was tried")));
    world.finish();
    let study = &world.study;
    assert_eq!((study.state, study.reason), (StudyState::Finished, Some(EndReason::Exhausted)));
    assert!(study.detail.as_ref().unwrap().contains("all was tried") && study.detail.as_ref().unwrap().contains("steer"));
    let kinds: BTreeSet<_> =
        asked(study).iter().map(|p| format!("{:?}", p.assignment.as_ref().map(|a| (&a.role, &a.model, &a.surface)))).collect();
    // The first one is asked while the baseline goes on to be measured, which is news.
    assert!((10..=13).contains(&asked(study).len()) && kinds.len() == 10, "{} {}", asked(study).len(), kinds.len());
    assert_eq!((study.faults.in_a_row, study.fruitless), (0, 0));
    // Going on makes them askable again.
    let before = asked(study).len();
    world.command(Command::Extend { limits: trials(40), beyond: false }).unwrap();
    world.finish();
    assert_eq!((asked(&world.study).len() - before, world.study.reason), (10, Some(EndReason::Exhausted)));

    // One has ideas, the others never: they are asked once for each score or verdict, and the study goes on to its limit.
    let mut world = World::new(with(trials(8)), 2);
    world.score = Box::new(|_, seed| Ok(0.5 + (seed % 100) as f64 * 1e-5));
    world.draft = Box::new(|p| if p.0 % 12 == 11 { Ok(draft_of(p)) } else { Err(GAVE_UP.into()) });
    world.finish();
    assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), 8));
    let given_up = asked(&world.study).into_iter().filter(|p| p.gave_up).count();
    assert!(given_up > 20, "more than twenty in all are no end: {given_up}");
}

#[test]
fn a_study_does_not_end_as_exhausted_while_something_is_under_way() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..with(trials(30)) }, 3);
    world.draft = Box::new(|p| if p.0 == 1 { Ok(draft_of(p)) } else { Err(GAVE_UP.into()) });
    world.finish();
    // One waits for a person, nobody else has an idea.
    assert_eq!(world.study.state, StudyState::Running);
    let before = asked(&world.study).len();
    world.now = Millis(world.now.0 + 3_600_000);
    world.tell(Input::Settle);
    assert_eq!(asked(&world.study).len(), before, "nobody is asked twice about the same");
    // A word of the researcher's makes them askable again.
    world.command(Command::Steer { text: "try the rate".into(), to: None }).unwrap();
    world.finish();
    let steered = asked(&world.study).len();
    assert!(steered > before);
    // So does what comes of the trial; then nothing is left, and the study ends.
    let waiting = world.study.trials[1].proposal.unwrap();
    world.command(Command::Accept { proposal: waiting, tree: None }).unwrap();
    world.finish();
    assert!(asked(&world.study).len() > steered && world.study.trials[1].verdict.is_some());
    assert_eq!(world.study.reason, Some(EndReason::Exhausted));
}

#[test]
fn agents_are_asked_once_the_baseline_has_a_score_and_samplers_before() {
    for (proposers, first) in [(vec!["agents"], None), (vec!["agents", "tpe"], Some("knobs/tpe"))] {
        let proposers = proposers.into_iter().map(str::to_owned).collect();
        let mut world = World::new(Settings { proposers, ..with(trials(4)) }, 1);
        let who = |w: &World| w.study.proposals.values().map(|p| p.proposer.clone()).next();
        assert_eq!(who(&world).as_deref(), first);
        through(&mut world);
        let scored = world.log.iter().position(|r| matches!(r.event, Event::RunScored { .. })).unwrap();
        let asked = world.log.iter().position(|r| matches!(&r.event, Event::ProposalAsked { assignment: Some(_), .. })).unwrap();
        assert!(scored < asked);
    }
}

#[test]
fn what_passed_by_rule_and_waits_for_a_slot_is_carried_over_too() {
    let mut world = World::new(with(trials(40)), 7);
    world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0) * 0.1 + (seed % 100) as f64 * 1e-5));
    through(&mut world);
    let rebased: Vec<TrialId> =
        world.log.iter().filter_map(|r| if let Event::Rebased { trial, .. } = r.event { Some(trial) } else { None }).collect();
    let queued = |id: TrialId| {
        let at = world.log.iter().position(|r| matches!(r.event, Event::Rebased { trial, .. } if trial == id)).unwrap();
        let accepts =
            |r: &Record| matches!(r.event, Event::Reviewed { trial, by: Reviewer::Auto, decision: Decision::Accept, .. } if trial == id);
        world.log[..at].iter().any(accepts) && world.log[at..].iter().any(accepts)
    };
    assert!(rebased.iter().any(|id| queued(*id)), "{rebased:?}");
    // Each ran where it was accepted last, with the tree that was accepted.
    for trial in world.study.trials.iter().filter(|t| t.id != TrialId::BASELINE && !t.runs.is_empty()) {
        let accepted = trial.reviews.iter().rev().find(|r| r.decision == Decision::Accept).unwrap().tree.clone().unwrap();
        assert!(trial.runs.iter().all(|r| r.tree == accepted), "{}", trial.id);
    }
}

#[test]
fn kept_siblings_are_crossed_when_nothing_helps_any_more() {
    let mut world = World::new(with(trials(40)), 5);
    // Two gains of the first ones, which run side by side; then nothing.
    world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0.min(3)) * 0.1 + (seed % 100) as f64 * 1e-5));
    world.rebase = Box::new(|_| Err("no".into()));
    through(&mut world);
    let crossed: Vec<_> = asked(&world.study).into_iter().filter(|p| p.operator == Crossover).collect();
    assert!(
        !crossed.is_empty(),
        "{:?}",
        world.study.trials.iter().filter(|t| t.verdict == Some(Verdict::Keep)).map(|t| (t.id, &t.parents)).collect::<Vec<_>>()
    );
    assert!(crossed.iter().all(|p| p.parents.len() == 2));
}

#[test]
fn what_a_rule_refuses_comes_again_in_another_form_twice_at_most() {
    let only_seed = || vec![Flag { flag: FlagKind::Seed, only: true, evidence: "train.py:1".into() }];
    for vetoed in [false, true] {
        let mut world = World::new(with(trials(30)), 6);
        world.score = Box::new(|_, seed| Ok(0.5 + (seed % 100) as f64 * 1e-5));
        if vetoed {
            world.flags = Box::new(move |t| if t.0 == 4 { only_seed() } else { vec![] });
        } else {
            world.refused = Box::new(|t| (t.0 == 4).then(|| Failure::new(Label::OutOfBounds, "`evaluate.py` is protected")));
        }
        through(&mut world);
        let refused = world.study.trial(TrialId(4)).unwrap();
        assert_eq!(refused.status, if vetoed { Status::Vetoed } else { Status::Rejected });
        let whose = world.study.proposals[&refused.proposal.unwrap()].clone();
        let adapts: Vec<_> =
            asked(&world.study).into_iter().filter(|p| p.assignment.as_ref().unwrap().adapts == Some(refused.id)).collect();
        let [adapt] = adapts.as_slice() else { panic!("{adapts:#?}") };
        let (own, theirs) = (adapt.assignment.as_ref().unwrap(), whose.assignment.as_ref().unwrap());
        assert_eq!((&own.role, &own.surface), (&theirs.role, &theirs.surface));
        // On the node that the refused one was carried over to, where it was.
        assert_eq!((adapt.operator, &adapt.parents), (whose.operator, &refused.parents));
        assert!(own.why.contains("a form that is legal"), "{}", own.why);
    }
    // All is refused: chains of adaptations end, and so does the study.
    let mut world = World::new(with(trials(30)), 6);
    world.refused = Box::new(|_| Some(Failure::new(Label::OutOfBounds, "`evaluate.py` is protected")));
    through(&mut world);
    let study = &world.study;
    assert_eq!(study.reason, Some(EndReason::Exhausted));
    let before = |id: TrialId| study.proposals[&study.trial(id).unwrap().proposal.unwrap()].assignment.as_ref().unwrap().adapts;
    let depths = study.trials.iter().skip(1).map(|t| std::iter::successors(before(t.id), |id| before(*id)).count());
    assert_eq!(depths.max(), Some(2));
}

#[test]
fn what_cannot_be_carried_over_comes_again_where_the_search_is_now() {
    let mut world = World::new(with(trials(30)), 6);
    world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0.min(6)) * 0.1 + (seed % 100) as f64 * 1e-5));
    world.rebase = Box::new(|_| Err("the lines are gone".into()));
    through(&mut world);
    let study = &world.study;
    let stale: Vec<&Trial> = study.trials.iter().filter(|t| t.status == Status::Stale).collect();
    assert!(stale.len() >= 2, "{}", stale.len());
    let whose = |t: &Trial| study.proposals[&t.proposal.unwrap()].clone();
    let depth = |t: &Trial| {
        let before = |p: Proposal| p.assignment.as_ref().unwrap().adapts.and_then(|id| study.trial(id));
        std::iter::successors(before(whose(t)), |t| before(whose(t))).count()
    };
    let mut again = 0;
    for left in &stale {
        let adapts: Vec<_> = asked(study).into_iter().filter(|p| p.assignment.as_ref().unwrap().adapts == Some(left.id)).collect();
        assert!(adapts.len() <= 1 && (adapts.is_empty() || depth(left) < 2), "{}: {adapts:#?}", left.id);
        for adapt in adapts {
            let (own, theirs) = (adapt.assignment.as_ref().unwrap(), whose(left));
            assert_eq!((&own.role, adapt.operator), (&theirs.assignment.unwrap().role, theirs.operator));
            // On the node that was the incumbent when it was asked, and not where it was written.
            assert!(adapt.parents != left.parents && own.why.contains("could not be carried over"), "{}", own.why);
            again += 1;
        }
    }
    assert!(again >= 1, "{again} of {}", stale.len());
}

#[test]
fn that_every_agent_is_off_is_said_once_and_again_after_it_changed() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..with(trials(30)) }, 1);
    let favour = |role: &str, factor| Command::Favour { favour: Favour { role: role.into(), model: None, surface: None, factor } };
    let told = |w: &World| w.log.iter().filter(|r| matches!(r.event, Event::Cautioned { about: Caution::TurnedOff, .. })).count();
    for role in ["architecture", "debugger", "generalist"] {
        world.command(favour(role, 0.0)).unwrap();
    }
    assert_eq!((told(&world), arms::quiet(&world.study)), (0, None));
    world.command(favour("optimizer", 0.0)).unwrap();
    world.finish();
    assert_eq!((told(&world), arms::quiet(&world.study)), (1, Some(Quiet::TurnedOff)));
    world.command(favour("optimizer", 1.0)).unwrap();
    world.finish();
    assert_eq!((told(&world), arms::quiet(&world.study)), (1, None));
    world.command(favour("optimizer", 0.0)).unwrap();
    assert_eq!(told(&world), 2);
}
