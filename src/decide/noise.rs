//! The noise of one run, pooled over all nodes that ran more than once.

use super::{finite, mean};
use crate::model::Noise;

/// Differences below this share of the scores' size are rounding of the last digits, not noise.
const ROUNDING: f64 = 1e-12;

/// Returns the standard deviation of one run's score, pooled over groups.
///
/// Shapes: one group per node, one score per run of it, under different seeds (leave replays of the same seed out).
/// s² = Σ SS_g / Σ (n_g − 1), ν = Σ (n_g − 1). Unknown when no group has two finite scores; and unknown, with the seed
/// found to be without effect, when all groups are equal in themselves.
/// Source: the usual within-group mean square of a one-way layout.
pub fn pooled_noise(groups: &[&[f64]]) -> Noise {
    let (mut squares, mut nu, mut largest) = (0.0_f64, 0_u32, 0.0_f64);
    for group in groups {
        let scores = finite(group);
        let Some(centre) = mean(&scores).filter(|_| scores.len() >= 2) else { continue };
        squares += scores.iter().map(|s| (s - centre) * (s - centre)).sum::<f64>();
        nu += scores.len() as u32 - 1;
        largest = scores.iter().fold(largest, |a, s| a.max(s.abs()));
    }
    if nu == 0 {
        return Noise::Unknown { seed_without_effect: false };
    }
    let sd = (squares / f64::from(nu)).sqrt();
    if sd.is_finite() && sd > largest * ROUNDING {
        Noise::Measured { sd, nu }
    } else {
        // An overflow of the squares says nothing about the seed.
        Noise::Unknown { seed_without_effect: sd.is_finite() }
    }
}
