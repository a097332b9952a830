//! The engine's own log: one line a message on standard error, which is a file when the engine is detached.

use std::io::Write;

/// Writes one line with its time. A log that cannot be written is no reason to stop.
pub(crate) fn line(text: &str) {
    let time = jiff::Timestamp::now();
    let _ = writeln!(std::io::stderr().lock(), "{time:.0} {}", crate::model::Safe::line(&crate::model::redact::ours().text(text)));
}
