//! Which earlier trial an edit is nearest to, by the lines that both change: each against its own parent.

use super::Hands;
use crate::model::{Diff, LineKind, TrialId};
use std::collections::BTreeSet;

/// Trials that are compared, the latest.
const MOST: usize = 30;
/// Less in common is chance.
const LEAST: f64 = 0.2;

type Lines = BTreeSet<(bool, String, String)>;

/// The trial with the largest share of changed lines in common, and that share.
pub(super) fn nearest(hands: &Hands<'_>, tree: &str) -> Option<(TrialId, f64)> {
    let base = hands.tree_of(hands.scene.base()).ok()?;
    let own = lines(&hands.bench.diff(&base, tree).ok()?);
    let parent = hands.scene.base();
    let but = hands.scene.trial;
    // The parent's own children first: of the rest only the latest are compared.
    let others = hands.ask(|study| {
        let of = |ours: bool| {
            let trials = study.trials.iter().rev().filter(move |t| (t.parents.first() == Some(&parent)) == ours && Some(t.id) != but);
            trials.filter_map(|t| Some((t.id, study.trial(*t.parents.first()?)?.tree.clone()?, t.tree.clone()?))).take(MOST)
        };
        of(true).chain(of(false)).collect::<Vec<_>>()
    })?;
    let shares = others.into_iter().filter_map(|(id, from, other)| {
        let theirs = lines(&hands.bench.diff(&from, &other).ok()?);
        let common = own.intersection(&theirs).count();
        let all = own.union(&theirs).count();
        (all > 0).then(|| (id, common as f64 / all as f64))
    });
    shares.filter(|(_, share)| *share >= LEAST).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Added and removed lines, without layout and numbers: the same line with another value is the same idea.
fn lines(diff: &Diff) -> Lines {
    let mut all = Lines::new();
    for file in &diff.files {
        for line in file.hunks.iter().flat_map(|h| &h.lines).filter(|l| l.kind != LineKind::Context) {
            let text: String = line.text.chars().filter(|c| !c.is_whitespace()).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            if !text.is_empty() {
                all.insert((line.kind == LineKind::Added, file.path.clone(), text));
            }
        }
    }
    all
}
