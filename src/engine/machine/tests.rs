//! The machine against a simulated world: every wanted effect is answered, in an order drawn from a seed.

mod agents;
mod attack;
mod doubt;
mod later;
mod left_behind;
mod mending;

use super::*;
use crate::model::{
    Autonomy, EndReason, Goal, Label, Limits, NoisePlan, PolicyName, Record, Settings, StudyState, Trial, Verdict, apply, create, sample,
};
use std::collections::BTreeSet;

pub(super) fn settings() -> Settings {
    Settings {
        task: "quickstart".into(),
        title: "Quickstart".into(),
        metric: "accuracy".into(),
        goal: Goal::Maximize,
        has_holdout: true,
        seed: 1,
        limits: Limits { trials: Some(12), ..Limits::default() },
        wall_secs: 20.0,
        ..sample::settings()
    }
}

fn draft_of(proposal: ProposalId) -> Draft {
    Draft {
        hypothesis: format!("idea {proposal}"),
        surface: None,
        expected: None,
        edits: vec![],
        knobs: BTreeMap::new(),
        reasoning: String::new(),
    }
}

/// How a draft's error begins that means: no idea worth a run.
pub(super) const GAVE_UP: &str = "I give up";

/// A study and the world around it.
struct World {
    study: Study,
    log: Vec<Record>,
    now: Millis,
    rng: fastrand::Rng,
    /// Score of a run, or its failure, from the trial and the run's seed.
    score: Box<dyn Fn(TrialId, u64) -> Result<f64, Failure>>,
    /// Tree of a trial's revision.
    tree: Box<dyn Fn(TrialId, u32) -> String>,
    /// Draft of a request.
    draft: Box<dyn Fn(ProposalId) -> Result<Draft, String>>,
    /// A draft that is carried over to another node.
    rebase: Box<dyn Fn(ProposalId) -> Result<Draft, String>>,
    /// What an answer of an agent costs.
    spend: Spend,
    /// Flags of a trial's edit.
    flags: Box<dyn Fn(TrialId) -> Vec<Flag>>,
    /// Why a trial's edits are refused before it runs.
    refused: Box<dyn Fn(TrialId) -> Option<Failure>>,
    /// Hash of a run's artifacts.
    artifacts: Box<dyn Fn(RunId) -> Option<String>>,
    ran: BTreeSet<RunId>,
}

