//! Asks another program something, with a limit: a doctor must not wait for ever.

use std::{
    ffi::OsStr,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// Runs a program to its end and returns what it printed, standard error after standard output.
///
/// Errors: it cannot be started, it ended otherwise than well (its last line), or it took longer than ten seconds.
pub(super) fn asked<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Result<String, String> {
    let (mut reader, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let also = writer.try_clone().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(writer).stderr(also);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    // Our ends of the pipe, or its reader never ends.
    drop(command);
    let text = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.by_ref().take(1 << 20).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    });
    let end = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} s", LIMIT.as_secs()));
            }
            None => std::thread::sleep(LOOK),
        }
    };
    let text = text.join().unwrap_or_default();
    if status.success() {
        return Ok(text);
    }
    let last = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("it said nothing");
    Err(format!("{last} ({status})"))
}
