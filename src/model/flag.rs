//! What a reviewer should know of an edit before compute is spent on it, and of a gain before it is believed. Facts with
//! their evidence; what follows from them is said by `review` and `decide`.

use super::number::{rough, short};
use serde::{Deserialize, Serialize};

/// What an edit touches that is no idea, or that is none of its business; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// A seed, or the seeding of a generator.
    Seed,
    /// A limit of its own running time.
    TimeLimit,
    /// What it prints of the metric.
    MetricPrint,
    /// Which data are for training and which for testing.
    Split,
    /// It puts something else in the place of the clock.
    Clock,
    /// It changes a file that test runners execute of themselves.
    TestHook,
    /// It names what belongs to the evaluator or to the sandbox.
    EvaluatorNamed,
    /// Its gain was set aside as too good for the study's own history.
    Implausible,
}

impl FlagKind {
    /// The word stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::TimeLimit => "time_limit",
            Self::MetricPrint => "metric_print",
            Self::Split => "split",
            Self::Clock => "clock",
            Self::TestHook => "test_hook",
            Self::EvaluatorNamed => "evaluator_named",
            Self::Implausible => "implausible",
        }
    }

    /// What is changed, where the flag is about a change that can be all there is.
    fn changed(self) -> Option<&'static str> {
        match self {
            Self::Seed => Some("the seed"),
            Self::TimeLimit => Some("the time limit"),
            Self::MetricPrint => Some("what is printed of the metric"),
            Self::Split => Some("the data split"),
            Self::Clock | Self::TestHook | Self::EvaluatorNamed | Self::Implausible => None,
        }
    }

    fn does(self) -> &'static str {
        match self {
            Self::Clock => "patches the clock",
            Self::TestHook => "changes a test hook",
            Self::EvaluatorNamed => "names what is not its own",
            Self::Implausible => "implausible gain",
            Self::Seed | Self::TimeLimit | Self::MetricPrint | Self::Split => "changes",
        }
    }
}

/// A flag with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Which of the closed set.
    pub flag: FlagKind,
    /// The edit holds nothing but what its flags name.
    pub only: bool,
    /// One sentence, beginning with file and line where there is one.
    pub evidence: String,
}

impl Flag {
    /// The flag without its evidence.
    pub fn mark(&self) -> Mark {
        Mark { flag: self.flag, only: self.only }
    }
}

/// A flag without its evidence, for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which of the closed set.
    pub flag: FlagKind,
    /// The edit holds nothing but what its flags name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
}

/// What flags say together, in words: `only changes the seed and the time limit`. None without flags.
pub fn flagged(marks: impl IntoIterator<Item = Mark>) -> Option<String> {
    let (mut changes, mut others, mut only) = (Vec::new(), Vec::new(), false);
    for mark in marks {
        match mark.flag.changed() {
            Some(what) => {
                only |= mark.only;
                changes.push(what);
            }
            None => others.push(mark.flag.does().to_owned()),
        }
    }
    let changes = match changes.as_slice() {
        [] => None,
        [all @ .., last] => {
            let list = if all.is_empty() { (*last).to_owned() } else { format!("{} and {last}", all.join(", ")) };
            Some(format!("{}changes {list}", if only { "only " } else { "" }))
        }
    };
    let parts: Vec<String> = changes.into_iter().chain(others).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A gain that was set aside, with the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Implausible {
    /// Score of the runs that selected it.
    pub score: f64,
    /// Median of the study's finished trials at that time.
    pub median: f64,
    /// What a usual distance from it is: 1.4826 times the median absolute deviation, or the noise where that is larger.
    pub scale: f64,
    /// Finished trials that had a score.
    pub scores: u32,
    /// Distance from the median in the direction of the goal, in `scale`.
    pub z: f64,
    /// The bound that `z` passed; null where the way to the target was passed instead.
    #[serde(default)]
    pub needed: Option<f64>,
    /// Gain on the baseline as a share of the way from the baseline to the target or the reference, where there is one.
    #[serde(default)]
    pub way: Option<f64>,
    /// What the rerun with fresh seeds said; null until it has.
    #[serde(default)]
    pub held_up: Option<bool>,
    /// Mean of the rerun.
    #[serde(default)]
    pub rerun: Option<f64>,
}

impl Implausible {
    /// Why it is implausible, in words.
    pub fn why(&self) -> String {
        let history = format!(
            "{} is {} usual distances ({}) better than the median {} of {} trials",
            short(self.score),
            rough(self.z),
            rough(self.scale),
            short(self.median),
            self.scores
        );
        match (self.needed, self.way) {
            (None, Some(way)) => format!("{} goes {} times the way from the baseline to the target", short(self.score), rough(way)),
            (Some(needed), _) => format!("{history}, where {} would be rare", rough(needed)),
            (None, None) => history,
        }
    }

    /// What came of the rerun, in words.
    pub fn told(&self) -> String {
        match (self.held_up, self.rerun) {
            (None, _) => "rerun with fresh seeds".to_owned(),
            (Some(true), rerun) => format!("rerun with fresh seeds{}: held up", mean(rerun)),
            (Some(false), rerun) => format!("rerun with fresh seeds{}: did not hold up", mean(rerun)),
        }
    }

    /// The flag that it makes.
    pub fn flag(&self) -> Flag {
        let evidence = format!("{}; {}; a person should look", self.why(), self.told());
        Flag { flag: FlagKind::Implausible, only: false, evidence }
    }
}

fn mean(rerun: Option<f64>) -> String {
    rerun.map_or_else(String::new, |rerun| format!(" (mean {})", short(rerun)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_in_words() {
        use FlagKind::{Clock, EvaluatorNamed, Implausible, MetricPrint, Seed, Split, TimeLimit};
        for (marks, want) in [
            (&[][..], None),
            (&[(Seed, true)], Some("only changes the seed")),
            (&[(Seed, false)], Some("changes the seed")),
            (&[(Seed, true), (TimeLimit, true)], Some("only changes the seed and the time limit")),
            (
                &[(Seed, false), (MetricPrint, false), (Split, false), (Clock, false)],
                Some("changes the seed, what is printed of the metric and the data split; patches the clock"),
            ),
            (&[(EvaluatorNamed, false), (Implausible, false)], Some("names what is not its own; implausible gain")),
        ] {
            let got = flagged(marks.iter().map(|(flag, only)| Mark { flag: *flag, only: *only }));
            assert_eq!(got.as_deref(), want, "{marks:?}");
        }
    }

    #[test]
    fn a_flag_is_three_words_of_json() {
        let flag = Flag { flag: FlagKind::Seed, only: true, evidence: "train.py:12 `SEED = 2`".into() };
        let text = serde_json::to_string(&flag).unwrap();
        assert_eq!(text, r#"{"flag":"seed","only":true,"evidence":"train.py:12 `SEED = 2`"}"#);
        for kind in [FlagKind::TimeLimit, FlagKind::EvaluatorNamed] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
