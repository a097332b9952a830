//! Git: the study's private object store, the trees of its trials, their diffs, and the directories they run in.
//!
//! One `Store` a study (`repo.git`, bare, ours); the user's repository is only ever read, but for `export_branch`, which adds one
//! branch to a repository that the user names. All edits of all proposers pass `Store::apply` with its path rules. A `Slot` is a
//! working directory that is made equal to a tree before each run. Knows nothing of journals, runs or scores; git2 lives only here.
//! Tested beside the code against real repositories made by git, with properties for the patch parser and for slots.

mod apply;
mod bounds;
mod bring;
mod check;
mod checkout;
mod diff;
mod error;
mod export;
mod from_dir;
mod import;
mod import_plumbing;
mod locate;
mod message;
mod patch;
mod paths;
mod rules;
mod slot;
mod slot_fs;
mod slot_look;
mod slot_state;
mod store;
mod text;

#[cfg(test)]
mod tests;

pub use apply::{Applied, Refusal};
pub use bring::{Brought, EMPTY_TREE, Foreign, Single};
pub use check::{Checked, Named};
pub use error::{Error, Result};
pub use export::Exported;
pub use from_dir::Worked;
pub use import::Imported;
pub use message::Message;
pub use rules::{Rules, RulesSpec, covering};
pub use slot::{Prepared, Slot};
pub use slot_state::Record;
pub use store::{Committed, Entry, Store};
