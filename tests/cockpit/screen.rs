//! trialdeck behind a pseudo-terminal: keys in, a screen out. Nothing sleeps: a test waits for what stands on the screen.

use super::support::Place;
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// Longest wait for anything: the machine may do other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a program in it.
pub(crate) struct Term {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    tty: PathBuf,
    heard: Vec<u8>,
}

impl Term {
    /// Starts trialdeck in a terminal of this many columns and rows.
    pub(crate) fn open(place: &Place, size: (u16, u16), args: &[&str]) -> Self {
        Self::start(place, size, env!("CARGO_BIN_EXE_trialdeck"), args)
    }

    /// Starts any program with the environment of the place.
    pub(crate) fn start(place: &Place, (cols, rows): (u16, u16), program: &str, args: &[&str]) -> Self {
        let pty = native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(place.path(""));
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for (name, dir) in [("HOME", "home"), ("TMPDIR", "tmp"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")] {
            command.env(name, place.path(dir));
        }
        command.env("EDITOR", place.path("editor"));
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("PS1", "shell> ");
        let child = pty.slave.spawn_command(command).unwrap();
        // Else the reader never sees the end.
        drop(pty.slave);
        let tty = pty.master.tty_name().unwrap();
        let keys = pty.master.take_writer().unwrap();
        let mut out = pty.master.try_clone_reader().unwrap();
        let (tx, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                if tx.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master: pty.master, child, keys, bytes, screen: vt100::Parser::new(rows, cols, 0), tty, heard: Vec::new() }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.process_id().unwrap()).unwrap()
    }

    /// Every byte that the program has written.
    pub(crate) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// What stands on the screen.
    pub(crate) fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Takes what comes within `patience`; how many bytes, and whether the program has ended.
    fn take(&mut self, patience: Duration) -> (usize, bool) {
        match self.bytes.recv_timeout(patience) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                self.heard.extend_from_slice(&bytes);
                (bytes.len(), false)
            }
            Err(RecvTimeoutError::Timeout) => (0, false),
            Err(RecvTimeoutError::Disconnected) => (0, true),
        }
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, good: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !good(self.screen.screen()) {
            let (_, over) = self.take(Duration::from_millis(50));
            let late = Instant::now() > end;
            assert!(!(late || over) || good(self.screen.screen()), "never saw {what} (ended: {over}) on\n{}", self.text());
        }
    }

    /// Waits for a text.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        self.until(&format!("{text:?}"), |s| s.contents().contains(text));
    }

    /// Waits until a text is gone.
    #[track_caller]
    pub(crate) fn loses(&mut self, text: &str) {
        self.until(&format!("the end of {text:?}"), |s| !s.contents().contains(text));
    }

    /// Presses keys, or types a text.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn resize(&mut self, cols: u16, rows: u16) {
        self.screen.screen_mut().set_size(rows, cols);
        self.master.resize(PtySize { rows, cols, ..PtySize::default() }).unwrap();
    }

    /// Waits until nothing was written for `quiet`; fails when that never happens.
    #[track_caller]
    pub(crate) fn falls_silent(&mut self, quiet: Duration) {
        let end = Instant::now() + PATIENCE;
        let mut last = (0, false);
        while Instant::now() < end {
            last = self.take(quiet);
            if last == (0, false) {
                return;
            }
        }
        panic!("it goes on writing ({last:?}):\n{}", self.text());
    }

    /// Whether the terminal is in cooked mode: lines, echo and signals by keys.
    pub(crate) fn cooked(&self) -> bool {
        use rustix::{fs, termios};
        let tty = fs::open(&self.tty, fs::OFlags::RDWR | fs::OFlags::NOCTTY, fs::Mode::empty()).unwrap();
        let modes = termios::tcgetattr(&tty).unwrap().local_modes;
        modes.contains(termios::LocalModes::ICANON | termios::LocalModes::ECHO | termios::LocalModes::ISIG)
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.take(Duration::from_millis(200)).0 > 0 {}
                return status;
            }
            self.take(Duration::from_millis(20));
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
        }
    }

    /// Asserts that the terminal is as a shell wants it.
    #[track_caller]
    pub(crate) fn given_back(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pasted text is not bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's own");
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
