//! What an answer cost: the server's own count where it gives one, letters where it does not, and prices. Pure.

use super::endpoint::Prices;
use crate::model::Spend;

/// Letters of a token where nothing better is known.
const LETTERS: f64 = 3.5;

/// What a server says it counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) cached: u64,
    pub(super) completion: u64,
}

/// What went over the wire in one try, in letters.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letters {
    pub(super) sent: usize,
    pub(super) heard: usize,
}

/// Tokens of so many letters; `calibrated` is what this model was seen to have for one.
pub(super) fn tokens(letters: usize, calibrated: Option<f64>) -> u64 {
    (letters as f64 / calibrated.unwrap_or(LETTERS)).ceil() as u64
}

/// Letters of a token, as a server's count of a prompt shows them; none where the count cannot be right.
pub(super) fn calibrate(letters: Letters, usage: Usage) -> Option<f64> {
    let ratio = letters.sent as f64 / usage.prompt as f64;
    (usage.prompt >= 50 && (1.5..=7.0).contains(&ratio)).then_some(ratio)
}

/// The cost of one try.
pub(super) fn spend(usage: Option<Usage>, letters: Letters, calibrated: Option<f64>, prices: Option<Prices>, seconds: f64) -> Spend {
    let counted = usage.unwrap_or_else(|| Usage {
        prompt: tokens(letters.sent, calibrated),
        cached: 0,
        completion: tokens(letters.heard, calibrated),
    });
    Spend {
        calls: 1,
        prompt_tokens: counted.prompt,
        cached_tokens: counted.cached.min(counted.prompt),
        completion_tokens: counted.completion,
        usd: prices.map_or(0.0, |p| usd(counted, p)),
        estimated: usage.is_none(),
        seconds,
    }
}

fn usd(usage: Usage, prices: Prices) -> f64 {
    let cached = usage.cached.min(usage.prompt);
    let fresh = usage.prompt - cached;
    let known = prices.cached_input.unwrap_or(prices.input);
    (fresh as f64 * prices.input + cached as f64 * known + usage.completion as f64 * prices.output) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_dollars() {
        let usage = Usage { prompt: 1_000_000, cached: 400_000, completion: 100_000 };
        for (prices, want) in [
            (Some(Prices { input: 2.0, cached_input: Some(0.5), output: 10.0 }), 1.2 + 0.2 + 1.0),
            (Some(Prices { input: 2.0, cached_input: None, output: 10.0 }), 3.0),
            (None, 0.0),
        ] {
            let spend = spend(Some(usage), Letters::default(), None, prices, 1.0);
            assert!((spend.usd - want).abs() < 1e-9 && !spend.estimated, "{prices:?}: {spend:?}");
        }
        // More known than sent is a server's mistake, and no money back.
        let odd = spend(
            Some(Usage { prompt: 10, cached: 99, completion: 0 }),
            Letters::default(),
            None,
            Some(Prices { input: 1e6, cached_input: Some(0.0), output: 0.0 }),
            0.0,
        );
        assert_eq!((odd.usd, odd.cached_tokens), (0.0, 10));
    }

    #[test]
    fn without_a_count_letters_are_counted() {
        let letters = Letters { sent: 700, heard: 71 };
        let spend = spend(None, letters, None, None, 0.0);
        assert_eq!((spend.prompt_tokens, spend.completion_tokens, spend.estimated), (200, 21, true));
        assert_eq!(calibrate(letters, Usage { prompt: 175, ..Usage::default() }), Some(4.0));
        assert_eq!(calibrate(letters, Usage { prompt: 1, ..Usage::default() }), None);
        assert_eq!(calibrate(letters, Usage::default()), None);
    }
}
