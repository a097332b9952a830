//! Counter-based randomness: every random number of a study is a function of (study seed, counter, stream).
//!
//! No generator is carried along, so a decision can be made again from the journal alone, in any order, after any crash.
//! The mixer is `model::splitmix64`.

use crate::model::{RunNo, TrialId, splitmix64};

/// Streams: what a number is for, so that two uses of one counter never see the same number.
pub mod stream {
    /// The policy's choice.
    pub const POLICY: u64 = 1;
    /// The proposer's seed.
    pub const PROPOSER: u64 = 2;
    /// Seeds of runs.
    pub const RUN: u64 = 3;
    /// Which specialist is asked.
    pub const ARM: u64 = 4;
}

/// The random number that belongs to a study's seed, a counter and a stream. Each part is mixed in turn, so neighbours
/// in any of them are unrelated.
pub fn draw(study_seed: u64, counter: u64, stream: u64) -> u64 {
    splitmix64(splitmix64(splitmix64(study_seed) ^ counter) ^ stream)
}

/// A number in `[0, 1)` from the upper 53 bits of a draw.
pub fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1u64 << 53) as f64
}

/// An index below `n` from a draw; none when `n` is 0. The bias is below `n / 2^64`.
pub fn index(draw: u64, n: usize) -> Option<usize> {
    (n > 0).then(|| ((u128::from(draw) * n as u128) >> 64) as usize)
}

/// The seed that the harness hands to a run: from 1 to 2^31 - 1, which every framework takes. The baseline's runs and a
/// trial's runs have seeds of their own, so that a score never rests on one lucky seed.
pub fn run_seed(study_seed: u64, trial: TrialId, run: RunNo) -> u64 {
    const LARGEST: u64 = (1 << 31) - 1;
    let counter = (u64::from(trial.0) << 32) | u64::from(run.0);
    draw(study_seed, counter, stream::RUN) % LARGEST + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_part_matters_and_parts_do_not_swap() {
        let mut seen = BTreeSet::new();
        for seed in 0..20 {
            for counter in 0..20 {
                for stream in 0..20 {
                    assert!(seen.insert(draw(seed, counter, stream)), "{seed} {counter} {stream}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_in_range_and_even() {
        let n = 20_000;
        let (mut sum, mut hits) = (0.0, [0usize; 5]);
        for i in 0..n {
            let number = draw(7, i, 1);
            let u = unit(number);
            assert!((0.0..1.0).contains(&u));
            sum += u;
            hits[index(number, 5).unwrap()] += 1;
        }
        assert!((sum / n as f64 - 0.5).abs() < 0.01, "{sum}");
        assert!(hits.iter().all(|h| (3_700..4_300).contains(h)), "{hits:?}");
        assert_eq!(index(1, 0), None);
        assert_eq!(index(u64::MAX, 3), Some(2));
        assert_eq!(unit(u64::MAX), 1.0 - 2f64.powi(-53));
    }

    #[test]
    fn run_seeds_are_frameworks_seeds_and_distinct() {
        let mut seen = BTreeSet::new();
        for trial in 0..500 {
            for run in 1..=4 {
                let seed = run_seed(1, TrialId(trial), RunNo(run));
                assert!((1..=2_147_483_647).contains(&seed));
                seen.insert(seed);
            }
        }
        assert!(seen.len() >= 1_998, "{}", seen.len());
        assert_ne!(run_seed(1, TrialId(1), RunNo(1)), run_seed(2, TrialId(1), RunNo(1)));
    }
}
