//! Verdicts: the noise, the baseline, every trial whose runs have ended, and the headline that follows from them. The numbers
//! come from `decide`.

use super::commands::is_kept;
use super::mend;
use super::schedule::{baseline_runs, live_runs, may_start, retried, wants_retry};
use crate::decide::{self, Arm, Candidate, Certificate, Rule, Screen};
use crate::model::{Best, Comparison, Event, Failure, Label, NoisePlan, Run, RunKind, RunPhase, Status, Study, Trial, TrialId, Verdict};

/// Decides what can be decided now: at most one thing at a time.
pub(super) fn settle(study: &Study) -> Vec<Event> {
    let noise = noise(study);
    if !noise.is_empty() {
        return noise;
    }
    if study.baseline().is_some_and(|b| b.status != Status::Done || (b.failure.is_some() && study.reference.is_none())) {
        return baseline(study);
    }
    if let Some(caution) = mend::unknown_noise(study) {
        return vec![caution];
    }
    let verdict = verdict(study);
    verdict.unwrap_or_else(|| if told_here(study) { measured_here(study).into_iter().collect() } else { headline(study) })
}

fn verdict(study: &Study) -> Option<Vec<Event>> {
    study.open.iter().filter_map(|id| study.trial(*id)).map(|t| trial(study, t)).find(|events| !events.is_empty())
}

/// Whether the best trial is an imported one, whose headline waits for runs here.
fn told_here(study: &Study) -> bool {
    study.best.as_ref().and_then(|best| study.trial(best.trial)).is_some_and(|t| t.imported.is_some())
}

/// The headline of an imported best, told anew once its code and the baseline's have run here.
fn measured_here(study: &Study) -> Option<Event> {
    study.imported.as_ref()?;
    let (best, baseline) = (study.best.as_ref()?, study.reference()?);
    let trial = study.trial(best.trial).filter(|t| t.imported.is_some() && !t.own_scores().is_empty())?;
    let waits = |t: &Trial| t.replicates_wanted > 0 || t.in_flight();
    let score = trial.score.filter(|_| !waits(trial) && !waits(baseline))?;
    let (screen, fresh) = told_apart(trial);
    let headline = decide::headline(study.settings.goal, study.noise, Candidate { screen: &screen, fresh: &fresh }, &scores_of(baseline))?;
    let same = best.score == score && best.gain == headline.gain && best.gain_interval == headline.interval;
    (!same).then_some(Event::BestChanged {
        trial: trial.id,
        score,
        verified: best.verified,
        gain: headline.gain,
        gain_interval: headline.interval,
    })
}

/// Pools the noise anew when a replicated node has a new score.
fn noise(study: &Study) -> Vec<Event> {
    if study.settings.noise != NoisePlan::Measure || study.baseline().is_some_and(|b| b.in_flight()) && study.trials.len() == 1 {
        return Vec::new();
    }
    let groups: Vec<Vec<f64>> = study.replicated.iter().filter_map(|id| study.trial(*id)).map(super::set_aside::believed).collect();
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
    let finished = baseline_runs(baseline) >= study.settings.baseline_runs && baseline.runs.iter().all(|r| ended(&r));
    if !finished {
        return Vec::new();
    }
    if baseline.score.is_some() {
        let noted = unknown_noise(study).map(|text| Event::Noted { warning: true, text });
        return std::iter::once(Event::BaselineDone { failure: None }).chain(noted).collect();
    }
    let last = baseline.runs.iter().rev().find_map(|r| r.failure.clone());
    if baseline.status != Status::Done && last.is_some() {
        return vec![Event::BaselineDone { failure: last }];
    }
    if let Some(repaired) = verdict(study) {
        return repaired;
    }
    match mend::settle(study, last.as_ref()) {
        Ok(events) => events,
        Err(detail) => vec![Event::StateChanged {
            state: crate::model::StudyState::Failed,
            reason: Some(crate::model::EndReason::Baseline),
            detail: Some(detail),
        }],
    }
}

