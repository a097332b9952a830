//! Turns edits into a tree: the one code path of every proposer, with the path rules before and on the result after.

use super::bounds;
use super::locate::{How, Place, locate};
use super::patch::{self, FilePatch, Tag};
use super::rules::{LARGEST_FILE, LARGEST_TOTAL, MOST_FILES, Rules, apply_failed, out_of_bounds};
use super::store::{EXECUTABLE_MODE, FILE_MODE, LINK_MODE, Store, TREE_MODE, entry_at, rewrite};
use super::text::{Piece, Reindent, Text};
use crate::model::{DiffStat, Edit, Failure, Label, Safe};
use git2::Tree;
use std::collections::BTreeMap;

/// What came of edits that apply and stay in bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Hash of the new tree, in the store.
    pub tree: String,
    /// Size of the diff against the parent.
    pub diff: DiffStat,
    /// Paths that differ, in git's order.
    pub changed: Vec<String>,
}

/// Edits that were refused, with the failure to record: `apply_failed`, `out_of_bounds`, or `infrastructure` when the store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", failure.detail)]
pub struct Refusal {
    /// Label and evidence.
    pub failure: Failure,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}

impl From<super::Error> for Refusal {
    fn from(error: super::Error) -> Self {
        Failure::new(Label::Infrastructure, error.to_string()).into()
    }
}

impl Store {
    /// Applies the edits in order to the parent's tree, under the rules, and writes the resulting tree.
    ///
    /// Errors: a `Refusal` that names the file, the reason and what would have been allowed. Edits that change nothing are `apply_failed`.
    pub fn apply(&self, parent_tree: &str, edits: &[Edit], rules: &Rules) -> Result<Applied, Refusal> {
        let parent = self.tree(parent_tree)?;
        check_sizes(edits)?;
        let mut overlay = Overlay { store: self, parent: &parent, rules, changes: BTreeMap::new() };
        for edit in edits {
            match edit {
                Edit::Replace { path, search, replace } => overlay.replace(path, search, replace)?,
                Edit::Write { path, content } => overlay.write(path, content)?,
                Edit::Delete { path } => overlay.delete(path)?,
                Edit::Patch { patch } => {
                    for file in patch::parse(patch)? {
                        overlay.patch(&file)?;
                    }
                }
            }
        }
        let tree = overlay.into_tree()?;
        bounds::check(self, &parent, &tree, rules)
    }
}

fn check_sizes(edits: &[Edit]) -> Result<(), Failure> {
    let size = |edit: &Edit| match edit {
        Edit::Replace { search, replace, .. } => search.len() + replace.len(),
        Edit::Write { content, .. } => content.len(),
        Edit::Delete { .. } => 0,
        Edit::Patch { patch } => patch.len(),
    };
    if edits.len() > MOST_FILES * 10 {
        return Err(out_of_bounds(format!("{} edits; at most {} are allowed", edits.len(), MOST_FILES * 10)));
    }
    let total: usize = edits.iter().map(size).sum();
    if total > LARGEST_TOTAL * 2 {
        return Err(out_of_bounds(format!("the edits hold {total} bytes; at most {} are allowed", LARGEST_TOTAL * 2)));
    }
    Ok(())
}

/// A file's content and mode.
type Content = (Vec<u8>, u32);

/// The parent's tree with the changes so far; `None` is a removed file.
struct Overlay<'a> {
    store: &'a Store,
    parent: &'a Tree<'a>,
    rules: &'a Rules,
    changes: BTreeMap<String, Option<Content>>,
}

