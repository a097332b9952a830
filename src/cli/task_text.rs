//! Writes values the way a task file holds them, and the file itself: once, and never over another.

use super::Failure;
use std::{io::Write, path::Path};

/// A text in quotes: as it stands where it has backslashes, such as a regular expression, else with escapes.
pub(super) fn quoted(text: &str) -> String {
    let literal = text.contains(['\\', '"']) && !text.contains(['\'', '\n', '\r', '\t']) && !text.chars().any(char::is_control);
    if literal {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of texts on one line.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", "))
}

/// A text that stands behind `#` on one line.
pub(super) fn comment(text: &str) -> String {
    crate::model::Safe::line(text).into_string()
}

/// A study's name made of a directory's.
pub(super) fn name_of(dir: &Path) -> String {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let name = dir.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(48).collect();
    let plain = plain.trim_matches(['-', '_', '.']);
    if plain.is_empty() { "study".into() } else { plain.to_owned() }
}

/// Writes a new file. Errors: there is one, or it cannot be written.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| Failure::usage(format!("cannot write {}: {e}", path.display()));
    let mut file = match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Failure::usage(format!("{} exists and is not written over", path.display())));
        }
        opened => opened.map_err(cannot)?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_texts_are_read_back() {
        for text in ["python train.py", r"loss: ([\d.]+)", "it's \\d", "a \"b\"", "tab\there", "two\nlines", "é ' \" \\"] {
            let line = format!("key = {}", quoted(text));
            let value: toml::Table = toml::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(value["key"].as_str(), Some(text), "{line}");
        }
        assert_eq!(list(&["a".into(), "b/**".into()]), "[\"a\", \"b/**\"]");
        assert_eq!(name_of(Path::new("/tmp/My Wind (Power)")), "my-wind--power");
    }
}
