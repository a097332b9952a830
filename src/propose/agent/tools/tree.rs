//! `tree`: the experiment tree around a trial.

use super::{Args, Hands};
use crate::model::{Status, Study, Trial, TrialId};
use crate::propose::digest;
use std::collections::BTreeMap;

const MOST_CHILDREN: usize = 12;
const ANCESTORS: usize = 16;
const MOST_LINES: usize = 90;

pub(super) fn tree(hands: &Hands<'_>, args: &Args) -> Result<String, String> {
    let trial = hands.meant(args)?;
    let depth = args.whole("depth").unwrap_or(2).clamp(1, 4) as usize;
    hands.ask(|study| drawn(study, trial, depth)).ok_or_else(|| "the study cannot be read now".to_owned())
}

fn drawn(study: &Study, trial: TrialId, depth: usize) -> String {
    let mut children: BTreeMap<TrialId, Vec<&Trial>> = BTreeMap::new();
    for node in study.trials.iter().filter(|t| t.status != Status::Unreadable) {
        if let Some(parent) = node.parents.first().filter(|parent| **parent < node.id) {
            children.entry(*parent).or_default().push(node);
        }
    }
    let mut up = Vec::new();
    let mut next = study.trial(trial).and_then(|t| t.parents.first()).filter(|p| **p < trial).copied();
    while let Some(id) = next {
        up.push(id);
        next = study.trial(id).and_then(|t| t.parents.first()).filter(|p| **p < id).copied();
    }
    let mut lines = vec![format!("The incumbent is {}. Ancestors first, then {trial} and what was tried on it.", study.incumbent)];
    let skipped = up.len().saturating_sub(ANCESTORS);
    for (at, id) in up.iter().rev().enumerate() {
        // The root says where it began; in a long chain the middle is left out.
        if at == 0 || at >= skipped {
            lines.extend(study.trial(*id).map(|t| digest::row(study, t)));
        } else if at == 1 {
            lines.push(format!("  … {} more …", skipped.saturating_sub(1)));
        }
    }
    below(study, &children, trial, depth, 1, &mut lines);
    lines.join("\n")
}

fn below(study: &Study, children: &BTreeMap<TrialId, Vec<&Trial>>, id: TrialId, depth: usize, indent: usize, lines: &mut Vec<String>) {
    let pad = "  ".repeat(indent);
    if let Some(node) = study.trial(id) {
        let mark = if id == study.incumbent { " <- incumbent" } else { "" };
        lines.push(format!("{pad}{}{mark}", digest::row(study, node)));
    }
    let Some(list) = children.get(&id) else { return };
    if depth == 0 {
        lines.push(format!("{pad}  ({} below)", list.len()));
        return;
    }
    for child in list.iter().rev().take(MOST_CHILDREN) {
        if lines.len() > MOST_LINES {
            break;
        }
        below(study, children, child.id, depth - 1, indent + 1, lines);
    }
    if list.len() > MOST_CHILDREN {
        lines.push(format!("{pad}  (+{} earlier)", list.len() - MOST_CHILDREN));
    }
}
