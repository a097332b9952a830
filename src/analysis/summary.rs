//! "Since you left": what a person missed, as numbers and as one sentence.
//!
//! Pure: two marks of time and the trials that were decided, in; counts and words, out.

use crate::model::{Goal, Label, Millis, TrialId, Verdict};
use std::collections::BTreeMap;

/// One decided trial, as far as the summary needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Which.
    pub trial: TrialId,
    /// When its verdict or failure was known.
    pub at: Millis,
    /// What the statistics said; null for a failure without a verdict.
    pub verdict: Option<Verdict>,
    /// Why it has no score.
    pub failure: Option<Label>,
    /// Certified by fresh runs.
    pub verified: bool,
    /// Its score.
    pub score: Option<f64>,
}

/// What happened between two marks. The baseline is not counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Absence {
    /// Trials decided.
    pub trials: usize,
    /// Of them kept.
    pub kept: usize,
    /// Of them undecided.
    pub undecided: usize,
    /// Of them failed.
    pub failed: usize,
    /// The failures by label, the most frequent first, then in the order of the labels.
    pub failures: Vec<(Label, usize)>,
    /// The best verified trial, else the best kept one, else the baseline, when the person left.
    pub best_before: Option<(TrialId, f64)>,
    /// The same now.
    pub best_now: Option<(TrialId, f64)>,
}

/// Sums up the trials decided after `left` and up to `now`.
///
/// `rows` may hold the whole study in any order; a trial that was rolled back does not count as the best.
pub fn since(left: Millis, now: Millis, goal: Goal, rows: &[Decided]) -> Absence {
    let missed = || rows.iter().filter(|r| r.trial != TrialId::BASELINE && r.at > left && r.at <= now);
    let mut labels: BTreeMap<Label, usize> = BTreeMap::new();
    for label in missed().filter_map(|r| r.failure) {
        *labels.entry(label).or_default() += 1;
    }
    let mut failures: Vec<_> = labels.into_iter().collect();
    failures.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Absence {
        trials: missed().count(),
        kept: missed().filter(|r| r.verdict == Some(Verdict::Keep)).count(),
        undecided: missed().filter(|r| r.verdict == Some(Verdict::Undecided)).count(),
        failed: missed().filter(|r| r.failure.is_some()).count(),
        failures,
        best_before: best(goal, rows.iter().filter(|r| r.at <= left)),
        best_now: best(goal, rows.iter().filter(|r| r.at <= now)),
    }
}

fn best<'a>(goal: Goal, rows: impl Iterator<Item = &'a Decided>) -> Option<(TrialId, f64)> {
    let rank = |r: &Decided| match (r.trial == TrialId::BASELINE, r.verdict == Some(Verdict::Keep)) {
        (true, _) => Some(0),
        (false, true) => Some(if r.verified { 2 } else { 1 }),
        (false, false) => None,
    };
    rows.filter_map(|r| Some((rank(r)?, r.trial, r.score.filter(|s| s.is_finite())?)))
        .reduce(|a, b| {
            let better = b.0 > a.0 || (b.0 == a.0 && (goal.better(b.2, a.2) || (b.2 == a.2 && b.1 < a.1)));
            if better { b } else { a }
        })
        .map(|(_, trial, score)| (trial, score))
}

fn named((trial, value): (TrialId, f64), score: impl Fn(f64) -> String) -> String {
    if trial == TrialId::BASELINE { format!("the baseline {}", score(value)) } else { format!("{trial} {}", score(value)) }
}

impl Absence {
    /// Returns the sentence of the cockpit, e.g. "since you left: 14 trials, 2 kept, 5 failed (3 out of memory), best t0012 0.8123".
    ///
    /// `score` writes a score with the study's number of places. Of the failures the two most frequent kinds are named.
    pub fn sentence(&self, score: impl Fn(f64) -> String) -> String {
        let mut parts = Vec::new();
        match self.trials {
            0 => parts.push("no trial was decided".to_owned()),
            1 => parts.push("1 trial".to_owned()),
            n => parts.push(format!("{n} trials")),
        }
        if self.trials > 0 {
            parts.push(format!("{} kept", self.kept));
        }
        if self.undecided > 0 {
            parts.push(format!("{} undecided", self.undecided));
        }
        if self.failed > 0 {
            let why: Vec<_> = self.failures.iter().take(2).map(|(label, n)| format!("{n} {}", label.word().replace('_', " "))).collect();
            parts.push(format!("{} failed ({})", self.failed, why.join(", ")));
        }
        match (self.best_before, self.best_now) {
            (Some(before), Some(now)) if before.0 == now.0 => parts.push(format!("best is still {}", named(now, score))),
            (_, Some(now)) => parts.push(format!("best {}", named(now, score))),
            (_, None) => parts.push("no score yet".to_owned()),
        }
        format!("since you left: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::number::short;

    fn row(trial: u32, at: i64, verdict: Option<Verdict>, failure: Option<Label>, score: Option<f64>) -> Decided {
        Decided { trial: TrialId(trial), at: Millis(at), verdict, failure, verified: false, score }
    }

    #[test]
    fn a_night_in_one_sentence() {
        let keep = Some(Verdict::Keep);
        let revert = Some(Verdict::Revert);
        let rows = [
            row(0, 10, None, None, Some(0.30)),
            row(1, 20, keep, None, Some(0.25)),
            row(2, 100, revert, None, Some(0.10)),
            row(3, 110, revert, Some(Label::OutOfMemory), None),
            row(4, 120, revert, Some(Label::Crashed), None),
            row(5, 130, revert, Some(Label::OutOfMemory), None),
            row(6, 140, keep, None, Some(0.214)),
            row(7, 150, Some(Verdict::RolledBack), None, Some(0.2)),
            row(8, 160, Some(Verdict::Undecided), None, Some(0.2)),
            row(9, 999, keep, None, Some(0.1)),
        ];
        let got = since(Millis(50), Millis(200), Goal::Minimize, &rows);
        assert_eq!((got.trials, got.kept, got.failed, got.undecided), (7, 1, 3, 1));
        assert_eq!(
            got.sentence(short),
            "since you left: 7 trials, 1 kept, 1 undecided, 3 failed (2 out of memory, 1 crashed), best t0006 0.214"
        );
        let quiet = since(Millis(160), Millis(200), Goal::Minimize, &rows);
        assert_eq!(quiet.sentence(short), "since you left: no trial was decided, best is still t0006 0.214");
        let up = since(Millis(0), Millis(50), Goal::Maximize, &rows);
        assert_eq!(up.sentence(short), "since you left: 1 trial, 1 kept, best t0001 0.25");
        let none = since(Millis(0), Millis(5), Goal::Maximize, &rows);
        assert_eq!(none.sentence(short), "since you left: no trial was decided, no score yet");
    }
}
