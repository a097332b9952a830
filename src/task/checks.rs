//! Checks of texts with a grammar of their own: globs, relative paths, regular expressions, names.

use super::walk::{Section, Spot};
use globset::GlobBuilder;
use regex::Regex;

/// Whether a path would leave the directory that it is relative to, and how.
fn escapes(path: &str) -> Option<&'static str> {
    if path.starts_with('/') || path.starts_with('~') {
        return Some("is absolute");
    }
    if path.contains(['\\', '\0', '\n', '\r']) {
        return Some("has a character that paths here do not have");
    }
    path.split('/').any(|part| part == "..").then_some("leaves the directory with `..`")
}

impl Section<'_> {
    /// A list of globs relative to the root of the repository's tree.
    pub(super) fn globs(&self, key: &str, example: &str) -> Vec<String> {
        let mut globs = Vec::new();
        for spot in self.texts(key, example) {
            if let Some(how) = escapes(&spot.value) {
                let message = format!("the glob `{}` {how}", spot.value);
                self.walk.problem(spot.span, message, "globs are relative to the root of the repository".to_owned());
            } else if let Err(error) = GlobBuilder::new(&spot.value).literal_separator(true).build() {
                let message = format!("the glob `{}` is wrong: {}", spot.value, error.kind());
                self.walk.problem(spot.span, message, "`*` is any part of a name, `**` any directories, `{a,b}` either".to_owned());
            } else {
                globs.push(spot.value);
            }
        }
        globs
    }

    /// A list of paths that stay below the directory that they are relative to.
    pub(super) fn inner_paths(&self, key: &str, example: &str, root: &str) -> Vec<String> {
        let mut paths = Vec::new();
        for spot in self.texts(key, example) {
            if let Some(how) = escapes(&spot.value) {
                self.walk.problem(spot.span, format!("the path `{}` {how}", spot.value), format!("paths of `{key}` lie below {root}"));
            } else {
                paths.push(spot.value);
            }
        }
        paths
    }

    /// A list of regular expressions with at least one group.
    pub(super) fn patterns(&self, key: &str, example: &str) -> Vec<String> {
        let mut patterns = Vec::new();
        for spot in self.texts(key, example) {
            match Regex::new(&spot.value) {
                Err(error) => {
                    let message = format!("the regular expression is wrong: {}", super::self_report::regex_message(&error));
                    self.walk.problem(spot.span, message, format!("write {key} = {example}"));
                }
                Ok(regex) if regex.captures_len() < 2 => {
                    let message = "the regular expression has no group: nothing would be read";
                    self.walk.problem(spot.span, message, r"put a group around the number: (?P<loss>[\d.]+)".to_owned());
                }
                Ok(_) => patterns.push(spot.value),
            }
        }
        patterns
    }

    /// Notes a text that cannot name a directory.
    pub(super) fn check_name(&self, spot: &Spot<String>) {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &spot.value;
        if name.is_empty() || (name.len() <= 64 && name.chars().all(fine) && name.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            return;
        }
        let mended: String = name.chars().map(|c| if fine(c) { c.to_ascii_lowercase() } else { '-' }).take(64).collect();
        let mended = mended.trim_matches(['-', '.', '_']);
        let mended = if mended.is_empty() { "my-task" } else { mended };
        let message = format!("the name `{name}` cannot name a study: letters, digits, `-`, `_` and `.` can, at most 64");
        self.walk.problem(spot.span.clone(), message, format!("write name = \"{mended}\"; `title` may be any text"));
    }

    /// Notes a text that cannot name an environment variable of a run.
    pub(super) fn check_variable(&self, spot: &Spot<String>) {
        let name = &spot.value;
        let fine = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
        if !fine {
            let message = format!("`{name}` cannot name an environment variable");
            self.walk.problem(spot.span.clone(), message, "letters, digits and `_` can, such as \"SEED\"".to_owned());
        } else if name.starts_with("TRIALDECK_") {
            let message = format!("`{name}` is one of the names that trialdeck sets itself");
            self.walk.problem(spot.span.clone(), message, "choose a name without TRIALDECK_ in front".to_owned());
        }
    }
}
