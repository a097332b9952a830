//! Model servers through the real client and the real binary: both APIs, and everything that servers do wrong.
//!
//! The server is scripted and on loopback; no test asks anything outside of this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../support_endpoint/mod.rs"]
mod endpoint;

mod answers;
mod command;
mod learning;
mod misbehaviour;
mod support;
