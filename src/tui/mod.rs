//! The cockpit: a pure function from what the engine sent to what stands on the screen.
//!
//! `update` takes a message and returns effects as data; `project` makes a view-model of plain text and role names from
//! the mirror, cheap whatever the length of the run; `view` paints it into a buffer. `run` is the one loop around them,
//! `terminal` the one place that changes the terminal. It knows a study only through `client::Link`, spawns nothing (the
//! wish to open an editor goes to its caller) and reads no environment: `cli` passes `Options`.

mod banner;
mod feedwords;
mod fold;
mod footer;
mod header;
pub mod ink;
mod input;
pub mod keymap;
mod layout;
pub mod modal;
mod msg;
mod options;
pub mod panes;
mod plot;
mod preflight;
mod project;
mod run;
mod shelf;
mod state;
mod terminal;
pub mod theme;
mod thoughts;
mod update;
mod view;

pub use msg::{Msg, UiEffect};
pub use options::{Bell, Editor, Ending, Options, Outcome};
pub use preflight::{Preflight, preflight};
pub use project::{ViewModel, project};
pub use run::run;
pub use state::UiState;
pub use theme::{ColorDepth, Theme};
pub use update::update;
pub use view::{Brush, view};

#[cfg(test)]
mod tests;
