//! The one way in which a study changes: `apply` records a fact. It never judges, and it is total: a fact about a thing
//! that does not exist changes nothing.

mod imported;
mod request;
mod review;
mod run;
mod setup;

use super::*;
use imported::apply_imported;
use request::{apply_proposed, apply_request};
use review::apply_review;
use run::apply_run;
use setup::apply_setup;

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
        reference: None,
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
        news: 0,
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
        superseded: Vec::new(),
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
        Event::BaselineMended { trial, runs } => {
            study.reference = Some(*trial);
            if let Some(t) = study.trial_mut(*trial) {
                t.replicates_wanted = t.replicates_wanted.saturating_add(*runs);
            }
            study.cautions.remove(&Caution::Mending);
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
            study.best = (*trial != study.reference_id() || study.imported.is_some()).then_some(best);
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
    if is_news(&record.event) {
        study.news = record.seq;
    }
    if let Some(id) = record.event.trial() {
        refresh_open(study, id);
    }
}

/// Whether a fact tells proposers something that may give them an idea: a score, a decision, a word of the researcher's.
fn is_news(event: &Event) -> bool {
    matches!(
        event,
        Event::RunScored { .. }
            | Event::Judged { .. }
            | Event::BaselineDone { .. }
            | Event::IncumbentMoved { .. }
            | Event::Rejected { .. }
            | Event::Reviewed { by: Reviewer::Human, .. }
            | Event::Reviewed { decision: Decision::Veto, .. }
            | Event::ReviewUndone { .. }
            | Event::Steered { .. }
            | Event::Marked { .. }
            | Event::SettingsChanged { .. }
            | Event::StateChanged { state: StudyState::Running, .. }
    )
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
    study.cautions.remove(&Caution::Mending);
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
            study.cautions.remove(&Caution::TurnedOff);
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
