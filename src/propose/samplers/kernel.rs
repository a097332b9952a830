//! A Parzen estimate over one group of parameters: a weighted sum of products of kernels, one component per observation
//! and one for the prior.
//!
//! Source: Bergstra et al. 2011; Watanabe 2023 (multivariate form, bandwidths and weights as in Optuna 5).

use super::space::{Domain, Value, normal};
use statrs::function::erf::erfc;

/// Newest observations that count in full; older ones fade.
const NEWEST: usize = 25;

/// Density of a set of observations over some parameters.
#[derive(Debug, Clone)]
pub(super) struct Parzen {
    dims: Vec<Dim>,
    /// Logarithm of each component's weight; the prior is the last.
    log_weights: Vec<f64>,
    /// Cumulated weights, for drawing.
    cumulated: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Dim {
    domain: Domain,
    /// Centre of each component on the modelled scale; the prior's is unused for choices.
    mu: Vec<f64>,
    /// Bandwidths; empty for choices.
    sigma: Vec<f64>,
    /// Logarithm of each component's normaliser (mass inside the range times, for floats, sigma).
    log_norm: Vec<f64>,
    /// For whole numbers: the different kernels (centre, bandwidth, normaliser), as many values repeat.
    kernels: Vec<(f64, f64, f64)>,
    /// The kernel of each component.
    kernel_of: Vec<usize>,
}

impl Parzen {
    /// Fits a set. `rows` come in order of arrival; each holds one coordinate per domain.
    pub(super) fn fit(domains: &[Domain], rows: &[Vec<f64>]) -> Self {
        let n = rows.len();
        let total = (n + 1) as f64;
        let weights: Vec<f64> = (0..n).map(|i| weight(i, n)).chain([1.0]).collect();
        let sum: f64 = weights.iter().sum();
        let mut so_far = 0.0;
        let cumulated = weights
            .iter()
            .map(|w| {
                so_far += w / sum;
                so_far
            })
            .collect();
        let dim = |(d, domain): (usize, &Domain)| {
            let column: Vec<f64> = rows.iter().filter_map(|row| row.get(d).copied()).collect();
            Dim::fit(*domain, column, total)
        };
        Self {
            dims: domains.iter().enumerate().map(dim).collect(),
            log_weights: weights.iter().map(|w| (w / sum).ln()).collect(),
            cumulated,
        }
    }

    /// Draws a point: one component for all parameters.
    pub(super) fn draw(&self, rng: &mut fastrand::Rng) -> Vec<Value> {
        let at = rng.f64();
        let component = self.cumulated.partition_point(|c| *c <= at).min(self.cumulated.len().saturating_sub(1));
        self.dims.iter().map(|dim| dim.draw(component, rng)).collect()
    }

    /// Logarithm of the density at each of some points.
    pub(super) fn log_density(&self, points: &[Vec<Value>]) -> Vec<f64> {
        let n = self.log_weights.len();
        let mut terms: Vec<Vec<f64>> = points.iter().map(|_| self.log_weights.clone()).collect();
        let mut cells = vec![0.0; n];
        for (d, dim) in self.dims.iter().enumerate() {
            let mut done: Vec<bool> = vec![false; points.len()];
            for (p, point) in points.iter().enumerate() {
                let Some(value) = point.get(d) else { continue };
                if done.get(p).copied().unwrap_or(true) {
                    continue;
                }
                dim.log_kernels(value, &mut cells);
                // Whole numbers and choices repeat among the candidates; their kernels are the dear part.
                for (q, other) in points.iter().enumerate().skip(p) {
                    if other.get(d) == Some(value)
                        && let (Some(done), Some(terms)) = (done.get_mut(q), terms.get_mut(q))
                    {
                        *done = true;
                        terms.iter_mut().zip(&cells).for_each(|(t, c)| *t += c);
                    }
                }
            }
        }
        terms.iter().map(|t| log_sum(t)).collect()
    }
}

/// 1 for the newest, falling linearly to 1/n for the oldest.
fn weight(i: usize, n: usize) -> f64 {
    let ramp = n.saturating_sub(NEWEST);
    if i >= ramp {
        return 1.0;
    }
    let oldest = 1.0 / n as f64;
    if ramp == 1 { oldest } else { oldest + (1.0 - oldest) * i as f64 / (ramp - 1) as f64 }
}

impl Dim {
    fn fit(domain: Domain, mut mu: Vec<f64>, total: f64) -> Self {
        if let Domain::Choice { n } = domain {
            // Here `log_norm` holds the kernel's two values: equal, and not.
            let k = n.max(1) as f64;
            let norm = 1.0 + k / total;
            let log_norm = vec![((1.0 + 1.0 / total) / norm).ln(), (1.0 / total / norm).ln(), -k.ln()];
            return Self { domain, mu, sigma: Vec::new(), log_norm, kernels: Vec::new(), kernel_of: Vec::new() };
        }
        let (lo, hi) = domain.support();
        let range = (hi - lo).max(f64::MIN_POSITIVE);
        mu.push(f64::midpoint(lo, hi));
        let mut order: Vec<usize> = (0..mu.len()).collect();
        order.sort_by(|a, b| mu.get(*a).partial_cmp(&mu.get(*b)).unwrap_or(std::cmp::Ordering::Equal));
        let sorted: Vec<f64> = order.iter().filter_map(|i| mu.get(*i).copied()).collect();
        let narrowest = range / (1.0 + total).min(100.0);
        let mut sigma = vec![range; mu.len()];
        for (rank, index) in order.iter().enumerate() {
            let at = |r: usize| sorted.get(r).copied();
            let here = at(rank).unwrap_or(lo);
            let left = rank.checked_sub(1).and_then(at);
            let right = at(rank + 1);
            let gap = match (left, right) {
                (Some(l), Some(r)) => (here - l).max(r - here),
                (Some(l), None) => here - l,
                (None, Some(r)) => r - here,
                (None, None) => range,
            };
            // The last component is the prior, as wide as the range.
            if *index + 1 < mu.len()
                && let Some(s) = sigma.get_mut(*index)
            {
                *s = gap.clamp(narrowest, range);
            }
        }
        let whole = matches!(domain, Domain::Int { .. });
        let normaliser = |m: f64, s: f64| {
            let mass = mass(lo, hi, m, s).max(1e-300).ln();
            if whole { mass } else { mass + s.ln() + 0.5 * std::f64::consts::TAU.ln() }
        };
        let (mut kernels, mut kernel_of): (Vec<(f64, f64, f64)>, Vec<usize>) = (Vec::new(), Vec::new());
        let log_norm = if whole {
            kernel_of = vec![0; mu.len()];
            for index in &order {
                let (Some(m), Some(s), Some(slot)) = (mu.get(*index), sigma.get(*index), kernel_of.get_mut(*index)) else { continue };
                if kernels.last().is_none_or(|(centre, width, _)| centre != m || width != s) {
                    kernels.push((*m, *s, normaliser(*m, *s)));
                }
                *slot = kernels.len() - 1;
            }
            Vec::new()
        } else {
            mu.iter().zip(&sigma).map(|(m, s)| normaliser(*m, *s)).collect()
        };
        Self { domain, mu, sigma, log_norm, kernels, kernel_of }
    }

