//! The exception of a Python log in one line: its type, the first of its message that says something, and what caused it.
//!
//! Messages may be long and begin with empty lines (NumPy's on a failed import), continue in indented lines (a state that does
//! not fit its model), and stand in a chain whose last link says least. The log is untrusted and may be cut anywhere. Pure;
//! tested with tracebacks as Python prints them.

use regex::Regex;
use std::sync::LazyLock;

/// Lines of a message that are looked at.
const LINES: usize = 40;
/// Longest message, in bytes.
const MESSAGE: usize = 280;
/// Longest cause, in bytes.
const CAUSE: usize = 160;
/// Links of a chain that are followed.
const LINKS: usize = 32;

const START: &str = "Traceback (most recent call last):";
const DIRECT: &str = "The above exception was the direct cause of the following exception:";
const DURING: &str = "During handling of the above exception, another exception occurred:";

static LOOKS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Group|Iteration)(?::.*)?$").ok());
static RANK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\[(?:rank|\w+/)?\d+\]: ?").ok());
/// The frame that Python draws around the members of a group.
static FRAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^ *(?:\| ?|\+ |\+-[-+]*)").ok());

/// What a log says of its last exception. Texts are as they stood, joined by blanks and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// `ValueError: shapes do not fit`.
    pub said: String,
    /// The first exception of its chain.
    pub cause: Option<String>,
    /// It was raised from that one on purpose, not while that one was handled.
    pub direct: bool,
    /// Where it begins.
    pub line: usize,
}

impl Exception {
    /// In one line.
    pub fn words(&self) -> String {
        match &self.cause {
            None => self.said.clone(),
            Some(cause) if self.direct => format!("{}; caused by {cause}", self.said),
            Some(cause) => format!("{}; while handling {cause}", self.said),
        }
    }
}

/// Finds the last exception: that of the last traceback, else the last line that looks like one (a syntax error of the file
/// itself comes without a traceback).
pub fn last(lines: &[&str]) -> Option<Exception> {
    let lines: Vec<&str> = lines.iter().map(|l| bare(l)).collect();
    let starts: Vec<usize> = lines.iter().enumerate().filter(|(_, l)| is_start(l)).map(|(at, _)| at).collect();
    let Some(mut at) = starts.len().checked_sub(1) else {
        let looks = LOOKS.as_ref()?;
        let line = lines.iter().rposition(|l| looks.is_match(l.trim_end()))?;
        return Some(Exception { said: said(&lines, line), cause: None, direct: false, line });
    };
    // The members of a group come after it: the group is what was raised.
    let group = starts.iter().rposition(|s| lines.get(*s).is_some_and(|l| l.starts_with("Exception Group")));
    let member = group.and_then(|group| {
        let line = head(&lines, *starts.get(group)?)?;
        let first = (line + 1..lines.len()).find(|l| lines.get(*l).is_some_and(|l| member(l) == Some(1)))?;
        let begin = first + 1;
        let raised = if lines.get(begin).is_some_and(|l| is_start(l)) { head(&lines, begin)? } else { begin };
        let unlinked = !(begin..lines.len()).any(|l| lines.get(l).is_some_and(|l| l.trim() == DIRECT || l.trim() == DURING));
        unlinked.then(|| (group, line, said(&lines, raised)))
    });
    if let Some((_, line, member)) = member {
        return Some(Exception { said: said(&lines, line), cause: Some(cut(&member, CAUSE)), direct: true, line });
    }
    let line = loop {
        // A traceback that was cut before its exception tells nothing; the one before it may.
        match starts.get(at).and_then(|start| head(&lines, *start)) {
            Some(line) => break line,
            None => at = at.checked_sub(1)?,
        }
    };
    let (mut root, mut direct) = (None, true);
    for _ in 0..LINKS {
        let Some((before, here)) = at.checked_sub(1).and_then(|b| Some((*starts.get(b)?, *starts.get(at)?))) else { break };
        let Some(link) = lines.get(before..here).and_then(|l| l.iter().rev().find(|l| !l.trim().is_empty())) else { break };
        let Some(raised) = head(&lines, before).filter(|raised| *raised < here) else { break };
        match link.trim() {
            DIRECT => {}
            DURING => direct = false,
            _ => break,
        }
        root = Some(said(&lines, raised));
        at -= 1;
    }
    Some(Exception { said: said(&lines, line), cause: root.map(|r| cut(&r, CAUSE)), direct, line })
}

