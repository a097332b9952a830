//! A study for other programs and for paper: exports. Texts are made here; who asked for them prints them.
//!
//! Pure: the fold of a study in, a text out. Tested beside the code.

mod tsv;

pub use tsv::{Table, tsv};
