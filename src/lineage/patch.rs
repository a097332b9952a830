//! A tolerant reader of unified diffs as models and people write them.
//!
//! Tolerated: no `diff --git` line, wrong or missing counts and line numbers, blank context lines without their space, CRLF, no
//! newline at the end, prose and code fences around. Symbolic links, submodules and mode changes are refused here by their modes
//! (libgit2 and `git apply` accept them). Never panics (property test); the paths are judged later, on the one code path of `apply`.

use super::rules::{apply_failed, out_of_bounds};
use super::store::{EXECUTABLE_MODE, FILE_MODE};
use crate::model::{Failure, Safe};

/// What a patch does to one file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct FilePatch {
    /// The path before; none for a new file.
    pub old: Option<String>,
    /// The path after; none for a deleted file.
    pub new: Option<String>,
    /// The old file stays (`copy from`).
    pub copy: bool,
    /// A new file is executable.
    pub executable: bool,
    pub hunks: Vec<Hunk>,
}

/// A run of lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    /// First line of the old file, from 1; none where the header has no numbers.
    pub start: Option<usize>,
    /// The header says that the hunk takes no line of the old file.
    pub inserts_only: bool,
    pub lines: Vec<(Tag, String)>,
    /// Whether the new file ends with a newline after this hunk, where the patch says so.
    pub final_newline: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Same,
    Gone,
    Added,
}

/// Reads a patch. Errors: `apply_failed` where nothing can be made of it, `out_of_bounds` for modes that no proposal may use.
pub(super) fn parse(text: &str) -> Result<Vec<FilePatch>, Failure> {
    let lines: Vec<&str> = text.lines().collect();
    let mut reader = Reader { lines: &lines, at: 0, files: Vec::new(), open: None };
    reader.run()?;
    reader.close();
    if reader.files.is_empty() {
        return Err(apply_failed("the patch names no file: it needs `--- a/FILE` and `+++ b/FILE` lines"));
    }
    Ok(reader.files)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    files: Vec<FilePatch>,
    /// The file whose headers or hunks are being read, and whether `---`/`+++` were seen.
    open: Option<(FilePatch, bool)>,
}

