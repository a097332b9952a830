//! The engine of one study: a pure machine that decides, a driver that does what is wanted, a server for its clients.

mod brief;
mod building;
pub mod cast;
pub mod clock;
pub mod confinement;
pub mod create;
pub mod driver;
mod effects;
pub mod environment;
pub mod external;
pub mod grants;
pub mod handle;
pub mod history;
mod inference;
pub mod layout;
pub(crate) mod log;
pub mod machine;
mod overlap;
pub mod recording;
pub mod replay;
pub mod rig;
mod sameness;
pub mod server;
pub mod study_file;
pub mod verify;
mod workbench;
