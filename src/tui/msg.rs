//! What goes into the cockpit and what it wants done: data, no callbacks.

use crate::client::Incoming;
use crate::model::{Millis, ProposalId, TrialId};
use crate::protocol::{Command, Query};
use crossterm::event::KeyEvent;

use super::options::Ending;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// The clock.
    Now(Millis),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The left button, at column and row.
    Click(u16, u16),
    /// The wheel, at column and row; positive is down.
    Wheel(u16, u16, i32),
    /// From the study; the mirror has taken it already.
    Incoming(Box<Incoming>),
    /// The editor was closed.
    Edited(EditFor, Result<Option<Vec<(String, String)>>, String>),
}

/// What an edit is for.
#[derive(Debug, Clone, PartialEq)]
pub enum EditFor {
    /// A new revision of a proposal.
    Revision {
        /// Which.
        proposal: ProposalId,
        /// Its node.
        trial: TrialId,
        /// The tree that was opened.
        tree: Option<String>,
        /// Files that the proposal removes.
        deleted: Vec<String>,
    },
    /// A proposal of the researcher's own.
    Own {
        /// The node to build on; the incumbent when none.
        parent: Option<TrialId>,
        /// In one sentence.
        hypothesis: String,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum UiEffect {
    /// Send a wish under this number.
    Send(u64, Command),
    /// Ask a question under this number.
    Ask(u64, Query),
    /// Open the editor.
    Edit(EditFor, Vec<(String, String)>),
    /// Put text into the terminal's clipboard.
    Copy(String),
    /// Ring for a person who may look elsewhere.
    Ring,
    /// Take the next theme.
    NextTheme,
    /// Give the terminal to the shell until it comes back.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Leave(Ending),
}
