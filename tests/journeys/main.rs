//! What people do with trialdeck, from end to end: the real binary, real git, real processes. Each module is one journey
//! or one kind of bad input; `support` makes a place of its own for every test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test file")]

#[path = "../support_endpoint/mod.rs"]
mod endpoint;
mod support;

mod agent;
mod agents;
mod configuration;
mod crashes;
mod damage;
mod data;
mod evaluators;
mod flags;
mod fork;
mod going_on;
mod histories;
mod inference;
mod isolation;
mod keys;
mod knobs;
mod making;
mod morning;
mod newcomer;
mod own_code;
mod programs;
mod refusals;
mod replays;
mod repositories;
mod revisions;
mod scores;
mod setup;
mod skill;
mod tasks;
mod verify;
