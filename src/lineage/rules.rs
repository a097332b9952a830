//! Which files a proposal may touch: the task's globs and the limits on size, in one place for every proposer.

use super::error::{Error, Result};
use super::paths;
use crate::model::{Failure, Label, Safe};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Limits on the files that one proposal touches (reference, section 11).
pub(super) const MOST_FILES: usize = 200;
pub(super) const LARGEST_FILE: usize = 1_000_000;
pub(super) const LARGEST_TOTAL: usize = 5_000_000;

/// What the task says of paths. Patterns are globs relative to the tree's root; `*` stops at `/`; a directory stands for all below.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RulesSpec {
    /// What may be touched; nothing, when empty.
    pub editable: Vec<String>,
    /// What may not, even where `editable` matches.
    pub protected: Vec<String>,
    /// Evaluator files and hidden data: not in the tree, and not to be put there.
    pub hidden: Vec<String>,
    /// Most lines added and removed together.
    pub max_changed_lines: Option<u32>,
}

/// The first of these patterns that covers a path, which is relative to the tree's root; a directory covers what lies in it.
/// Errors: `BadGlob`.
pub fn covering(patterns: &[String], path: &str) -> Result<Option<String>> {
    Ok(Patterns::new(patterns)?.matching(path).map(str::to_owned))
}

/// The rules, compiled.
#[derive(Debug, Clone)]
pub struct Rules {
    editable: Patterns,
    protected: Patterns,
    hidden: Patterns,
    max_changed_lines: Option<u32>,
}

impl Rules {
    /// Compiles the patterns. Errors: `BadGlob`.
    pub fn new(spec: &RulesSpec) -> Result<Self> {
        Ok(Self {
            editable: Patterns::new(&spec.editable)?,
            protected: Patterns::new(&spec.protected)?,
            hidden: Patterns::new(&spec.hidden)?,
            max_changed_lines: spec.max_changed_lines,
        })
    }

    /// Returns the normalised path when a proposal may touch it; `existed` says whether the parent has it.
    pub fn check(&self, path: &str, existed: bool) -> std::result::Result<String, Failure> {
        let shown = Safe::line(path);
        let path = paths::normalised(path).map_err(|why| out_of_bounds(format!("`{shown}`: {why}")))?;
        if let Some(pattern) = self.hidden.matching(&path) {
            return Err(out_of_bounds(format!("`{shown}` belongs to the evaluator (`{pattern}`); {}", self.allowed())));
        }
        if let Some(pattern) = self.protected.matching(&path) {
            return Err(out_of_bounds(format!("`{shown}` is protected by `{pattern}`; {}", self.allowed())));
        }
        if self.editable.matching(&path).is_none() {
            return Err(out_of_bounds(format!("`{shown}` is not editable; {}", self.allowed())));
        }
        if paths::starts_with_python(&path) {
            return Err(out_of_bounds(format!("`{shown}` would be run by Python of itself; no proposal may add or change it")));
        }
        if !existed && paths::runs_of_itself(&path) {
            return Err(out_of_bounds(format!("`{shown}` would be run by Python of itself; such files cannot be added")));
        }
        Ok(path)
    }

    /// Whether the path belongs to the evaluator.
    pub fn is_hidden(&self, path: &str) -> bool {
        self.hidden.matching(path).is_some()
    }

    /// Refuses a diff of more lines than the task allows.
    pub(super) fn check_lines(&self, changed: usize) -> std::result::Result<(), Failure> {
        match self.max_changed_lines {
            Some(most) if changed > most as usize => {
                Err(out_of_bounds(format!("the diff adds and removes {changed} lines together; max_changed_lines allows {most}")))
            }
            _ => Ok(()),
        }
    }

    /// What would have been allowed, for messages.
    fn allowed(&self) -> String {
        if self.editable.sources.is_empty() {
            return "nothing is editable".into();
        }
        let shown: Vec<&str> = self.editable.sources.iter().take(8).map(String::as_str).collect();
        let more = self.editable.sources.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("editable: {}{more}", shown.join(", "))
    }
}

