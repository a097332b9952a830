//! The one way in which a study changes: `apply` records a fact. It never judges, and it is total: a fact about a thing
//! that does not exist changes nothing.

use super::*;

/// Version of the journal's format that this program writes.
pub const FORMAT: u32 = 1;

/// Makes the study from its first fact; none when the record is another fact.
pub fn create(record: &Record) -> Option<Study> {
    let Event::StudyCreated { study, settings, commit, tree, source, evaluator, .. } = &record.event else {
        return None;
    };
    let baseline = Trial {
        // A history without code has neither.
        commit: Some(commit.clone()).filter(|c| !c.is_empty()),
        tree: Some(tree.clone()).filter(|t| !t.is_empty()),
        status: Status::Queued,
        times: Times { proposed: Some(record.at), accepted: Some(record.at), ..Times::default() },
        ..blank_trial(TrialId::BASELINE)
    };
    let noise = match settings.noise {
        NoisePlan::Given { sd } if sd > 0.0 => Noise::Given { sd },
        NoisePlan::Given { .. } => Noise::Unknown { seed_without_effect: true },
        NoisePlan::Measure => Noise::Unknown { seed_without_effect: false },
    };
    Some(Study {
        seq: record.seq,
        at: record.at,
        created: record.at,
        name: study.clone(),
        source: source.clone(),
        settings: (**settings).clone(),
        state: StudyState::Running,
        reason: None,
        detail: None,
        stopping: None,
        slots: Vec::new(),
        engine_live: false,
        active_millis: 0,
        trials: vec![baseline],
        proposals: BTreeMap::new(),
        asked: BTreeSet::new(),
        replicated: BTreeSet::new(),
        open: BTreeSet::from([TrialId::BASELINE]),
        unlabelled: BTreeMap::new(),
        decisions: 0,
        incumbent: TrialId::BASELINE,
        best: None,
        noise,
        trials_used: 0,
        fruitless: 0,
        let_pass: BTreeSet::new(),
        slot_seconds: 0.0,
        gpu_seconds: 0.0,
        steers: Vec::new(),
        spend: Spend::default(),
        favours: Vec::new(),
        forbidden: BTreeSet::new(),
        faults: Faults::default(),
        cautions: BTreeSet::new(),
        unsealed: false,
        notes: Vec::new(),
        imported: None,
        setup: None,
        evaluator: evaluator.clone(),
    })
}

fn blank_trial(id: TrialId) -> Trial {
    Trial {
        id,
        parents: Vec::new(),
        proposal: None,
        operator: Operator::Draft,
        proposer: "baseline".into(),
        surface: None,
        hypothesis: "the repository as it is".into(),
        expected: None,
        revision: 1,
        commit: None,
        tree: None,
        diff: None,
        knobs: BTreeMap::new(),
        flags: Vec::new(),
        implausible: None,
        status: Status::Proposed,
        verdict: None,
        verified: false,
        score: None,
        self_reported: None,
        holdout: None,
        runs: Vec::new(),
        failure: None,
        gates: Vec::new(),
        reviews: Vec::new(),
        comparison: None,
        advanced: false,
        judged_runs: 0,
        replicates_wanted: 0,
        times: Times::default(),
        pinned: false,
        pruned: false,
        revise: None,
        imported: None,
    }
}

