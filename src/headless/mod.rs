//! A study without a cockpit: progress on a terminal, plain lines in a pipe, JSON lines for programs, and the texts of
//! `show`, `tree` and `ls`.
//!
//! A client like any other: it draws from what a link hands over and prints to what it is given. What it says are pure
//! functions of headers, rows, studies and documents, tested by tables and frames; `follow` only joins them.

mod closing;
mod conversation;
mod facts;
mod finish;
mod follow;
mod ls;
mod paint;
mod screen;
mod show;
mod status;
#[cfg(test)]
mod tests;
mod tree;
mod words;

pub use closing::{closing, summary};
pub use conversation::{Fold, conversation};
pub use facts::opening;
pub use finish::{Ending, Finish, exit_code};
pub use follow::{Key, Output, follow};
pub use ls::{ls, ls_json, ls_short};
pub use paint::{Paint, Tone};
pub use show::{show_study, show_trial};
pub use tree::tree;
pub use words::{plural, span};
