//! Watching runs: metric readers, tails of their files, and the meters of the machine.
//!
//! Bytes become readings in `reader`, files are followed in `tail`, one thread for all runs drives both in `watcher`; `series` answers
//! questions about curves from the cache that it writes; `telemetry` reads GPU and host. What is watched is untrusted and never fails
//! the watcher: trouble becomes a note.

mod cache;
mod discover;
mod followed;
mod names;
pub mod reader;
pub mod series;
pub mod survey;
mod tail;
pub mod telemetry;
mod wake;
pub mod watcher;
mod whole;

pub use discover::GlobError;
pub use reader::PatternError;
pub use series::{KeySummary, Series};
pub use telemetry::{GpuSource, MeterError, Meters};
pub use watcher::{Diverged, Plan, Seen, Totals, WatchError, Watcher};
