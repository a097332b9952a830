//! One line of text for a purpose.

use super::{boxed, middle};
use crate::model::{ProposalId, TrialId};
use crate::tui::ink::{self, Line};
use crate::tui::input::Input;
use crate::tui::project::Block;
use crate::tui::theme::Role;

/// What the text is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Why a proposal is vetoed.
    Veto {
        /// Which.
        proposal: ProposalId,
        /// The tree that was shown.
        tree: Option<String>,
    },
    /// What the proposer should do better.
    Revise {
        /// Which.
        proposal: ProposalId,
    },
    /// A word to the agents.
    Steer,
    /// The hypothesis of one's own proposal.
    Idea {
        /// The node to build on; the incumbent when none.
        parent: Option<TrialId>,
    },
    /// How many more runs.
    Replicate {
        /// Of which trial.
        trial: TrialId,
    },
    /// The new limit of trials.
    Extend,
}

/// A choice that goes with the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// Before the choices.
    pub label: String,
    /// In order.
    pub options: Vec<String>,
    /// The chosen one.
    pub at: usize,
}

impl Pick {
    /// Chooses the next one, or the one before; around the ends.
    pub fn step(&mut self, by: i64) {
        let count = self.options.len().max(1) as i64;
        self.at = (self.at as i64 + by).rem_euclid(count) as usize;
    }

    /// The choices in one line, those around the chosen one where not all fit.
    fn line(&self, width: usize) -> Line {
        let label = Line::of(format!("{}  ", self.label), Role::Dim);
        let item = |n: usize, option: &str| {
            let option = ink::cut_middle(&ink::clean(option), width / 2);
            if n == self.at { Line::of(format!("‹ {option} ›"), Role::Accent) } else { Line::of(format!("  {option}  "), Role::Dim) }
        };
        let items: Vec<Line> = self.options.iter().enumerate().map(|(n, o)| item(n, o)).collect();
        let room = width.saturating_sub(label.width());
        // Choices at the left give way until the chosen one shows whole.
        let upto: usize = items.iter().take(self.at + 1).map(Line::width).sum();
        let (mut skipped, mut over) = (0, upto.saturating_sub(room));
        for line in &items {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(line.width());
            skipped += 1;
        }
        let mut line = label;
        for item in items.into_iter().skip(skipped) {
            line.spans.extend(item.spans);
        }
        line.cut(width)
    }
}

/// The dialog.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What for.
    pub ask: Ask,
    /// Upper border.
    pub title: String,
    /// Above the field.
    pub hint: String,
    /// Typed.
    pub input: Input,
    /// What is chosen beside it with tab.
    pub pick: Option<Pick>,
    /// Whether nothing typed is an answer.
    pub may_be_empty: bool,
}

/// The dialog on the screen, and its cursor.
pub fn block(prompt: &Prompt, size: (u16, u16)) -> (Block, Option<(u16, u16)>) {
    let columns = usize::from(size.0).saturating_sub(10).min(84);
    let hint = ink::wrap(&prompt.hint, columns.max(1));
    let area = middle(columns, hint.len() + 2 + 2 * usize::from(prompt.pick.is_some()), size);
    let width = usize::from(area.width.saturating_sub(4));
    let room = width.saturating_sub(3);
    let column = prompt.input.column();
    // The field scrolls sideways so that the cursor shows.
    let shift = column.saturating_sub(room);
    let mut lines: Vec<Line> = hint.into_iter().map(|l| Line::of(l, Role::Dim)).collect();
    let at = lines.len();
    lines.push(Line::default());
    lines.push(Line::of("› ", Role::Accent).and(ink::cut(&ink::skip(&prompt.input.text(), shift), room), Role::Strong));
    if let Some(pick) = &prompt.pick {
        lines.push(Line::default());
        lines.push(pick.line(width));
    }
    let keys = if prompt.pick.is_some() { " tab chooses · enter sends · esc cancels " } else { " enter sends · esc cancels " };
    let cursor = (area.x + 4 + (column - shift) as u16, area.y + 2 + at as u16);
    (boxed(area, &prompt.title, Line::of(keys, Role::TitleDim), lines), Some(cursor))
}
