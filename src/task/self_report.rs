//! `from = "stdout:KEY"`: a score in the run's own words, and the pattern by which `evaluate` finds it in a log.

use regex::Regex;

/// Which output of the run is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Where a run prints its own score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfReport {
    /// Which output.
    pub stream: Stream,
    /// A regular expression whose group `value`, or else whose first group, is the number.
    pub pattern: String,
}

/// Why a `from` is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrom {
    /// No `stdout:` or `stderr:` in front.
    #[error("`{0}` does not say where the score is printed")]
    Stream(String),
    /// Nothing behind it.
    #[error("`{0}:` names no key")]
    NoKey(&'static str),
    /// The expression does not compile.
    #[error("the regular expression is wrong: {0}")]
    Regex(String),
    /// The expression has no group.
    #[error("the regular expression has no group around the number")]
    NoGroup,
}

/// A number as programs print them, thousands separators included.
const NUMBER: &str = r"[-+]?(?:\d[\d,_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?i:nan|inf(?:inity)?)";

impl SelfReport {
    /// Reads `stdout:KEY`, `stderr:KEY`, or `stdout:REGEX` with a group around the number.
    ///
    /// A text of letters, digits and `_ . / -` is a key.
    pub fn parse(from: &str) -> Result<Self, BadFrom> {
        let (stream, what, word) = if let Some(rest) = from.strip_prefix("stdout:") {
            (Stream::Stdout, rest, "stdout")
        } else if let Some(rest) = from.strip_prefix("stderr:") {
            (Stream::Stderr, rest, "stderr")
        } else {
            return Err(BadFrom::Stream(from.to_owned()));
        };
        let what = what.trim();
        if what.is_empty() {
            return Err(BadFrom::NoKey(word));
        }
        let is_key = what.chars().all(|c| c.is_alphanumeric() || "_./-".contains(c));
        if is_key {
            return Ok(Self::of_key(stream, what));
        }
        let pattern = what.to_owned();
        let regex = Regex::new(&pattern).map_err(|e| BadFrom::Regex(regex_message(&e)))?;
        if regex.captures_len() < 2 {
            return Err(BadFrom::NoGroup);
        }
        Ok(Self { stream, pattern })
    }

    /// The number on a line, as a test of a pattern needs it; `evaluate` has the reading of logs.
    #[cfg(test)]
    pub(crate) fn on_line(&self, line: &str) -> Option<f64> {
        let regex = Regex::new(&self.pattern).ok()?;
        let found = regex.captures_iter(line).last()?;
        found.name("value").or_else(|| found.get(1))?.as_str().parse().ok()
    }

    /// Where a key stands with its number: `key: 1.5`, `key = 1.5`, `key 1.5`, `| key | 1.5 |`, `{"key": 1.5}`.
    pub fn of_key(stream: Stream, key: &str) -> Self {
        let key = regex::escape(key);
        let pattern = format!(r#"(?:^|[^\w./-])["']?{key}["']?(?:\s*[:=|]\s*|\s+)(?P<value>{NUMBER})(?:[^\w.]|\.?$)"#);
        Self { stream, pattern }
    }
}

/// The last line of the error, which names the cause; those before it draw the expression.
pub(super) fn regex_message(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_ones() {
        for (from, want) in [
            ("val_bpb", "`val_bpb` does not say where the score is printed"),
            ("stdout:", "`stdout:` names no key"),
            ("stdout:loss: [", "the regular expression is wrong: unclosed character class"),
            (r"stdout:loss: \d", "the regular expression has no group around the number"),
        ] {
            assert_eq!(SelfReport::parse(from).unwrap_err().to_string(), want, "{from}");
        }
    }
}