/// Why no gain can be told from noise, and what to do about it; none where the noise is known.
pub(super) fn unknown_noise(study: &Study) -> Option<String> {
    let crate::model::Noise::Unknown { seed_without_effect } = study.noise else { return None };
    let why =
        if seed_without_effect { "the seed has no effect: all baseline scores are equal" } else { "too few baseline runs gave a score" };
    let mend = match study.settings.min_effect {
        Some(effect) => format!("a gain counts from min_effect = {}, and nothing is verified", crate::model::number::short(effect)),
        None => "set [task] min_effect (or a seed that matters): until then no gain can be told from noise".to_owned(),
    };
    Some(format!("the noise is unknown: {why}; {mend}"))
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
    // An imported number is of another machine: what was asked for here is waited for.
    if incumbent.imported.is_some() && (incumbent.replicates_wanted > 0 || incumbent.in_flight()) {
        return Vec::new();
    }
    // So is what the reference is measured by.
    if mend::measuring(study) {
        return Vec::new();
    }
    if trial.status == Status::Done {
        return again(study, trial);
    }
    if let Some(failure) = deciding_failure(trial, &[RunKind::Screen]) {
        return vec![judged(trial, Verdict::Revert, false, None, Some(failure.clone()))];
    }
    if valid(trial, RunKind::Screen) < per_score {
        return Vec::new();
    }
    if study.baseline().is_some_and(|b| b.failure.is_some()) && study.reference.is_none() {
        return mend::mended(study, trial);
    }
    let (screen, fresh) = told_apart(trial);
    let theirs = scores_of(incumbent);
    let arm = Arm { trial: incumbent.id, scores: &theirs };
    if !trial.advanced {
        return match decide::screen(&rule(study), &screen, arm) {
            Some(Screen::Revert(c)) => vec![judged(trial, Verdict::Revert, false, Some(Box::new(c)), None)],
            Some(Screen::Undecided(c)) => vec![judged(trial, Verdict::Undecided, false, Some(Box::new(c)), None)],
            Some(Screen::Advance(c)) => {
                let aside = super::set_aside::doubt(study, trial, &screen, &rule(study));
                aside.into_iter().chain([Event::Advanced { trial: trial.id, comparison: Box::new(c) }]).collect()
            }
            None => Vec::new(),
        };
    }
    if let Some(failure) = deciding_failure(trial, &[RunKind::Confirm]) {
        let verdict =
            if failure.label.not_the_codes_fault() || failure.label == Label::EvalTimedOut { Verdict::Undecided } else { Verdict::Revert };
        return vec![judged(trial, verdict, false, trial.comparison.clone().map(Box::new), Some(failure.clone()))];
    }
    if valid(trial, RunKind::Confirm) < super::set_aside::wanted(study, trial, RunKind::Confirm) as usize {
        return Vec::new();
    }
    if let Some(event) = super::set_aside::rerun(trial, &screen, &fresh, &rule(study)) {
        return vec![event];
    }
    let Some(judgement) = decide::confirm(&rule(study), Candidate { screen: &screen, fresh: &fresh }, arm) else { return Vec::new() };
    if trial.implausible.as_ref().is_some_and(|i| i.held_up == Some(false)) {
        // What could not be repeated is not kept, whatever its mean says.
        let verdict = if judgement.comparison.sd.is_some() { Verdict::Revert } else { Verdict::Undecided };
        return vec![judged(trial, verdict, false, Some(Box::new(judgement.comparison)), None)];
    }
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
    // A trial that was not kept may turn out well after all, but only against the incumbent of now, and never by a gain that
    // did not hold up.
    let candidate = if trial.implausible.as_ref().is_some_and(|i| i.held_up == Some(false)) {
        Candidate { screen: &[], ..candidate }
    } else {
        candidate
    };
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

/// The headline anew, once later runs of the baseline or of the best, or a better estimate of the noise, change its numbers.
fn headline(study: &Study) -> Vec<Event> {
    let (Some(known), Some(baseline)) = (&study.best, study.reference()) else { return Vec::new() };
    let Some(trial) = study.trial(known.trial) else { return Vec::new() };
    let awaited = |t: &Trial| t.in_flight() || (t.replicates_wanted > 0 && may_start(study));
    if awaited(trial) || awaited(baseline) {
        return Vec::new();
    }
    let Some(now) = best_of(study, trial, trial.verified) else { return Vec::new() };
    if known.verified && !now.verified {
        // Another keep may be better than one that is no longer certain.
        return best(study, None, None).into_iter().collect();
    }
    if same(known, &now) { Vec::new() } else { vec![changed(now)] }
}

/// Whether two headlines say the same. The last digits do not count: they differ by the order of a sum.
fn same(a: &Best, b: &Best) -> bool {
    let near = |x: f64, y: f64| x == y || (x - y).abs() <= 1e-9 * a.score.abs().max(x.abs()).max(y.abs());
    let intervals = match (a.gain_interval, b.gain_interval) {
        (Some([low, high]), Some([l, h])) => near(low, l) && near(high, h),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    a.verified == b.verified && near(a.score, b.score) && near(a.gain, b.gain) && intervals
}

fn changed(best: Best) -> Event {
    let Best { trial, score, verified, gain, gain_interval } = best;
    Event::BestChanged { trial, score, verified, gain, gain_interval }
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

/// The search falls back to the nearest kept ancestor, else to the best other keep, else to the baseline, or what stands in for it.
fn rolled_back(study: &Study, trial: &Trial, verdict: Event) -> Vec<Event> {
    let mut events = vec![verdict];
    if study.incumbent == trial.id {
        let mut ancestor = trial.parents.first().copied();
        while let Some(parent) = ancestor.and_then(|id| study.trial(id)) {
            if is_kept(parent) || parent.id == study.reference_id() {
                break;
            }
            ancestor = parent.parents.first().copied();
        }
        events.push(Event::IncumbentMoved { trial: ancestor.unwrap_or(study.reference_id()), from: trial.id });
    }
    events.extend(best(study, None, Some(trial.id)));
    events
}

/// The best verified keep, else the best provisional one, as of after the verdict at hand.
fn best(study: &Study, kept: Option<(&Trial, bool)>, without: Option<TrialId>) -> Option<Event> {
    let others = study
        .trials
        .iter()
        .filter(|t| is_kept(t) && t.id != study.reference_id() && Some(t.id) != without && kept.is_none_or(|(k, _)| k.id != t.id))
        .map(|t| (t, t.verified));
    let baseline = study.reference()?;
    let goal = study.settings.goal;
    let all: Vec<(&Trial, bool)> = others.chain(kept).collect();
    // Imported numbers do not compete with those that were measured here.
    let here = all.iter().any(|(t, _)| !t.own_scores().is_empty());
    let certain = |t: &Trial, verified: bool| verified && best_of(study, t, true).is_none_or(|b| b.verified);
    let competing = all.into_iter().filter(|(t, _)| !here || !t.own_scores().is_empty()).map(|(t, v)| (t, certain(t, v)));
    let top = competing.filter_map(|(t, verified)| Some((t, verified, t.score?))).max_by(|a, b| {
        let key = |x: &(&Trial, bool, f64)| goal.gain(x.2, 0.0);
        a.1.cmp(&b.1).then(key(a).total_cmp(&key(b)))
    });
    let Some((trial, verified, _)) = top else {
        // Nothing is kept any more: the baseline is the best again, with no gain.
        return best_of(study, baseline, false).map(changed);
    };
    best_of(study, trial, verified).map(changed)
}

/// What a trial's runs say against the baseline's.
fn best_of(study: &Study, trial: &Trial, verified: bool) -> Option<Best> {
    let score = trial.score?;
    if trial.id == study.reference_id() {
        return Some(Best { trial: trial.id, score, verified: false, gain: 0.0, gain_interval: None });
    }
    let (screen, fresh) = told_apart(trial);
    let candidate = Candidate { screen: &screen, fresh: &fresh };
    let headline = decide::headline(study.settings.goal, study.noise, candidate, &scores_of(study.reference()?))?;
    // What was certified under less noise than is known now is provisional again once its interval reaches zero.
    let verified = verified && headline.interval.is_none_or(|[low, _]| low > 0.0);
    Some(Best { trial: trial.id, score, verified, gain: headline.gain, gain_interval: headline.interval })
}
