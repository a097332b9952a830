//! What was drafted on a node that the search has left, and what counts as fruitless.

use super::*;
use crate::search::{Repair, choose};

/// Three of a sampler's proposals that wait on the baseline, and one that a person handed in for it.
fn desk(seed: u64) -> (World, Vec<TrialId>, TrialId) {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, seed);
    world.finish();
    let samplers: Vec<TrialId> = world.study.trials.iter().filter(|t| t.status == Status::Waiting).map(|t| t.id).collect();
    assert_eq!(samplers.len(), 3);
    let own = hand_in(&mut world, "researcher", None);
    world.finish();
    (world, samplers, own)
}

fn hand_in(world: &mut World, proposer: &str, parent: Option<TrialId>) -> TrialId {
    let draft = Box::new((world.draft)(ProposalId(99)).unwrap());
    let wish = Command::Propose { parent, proposer: proposer.into(), draft, accepted: false };
    world.command(wish).unwrap().trial.unwrap()
}

fn proposal(world: &World, id: TrialId) -> ProposalId {
    world.study.trial(id).unwrap().proposal.unwrap()
}

fn status(world: &World, id: TrialId) -> Status {
    world.study.trial(id).unwrap().status
}

/// Lets a person's better proposal be kept, which moves the incumbent.
fn move_incumbent(world: &mut World, id: TrialId) {
    world.score = Box::new(move |trial, seed| Ok(if trial == id { 0.9 } else { 0.5 } + (seed % 100) as f64 * 1e-5));
    world.command(Command::Accept { proposal: proposal(world, id), tree: None }).unwrap();
    world.finish();
    assert_eq!(world.study.incumbent, id);
}

#[test]
fn a_moved_incumbent_leaves_a_samplers_proposals_behind_and_no_persons() {
    for seed in 0..10 {
        let (mut world, samplers, own) = desk(seed);
        let other = hand_in(&mut world, "researcher", None);
        // The name that a client gives does not make it a sampler's.
        let external = hand_in(&mut world, "knobs/tpe", None);
        world.finish();
        let draft = Box::new((world.draft)(ProposalId(1)).unwrap());
        let edit = Command::Edit { proposal: proposal(&world, samplers[1]), tree: None, draft, accepted: false };
        world.command(edit).unwrap();
        world.finish();
        let fruitless = world.study.fruitless;
        move_incumbent(&mut world, own);
        assert_eq!(status(&world, samplers[0]), Status::Stale, "seed {seed}");
        assert_eq!(status(&world, samplers[1]), Status::Waiting, "a person edited it");
        assert_eq!(status(&world, samplers[2]), Status::Stale);
        assert_eq!((status(&world, other), status(&world, external)), (Status::Waiting, Status::Waiting));
        assert_eq!(world.study.trials_used, 1, "stale ones do not count");
        assert!(world.study.fruitless <= fruitless, "nor as fruitless");
        // Their places are filled by proposals on the new incumbent.
        for id in [other, external] {
            world.command(Command::Veto { proposal: proposal(&world, id), tree: None, reason: "no".into() }).unwrap();
        }
        world.finish();
        let fresh: Vec<_> = world.study.trials.iter().filter(|t| t.proposer == "knobs/tpe" && t.parents == [own]).collect();
        assert!(!fresh.is_empty() && fresh.iter().all(|t| t.status == Status::Waiting), "seed {seed}");
        let reason = world.study.trial(samplers[0]).unwrap().reviews.last().unwrap().reason.clone().unwrap();
        assert!(reason.contains("t0000") && reason.contains(&own.to_string()), "{reason}");
        let refused = world.command(Command::Accept { proposal: proposal(&world, samplers[0]), tree: None }).unwrap_err();
        assert!(refused.contains("stale"), "{refused}");
    }
}

#[test]
fn a_review_taken_back_a_pause_and_greedy_leave_proposals_alone() {
    let (mut world, samplers, own) = desk(2);
    let p = proposal(&world, samplers[0]);
    world.command(Command::Accept { proposal: p, tree: None }).unwrap();
    world.command(Command::Undo { proposal: p }).unwrap();
    world.finish();
    move_incumbent(&mut world, own);
    assert_eq!(status(&world, samplers[0]), Status::Waiting, "a person has looked at it twice");

    let (mut world, samplers, own) = desk(2);
    world.command(Command::Accept { proposal: proposal(&world, own), tree: None }).unwrap();
    world.command(Command::Pause).unwrap();
    world.score = Box::new(move |trial, seed| Ok(if trial == own { 0.9 } else { 0.5 } + (seed % 100) as f64 * 1e-5));
    world.finish();
    world.command(Command::Pin { trial: TrialId::BASELINE, on: true }).unwrap();
    assert_eq!(status(&world, samplers[0]), Status::Waiting, "paused");
    world.command(Command::Unpause).unwrap();
    world.finish();
    assert_eq!((world.study.incumbent, status(&world, samplers[0])), (own, Status::Waiting), "the baseline is pinned");
    // A pin moves the search as an incumbent does, and back again: one fresh set each time, no more.
    world.command(Command::Pin { trial: TrialId::BASELINE, on: false }).unwrap();
    world.finish();
    assert_eq!(status(&world, samplers[0]), Status::Stale);
    let trials = world.study.trials.len();
    for on in [true, false] {
        world.command(Command::Pin { trial: TrialId::BASELINE, on }).unwrap();
        world.finish();
    }
    assert!(world.study.trials.len() <= trials + 2 * (world.study.slots.len() + 1), "{trials} and {}", world.study.trials.len());

    let mut world = World::new(Settings { policy: PolicyName::Greedy, ..settings() }, 1);
    world.finish();
    assert!(world.study.trials.iter().all(|t| t.status != Status::Stale));
}

#[test]
fn nothing_starts_on_a_node_that_the_search_has_left() {
    let mut stale = 0;
    for seed in 0..30 {
        let mut world = World::new(settings(), seed);
        while world.turn() {
            let choice = choose(&world.study, PolicyName::Hillclimb, Repair::Unable, 0);
            let waits = |t: &&Trial| t.id.0 > 0 && t.runs.is_empty() && !t.status.is_final();
            let late = world.study.trials.iter().filter(waits).find(|t| t.parents != choice.parents);
            assert!(world.study.is_over() || world.study.stopping.is_some() || late.is_none(), "seed {seed}: {late:?}");
        }
        stale += world.study.trials.iter().filter(|t| t.status == Status::Stale).count();
        assert_eq!((world.study.trials_used, world.study.reason), (12, Some(EndReason::Trials)), "seed {seed}");
    }
    assert!(stale > 0, "no seed shows it");
}

#[test]
fn a_persons_refused_proposals_do_not_exhaust_the_study() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, 3);
    world.finish();
    world.tree = Box::new(|_, _| "tree-0".into());
    for _ in 0..25 {
        hand_in(&mut world, "researcher", None);
        world.finish();
    }
    let rejected = world.study.trials.iter().filter(|t| t.status == Status::Rejected).count();
    assert_eq!((rejected, world.study.fruitless, world.study.state), (25, 0, StudyState::Running));
}
