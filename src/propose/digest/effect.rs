//! Which differences can be told from noise.

use crate::model::{Noise, Study};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Two-sided 95 %.
const LEVEL: f64 = 0.975;
/// Noise that was pooled over many nodes is not the same everywhere: its degrees of freedom are capped, as in the verdicts.
const MOST_FREEDOM: u32 = 60;

/// The noise of one run and what it means for a comparison with the incumbent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// Standard deviation of one run, in the metric's unit.
    pub sd: f64,
    /// Runs of the incumbent that have a score.
    pub runs: u32,
    nu: u32,
}

impl Effect {
    /// What is known; none while the noise is unknown.
    pub fn of(study: &Study) -> Option<Self> {
        let (sd, nu) = match study.noise {
            Noise::Measured { sd, nu } => (sd, nu.clamp(1, MOST_FREEDOM)),
            Noise::Given { sd } => (sd, MOST_FREEDOM),
            Noise::Unknown { .. } => return None,
        };
        let runs = study.trial(study.incumbent).map_or(0, |t| t.scores().len() as u32).max(1);
        (sd.is_finite() && sd > 0.0).then_some(Self { sd, runs, nu })
    }

    /// The smallest difference from the incumbent that so many runs of a candidate can tell from noise (95 %):
    /// t(ν, 0.975) · sd · √(1/n + 1/n_incumbent).
    pub fn distinguishable(&self, runs: u32) -> f64 {
        let t = StudentsT::new(0.0, 1.0, f64::from(self.nu)).map_or(f64::NAN, |t| t.inverse_cdf(LEVEL));
        t * self.sd * (1.0 / f64::from(runs.max(1)) + 1.0 / f64::from(self.runs)).sqrt()
    }
}
