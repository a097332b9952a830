//! SEARCH/REPLACE blocks, as models and people write them.
//!
//! ```text
//! path/to/file.py
//! <<<<<<< SEARCH
//! old lines
//! =======
//! new lines
//! >>>>>>> REPLACE
//! ```

use crate::model::Edit;

/// A block that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBlock {
    /// No path stands above it.
    #[error("line {line}: the SEARCH block has no file path on the line above it")]
    NoPath {
        /// Line of the block's first mark, from 1.
        line: usize,
    },
    /// Its end is missing.
    #[error("line {line}: the SEARCH block does not end; it needs a line of seven `=` and a line `>>>>>>> REPLACE`")]
    Open {
        /// Line of the block's first mark, from 1.
        line: usize,
    },
}

/// Reads all blocks of a text; none where it holds no SEARCH mark at all. An empty SEARCH part writes a whole file.
pub fn parse(text: &str) -> Result<Vec<Edit>, BadBlock> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut edits, mut path, mut at) = (Vec::new(), None::<String>, 0);
    while let Some(line) = lines.get(at) {
        at += 1;
        if !is_mark(line, '<', "SEARCH") {
            if let Some(named) = path_on(line) {
                path = Some(named);
            }
            continue;
        }
        let first = at;
        let file = path.clone().ok_or(BadBlock::NoPath { line: first })?;
        let middle = find(&lines, at, |l| is_mark(l, '=', "")).ok_or(BadBlock::Open { line: first })?;
        let end = find(&lines, middle + 1, |l| is_mark(l, '>', "REPLACE")).ok_or(BadBlock::Open { line: first })?;
        let join = |from: usize, to: usize| {
            lines.get(from..to).map(|part| part.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap_or_default()
        };
        let (search, replace) = (join(at, middle), join(middle + 1, end));
        edits.push(if search.trim().is_empty() {
            Edit::Write { path: file, content: replace }
        } else {
            Edit::Replace { path: file, search, replace }
        });
        at = end + 1;
    }
    Ok(edits)
}

fn find(lines: &[&str], from: usize, wanted: impl Fn(&str) -> bool) -> Option<usize> {
    lines.iter().enumerate().skip(from).find(|(_, line)| wanted(line)).map(|(at, _)| at)
}

/// Five to nine of the mark's character, then the word.
fn is_mark(line: &str, mark: char, word: &str) -> bool {
    let rest = line.trim_end().trim_start_matches(mark);
    let n = line.trim_end().len() - rest.len();
    (5..=9).contains(&n) && rest.trim() == word
}

/// A line that names a file: plain, in backquotes, after `###` or `File:`, but not a fence.
fn path_on(line: &str) -> Option<String> {
    let text = line.trim().trim_start_matches('#').trim();
    let text = text.strip_prefix("File:").or_else(|| text.strip_prefix("file:")).unwrap_or(text).trim();
    let text = text.trim_matches('`').trim_matches('*').trim_end_matches(':').trim();
    let plausible = !text.is_empty() && !text.contains(char::is_whitespace) && (text.contains('.') || text.contains('/'));
    plausible.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let replace =
            |path: &str, search: &str, replace: &str| Edit::Replace { path: path.into(), search: search.into(), replace: replace.into() };
        for (name, text, want) in [
            ("none", "--- a/x.py\n+++ b/x.py\n", Ok(vec![])),
            ("one", "train.py\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", Ok(vec![replace("train.py", "a\n", "b\n")])),
            (
                "two, one path, fences",
                "Here:\n`m/x.py`\n```python\n<<<<<<< SEARCH\na\n=======\n>>>>>>> REPLACE\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n```\n",
                Ok(vec![replace("m/x.py", "a\n", ""), replace("m/x.py", "c\n", "d\n")]),
            ),
            (
                "new file",
                "n.py\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n",
                Ok(vec![Edit::Write { path: "n.py".into(), content: "x\n".into() }]),
            ),
            ("no path", "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", Err(BadBlock::NoPath { line: 1 })),
            ("open", "x.py\n<<<<<<< SEARCH\na\n=======\nb\n", Err(BadBlock::Open { line: 2 })),
        ] {
            assert_eq!(parse(text), want, "{name}");
        }
    }
}
