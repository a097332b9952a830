//! Taking some hunks of a proposal and leaving others: the text that results, as edits of the parent's tree.

use crate::model::{Diff, Draft, Edit, FileDiff, FileStatus, LineKind};
use crate::protocol::FileText;
use std::collections::{BTreeMap, BTreeSet};

/// Paths that a diff removes: deleted files and the old names of moved ones.
pub fn removed_paths(diff: &Diff) -> Vec<String> {
    diff.files
        .iter()
        .filter_map(|f| match f.status {
            FileStatus::Deleted => Some(f.path.clone()),
            FileStatus::Renamed => f.old_path.clone(),
            FileStatus::Added | FileStatus::Modified => None,
        })
        .collect()
}

/// The edits that make the proposal's tree without the hunks in `left_out` (counted over all files).
pub fn without(diff: &Diff, files: &[FileText], left_out: &BTreeSet<usize>) -> Result<Vec<Edit>, String> {
    if diff.truncated {
        return Err("the diff is too large to take parts of it; e edits the files".into());
    }
    let mut edits = Vec::new();
    let mut n = 0;
    for file in &diff.files {
        let here: Vec<usize> = (n..n + file.hunks.len()).collect();
        n += file.hunks.len();
        let left: Vec<usize> = here.iter().enumerate().filter(|(_, n)| left_out.contains(n)).map(|(i, _)| i).collect();
        let all_left = !here.is_empty() && left.len() == here.len();
        match file.status {
            FileStatus::Deleted if all_left => continue,
            FileStatus::Deleted if left.is_empty() => {
                edits.push(Edit::Delete { path: file.path.clone() });
                continue;
            }
            FileStatus::Deleted => return Err(format!("{}: a removed file can only be taken or left whole", file.path)),
            FileStatus::Added | FileStatus::Modified if all_left => continue,
            FileStatus::Renamed => edits.extend(file.old_path.clone().map(|path| Edit::Delete { path })),
            FileStatus::Added | FileStatus::Modified => {}
        }
        let text = files.iter().find(|f| f.path == file.path).and_then(|f| f.text.as_ref());
        let text = text.ok_or_else(|| format!("{}: it is not text, or too large to be read", file.path))?;
        let content = if left.is_empty() { text.clone() } else { put_back(text, file, &left)? };
        edits.push(Edit::Write { path: file.path.clone(), content });
    }
    Ok(edits)
}

/// The new text of a file with some hunks taken back.
fn put_back(text: &str, file: &FileDiff, left: &[usize]) -> Result<String, String> {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // From the end, so that numbers before stay right.
    for hunk in left.iter().rev().filter_map(|i| file.hunks.get(*i)) {
        let old: Vec<String> = hunk.lines.iter().filter(|l| l.kind != LineKind::Added).map(|l| l.text.clone()).collect();
        let new: Vec<&str> = hunk.lines.iter().filter(|l| l.kind != LineKind::Removed).map(|l| l.text.as_str()).collect();
        // A hunk without new lines names the line that it follows.
        let start = (hunk.new_start as usize).saturating_sub(usize::from(hunk.new_lines > 0));
        let end = start + new.len();
        let fits = lines
            .get(start..end)
            .is_some_and(|there| there.iter().zip(&new).all(|(a, b)| a.trim_end_matches('\r') == b.trim_end_matches('\r')));
        if !fits {
            return Err(format!("{}: the file and its diff do not agree; e edits it", file.path));
        }
        lines.splice(start..end, old);
        // The newline at the end of the file is a last, empty line here.
        let bare = |side: LineKind| hunk.lines.iter().any(|l| l.no_newline && l.kind != side);
        match (bare(LineKind::Added), bare(LineKind::Removed)) {
            (true, false) => {
                lines.pop_if(|l| l.is_empty());
            }
            (false, true) => lines.push(String::new()),
            (true, true) | (false, false) => {}
        }
    }
    Ok(lines.join("\n"))
}