impl World {
    fn new(settings: Settings, seed: u64) -> Self {
        let now = Millis(1_000_000);
        let event = Event::StudyCreated {
            format: crate::model::FORMAT,
            study: "s".into(),
            settings: Box::new(settings),
            commit: "c0".into(),
            tree: "tree-0".into(),
            source: "here".into(),
            evaluator: None,
        };
        let first = Record { seq: 1, at: now, event };
        let study = create(&first).unwrap();
        let mut world = Self {
            study,
            log: vec![first],
            now,
            rng: fastrand::Rng::with_seed(seed),
            score: Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0 % 5) * 0.02 + (seed % 100) as f64 * 1e-5)),
            tree: Box::new(|trial, revision| format!("tree-{}-{revision}", trial.0)),
            draft: Box::new(|p| Ok(draft_of(p))),
            rebase: Box::new(|p| Ok(draft_of(p))),
            spend: Spend::default(),
            flags: Box::new(|_| vec![]),
            refused: Box::new(|_| None),
            artifacts: Box::new(|_| None),
            ran: BTreeSet::new(),
        };
        let slots = (0..2).map(|i| SlotInfo { name: format!("CPU {i}"), gpus: vec![], threads: 1 }).collect();
        world.tell(Input::EngineStarted { pid: 1, host: "h".into(), version: "0".into(), slots });
        world
    }

    fn record(&mut self, events: Vec<Event>) {
        for event in events {
            let record = Record { seq: self.study.seq + 1, at: self.now, event };
            let line = serde_json::to_string(&record).unwrap();
            assert!(line.len() < 4096, "an event of {} bytes", line.len());
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
            apply(&mut self.study, &record);
            self.log.push(record);
        }
    }

    fn tell(&mut self, input: Input) {
        let events = step(&self.study, input, self.now);
        self.record(events);
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            let events = step(&self.study, Input::Settle, self.now);
            if events.is_empty() {
                return;
            }
            self.record(events);
        }
        panic!("settling does not end");
    }

    fn command(&mut self, wish: Command) -> Result<Ack, String> {
        let (events, ack) = command(&self.study, wish, self.now)?;
        self.record(events);
        self.tell(Input::Settle);
        Ok(ack)
    }

    /// Answers one wanted effect, drawn at random; false when nothing is wanted.
    fn turn(&mut self) -> bool {
        self.now = Millis(self.now.0 + 100);
        let wanted: Vec<(EffectId, Effect)> = wanted(&self.study).into_iter().collect();
        if wanted.is_empty() {
            return false;
        }
        let (id, effect) = wanted[self.rng.usize(..wanted.len())].clone();
        let input = match (id, effect) {
            (EffectId::Propose(proposal), Effect::Propose { assignment, .. }) => {
                if assignment.is_some() && !self.spend.is_nothing() {
                    self.tell(Input::Spent { proposal, spend: self.spend });
                }
                match (self.draft)(proposal) {
                    Ok(draft) => {
                        let surface = assignment.and_then(|a| a.surface).or(draft.surface);
                        Input::Drafted { proposal, draft: Box::new(Draft { surface, ..draft }), basis: self.study.seq }
                    }
                    Err(detail) => Input::NoDraft { proposal, gave_up: detail.starts_with(GAVE_UP), detail },
                }
            }
            (EffectId::Check(trial, revision), _) => {
                let tree = (self.tree)(trial, revision);
                let checked = CheckedTree {
                    commit: format!("c-{trial}-{revision}"),
                    tree,
                    diff: DiffStat::default(),
                    surface: None,
                    flags: (self.flags)(trial),
                };
                let result = (self.refused)(trial).map_or(Ok(checked), Err);
                Input::Checked { trial, revision, result }
            }
            (EffectId::Run(run), Effect::Run { kill, seed, .. }) => {
                let failure = match kill {
                    Some(why) => Some(Failure::new(Label::Killed, why)),
                    None => (self.score)(run.trial, seed).err(),
                };
                self.tell(Input::Started { run, pid: 7 });
                self.ran.insert(run);
                Input::Ended { run, seconds: 2.0, peak_memory_bytes: 1, self_reported: None, failure, artifacts: (self.artifacts)(run) }
            }
            (EffectId::Evaluate(run), Effect::Evaluate { kill }) => {
                let seed = self.study.trial(run.trial).unwrap().run(run.run).unwrap().seed;
                let result = match kill {
                    Some(why) => Err(Failure::new(Label::Killed, why)),
                    None => (self.score)(run.trial, seed),
                };
                Input::Scored { run, result, metrics: BTreeMap::new(), gates: vec![] }
            }
            (EffectId::Rewrite(trial, revision), Effect::Rewrite { proposal, .. }) => match (self.draft)(proposal) {
                Ok(draft) => Input::Redrafted { trial, revision, draft: Box::new(draft) },
                Err(detail) => Input::NotRedrafted { trial, revision, detail },
            },
            (EffectId::Rebase(trial, revision), Effect::Rebase { proposal, parents, .. }) => {
                Input::Rebased { trial, revision, parents, result: (self.rebase)(proposal).map(Box::new) }
            }
            (EffectId::Label(trial), _) => Input::Labelled { trial, commit: format!("l-{trial}"), basis: self.study.seq },
            (EffectId::Unseal, _) => Input::Unsealed { holdout: BTreeMap::from([(TrialId(0), 0.4)]) },
            (id, effect) => panic!("{id:?} with {effect:?}"),
        };
        self.tell(input);
        true
    }

    fn finish(&mut self) {
        for _ in 0..5_000 {
            if !self.turn() {
                return;
            }
        }
        panic!("the study does not end");
    }
}