pub(super) fn out_of_bounds(detail: impl Into<String>) -> Failure {
    Failure::new(Label::OutOfBounds, detail)
}

pub(super) fn apply_failed(detail: impl Into<String>) -> Failure {
    Failure::new(Label::ApplyFailed, detail)
}

/// A list of path patterns. Each also matches literally, so that a file named `data[1].csv` can be listed, and covers what lies below it.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    sources: Vec<String>,
    set: GlobSet,
}

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Self> {
        let mut builder = GlobSetBuilder::new();
        let mut sources = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let bad = |e: globset::Error| Error::BadGlob { pattern: pattern.clone(), reason: e.kind().to_string() };
            let clean = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
            for glob in [clean.to_owned(), format!("{clean}/**")] {
                builder.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(bad)?);
            }
            sources.push(if clean.is_empty() || clean == "." { "**".to_owned() } else { clean.to_owned() });
            if clean == "." || clean.is_empty() {
                builder.add(GlobBuilder::new("**").literal_separator(true).build().map_err(bad)?);
            }
        }
        let set = builder.build().map_err(|e| Error::BadGlob { pattern: patterns.join(", "), reason: e.to_string() })?;
        Ok(Self { sources, set })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The first pattern that covers the path.
    pub(super) fn matching(&self, path: &str) -> Option<&str> {
        let literal = |s: &&String| path.strip_prefix(s.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some(found) = self.sources.iter().find(literal) {
            return Some(found);
        }
        if !self.set.is_match(path) {
            return None;
        }
        let one = |s: &&String| Self::new(std::slice::from_ref(*s)).is_ok_and(|p| p.set.is_match(path));
        self.sources.iter().find(one).or(self.sources.first()).map(String::as_str)
    }

    /// Whether the pattern covers the path; quicker than `matching`, which names the pattern.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.set.is_match(path)
            || self.sources.iter().any(|s| path.strip_prefix(s.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let words = |w: &[&str]| w.iter().map(|s| (*s).to_owned()).collect();
        Rules::new(&RulesSpec {
            editable: words(&["run.py", "models/**", "layers/", "conf/*.yaml", "tests/**"]),
            protected: words(&["models/loss_reference.py"]),
            hidden: words(&["models/evaluate.py", "truth[1].npy"]),
            max_changed_lines: Some(10),
        })
        .unwrap()
    }

    #[test]
    fn protected_wins_over_editable_and_the_message_says_what_would_pass() {
        for (path, want) in [
            ("run.py", None),
            ("./run.py", None),
            ("models/a/b.py", None),
            ("layers/x.py", None),
            ("conf/a.yaml", None),
            ("conf/sub/a.yaml", Some("not editable; editable: run.py, models/**")),
            ("train.py", Some("not editable")),
            ("models/loss_reference.py", Some("protected by `models/loss_reference.py`")),
            ("models/evaluate.py", Some("belongs to the evaluator")),
            ("truth[1].npy", Some("belongs to the evaluator")),
            ("models/sitecustomize.py", Some("of itself")),
            ("models/site.PTH", Some("of itself")),
            ("tests/conftest.py", Some("of itself")),
        ] {
            let got = rules().check(path, false).err().map(|f| f.detail);
            assert!(got.as_deref().unwrap_or_default().contains(want.unwrap_or_default()), "{path}: {got:?}");
            assert_eq!(got.is_some(), want.is_some(), "{path}: {got:?}");
        }
        assert!(rules().check("tests/conftest.py", true).is_ok());
        for path in
            ["models/sitecustomize.py", "models/UserCustomize.py", "models/x.pth", "models/python._pth", "models/sitecustomize/__init__.py"]
        {
            let detail = rules().check(path, true).expect_err(path).detail;
            assert!(detail.contains("no proposal may add or change it"), "{path}: {detail}");
        }
        assert!(Rules::new(&RulesSpec::default()).unwrap().check("a", true).unwrap_err().detail.contains("nothing is editable"));
        assert!(matches!(Patterns::new(&["a[".into()]), Err(Error::BadGlob { .. })));
    }
}
