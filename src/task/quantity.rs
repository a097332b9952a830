//! Durations (`5m`, `90s`, `1h30m`) and byte sizes (`16GiB`, `512MB`) as people write them. Also used for `--time` and the like.

use std::time::Duration;

/// Longest duration accepted: a hundred years, so that sums cannot overflow.
const LONGEST_SECS: f64 = 100.0 * 365.25 * 86_400.0;

/// Why a text is no quantity, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    /// Nothing but white space.
    #[error("it is empty; write {0}")]
    Empty(&'static str),
    /// A number without a unit.
    #[error("`{text}` has no unit; write `{text}s` for seconds or `{text}m` for minutes")]
    NoUnit {
        /// The number.
        text: String,
    },
    /// A unit that is not known.
    #[error("`{unit}` is not a unit; known are {known}")]
    Unit {
        /// As written.
        unit: String,
        /// All units.
        known: &'static str,
    },
    /// No number where one should be.
    #[error("`{text}` is not {what}; write {example}")]
    Number {
        /// As written.
        text: String,
        /// What was expected.
        what: &'static str,
        /// How it looks.
        example: &'static str,
    },
    /// Beyond what can be represented.
    #[error("`{text}` is too large")]
    TooLarge {
        /// As written.
        text: String,
    },
}

/// Splits a leading decimal number off. The number has no sign and no exponent.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let value: f64 = digits.replace('_', "").parse().ok()?;
    Some((value, rest))
}

fn unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphabetic() && c != 'µ').unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Reads a duration: numbers with units `ms`, `s`, `m`, `h`, `d`, one after the other (`1h30m`). Zero is a duration.
pub fn duration(text: &str) -> Result<Duration, BadQuantity> {
    const EXAMPLE: &str = "\"5m\", \"90s\" or \"1h30m\"";
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(BadQuantity::Empty(EXAMPLE));
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let bad = || BadQuantity::Number { text: text.trim().to_owned(), what: "a duration", example: EXAMPLE };
        let (value, after) = number(rest).ok_or_else(bad)?;
        let (name, after) = unit(after.trim_start());
        let scale = match name.to_lowercase().as_str() {
            "" if after.is_empty() => return Err(BadQuantity::NoUnit { text: text.trim().to_owned() }),
            "" => return Err(bad()),
            "ms" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => return Err(BadQuantity::Unit { unit: name.to_owned(), known: "ms, s, m, h and d" }),
        };
        seconds += value * scale;
        rest = after.trim_start();
    }
    if seconds > LONGEST_SECS {
        return Err(BadQuantity::TooLarge { text: text.trim().to_owned() });
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| BadQuantity::TooLarge { text: text.trim().to_owned() })
}

/// Reads a byte size: `B`, binary `KiB MiB GiB TiB` (also `K M G T`), decimal `kB MB GB TB`; a bare number is bytes.
pub fn bytes(text: &str) -> Result<u64, BadQuantity> {
    const EXAMPLE: &str = "\"16GiB\" or \"512MiB\"";
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(BadQuantity::Empty(EXAMPLE));
    }
    let bad = || BadQuantity::Number { text: trimmed.to_owned(), what: "a size", example: EXAMPLE };
    let (value, after) = number(trimmed).ok_or_else(bad)?;
    let (name, after) = unit(after.trim_start());
    if !after.is_empty() {
        return Err(bad());
    }
    let scale: u64 = match name.to_lowercase().as_str() {
        "" | "b" | "byte" | "bytes" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(BadQuantity::Unit { unit: name.to_owned(), known: "B, KiB, MiB, GiB, TiB, kB, MB, GB and TB" }),
    };
    let size = value * scale as f64;
    if size >= 9.0e18 { Err(BadQuantity::TooLarge { text: trimmed.to_owned() }) } else { Ok(size.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, want) in [("5m", 300.0), ("90s", 90.0), ("1h30m", 5400.0), ("8h", 28_800.0), ("1 h 30 min", 5400.0), ("250ms", 0.25)] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), want, "{text}");
        }
        for (text, want) in [
            ("", "it is empty; write \"5m\", \"90s\" or \"1h30m\""),
            ("300", "`300` has no unit; write `300s` for seconds or `300m` for minutes"),
            ("5x", "`x` is not a unit; known are ms, s, m, h and d"),
            ("-5s", "`-5s` is not a duration; write \"5m\", \"90s\" or \"1h30m\""),
            ("soon", "`soon` is not a duration; write \"5m\", \"90s\" or \"1h30m\""),
            ("999999999999d", "`999999999999d` is too large"),
        ] {
            assert_eq!(duration(text).unwrap_err().to_string(), want, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("16GiB", 16 << 30),
            ("2 GiB", 2 << 30),
            ("1.5G", 3 << 29),
            ("512MB", 512_000_000),
            ("16_000", 16_000),
            ("0", 0),
            ("7kb", 7_000),
        ] {
            assert_eq!(bytes(text).unwrap(), want, "{text}");
        }
        for text in ["", "GiB", "-1GiB", "12Gob", "1GiB2", "99999999TiB", "1..2"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = duration(&text);
            let _ = bytes(&text);
        }
    }
}
