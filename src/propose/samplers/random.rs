//! Uniform draws without repetition.

use super::{
    Suggestion,
    space::{Domain, Space, Value},
};
use std::collections::HashSet;

/// Draws before a finite space is searched for what is left.
const DRAWS: usize = 100;
/// Largest space that is walked through in search of an unseen point.
const WALKED: u64 = 1 << 20;

/// Suggests an unseen point; none when there is none.
pub(super) fn suggest(space: &Space, known: &HashSet<Vec<i64>>, rng: &mut fastrand::Rng) -> Option<Suggestion> {
    let values = unseen(space, known, rng)?;
    Some(Suggestion { values, numbers: vec![("known".into(), known.len() as f64)] })
}

/// An unseen point, uniform as long as most are unseen.
pub(super) fn unseen(space: &Space, known: &HashSet<Vec<i64>>, rng: &mut fastrand::Rng) -> Option<Vec<Value>> {
    for _ in 0..DRAWS {
        let values = space.draw(rng);
        if !known.contains(&space.key(&values)) {
            return Some(values);
        }
    }
    let counts: Option<Vec<u64>> = space.params.iter().map(|p| p.domain.count()).collect();
    let counts = counts?;
    let total = counts.iter().try_fold(1u64, |n, c| n.checked_mul(*c)).filter(|n| *n <= WALKED && *n > 0)?;
    let start = rng.u64(0..total);
    (0..total).map(|i| nth(space, &counts, (start + i) % total)).find(|values| !known.contains(&space.key(values)))
}

/// The point with the given number in mixed radix.
fn nth(space: &Space, counts: &[u64], mut number: u64) -> Vec<Value> {
    let digit = |(param, count): (&super::Param, &u64)| {
        let digit = number % count;
        number /= count;
        match param.domain {
            Domain::Int { lo, .. } => Value::Int(lo + digit as i64),
            Domain::Choice { .. } | Domain::Float { .. } => Value::Choice(digit as usize),
        }
    };
    space.params.iter().zip(counts).map(digit).collect()
}
