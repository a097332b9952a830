//! Which texts are paths of a tree at all, whoever proposes them (attacks A5, A28 and A29 of the reference).

/// Longest path and longest component, in bytes: what Linux file systems hold.
const LONGEST_PATH: usize = 1024;
const LONGEST_COMPONENT: usize = 255;

/// Returns the path without a leading `./`, or why it is none.
///
/// Refused: empty paths and components, `.` and `..`, absolute paths, drive letters, backslashes, control and bidirectional
/// characters, any component that begins with `.git` in whatever case, and `.trialdeck`.
pub(super) fn normalised(path: &str) -> Result<String, String> {
    let clean = path.strip_prefix("./").unwrap_or(path);
    if clean.is_empty() {
        return Err("the path is empty".into());
    }
    if clean.len() > LONGEST_PATH {
        return Err(format!("the path is longer than {LONGEST_PATH} bytes"));
    }
    if let Some(c) = clean.chars().find(|c| is_unprintable(*c)) {
        return Err(format!("the path holds the control character U+{:04X}", u32::from(c)));
    }
    if clean.contains('\\') {
        return Err("the path holds a backslash; write `/` between components".into());
    }
    if clean.starts_with('/') {
        return Err("the path is absolute; paths are relative to the root of the tree".into());
    }
    let mut bytes = clean.bytes();
    if bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.next() == Some(b':') {
        return Err("the path begins with a drive letter".into());
    }
    for component in clean.split('/') {
        component_allowed(component)?;
    }
    Ok(clean.to_owned())
}

fn component_allowed(component: &str) -> Result<(), String> {
    let folded = component.to_lowercase();
    match component {
        "" => return Err("the path holds an empty component".into()),
        "." | ".." => return Err(format!("the path holds `{component}`")),
        _ => {}
    }
    if component.len() > LONGEST_COMPONENT {
        return Err(format!("a component is longer than {LONGEST_COMPONENT} bytes"));
    }
    if folded.starts_with(".git") || folded.starts_with("git~") {
        return Err(format!("`{component}` belongs to git"));
    }
    if folded == ".trialdeck" {
        return Err("`.trialdeck` belongs to trialdeck".into());
    }
    Ok(())
}

/// Control, bidirectional and zero-width characters.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether every start of Python would run the file: it may be neither new nor changed.
pub(super) fn starts_with_python(path: &str) -> bool {
    path.split('/').any(|component| {
        let folded = component.to_lowercase();
        let stem = folded.split('.').next().unwrap_or_default();
        matches!(stem, "sitecustomize" | "usercustomize") || folded.ends_with(".pth") || folded.ends_with("._pth")
    })
}

/// Whether Python or pytest would run the file of itself: it may be changed where it stood before, never be new.
pub(super) fn runs_of_itself(path: &str) -> bool {
    starts_with_python(path)
        || path.split('/').any(|component| {
            let folded = component.to_lowercase();
            folded == "conftest.py" || folded == "pyvenv.cfg"
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, why) in [
            ("", "empty"),
            ("/etc/passwd", "absolute"),
            ("../x", "`..`"),
            ("a/../../x", "`..`"),
            ("a//b", "empty component"),
            ("a/", "empty component"),
            ("a/./b", "`.`"),
            ("..\\x", "backslash"),
            ("C:/x", "drive"),
            (".git/hooks/pre-commit", "belongs to git"),
            ("sub/.GIT/config", "belongs to git"),
            (".gitattributes", "belongs to git"),
            (".gitmodules", "belongs to git"),
            ("GIT~1/config", "belongs to git"),
            ("sub/.gIt/HEAD", "belongs to git"),
            ("a/.GitAttributes", "belongs to git"),
            ("a\u{2066}b.py", "U+2066"),
            ("a\u{7f}b", "U+007F"),
            ("a\u{85}b", "U+0085"),
            ("a/..", "`..`"),
            (".trialdeck/x", "belongs to trialdeck"),
            ("a\u{1b}[31m.py", "U+001B"),
            ("a\nb", "U+000A"),
            ("a\0b", "U+0000"),
            ("ev\u{202e}yp.li", "U+202E"),
            (".g\u{200c}it/config", "U+200C"),
        ] {
            let said = normalised(path).expect_err(path);
            assert!(said.contains(why), "{path:?}: {said}");
        }
        for (path, want) in [("train.py", "train.py"), ("./models/a.py", "models/a.py"), ("größe/ü.py", "größe/ü.py"), ("...", "...")]
        {
            assert_eq!(normalised(path).as_deref(), Ok(want), "{path}");
        }
    }

    #[test]
    fn startup_hooks_are_known_at_any_level() {
        for path in
            ["sitecustomize.py", "a/usercustomize.py", "a/b.pth", "tests/conftest.py", "SiteCustomize.PY", "sitecustomize/__init__.py"]
        {
            assert!(runs_of_itself(path), "{path}");
        }
        for path in ["train.py", "my_sitecustomize.py", "weights.pt"] {
            assert!(!runs_of_itself(path), "{path}");
        }
    }
}
