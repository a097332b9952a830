//! A question that names object and cost. The answer that changes nothing is chosen at the start.

use super::{boxed, middle};
use crate::protocol::Command;
use crate::tui::ink::{self, Ground, Line};
use crate::tui::options::Ending;
use crate::tui::project::Block;
use crate::tui::theme::Role;

/// What an answer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// Nothing.
    Cancel,
    /// Sends a wish and says so.
    Send(Box<Command>, String),
    /// Leaves.
    Leave(Ending),
    /// Lets everything pass until the next visit, and leaves.
    LeaveAuto,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its key.
    pub key: char,
    /// In words.
    pub text: String,
    /// What it does.
    pub then: Then,
}

/// The dialog.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirm {
    /// Upper border.
    pub title: String,
    /// What it is about and what it costs.
    pub body: Vec<String>,
    /// In order.
    pub choices: Vec<Choice>,
    /// The chosen one.
    pub at: usize,
}

/// The dialog on the screen.
pub fn block(confirm: &Confirm, size: (u16, u16)) -> Block {
    let columns = usize::from(size.0).saturating_sub(10).min(64);
    let mut lines: Vec<Line> = Vec::new();
    for text in &confirm.body {
        lines.extend(ink::wrap(&ink::clean(text), columns.max(1)).into_iter().map(|l| Line::of(l, Role::Text)));
    }
    lines.push(Line::default());
    for (n, choice) in confirm.choices.iter().enumerate() {
        let line = Line::of(format!(" {} ", choice.key), Role::Hint).and(format!(" {}", choice.text), Role::Text);
        lines.push(line.on(if n == confirm.at { Ground::Selected } else { Ground::Plain }));
    }
    boxed(middle(columns, lines.len(), size), &confirm.title, Line::default(), lines)
}