/// Records one fact.
pub fn apply(study: &mut Study, record: &Record) {
    if study.engine_live && !study.is_over() && !matches!(record.event, Event::EngineStarted { .. }) {
        study.active_millis = study.active_millis.saturating_add(record.at.0.saturating_sub(study.at.0).max(0));
    }
    study.seq = record.seq;
    study.at = record.at;
    let at = record.at;
    match &record.event {
        Event::StudyCreated { .. } => {}
        Event::EngineStarted { slots, .. } => {
            study.engine_live = true;
            study.slots.clone_from(slots);
        }
        Event::EngineStopped => study.engine_live = false,
        Event::StateChanged { state, reason, detail } => {
            if *state == StudyState::Running && study.reason == Some(EndReason::Baseline) {
                baseline_anew(study);
            }
            study.state = *state;
            study.reason = *reason;
            study.detail.clone_from(detail);
            if *state == StudyState::Running {
                if let Some(setup) = study.setup.as_mut().filter(|s| s.stage == SetupStage::Failed) {
                    setup.stage = SetupStage::Wanted;
                }
                study.stopping = None;
                study.unsealed = false;
                study.fruitless = 0;
                study.faults = Faults::default();
            }
        }
        Event::SetupAsked { .. }
        | Event::SetupStarted { .. }
        | Event::SetupEnded { .. }
        | Event::SetupPrepared { .. }
        | Event::SetupGone { .. } => apply_setup(study, at, &record.event),
        Event::StopAsked { now, reason } => {
            study.stopping = Some(*now || study.stopping == Some(true));
            study.reason = Some(*reason);
        }
        Event::SettingsChanged { change } => apply_setting(study, change),
        Event::Steered { text, to } => study.steers.push(Steer { text: text.clone(), to: to.clone(), seq: record.seq }),
        Event::ProposalAsked { .. } | Event::ProposalFailed { .. } | Event::Spent { .. } => apply_request(study, at, &record.event),
        Event::Proposed { .. } => apply_proposed(study, at, &record.event),
        Event::Revised { .. }
        | Event::Checked { .. }
        | Event::Rejected { .. }
        | Event::Reviewed { .. }
        | Event::ReviewUndone { .. }
        | Event::NotRevised { .. }
        | Event::Rebased { .. }
        | Event::Staled { .. } => apply_review(study, at, &record.event),
        Event::RunScheduled { .. }
        | Event::RunStarted { .. }
        | Event::RunKillAsked { .. }
        | Event::RunEnded { .. }
        | Event::RunScored { .. } => apply_run(study, at, &record.event),
        Event::NoiseMeasured { noise } => study.noise = *noise,
        Event::Advanced { trial, comparison } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.advanced = true;
                t.comparison = Some((**comparison).clone());
            }
        }
        Event::SetAside { trial, implausible } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.implausible = Some((**implausible).clone());
            }
        }
        Event::Rerun { trial, held_up, mean, .. } => {
            if let Some(implausible) = study.trial_mut(*trial).and_then(|t| t.implausible.as_mut()) {
                implausible.held_up = Some(*held_up);
                implausible.rerun = Some(*mean);
            }
        }
        Event::Judged { trial, verdict, verified, comparison, failure } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.verdict = Some(*verdict);
                t.judged_runs = t.runs.iter().filter(|r| r.score.is_some() && !r.undone).count() as u32;
                t.verified = *verified;
                t.comparison = comparison.as_deref().cloned();
                t.failure.clone_from(failure);
                t.status = Status::Done;
                t.times.finished = t.times.finished.or(Some(at));
                study.unlabelled.insert(*trial, record.seq);
            }
        }
        Event::CommitLabelled { trial, commit, basis } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.commit = Some(commit.clone());
                // What came after the label was read is not in it.
                if basis.is_none_or(|basis| study.unlabelled.get(trial).is_none_or(|due| *due <= basis)) {
                    study.unlabelled.remove(trial);
                }
            }
        }
        Event::BaselineDone { failure } => {
            if let Some(t) = study.trial_mut(TrialId::BASELINE) {
                t.failure.clone_from(failure);
                t.status = Status::Done;
                t.times.finished = Some(at);
            }
        }
        Event::IncumbentMoved { trial, .. } => {
            study.incumbent = *trial;
            study.cautions.remove(&Caution::Flat);
        }
        Event::BestChanged { trial, score, verified, gain, gain_interval } => {
            let has_commit = study.trial(*trial).is_some_and(|t| t.commit.is_some());
            if has_commit && study.best.as_ref().is_none_or(|best| best.trial != *trial) {
                // The ref of the best follows: after a roll-back it is an older trial, whose label was written long ago.
                study.unlabelled.insert(*trial, record.seq);
            }
            let best = Best { trial: *trial, score: *score, verified: *verified, gain: *gain, gain_interval: *gain_interval };
            // The baseline is named when nothing is kept any more; of an imported history it may be what was kept.
            study.best = (*trial != TrialId::BASELINE || study.imported.is_some()).then_some(best);
        }
        Event::ReplicatesAsked { trial, runs, .. } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.replicates_wanted = t.replicates_wanted.saturating_add(*runs);
            }
        }
        Event::Marked { trial, pinned, pruned } => {
            if let Some(t) = study.trial_mut(*trial) {
                t.pinned = *pinned;
                t.pruned = *pruned;
            }
        }
        Event::HoldoutUnsealed { holdout } => {
            study.unsealed = true;
            for (id, value) in holdout {
                if let Some(t) = study.trial_mut(*id) {
                    t.holdout = Some(*value);
                }
            }
        }
        Event::HistoryImported { from } => study.imported = Some((**from).clone()),
        Event::Imported { trial, row } => apply_imported(study, at, *trial, row),
        Event::Cautioned { about, text } => {
            study.cautions.insert(*about);
            note(study, at, true, text);
        }
        Event::Noted { warning, text } => note(study, at, *warning, text),
    }
    if let Some(id) = record.event.trial() {
        refresh_open(study, id);
    }
}

