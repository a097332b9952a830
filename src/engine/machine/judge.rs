//! Verdicts: the noise, the baseline, and every trial whose runs have ended. The numbers come from `decide`.

use super::commands::is_kept;
use super::schedule::{live_runs, retried, wants_retry};
use crate::decide::{self, Arm, Candidate, Certificate, Rule, Screen};
use crate::model::{Comparison, Event, Failure, Label, NoisePlan, Run, RunKind, RunPhase, Status, Study, Trial, TrialId, Verdict};

/// Decides what can be decided now: at most one thing at a time.
pub(super) fn settle(study: &Study) -> Vec<Event> {
    let noise = noise(study);
    if !noise.is_empty() {
        return noise;
    }
    if study.baseline().is_some_and(|b| b.status != Status::Done) {
        return baseline(study);
    }
    study.open.iter().filter_map(|id| study.trial(*id)).map(|t| trial(study, t)).find(|events| !events.is_empty()).unwrap_or_default()
}

/// Pools the noise anew when a replicated node has a new score.
fn noise(study: &Study) -> Vec<Event> {
    if study.settings.noise != NoisePlan::Measure || study.baseline().is_some_and(|b| b.in_flight()) && study.trials.len() == 1 {
        return Vec::new();
    }
    let groups: Vec<Vec<f64>> = study.trials.iter().filter(|t| t.runs.len() > 1).map(Trial::scores).filter(|s| s.len() > 1).collect();
    let slices: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
    if slices.is_empty() {
        return Vec::new();
    }
    let noise = decide::pooled_noise(&slices);
    if noise == study.noise { Vec::new() } else { vec![Event::NoiseMeasured { noise }] }
}

fn baseline(study: &Study) -> Vec<Event> {
    let Some(baseline) = study.baseline() else { return Vec::new() };
    let ended = |r: &&Run| r.phase == RunPhase::Ended && !wants_retry(baseline, r);
    let finished = baseline.runs.iter().filter(|r| r.retry_of.is_none()).count() as u32 >= study.settings.baseline_runs
        && baseline.runs.iter().all(|r| ended(&r));
    if !finished {
        return Vec::new();
    }
    if baseline.score.is_some() {
        let mut events = vec![Event::BaselineDone];
        if let crate::model::Noise::Unknown { seed_without_effect } = study.noise {
            let why = if seed_without_effect {
                "the seed has no effect: all baseline scores are equal"
            } else {
                "too few baseline runs gave a score"
            };
            let mend = match study.settings.min_effect {
                Some(effect) => format!("a gain counts from min_effect = {}, and nothing is verified", crate::model::number::short(effect)),
                None => "set [task] min_effect (or a seed that matters): until then no gain can be told from noise".to_owned(),
            };
            events.push(Event::Noted { warning: true, text: format!("the noise is unknown: {why}; {mend}") });
        }
        return events;
    }
    let detail = baseline.runs.iter().rev().find_map(|r| r.failure.as_ref()).map_or_else(
        || "no baseline run gave a score".to_owned(),
        |f| format!("every baseline run failed, last with {}: {}", f.label.word(), f.detail),
    );
    vec![Event::StateChanged {
        state: crate::model::StudyState::Failed,
        reason: Some(crate::model::EndReason::Baseline),
        detail: Some(detail),
    }]
}

/// The failure that decides a trial: of a run of the given kinds that is not going to be repeated.
fn deciding_failure<'a>(trial: &'a Trial, kinds: &[RunKind]) -> Option<&'a Failure> {
    live_runs(trial).into_iter().filter(|r| kinds.contains(&r.kind) && !retried(trial, r.id)).find_map(|r| r.failure.as_ref())
}

fn valid(trial: &Trial, kind: RunKind) -> usize {
    live_runs(trial).iter().filter(|r| r.kind == kind && r.score.is_some()).count()
}

fn scores_of(trial: &Trial) -> Vec<f64> {
    live_runs(trial).iter().filter_map(|r| r.score).collect()
}

