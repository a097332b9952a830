//! Opening a study of 10,469 trials (the length of the longest public lineage): the fold of its whole journal with the
//! chain checked, and a cold reader's opening with the snapshot cache. `cargo bench --bench fold`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use trialdeck::journal::{self, Journal};
use trialdeck::model::*;

const TRIALS: u32 = 10_469;
const ROUNDS: usize = 7;
const FOLD_BAR: Duration = Duration::from_millis(600);
const SNAPSHOT_BAR: Duration = Duration::from_millis(100);

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path()).unwrap();
    let records = journal.append(Millis(1_700_000_000_000), &events()).unwrap();
    let mut study = create(records.first().unwrap()).unwrap();
    records.iter().skip(1).for_each(|r| apply(&mut study, r));
    journal.save_snapshot(&study).unwrap();
    drop(journal);
    let megabytes = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len() as f64 / 1e6;
    println!(
        "{} trials, {} facts, journal {:.1} MB, snapshot {:.1} MB",
        study.trials.len(),
        records.len(),
        megabytes(journal::FILE),
        megabytes("study.snapshot.json")
    );

    let with_snapshot = median(|| journal::read(dir.path()).unwrap());
    let fold = median(|| Journal::open(dir.path()).unwrap());
    report("open with the snapshot cache", with_snapshot, SNAPSHOT_BAR);
    report("fold of the journal, chain checked", fold, FOLD_BAR);
}

fn report(what: &str, took: Duration, bar: Duration) {
    let verdict = if took <= bar { "ok" } else { "OVER" };
    println!("{what:<36} {:>7.1} ms (bar {} ms) {verdict}", took.as_secs_f64() * 1e3, bar.as_millis());
}

/// The median time of some rounds, without letting go of what was made.
fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let made = work();
            let took = start.elapsed();
            drop(made);
            took
        })
        .collect();
    times.sort();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// About eight facts a trial, with texts of the length that samplers and agents write.
fn events() -> Vec<Event> {
    let settings = Settings { wall_secs: 300.0, gpus: 1, ..sample::settings() };
    let hex = |n: u32| format!("{n:040x}");
    let mut events = vec![Event::StudyCreated {
        format: FORMAT,
        study: "bench".into(),
        settings: Box::new(settings),
        commit: hex(0),
        tree: hex(0),
        source: "bench".into(),
        evaluator: None,
    }];
    for n in 1..=TRIALS {
        let (trial, proposal, run) = (TrialId(n), ProposalId(n), TrialId(n).run(RunNo(1)));
        let score = 0.183 + f64::from(n % 977) / 9_770.0;
        let knobs: BTreeMap<_, _> =
            ["learning_rate", "weight_decay", "dropout"].map(|k| (k.to_owned(), KnobValue::Float(score / 3.0))).into();
        let comparison = Comparison {
            against: TrialId(n / 2),
            candidate: score,
            reference: 0.19,
            gain: 0.19 - score,
            n_candidate: 1,
            n_reference: 3,
            sd: Some(0.002),
            nu: 2,
            t: Some(-1.25),
            needed: Some(0.4),
        };
        let gates = vec![GateResult { key: "artifact_bytes".into(), value: Some(15_000_000.0), ok: true }];
        let metrics = [("mae".to_owned(), score / 2.0), ("run_seconds".to_owned(), 291.3)].into();
        let parents = vec![TrialId(n / 2)];
        events.extend([
            Event::ProposalAsked {
                proposal,
                proposer: "knobs/tpe".into(),
                parents: parents.clone(),
                operator: Operator::Improve,
                decision: n.into(),
                assignment: None,
            },
            Event::Proposed {
                proposal,
                trial,
                proposer: "knobs/tpe".into(),
                parents,
                operator: Operator::Improve,
                hypothesis: format!(
                    "a learning rate of {score:.6} should suit the longer warm-up better, as trials around t{:04} showed",
                    n / 2
                ),
                surface: Some("optimizer".into()),
                expected: Some(0.001),
                knobs,
                accepted: false,
                basis: 1,
            },
            Event::Checked {
                trial,
                revision: 1,
                commit: hex(n),
                tree: hex(n + 1),
                diff: DiffStat { files: 1, added: 3, removed: 3 },
                surface: None,
                flags: Vec::new(),
            },
            Event::Reviewed {
                trial,
                by: Reviewer::Auto,
                decision: Decision::Accept,
                reason: Some("autonomy is auto".into()),
                tree: Some(hex(n + 1)),
            },
            Event::RunScheduled { run, kind: RunKind::Screen, seed: n.into(), slot: 0, tree: hex(n + 1), retry_of: None, gpus: 1 },
            Event::RunStarted { run, pid: 4_242 },
            Event::RunEnded { run, seconds: 291.3, peak_memory_bytes: 1 << 33, self_reported: None, failure: None, artifacts: None },
            Event::RunScored { run, score: Some(score), metrics, gates, failure: None, trial_score: Some(score) },
            Event::Judged { trial, verdict: Verdict::Revert, verified: false, comparison: Some(Box::new(comparison)), failure: None },
        ]);
    }
    events
}
