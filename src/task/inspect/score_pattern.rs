//! The pattern of a score as a person types it on the command line, turned into the form that a task file holds.
//!
//! `val_bpb:\s+([\d.]+)` becomes the metric `val_bpb` and the same pattern with its group named `value`. Pure. Tested by a table.

use regex::Regex;

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScorePattern {
    /// The metric's name: the group's, else the last word in front of the group, else `score`.
    pub metric: String,
    /// What stands behind `stdout:` in `[evaluator] from`.
    pub from: String,
    /// The pattern as it was given, where named groups besides the score are worth watching.
    pub live: Option<String>,
    /// The number's group cannot read `1.5e-05`, so that such a score would be cut short.
    pub cuts_exponents: bool,
}

/// Groups that count progress.
const STEPS: [&str; 7] = ["step", "global_step", "iter", "iteration", "_step", "epoch", "ep"];

/// Understands a pattern. Errors: a sentence that says how to mend it.
pub fn understand(text: &str) -> Result<ScorePattern, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(r"the pattern is empty; write what the program prints with a group around the number: 'val_loss: ([\d.]+)'".into());
    }
    let key = text.chars().all(|c| c.is_alphanumeric() || "_./-".contains(c)) && text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if key {
        return Ok(ScorePattern { metric: text.to_owned(), from: text.to_owned(), live: None, cuts_exponents: false });
    }
    let regex = Regex::new(text).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned();
        format!("`{text}` is no regular expression: {why}; quote it for the shell in '…'")
    })?;
    let names: Vec<&str> = regex.capture_names().flatten().collect();
    if regex.captures_len() < 2 {
        return Err(format!("`{text}` has no group around the number; write for instance '{}'", mended(text)));
    }
    let named = match names.as_slice() {
        [] => None,
        names => names.iter().find(|n| **n == "value").or_else(|| names.iter().find(|n| !STEPS.contains(n))).copied(),
    };
    let (from, metric) = match named {
        Some("value") => (text.to_owned(), last_word(text.split("(?P<value>").next().unwrap_or_default())),
        Some(name) => {
            let from = text.replacen(&format!("(?P<{name}>"), "(?P<value>", 1).replacen(&format!("(?<{name}>"), "(?P<value>", 1);
            (from, Some(name.to_owned()))
        }
        None => {
            let at = first_group(text).ok_or_else(|| format!("`{text}` has named groups for steps alone; put a group around the score"))?;
            let (before, rest) = text.split_at(at);
            (format!("{before}(?P<value>{}", rest.get(1..).unwrap_or_default()), last_word(before))
        }
    };
    let metric = metric.unwrap_or_else(|| "score".into());
    let more = names.iter().filter(|n| **n != "value").count() > usize::from(named.is_some_and(|n| n != "value"));
    let inner = from.split("(?P<value>").nth(1).map(group_body).unwrap_or_default();
    let cuts_exponents =
        Regex::new(&format!("^(?:{inner})")).ok().and_then(|r| r.find("1.5e-05").map(|m| m.end())).is_some_and(|end| end < 7);
    Ok(ScorePattern { metric, live: more.then(|| text.to_owned()), from, cuts_exponents })
}

/// Where the first unnamed group begins.
fn first_group(text: &str) -> Option<usize> {
    let (mut escaped, mut class) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class && !text.get(at + 1..).is_some_and(|rest| rest.starts_with('?')) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The inside of a group, up to the parenthesis that closes it.
fn group_body(text: &str) -> &str {
    let (mut escaped, mut class, mut depth) = (false, false, 0);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class && depth == 0 => return text.get(..at).unwrap_or_default(),
            ')' if !class => depth -= 1,
            _ => {}
        }
    }
    text
}

/// The last name in a piece of a pattern, escapes and classes aside: `step \d+ val_loss:\s+` gives `val_loss`.
fn last_word(pattern: &str) -> Option<String> {
    let plain = Regex::new(r"\\[A-Za-z]|\[[^\]]*\]|\{[^}]*\}|\(\?P?<[^>]*>|\(\?[a-z:]*").ok()?.replace_all(pattern, " ").replace('\\', "");
    let word = Regex::new(r"[A-Za-z_][A-Za-z0-9_@/.-]*").ok()?.find_iter(&plain).last()?.as_str();
    let word = word.trim_matches(['.', '-', '/', '_']);
    (!word.is_empty()).then(|| word.to_owned())
}

/// The pattern with a group put around what looks like its number.
fn mended(text: &str) -> String {
    for number in [r"[\d.]+", r"[0-9.]+", r"\d+\.\d+", r"\S+", r".+", r".*", r"\d+"] {
        if text.contains(number) {
            return text.replacen(number, &format!("({number})"), 1);
        }
    }
    format!(r"{}\s*([-\d.e+]+)", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::SelfReport;

    #[test]
    fn patterns_as_they_are_typed() {
        for (text, metric, line, value) in [
            (r"val_bpb:\s+([\d.]+)", "val_bpb", "val_bpb:          0.9979", 0.9979),
            (r"val_loss: ([\d.]+)", "val_loss", "epoch 3 val_loss: 0.5", 0.5),
            (r"step \d+ .*test acc = (\S+)", "acc", "step 3 x test acc = 9.5e-1", 0.95),
            (r"(?P<mse>[\d.e-]+) mse", "mse", "1.5e-3 mse", 0.0015),
            (r"epoch (?P<epoch>\d+).*acc (?P<value>\S+)", "acc", "epoch 3 acc 0.75", 0.75),
            (r"epoch (?P<epoch>\d+).*loss ([\d.]+)", "loss", "epoch 3 loss 0.75", 0.75),
            (r"^([\d.]+)$", "score", "0.25", 0.25),
            ("val_loss", "val_loss", "val_loss 0.5", 0.5),
            (r"score\(dev\): ([\d.]+)", "dev", "score(dev): 2.5", 2.5),
        ] {
            let got = understand(text).unwrap();
            assert_eq!(got.metric, metric, "{text}");
            let report = SelfReport::parse(&format!("stdout:{}", got.from)).unwrap();
            assert_eq!(report.on_line(line), Some(value), "{text} as {}", got.from);
        }
        assert_eq!(understand(r"epoch (?P<epoch>\d+) loss ([\d.]+)").unwrap().live.unwrap(), r"epoch (?P<epoch>\d+) loss ([\d.]+)");
        assert!(understand(r"loss ([\d.]+)").unwrap().cuts_exponents);
        assert!(!understand(r"loss ([-+\d.e]+)").unwrap().cuts_exponents);
    }

    #[test]
    fn patterns_that_cannot_be_used_say_how_to_mend_them() {
        for (text, want) in [
            ("", "the pattern is empty"),
            (r"val_loss: [\d.]+", r"write for instance 'val_loss: ([\d.]+)'"),
            (r"val_loss:", r"write for instance 'val_loss:\s*([-\d.e+]+)'"),
            (r"val_loss: ([\d.]+", "is no regular expression: unclosed group"),
            (r"epoch (?P<epoch>\d+)", "has named groups for steps alone"),
        ] {
            let error = understand(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in "[ -~]{0,60}") {
            if let Ok(got) = understand(&text) {
                proptest::prop_assert!(SelfReport::parse(&format!("stdout:{}", got.from)).is_ok(), "{:?}", got);
            }
        }
    }
}