/// Scores told apart by whether they selected the trial (its screening runs) or came later.
fn told_apart(trial: &Trial) -> (Vec<f64>, Vec<f64>) {
    let scores = |screen: bool| live_runs(trial).iter().filter(|r| (r.kind == RunKind::Screen) == screen).filter_map(|r| r.score).collect();
    (scores(true), scores(false))
}

fn rule(study: &Study) -> Rule {
    Rule { goal: study.settings.goal, noise: study.noise, min_effect: study.settings.min_effect }
}

fn trial(study: &Study, trial: &Trial) -> Vec<Event> {
    let active = matches!(trial.status, Status::Queued | Status::Running | Status::Evaluating | Status::Done);
    let runs = live_runs(trial);
    if !active
        || trial.id == TrialId::BASELINE
        || runs.is_empty()
        || runs.iter().any(|r| r.phase != RunPhase::Ended || wants_retry(trial, r))
    {
        return Vec::new();
    }
    let per_score = study.settings.seeds_per_score as usize;
    let Some(incumbent) = study.trial(study.incumbent) else { return Vec::new() };
    if trial.status == Status::Done {
        return again(study, trial);
    }
    if let Some(failure) = deciding_failure(trial, &[RunKind::Screen]) {
        return vec![judged(trial, Verdict::Revert, false, None, Some(failure.clone()))];
    }
    if valid(trial, RunKind::Screen) < per_score {
        return Vec::new();
    }
    let (screen, fresh) = told_apart(trial);
    let theirs = scores_of(incumbent);
    let arm = Arm { trial: incumbent.id, scores: &theirs };
    if !trial.advanced {
        return match decide::screen(&rule(study), &screen, arm) {
            Some(Screen::Revert(c)) => vec![judged(trial, Verdict::Revert, false, Some(Box::new(c)), None)],
            Some(Screen::Undecided(c)) => vec![judged(trial, Verdict::Undecided, false, Some(Box::new(c)), None)],
            Some(Screen::Advance(c)) => vec![Event::Advanced { trial: trial.id, comparison: Box::new(c) }],
            None => Vec::new(),
        };
    }
    if let Some(failure) = deciding_failure(trial, &[RunKind::Confirm]) {
        let verdict =
            if failure.label.not_the_codes_fault() || failure.label == Label::EvalTimedOut { Verdict::Undecided } else { Verdict::Revert };
        return vec![judged(trial, verdict, false, trial.comparison.clone().map(Box::new), Some(failure.clone()))];
    }
    if valid(trial, RunKind::Confirm) < per_score {
        return Vec::new();
    }
    let Some(judgement) = decide::confirm(&rule(study), Candidate { screen: &screen, fresh: &fresh }, arm) else { return Vec::new() };
    let verdict = judged(trial, judgement.verdict, judgement.verified, Some(Box::new(judgement.comparison)), None);
    if judgement.verdict == Verdict::Keep { with_best(study, trial, verdict, true, judgement.verified) } else { vec![verdict] }
}