impl Overlay<'_> {
    /// The path, if the rules let a proposal touch it and nothing but a plain file is in its way.
    fn allowed(&self, path: &str) -> Result<String, Refusal> {
        let known = super::paths::normalised(path).ok();
        let existed = match &known {
            Some(clean) => entry_at(self.parent, clean)?.is_some(),
            None => false,
        };
        let path = self.rules.check(path, existed)?;
        for (i, _) in path.match_indices('/') {
            let above = path.get(..i).unwrap_or_default();
            match self.mode_of(above)? {
                None => {}
                Some(mode) if mode == TREE_MODE as u32 => {}
                Some(LINK_MODE) => return Err(out_of_bounds(format!("`{path}`: `{above}` is a symbolic link")).into()),
                Some(_) => return Err(apply_failed(format!("`{path}`: `{above}` is a file, not a directory")).into()),
            }
        }
        match self.mode_of(&path)? {
            None | Some(FILE_MODE | EXECUTABLE_MODE) => Ok(path),
            Some(LINK_MODE) => Err(out_of_bounds(format!("`{path}` is a symbolic link; proposals touch plain files only")).into()),
            Some(_) => Err(apply_failed(format!("`{path}` is a directory")).into()),
        }
    }

    fn mode_of(&self, path: &str) -> Result<Option<u32>, Refusal> {
        if let Some(change) = self.changes.get(path) {
            return Ok(change.as_ref().map(|(_, mode)| *mode));
        }
        let prefix = format!("{path}/");
        if self.changes.range(prefix.clone()..).next().is_some_and(|(p, c)| p.starts_with(&prefix) && c.is_some()) {
            return Ok(Some(TREE_MODE as u32));
        }
        Ok(entry_at(self.parent, path)?.map(|(mode, _)| mode))
    }

    fn content(&self, path: &str) -> Result<Option<Content>, Refusal> {
        if let Some(change) = self.changes.get(path) {
            return Ok(change.clone());
        }
        match entry_at(self.parent, path)? {
            Some((mode, oid)) if mode == FILE_MODE || mode == EXECUTABLE_MODE => Ok(Some((self.store.blob(oid, path)?, mode))),
            _ => Ok(None),
        }
    }

    /// The file as text, with its mode.
    fn text(&self, path: &str) -> Result<Option<(String, u32)>, Refusal> {
        let Some((bytes, mode)) = self.content(path)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| apply_failed(format!("`{path}` is not UTF-8 text")))?;
        Ok(Some((text, mode)))
    }

    fn put(&mut self, path: String, content: Vec<u8>, mode: u32) -> Result<(), Refusal> {
        if content.len() > LARGEST_FILE {
            return Err(out_of_bounds(format!("`{path}` would have {} bytes; at most {LARGEST_FILE} are allowed", content.len())).into());
        }
        self.changes.insert(path, Some((content, mode)));
        Ok(())
    }

    fn write(&mut self, path: &str, content: &str) -> Result<(), Refusal> {
        let path = self.allowed(path)?;
        let mode = self.mode_of(&path)?.unwrap_or(FILE_MODE);
        self.put(path, content.as_bytes().to_vec(), mode)
    }

    fn delete(&mut self, path: &str) -> Result<(), Refusal> {
        let path = self.allowed(path)?;
        if self.content(&path)?.is_none() {
            return Err(self.no_such_file(&path));
        }
        self.changes.insert(path, None);
        Ok(())
    }

    fn no_such_file(&self, path: &str) -> Refusal {
        let near = self.store.leaves(&self.parent.id().to_string()).unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or(path);
        let score = |leaf: &str| {
            let same_name = leaf.rsplit('/').next() == Some(name);
            strsim::jaro_winkler(leaf, path) + if same_name { 1.0 } else { 0.0 }
        };
        let best = near.iter().map(|l| (score(&l.path), &l.path)).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = best.filter(|(s, _)| *s > 0.85).map(|(_, p)| format!("; the nearest is `{p}`")).unwrap_or_default();
        apply_failed(format!("`{path}` is not in the parent's tree{hint}")).into()
    }

    fn replace(&mut self, path: &str, search: &str, replace: &str) -> Result<(), Refusal> {
        let path = self.allowed(path)?;
        let existing = self.text(&path)?;
        if search.trim().is_empty() {
            return match existing {
                Some((text, _)) if !text.trim().is_empty() => {
                    Err(apply_failed(format!("`{path}`: the search block is empty, but the file is not")).into())
                }
                _ => self.write(&path, replace),
            };
        }
        let Some((content, mode)) = existing else { return Err(self.no_such_file(&path)) };
        let made = replaced(&content, search, replace).map_err(|why| apply_failed(format!("`{path}`: {why}")))?;
        self.put(path, made.into_bytes(), mode)
    }

    fn patch(&mut self, file: &FilePatch) -> Result<(), Refusal> {
        let allowed = |overlay: &Self, path: &Option<String>| path.as_deref().map(|p| overlay.allowed(p)).transpose();
        let (old, new) = (allowed(self, &file.old)?, allowed(self, &file.new)?);
        let (mut text, mode) = match &old {
            Some(path) => match self.text(path)? {
                Some((text, mode)) => (Text::new(&text), mode),
                None => return Err(self.no_such_file(path)),
            },
            None => {
                let path = new.as_deref().unwrap_or_default();
                if self.content(path)?.is_some() {
                    return Err(apply_failed(format!("`{path}`: the patch makes a new file, but there is one")).into());
                }
                (Text::new(""), if file.executable { EXECUTABLE_MODE } else { FILE_MODE })
            }
        };
        if old.is_some() && file.hunks.is_empty() && old == new {
            return Err(apply_failed(format!("`{}`: the patch has no hunk", old.unwrap_or_default())).into());
        }
        let mut floor = 0;
        let mut shift: isize = 0;
        for (n, hunk) in file.hunks.iter().enumerate() {
            apply_hunk(&mut text, hunk, &mut floor, &mut shift).map_err(|why| {
                let path = new.as_deref().or(old.as_deref()).unwrap_or_default();
                apply_failed(format!("`{path}`: hunk {} of {}: {why}", n + 1, file.hunks.len()))
            })?;
        }
        if let Some(old) = old.filter(|o| !file.copy && Some(o) != new.as_ref()) {
            self.changes.insert(old, None);
        }
        match new {
            Some(new) => self.put(new, text.into_string().into_bytes(), mode),
            None => Ok(()),
        }
    }

    fn into_tree(self) -> Result<String, Refusal> {
        if self.changes.len() > MOST_FILES {
            return Err(out_of_bounds(format!("{} files are touched; at most {MOST_FILES} are allowed", self.changes.len())).into());
        }
        let repo = &self.store.repo;
        let mut changes = Vec::with_capacity(self.changes.len());
        // Removals first: a file may make room for a directory of its name.
        for (path, change) in self.changes.iter().filter(|(_, c)| c.is_none()).chain(self.changes.iter().filter(|(_, c)| c.is_some())) {
            let leaf = match change {
                Some((bytes, mode)) => Some((*mode, repo.blob(bytes).map_err(|e| store_failed(&e))?)),
                None => None,
            };
            changes.push((path.as_str(), leaf));
        }
        match rewrite(repo, Some(self.parent), &changes)? {
            Some(tree) => Ok(tree.to_string()),
            None => Err(apply_failed("the edits would remove every file").into()),
        }
    }
}

