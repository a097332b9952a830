//! What an edit touches that is no idea, told before compute is spent on it: the seed, a time limit, what is printed of
//! the metric, the data split, the clock, test hooks, what belongs to the evaluator.
//!
//! Pure, on the diff alone. Both sides are cut into statements without comments, statements that stand on both sides cancel,
//! and each token that is left is judged by where it stands: `lr` in `train(seed=1, lr=0.1)` is no seed. Precision goes
//! first: what cannot be told counts as an idea. It parses nothing and follows no name to its meaning, so it is a label
//! for a reader and no wall. Tested by a table of edits, half of them innocent.

#[cfg(test)]
mod corpus;
mod lex;
mod names;
mod place;
#[cfg(test)]
mod tests;

use crate::model::{Diff, FileDiff, FileStatus, Flag, FlagKind, LineKind, Safe};
use lex::{Kind, Language, Statement};
use place::{Class, Places};
use std::collections::BTreeMap;

/// What a task says that flags depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFacts {
    /// The metric's key.
    pub metric: String,
    /// Names by which the program is told the harness's seed.
    pub seeds: Vec<String>,
    /// Paths of the evaluator's files and of hidden data.
    pub evaluator: Vec<String>,
}

/// Tokens of a changed statement beyond which it is not compared with what it was.
const MOST_TOKENS: usize = 4_000;
/// Statements of one place that are paired with what they were.
const MOST_PAIRS: usize = 60;
/// Longest path and longest line of code in an evidence, in characters.
const LONGEST_PATH: usize = 48;
const LONGEST_CODE: usize = 56;
/// What names the sandbox's outside, whatever the task.
const OUTSIDE: &[&str] = &["TRIALDECK_ARTIFACTS", "LD_PRELOAD", "docker.sock"];

/// Returns the flags of an edit, one of a kind, in the order of `FlagKind`. The diff should hold whole files as context:
/// what stands above a changed line says whether it is a docstring.
pub fn flags(diff: &Diff, task: &TaskFacts) -> Vec<Flag> {
    let mut found = Found { task, evidence: BTreeMap::new(), other: diff.truncated };
    for file in &diff.files {
        found.file(file);
    }
    let only = !found.other;
    let empty = |kind| matches!(kind, FlagKind::Seed | FlagKind::TimeLimit | FlagKind::MetricPrint | FlagKind::Split);
    found.evidence.into_iter().map(|(flag, evidence)| Flag { flag, only: only && empty(flag), evidence }).collect()
}

/// Whether flags say that there is nothing in the edit that compute should be spent on.
pub fn is_empty_edit(flags: &[Flag]) -> bool {
    let empty = |f: &Flag| f.only && matches!(f.flag, FlagKind::Seed | FlagKind::TimeLimit | FlagKind::MetricPrint);
    !flags.is_empty() && flags.iter().all(empty)
}

struct Found<'a> {
    task: &'a TaskFacts,
    /// The first evidence of each kind.
    evidence: BTreeMap<FlagKind, String>,
    /// There is something else in the edit.
    other: bool,
}

/// The lines of one side of a file.
type Lines<'a> = Vec<(u32, &'a str)>;

