//! Whether a changed Python file still parses: the cheapest check there is before a run.

use super::knobs;
use std::collections::BTreeMap;

/// Longer files are left to Python itself.
const LARGEST: usize = 1 << 20;

/// Returns the first syntax error of a Python file with its line, or none. Bytes that are not UTF-8 are left to Python.
pub fn syntax_error(bytes: &[u8]) -> Option<String> {
    let source = std::str::from_utf8(bytes).ok().filter(|s| s.len() <= LARGEST)?;
    let sources = BTreeMap::from([("changed.py".to_owned(), source.to_owned())]);
    knobs::discover(&sources, &[]).skipped.into_iter().next().map(|(_, reason)| reason)
}