    fn draw(&self, component: usize, rng: &mut fastrand::Rng) -> Value {
        if let Domain::Choice { n } = self.domain {
            let Some(mu) = self.mu.get(component) else { return self.domain.draw(rng) };
            let equal = self.log_norm.first().map_or(1.0, |l| l.exp());
            let own = Value::Choice(*mu as usize);
            return if n < 2 || rng.f64() < equal { own } else { Value::Choice((*mu as usize + rng.usize(1..n)) % n) };
        }
        let (lo, hi) = self.domain.support();
        let (Some(mu), Some(sigma)) = (self.mu.get(component), self.sigma.get(component)) else { return self.domain.draw(rng) };
        // The centre lies inside and sigma is at most the range, so that a third of the draws or more lie inside.
        for _ in 0..64 {
            let x = mu + sigma * normal(rng);
            if (lo..=hi).contains(&x) {
                return self.domain.value(x);
            }
        }
        self.domain.value(*mu)
    }

    /// Writes the logarithm of each component's kernel at a value.
    fn log_kernels(&self, value: &Value, out: &mut [f64]) {
        match self.domain {
            Domain::Choice { .. } => {
                let at = self.domain.coordinate(value);
                let of = |i: usize| self.log_norm.get(i).copied().unwrap_or(0.0);
                let (equal, other, prior) = (of(0), of(1), of(2));
                for (i, cell) in out.iter_mut().enumerate() {
                    *cell = self.mu.get(i).map_or(prior, |mu| if *mu == at { equal } else { other });
                }
            }
            Domain::Float { .. } => {
                let x = self.domain.coordinate(value);
                for (cell, ((mu, sigma), norm)) in out.iter_mut().zip(self.mu.iter().zip(&self.sigma).zip(&self.log_norm)) {
                    let z = (x - mu) / sigma;
                    *cell = -0.5 * z * z - norm;
                }
            }
            Domain::Int { log, .. } => {
                let Value::Int(v) = *value else { return };
                let end = |x: f64| if log { x.max(f64::MIN_POSITIVE).ln() } else { x };
                let (lo, hi) = (end(v as f64 - 0.5), end(v as f64 + 0.5));
                let at = |(mu, sigma, norm): &(f64, f64, f64)| mass(lo, hi, *mu, *sigma).max(1e-300).ln() - norm;
                let each: Vec<f64> = self.kernels.iter().map(at).collect();
                for (cell, kernel) in out.iter_mut().zip(&self.kernel_of) {
                    *cell = each.get(*kernel).copied().unwrap_or(0.0);
                }
            }
        }
    }
}

/// Mass of a normal distribution between two places.
fn mass(lo: f64, hi: f64, mu: f64, sigma: f64) -> f64 {
    let (a, b) = ((lo - mu) / (sigma * std::f64::consts::SQRT_2), (hi - mu) / (sigma * std::f64::consts::SQRT_2));
    // Most kernels are narrow against the range; what is missing beyond 8 sigma is below the last bit.
    if a < -6.0 && b > 6.0 {
        return 1.0;
    }
    // On one side of the centre differences of small tails keep their digits.
    if a > 0.0 { 0.5 * (erfc(a) - erfc(b)) } else { 0.5 * (erfc(-b) - erfc(-a)) }
}

fn log_sum(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + terms.iter().map(|t| (t - top).exp()).sum::<f64>().ln()
}