impl<'a> Reader<'a> {
    fn line(&self, ahead: usize) -> Option<&'a str> {
        self.lines.get(self.at + ahead).copied()
    }

    fn close(&mut self) {
        if let Some((file, _)) = self.open.take()
            && (file.old.is_some() || file.new.is_some())
        {
            self.files.push(file);
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        while let Some(line) = self.line(0) {
            if let Some(rest) = line.strip_prefix("diff --git ") {
                self.close();
                let (old, new) = git_names(rest);
                self.open = Some((FilePatch { old, new, ..FilePatch::default() }, false));
            } else if self.names_at(0) {
                self.names();
                continue;
            } else if line.starts_with("@@") {
                self.hunk()?;
                continue;
            } else if let Some((file, false)) = &mut self.open {
                extended(file, line)?;
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Whether a `---`/`+++` pair stands `ahead` lines further on.
    fn names_at(&self, ahead: usize) -> bool {
        self.line(ahead).is_some_and(|l| l.starts_with("--- ")) && self.line(ahead + 1).is_some_and(|l| l.starts_with("+++ "))
    }

    fn names(&mut self) {
        let old = self.line(0).and_then(|l| l.strip_prefix("--- ")).and_then(name);
        let new = self.line(1).and_then(|l| l.strip_prefix("+++ ")).and_then(name);
        let (old, new) = strip_prefixes(old, new);
        match &mut self.open {
            Some((file, seen @ false)) => {
                file.old = old;
                file.new = new;
                *seen = true;
            }
            _ => {
                self.close();
                self.open = Some((FilePatch { old, new, ..FilePatch::default() }, true));
            }
        }
        self.at += 2;
    }

    fn hunk(&mut self) -> Result<(), Failure> {
        let header = self.line(0).unwrap_or_default();
        let numbers = hunk_numbers(header);
        self.at += 1;
        let mut hunk = Hunk { start: numbers.map(|n| n.0), inserts_only: numbers.is_some_and(|n| n.1 == 0), ..Hunk::default() };
        let mut left = numbers.map_or((0, 0), |n| (n.1, n.2));
        while let Some(line) = self.line(0) {
            let pending = left.0 > 0 || left.1 > 0;
            let body = line.strip_suffix('\r').unwrap_or(line);
            if line.starts_with("@@") || line.starts_with("diff --git ") || body.trim_end() == "```" || line.starts_with("*** ") {
                break;
            }
            // A removed `-- x` and an added `++ y` look like the names of the next file; true counts tell them apart.
            if self.names_at(0) && !(left.0 >= 1 && left.1 >= 1 && !self.line(2).is_some_and(|l| l.starts_with("@@"))) {
                break;
            }
            let (tag, text) = match body.chars().next() {
                Some(' ') => (Tag::Same, body.strip_prefix(' ')),
                Some('+') => (Tag::Added, body.strip_prefix('+')),
                // The signature mark that `git format-patch` writes at the end.
                Some('-') if !pending && body.trim_end() == "--" => break,
                Some('-') => (Tag::Gone, body.strip_prefix('-')),
                Some('\\') => {
                    no_newline(&mut hunk);
                    self.at += 1;
                    continue;
                }
                None if pending || self.body_goes_on() => (Tag::Same, Some("")),
                Some(_) if pending => (Tag::Same, Some(body)),
                _ => break,
            };
            left.0 = left.0.saturating_sub(usize::from(tag != Tag::Added));
            left.1 = left.1.saturating_sub(usize::from(tag != Tag::Gone));
            hunk.lines.push((tag, text.unwrap_or_default().to_owned()));
            self.at += 1;
        }
        let Some((file, _)) = &mut self.open else {
            return Err(apply_failed(format!("the hunk `{}` stands before any file name", Safe::line(header))));
        };
        if hunk.lines.is_empty() {
            return Err(apply_failed(format!("the hunk `{}` is empty", Safe::line(header))));
        }
        file.hunks.push(hunk);
        Ok(())
    }

    /// Whether after blank lines the hunk goes on, so that they are context that lost its space.
    fn body_goes_on(&self) -> bool {
        let next = (0..).map_while(|i| self.line(i).map(|l| (i, l))).find(|(_, l)| !l.trim().is_empty());
        next.is_some_and(|(i, l)| l.starts_with([' ', '+', '-']) && !self.names_at(i))
    }
}

/// The marker belongs to the line before it: after an added or a common line the new file lacks its newline, after a removed one it has it.
fn no_newline(hunk: &mut Hunk) {
    match hunk.lines.last() {
        Some((Tag::Gone, _)) => hunk.final_newline = Some(true),
        Some((Tag::Added | Tag::Same, _)) => hunk.final_newline = Some(false),
        None => {}
    }
}

fn extended(file: &mut FilePatch, line: &str) -> Result<(), Failure> {
    let shown = || Safe::line(file.new.as_deref().or(file.old.as_deref()).unwrap_or("?")).into_string();
    let mode = |text: &str| u32::from_str_radix(text.trim(), 8).unwrap_or(0);
    if let Some(text) = line.strip_prefix("new file mode ") {
        match mode(text) {
            FILE_MODE => {}
            EXECUTABLE_MODE => file.executable = true,
            _ => return Err(out_of_bounds(format!("`{}`: {}; proposals hold plain files only", shown(), kind(text)))),
        }
        file.old = None;
    } else if let Some(text) = line.strip_prefix("deleted file mode ") {
        if !matches!(mode(text), FILE_MODE | EXECUTABLE_MODE) {
            return Err(out_of_bounds(format!("`{}`: {}; proposals touch plain files only", shown(), kind(text))));
        }
        file.new = None;
    } else if line.starts_with("old mode ") || line.starts_with("new mode ") {
        return Err(out_of_bounds(format!("`{}`: a mode change; proposals change contents only", shown())));
    } else if line.starts_with("GIT binary patch") || line.starts_with("Binary files ") {
        return Err(apply_failed(format!("`{}`: a binary patch; proposals hold text only", shown())));
    } else if let Some(path) = line.strip_prefix("rename from ") {
        file.old = name(path);
    } else if let Some(path) = line.strip_prefix("rename to ").or_else(|| line.strip_prefix("copy to ")) {
        file.new = name(path);
    } else if let Some(path) = line.strip_prefix("copy from ") {
        file.old = name(path);
        file.copy = true;
    }
    Ok(())
}

fn kind(mode: &str) -> &'static str {
    match mode.trim() {
        "120000" => "a symbolic link (mode 120000)",
        "160000" => "a submodule (mode 160000)",
        _ => "a mode other than 100644 and 100755",
    }
}

/// `@@ -a,b +c,d @@`: a, b, d. A missing count is 1.
fn hunk_numbers(header: &str) -> Option<(usize, usize, usize)> {
    let mut words = header.trim_start_matches('@').split_whitespace();
    let old = words.next()?.strip_prefix('-')?;
    let new = words.next()?.strip_prefix('+')?;
    let pair = |text: &str| -> Option<(usize, usize)> {
        let (start, count) = text.split_once(',').unwrap_or((text, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((start, taken), (_, given)) = (pair(old)?, pair(new)?);
    Some((start, taken, given))
}

/// A name after `---`, `+++` or `rename`: without a time stamp, unquoted; none for `/dev/null`.
fn name(text: &str) -> Option<String> {
    let text = text.split('\t').next().unwrap_or(text).trim_end_matches(['\r', ' ']);
    let text = match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(quoted) => unquoted(quoted),
        None => text.to_owned(),
    };
    (text != "/dev/null").then_some(text)
}

/// git's C-style quoting.
fn unquoted(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'a') => out.push(7),
            Some(d @ b'0'..=b'7') => {
                let mut value = u32::from(d - b'0');
                for _ in 0..2 {
                    if let Some(d) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) {
                        value = value * 8 + u32::from(d - b'0');
                    }
                }
                out.push(value as u8);
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Takes away git's `a/` and `b/` where all names that are there carry them.
fn strip_prefixes(old: Option<String>, new: Option<String>) -> (Option<String>, Option<String>) {
    let carries = |name: &Option<String>, prefix: &str| name.as_ref().is_none_or(|n| n.starts_with(prefix));
    if carries(&old, "a/") && carries(&new, "b/") {
        let strip = |name: Option<String>| name.map(|n| n.split_once('/').map_or(n.clone(), |(_, rest)| rest.to_owned()));
        (strip(old), strip(new))
    } else {
        (old, new)
    }
}

/// The two names of a `diff --git` line, used only where no other line names the file.
fn git_names(rest: &str) -> (Option<String>, Option<String>) {
    let rest = rest.trim_end();
    let halves = match rest.strip_prefix('"') {
        Some(_) => rest.split_once("\" \"").map(|(a, b)| (format!("{a}\""), format!("\"{b}"))),
        None => rest
            .match_indices(" b/")
            .map(|(i, _)| rest.split_at(i))
            .find(|(a, b)| a.strip_prefix("a/").is_some_and(|a| b.strip_prefix(" b/") == Some(a)))
            .or_else(|| rest.split_once(' '))
            .map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned())),
    };
    halves.map_or((None, None), |(a, b)| strip_prefixes(name(&a), name(&b)))
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
