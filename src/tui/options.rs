//! What the command line tells the cockpit, and what the cockpit leaves behind.

use super::theme::ColorDepth;
use crate::model::{Autonomy, Millis};
use std::io;

/// When the terminal's bell is rung.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Bell {
    /// While the person looks at something else, where the terminal reports that.
    #[default]
    Unfocused,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Bell {
    /// As it is written in a configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unfocused => "unfocused",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Read from arguments, configuration and environment by `cli`.
#[derive(Debug, Clone)]
pub struct Options {
    /// Only looks: every command is disabled, with the reason shown.
    pub watch_only: bool,
    /// `NO_COLOR` is set: the theme `mono`, whatever `theme` says.
    pub no_color: bool,
    /// What the terminal can show.
    pub colors: ColorDepth,
    /// The locale is UTF-8; otherwise borders, glyphs and curves are drawn in ASCII.
    pub unicode: bool,
    /// Wheel and clicks.
    pub mouse: bool,
    /// When something waits for the person, or the study has ended.
    pub bell: Bell,
    /// Name of a shipped theme, or the path of a TOML file.
    pub theme: Option<String>,
    /// The last fact that this person saw, and when; none on a first visit.
    pub last_seen: Option<(u64, Millis)>,
    /// The autonomy that an earlier visit asked to set again ("decide for me until I am back").
    pub restore: Option<Autonomy>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            watch_only: false,
            no_color: false,
            colors: ColorDepth::Ansi16,
            unicode: true,
            mouse: true,
            bell: Bell::default(),
            theme: None,
            last_seen: None,
            restore: None,
        }
    }
}

/// How the cockpit was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The engine works on.
    Detached,
    /// Nothing runs any more: the study is over, or was only read from its directory.
    Closed,
    /// A stop was asked for from here.
    Stopped,
    /// A signal (terminal gone, SIGTERM) ended the cockpit; the engine works on.
    Interrupted,
}

/// What remains after the alternate screen is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it was left.
    pub ending: Ending,
    /// Lines to print: state, best, how to come back.
    pub lines: Vec<String>,
    /// The last fact seen, and when; for `Options::last_seen` of the next visit.
    pub last_seen: (u64, Millis),
    /// To be stored and handed back as `Options::restore`.
    pub restore: Option<Autonomy>,
}

/// Opens files in the person's editor. The cockpit has given the terminal back around the call.
pub trait Editor: Send {
    /// Takes `(path, text)` pairs and returns all of them as edited; none when nothing was changed.
    fn edit(&mut self, files: &[(String, String)]) -> io::Result<Option<Vec<(String, String)>>>;
}