fn is_start(line: &str) -> bool {
    let line = line.trim_end();
    line == START || line.strip_prefix("Exception Group ") == Some(START)
}

/// The line that names the exception of the traceback that starts at `start`: the first that is not indented.
fn head(lines: &[&str], start: usize) -> Option<usize> {
    (start + 1..lines.len()).find(|at| lines.get(*at).is_some_and(|l| !l.is_empty() && !l.starts_with([' ', '\t'])))
}

/// Without what `torchrun` writes before each line (`[rank0]: `), and without the frame of a group.
fn bare(line: &str) -> &str {
    let cut = |line: &'_ str, of: &LazyLock<Option<Regex>>| of.as_ref().and_then(|r| r.find(line)).map_or(0, |m| m.end());
    let line = line.get(cut(line, &RANK)..).unwrap_or(line);
    line.get(cut(line, &FRAME)..).unwrap_or(line)
}

/// Type and message of the exception at `at`.
fn said(lines: &[&str], at: usize) -> String {
    let first = lines.get(at).copied().unwrap_or_default().trim_end();
    let rest: Vec<&str> = lines.iter().skip(at + 1).take(LINES).copied().take_while(|l| !ends(l)).collect();
    let mut text = first.to_owned();
    let joined = |more: &[&str]| more.iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" ");
    let empty = first.strip_suffix(':').filter(|name| !name.contains(' '));
    if empty.is_some() {
        // It begins with empty lines, headings and shouting; then comes its first sentence.
        let from = rest.iter().position(|l| l.chars().any(char::is_lowercase) && !l.trim_start().starts_with("http"));
        let paragraph: Vec<&str> =
            from.map(|n| rest.iter().skip(n).copied().take_while(|l| !l.trim().is_empty()).collect()).unwrap_or_default();
        text = format!("{text} {}", sentence(&joined(&paragraph)));
        // How libraries quote what they met.
        if let Some(original) =
            rest.iter().find_map(|l| l.trim().strip_prefix("Original error was:")).map(str::trim).filter(|o| !o.is_empty())
        {
            text = format!("{}; original error: {}", cut(text.trim_end().trim_end_matches('.'), MESSAGE / 2), cut(original, MESSAGE / 2));
        }
    } else if first == "AssertionError" {
        // What was asserted says more than that it did not hold.
        let asserted = lines.get(..at).and_then(|above| above.iter().rev().take(3).map(|l| l.trim()).find(|l| l.starts_with("assert ")));
        text.extend(asserted.map(|what| format!(": {what}")));
    } else {
        // Indented lines go on with it, and what stands between them; what is not indented may be anybody's.
        let near: Vec<&str> = rest.iter().copied().take_while(|l| !l.trim().is_empty()).collect();
        let mut upto = near.iter().rposition(|l| l.starts_with([' ', '\t'])).map_or(0, |n| n + 1);
        if upto == 0 && first.ends_with(':') {
            upto = near.len().min(1);
        }
        let advice = |l: &&&str| l.trim_start().starts_with("For further information");
        let more: Vec<&str> = near.iter().take(upto).filter(|l| !advice(l)).copied().collect();
        let more = joined(&more);
        if !more.is_empty() {
            text = format!("{text} {more}");
        }
    }
    cut(text.trim(), MESSAGE)
}

/// Where a message cannot go on.
fn ends(line: &str) -> bool {
    is_start(line) || matches!(line.trim(), DIRECT | DURING) || member(line).is_some()
}

/// The number of a group's member, on the line above it: `1 ----------------`.
fn member(line: &str) -> Option<u32> {
    let (number, rule) = line.trim().split_once(' ')?;
    (rule.len() > 3 && rule.bytes().all(|b| b == b'-')).then(|| number.parse().ok())?
}

/// The first sentence of a paragraph.
fn sentence(paragraph: &str) -> &str {
    match paragraph.find(". ") {
        Some(end) => paragraph.get(..=end).unwrap_or(paragraph),
        None => paragraph,
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(most)).unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests;
