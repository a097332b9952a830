//! What people do with trialdeck, from end to end: the real binary, real git, real processes. Each module is one journey
//! or one kind of bad input; `support` makes a place of its own for every test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test file")]

mod support;

mod agent;
mod crashes;
mod damage;
mod evaluators;
mod fork;
mod morning;
mod newcomer;
mod repositories;
mod scores;
mod tasks;
