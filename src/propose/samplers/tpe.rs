//! Tree-structured Parzen estimator, multivariate and group-wise.
//!
//! The best tenth of the results makes the density l, the rest g; the next point maximises log l - log g among draws from
//! l. Parameters with the same condition form a group that is fitted on the trials where it was active. Pending points are
//! taken as the worst result so far, crashes rank after every score.
//! Source: Bergstra et al. 2011, Watanabe 2023; settings of Optuna 5, with dedup.

use super::{
    Observation, Outcome, Suggestion,
    kernel::Parzen,
    random,
    space::{Condition, Domain, Space, Value},
};
use std::{cmp::Ordering, collections::HashSet};

/// Random points before the model is asked.
const STARTUP: usize = 10;
/// Draws from l of which the best is taken.
const CANDIDATES: usize = 24;
/// Rounds of draws when all were known.
const ROUNDS: usize = 6;
/// Whole points that are tried, where groups are drawn one after another.
const TRIES: usize = 30;

/// The densities of every group.
#[derive(Debug, Clone)]
pub struct Model {
    groups: Vec<Group>,
    /// Observations that make l of the unconditional parameters.
    pub n_good: usize,
    /// Observations that make their g.
    pub n_bad: usize,
}

#[derive(Debug, Clone)]
struct Group {
    /// Indices of its parameters.
    params: Vec<usize>,
    good: Parzen,
    bad: Parzen,
}

/// Suggests an unseen point; none when there is none.
pub(super) fn suggest(space: &Space, history: &[Observation], known: &HashSet<Vec<i64>>, rng: &mut fastrand::Rng) -> Option<Suggestion> {
    if history.len() < STARTUP {
        let mut suggestion = random::suggest(space, known, rng)?;
        suggestion.numbers.push(("startup".into(), 1.0));
        return Some(suggestion);
    }
    let model = Model::fit(space, history);
    for _ in 0..TRIES {
        if let Some((values, ratio)) = model.propose(space, known, rng) {
            let numbers = vec![
                ("known".into(), known.len() as f64),
                ("good".into(), model.n_good as f64),
                ("bad".into(), model.n_bad as f64),
                ("log l - log g".into(), ratio),
            ];
            return Some(Suggestion { values, numbers });
        }
    }
    random::suggest(space, known, rng)
}

impl Model {
    /// Fits the densities; an empty history gives the prior.
    pub fn fit(space: &Space, history: &[Observation]) -> Self {
        let ranks = ranks(history);
        let mut conditions: Vec<Option<&Condition>> = Vec::new();
        for param in &space.params {
            if !conditions.contains(&param.active.as_ref()) {
                conditions.push(param.active.as_ref());
            }
        }
        let (mut n_good, mut n_bad) = (0, 0);
        let groups = conditions
            .into_iter()
            .map(|condition| {
                let params: Vec<usize> =
                    (0..space.params.len()).filter(|i| space.params.get(*i).is_some_and(|p| p.active.as_ref() == condition)).collect();
                let first = params.first().copied().unwrap_or(0);
                let mut rows: Vec<(usize, Ranked, Vec<f64>)> = history
                    .iter()
                    .zip(&ranks)
                    .enumerate()
                    .filter(|(_, (o, _))| o.values.len() == space.params.len() && space.is_active(first, &o.values))
                    .map(|(i, (o, rank))| (i, *rank, coordinates(space, &params, &o.values)))
                    .collect();
                rows.sort_by(|a, b| a.1.order(b.1));
                let cut = rows.len().div_ceil(10).min(25);
                let mut bad = rows.split_off(cut);
                let mut good = rows;
                // Weights fade with age, so each set goes back to its order of arrival.
                good.sort_by_key(|(i, ..)| *i);
                bad.sort_by_key(|(i, ..)| *i);
                if condition.is_none() {
                    (n_good, n_bad) = (good.len(), bad.len());
                }
                let domains: Vec<Domain> = params.iter().filter_map(|i| space.params.get(*i)).map(|p| p.domain).collect();
                let fit = |rows: Vec<(usize, Ranked, Vec<f64>)>| Parzen::fit(&domains, &rows.into_iter().map(|r| r.2).collect::<Vec<_>>());
                Group { good: fit(good), bad: fit(bad), params }
            })
            .collect();
        Self { groups, n_good, n_bad }
    }

