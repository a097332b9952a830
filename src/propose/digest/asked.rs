//! What is asked for now: the operator, the parents, the part of the recipe, an idea to work out, a revision to write.

use super::fit::Section;
use super::row::{outcome, quoted, veto};
use crate::model::{Edit, Operator, Status, Study};
use crate::propose::agent::{Scene, cut, data, legible};

/// Most bytes of the edits of an earlier revision.
const EDITS: usize = 1400;

pub(super) fn section(study: &Study, scene: &Scene) -> Section {
    let named = |at: usize| scene.parents.get(at).map_or_else(|| scene.base().to_string(), ToString::to_string);
    let what = match scene.operator {
        Operator::Draft => format!("draft: a fresh start from {}, in a direction that nobody has tried", named(0)),
        Operator::Improve => format!("improve: one change to {} that should make its score better", named(0)),
        Operator::Debug => format!("debug: mend {}, which failed, and keep its idea", named(0)),
        Operator::Crossover => format!("crossover: carry what made {} good over to {}, which is the base", named(1), named(0)),
        Operator::Ablate => format!("ablate: take one part out of {} to see whether it is worth having", named(0)),
    };
    let mut lines = vec![format!("- {what}")];
    for parent in scene.parents.iter().filter_map(|id| study.trial(*id)) {
        lines.push(format!("- {}: {} {}", parent.id, outcome(study, parent), quoted(&parent.hypothesis, 220)));
    }
    if let Some(surface) = &scene.assignment.surface {
        lines.push(format!("- look at: {}", quoted(surface, 40)));
    }
    if !scene.assignment.why.is_empty() {
        lines.push(format!("- why you: {}", quoted(&scene.assignment.why, 200)));
    }
    if let Some(stale) = scene.assignment.adapts.and_then(|id| study.trial(id)).filter(|t| t.status == Status::Stale) {
        lines.push(format!(
            "- adapt: your proposal {} did not run: {}. Hand in its idea anew on {}, as it is now; give up if {} holds it already, or is \
             better without. The idea was {}",
            stale.id,
            quoted(veto(stale).unwrap_or("the search moved on"), 300),
            named(0),
            named(0),
            quoted(&stale.hypothesis, 400)
        ));
    } else if let Some(refused) = scene.assignment.adapts.and_then(|id| study.trial(id)) {
        lines.push(format!(
            "- adapt: your proposal {} was refused, see its card. Hand in its idea in a form that is legal, written anew on {}; give up if \
             there is none. The idea was {}",
            refused.id,
            named(0),
            quoted(&refused.hypothesis, 400)
        ));
    }
    if let Some(idea) = &scene.assignment.idea {
        lines.push(format!("- THE RESEARCHER'S IDEA, to be turned into an edit: {}", quoted(idea, 700)));
    }
    if let Some(revise) = &scene.revise {
        lines.push(format!("- your revision {} came back; the reviewer wants: {}", revise.revision, quoted(&revise.comment, 700)));
        lines.push(format!("- its hypothesis was {}", quoted(&revise.draft.hypothesis, 300)));
        lines.push(data("the edits of that revision", &cut(&legible(&edits(&revise.draft.edits)), EDITS)));
    }
    Section::new("What you are asked for", 3000, 210, lines)
}

/// Edits as a person would read them.
fn edits(edits: &[Edit]) -> String {
    let one = |edit: &Edit| match edit {
        Edit::Replace { path, search, replace } => {
            format!("{path}\n<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE", search.trim_end(), replace.trim_end())
        }
        Edit::Write { path, content } => format!("{path}, whole:\n{}", content.trim_end()),
        Edit::Delete { path } => format!("{path}: deleted"),
        Edit::Patch { patch } => patch.trim_end().to_owned(),
    };
    edits.iter().map(one).collect::<Vec<_>>().join("\n")
}
