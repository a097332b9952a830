//! One of many files, narrowed by typing.

use super::{boxed, middle, palette};
use crate::model::TrialId;
use crate::tui::ink::{self, Ground, Line};
use crate::tui::input::Input;
use crate::tui::project::Block;
use crate::tui::theme::Role;

/// The dialog.
#[derive(Debug, Clone, PartialEq)]
pub struct Choose {
    /// The node whose file is edited; the incumbent when none.
    pub parent: Option<TrialId>,
    /// Of the proposal to be.
    pub hypothesis: String,
    /// All of them.
    pub paths: Vec<String>,
    /// Typed.
    pub input: Input,
    /// Chosen, among those found.
    pub at: usize,
}

impl Choose {
    /// The paths that fit what is typed, best first.
    pub fn found(&self) -> Vec<&String> {
        let typed = self.input.text();
        let mut list: Vec<(i32, usize, &String)> =
            self.paths.iter().enumerate().filter_map(|(n, p)| palette::fit(&typed, p).map(|s| (-s, n, p))).collect();
        if !typed.trim().is_empty() {
            list.sort_by_key(|(s, n, _)| (*s, *n));
        }
        list.into_iter().map(|(_, _, p)| p).collect()
    }
}

/// The dialog on the screen, and its cursor.
pub fn block(choose: &Choose, size: (u16, u16)) -> (Block, Option<(u16, u16)>) {
    let list = choose.found();
    let columns = usize::from(size.0).saturating_sub(10).min(76);
    let rows = usize::from(size.1).saturating_sub(8).clamp(1, 14).min(choose.paths.len().max(1));
    let area = middle(columns, rows + 2, size);
    let width = usize::from(area.width.saturating_sub(4));
    let top = crate::tui::panes::tree::top_for(0, choose.at, list.len(), rows);
    let mut lines = vec![Line::of("› ", Role::Accent).and(choose.input.text(), Role::Strong), Line::of("─".repeat(width), Role::Guide)];
    for (n, path) in list.iter().enumerate().skip(top).take(rows) {
        let ground = if n == choose.at { Ground::Selected } else { Ground::Plain };
        lines.push(Line::of(ink::cut_middle(&ink::clean(path), width), Role::Text).on(ground));
    }
    if list.is_empty() {
        lines.push(Line::of("no file fits", Role::Dim));
    }
    let cursor = (area.x + 4 + choose.input.column() as u16, area.y + 1);
    let info = Line::of(format!(" {} of {} files ", list.len(), choose.paths.len()), Role::TitleDim);
    (boxed(area, "which file?", info, lines), Some(cursor))
}