    /// log l - log g of whole points, summed over the groups that are active there.
    pub fn log_ratio(&self, space: &Space, points: &[Vec<Value>]) -> Vec<f64> {
        let mut out = vec![0.0; points.len()];
        for group in &self.groups {
            let first = group.params.first().copied().unwrap_or(0);
            let active: Vec<usize> =
                (0..points.len()).filter(|p| points.get(*p).is_some_and(|values| space.is_active(first, values))).collect();
            let part = |values: &Vec<Value>| group.params.iter().filter_map(|i| values.get(*i).copied()).collect::<Vec<_>>();
            let parts: Vec<Vec<Value>> = active.iter().filter_map(|p| points.get(*p)).map(part).collect();
            for (p, ratio) in active.iter().zip(group.ratios(&parts)) {
                if let Some(sum) = out.get_mut(*p) {
                    *sum += ratio;
                }
            }
        }
        out
    }

    /// Draws a whole point from l.
    pub fn draw(&self, space: &Space, rng: &mut fastrand::Rng) -> Vec<Value> {
        let mut values = blank(space);
        for group in &self.groups {
            let first = group.params.first().copied().unwrap_or(0);
            if space.is_active(first, &values) {
                place(&mut values, &group.params, &group.good.draw(rng));
            }
        }
        values
    }

    /// The best unseen point of one round, with its log l - log g; none when all that was drawn is known.
    fn propose(&self, space: &Space, known: &HashSet<Vec<i64>>, rng: &mut fastrand::Rng) -> Option<(Vec<Value>, f64)> {
        let mut values = blank(space);
        let mut total = 0.0;
        for group in &self.groups {
            let first = group.params.first().copied().unwrap_or(0);
            if !space.is_active(first, &values) {
                continue;
            }
            let mut parts: Vec<Vec<Value>> = (0..CANDIDATES).map(|_| group.good.draw(rng)).collect();
            if self.groups.len() == 1 {
                for _ in 0..ROUNDS {
                    parts.retain(|part| !known.contains(&space.key(part)));
                    if !parts.is_empty() {
                        break;
                    }
                    parts = (0..CANDIDATES).map(|_| group.good.draw(rng)).collect();
                }
                parts.retain(|part| !known.contains(&space.key(part)));
            }
            let ratios = group.ratios(&parts);
            let best = parts.iter().zip(ratios).max_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal))?;
            place(&mut values, &group.params, best.0);
            total += best.1;
        }
        (!known.contains(&space.key(&values))).then_some((values, total))
    }
}

impl Group {
    fn ratios(&self, parts: &[Vec<Value>]) -> Vec<f64> {
        self.good.log_density(parts).iter().zip(self.bad.log_density(parts)).map(|(l, g)| l - g).collect()
    }
}

/// Every parameter at its lower end: what an inactive one says.
fn blank(space: &Space) -> Vec<Value> {
    space.params.iter().map(|p| p.domain.value(p.domain.ends().0)).collect()
}

fn place(values: &mut [Value], params: &[usize], part: &[Value]) {
    for (index, value) in params.iter().zip(part) {
        if let Some(slot) = values.get_mut(*index) {
            *slot = *value;
        }
    }
}

fn coordinates(space: &Space, params: &[usize], values: &[Value]) -> Vec<f64> {
    let of = |i: &usize| Some(space.params.get(*i)?.domain.coordinate(values.get(*i)?));
    params.iter().filter_map(of).collect()
}

/// A place in the ranking: crashes come after every score.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ranked {
    Score(f64),
    Crash,
}

impl Ranked {
    fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Score(a), Self::Score(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Self::Score(_), Self::Crash) => Ordering::Less,
            (Self::Crash, Self::Score(_)) => Ordering::Greater,
            (Self::Crash, Self::Crash) => Ordering::Equal,
        }
    }
}

/// Scores with the lie for what is pending: the worst score so far. NaN and infinities are crashes.
fn ranks(history: &[Observation]) -> Vec<Ranked> {
    let finite = |o: &Observation| match o.outcome {
        Outcome::Score(v) if v.is_finite() => Some(v),
        _ => None,
    };
    let worst = history.iter().filter_map(finite).reduce(f64::max);
    history
        .iter()
        .map(|o| match (o.outcome, finite(o), worst) {
            (Outcome::Pending, _, Some(lie)) => Ranked::Score(lie),
            (_, Some(v), _) => Ranked::Score(v),
            _ => Ranked::Crash,
        })
        .collect()
}