fn store_failed(error: &git2::Error) -> Refusal {
    Failure::new(Label::Infrastructure, format!("writing to the store: {}", error.message())).into()
}

/// The content with the one place where `search` stands replaced.
fn replaced(content: &str, search: &str, replace: &str) -> Result<String, String> {
    let mut text = Text::new(content);
    let bodies = text.bodies();
    let block: Vec<&str> = search.lines().collect();
    let place = locate(&bodies, &block, 0, None, 1);
    // Part of a line, or lines cut in their middle: byte for byte. Whole lines are the better reading where they fit.
    if matches!(place, Place::Nowhere { .. } | Place::At { how: How::ByLikeness, .. }) {
        match within_lines(content, search, replace) {
            Within::Once(made) => return Ok(made),
            Within::Several => return Err("the search text stands in several places; give whole lines, with more around them".into()),
            Within::Never => {}
        }
    }
    // Blank lines around the block carry no meaning once the exact place was not there.
    let trimmed = trim_blank(&block);
    let (place, block) = match place {
        Place::Nowhere { .. } if trimmed.len() < block.len() => (locate(&bodies, &trimmed, 0, None, 1), trimmed),
        other => (other, block),
    };
    let (start, len, how) = match place {
        Place::At { start, len, how } => (start, len, how),
        Place::Ambiguous { lines } => {
            let lines: Vec<String> = lines.iter().take(8).map(ToString::to_string).collect();
            return Err(format!("the search block stands in several places (lines {}); give more lines around it", lines.join(", ")));
        }
        Place::Nowhere { nearest } => return Err(nowhere("the search block", &bodies, &block, nearest)),
    };
    let shift = Reindent::learn(pairs(&block, bodies.get(start..start + len).unwrap_or_default()));
    let new = replace.lines().map(|l| Piece::New(if how == How::Exactly { l.to_owned() } else { shift.line(l) }));
    let new: Vec<Piece> = new.collect();
    text.splice(start, len, &new);
    Ok(text.into_string())
}

/// Lines of the block with the lines of the place that they stand for.
fn pairs<'a>(block: &'a [&'a str], found: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    block.iter().filter_map(|b| {
        let same = found.iter().find(|f| f.trim() == b.trim());
        same.or_else(|| found.first().filter(|_| block.first() == Some(b))).map(|f| (*b, *f))
    })
}

/// How often a text stands in a file, by bytes and not cut out of a longer word or number.
enum Within {
    Never,
    /// With the file as it becomes.
    Once(String),
    Several,
}

