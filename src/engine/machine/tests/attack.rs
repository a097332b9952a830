//! The machine under random wishes, reports that nobody awaits, engines that come and go, and jumps of the clock.

use super::*;
use crate::model::{Noise, Operator};
use proptest::prelude::*;

/// One act of the adversary: what, about which trial or request, and one more number.
type Act = (u8, u8, u16);

impl World {
    fn act(&mut self, (what, which, more): Act) {
        let trial = TrialId(u32::from(which) % (self.study.trials.len() as u32 + 1));
        let proposal = ProposalId(u32::from(which) % (self.study.proposals.len() as u32 + 2));
        let run = trial.run(crate::model::RunNo(1 + u32::from(more) % 4));
        let tree = self.study.trial_of(proposal).and_then(|t| t.tree.clone()).filter(|_| more % 5 > 0);
        let draft = || Draft {
            hypothesis: "h".repeat(usize::from(more) % 3000),
            surface: None,
            expected: Some(f64::NAN),
            edits: vec![],
            knobs: BTreeMap::new(),
            reasoning: String::new(),
        };
        let on = more % 2 == 0;
        let limits = Limits { trials: (more % 3 > 0).then_some(u32::from(more) % 20), seconds: (more % 7 == 0).then_some(1e4), usd: None };
        let wish = match what {
            0..60 | 180.. => {
                self.turn();
                return;
            }
            60..75 => Command::Accept { proposal, tree },
            75..80 => Command::Veto { proposal, tree, reason: "no".into() },
            80..85 => Command::Edit { proposal, tree, draft: Box::new(draft()), accepted: on },
            85..88 => Command::Revise { proposal, comment: "more".into() },
            88..93 => Command::Undo { proposal },
            93..100 => Command::Propose {
                parent: on.then_some(trial),
                proposer: "researcher".into(),
                draft: Box::new(draft()),
                accepted: more % 3 == 0,
            },
            100..102 => Command::Pause,
            102..106 => Command::Unpause,
            106..110 => Command::Kill { run },
            110..114 => Command::Replicate { trial, runs: u32::from(more) % 5 },
            114..118 => Command::Autonomy { mode: [Autonomy::Ask, Autonomy::AskRisky, Autonomy::Auto][usize::from(more) % 3] },
            118..120 => Command::LetPass { proposer: "knobs/tpe".into() },
            120..124 => Command::Pin { trial, on },
            124..128 => Command::Prune { trial, on },
            128..131 => Command::Extend { limits, beyond: on },
            131..132 => Command::Stop { now: on },
            132..180 => {
                self.report(what, trial, proposal, run, more);
                return;
            }
        };
        // A refusal is an answer; what matters is that nothing else happened.
        let before = self.study.clone();
        if self.command(wish).is_err() {
            assert_eq!(before, self.study);
        }
    }

    /// A report that may be about nothing, or come twice.
    fn report(&mut self, what: u8, trial: TrialId, proposal: ProposalId, run: RunId, more: u16) {
        let failure = |label| Failure::new(label, "why ".repeat(usize::from(more) % 400));
        let label =
            [Label::Crashed, Label::Infrastructure, Label::LostSupervisor, Label::Killed, Label::EvalTimedOut][usize::from(more) % 5];
        let input = match what % 10 {
            0 => Input::NoDraft { proposal, detail: "no".repeat(usize::from(more)) },
            1 => Input::Checked { trial, revision: 1 + u32::from(more) % 3, result: Err(failure(label)) },
            2 => Input::Started { run, pid: 3 },
            3 => Input::Ended {
                run,
                seconds: 1.0,
                peak_memory_bytes: 0,
                self_reported: None,
                failure: Some(failure(label)),
                artifacts: None,
            },
            4 => Input::Scored { run, result: Err(failure(label)), metrics: BTreeMap::new(), gates: vec![] },
            5 => Input::Labelled { trial, commit: "late".into(), basis: self.study.seq.saturating_sub(u64::from(more) % 8) },
            6 => {
                self.now = Millis(self.now.0 + i64::from(more) * 100);
                Input::Settle
            }
            7 => Input::Ended { run, seconds: 1.0, peak_memory_bytes: 0, self_reported: None, failure: None, artifacts: None },
            8 => Input::Scored { run, result: Ok(f64::from(more % 10) / 10.0), metrics: BTreeMap::new(), gates: vec![] },
            _ => {
                self.tell(Input::EngineStopped);
                let slots = (0..1 + u32::from(more) % 3).map(|i| SlotInfo { name: format!("CPU {i}"), gpus: vec![], threads: 1 }).collect();
                Input::EngineStarted { pid: 2, host: "h".into(), version: "0".into(), slots }
            }
        };
        self.tell(input);
    }

