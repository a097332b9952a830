//! The machine under random wishes, reports that nobody awaits, engines that come and go, and jumps of the clock.

use super::*;
use crate::model::{Favour, Noise, Operator};
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
        let limits = Limits {
            trials: (more % 3 > 0).then_some(u32::from(more) % 20),
            seconds: (more % 7 == 0).then_some(1e4),
            usd: (more % 11 == 0).then_some(0.5),
            tokens: None,
        };
        let wish = match what {
            0..60 | 200.. => {
                self.turn();
                return;
            }
            180..186 => Command::Idea { text: "ü\"\n".repeat(usize::from(more) % 900), parent: on.then_some(trial), to: None },
            186..190 => {
                let role = ["architecture", "debugger", "nobody"][usize::from(more) % 3].to_owned();
                let factor = [0.0, 2.0, f64::NAN, -1.0][usize::from(which) % 4];
                Command::Favour { favour: Favour { role, model: None, surface: on.then(|| "init".into()), factor } }
            }
            190..193 => Command::Forbid { glob: ["models/**", "a[", "x"][usize::from(more) % 3].into(), on: which % 2 == 0 },
            193..196 => Command::Proposers {
                proposers: [vec!["agents".into()], vec!["tpe".into(), "agents".into()], vec![]][usize::from(more) % 3].clone(),
            },
            196..200 => Command::Steer { text: "\u{1}".repeat(usize::from(more)), to: on.then(|| "debugger".into()) },
            60..75 => Command::Accept { proposal, tree },
            75..80 => Command::Veto { proposal, tree, reason: "no".into() },
            80..85 => Command::Edit { proposal, tree, draft: Box::new(draft()), accepted: on },
            85..88 | 178..180 => Command::Revise { proposal, comment: "more".into() },
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
            132..178 => {
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
        let spend = Spend { calls: 1, prompt_tokens: u64::from(more), usd: f64::from(more) * 1e-3, ..Spend::default() };
        let input = match what % 14 {
            10 => Input::Spent { proposal, spend },
            11 => Input::Redrafted { trial, revision: 1 + u32::from(more) % 3, draft: Box::new(draft_of(proposal)) },
            12 => Input::NotRedrafted { trial, revision: 1 + u32::from(more) % 3, detail: "no".repeat(usize::from(more)) },
            13 => {
                let result = if more.is_multiple_of(2) { Ok(Box::new(draft_of(proposal))) } else { Err("why ".repeat(usize::from(more))) };
                Input::Rebased { trial, revision: 1 + u32::from(more) % 3, parents: vec![self.study.incumbent], result }
            }
            0 => Input::NoDraft { proposal, detail: "no".repeat(usize::from(more)), gave_up: more.is_multiple_of(2) },
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
        assert!(all().all(|t| (t.parents.len() == 2) == (t.operator == Operator::Crossover) && t.parents.iter().all(|p| *p < t.id)));
        let repairs = |id: TrialId| {
            let of =
                |p: &&crate::model::Proposal| p.requested && p.assignment.is_some() && p.operator == Operator::Debug && p.failed.is_none();
            study.proposals.values().filter(of).filter(|p| p.parents == [id]).count()
        };
        assert!(study.settings.policy == PolicyName::Greedy || all().all(|t| repairs(t.id) <= 1), "a failed node was mended twice");
        let callers = study.asked.iter().filter(|id| study.proposals[id].requested && study.proposals[id].assignment.is_some()).count();
        assert!(callers <= 4, "{callers} requests to agents at a time");
        for record in &self.log[since..] {
            if let Event::Rebased { trial, .. } = &record.event {
                let human = |r: &crate::model::Review| r.by == crate::model::Reviewer::Human && r.at < record.at;
                assert!(!study.trial(*trial).unwrap().reviews.iter().any(human), "a person had looked at {trial}");
            }
        }
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
        let agents = (seed % 3 > 0).then(|| Box::new(agents::team()));
        let proposers = if seed % 3 == 1 { vec!["agents".into()] } else { vec!["tpe".into(), "agents".into()] };
        let proposers = if agents.is_some() { proposers } else { vec!["tpe".into()] };
        let mut world = World::new(Settings { policy, target, autonomy, agents, proposers, ..settings() }, seed);
        world.spend = Spend { calls: 1, prompt_tokens: 900, completion_tokens: 100, usd: 0.01, ..Spend::default() };
        world.rebase = Box::new(|p| if p.0 % 3 == 0 { Err("it does not apply".into()) } else { Ok(draft_of(p)) });
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
