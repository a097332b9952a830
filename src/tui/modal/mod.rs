//! Dialogs over the screen. They form a stack, and the top one takes the keys.

pub mod arms;
pub mod choose;
pub mod compare;
pub mod confirm;
pub mod help;
pub mod palette;
pub mod prompt;

use super::ink::Line;
use super::panes::Ctx;
use super::project::Block;
use super::theme::Role;
use ratatui::layout::Rect;

/// One dialog.
#[derive(Debug, Clone, PartialEq)]
pub enum Modal {
    /// All keys.
    Help {
        /// Rows skipped.
        scroll: usize,
    },
    /// All actions, searched by typing.
    Palette(palette::Palette),
    /// One line of text.
    Prompt(prompt::Prompt),
    /// A question with a few answers.
    Confirm(confirm::Confirm),
    /// One of many files.
    Choose(choose::Choose),
    /// Two trials beside each other.
    Compare(compare::Compare),
    /// Who proposes and why.
    Arms(arms::Arms),
}

/// What a dialog puts on the screen, and where its cursor is.
pub fn blocks(modal: &Modal, ctx: &Ctx<'_>, size: (u16, u16)) -> (Block, Option<(u16, u16)>) {
    match modal {
        Modal::Help { scroll } => (help::block(ctx, *scroll, size), None),
        Modal::Palette(p) => palette::block(p, ctx, size),
        Modal::Prompt(p) => prompt::block(p, size),
        Modal::Confirm(c) => (confirm::block(c, size), None),
        Modal::Choose(c) => choose::block(c, size),
        Modal::Compare(c) => (compare::block(c, ctx, size), None),
        Modal::Arms(a) => (arms::block(a, ctx, size), None),
    }
}

/// A box in the middle with room for this many columns and rows inside its border.
pub fn middle(columns: usize, rows: usize, (w, h): (u16, u16)) -> Rect {
    let width = (columns as u16).saturating_add(4).min(w);
    let height = (rows as u16).saturating_add(2).min(h);
    Rect { x: (w - width) / 2, y: (h - height) * 2 / 5, width, height }
}

/// A bordered box over everything else; lines are given a column of air at each side.
pub fn boxed(area: Rect, title: &str, info: Line, lines: Vec<Line>) -> Block {
    let width = usize::from(area.width.saturating_sub(4));
    let lines = lines
        .into_iter()
        .map(|line| {
            let ground = line.ground;
            let mut out = Line::of(" ", Role::Text);
            out.spans.extend(line.pad(width).spans);
            out.push(" ", Role::Text);
            out.on(ground)
        })
        .collect();
    Block::framed(area, Line::of(format!(" {title} "), Role::TitleFocus), info, true, lines)
}
