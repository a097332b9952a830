//! Random facts in random order: `apply` takes them all, and a replayed study is the live one, to the last bit.

use super::*;
use fastrand::Rng;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_is_live(seeds in prop::collection::vec(any::<u64>(), 0..120), cut in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path()).unwrap();
        let records = journal.append(Millis(0), &[created()]).unwrap();
        let mut live = create(&records[0]).unwrap();
        // Batches of several facts, as a decision writes them; each sync is slow on some disks.
        let batches: Vec<&[u64]> = seeds.chunks(20).collect();
        let snapshot_at = cut.index(batches.len() + 1);
        for (n, batch) in batches.iter().enumerate() {
            let at = Millis(live.at.0 + Rng::with_seed(batch[0]).i64(-50..5_000));
            let mut ahead = live.clone();
            let mut events = Vec::new();
            for seed in *batch {
                let event = fact(&ahead, &mut Rng::with_seed(*seed));
                let seq = ahead.seq + 1;
                apply(&mut ahead, &Record { seq, at, event: event.clone() });
                events.push(event);
            }
            let records = journal.append(at, &events).unwrap();
            prop_assert_eq!(records.iter().map(|r| r.event.clone()).collect::<Vec<_>>(), events);
            records.iter().for_each(|r| apply(&mut live, r));
            prop_assert_eq!(&live, &ahead);
            if n == snapshot_at {
                journal.save_snapshot(&live).unwrap();
            }
        }
        drop(journal);
        let cold = read(dir.path()).unwrap();
        prop_assert_eq!(&cold.study, &live);
        let opened = Journal::open(dir.path()).unwrap();
        let replayed = opened.study.unwrap();
        prop_assert_eq!(&replayed, &live);
        prop_assert_eq!(serde_json::to_vec(&replayed).unwrap(), serde_json::to_vec(&live).unwrap());
        prop_assert_eq!(opened.journal.cursor(), cold.cursor);
    }
}

/// Any finite number, of any size.
fn number(rng: &mut Rng) -> f64 {
    loop {
        let value = if rng.bool() { f64::from_bits(rng.u64(..)) } else { rng.f64() };
        if value.is_finite() {
            return value;
        }
    }
}

/// Up to three flags of any kind.
fn flags(rng: &mut Rng) -> Vec<Flag> {
    let kinds = [FlagKind::Seed, FlagKind::Split, FlagKind::EvaluatorNamed];
    let some = kinds.get(..rng.usize(..4)).unwrap_or_default();
    some.iter().map(|flag| Flag { flag: *flag, only: rng.bool(), evidence: text(rng) }).collect()
}

/// Seconds of a run: sums of them stay finite, as those of real runs do.
fn seconds(rng: &mut Rng) -> f64 {
    rng.f64() * 1e4
}

fn text(rng: &mut Rng) -> String {
    (0..rng.usize(..12)).map(|_| if rng.bool() { rng.alphanumeric() } else { rng.char(..) }).collect()
}

fn some<T>(rng: &mut Rng, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    if rng.bool() { Some(make(rng)) } else { None }
}

fn pick<T: Clone>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())].clone()
}

fn failure(rng: &mut Rng) -> Failure {
    let labels = [Label::Crashed, Label::TimedOut, Label::OutOfBounds, Label::Infrastructure, Label::GateFailed];
    Failure::new(pick(rng, &labels), text(rng))
}

fn comparison(rng: &mut Rng) -> Box<Comparison> {
    Box::new(Comparison {
        against: TrialId(rng.u32(..8)),
        candidate: number(rng),
        reference: number(rng),
        gain: number(rng),
        n_candidate: rng.u32(..9),
        n_reference: rng.u32(..9),
        sd: some(rng, number),
        nu: rng.u32(..60),
        t: some(rng, number),
        needed: some(rng, number),
    })
}