fn within_lines(content: &str, search: &str, replace: &str) -> Within {
    let search = search.trim_end_matches(['\n', '\r']);
    let replace = replace.trim_end_matches(['\n', '\r']);
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    // `lr = 0.1` does not stand in `lr = 0.15`, nor `0` in `0.5`; `lr` does stand in `self.lr`.
    let whole = |at: usize| {
        let (before, rest) = content.split_at(at);
        let after = rest.strip_prefix(search).unwrap_or_default();
        let (first, last) = (search.chars().next(), search.chars().next_back());
        let (left, right) = (before.chars().next_back(), after.chars().next());
        let starts = word(left) && word(first) || left == Some('.') && digit(first);
        let ends = word(last) && word(right) || digit(last) && right == Some('.');
        (!starts && !ends).then_some((before, after))
    };
    let mut places = content.match_indices(search).filter_map(|(at, _)| whole(at));
    match (places.next(), places.next()) {
        (None, _) => Within::Never,
        (Some((before, after)), None) => Within::Once(format!("{before}{replace}{after}")),
        (Some(_), Some(_)) => Within::Several,
    }
}

fn trim_blank<'a>(block: &[&'a str]) -> Vec<&'a str> {
    let first = block.iter().position(|l| !l.trim().is_empty()).unwrap_or(0);
    let last = block.iter().rposition(|l| !l.trim().is_empty()).map_or(0, |i| i + 1);
    block.get(first..last).unwrap_or_default().to_vec()
}

/// Says where the nearest place is and what differs there first.
fn nowhere(what: &str, file: &[&str], block: &[&str], nearest: Option<(usize, f64)>) -> String {
    let shown = |line: &str| Safe::line(&line.trim().chars().take(80).collect::<String>());
    let Some((start, alike)) = nearest else {
        let first = block.iter().find(|l| !l.trim().is_empty()).copied().unwrap_or_default();
        return format!("{what} that begins with `{}` is not in the file, nor anything like it", shown(first));
    };
    let differs = file.iter().skip(start).zip(block).find(|(f, b)| f.trim() != b.trim());
    let evidence = differs.map(|(f, b)| format!(": the file has `{}` where the block has `{}`", shown(f), shown(b))).unwrap_or_default();
    format!("{what} is not in the file; the nearest place is line {} ({:.0} % alike){evidence}", start + 1, alike * 100.0)
}

/// Puts one hunk in. `floor` is the first line after the hunk before; `shift` how far that one lay from where its header said.
fn apply_hunk(text: &mut Text, hunk: &patch::Hunk, floor: &mut usize, shift: &mut isize) -> Result<(), String> {
    let bodies = text.bodies();
    let block: Vec<&str> = hunk.lines.iter().filter(|(t, _)| *t != Tag::Added).map(|(_, l)| l.as_str()).collect();
    let hint = hunk.start.map(|s| s.saturating_sub(usize::from(!block.is_empty())).saturating_add_signed(*shift));
    let (start, len, how) = if block.is_empty() {
        let at_place = hunk.inserts_only && hunk.start.is_some();
        match hint {
            _ if text.len() == 0 => (0, 0, How::Exactly),
            Some(line) if at_place && line <= text.len() => (line, 0, How::Exactly),
            _ => return Err("it has neither context nor removed lines, so its place is unknown".into()),
        }
    } else {
        match locate(&bodies, &block, *floor, hint, 0) {
            Place::At { start, len, how } => (start, len, how),
            Place::Ambiguous { lines } => {
                let lines: Vec<String> = lines.iter().take(8).map(ToString::to_string).collect();
                return Err(format!("its lines stand in several places (lines {}) and the header names none", lines.join(", ")));
            }
            Place::Nowhere { nearest } => return Err(nowhere("its block", &bodies, &block, nearest)),
        }
    };
    let reindent = Reindent::learn(block.iter().copied().zip(bodies.iter().skip(start).take(len).copied()));
    let mut at = start;
    let mut pieces = Vec::with_capacity(hunk.lines.len());
    for (tag, line) in &hunk.lines {
        match tag {
            Tag::Same => pieces.push(Piece::Keep(at)),
            Tag::Gone => {}
            Tag::Added => pieces.push(Piece::New(if how == How::Exactly { line.clone() } else { reindent.line(line) })),
        }
        at += usize::from(*tag != Tag::Added);
    }
    if let Some(header) = hunk.start {
        let claimed = header.saturating_sub(usize::from(!block.is_empty()));
        *shift = start as isize - claimed as isize + pieces.len() as isize - len as isize;
    }
    let at_end = start + len >= text.len();
    text.splice(start, len, &pieces);
    if let (Some(wanted), true) = (hunk.final_newline, at_end) {
        text.set_final_newline(wanted);
    }
    *floor = start + pieces.len();
    Ok(())
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