fn note(study: &mut Study, at: Millis, warning: bool, text: &str) {
    study.notes.push(Note { at, warning, text: text.to_owned() });
    if study.notes.len() > 50 {
        study.notes.remove(0);
    }
}

/// A study whose baseline failed goes on: its runs count no more, and new ones are wanted.
fn baseline_anew(study: &mut Study) {
    let Some(baseline) = study.trial_mut(TrialId::BASELINE) else { return };
    for run in &mut baseline.runs {
        run.undone = true;
    }
    baseline.status = Status::Queued;
    baseline.failure = None;
    baseline.times.finished = None;
    refresh_open(study, TrialId::BASELINE);
}

fn refresh_open(study: &mut Study, id: TrialId) {
    let Some(trial) = study.trial(id) else { return };
    // Scores that came after the verdict are still to be judged; a failure has no comparison and is never judged anew.
    let scored = trial.runs.iter().filter(|r| r.score.is_some() && !r.undone).count() as u32;
    let judged = trial.comparison.is_none() || trial.judged_runs == scored;
    let open = !trial.status.is_final() || trial.in_flight() || trial.replicates_wanted > 0 || !judged;
    put(&mut study.open, id, open);
    put(&mut study.replicated, id, scored > 1);
}

fn put(set: &mut BTreeSet<TrialId>, id: TrialId, inside: bool) {
    if inside {
        set.insert(id);
    } else {
        set.remove(&id);
    }
}

fn apply_setting(study: &mut Study, change: &SettingsChange) {
    match change {
        SettingsChange::Autonomy { mode } => study.settings.autonomy = *mode,
        SettingsChange::Limits { limits } => {
            study.settings.limits = *limits;
            study.cautions.remove(&Caution::BudgetNear);
            study.cautions.remove(&Caution::BudgetSpent);
        }
        SettingsChange::Target { target } => study.settings.target = *target,
        SettingsChange::Proposers { proposers } => study.settings.proposers.clone_from(proposers),
        SettingsChange::Policy { policy } => study.settings.policy = *policy,
        SettingsChange::Isolation { tier } => study.settings.isolation = tier.word().into(),
        SettingsChange::Favour { favour } => {
            let same = |f: &Favour| f.role == favour.role && f.model == favour.model && f.surface == favour.surface;
            study.favours.retain(|f| !same(f));
            study.favours.push(favour.clone());
        }
        SettingsChange::Forbidden { glob, on: true } => {
            study.forbidden.insert(glob.clone());
        }
        SettingsChange::Forbidden { glob, on: false } => {
            study.forbidden.remove(glob);
        }
        SettingsChange::LetPass { proposer } => {
            study.let_pass.insert(proposer.clone());
        }
    }
}

