//! All keys, from the one table.

use super::{boxed, middle};
use crate::tui::ink::{self, Line};
use crate::tui::keymap::{Scope, TABLE};
use crate::tui::panes::Ctx;
use crate::tui::project::Block;
use crate::tui::theme::Role;
use ratatui::layout::Rect;

const GLYPHS: &str = "★ best   ◆ incumbent: the search builds on it   • marked   ↑ pinned   × pruned";

const GAINS: &str = "best +x in the header: of its fresh runs alone, without the one that made it stand out; Δ base: of all its runs";

/// The rows: three groups, side by side where there is room.
pub fn rows(width: usize) -> Vec<Line> {
    let group = |scope: Scope, title: &str| -> Vec<(String, String)> {
        let mut rows = vec![(String::new(), title.to_owned())];
        rows.extend(
            TABLE
                .iter()
                .filter(|b| b.scope == scope && !b.text.is_empty() && !b.keys.is_empty())
                .map(|b| (b.keys.join(" "), b.text.to_owned())),
        );
        rows
    };
    let mut everywhere = group(Scope::Everywhere, "everywhere");
    everywhere.push(("hjkl ←↓↑→".into(), "Move; h and l fold and unfold".into()));
    everywhere.push(("^u ^d".into(), "Half a page".into()));
    everywhere.push(("1–9".into(), "Go to a pane".into()));
    everywhere.push(("esc".into(), "One level up; never leaves".into()));
    let mut left = group(Scope::Review, "a proposal (review queue, or shown beside the tree)");
    left.push((String::new(), String::new()));
    left.extend(group(Scope::Study, "the study"));
    let draw = |(keys, text): &(String, String), columns: usize| -> Line {
        if keys.is_empty() {
            return Line::of(text.clone(), Role::Accent).pad(columns);
        }
        Line::of(format!("{} ", ink::right(keys, 9)), Role::Hint).and(text.clone(), Role::Text).pad(columns)
    };
    let mut lines = Vec::new();
    if width >= 104 {
        let half = (width - 2) / 2;
        for n in 0..left.len().max(everywhere.len()) {
            let cell = |list: &[(String, String)]| list.get(n).map_or_else(|| Line::default().pad(half), |r| draw(r, half));
            let mut line = cell(&left);
            line.push("  ", Role::Text);
            line.spans.extend(cell(&everywhere).spans);
            lines.push(line);
        }
    } else {
        lines.extend(left.iter().map(|r| draw(r, width)));
        lines.push(Line::default());
        lines.extend(everywhere.iter().map(|r| draw(r, width)));
    }
    lines.push(Line::default());
    lines.extend([GLYPHS, GAINS].iter().flat_map(|text| ink::wrap(text, width)).map(|l| Line::of(l, Role::Dim)));
    lines
}

/// Where it stands, and the most that it can be scrolled.
pub fn area(size: (u16, u16)) -> (Rect, usize) {
    let width = usize::from(size.0).saturating_sub(8).min(124);
    let rows = rows(width).len();
    let area = middle(width, rows, size);
    (area, rows.saturating_sub(usize::from(area.height.saturating_sub(2))))
}

/// The dialog.
pub fn block(_ctx: &Ctx<'_>, scroll: usize, size: (u16, u16)) -> Block {
    let (area, most) = area(size);
    let width = usize::from(area.width.saturating_sub(4));
    let room = usize::from(area.height.saturating_sub(2));
    let lines = rows(width).into_iter().skip(scroll.min(most)).take(room).collect();
    let info = if most > 0 { Line::of(" j k scroll · esc closes ", Role::TitleDim) } else { Line::of(" esc closes ", Role::TitleDim) };
    boxed(area, "keys", info, lines)
}
