//! Colour on a terminal, or none: `NO_COLOR`, a pipe and `--json` are the caller's to know.

use crate::model::{Label, Status, Verdict};

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A gain.
    Good,
    /// A failure.
    Bad,
    /// Needs a look.
    Warning,
    /// Less important.
    Faint,
    /// More important.
    Strong,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// They are.
    pub color: bool,
}

impl Paint {
    /// Without colour.
    pub const PLAIN: Self = Self { color: false };

    /// Returns the text in its tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Bad => 31,
            Tone::Warning => 33,
            Tone::Faint => 2,
            Tone::Strong => 1,
        };
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The tone of what became of a trial.
pub fn tone_of(status: Status, verdict: Option<Verdict>, label: Option<Label>) -> Tone {
    match (label, verdict, status) {
        (Some(_), ..) => Tone::Bad,
        (None, Some(Verdict::Keep), _) => Tone::Good,
        (None, Some(Verdict::RolledBack | Verdict::Undecided), _) | (None, None, Status::Waiting) => Tone::Warning,
        (None, Some(Verdict::Revert), _) | (None, None, Status::Vetoed | Status::Stale | Status::Unreadable) => Tone::Faint,
        (None, None, _) => Tone::Plain,
    }
}