fn apply_imported(study: &mut Study, at: Millis, id: TrialId, row: &ImportedTrial) {
    if id != TrialId::BASELINE && id != study.next_trial() {
        return;
    }
    let ran = row.status != Status::Unreadable;
    let run = Run {
        id: super::RunNo(1),
        kind: if id == TrialId::BASELINE { super::RunKind::Baseline } else { super::RunKind::Screen },
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

fn apply_setup(study: &mut Study, at: Millis, event: &Event) {
    if let Event::SetupAsked { wall_secs, prepare } = event {
        study.setup = Some(Setup {
            stage: SetupStage::Wanted,
            prepare: *prepare,
            wall_secs: *wall_secs,
            ended: 0,
            repeats: false,
            hash: None,
            since: None,
            waiting: None,
            seconds: 0.0,
            cached: false,
            failure: None,
            tail: Vec::new(),
        });
    }
    if let Event::SetupPrepared { evaluator: Some(list), .. } = event {
        study.evaluator = Some(list.clone());
    }
    let Some(setup) = study.setup.as_mut() else { return };
    match event {
        Event::SetupStarted { hash, waiting, .. } => {
            setup.stage = SetupStage::Building;
            setup.hash = Some(hash.clone());
            setup.waiting.clone_from(waiting);
            setup.since = Some(at);
            setup.failure = None;
            setup.tail.clear();
        }
        Event::SetupEnded { attempt, seconds, cached, failure, repeat, tail } => {
            setup.ended = *attempt;
            setup.seconds = *seconds;
            setup.cached = *cached;
            setup.waiting = None;
            setup.since = Some(at);
            setup.repeats = *repeat;
            setup.failure.clone_from(failure);
            setup.tail.clone_from(tail);
            setup.stage = match (failure, repeat) {
                (Some(_), true) => SetupStage::Wanted,
                (Some(_), false) => SetupStage::Failed,
                (None, _) if setup.prepare => SetupStage::Preparing,
                (None, _) => SetupStage::Ready,
            };
        }
        Event::SetupPrepared { failure, tail, .. } => {
            setup.failure.clone_from(failure);
            setup.tail.clone_from(tail);
            setup.since = Some(at);
            // What is prepared once is not prepared again.
            setup.prepare = failure.is_some();
            setup.stage = if failure.is_some() { SetupStage::Failed } else { SetupStage::Ready };
        }
        Event::SetupGone { .. } => setup.stage = SetupStage::Wanted,
        _ => {}
    }
}

fn apply_request(study: &mut Study, at: Millis, event: &Event) {
    match event {
        Event::ProposalAsked { proposal, proposer, parents, operator, decision, assignment } => {
            study.decisions = study.decisions.max(decision.saturating_add(1));
            let request = Proposal {
                id: *proposal,
                proposer: proposer.clone(),
                parents: parents.clone(),
                operator: *operator,
                decision: *decision,
                asked: at,
                // What a person asked for says nothing of the proposers.
                requested: assignment.as_ref().is_none_or(|a| a.idea.is_none()),
                trial: None,
                failed: None,
                assignment: assignment.clone(),
                spend: Spend::default(),
            };
            study.proposals.insert(*proposal, request);
            study.asked.insert(*proposal);
        }
        Event::Spent { proposal, spend } => {
            study.spend.add(spend);
            if let Some(p) = study.proposals.get_mut(proposal) {
                p.spend.add(spend);
            }
        }
        Event::ProposalFailed { proposal, detail } => {
            study.asked.remove(proposal);
            if let Some(p) = study.proposals.get_mut(proposal) {
                p.failed = Some(detail.clone());
                study.fruitless += u32::from(p.requested);
                if p.assignment.is_some() {
                    study.faults = Faults { in_a_row: study.faults.in_a_row.saturating_add(1), last: at };
                }
            }
        }
        _ => {}
    }
}

fn apply_proposed(study: &mut Study, at: Millis, event: &Event) {
    let Event::Proposed { proposal, trial, proposer, parents, operator, hypothesis, surface, expected, knobs, accepted, .. } = event else {
        return;
    };
    if study.next_trial() != *trial {
        return;
    }
    let request = study.proposals.entry(*proposal).or_insert_with(|| Proposal {
        id: *proposal,
        proposer: proposer.clone(),
        parents: parents.clone(),
        operator: *operator,
        decision: study.decisions,
        asked: at,
        requested: false,
        trial: None,
        failed: None,
        assignment: None,
        spend: Spend::default(),
    });
    request.trial = Some(*trial);
    if request.assignment.is_some() {
        study.faults = Faults::default();
    }
    study.asked.remove(proposal);
    let mut reviews = Vec::new();
    if *accepted {
        reviews.push(Review { by: Reviewer::Human, decision: Decision::Accept, reason: None, tree: None, at });
    }
    study.trials.push(Trial {
        parents: parents.clone(),
        proposal: Some(*proposal),
        operator: *operator,
        proposer: proposer.clone(),
        surface: surface.clone(),
        hypothesis: hypothesis.clone(),
        expected: *expected,
        knobs: knobs.clone(),
        reviews,
        times: Times { proposed: Some(at), ..Times::default() },
        ..blank_trial(*trial)
    });
}

fn apply_review(study: &mut Study, at: Millis, event: &Event) {
    let Some(id) = event.trial() else { return };
    let requested = study.trial(id).and_then(|t| t.proposal).and_then(|p| study.proposals.get(&p)).is_some_and(|p| p.requested);
    let mut fruitless = 0;
    let Some(trial) = study.trial_mut(id) else { return };
    match event {
        Event::Revised { revision, by, reason, accepted, hypothesis, expected, .. } => {
            trial.revision = *revision;
            if let Some(hypothesis) = hypothesis {
                trial.hypothesis.clone_from(hypothesis);
                trial.expected = *expected;
            }
            trial.status = Status::Proposed;
            trial.failure = None;
            trial.flags.clear();
            trial.times.accepted = None;
            trial.revise = None;
            let tree = trial.tree.take();
            // The revision that a reviewer asked for is no review of its own.
            if *by != Reviewer::Proposer {
                trial.reviews.push(Review { by: *by, decision: Decision::Edit, reason: reason.clone(), tree, at });
            }
            if *accepted {
                trial.reviews.push(Review { by: *by, decision: Decision::Accept, reason: None, tree: None, at });
            }
        }
        Event::NotRevised { .. } => {
            trial.status = Status::Waiting;
            trial.revise = None;
        }
        Event::Rebased { revision, parents, .. } => {
            trial.revision = *revision;
            trial.parents.clone_from(parents);
            trial.status = Status::Proposed;
            trial.failure = None;
            trial.flags.clear();
            trial.tree = None;
        }
        Event::Checked { revision, commit, tree, diff, surface, flags, .. } if *revision == trial.revision => {
            trial.flags.clone_from(flags);
            trial.commit = Some(commit.clone());
            trial.tree = Some(tree.clone());
            trial.diff = Some(*diff);
            trial.surface = surface.clone().or(trial.surface.take());
            // A person's accept that came with the draft or the edit is bound to the tree that it makes.
            let accepted = match trial.reviews.last_mut() {
                Some(review) if review.decision == Decision::Accept && review.tree.is_none() => {
                    review.tree = Some(tree.clone());
                    true
                }
                _ => false,
            };
            trial.status = if accepted { Status::Queued } else { Status::Waiting };
            trial.times.accepted = accepted.then_some(at);
        }
        Event::Rejected { failure, .. } => {
            trial.status = Status::Rejected;
            trial.failure = Some(failure.clone());
            trial.times.finished = Some(at);
            // What a person wrote says nothing of the proposers.
            fruitless = u32::from(requested && trial.revision == 1);
        }
        Event::Reviewed { by, decision, reason, tree, .. } => {
            trial.reviews.push(Review { by: *by, decision: *decision, reason: reason.clone(), tree: tree.clone(), at });
            match decision {
                Decision::Accept => {
                    trial.status = Status::Queued;
                    trial.times.accepted = Some(at);
                }
                Decision::Veto => {
                    trial.status = Status::Vetoed;
                    trial.times.finished = Some(at);
                    // What a rule refuses starts nothing, like what does not apply.
                    fruitless = u32::from(requested && *by == Reviewer::Rule && trial.revision == 1);
                }
                Decision::Revise => {
                    trial.status = Status::Proposed;
                    trial.revise = Some(reason.clone().unwrap_or_default());
                }
                Decision::Edit => {}
            }
        }
        Event::ReviewUndone { .. } => {
            trial.status = Status::Waiting;
            trial.revise = None;
            trial.times.accepted = None;
            trial.times.finished = None;
            for run in trial.runs.iter_mut().filter(|r| r.phase != RunPhase::Ended) {
                run.kill = true;
            }
            for run in &mut trial.runs {
                run.undone = true;
            }
            // Nothing that those runs showed counts: the trial begins anew with its next accept.
            trial.advanced = false;
            trial.implausible = None;
            trial.comparison = None;
            trial.score = None;
            trial.self_reported = None;
            trial.gates.clear();
        }
        Event::Staled { detail, .. } => {
            trial.status = Status::Stale;
            trial.failure = None;
            trial.times.finished = Some(at);
            trial.reviews.push(Review {
                by: Reviewer::Rule,
                decision: Decision::Veto,
                reason: Some(detail.clone()),
                tree: trial.tree.clone(),
                at,
            });
        }
        _ => {}
    }
    study.fruitless += fruitless;
}

fn apply_run(study: &mut Study, at: Millis, event: &Event) {
    let Some(id) = event.trial() else { return };
    let (mut first_run, mut slot_seconds, mut gpus) = (false, 0.0, 0);
    let Some(trial) = study.trial_mut(id) else { return };
    match event {
        Event::RunScheduled { run, kind, seed, slot, tree, retry_of, gpus } => {
            first_run = trial.runs.is_empty();
            trial.replicates_wanted = trial.replicates_wanted.saturating_sub(u32::from(trial.status == Status::Done && retry_of.is_none()));
            trial.runs.push(Run {
                id: run.run,
                kind: *kind,
                seed: *seed,
                slot: *slot,
                tree: tree.clone(),
                retry_of: *retry_of,
                phase: RunPhase::Running,
                kill: false,
                undone: false,
                score: None,
                self_reported: None,
                metrics: BTreeMap::new(),
                gates: Vec::new(),
                failure: None,
                artifacts: None,
                seconds: 0.0,
                peak_memory_bytes: 0,
                gpus: *gpus,
                scheduled: at,
                started: None,
                finished: None,
                imported: false,
            });
        }
        Event::RunStarted { run, .. } => {
            trial.times.started = trial.times.started.or(Some(at));
            if let Some(r) = trial.run_mut(run.run) {
                r.started = r.started.or(Some(at));
            }
        }
        Event::RunKillAsked { run } => {
            if let Some(r) = trial.run_mut(run.run) {
                r.kill = true;
            }
        }
        Event::RunEnded { run, seconds, peak_memory_bytes, self_reported, failure, artifacts } => {
            slot_seconds = *seconds;
            if let Some(r) = trial.run_mut(run.run) {
                gpus = r.gpus;
                r.seconds = *seconds;
                r.peak_memory_bytes = *peak_memory_bytes;
                r.self_reported = *self_reported;
                r.failure.clone_from(failure);
                r.artifacts.clone_from(artifacts);
                r.phase = if failure.is_some() { RunPhase::Ended } else { RunPhase::Evaluating };
                r.finished = failure.as_ref().map(|_| at);
            }
            let reported: Vec<f64> = trial.runs.iter().filter(|r| !r.undone).filter_map(|r| r.self_reported).collect();
            trial.self_reported = (!reported.is_empty()).then(|| reported.iter().sum::<f64>() / reported.len() as f64);
        }
        Event::RunScored { run, score, metrics, gates, failure, trial_score } => {
            trial.score = *trial_score;
            if trial.run(run.run).is_some_and(|r| !r.undone) {
                trial.gates.clone_from(gates);
            }
            if let Some(r) = trial.run_mut(run.run) {
                r.score = *score;
                r.metrics.clone_from(metrics);
                r.gates.clone_from(gates);
                r.failure.clone_from(failure);
                r.phase = RunPhase::Ended;
                r.finished = Some(at);
            }
        }
        _ => {}
    }
    if !trial.status.is_final() && trial.status != Status::Waiting {
        let phases = || trial.runs.iter().map(|r| r.phase);
        trial.status = if phases().any(|p| p == RunPhase::Running) {
            Status::Running
        } else if phases().any(|p| p == RunPhase::Evaluating) {
            Status::Evaluating
        } else {
            Status::Queued
        };
    }
    study.slot_seconds += slot_seconds;
    study.gpu_seconds += slot_seconds * f64::from(gpus);
    if first_run {
        study.fruitless = 0;
        study.trials_used += u32::from(id != TrialId::BASELINE);
    }
}

impl Event {
    /// The node that this fact is about.
    pub fn trial(&self) -> Option<TrialId> {
        match self {
            Self::Proposed { trial, .. }
            | Self::Revised { trial, .. }
            | Self::Checked { trial, .. }
            | Self::Rejected { trial, .. }
            | Self::Reviewed { trial, .. }
            | Self::ReviewUndone { trial }
            | Self::NotRevised { trial, .. }
            | Self::Rebased { trial, .. }
            | Self::Staled { trial, .. }
            | Self::Advanced { trial, .. }
            | Self::SetAside { trial, .. }
            | Self::Rerun { trial, .. }
            | Self::Judged { trial, .. }
            | Self::CommitLabelled { trial, .. }
            | Self::IncumbentMoved { trial, .. }
            | Self::BestChanged { trial, .. }
            | Self::ReplicatesAsked { trial, .. }
            | Self::Marked { trial, .. }
            | Self::Imported { trial, .. } => Some(*trial),
            Self::RunScheduled { run, .. }
            | Self::RunStarted { run, .. }
            | Self::RunKillAsked { run }
            | Self::RunEnded { run, .. }
            | Self::RunScored { run, .. } => Some(run.trial),
            Self::BaselineDone { .. } => Some(TrialId::BASELINE),
            Self::StudyCreated { .. }
            | Self::EngineStarted { .. }
            | Self::EngineStopped
            | Self::SetupAsked { .. }
            | Self::SetupStarted { .. }
            | Self::SetupEnded { .. }
            | Self::SetupPrepared { .. }
            | Self::SetupGone { .. }
            | Self::StateChanged { .. }
            | Self::StopAsked { .. }
            | Self::SettingsChanged { .. }
            | Self::Steered { .. }
            | Self::ProposalAsked { .. }
            | Self::ProposalFailed { .. }
            | Self::Spent { .. }
            | Self::NoiseMeasured { .. }
            | Self::HoldoutUnsealed { .. }
            | Self::HistoryImported { .. }
            | Self::Cautioned { .. }
            | Self::Noted { .. } => None,
        }
    }
}