impl Found<'_> {
    fn file(&mut self, file: &FileDiff) {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path).to_lowercase();
        if name == "conftest.py" || name.starts_with("sitecustomize.") || name.starts_with("usercustomize.") {
            self.say(FlagKind::TestHook, format!("{} is run of itself by Python or its test runner", shown(&file.path)));
            self.other = true;
        }
        let language = Language::of(&file.path);
        if language == Language::Prose {
            return;
        }
        if file.binary || file.status == FileStatus::Renamed {
            self.other = true;
        }
        let (old, new) = sides(file);
        let language = match (language, new.first().or(old.first())) {
            (Language::Other, Some((1, line))) if line.starts_with("#!") && line.contains("python") => Language::Python,
            (Language::Other, Some((1, line))) if line.starts_with("#!") && line.contains("sh") => Language::Shell,
            (language, _) => language,
        };
        let text = Text { path: &file.path, old: &old, new: &new };
        let (before, after) = (lex::statements(language, &old), lex::statements(language, &new));
        let (gone, come) = left(&before, &after);
        for (old, new) in pairs(&gone, &come) {
            self.change(&text, old, new);
        }
    }

    fn say(&mut self, kind: FlagKind, evidence: String) {
        self.evidence.entry(kind).or_insert(evidence);
    }

    /// One changed statement: what it was, what it became.
    fn change(&mut self, text: &Text<'_>, old: Option<&Statement>, new: Option<&Statement>) {
        let facts = place::Facts { metric: &self.task.metric, seeds: &self.task.seeds };
        let (gone, come) = changed(old, new);
        let before = old.map(|s| Places::new(s, &facts));
        let after = new.map(|s| Places::new(s, &facts));
        let mut judged = false;
        let mut found = Vec::new();
        for (places, tokens, statement, is_new) in [(&before, &gone, old, false), (&after, &come, new, true)] {
            let (Some(places), Some(statement)) = (places, statement) else { continue };
            for at in tokens.iter().copied().filter(|at| places.counts(*at)) {
                judged = true;
                let line = statement.tokens.get(at).map_or(0, |t| t.line);
                match places.class(at) {
                    Class::Flagged(kinds) => found.extend(kinds.into_iter().map(|k| (k, line, is_new))),
                    Class::Neutral => {}
                    Class::Other if self.shifts_data(old, new, &gone, &come, at, is_new) => found.push((FlagKind::Split, line, is_new)),
                    Class::Other => self.other = true,
                }
            }
        }
        // Brackets and commas alone: whatever that is, it is not nothing.
        self.other |= !judged;
        // What it becomes says more than what it was.
        found.sort_by_key(|(kind, _, is_new)| (*kind, !is_new));
        for (kind, line, is_new) in found {
            let evidence = text.evidence(line, is_new, old, new);
            self.say(kind, evidence);
        }
        let Some(new) = new else { return };
        if let Some(places) = &after
            && places.patches_the_clock()
            && !before.as_ref().is_some_and(Places::patches_the_clock)
        {
            self.other = true;
            self.say(FlagKind::Clock, text.evidence(new.line(), true, old, Some(new)));
        }
        let was = |word: &str| old.is_some_and(|s| s.tokens.iter().any(|t| t.text.contains(word)));
        for token in come.iter().filter_map(|at| new.tokens.get(*at)) {
            let import = new.tokens.first().is_some_and(|t| t.is("import") || t.is("from"));
            if let Some(word) = self.outside(&token.text, token.kind, import).filter(|word| !was(word)) {
                self.other = true;
                self.say(FlagKind::EvaluatorNamed, format!("{}:{} names `{}`", shown(text.path), token.line, cut(&word, LONGEST_CODE)));
            }
        }
    }

    /// What a token names that is not the trial's own.
    fn outside(&self, text: &str, kind: Kind, import: bool) -> Option<String> {
        if let Some(word) = OUTSIDE.iter().find(|w| text.contains(**w)) {
            return Some((*word).to_owned());
        }
        if kind == Kind::Name {
            let module = |f: &&String| f.rsplit('/').next().and_then(|n| n.strip_suffix(".py")) == Some(text);
            let imported = import && self.task.evaluator.iter().any(|f| module(&f));
            return (imported || text == "ptrace" || text == "process_vm_writev").then(|| text.to_owned());
        }
        let starts = |at: usize| text.get(..at).is_none_or(|b| !b.ends_with(|c: char| c.is_alphanumeric() || "_./-".contains(c)));
        if text.match_indices("/proc/").any(|(at, _)| starts(at)) {
            return Some("/proc/".into());
        }
        self.task.evaluator.iter().find(|file| names_file(text, file)).cloned()
    }

    /// Whether a text that named the training data names held-back data now, or the other way round.
    fn shifts_data(
        &self,
        old: Option<&Statement>,
        new: Option<&Statement>,
        gone: &[usize],
        come: &[usize],
        at: usize,
        is_new: bool,
    ) -> bool {
        let (Some(old), Some(new)) = (old, new) else { return false };
        let texts = |s: &Statement, ats: &[usize]| -> Vec<String> {
            ats.iter().filter_map(|i| s.tokens.get(*i)).filter(|t| t.kind == Kind::Text).map(|t| t.text.clone()).collect()
        };
        let side = if is_new { new } else { old };
        if side.tokens.get(at).is_none_or(|t| t.kind != Kind::Text) {
            return false;
        }
        let (was, is) = (texts(old, gone), texts(new, come));
        let file = |t: &str| t.contains(['/', '*', '.', '[']) && !t.contains(' ') && !names::is_metric(t, &self.task.metric);
        let (was, is) = match (was.as_slice(), is.as_slice()) {
            ([was], [is]) => (was, is),
            // One more file among those for training.
            ([], [is]) => {
                let trains = |t: &lex::Token| t.kind == Kind::Text && file(&t.text) && names::subsets_in(&t.text) == (true, false);
                return file(is) && names::subsets_in(is) == (false, true) && old.tokens.iter().any(trains);
            }
            _ => return false,
        };
        let ((train, held), (train_now, held_now)) = (names::subsets_in(was), names::subsets_in(is));
        // A hidden file is named by its own flag.
        let own = !self.task.evaluator.iter().any(|f| names_file(is, f));
        let shifted = (train && !held && held_now)
            || (held && !train && train_now)
            || (train && !train_now && is.contains('*') && !was.contains('*'));
        file(was) && file(is) && own && shifted
    }
}

