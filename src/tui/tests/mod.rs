//! Whole screens, key by key: a study made of facts, a desk that types, frames as they look.

mod fixture;
mod frames;
mod keys;
mod never_panics;
mod no_color;
mod specialists;
