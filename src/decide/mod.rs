//! The statistics: what is known of the noise, keep or revert, what may be called verified, and the headline.
//!
//! "Confirm on win, certify to claim": one run screens a proposal, an apparent gain gets a confirming run and is kept
//! provisionally, and only fresh runs (never the one that selected it) may verify. Every function is pure and total:
//! values that are not finite are left out, and `None` means that a side has no score at all. Nothing here judges by a
//! minimum; a node's value is the mean of its runs. Checked against tables and by a simulated stream of edits.

mod implausible;
mod noise;
mod quantile;
mod rule;
#[cfg(test)]
mod tests;

pub use implausible::{History, Rerun, implausible, rerun};
pub use noise::pooled_noise;
pub use quantile::{student_t, z_to_t};
pub use rule::{Certificate, Headline, Judgement, Screen, certify, confirm, headline, screen};

use crate::model::{Aggregate, Goal, Noise, TrialId};

/// What every decision of a study rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Which way is better.
    pub goal: Goal,
    /// What is known of the noise of one run.
    pub noise: Noise,
    /// Smaller differences do not matter, in the metric's unit.
    pub min_effect: Option<f64>,
}

/// A node to compare with: its number and the scores of its valid runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm<'a> {
    /// The node.
    pub trial: TrialId,
    /// One score per run.
    pub scores: &'a [f64],
}

/// The runs of a candidate, told apart by whether they helped to select it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    /// Scores of the runs that selected it (kind `screen`): lucky ones are over-represented among them.
    pub screen: &'a [f64],
    /// Scores of all later runs.
    pub fresh: &'a [f64],
}

/// Puts the scores of a trial's runs together; none without a finite score.
pub fn aggregate(scores: &[f64], how: Aggregate) -> Option<f64> {
    let mut scores = finite(scores);
    match how {
        Aggregate::Mean => mean(&scores),
        Aggregate::Median => {
            scores.sort_by(f64::total_cmp);
            let upper = scores.get(scores.len() / 2).copied()?;
            let lower = scores.get((scores.len() - 1) / 2).copied()?;
            Some(lower + (upper - lower) / 2.0)
        }
    }
}

fn finite(scores: &[f64]) -> Vec<f64> {
    scores.iter().copied().filter(|s| s.is_finite()).collect()
}

/// The mean, exact for equal values: the mean of three times 0.1 is 0.1.
fn mean(scores: &[f64]) -> Option<f64> {
    let first = *scores.first()?;
    Some(first + scores.iter().map(|s| s - first).sum::<f64>() / scores.len() as f64)
}
