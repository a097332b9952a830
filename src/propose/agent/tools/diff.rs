//! `diff`: what one trial's code changes of another's.

use super::{Args, Hands};
use crate::model::TrialId;
use crate::propose::agent::{cut, data, legible};

const MOST: usize = 15_000;

pub(super) fn diff(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let id = hands.meant(args)?;
    let word = args.text("against").map(|w| w.trim().to_lowercase());
    let against = match word.as_deref() {
        None | Some("parent") => {
            let parent = hands.ask(|study| study.trial(id).and_then(|t| t.parents.first().copied())).flatten();
            parent.ok_or_else(|| format!("{id} has no parent; name a trial in `against`"))?
        }
        Some("baseline" | "root") => TrialId::BASELINE,
        Some("incumbent" | "best") => hands.ask(|study| study.incumbent).unwrap_or(TrialId::BASELINE),
        Some(_) => args.trial("against")?.unwrap_or(TrialId::BASELINE),
    };
    between(hands, against, id, MOST)
}

/// The diff as text, fenced.
pub(super) fn between(hands: &Hands<'_>, from: TrialId, to: TrialId, most: usize) -> Result<String, String> {
    let diff = hands.bench.diff(&hands.tree_of(from)?, &hands.tree_of(to)?)?;
    if diff.files.is_empty() {
        return Ok(format!("{to} has the very code of {from}"));
    }
    let head = format!("diff from {from} to {to}, {} files, +{} -{}", diff.stat.files, diff.stat.added, diff.stat.removed);
    let left = if diff.truncated { "\n(the diff was too large to be shown whole)" } else { "" };
    Ok(format!("{}{left}", data(&head, &cut(&legible(&diff.patch), most))))
}
