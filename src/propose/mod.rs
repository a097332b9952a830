//! Who suggests the next edit: knobs found in the source, samplers over them, and the drafts that come of it.
//!
//! Pure so far: sources, history and a seed come in, a [`crate::model::Draft`] goes out. Knows neither git nor the
//! engine; nothing in here is on the evaluator's path.

pub mod agent;
pub mod blocks;
pub mod digest;
pub mod draft;
pub mod external;
#[cfg(test)]
mod invented;
pub mod knobs;
pub mod llm;
pub mod near;
pub mod role;
pub mod samplers;
mod syntax;

pub use syntax::syntax_error;