#[test]
fn a_study_ends_at_its_limit_with_a_certified_best_whatever_the_order() {
    for seed in 0..30 {
        let mut world = World::new(settings(), seed);
        world.finish();
        let study = &world.study;
        assert_eq!((study.state, study.reason), (StudyState::Finished, Some(EndReason::Trials)), "seed {seed}");
        assert_eq!(study.trials_used, 12);
        assert_eq!(study.trials[0].runs.len(), 3);
        let best = study.best.as_ref().expect("a best");
        assert!(best.gain > 0.05 && best.verified, "seed {seed}: {best:?}");
        assert!(best.gain_interval.unwrap()[0] > 0.0);
        let through = |t: &Trial| t.status == Status::Stale && t.runs.is_empty() || t.status == Status::Done && t.verdict.is_some();
        assert!(study.trials.iter().skip(1).all(through), "seed {seed}");
        assert!(study.unlabelled.is_empty() && study.unsealed);
        // Replay of the same facts gives the same study.
        let mut again = create(&world.log[0]).unwrap();
        world.log[1..].iter().for_each(|r| apply(&mut again, r));
        assert_eq!(&again, study);
    }
}

#[test]
fn under_ask_nothing_runs_unseen() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, 3);
    world.finish();
    assert_eq!(world.study.trials_used, 0);
    let waiting: Vec<_> = world.study.trials.iter().filter(|t| t.status == Status::Waiting).map(|t| t.proposal.unwrap()).collect();
    assert_eq!(waiting.len(), 3, "one more than there are slots");
    // A wrong tree is refused, the right one taken, a second accept changes nothing.
    assert!(world.command(Command::Accept { proposal: waiting[0], tree: Some("tree-9-9".into()) }).is_err());
    let tree = world.study.trial_of(waiting[0]).unwrap().tree.clone();
    world.command(Command::Accept { proposal: waiting[0], tree: tree.clone() }).unwrap();
    let seq = world.study.seq;
    world.command(Command::Accept { proposal: waiting[0], tree }).unwrap();
    assert_eq!(world.study.seq, seq);
    world.command(Command::Veto { proposal: waiting[1], tree: None, reason: "no".into() }).unwrap();
    let draft = (world.draft)(waiting[2]).unwrap();
    world.command(Command::Edit { proposal: waiting[2], tree: None, draft: Box::new(draft), accepted: true }).unwrap();
    world.finish();
    let verdicts: Vec<_> = waiting.iter().map(|p| world.study.trial_of(*p).unwrap()).collect();
    assert!(verdicts[0].verdict.is_some());
    assert!(verdicts[1].status == Status::Vetoed && verdicts[1].runs.is_empty());
    assert!(verdicts[2].runs.iter().all(|r| r.tree == format!("tree-{}-2", verdicts[2].id.0)) && !verdicts[2].runs.is_empty());
}

#[test]
fn an_accept_can_be_taken_back_and_its_run_does_not_count() {
    let mut world = World::new(Settings { autonomy: Autonomy::Ask, ..settings() }, 5);
    world.finish();
    let p = world.study.trials.iter().find(|t| t.status == Status::Waiting).unwrap().proposal.unwrap();
    world.command(Command::Accept { proposal: p, tree: None }).unwrap();
    assert_eq!(world.study.trial_of(p).unwrap().status, Status::Running);
    world.command(Command::Undo { proposal: p }).unwrap();
    world.finish();
    let trial = world.study.trial_of(p).unwrap();
    assert_eq!((trial.status, trial.verdict), (Status::Waiting, None));
    assert_eq!(trial.runs[0].failure.as_ref().unwrap().label, Label::Killed);
    world.command(Command::Accept { proposal: p, tree: None }).unwrap();
    world.finish();
    let trial = world.study.trial_of(p).unwrap();
    assert!(trial.verdict.is_some() && trial.runs.len() > 1);
    assert_eq!(world.study.trials_used, 1);
}

