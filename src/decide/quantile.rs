//! Quantiles: a bound given as a normal z is read as the same probability of Student's t, so that a noise known from few
//! runs asks for more.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Degrees of freedom are capped here: noise that was pooled over many nodes is not the same everywhere.
pub(super) const MOST_FREEDOM: u32 = 60;

/// Returns the quantile of Student's t at probability `p` in (0, 1) with `nu` degrees of freedom (1 to 60; others are
/// brought into that range).
pub fn student_t(p: f64, nu: u32) -> f64 {
    let freedom = f64::from(nu.clamp(1, MOST_FREEDOM));
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| t.inverse_cdf(p.clamp(0.0, 1.0)))
}

/// Returns q(z) = t_ν⁻¹(Φ(z)): the bound on t that is as strict as `z` is on a normal variable.
pub fn z_to_t(z: f64, nu: u32) -> f64 {
    student_t(Normal::standard().cdf(z), nu)
}
