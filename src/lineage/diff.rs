//! The canonical diff of two trees, as structure for screens and as git-style text for tools. Bounded, whatever the trees hold.
//!
//! Texts are as in the files (lossy UTF-8) and not cleaned for a terminal: who draws them passes them through `model::Safe`.

use super::error::{During, Result};
use super::store::Store;
use crate::model::{Diff, DiffLine, DiffOptions, DiffStat, FileDiff, FileStatus, Hunk, LineKind};
use git2::{Delta, DiffFindOptions, DiffLineType, Patch};

/// Most lines and bytes of a structured diff; what lies beyond is left out and `truncated` says so.
const MOST_LINES: usize = 20_000;
const MOST_BYTES: usize = 2_000_000;
/// Longest line kept, in bytes.
const LONGEST_LINE: usize = 4_000;

impl Store {
    /// Paths that differ between two trees, in order.
    pub fn changed(&self, from_tree: &str, to_tree: &str) -> Result<Vec<String>> {
        let (from, to) = (self.tree(from_tree)?, self.tree(to_tree)?);
        let diff = self.repo.diff_tree_to_tree(Some(&from), Some(&to), None).during("comparing trees")?;
        let path = |delta: git2::DiffDelta<'_>| {
            let file = delta.new_file().path().or_else(|| delta.old_file().path());
            file.map(|p| p.to_string_lossy().into_owned())
        };
        Ok(diff.deltas().filter_map(path).collect())
    }

    /// Compares two trees.
    pub fn diff(&self, from_tree: &str, to_tree: &str, options: &DiffOptions) -> Result<Diff> {
        let what = "comparing trees";
        let (from, to) = (self.tree(from_tree)?, self.tree(to_tree)?);
        let mut git_options = git2::DiffOptions::new();
        git_options.context_lines(options.context).indent_heuristic(true).ignore_whitespace(options.ignore_whitespace);
        let mut diff = self.repo.diff_tree_to_tree(Some(&from), Some(&to), Some(&mut git_options)).during(what)?;
        diff.find_similar(Some(DiffFindOptions::new().renames(true))).during(what)?;
        let stats = diff.stats().during(what)?;
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let stat = DiffStat { files: size(stats.files_changed()), added: size(stats.insertions()), removed: size(stats.deletions()) };
        let mut out = Diff { stat, ..Diff::default() };
        let mut room = MOST_LINES;
        for index in 0..diff.deltas().len() {
            let Some(delta) = diff.get_delta(index) else { continue };
            let shown = |file: &git2::DiffFile<'_>| String::from_utf8_lossy(file.path_bytes().unwrap_or_default()).into_owned();
            let (old, new) = (shown(&delta.old_file()), shown(&delta.new_file()));
            let status = match delta.status() {
                Delta::Added | Delta::Copied => FileStatus::Added,
                Delta::Deleted => FileStatus::Deleted,
                Delta::Renamed => FileStatus::Renamed,
                _ => FileStatus::Modified,
            };
            let renamed = status == FileStatus::Renamed;
            let path = if status == FileStatus::Deleted { old.clone() } else { new };
            let mut file =
                FileDiff { path, old_path: renamed.then_some(old), status, binary: true, added: 0, removed: 0, hunks: Vec::new() };
            if let Some(mut patch) = Patch::from_diff(&diff, index).during(what)? {
                file.binary = patch.delta().flags().is_binary();
                let (_, added, removed) = patch.line_stats().during(what)?;
                (file.added, file.removed) = (size(added), size(removed));
                let text = patch.to_buf().during(what)?;
                if options.ignore_whitespace && !file.binary && added + removed == 0 && status == FileStatus::Modified {
                    continue;
                }
                if out.patch.len() + text.len() <= MOST_BYTES {
                    out.patch.push_str(&String::from_utf8_lossy(&text));
                } else {
                    out.truncated = true;
                }
                file.hunks = hunks(&patch, &mut room, &mut out.truncated)?;
            }
            out.files.push(file);
        }
        Ok(out)
    }
}

fn hunks(patch: &Patch<'_>, room: &mut usize, truncated: &mut bool) -> Result<Vec<Hunk>> {
    let what = "reading a diff";
    let mut out = Vec::new();
    for index in 0..patch.num_hunks() {
        if *room == 0 {
            *truncated = true;
            break;
        }
        let (hunk, n_lines) = patch.hunk(index).during(what)?;
        let mut made = Hunk {
            header: String::from_utf8_lossy(hunk.header()).trim_end().to_owned(),
            old_start: hunk.old_start(),
            old_lines: hunk.old_lines(),
            new_start: hunk.new_start(),
            new_lines: hunk.new_lines(),
            lines: Vec::with_capacity(n_lines.min(*room)),
        };
        for n in 0..n_lines {
            let line = patch.line_in_hunk(index, n).during(what)?;
            let kind = match line.origin_value() {
                DiffLineType::Context => LineKind::Context,
                DiffLineType::Addition => LineKind::Added,
                DiffLineType::Deletion => LineKind::Removed,
                DiffLineType::ContextEOFNL | DiffLineType::AddEOFNL | DiffLineType::DeleteEOFNL => {
                    if let Some(last) = made.lines.last_mut() {
                        last.no_newline = true;
                    }
                    continue;
                }
                _ => continue,
            };
            if *room == 0 {
                *truncated = true;
                break;
            }
            *room -= 1;
            let content = line.content();
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            if content.len() > LONGEST_LINE {
                *truncated = true;
            }
            let text = String::from_utf8_lossy(content.get(..LONGEST_LINE.min(content.len())).unwrap_or_default()).into_owned();
            made.lines.push(DiffLine { kind, text, old_no: line.old_lineno(), new_no: line.new_lineno(), no_newline: false });
        }
        out.push(made);
    }
    Ok(out)
}