/// Whether a text names a file as a whole path or by its last part.
fn names_file(text: &str, file: &str) -> bool {
    let file = file.trim_start_matches("./").trim_end_matches('/');
    let name = file.rsplit('/').next().unwrap_or(file);
    // A directory with a common word for a name is named with what lies below it.
    let name = if name.contains('.') { name.to_owned() } else { format!("{name}/") };
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let whole = |needle: &str| {
        text.match_indices(needle).any(|(at, _)| {
            let (before, after) = text.split_at(at);
            let after = after.get(needle.len()..).unwrap_or_default();
            !before.ends_with(word) && (needle.ends_with('/') || !after.starts_with(word))
        })
    };
    name.len() > 2 && (whole(&name) || (file.contains('/') && whole(file)))
}

/// The lines of both sides.
fn sides(file: &FileDiff) -> (Lines<'_>, Lines<'_>) {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for line in file.hunks.iter().flat_map(|h| &h.lines) {
        let text = line.text.trim_end_matches('\r');
        if line.kind != LineKind::Added {
            old.push((line.old_no.unwrap_or(0), text));
        }
        if line.kind != LineKind::Removed {
            new.push((line.new_no.unwrap_or(0), text));
        }
    }
    (old, new)
}

/// Statements that changed together.
type Group<'a> = Vec<&'a Statement>;

/// What stands on one side only, in places that belong together.
fn left<'a>(before: &'a [Statement], after: &'a [Statement]) -> (Vec<Group<'a>>, Vec<Group<'a>>) {
    let keys = |all: &[Statement]| all.iter().map(Statement::key).collect::<Vec<_>>();
    let (old, new) = (keys(before), keys(after));
    let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &old, &new);
    let (mut gone, mut come): (Vec<Group<'_>>, Vec<Group<'_>>) = (Vec::new(), Vec::new());
    for op in ops.iter().filter(|op| op.tag() != similar::DiffTag::Equal) {
        gone.push(before.get(op.old_range()).unwrap_or_default().iter().collect());
        come.push(after.get(op.new_range()).unwrap_or_default().iter().collect());
    }
    // What only moved has not changed.
    for group in &mut gone {
        group.retain(|s| {
            let key = s.key();
            let moved = come.iter_mut().find_map(|g| g.iter().position(|n| n.key() == key).map(|at| g.remove(at)));
            moved.is_none()
        });
    }
    (gone, come)
}

