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
    /// Whether nothing typed is an answer.
    pub may_be_empty: bool,
}

/// The dialog on the screen, and its cursor.
pub fn block(prompt: &Prompt, size: (u16, u16)) -> (Block, Option<(u16, u16)>) {
    let columns = usize::from(size.0).saturating_sub(10).min(84);
    let hint = ink::wrap(&prompt.hint, columns.max(1));
    let area = middle(columns, hint.len() + 2, size);
    let width = usize::from(area.width.saturating_sub(4));
    let room = width.saturating_sub(3);
    let column = prompt.input.column();
    // The field scrolls sideways so that the cursor shows.
    let shift = column.saturating_sub(room);
    let mut lines: Vec<Line> = hint.into_iter().map(|l| Line::of(l, Role::Dim)).collect();
    let at = lines.len();
    lines.push(Line::default());
    lines.push(Line::of("› ", Role::Accent).and(ink::cut(&ink::skip(&prompt.input.text(), shift), room), Role::Strong));
    let cursor = (area.x + 4 + (column - shift) as u16, area.y + 2 + at as u16);
    (boxed(area, &prompt.title, Line::of(" enter sends · esc cancels ", Role::TitleDim), lines), Some(cursor))
}
