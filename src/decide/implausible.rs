//! Gains that are too good for the study's own history, and whether their reruns bear them out.

#[cfg(test)]
mod tests;

use super::quantile::{student_t, z_to_t};
use super::rule::known;
use super::{Aggregate, Rule, aggregate, finite, mean};
use crate::model::Implausible;

/// Finished scores below which the history says nothing.
const LEAST_HISTORY: usize = 5;
/// The bound as a normal z before the history's shortness widens it: once in 30,000.
const RARE_Z: f64 = 4.0;
/// The least bound. Searches do find things: in studies of 12 to 40 trials on the quickstart task, honest gains lay up to
/// 17 robust standard deviations from the median early on and below 10 later.
const LEAST_Z: f64 = 10.0;
/// What the median absolute deviation of n scores tells of their spread, as a share of what a standard deviation tells.
const EFFICIENCY: f64 = 0.37;
/// Of a normal sample, the standard deviation over the median absolute deviation.
const NORMAL: f64 = 1.4826;
/// So many times the way from the baseline to the target is implausible whatever the history.
const FAR: f64 = 3.0;
/// Shares of the gain that a rerun may always, and may never, fall away from it.
const AGREES: f64 = 0.25;
const DISAGREES: f64 = 0.5;

/// What the study has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History<'a> {
    /// One score a finished trial, the baseline among them; not the candidate's.
    pub scores: &'a [f64],
    /// The baseline's.
    pub baseline: f64,
    /// The target, or what the task's source reports: the better of the two.
    pub anchor: Option<f64>,
}

/// What reruns say of a gain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rerun {
    /// They agree with it.
    pub held_up: bool,
    /// Their mean.
    pub mean: f64,
    /// Its distance from the score that was set aside.
    pub distance: f64,
    /// The largest distance that agrees.
    pub allowed: f64,
}

/// Says whether the score of a candidate's screening runs is too good to be believed as it is; none when it is not.
///
/// Implausible when z = gain on the median of the history / scale reaches max(10, t_ν⁻¹(Φ(4))), and at least half of that
/// gain lies beyond the best score so far, so that a level once reached is no surprise again. The scale is 1.4826 MAD,
/// or the noise of one run where that is larger (equal scores have no MAD). ν = 0.37 (n − 1), at least 2, for the MAD of n
/// normal values is worth 37 % of as many degrees of freedom (Hampel 1974): with five scores the bound is 126, with 12 it
/// is 17, from 18 on it is 10. Also implausible, whatever the history, is three times the way from the baseline to the
/// anchor, where that way is longer than twice the noise. Both cost one more run where they are wrong.
pub fn implausible(rule: &Rule, candidate: &[f64], history: &History) -> Option<Implausible> {
    let score = mean(&finite(candidate))?;
    let scores = finite(history.scores);
    let noise = known(rule.noise).map_or(0.0, |(sd, _)| sd);
    let gain = |reference: f64| rule.goal.gain(score, reference);
    let median = aggregate(&scores, Aggregate::Median).unwrap_or(history.baseline);
    let distances: Vec<f64> = scores.iter().map(|s| (s - median).abs()).collect();
    let spread = NORMAL * aggregate(&distances, Aggregate::Median).unwrap_or(0.0);
    let scale = spread.max(noise);
    let z = if scale > 0.0 { gain(median) / scale } else { 0.0 };
    let nu = ((EFFICIENCY * scores.len().saturating_sub(1) as f64) as u32).max(2);
    let needed = z_to_t(RARE_Z, nu).max(LEAST_Z);
    let best = scores.iter().map(|s| gain(*s)).fold(f64::INFINITY, f64::min);
    let rare = scores.len() >= LEAST_HISTORY && z >= needed && best >= gain(median) / 2.0;
    let way = history.anchor.map(|a| rule.goal.gain(a, history.baseline)).filter(|way| *way > 2.0 * noise && *way > 0.0);
    let way = way.map(|way| gain(history.baseline) / way);
    let far = way.is_some_and(|way| way >= FAR) && best >= gain(history.baseline) / 2.0;
    (z.is_finite() && (rare || far)).then_some(Implausible {
        score,
        median,
        scale,
        scores: scores.len() as u32,
        z,
        needed: rare.then_some(needed),
        way: way.filter(|w| w.is_finite()),
        held_up: None,
        rerun: None,
    })
}

/// Compares the fresh runs of a gain that was set aside with it; `gain` is what it gained on the incumbent.
///
/// They agree when their mean is no worse than t_ν⁻¹(0.995) s √(1/n_s + 1/n_f) below the score, or a quarter of the gain
/// where the noise is smaller or unknown, and in no case half of it. None when a side has no score.
pub fn rerun(rule: &Rule, screen: &[f64], fresh: &[f64], gain: f64) -> Option<Rerun> {
    let (screen, fresh) = (finite(screen), finite(fresh));
    let (before, after) = (mean(&screen)?, mean(&fresh)?);
    let noise =
        known(rule.noise).map_or(0.0, |(sd, nu)| student_t(0.995, nu) * sd * (1.0 / screen.len() as f64 + 1.0 / fresh.len() as f64).sqrt());
    let allowed = noise.clamp(AGREES * gain.max(0.0), DISAGREES * gain.max(0.0));
    let distance = rule.goal.gain(before, after);
    Some(Rerun { held_up: distance <= allowed, mean: after, distance, allowed })
}
