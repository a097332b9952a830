//! One finding, and how a list of them is printed. Pure but for the width that it is told.

use crate::headless::{Paint, Tone};
use crate::model::Safe;
use serde::Serialize;

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Level {
    /// Nothing to do.
    Ok,
    /// A fact that is neither good nor bad.
    Info,
    /// Something is less than it could be.
    Warn,
    /// A study cannot run.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Finding {
    #[serde(skip)]
    pub(in crate::cli) group: &'static str,
    pub(in crate::cli) what: String,
    pub(in crate::cli) level: Level,
    /// In a few words.
    pub(in crate::cli) found: String,
    /// What follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) means: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) mend: Option<String>,
}

impl Finding {
    pub(in crate::cli) fn new(what: &str, level: Level, found: impl Into<String>) -> Self {
        Self { group: "", what: what.to_owned(), level, found: found.into(), means: None, mend: None }
    }

    pub(in crate::cli) fn ok(what: &str, found: impl Into<String>) -> Self {
        Self::new(what, Level::Ok, found)
    }

    pub(in crate::cli) fn info(what: &str, found: impl Into<String>) -> Self {
        Self::new(what, Level::Info, found)
    }

    pub(in crate::cli) fn warn(what: &str, found: impl Into<String>) -> Self {
        Self::new(what, Level::Warn, found)
    }

    pub(in crate::cli) fn fail(what: &str, found: impl Into<String>) -> Self {
        Self::new(what, Level::Fail, found)
    }

    pub(in crate::cli) fn means(mut self, text: impl Into<String>) -> Self {
        self.means = Some(text.into());
        self
    }

    pub(in crate::cli) fn mend(mut self, text: impl Into<String>) -> Self {
        self.mend = Some(text.into());
        self
    }
}

/// The findings of one heading.
pub(in crate::cli) fn under(group: &'static str, findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    findings.into_iter().map(|f| Finding { group, ..f }).collect()
}

/// Draws findings below their headings, wrapped to `width` columns.
pub(in crate::cli) fn draw(findings: &[Finding], width: usize, paint: Paint) -> String {
    let names = findings.iter().map(|f| Safe::line(&f.what).as_str().chars().count()).max().unwrap_or(0).min(24);
    let indent = 2 + 4 + 2 + names + 2;
    let room = width.min(120).saturating_sub(indent).max(24);
    let (mut out, mut group) = (String::new(), "");
    for finding in findings {
        if group != finding.group {
            group = finding.group;
            out += &format!("{}{}\n", if out.is_empty() { "" } else { "\n" }, paint.tone(Tone::Strong, group));
        }
        let (mark, tone) = match finding.level {
            Level::Ok => ("ok  ", Tone::Good),
            Level::Info => ("-   ", Tone::Faint),
            Level::Warn => ("warn", Tone::Warning),
            Level::Fail => ("FAIL", Tone::Bad),
        };
        let what = Safe::line(&finding.what);
        let mut head = format!("  {}  {what:<names$}  ", paint.tone(tone, mark));
        for line in wrap(Safe::line(&finding.found).as_str(), room) {
            out += &format!("{head}{line}\n");
            head = " ".repeat(indent);
        }
        for (text, tone) in [(&finding.means, Tone::Faint), (&finding.mend, Tone::Plain)] {
            let arrow = if tone == Tone::Plain { "-> " } else { "" };
            let Some(text) = text else { continue };
            for (n, line) in wrap(Safe::line(text).as_str(), room - arrow.len()).into_iter().enumerate() {
                let lead = if n == 0 { arrow } else { "   ".get(..arrow.len()).unwrap_or_default() };
                out += &format!("{:indent$}{}\n", "", paint.tone(tone, &format!("{lead}{line}")));
            }
        }
    }
    out
}

/// Breaks a text at its spaces; a word that is too long stands alone.
pub(in crate::cli) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_aligned_and_wrapped() {
        let findings: Vec<Finding> = [
            under("programs", [Finding::ok("python", "3.11.2, /usr/bin/python3")]),
            under(
                "machine",
                [
                    Finding::info("gpu", "none"),
                    Finding::warn("logout", "logind ends what you leave behind")
                        .means("an engine dies with your last session, and a study waits for `trialdeck resume`")
                        .mend("loginctl enable-linger"),
                    Finding::fail("studies", "/data/\u{1b}[31mstudies cannot be written"),
                ],
            ),
        ]
        .concat();
        insta::assert_snapshot!(draw(&findings, 72, Paint::PLAIN));
        for width in [0, 20, 40, 80, 300] {
            let drawn = draw(&findings, width, Paint::PLAIN);
            assert!(drawn.lines().all(|l| l.chars().count() <= width.clamp(60, 120)), "{drawn}");
            assert!(!drawn.contains('\u{1b}'));
        }
    }
}
