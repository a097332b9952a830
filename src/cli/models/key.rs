//! Where a key comes from: a variable, or the first line that a command prints. It is kept in memory and nowhere else.

use crate::cli::host;
use crate::propose::llm::{KeySource, Secret};
use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    time::Duration,
};

/// A password manager may ask its user first.
const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of a key's line at most.
const LONGEST: u64 = 64 << 10;

/// A variable of the environment.
pub(super) struct FromVariable(pub(super) String);

impl KeySource for FromVariable {
    fn key(&self) -> Result<Option<Secret>, String> {
        let value = host::set(&self.0).and_then(|value| Secret::new(&value));
        value.map(Some).ok_or_else(|| format!("has no key: {name} is not set; export {name}=… first", name = self.0))
    }
}

/// A command. It is run once, and again when what it printed was refused.
pub(super) struct FromCommand {
    command: String,
    printed: Mutex<Option<Secret>>,
}

impl FromCommand {
    pub(super) fn new(command: &str) -> Self {
        Self { command: command.to_owned(), printed: Mutex::default() }
    }
}

impl KeySource for FromCommand {
    fn key(&self) -> Result<Option<Secret>, String> {
        // Held while the command runs: those who ask together get one run's key.
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if printed.is_none() {
            *printed = Some(run(&self.command).map_err(|why| format!("has no key: key_command {why}; try it in a shell"))?);
        }
        Ok(printed.clone())
    }

    fn refused(&self) -> bool {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// Runs a command for its first line. What it printed appears in no message.
fn run(command: &str) -> Result<Secret, String> {
    let words = shell_words::split(command).ok().filter(|w| !w.is_empty()).ok_or("is not a command")?;
    let [program, arguments @ ..] = &words[..] else { return Err("is not a command".into()) };
    // Its own words on standard error may hold anything, and the cockpit owns the terminal.
    let spawned = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|e| format!("cannot be started ({e})"))?;
    let (sent, told) = mpsc::channel();
    let out = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = out.map(|out| out.take(LONGEST).read_to_end(&mut bytes));
        drop(read);
        let _ = sent.send(bytes);
    });
    let Ok(bytes) = told.recv_timeout(LIMIT) else {
        end(&mut child);
        return Err(format!("printed no key within {} s", LIMIT.as_secs()));
    };
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("ended badly ({status})"));
    }
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().and_then(Secret::new).ok_or_else(|| "printed nothing in its first line".to_owned())
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::redact;

    #[test]
    fn a_command_is_run_once_until_its_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let count = dir.path().join("count");
        let script = format!("echo x >> {0}; printf 'from-a-command-%s\\nmore\\n' $(wc -l < {0})", count.display());
        let source = FromCommand::new(&shell_words::join(["sh", "-c", &script]));
        let key = |n: u32| Secret::new(&format!("from-a-command-{n}"));
        assert_eq!((source.key().unwrap(), source.key().unwrap()), (key(1), key(1)));
        assert!(source.refused());
        assert_eq!(source.key().unwrap(), key(2));
        assert!(!redact::ours().text("it is from-a-command-2").contains("command-2"));
    }

    #[test]
    fn a_command_without_a_key_says_so_and_not_what_it_printed() {
        for (command, says) in [
            ("no-such-program-at-all", "cannot be started"),
            ("sh -c 'echo hush-hush-hush; exit 3'", "ended badly"),
            ("sh -c 'echo; echo hush-hush-hush'", "printed nothing in its first line"),
            ("'", "is not a command"),
        ] {
            let why = FromCommand::new(command).key().unwrap_err();
            assert!(why.contains(says) && !why.contains("hush") && !why.contains('\n'), "{why}");
        }
        let why = FromVariable("NO_SUCH_VARIABLE_AT_ALL".into()).key().unwrap_err();
        assert_eq!(why, "has no key: NO_SUCH_VARIABLE_AT_ALL is not set; export NO_SUCH_VARIABLE_AT_ALL=… first");
    }
}
