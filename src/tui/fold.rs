//! The tree of trials as a list of rows.
//!
//! The lineage of the incumbent is the trunk: it stays at the left, and everything else hangs from it. So a long chain of
//! kept trials reads downwards and does not walk off the right edge.

use crate::model::TrialId;
use crate::protocol::Row;
use std::collections::BTreeSet;

/// Deepest indent drawn.
const DEEPEST: usize = 12;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Which trial.
    pub id: TrialId,
    /// Indent guides, before the glyph.
    pub guide: String,
    /// Trials hidden in its folded branch.
    pub hidden: usize,
    /// Whether something hangs from it.
    pub parent: bool,
}

/// The rows of the screen, or of the matches in the order of their numbers when filtered.
pub fn nodes(rows: &[Row], incumbent: TrialId, folded: &BTreeSet<TrialId>, filter: &str) -> Vec<Node> {
    if !filter.is_empty() {
        let plain = |r: &Row| Node { id: r.id, guide: String::new(), hidden: 0, parent: false };
        return rows.iter().filter(|r| matches(r, filter)).map(plain).collect();
    }
    let mut children: Vec<Vec<TrialId>> = vec![Vec::new(); rows.len()];
    let mut roots = Vec::new();
    for row in rows {
        // A parent is always older than its child, so there are no circles.
        match row.parents.first().filter(|p| p.0 < row.id.0).and_then(|p| children.get_mut(p.0 as usize)) {
            Some(list) => list.push(row.id),
            None => roots.push(row.id),
        }
    }
    let mut trunk = BTreeSet::new();
    let mut at = Some(incumbent);
    while let Some(id) = at {
        trunk.insert(id);
        at = rows.get(id.0 as usize).and_then(|r| r.parents.first()).filter(|p| p.0 < id.0).copied();
    }
    let mut out = Vec::with_capacity(rows.len());
    for root in roots {
        walk(root, &children, &trunk, folded, &mut out);
    }
    out
}

/// Depth first without recursion: a study may be 10,000 deep.
fn walk(root: TrialId, children: &[Vec<TrialId>], trunk: &BTreeSet<TrialId>, folded: &BTreeSet<TrialId>, out: &mut Vec<Node>) {
    // What is still to be drawn, the next one last: the node, the guide of its own row, the guide of its children's rows.
    let mut stack = vec![(root, String::new(), String::new(), 0usize)];
    while let Some((id, own, below, depth)) = stack.pop() {
        let list = children.get(id.0 as usize).map(Vec::as_slice).unwrap_or_default();
        let is_folded = folded.contains(&id) && !list.is_empty();
        let next_of_trunk = list.iter().find(|c| trunk.contains(c)).copied().filter(|_| trunk.contains(&id));
        let side: Vec<TrialId> = list.iter().filter(|c| Some(**c) != next_of_trunk).copied().collect();
        let hidden = if is_folded { side.iter().map(|c| descendants(*c, children)).sum() } else { 0 };
        out.push(Node { id, guide: own, hidden, parent: !list.is_empty() });
        if let Some(next) = next_of_trunk {
            stack.push((next, String::new(), String::new(), depth));
        }
        if is_folded {
            continue;
        }
        let count = side.len();
        for (n, child) in side.into_iter().enumerate().rev() {
            let last = n + 1 == count && next_of_trunk.is_none();
            let (mut own, mut next) = (below.clone(), below.clone());
            if depth < DEEPEST {
                own.push_str(if last { "└─" } else { "├─" });
                next.push_str(if last { "  " } else { "│ " });
            }
            stack.push((child, own, next, depth + 1));
        }
    }
}

fn descendants(id: TrialId, children: &[Vec<TrialId>]) -> usize {
    let mut count = 0;
    let mut stack = vec![id];
    while let Some(id) = stack.pop() {
        count += 1;
        stack.extend(children.get(id.0 as usize).map(Vec::as_slice).unwrap_or_default());
    }
    count
}

/// Whether a row has all words of the filter.
pub fn matches(row: &Row, filter: &str) -> bool {
    let text = format!(
        "{} {} {} {} {} {} {} {}",
        row.id,
        row.proposal.map(|p| p.to_string()).unwrap_or_default(),
        row.status.word(),
        row.verdict.map_or("", |v| v.word()),
        row.label.map_or("", |l| l.word()),
        row.proposer,
        row.surface.as_deref().unwrap_or_default(),
        row.title
    )
    .to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Operator, Status};

    fn row(id: u32, parents: &[u32]) -> Row {
        Row {
            id: TrialId(id),
            parents: parents.iter().map(|p| TrialId(*p)).collect(),
            proposal: None,
            status: Status::Done,
            verdict: None,
            verified: false,
            score: None,
            label: None,
            operator: Operator::Improve,
            proposer: "knobs/tpe".into(),
            model: None,
            surface: None,
            title: format!("Title {id}"),
            runs: 1,
            revision: 1,
            back: None,
            tree: None,
            flags: Vec::new(),
            pinned: false,
            pruned: false,
            finished: None,
        }
    }

    fn drawn(rows: &[Row], incumbent: u32, folded: &[u32]) -> Vec<String> {
        let folded = folded.iter().map(|n| TrialId(*n)).collect();
        let nodes = nodes(rows, TrialId(incumbent), &folded, "");
        nodes
            .iter()
            .map(|n| format!("{}{}{}", n.guide, n.id.0, if n.hidden > 0 { format!("+{}", n.hidden) } else { String::new() }))
            .collect()
    }

    #[test]
    fn the_trunk_stays_at_the_left() {
        let rows = [row(0, &[]), row(1, &[0]), row(2, &[0]), row(3, &[2]), row(4, &[2]), row(5, &[1]), row(6, &[4, 3])];
        assert_eq!(drawn(&rows, 4, &[]), ["0", "├─1", "│ └─5", "2", "├─3", "4", "└─6"]);
        assert_eq!(drawn(&rows, 0, &[]), ["0", "├─1", "│ └─5", "└─2", "  ├─3", "  └─4", "    └─6"]);
        assert_eq!(drawn(&rows, 4, &[0]), ["0+2", "2", "├─3", "4", "└─6"]);
        assert_eq!(drawn(&rows, 0, &[0]), ["0+6"]);
    }

    #[test]
    fn damaged_and_very_deep_trees_are_drawn() {
        // A parent that is younger, or missing, is no parent.
        assert_eq!(drawn(&[row(0, &[1]), row(1, &[9])], 7, &[]), ["0", "1"]);
        let deep: Vec<Row> = (0..20_000).map(|n| if n == 0 { row(0, &[]) } else { row(n, &[n - 1]) }).collect();
        for incumbent in [0, 19_999] {
            let list = nodes(&deep, TrialId(incumbent), &BTreeSet::new(), "");
            assert_eq!(list.len(), 20_000);
            assert!(list.iter().all(|n| n.guide.chars().count() <= 2 * DEEPEST));
        }
    }

    #[test]
    fn a_filter_needs_all_its_words() {
        for (filter, want) in [("t0001", true), ("TPE title", true), ("done knobs", true), ("tpe crashed", false)] {
            assert_eq!(matches(&row(1, &[0]), filter), want, "{filter}");
        }
    }
}
