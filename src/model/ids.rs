//! Identifiers: small numbers with a letter, padded to four digits on screen and disk, never sorted as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A text that does not name a thing of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}, which looks like `{example}`")]
pub struct BadId {
    text: String,
    what: &'static str,
    example: &'static str,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $width:literal, $what:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!($prefix, "{:0width$}"), self.0, width = $width))
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            /// Accepts the padded form, fewer digits, and the bare number.
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bad = || BadId { text: text.to_owned(), what: $what, example: $example };
                let digits = text.strip_prefix($prefix).unwrap_or(text);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(bad());
                }
                digits.parse().map($name).map_err(|_| bad())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(FromText(std::marker::PhantomData))
            }
        }
    };
}

numbered!(
    /// A node of the experiment tree; the baseline is `t0000`.
    TrialId, "t", 4, "trial", "t0012"
);
numbered!(
    /// A request to a proposer and what came of it.
    ProposalId, "p", 4, "proposal", "p0015"
);
numbered!(
    /// The number of a run within its trial, counted from 1.
    RunNo, "run-", 1, "run", "run-1"
);

/// One run of one trial, written `t0007/run-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The trial whose code runs.
    pub trial: TrialId,
    /// Its number within the trial.
    pub run: RunNo,
}

impl TrialId {
    /// The baseline: the repository as it was imported.
    pub const BASELINE: Self = Self(0);

    /// The run of this trial with the given number.
    pub fn run(self, run: RunNo) -> RunId {
        RunId { trial: self, run }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.trial, self.run))
    }
}

impl FromStr for RunId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { text: text.to_owned(), what: "run", example: "t0007/run-1" };
        let (trial, run) = text.split_once('/').ok_or_else(bad)?;
        Ok(Self { trial: trial.parse()?, run: run.parse()? })
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(FromText(std::marker::PhantomData))
    }
}

/// Reads an id from a text without keeping the text: a study of 10,000 trials holds a hundred thousand of them.
struct FromText<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = BadId>> serde::de::Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Milliseconds since the Unix epoch. The pure core receives it and never reads a clock.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Seconds from `earlier` to `self`; 0 when the clock went backwards.
    pub fn seconds_since(self, earlier: Millis) -> f64 {
        (self.0.saturating_sub(earlier.0)).max(0) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_write() {
        assert_eq!(TrialId(7).to_string(), "t0007");
        assert_eq!(TrialId(12_345).to_string(), "t12345");
        for text in ["t0007", "t7", "7"] {
            assert_eq!(text.parse(), Ok(TrialId(7)), "{text}");
        }
        for text in ["", "t", "x7", "t-1", "t7x", "t99999999999"] {
            assert!(text.parse::<TrialId>().is_err(), "{text}");
        }
        let run: RunId = "t0007/run-2".parse().unwrap();
        assert_eq!(run.to_string(), "t0007/run-2");
        assert_eq!(serde_json::to_string(&run).unwrap(), "\"t0007/run-2\"");
        assert_eq!(serde_json::from_str::<RunId>("\"t0007/run-2\"").unwrap(), run);
    }
}
