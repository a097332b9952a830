//! `from = "stdout:KEY"`: a score in the run's own words, and how it is found in a log.

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
    /// A text of letters, digits and `_ . / -` is a key: it is found in `key: 1.5`, `key = 1.5`, `key 1.5`, `| key | 1.5 |`
    /// and `{"key": 1.5}`.
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
        let pattern = if is_key {
            format!(r#"(?:^|[^\w./-])["']?{}["']?\s*[:=|]?\s*(?P<value>{NUMBER})(?:[^\w.]|\.?$)"#, regex::escape(what))
        } else {
            what.to_owned()
        };
        let regex = Regex::new(&pattern).map_err(|e| BadFrom::Regex(regex_message(&e)))?;
        if regex.captures_len() < 2 {
            return Err(BadFrom::NoGroup);
        }
        Ok(Self { stream, pattern })
    }

    /// Returns the last number that the log gives: lines may end with `\n`, `\r` or both; NaN and infinities are numbers here.
    pub fn last_value(&self, log: &str) -> Option<f64> {
        let regex = Regex::new(&self.pattern).ok()?;
        log.rsplit(['\n', '\r']).find_map(|line| {
            let found = regex.captures_iter(line).last()?;
            let text = found.name("value").or_else(|| found.get(1))?.as_str();
            text.trim().replace([',', '_'], "").parse().ok()
        })
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
    fn numbers_in_logs() {
        let log = "step 1 val_bpb: 3.5\nstep 2 val_bpb: 0.997900\r\nother_val_bpb: 7\n";
        for (from, log, want) in [
            ("stdout:val_bpb", log, Some(0.9979)),
            ("stdout:val_bpb", "val_bpb=1\rval_bpb=2\r", Some(2.0)),
            ("stdout:loss", "{\"step\": 3, \"loss\": 1.25e-3}", Some(0.00125)),
            ("stdout:loss", "{'loss': 12}", Some(12.0)),
            ("stdout:acc", "| acc | 93.1 |", Some(93.1)),
            ("stdout:tokens", "tokens: 1,234,567", Some(1_234_567.0)),
            ("stdout:loss", "train_loss: 3\nlossy 4", None),
            ("stdout:eval/loss", "eval/loss: -.5", Some(-0.5)),
            (r"stdout:final ([\d.]+)%", "final 12.5%", Some(12.5)),
            (r"stdout:(\w+) is (?P<value>[\d.]+)", "it is 4", Some(4.0)),
            ("stdout:loss", "", None),
            ("stdout:loss", "the loss is 4.", None),
            ("stdout:loss", "loss 4.", Some(4.0)),
        ] {
            assert_eq!(SelfReport::parse(from).unwrap().last_value(log), want, "{from} in {log:?}");
        }
        assert!(SelfReport::parse("stdout:loss").unwrap().last_value("loss: nan").unwrap().is_nan());
    }

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