#[test]
fn failures_are_data_and_the_machines_fault_is_tried_again() {
    let mut world = World::new(settings(), 1);
    let lost = std::cell::Cell::new(false);
    world.score = Box::new(move |trial, seed| match trial.0 {
        1 => Err(Failure::new(Label::Crashed, "ValueError: no")),
        2 if !lost.replace(true) => Err(Failure::new(Label::LostSupervisor, "the shim vanished")),
        _ => Ok(0.5 + (seed % 7) as f64 * 1e-3),
    });
    world.finish();
    let (crashed, retried) = (&world.study.trials[1], &world.study.trials[2]);
    assert_eq!((crashed.verdict, crashed.runs.len()), (Some(Verdict::Revert), 1));
    assert_eq!(crashed.failure.as_ref().unwrap().label, Label::Crashed);
    assert_eq!(retried.runs[1].retry_of, Some(retried.runs[0].id));
    assert_eq!(retried.runs[1].seed, retried.runs[0].seed);
    assert!(retried.verdict.is_some() && retried.score.is_some());
}

#[test]
fn a_baseline_that_always_fails_fails_the_study() {
    let mut world = World::new(settings(), 1);
    world.score = Box::new(|_, _| Err(Failure::new(Label::Crashed, "no such file")));
    world.finish();
    assert_eq!((world.study.state, world.study.reason), (StudyState::Failed, Some(EndReason::Baseline)));
    assert!(world.study.detail.as_ref().unwrap().contains("no such file"));
    let baseline = &world.study.trials[0];
    assert_eq!((baseline.status, baseline.score, baseline.verdict), (Status::Done, None, None));
    assert_eq!(baseline.failure.as_ref().unwrap().detail, "no such file");
    assert!(baseline.times.finished.is_some() && !world.study.open.contains(&baseline.id));
}

#[test]
fn going_on_after_a_failed_baseline_tries_it_again() {
    for label in [Label::Crashed, Label::Infrastructure] {
        let mut world = World::new(settings(), 1);
        world.score = Box::new(move |_, _| Err(Failure::new(label, "no such file")));
        world.finish();
        // Not mended yet: it fails again, after new runs with new seeds.
        let runs = |world: &World| world.study.trials[0].runs.len();
        let first = runs(&world);
        let limits = world.study.settings.limits;
        let go_on = Command::Extend { limits, beyond: false };
        world.command(go_on.clone()).unwrap();
        assert_eq!(world.study.trials[0].status, Status::Running);
        world.finish();
        assert_eq!((runs(&world), world.study.reason), (2 * first, Some(EndReason::Baseline)), "{label:?}");
        world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0 % 5) * 0.02 + (seed % 100) as f64 * 1e-5));
        world.command(go_on).unwrap();
        world.finish();
        let baseline = &world.study.trials[0];
        assert_eq!((baseline.failure.as_ref(), baseline.scores().len()), (None, world.study.settings.baseline_runs as usize));
        assert_eq!((world.study.reason, world.study.trials_used), (Some(EndReason::Trials), 12));
        let seeds: BTreeSet<u64> = baseline.runs.iter().filter(|r| r.retry_of.is_none()).map(|r| r.seed).collect();
        assert_eq!(seeds.len(), baseline.runs.iter().filter(|r| r.retry_of.is_none()).count());
    }
}

