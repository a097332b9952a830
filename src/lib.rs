//! trialdeck: a terminal cockpit for auto-research. ARCHITECTURE.md is the map.

pub mod analysis;
pub mod archive;
pub mod beneath;
pub mod cli;
pub mod client;
pub mod decide;
pub mod engine;
pub mod evaluate;
pub mod headless;
pub mod import;
pub mod journal;
pub mod lineage;
pub mod model;
pub mod propose;
pub mod protocol;
pub mod report;
pub mod review;
pub mod run;
pub mod search;
pub mod task;
pub mod tui;
pub mod watch;