/// The draft of a revision with these edits.
pub fn draft(hypothesis: &str, surface: Option<String>, edits: Vec<Edit>, reasoning: String) -> Draft {
    Draft { hypothesis: hypothesis.to_owned(), surface, expected: None, edits, knobs: BTreeMap::new(), reasoning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DiffLine, Hunk};

    fn line(kind: LineKind, text: &str, old: Option<u32>, new: Option<u32>) -> DiffLine {
        DiffLine { kind, text: text.into(), old_no: old, new_no: new, no_newline: false }
    }

    /// old: a b c d e f   new: a B c d f g
    fn example() -> (Diff, Vec<FileText>) {
        use LineKind::*;
        let first = Hunk {
            header: "@@ -1,3 +1,3 @@".into(),
            old_start: 1,
            old_lines: 3,
            new_start: 1,
            new_lines: 3,
            lines: vec![
                line(Context, "a", Some(1), Some(1)),
                line(Removed, "b", Some(2), None),
                line(Added, "B", None, Some(2)),
                line(Context, "c", Some(3), Some(3)),
            ],
        };
        let second = Hunk {
            header: "@@ -5,1 +4,0 @@".into(),
            old_start: 5,
            old_lines: 1,
            new_start: 4,
            new_lines: 0,
            lines: vec![line(Removed, "e", Some(5), None)],
        };
        let third = Hunk {
            header: "@@ -6,1 +5,2 @@".into(),
            old_start: 6,
            old_lines: 1,
            new_start: 5,
            new_lines: 2,
            lines: vec![line(Context, "f", Some(6), Some(5)), line(Added, "g", None, Some(6))],
        };
        let file = FileDiff {
            path: "x.py".into(),
            old_path: None,
            status: FileStatus::Modified,
            added: 2,
            removed: 2,
            binary: false,
            hunks: vec![first, second, third],
        };
        let text = "a\nB\nc\nd\nf\ng\n".to_owned();
        (
            Diff { stat: Default::default(), files: vec![file], patch: String::new(), truncated: false },
            vec![FileText { path: "x.py".into(), text: Some(text) }],
        )
    }

    #[test]
    fn each_choice_of_hunks_gives_its_text() {
        let (diff, files) = example();
        for (left, want) in [
            (vec![], Some("a\nB\nc\nd\nf\ng\n")),
            (vec![0], Some("a\nb\nc\nd\nf\ng\n")),
            (vec![1], Some("a\nB\nc\nd\ne\nf\ng\n")),
            (vec![2], Some("a\nB\nc\nd\nf\n")),
            (vec![0, 1], Some("a\nb\nc\nd\ne\nf\ng\n")),
            (vec![1, 2], Some("a\nB\nc\nd\ne\nf\n")),
            (vec![0, 1, 2], None),
        ] {
            let edits = without(&diff, &files, &left.iter().copied().collect()).unwrap();
            match want {
                Some(want) => assert_eq!(edits, [Edit::Write { path: "x.py".into(), content: want.into() }], "{left:?}"),
                None => assert!(edits.is_empty()),
            }
        }
    }

    #[test]
    fn the_newline_at_the_end_comes_and_goes_with_its_hunk() {
        use LineKind::{Added, Removed};
        let bare = |kind, text, old, new| DiffLine { no_newline: true, ..line(kind, text, old, new) };
        for (lines, new, want) in [
            (vec![bare(Removed, "a", Some(1), None), line(Added, "b", None, Some(1))], "b\n", "a"),
            (vec![line(Removed, "a", Some(1), None), bare(Added, "b", None, Some(1))], "b", "a\n"),
            (vec![bare(Removed, "a", Some(1), None), bare(Added, "b", None, Some(1))], "b", "a"),
        ] {
            let hunk = Hunk { header: "@@ -1 +1 @@".into(), old_start: 1, old_lines: 1, new_start: 1, new_lines: 1, lines };
            let (mut diff, _) = example();
            diff.files[0].hunks = vec![hunk];
            assert_eq!(put_back(new, &diff.files[0], &[0]).unwrap(), want, "{new:?}");
        }
    }

    #[test]
    fn what_does_not_agree_is_refused() {
        let (diff, mut files) = example();
        files[0].text = Some("something else\n".into());
        assert!(without(&diff, &files, &BTreeSet::from([0])).unwrap_err().contains("do not agree"));
        files[0].text = None;
        assert!(without(&diff, &files, &BTreeSet::new()).unwrap_err().contains("not text"));
    }
}