#[test]
fn with_its_only_keep_rolled_back_a_study_has_no_best() {
    let mut world = World::new(Settings { limits: Limits::default(), proposers: vec!["researcher".into()], ..settings() }, 1);
    let scored = |gain: f64| move |trial: TrialId, seed: u64| Ok(0.5 + f64::from(trial.0) * gain + (seed % 100) as f64 * 1e-4);
    // Good while it is chosen, bad when it is run again.
    world.score = Box::new(scored(0.02));
    let draft = Box::new((world.draft)(ProposalId(1)).unwrap());
    world.command(Command::Propose { parent: None, proposer: "researcher".into(), draft, accepted: true }).unwrap();
    world.finish();
    assert_eq!(world.study.incumbent, TrialId(1));
    world.score = Box::new(scored(-0.05));
    world.command(Command::Replicate { trial: TrialId(1), runs: 3 }).unwrap();
    world.finish();
    let study = &world.study;
    assert_eq!(study.trials[1].verdict, Some(Verdict::RolledBack));
    assert_eq!((study.best.as_ref(), study.incumbent), (None, TrialId::BASELINE));
    assert!(matches!(study.noise, crate::model::Noise::Measured { .. }));
    // The ref of the best follows to the baseline.
    let told = world.log.iter().rev().find(|r| matches!(r.event, Event::BestChanged { .. })).map(|r| r.event.trial());
    assert_eq!(told, Some(Some(TrialId::BASELINE)));
}

#[test]
fn a_seed_without_effect_leaves_gains_undecided_until_min_effect_is_given() {
    for (min_effect, want) in [(None, Verdict::Undecided), (Some(0.01), Verdict::Keep)] {
        let mut world = World::new(Settings { min_effect, ..settings() }, 1);
        world.score = Box::new(|trial, _| Ok(if trial.0 == 3 { 0.6 } else { 0.5 }));
        world.finish();
        assert_eq!(world.study.trials[3].verdict, Some(want), "{min_effect:?}");
        assert!(world.study.best.as_ref().is_none_or(|b| !b.verified));
        assert!(world.study.notes.iter().any(|n| n.text.contains("noise is unknown")));
    }
}

#[test]
fn nothing_to_propose_exhausts_the_study() {
    let mut world = World::new(settings(), 1);
    world.draft = Box::new(|_| Err("no knobs found".into()));
    world.finish();
    assert_eq!(world.study.reason, Some(EndReason::Exhausted));
    assert!(world.study.detail.as_ref().unwrap().contains("no knobs found"));
    assert_eq!(world.study.trials_used, 0);
}

#[test]
fn stop_waits_for_runs_and_stop_now_kills_them() {
    for now in [false, true] {
        let mut world = World::new(settings(), 2);
        while world.study.runs_in_flight().count() < 2 {
            world.turn();
        }
        world.command(Command::Stop { now }).unwrap();
        world.finish();
        assert_eq!((world.study.state, world.study.reason), (StudyState::Finished, Some(EndReason::User)));
        let killed = world.study.trials.iter().flat_map(|t| &t.runs).filter(|r| r.failure.is_some()).count();
        assert_eq!(killed > 0, now);
        // Going on is one command.
        world.command(Command::Extend { limits: Limits { trials: Some(3), ..Limits::default() }, beyond: false }).unwrap();
        assert_eq!(world.study.state, StudyState::Running);
    }
}

#[test]
fn the_same_tree_is_not_run_twice() {
    let mut world = World::new(settings(), 2);
    world.tree = Box::new(|trial, _| format!("tree-x{}", trial.0 % 3));
    world.finish();
    let rejected = world.study.trials.iter().filter(|t| t.status == Status::Rejected).count();
    assert!(rejected >= 20, "{rejected}");
    assert_eq!(world.study.trials_used, 3);
    assert_eq!(world.study.reason, Some(EndReason::Exhausted));
}

#[test]
fn fresh_runs_of_a_decided_trial_are_judged_before_the_study_ends() {
    let mut certified = 0;
    for seed in 0..30 {
        let mut world = World::new(settings(), seed);
        world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0) * 0.004 + (seed % 100) as f64 * 4e-4));
        world.finish();
        for trial in world.study.trials.iter().filter(|t| t.comparison.is_some()) {
            assert_eq!(trial.judged_runs as usize, trial.scores().len(), "seed {seed}: {}", trial.id);
            certified += trial.runs.iter().filter(|r| r.kind == RunKind::Certify).count();
        }
    }
    assert!(certified > 0, "no trial was certified");
    // The same on a person's wish.
    let mut world = World::new(Settings { limits: Limits::default(), ..settings() }, 1);
    while world.study.trials.iter().all(|t| t.verdict.is_none()) {
        world.turn();
    }
    let id = world.study.trials.iter().find(|t| t.verdict.is_some()).unwrap().id;
    world.command(Command::Replicate { trial: id, runs: 2 }).unwrap();
    let judged = |w: &World| w.study.trial(id).unwrap().judged_runs;
    let before = judged(&world);
    while judged(&world) < before + 2 {
        assert!(world.turn(), "the replicates are never judged");
    }
}

