//! Who suggests the next edit: knobs found in the source, samplers over them, and the drafts that come of it.
//!
//! Pure so far: sources, history and a seed come in, a [`crate::model::Draft`] goes out. Knows neither git nor the
//! engine; nothing in here is on the evaluator's path.

pub mod blocks;
pub mod draft;
pub mod knobs;
pub mod samplers;
mod syntax;

pub use syntax::syntax_error;