/// Each statement with what it became.
fn pairs<'a>(gone: &[Group<'a>], come: &[Group<'a>]) -> Vec<(Option<&'a Statement>, Option<&'a Statement>)> {
    let mut out = Vec::new();
    for (old, new) in gone.iter().zip(come) {
        let mut free: Vec<&Statement> = new.clone();
        for statement in old {
            let likely = |other: &&Statement| (likeness(statement, other), ());
            let best = free
                .iter()
                .take(MOST_PAIRS)
                .enumerate()
                .map(|(at, s)| (likely(s).0, at))
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            match best.filter(|(like, _)| *like >= 0.5 && old.len() <= MOST_PAIRS) {
                Some((_, at)) => out.push((Some(*statement), Some(free.remove(at)))),
                None => out.push((Some(*statement), None)),
            }
        }
        out.extend(free.into_iter().map(|s| (None, Some(s))));
    }
    out
}

fn texts(statement: &Statement) -> Vec<&str> {
    statement.tokens.iter().map(|t| t.text.as_str()).collect()
}

fn likeness(a: &Statement, b: &Statement) -> f32 {
    if a.tokens.len() + b.tokens.len() > MOST_TOKENS {
        // A whole document is compared with itself.
        return if a.line() == b.line() { 0.5 } else { 0.0 };
    }
    let (a, b) = (texts(a), texts(b));
    let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &a, &b);
    let same: usize = ops.iter().filter(|op| op.tag() == similar::DiffTag::Equal).map(|op| op.old_range().len()).sum();
    2.0 * same as f32 / (a.len() + b.len()).max(1) as f32
}

/// Indices of the tokens that differ, on either side.
fn changed(old: Option<&Statement>, new: Option<&Statement>) -> (Vec<usize>, Vec<usize>) {
    let all = |s: Option<&Statement>| (0..s.map_or(0, |s| s.tokens.len())).collect::<Vec<_>>();
    let (Some(a), Some(b)) = (old, new) else { return (all(old), all(new)) };
    let (a, b) = (texts(a), texts(b));
    let ops = similar::capture_diff_slices(similar::Algorithm::Myers, &a, &b);
    let differing = ops.iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    differing.fold((Vec::new(), Vec::new()), |(mut gone, mut come), op| {
        gone.extend(op.old_range());
        come.extend(op.new_range());
        (gone, come)
    })
}

/// A file's path and lines, for evidence.
struct Text<'a> {
    path: &'a str,
    old: &'a [(u32, &'a str)],
    new: &'a [(u32, &'a str)],
}

impl Text<'_> {
    fn evidence(&self, line: u32, is_new: bool, old: Option<&Statement>, new: Option<&Statement>) -> String {
        let of = |lines: &[(u32, &str)], line: u32| {
            lines.iter().find(|(no, _)| *no == line).map_or(String::new(), |(_, t)| cut(t.trim(), LONGEST_CODE))
        };
        let path = shown(self.path);
        match (old, new) {
            (None, _) => format!("{path}:{line} adds `{}`", of(self.new, line)),
            (_, None) => format!("{path}:{line} (before) removes `{}`", of(self.old, line)),
            (Some(_), Some(_)) if !is_new => format!("{path}:{line} (before) changes `{}`", of(self.old, line)),
            (Some(_), Some(_)) => format!("{path}:{line} has `{}` now", of(self.new, line)),
        }
    }
}

fn shown(path: &str) -> String {
    let path = Safe::line(path).into_string();
    let long = path.chars().count();
    if long <= LONGEST_PATH {
        return path;
    }
    format!("…{}", path.chars().skip(long - LONGEST_PATH).collect::<String>())
}

fn cut(text: &str, most: usize) -> String {
    let text = Safe::line(text).into_string();
    match text.char_indices().nth(most) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
