//! What every test of the journal needs; the tests themselves are grouped by what goes wrong.

mod damage;
mod faults;
mod random;
mod reading;

use super::*;
use crate::model::*;
use std::io::Write;
use std::path::Path;

fn settings() -> Settings {
    Settings {
        task: "wind-power".into(),
        title: "wind".into(),
        metric: "mse".into(),
        target: Some(0.19),
        seed: 7,
        autonomy: Autonomy::Ask,
        policy: PolicyName::Greedy,
        limits: Limits { trials: Some(20), ..Limits::default() },
        wall_secs: 300.0,
        gpus: 1,
        ..sample::settings()
    }
}

fn created() -> Event {
    Event::StudyCreated {
        format: FORMAT,
        study: "wind-1".into(),
        settings: Box::new(settings()),
        commit: "c0".into(),
        tree: "t0".into(),
        source: "wind, at 1234567".into(),
        evaluator: None,
    }
}

fn noted(text: &str) -> Event {
    Event::Noted { warning: false, text: text.into() }
}

fn proposed(trial: u32) -> Event {
    Event::Proposed {
        proposal: ProposalId(trial),
        trial: TrialId(trial),
        proposer: "knobs/tpe".into(),
        parents: vec![TrialId::BASELINE],
        operator: Operator::Improve,
        hypothesis: "naïve \"warm-up\" \\ 温\nsecond line".into(),
        surface: None,
        expected: Some(0.1 + 0.2),
        knobs: [("lr".to_owned(), KnobValue::Float(1e-3)), ("n".to_owned(), KnobValue::Int(3))].into(),
        accepted: false,
        basis: 1,
    }
}

/// A journal with the creation and the given facts, closed again; returns the live study.
fn written(dir: &Path, events: &[Event]) -> Study {
    let mut journal = Journal::create(dir).unwrap();
    let records = journal.append(Millis(1_000), &[created()]).unwrap();
    let mut study = create(&records[0]).unwrap();
    for record in journal.append(Millis(2_000), events).unwrap() {
        apply(&mut study, &record);
    }
    study
}

fn bytes(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join(FILE)).unwrap()
}

fn overwrite(dir: &Path, bytes: &[u8]) {
    put(&dir.join(FILE), bytes);
}

/// Writes a file in place: cutting it to nothing first makes some file systems sync it, thousands of times.
fn put(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all(bytes).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}
