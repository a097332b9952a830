//! Two trials: their scores beside each other, and the diff between their trees.

use super::boxed;
use crate::model::{DiffOptions, TrialId};
use crate::protocol::{Against, Answer, Query};
use crate::tui::ink::{self, Line};
use crate::tui::panes::diff::{self, Look};
use crate::tui::panes::{Ctx, status};
use crate::tui::project::Block;
use crate::tui::theme::Role;
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// The dialog.
#[derive(Debug, Clone, PartialEq)]
pub struct Compare {
    /// The diff goes from this one …
    pub from: TrialId,
    /// … to this one.
    pub to: TrialId,
    /// Rows skipped.
    pub scroll: usize,
}

impl Compare {
    /// The question for the diff.
    pub fn query(&self) -> Query {
        Query::Diff { trial: self.to, against: Against::Trial(self.from), options: DiffOptions::default(), revision: None }
    }
}

/// Where it stands.
pub fn area((w, h): (u16, u16)) -> Rect {
    let (x, y) = if w >= 100 { (w / 12, 2) } else { (0, 1) };
    Rect { x, y, width: w - 2 * x, height: h.saturating_sub(2 * y) }
}

/// Rows of the diff, and the room for them.
pub fn extent(compare: &Compare, ctx: &Ctx<'_>, size: (u16, u16)) -> (usize, usize) {
    let rows = match ctx.state.shelf.get(&compare.query()) {
        Some(Ok(Answer::Diff { diff })) => diff::index(diff, false).len(),
        _ => 1,
    };
    (rows, usize::from(area(size).height).saturating_sub(2 + 4))
}

/// The dialog on the screen.
pub fn block(compare: &Compare, ctx: &Ctx<'_>, size: (u16, u16)) -> Block {
    let area = area(size);
    let width = usize::from(area.width.saturating_sub(4));
    let mut lines = Vec::new();
    if let Some(header) = ctx.header() {
        let decimals = status::decimals(header);
        for (sign, id) in [("−", compare.from), ("+", compare.to)] {
            let Some(row) = ctx.mirror.row(id) else { continue };
            let (glyph, word, role) = status::of(row);
            let mut line = Line::of(format!("{sign} "), Role::Dim).and(format!("{id} "), Role::Strong);
            line.push(format!("{glyph} {} ", ink::left(&word, 12)), role);
            line.push(ink::right(&row.score.map_or_else(|| "—".into(), |s| status::score(s, decimals)), 10), Role::Strong);
            line.push(format!("  {}", ink::clean(&row.title)), Role::Dim);
            lines.push(line.cut(width));
        }
        let scores = ctx.mirror.row(compare.from).and_then(|r| r.score).zip(ctx.mirror.row(compare.to).and_then(|r| r.score));
        match scores {
            Some((from, to)) => {
                let (text, role) = status::delta(header.goal.gain(to, from), decimals);
                lines.push(Line::of(format!("  {} ", ink::clean(&header.metric)), Role::Dim).and(text, role));
            }
            None => lines.push(Line::of("  one of them has no score", Role::Dim)),
        }
    }
    lines.push(Line::of("─".repeat(width), Role::Guide));
    let room = usize::from(area.height).saturating_sub(2 + lines.len());
    match ctx.state.shelf.get(&compare.query()) {
        Some(Ok(Answer::Diff { diff })) => {
            let rows = diff::index(diff, false);
            if rows.is_empty() {
                lines.push(Line::of("the two trees are equal", Role::Dim));
            }
            let top = compare.scroll.min(rows.len().saturating_sub(room));
            let none = BTreeSet::new();
            let look = Look { width, current: None, choose: false, left_out: &none, shift: 0 };
            lines.extend(rows.into_iter().skip(top).take(room).map(|r| diff::draw(diff, r, &look)));
        }
        Some(Ok(_)) => {}
        Some(Err(why)) => lines.push(Line::of(ink::clean(why), Role::Warn)),
        None => lines.push(Line::of("reading the diff …", Role::Dim)),
    }
    let info = Line::of(" j k scroll · esc closes ", Role::TitleDim);
    boxed(area, &format!("{} → {}", compare.from, compare.to), info, lines)
}