#[test]
fn an_accept_taken_back_after_the_screen_begins_anew() {
    for seed in 0..40 {
        let mut world =
            World::new(Settings { autonomy: Autonomy::Ask, limits: Limits { trials: Some(1), ..Limits::default() }, ..settings() }, seed);
        // Better than the baseline by far, so that a confirming run follows the screen at once.
        world.score = Box::new(|trial, seed| Ok(0.5 + f64::from(trial.0) * 0.2 + (seed % 100) as f64 * 1e-5));
        world.finish();
        let p = world.study.trials.iter().find(|t| t.status == Status::Waiting).unwrap().proposal.unwrap();
        world.command(Command::Accept { proposal: p, tree: None }).unwrap();
        while !world.study.trial_of(p).unwrap().advanced {
            assert!(world.turn(), "it never advances");
        }
        world.command(Command::Undo { proposal: p }).unwrap();
        world.finish();
        let trial = world.study.trial_of(p).unwrap();
        assert_eq!((trial.status, trial.score, trial.advanced), (Status::Waiting, None, false), "seed {seed}");
        let tainted = trial.runs.len();
        world.command(Command::Accept { proposal: p, tree: None }).unwrap();
        world.finish();
        let trial = world.study.trial_of(p).unwrap();
        assert!(trial.verdict.is_some(), "seed {seed}: the trial is never judged");
        let fresh: Vec<f64> = trial.runs[tainted..].iter().filter_map(|r| r.score).collect();
        let mean = fresh.iter().sum::<f64>() / fresh.len() as f64;
        assert!((trial.score.unwrap() - mean).abs() < 1e-9, "seed {seed}: {:?} of {fresh:?}", trial.score);
        assert_eq!(world.study.state, StudyState::Finished, "seed {seed}");
    }
}

#[test]
fn what_a_client_names_stays_within_a_fact() {
    let mut world = World::new(settings(), 1);
    let draft = (world.draft)(ProposalId(1)).unwrap();
    let knobs = (0..500).map(|i| (format!("KNOB_{i}"), crate::model::KnobValue::Int(i))).collect();
    let large = Draft { knobs, ..draft.clone() };
    let propose = |proposer: &str, draft: &Draft| Command::Propose {
        parent: None,
        proposer: proposer.into(),
        draft: Box::new(draft.clone()),
        accepted: false,
    };
    assert!(world.command(propose("researcher", &large)).unwrap_err().contains("500 knobs"));
    assert!(world.command(propose(&"x".repeat(5000), &draft)).is_err());
    assert!(world.command(Command::LetPass { proposer: "x".repeat(5000) }).is_err());
    assert!(world.command(Command::Steer { text: "hi".into(), to: Some("x".repeat(5000)) }).is_err());
    assert!(world.command(propose("researcher", &draft)).is_ok());
}

#[test]
fn the_ref_of_the_best_is_written_anew_when_the_best_changes() {
    let mut world = World::new(settings(), 1);
    world.finish();
    let best = world.study.best.clone().unwrap();
    assert!(world.study.unlabelled.is_empty());
    let changed = |trial| Event::BestChanged { trial, score: 0.5, verified: false, gain: 0.0, gain_interval: None };
    world.record(vec![changed(best.trial)]);
    assert!(world.study.unlabelled.is_empty(), "the same best needs no new label");
    world.record(vec![changed(TrialId::BASELINE)]);
    assert_eq!(wanted(&world.study).get(&EffectId::Label(TrialId::BASELINE)), Some(&Effect::Label));
}
