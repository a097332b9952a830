//! A specialist at work: it is told of the study, reads the code with tools, and submits one edit.
//!
//! Knows its model as [`super::llm::Llm`] and the study as a [`Workbench`]; neither git nor processes.

mod desk;
mod foreign;
mod scene;
mod session;
pub mod tools;
mod workbench;

pub use desk::Desk;
pub(crate) use foreign::floor;
pub use foreign::{cut, data, end, legible, line, log_lines};
pub use scene::{Revise, Scene};
pub use session::{Allowance, End, Ended, Said, Session};
pub use workbench::{Checked, CurveSummary, FileEntry, KnobRow, Preflight, Workbench};
