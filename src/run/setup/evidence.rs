//! What the log of a setup tells: whether the network hiccuped, the line that says what is wrong, the last lines. Pure.

use crate::{
    model::{Failure, Label, Safe},
    run::{exception, time},
};
use regex::Regex;
use std::{sync::LazyLock, time::Duration};

/// What installers print when the network fails for a moment.
const HICCUPS: &[&str] = &[
    "Temporary failure in name resolution",
    "Name or service not known",
    "Could not resolve host",
    "dns error",
    "Connection reset",
    "Connection aborted",
    "Connection refused",
    "Connection timed out",
    "Network is unreachable",
    "Read timed out",
    "ReadTimeoutError",
    "ConnectTimeoutError",
    "NewConnectionError",
    "IncompleteRead",
    "RemoteDisconnected",
    "CondaHTTPError",
    "connection closed before message completed",
    "operation timed out",
    "TLS handshake timeout",
    "429 Too Many Requests",
    "502 Bad Gateway",
    "503 Service",
    "504 Gateway",
];

/// Bytes of the log's end that a hiccup is looked for in: an early one that was got over says nothing.
const END: usize = 8 << 10;

static LOGIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"://[^/@\s]+@").ok());

/// Whether the failure looks like the network's.
pub fn hiccup(log: &str) -> bool {
    let end = log.get(log.ceil_char_boundary(log.len().saturating_sub(END))..).unwrap_or(log);
    HICCUPS.iter().any(|words| end.contains(words))
}

/// The last lines that say something, without control characters and without logins in addresses.
pub fn last_lines(log: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        log.lines().rev().map(|l| l.rsplit('\r').next().unwrap_or(l)).filter(|l| !l.trim().is_empty()).take(most).map(clean).collect();
    lines.reverse();
    lines
}

fn clean(line: &str) -> String {
    let text = Safe::line(line.trim_end()).into_string();
    LOGIN.as_ref().map_or_else(|| text.clone(), |login| login.replace_all(&text, "://…@").into_owned())
}

/// The failure in one sentence; `how` is the supervisor's word for it.
pub fn words(what: &str, how: &Failure, exit_code: Option<i32>, wall: Duration, seconds: f64, log: &str) -> String {
    let mut lines = last_lines(log, 40);
    if how.label == Label::TimedOut {
        // The shell's word on what we ended.
        lines.retain(|l| l.trim() != "Terminated");
    }
    let marked = |l: &&String| ["ERROR:", "error:", "Error:", "× ", "fatal:"].iter().any(|m| l.trim_start().starts_with(m)) || named(l);
    let whole: Vec<String> = log.lines().map(clean).collect();
    let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
    // An exception of Python's knows more than its last line; what an installer says after one is the installer's own word.
    let raised = exception::last(&whole).filter(|e| {
        let after = |l: &&str| ["ERROR:", "error:", "× ", "fatal:"].iter().any(|m| l.trim_start().starts_with(m));
        how.label != Label::TimedOut && !whole.iter().skip(e.line + 1).any(after)
    });
    let said = raised.map(|e| e.words()).or_else(|| lines.iter().rev().find(marked).or(lines.last()).map(|l| l.trim().to_owned()));
    let after = time::words(time::seconds(seconds));
    match (how.label, exit_code, said) {
        (Label::TimedOut, _, said) => {
            let last = said.map(|l| format!("; it last said: {l}")).unwrap_or_default();
            format!("{what} was not done after its wall of {}{last}", time::words(wall))
        }
        (Label::Crashed, Some(code), Some(line)) => format!("{what} failed: {line} (exit code {code}, after {after})"),
        (Label::Crashed, Some(code), None) => format!("{what} failed without a word (exit code {code}, after {after})"),
        (_, _, _) => format!("{what} {}: {}", how.label.word().replace('_', " "), how.detail),
    }
}

/// `ModuleNotFoundError: …`
fn named(line: &str) -> bool {
    let head = line.split(':').next().unwrap_or_default();
    line.contains(": ") && head.ends_with("Error") && head.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIP: &str = "Collecting nosuch==1\nERROR: Could not find a version that satisfies the requirement nosuch==1 (from versions: none)\nERROR: No matching distribution found for nosuch==1\n\n[notice] A new release of pip\n";

    #[test]
    fn the_line_that_says_what_is_wrong() {
        let failure = |label| Failure::new(label, "the supervisor's words");
        let say = |label, code, log| words("[setup]", &failure(label), code, Duration::from_secs(60), 3.2, log);
        for (label, code, log, want) in [
            (
                Label::Crashed,
                Some(1),
                PIP,
                "[setup] failed: ERROR: No matching distribution found for nosuch==1 (exit code 1, after 3.2 s)",
            ),
            (Label::Crashed, Some(3), "one\ntwo\n", "[setup] failed: two (exit code 3, after 3.2 s)"),
            (Label::Crashed, Some(3), "", "[setup] failed without a word (exit code 3, after 3.2 s)"),
            (
                Label::Crashed,
                Some(1),
                "Traceback\nModuleNotFoundError: No module named 'x'\nbye\n",
                "[setup] failed: ModuleNotFoundError: No module named 'x' (exit code 1, after 3.2 s)",
            ),
            (
                Label::Crashed,
                Some(1),
                include_str!("../exception/during.txt"),
                "[setup] failed: RuntimeError: no config; while handling KeyError: 'lr' (exit code 1, after 3.2 s)",
            ),
            (
                Label::Crashed,
                Some(1),
                concat!(include_str!("../exception/two.txt"), "error: subprocess-exited-with-error\n"),
                "[setup] failed: error: subprocess-exited-with-error (exit code 1, after 3.2 s)",
            ),
            (Label::TimedOut, None, "Building wheel\n", "[setup] was not done after its wall of 1m 0s; it last said: Building wheel"),
            (Label::LostSupervisor, None, "x", "[setup] lost supervisor: the supervisor's words"),
        ] {
            assert_eq!(say(label, code, log), want);
        }
    }

    #[test]
    fn a_hiccup_is_told_from_a_mistake() {
        for (log, want) in [
            (PIP, false),
            ("WARNING: Retrying after NewConnectionError: Temporary failure in name resolution\nERROR: No matching distribution", true),
            ("error: Failed to fetch\n  Caused by: dns error: failed to lookup", true),
            ("SyntaxError: invalid syntax", false),
        ] {
            assert_eq!(hiccup(log), want, "{log}");
        }
        let early = format!("Read timed out\n{}", "Collecting x\n".repeat(2000));
        assert!(!hiccup(&early));
    }

    #[test]
    fn lines_are_clean_and_carry_no_login() {
        let log = "a\n\u{1b}[31mred\u{1b}[0m\n10%\r20%\rdone\nLooking in https://me:secret@index.example/simple\n\n";
        let lines = last_lines(log, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].contains("red") && !lines[0].contains('\u{1b}'));
        assert_eq!(lines[1..], ["done", "Looking in https://…@index.example/simple"]);
    }
}