/// A decided trial with new runs: its verdict may change, for the better or the worse.
fn again(study: &Study, trial: &Trial) -> Vec<Event> {
    let Some(before) = &trial.comparison else { return Vec::new() };
    let (screen, fresh) = told_apart(trial);
    let judged_runs = trial.judged_runs;
    if (screen.len() + fresh.len()) as u32 == judged_runs || trial.replicates_wanted > 0 {
        return Vec::new();
    }
    let Some(other) = study.trial(before.against).filter(|o| o.id != trial.id) else { return Vec::new() };
    let theirs = scores_of(other);
    let (candidate, arm) = (Candidate { screen: &screen, fresh: &fresh }, Arm { trial: other.id, scores: &theirs });
    if trial.verdict == Some(Verdict::Keep) {
        let (verified, comparison) = match decide::certify(&rule(study), candidate, arm) {
            Some(Certificate::RollBack(c)) => {
                let verdict = judged(trial, Verdict::RolledBack, false, Some(Box::new(c)), None);
                return rolled_back(study, trial, verdict);
            }
            Some(Certificate::Verified(c)) => (true, c),
            Some(Certificate::More(c) | Certificate::Futile(c)) => (trial.verified, c),
            None => return Vec::new(),
        };
        let verdict = judged(trial, Verdict::Keep, verified, Some(Box::new(comparison)), None);
        return with_best(study, trial, verdict, false, verified);
    }
    // A trial that was not kept may turn out well after all, but only against the incumbent of now.
    let (Some(judgement), Some(verdict)) = (decide::confirm(&rule(study), candidate, arm), trial.verdict) else { return Vec::new() };
    if judgement.verdict == Verdict::Keep && other.id == study.incumbent {
        let event = judged(trial, Verdict::Keep, judgement.verified, Some(Box::new(judgement.comparison)), None);
        return with_best(study, trial, event, true, judgement.verified);
    }
    vec![judged(trial, verdict, false, Some(Box::new(judgement.comparison)), trial.failure.clone())]
}

fn judged(trial: &Trial, verdict: Verdict, verified: bool, comparison: Option<Box<Comparison>>, failure: Option<Failure>) -> Event {
    Event::Judged { trial: trial.id, verdict, verified, comparison, failure }
}

/// A keep moves the incumbent, and the headline with it.
fn with_best(study: &Study, trial: &Trial, verdict: Event, moves: bool, verified: bool) -> Vec<Event> {
    let mut events = vec![verdict];
    if moves && study.incumbent != trial.id {
        events.push(Event::IncumbentMoved { trial: trial.id, from: study.incumbent });
    }
    events.extend(best(study, Some((trial, verified)), None));
    events
}

/// The search falls back to the nearest kept ancestor, else to the best other keep, else to the baseline.
fn rolled_back(study: &Study, trial: &Trial, verdict: Event) -> Vec<Event> {
    let mut events = vec![verdict];
    if study.incumbent == trial.id {
        let mut ancestor = trial.parents.first().copied();
        while let Some(parent) = ancestor.and_then(|id| study.trial(id)) {
            if is_kept(parent) || parent.id == TrialId::BASELINE {
                break;
            }
            ancestor = parent.parents.first().copied();
        }
        events.push(Event::IncumbentMoved { trial: ancestor.unwrap_or(TrialId::BASELINE), from: trial.id });
    }
    events.extend(best(study, None, Some(trial.id)));
    events
}

/// The best verified keep, else the best provisional one, as of after the verdict at hand.
fn best(study: &Study, kept: Option<(&Trial, bool)>, without: Option<TrialId>) -> Option<Event> {
    let others = study
        .trials
        .iter()
        .filter(|t| is_kept(t) && Some(t.id) != without && kept.is_none_or(|(k, _)| k.id != t.id))
        .map(|t| (t, t.verified));
    let baseline = study.baseline()?;
    let goal = study.settings.goal;
    let top = others.chain(kept).filter_map(|(t, verified)| Some((t, verified, t.score?))).max_by(|a, b| {
        let key = |x: &(&Trial, bool, f64)| goal.gain(x.2, 0.0);
        a.1.cmp(&b.1).then(key(a).total_cmp(&key(b)))
    });
    let Some((trial, verified, score)) = top else {
        // Nothing is kept any more: the baseline is the best again, with no gain.
        let score = baseline.score?;
        return Some(Event::BestChanged { trial: TrialId::BASELINE, score, verified: false, gain: 0.0, gain_interval: None });
    };
    let (screen, fresh) = told_apart(trial);
    let headline = decide::headline(goal, study.noise, Candidate { screen: &screen, fresh: &fresh }, &scores_of(baseline))?;
    Some(Event::BestChanged { trial: trial.id, score, verified, gain: headline.gain, gain_interval: headline.interval })
}
