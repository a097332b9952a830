//! Rows of an imported history.

use super::*;

pub(super) fn apply_imported(study: &mut Study, at: Millis, id: TrialId, row: &ImportedTrial) {
    if id != TrialId::BASELINE && id != study.next_trial() {
        return;
    }
    let ran = row.status != Status::Unreadable;
    let run = Run {
        id: RunNo(1),
        kind: if id == TrialId::BASELINE { RunKind::Baseline } else { RunKind::Screen },
        seed: 0,
        slot: 0,
        tree: row.tree.clone().unwrap_or_default(),
        retry_of: None,
        phase: RunPhase::Ended,
        kill: false,
        undone: false,
        score: row.score,
        self_reported: row.self_reported,
        metrics: row.metrics.clone(),
        gates: row.gates.clone(),
        failure: row.failure.clone(),
        artifacts: None,
        seconds: row.seconds,
        peak_memory_bytes: 0,
        gpus: 0,
        scheduled: row.finished.unwrap_or(at),
        started: None,
        finished: row.finished,
        imported: true,
    };
    let trial = Trial {
        parents: row.parents.clone(),
        operator: row.operator,
        proposer: row.proposer.clone(),
        surface: row.surface.clone(),
        hypothesis: row.hypothesis.clone(),
        expected: row.expected,
        commit: row.commit.clone(),
        tree: row.tree.clone(),
        diff: row.diff,
        status: row.status,
        verdict: row.verdict,
        score: row.score,
        self_reported: row.self_reported,
        failure: row.failure.clone(),
        gates: row.gates.clone(),
        judged_runs: u32::from(row.score.is_some()),
        runs: if ran { vec![run] } else { Vec::new() },
        times: Times { proposed: row.proposed, finished: row.finished, ..Times::default() },
        imported: Some(row.origin.clone()),
        ..blank_trial(id)
    };
    if id == TrialId::BASELINE {
        study.trials.truncate(1);
        if let Some(first) = study.trials.first_mut() {
            *first = trial;
        }
    } else {
        study.trials.push(trial);
        study.trials_used += 1;
    }
}
