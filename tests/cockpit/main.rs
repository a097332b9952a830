//! The cockpit as a person has it: the real binary behind a pseudo-terminal, with a toy task whose runs are short.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test file")]

#[path = "../support_endpoint/mod.rs"]
mod endpoint;
mod screen;
#[path = "../journeys/support/mod.rs"]
#[allow(dead_code, reason = "shared with the journeys, which use the rest")]
mod support;

mod agents;
mod history;
mod hostile;
mod idle;
mod leaving;
mod newcomer;
mod reviewer;
mod sizes;
mod watching;