    /// What holds whatever happens.
    fn invariants(&self, since: usize) {
        let study = &self.study;
        for record in &self.log[since..] {
            if let Event::RunScheduled { run, slot, tree, .. } = &record.event {
                let trial = study.trial(run.trial).unwrap();
                assert!((*slot as usize) < study.slots.len());
                assert!(
                    trial.reviews.iter().any(|r| r.tree.as_ref() == Some(tree)) || trial.id.0 == 0,
                    "a tree that nobody let pass: {trial:?}"
                );
            }
            if let Event::Staled { trial, .. } = &record.event {
                assert!(study.trial(*trial).unwrap().runs.is_empty());
            }
        }
        let mut slots = BTreeSet::new();
        for (id, run) in study.runs_in_flight() {
            let trial = study.trial(id.trial).unwrap();
            assert!(run.phase != RunPhase::Running || slots.insert(run.slot), "two runs on slot {}", run.slot);
            let stands = matches!(trial.status, Status::Queued | Status::Running | Status::Evaluating | Status::Done);
            // What was taken back runs until its process has ended, and counts for nothing.
            assert!(stands || run.undone && run.kill, "{id} of a trial that is {}", trial.status.word());
        }
        let all = || study.trials.iter();
        let ids = |keep: &dyn Fn(&Trial) -> bool| all().filter(|t| keep(t)).map(|t| t.id).collect::<BTreeSet<_>>();
        assert!(all().all(|t| t.status != Status::Stale || t.runs.is_empty()));
        assert_eq!(study.trials_used as usize, all().filter(|t| t.id.0 > 0 && !t.runs.is_empty()).count());
        assert_eq!(study.replicated, ids(&|t| t.scores().len() > 1));
        assert!(ids(&|t| !t.status.is_final() || t.in_flight()).is_subset(&study.open));
        let asked = study.proposals.values().filter(|p| p.trial.is_none() && p.failed.is_none()).map(|p| p.id).collect::<BTreeSet<_>>();
        assert_eq!(study.asked, asked);
        let kept = |id: TrialId| id == TrialId::BASELINE || study.trial(id).unwrap().verdict == Some(Verdict::Keep);
        assert!(kept(study.incumbent), "the search builds on {}", study.incumbent);
        if let Some(best) = &study.best {
            assert!(kept(best.trial) && (!best.verified || study.trial(best.trial).unwrap().verified), "{best:?}");
            assert!(
                best.gain.is_finite() && best.gain_interval.is_none_or(|[low, high]| low <= best.gain && best.gain <= high),
                "{best:?}"
            );
        }
        assert!(all().all(|t| !t.verified || t.verdict == Some(Verdict::Keep)));
        assert!(!matches!(study.noise, Noise::Measured { sd, .. } if !sd.is_finite() || sd <= 0.0));
        assert!(all().all(|t| t.operator != Operator::Crossover && t.parents.iter().all(|p| *p < t.id)));
        if study.is_over() {
            assert!(step(study, Input::Settle, self.now).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_wishes_and_reports_breaks_the_machine(
        seed in any::<u64>(),
        policy in any::<bool>(),
        target in any::<bool>(),
        acts in prop::collection::vec(any::<Act>(), 1..300),
    ) {
        let policy = if policy { PolicyName::Hillclimb } else { PolicyName::Greedy };
        let target = target.then_some(0.56);
        let autonomy = if seed.is_multiple_of(2) { Autonomy::Auto } else { Autonomy::Ask };
        let mut world = World::new(Settings { policy, target, autonomy, ..settings() }, seed);
        world.score = Box::new(|trial, seed| match (trial.0 + seed as u32) % 11 {
            10 => Err(Failure::new(Label::Crashed, "boom")),
            _ => Ok(0.5 + f64::from(trial.0 % 5) * 0.02 + (seed % 100) as f64 * 4e-4),
        });
        world.tree = Box::new(|trial, revision| format!("tree-{}-{revision}", trial.0 % 40));
        for act in acts {
            let since = world.log.len();
            world.act(act);
            world.invariants(since);
        }
        // However it stands, it ends when it is told to, with nothing in flight.
        let _ = world.command(Command::Unpause);
        let _ = world.command(Command::Stop { now: true });
        world.finish();
        prop_assert!(world.study.is_over() && world.study.runs_in_flight().next().is_none());
        let mut again = create(&world.log[0]).unwrap();
        world.log[1..].iter().for_each(|r| apply(&mut again, r));
        prop_assert_eq!(&again, &world.study);
    }
}
