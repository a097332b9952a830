//! Confirm on win, certify to claim.
//!
//! t = gain / (s √(1/n_c + 1/n_r)), positive when the candidate is better; bounds are q(z) = t_ν⁻¹(Φ(z)). A strict test
//! on each keep would cost a quarter to a half of the true gain; no test at all keeps one harmful edit in two.

use super::quantile::{MOST_FREEDOM, student_t, z_to_t};
use super::{Arm, Candidate, Rule, finite, mean};
use crate::model::{Comparison, Goal, Noise, TrialId, Verdict};

/// Bound of a provisional keep, as a normal z. Chosen by simulation: 76 to 97 % of the gain of keep-if-better.
const KEEP_Z: f64 = 0.35;
/// Bound of "verified", on fresh runs alone.
const VERIFY_Z: f64 = 2.0;
/// Below this, on fresh runs, more of them are not worth their cost.
const FUTILE_Z: f64 = 1.1;
/// Runs of one candidate after which certifying ends.
const MOST_RUNS: u32 = 4;
/// Runs of one candidate before it may be rolled back.
const ROLL_BACK_RUNS: u32 = 3;

/// What the first run says.
#[derive(Debug, Clone, PartialEq)]
pub enum Screen {
    /// Not better: nothing more is spent on it.
    Revert(Comparison),
    /// An apparent gain: the confirming run is next.
    Advance(Comparison),
    /// An apparent gain that cannot be told from noise, for the noise is unknown and no `min_effect` was given.
    Undecided(Comparison),
}

/// What the confirming run says.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Keep, revert or undecided.
    pub verdict: Verdict,
    /// Whether the fresh runs alone certify the gain.
    pub verified: bool,
    /// The numbers of all runs.
    pub comparison: Comparison,
}

/// What fresh runs say of a provisional keep.
#[derive(Debug, Clone, PartialEq)]
pub enum Certificate {
    /// The gain is real as far as fresh runs can tell.
    Verified(Comparison),
    /// One more run of each side may tell.
    More(Comparison),
    /// It stays provisional: more runs are not worth their cost, or cannot tell while the noise is unknown.
    Futile(Comparison),
    /// Fresh runs say that it is worse: back to the parent.
    RollBack(Comparison),
}

/// The headline: a comparison of fresh runs with the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Headline {
    /// Positive when better, in the metric's unit.
    pub gain: f64,
    /// 95 % interval; none while the noise is unknown.
    pub interval: Option<[f64; 2]>,
}

/// Judges a candidate by its first run (or runs, where several seeds make one score).
///
/// No gain, or one below `min_effect`, reverts. Call it when the noise has been measured: with noise still unknown an
/// apparent gain is undecided, or advances where `min_effect` says how much matters. None when a side has no score.
pub fn screen(rule: &Rule, candidate: &[f64], incumbent: Arm) -> Option<Screen> {
    // Any gain goes on to its confirming run, so there is no bound to tell.
    let comparison = compare(rule, &finite(candidate), incumbent)?;
    Some(if comparison.gain <= 0.0 || below_min_effect(rule, &comparison) {
        Screen::Revert(comparison)
    } else if comparison.t.is_none() && rule.min_effect.is_none() {
        Screen::Undecided(comparison)
    } else {
        Screen::Advance(comparison)
    })
}

/// Judges a candidate after its confirming run, by all its runs: keep when t ≥ q(0.35) and the gain is not below
/// `min_effect`; verified when, on the fresh runs alone, t ≥ q(2.0) and the gain is not below `min_effect`.
///
/// With unknown noise a gain of at least `min_effect` is kept and never verified; without `min_effect` a gain is
/// undecided. None when a side has no score.
pub fn confirm(rule: &Rule, candidate: Candidate, incumbent: Arm) -> Option<Judgement> {
    let mut comparison = compare(rule, &all(candidate), incumbent)?;
    let Some(t) = comparison.t else {
        let verdict = match rule.min_effect {
            _ if comparison.gain <= 0.0 => Verdict::Revert,
            Some(least) if comparison.gain >= least => Verdict::Keep,
            Some(_) => Verdict::Revert,
            None => Verdict::Undecided,
        };
        return Some(Judgement { verdict, verified: false, comparison });
    };
    let needed = z_to_t(KEEP_Z, comparison.nu);
    comparison.needed = Some(needed);
    let keep = t >= needed && !below_min_effect(rule, &comparison);
    let verified = keep && compare(rule, &finite(candidate.fresh), incumbent).is_some_and(|fresh| certified(rule, &fresh));
    let verdict = if keep { Verdict::Keep } else { Verdict::Revert };
    Some(Judgement { verdict, verified, comparison })
}

