//! Keys that were pasted where they do not belong: told by the name they stand under or by their looks, never shown.
//!
//! A file of configuration ends up in backups, dot-file repositories and on screens. Keys come from the environment or from
//! a program. Pure; tested by tables in `tests`.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Names under which people paste a key.
const NAMES: [&str; 10] =
    ["key", "apikey", "token", "accesstoken", "authtoken", "secret", "secretkey", "password", "bearer", "authorization"];
/// How keys of well-known services begin.
const LOOKS: [&str; 10] = ["sk-", "sk_", "gsk_", "hf_", "xai-", "ghp_", "github_pat_", "nvapi-", "AIza", "Bearer "];
/// A key is longer than this many characters.
const SHORTEST: usize = 12;

/// Whether a name is one under which a key would stand: `key`, `api-key`, `x-api-key`, `Authorization`.
pub(in crate::cli) fn named(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let plain = plain.strip_prefix('x').unwrap_or(&plain);
    NAMES.contains(&plain)
}

/// Whether a text looks like a key.
pub(super) fn looks(text: &str) -> bool {
    text.len() >= SHORTEST && LOOKS.iter().any(|head| text.starts_with(head))
}

/// A key in the file: the name that it stands under, the place of that name, the place of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) value_span: Range<usize>,
    /// It stands under a name for keys; otherwise it only looks like one.
    pub(super) named: bool,
}

/// All keys of a document, wherever they stand.
pub(super) fn find(table: &DeTable<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut tables = vec![table];
    while let Some(table) = tables.pop() {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let mut values = vec![value];
            while let Some(value) = values.pop() {
                match value.get_ref() {
                    DeValue::String(text) if named(name) || looks(text) => {
                        found.push(Found { name: name.to_owned(), name_span: key.span(), value_span: value.span(), named: named(name) })
                    }
                    DeValue::Table(inner) => tables.push(inner),
                    DeValue::Array(items) => values.extend(items.iter()),
                    DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
                }
            }
        }
    }
    found
}

/// The text with every key in it, and every user of an address, replaced by as many asterisks, so that places stay and no message repeats it.
///
/// What a syntax error hides from the parser is found by its looks.
pub(super) fn hidden(text: &str, found: &[Found]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut cover = |span: Range<usize>| {
        for byte in bytes.get_mut(span).into_iter().flatten().filter(|b| !matches!(b, b'\n' | b'\r' | b'"' | b'\'')) {
            *byte = b'*';
        }
    };
    found.iter().for_each(|f| cover(f.value_span.clone()));
    for head in LOOKS {
        for (at, _) in text.match_indices(head) {
            let rest = text.get(at..).unwrap_or_default();
            let inside = text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_alphanumeric());
            let length = rest.strip_prefix("Bearer ").map_or_else(|| word(rest), |key| "Bearer ".len() + word(key));
            if !inside && length >= SHORTEST {
                cover(at..at + length);
            }
        }
    }
    for (at, _) in text.match_indices("://") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let host = rest.get(..rest.find(|c: char| c.is_whitespace() || "/\"'".contains(c)).unwrap_or(rest.len())).unwrap_or_default();
        if let Some(user) = host.rfind('@') {
            cover(at + 3..at + 3 + user);
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Bytes of the word that a text begins with.
fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len())
}
