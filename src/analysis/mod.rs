//! Pure looks at a study: curves thinned for a chart, and what happened while nobody watched.
//!
//! No IO and no clock. Thinning itself lies in `model::curve`, because the store of points thins in the same way.

pub mod summary;

pub use crate::model::curve::{decimate, extent};