/// One fact of any kind, about things that may or may not exist.
fn fact(study: &Study, rng: &mut Rng) -> Event {
    let trial = TrialId(rng.u32(..6));
    let run = trial.run(RunNo(rng.u32(1..4)));
    let proposal = ProposalId(rng.u32(1..9));
    let parents: Vec<TrialId> = (0..rng.usize(..3)).map(|_| TrialId(rng.u32(..8))).collect();
    let operator = pick(rng, &[Operator::Draft, Operator::Improve, Operator::Debug, Operator::Crossover, Operator::Ablate]);
    let by = pick(rng, &[Reviewer::Human, Reviewer::Rule, Reviewer::Auto]);
    let reason = pick(rng, &[EndReason::Trials, EndReason::User, EndReason::Target]);
    let revision = rng.u32(1..3);
    match rng.u32(..29) {
        0 => created(),
        1 => Event::EngineStarted {
            pid: rng.u32(..),
            host: text(rng),
            version: text(rng),
            slots: vec![SlotInfo { name: text(rng), gpus: vec![text(rng)], threads: rng.u32(..9) }],
        },
        2 => Event::EngineStopped,
        3 => {
            let states = [StudyState::Running, StudyState::Paused, StudyState::Finished, StudyState::Failed];
            Event::StateChanged { state: pick(rng, &states), reason: some(rng, |_| reason), detail: some(rng, text) }
        }
        4 => Event::StopAsked { now: rng.bool(), reason },
        5 => Event::SettingsChanged { change: setting(rng) },
        6 => Event::Steered { text: text(rng), to: some(rng, text) },
        7 => Event::ProposalAsked { proposal, proposer: text(rng), parents, operator, decision: rng.u64(..1_000), assignment: None },
        8 => Event::ProposalFailed { proposal, detail: text(rng), gave_up: rng.bool() },
        // Often, and mostly with the number that is due, so that there are trials for the other facts.
        9..=11 => Event::Proposed {
            proposal,
            trial: if rng.u8(..4) > 0 { study.next_trial() } else { trial },
            proposer: text(rng),
            parents,
            operator,
            hypothesis: text(rng),
            surface: some(rng, text),
            expected: some(rng, number),
            knobs: [
                (text(rng), KnobValue::Float(1.5)),
                (text(rng), KnobValue::Int(rng.i64(..))),
                (text(rng), KnobValue::Bool(rng.bool())),
                (text(rng), KnobValue::Choice(text(rng))),
            ]
            .into(),
            accepted: rng.bool(),
            basis: rng.u64(..),
        },
        12 => Event::Revised {
            trial,
            revision,
            by,
            reason: some(rng, text),
            accepted: rng.bool(),
            hypothesis: some(rng, text),
            expected: None,
        },
        13 => {
            let diff = DiffStat { files: rng.u32(..), added: rng.u32(..), removed: rng.u32(..) };
            Event::Checked { trial, revision, commit: text(rng), tree: text(rng), diff, surface: some(rng, text), flags: flags(rng) }
        }
        14 => Event::Rejected { trial, failure: failure(rng) },
        15 => {
            let decision = pick(rng, &[Decision::Accept, Decision::Veto, Decision::Edit, Decision::Revise]);
            Event::Reviewed { trial, by, decision, reason: some(rng, text), tree: some(rng, text) }
        }
        16 => Event::ReviewUndone { trial },
        17 => Event::Staled { trial, detail: text(rng) },
        18 => {
            let kind = pick(rng, &[RunKind::Baseline, RunKind::Screen, RunKind::Confirm, RunKind::Certify, RunKind::Replay]);
            let retry_of = some(rng, |rng| RunNo(rng.u32(1..4)));
            Event::RunScheduled { run, kind, seed: rng.u64(..), slot: rng.u32(..4), tree: text(rng), retry_of, gpus: rng.u32(..4) }
        }
        19 => Event::RunStarted { run, pid: rng.u32(..) },
        20 => Event::RunKillAsked { run },
        21 => Event::RunEnded {
            run,
            seconds: seconds(rng),
            peak_memory_bytes: rng.u64(..),
            self_reported: some(rng, |rng| rng.f64()),
            failure: some(rng, failure),
            artifacts: some(rng, text),
        },
        22 => Event::RunScored {
            run,
            score: some(rng, number),
            metrics: [(text(rng), number(rng))].into(),
            gates: vec![GateResult { key: text(rng), value: some(rng, number), ok: rng.bool() }],
            failure: some(rng, failure),
            trial_score: some(rng, number),
        },
        23 => Event::NoiseMeasured {
            noise: match rng.u8(..3) {
                0 => Noise::Measured { sd: number(rng), nu: rng.u32(..) },
                1 => Noise::Given { sd: number(rng) },
                _ => Noise::Unknown { seed_without_effect: rng.bool() },
            },
        },
        24 => {
            if rng.bool() {
                Event::Advanced { trial, comparison: comparison(rng) }
            } else {
                let verdict = pick(rng, &[Verdict::Keep, Verdict::Revert, Verdict::Undecided, Verdict::RolledBack]);
                Event::Judged { trial, verdict, verified: rng.bool(), comparison: some(rng, comparison), failure: some(rng, failure) }
            }
        }
        25 => {
            if rng.bool() {
                Event::CommitLabelled { trial, commit: text(rng), basis: rng.bool().then(|| rng.u64(..1 << 40)) }
            } else {
                Event::IncumbentMoved { trial, from: TrialId(rng.u32(..9)) }
            }
        }
        26 => {
            let gain_interval = some(rng, |rng| [number(rng), number(rng)]);
            Event::BestChanged { trial, score: number(rng), verified: rng.bool(), gain: number(rng), gain_interval }
        }
        27 => {
            if rng.bool() {
                Event::ReplicatesAsked { trial, runs: rng.u32(..9), certify: rng.bool() }
            } else {
                Event::Marked { trial, pinned: rng.bool(), pruned: rng.bool() }
            }
        }
        28 => {
            if rng.bool() {
                let (held_up, rerun) = (some(rng, Rng::bool), some(rng, number));
                let (needed, way) = (some(rng, number), some(rng, number));
                let (score, median, scale, z) = (number(rng), number(rng), number(rng), number(rng));
                let implausible = Implausible { score, median, scale, scores: rng.u32(..), z, needed, way, held_up, rerun };
                Event::SetAside { trial, implausible: Box::new(implausible) }
            } else {
                Event::Rerun { trial, held_up: rng.bool(), mean: number(rng), distance: number(rng), allowed: number(rng) }
            }
        }
        _ => {
            if rng.bool() {
                Event::HoldoutUnsealed { holdout: [(trial, number(rng)), (TrialId(rng.u32(..9)), number(rng))].into() }
            } else {
                let about = pick(rng, &[Caution::BudgetNear, Caution::BudgetSpent, Caution::Flat, Caution::TurnedOff]);
                let cautioned = Event::Cautioned { about, text: text(rng) };
                if rng.bool() { Event::Noted { warning: rng.bool(), text: text(rng) } } else { cautioned }
            }
        }
    }
}

fn setting(rng: &mut Rng) -> SettingsChange {
    match rng.u8(..7) {
        0 => SettingsChange::Autonomy { mode: pick(rng, &[Autonomy::Ask, Autonomy::AskRisky, Autonomy::Auto]) },
        1 => {
            let limits = Limits {
                trials: some(rng, |rng| rng.u32(..)),
                seconds: some(rng, number),
                usd: some(rng, number),
                tokens: some(rng, |rng| rng.u64(..)),
            };
            SettingsChange::Limits { limits }
        }
        2 => SettingsChange::Proposers { proposers: vec![text(rng)] },
        3 => SettingsChange::Policy { policy: pick(rng, &[PolicyName::Hillclimb, PolicyName::Greedy]) },
        4 => SettingsChange::LetPass { proposer: text(rng) },
        5 => SettingsChange::Forbidden { glob: text(rng), on: rng.bool() },
        _ => {
            let (role, model, surface) = (text(rng), some(rng, text), some(rng, text));
            SettingsChange::Favour { favour: Favour { role, model, surface, factor: number(rng) } }
        }
    }
}