/// Judges a provisional keep by its fresh runs against `reference`: its parent, to decide whether it stays; the baseline,
/// for a claim.
///
/// Verified when t ≥ q(2.0); rolled back when t < 0 and the candidate has at least three runs; futile when t < q(1.1) or
/// it has four runs; else one more run of each side. Without fresh runs the answer is `More`. None when a side has no
/// score.
pub fn certify(rule: &Rule, candidate: Candidate, reference: Arm) -> Option<Certificate> {
    let runs = all(candidate);
    let fresh = finite(candidate.fresh);
    let n = runs.len() as u32;
    if fresh.is_empty() {
        return compare(rule, &runs, reference).map(|c| if c.t.is_some() { Certificate::More(c) } else { Certificate::Futile(c) });
    }
    let mut comparison = compare(rule, &fresh, reference)?;
    let Some(t) = comparison.t else { return Some(Certificate::Futile(comparison)) };
    comparison.needed = Some(z_to_t(VERIFY_Z, comparison.nu));
    Some(if certified(rule, &comparison) {
        Certificate::Verified(comparison)
    } else if t < 0.0 && n >= ROLL_BACK_RUNS {
        Certificate::RollBack(comparison)
    } else if t < 0.0 && n < MOST_RUNS {
        // Too few runs to take it back, and reason enough to look again.
        Certificate::More(comparison)
    } else if n >= MOST_RUNS || t < z_to_t(FUTILE_Z, comparison.nu) {
        Certificate::Futile(comparison)
    } else {
        Certificate::More(comparison)
    })
}

/// Compares a candidate with the baseline for the headline. The runs that selected it are left out when it has others.
///
/// The interval is gain ± t_ν(0.975) s √(1/n_c + 1/n_b). None when a side has no score.
pub fn headline(goal: Goal, noise: Noise, candidate: Candidate, baseline: &[f64]) -> Option<Headline> {
    let fresh = finite(candidate.fresh);
    let runs = if fresh.is_empty() { all(candidate) } else { fresh };
    let rule = Rule { goal, noise, min_effect: None };
    let comparison = compare(&rule, &runs, Arm { trial: TrialId::BASELINE, scores: baseline })?;
    let interval = comparison.sd.map(|sd| {
        let half = student_t(0.975, comparison.nu) * standard_error(sd, comparison.n_candidate, comparison.n_reference);
        [comparison.gain - half, comparison.gain + half]
    });
    Some(Headline { gain: comparison.gain, interval })
}

fn all(candidate: Candidate) -> Vec<f64> {
    candidate.screen.iter().chain(candidate.fresh).copied().filter(|s| s.is_finite()).collect()
}

fn certified(rule: &Rule, fresh: &Comparison) -> bool {
    fresh.t.is_some_and(|t| t >= z_to_t(VERIFY_Z, fresh.nu)) && !below_min_effect(rule, fresh)
}

fn below_min_effect(rule: &Rule, comparison: &Comparison) -> bool {
    rule.min_effect.is_some_and(|least| comparison.gain < least)
}

fn standard_error(sd: f64, n_candidate: u32, n_reference: u32) -> f64 {
    sd * (1.0 / f64::from(n_candidate) + 1.0 / f64::from(n_reference)).sqrt()
}

/// The standard deviation of one run and its degrees of freedom, where they are known.
pub(super) fn known(noise: Noise) -> Option<(f64, u32)> {
    match noise {
        Noise::Measured { sd, nu } if nu > 0 => Some((sd, nu.min(MOST_FREEDOM))),
        Noise::Given { sd } => Some((sd, MOST_FREEDOM)),
        Noise::Measured { .. } | Noise::Unknown { .. } => None,
    }
    .filter(|(sd, _)| sd.is_finite() && *sd > 0.0)
}

/// The numbers of two sets of runs; `candidate` holds finite values. None when a side is empty.
fn compare(rule: &Rule, candidate: &[f64], reference: Arm) -> Option<Comparison> {
    let scores = finite(reference.scores);
    let (value, against) = (mean(candidate)?, mean(&scores)?);
    let gain = rule.goal.gain(value, against);
    let known = known(rule.noise);
    let (n_candidate, n_reference) = (candidate.len() as u32, scores.len() as u32);
    Some(Comparison {
        against: reference.trial,
        candidate: value,
        reference: against,
        gain,
        n_candidate,
        n_reference,
        sd: known.map(|(sd, _)| sd),
        nu: known.map_or(0, |(_, nu)| nu),
        t: known.map(|(sd, _)| gain / standard_error(sd, n_candidate, n_reference)),
        needed: None,
    })
}
