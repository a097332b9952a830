//! What a trial printed, on a person's terminal: the cockpit, `log`, `show`, `diff`, each in a pseudo-terminal. None of its
//! sequences may arrive as one.

use super::ground::{Ground, STUDY};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::{
    io::{Read, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// Longest wait for a screen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What must not arrive: the beginnings of sequences, each with the word that the attack put behind it.
const SEQUENCES: &[&str] = &[
    "\x1b]52;c;dGQ",
    "\x1b]0;td-",
    "\x1b]2;td-",
    "\x1b]8;;http://127.0.0.1/td-",
    "\x1bP1;1|td-",
    "\x1b_td-",
    "\x1b[2J\x1b[Htd-",
    "\x1b[999;999H",
    "\x1b[?1049htd-",
    "\x1b[?25ltd-",
    "\x1b[31;45;7m",
    "\x1b[6n",
    "\x1bc",
    "\u{9d}0;td-",
    "\u{9b}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{feff}",
    "\x1b[31mtd-name",
    "\x08",
];

struct Pty {
    bytes: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
    seen: Vec<u8>,
    screen: vt100::Parser,
}

impl Pty {
    fn start(ground: &Ground, arguments: &[&str]) -> Self {
        let (rows, cols) = (40, 120);
        let pty = native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).unwrap();
        let wanted = ground.command(arguments);
        let mut command = CommandBuilder::new(wanted.get_program());
        command.args(wanted.get_args());
        command.cwd(ground.place.path(""));
        command.env_clear();
        for (name, value) in wanted.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
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
        Self { bytes, keys, child, _master: pty.master, seen: Vec::new(), screen: vt100::Parser::new(rows, cols, 0) }
    }

    /// Waits until the screen shows one of these, or the program has ended.
    fn until(&mut self, words: &[&str]) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.screen.screen().contents();
            if words.iter().any(|w| text.contains(w)) {
                return true;
            }
            match self.bytes.recv_timeout(Duration::from_millis(50)) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.seen.extend(bytes);
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) if Instant::now() > end => return false,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Takes what comes until nothing does for this long, or the program has ended.
    fn quiet(&mut self, patience: Duration) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.bytes.recv_timeout(patience) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.seen.extend(bytes);
                }
                Err(_) => return,
            }
        }
    }

    fn press(&mut self, keys: &str) {
        let _ = self.keys.write_all(keys.as_bytes());
        let _ = self.keys.flush();
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arrived(what: &str, seen: &[u8]) -> Vec<String> {
    let found = SEQUENCES.iter().filter(|s| seen.windows(s.len()).any(|w| w == s.as_bytes()));
    let mut wrong: Vec<String> = found.map(|s| format!("{what} lets {s:?} through")).collect();
    // The titles that reach the terminal are ours.
    for title in String::from_utf8_lossy(seen).split("\x1b]").skip(1).map(|t| t.split(['\x07', '\x1b']).next().unwrap_or_default()) {
        if title.contains("td-") || !title.starts_with("0;") {
            wrong.push(format!("{what} sends the command {title:?} to the terminal"));
        }
    }
    // Only the cockpit rings, and it never rings for what a log says.
    if what != "the cockpit" && seen.contains(&7) {
        wrong.push(format!("{what} lets a bell through"));
    }
    wrong
}

/// Looks at a trial in the cockpit and in what prints; `word` is of its log and must be seen, or nothing was looked at.
pub(crate) fn look(ground: &Ground, trial: &str, word: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for arguments in
        [&["log", STUDY, trial] as &[&str], &["show", STUDY, trial], &["show", STUDY], &["tree", STUDY], &["diff", STUDY, trial]]
    {
        let mut pty = Pty::start(ground, arguments);
        pty.quiet(PATIENCE);
        wrong.extend(arrived(&arguments.join(" "), &pty.seen));
        let text = String::from_utf8_lossy(&pty.seen).into_owned();
        if text.trim().is_empty() || arguments[0] == "log" && !text.contains(word) {
            wrong.push(format!("`{}` does not print what it should: {text}", arguments.join(" ")));
        }
    }
    let mut cockpit = Pty::start(ground, &["attach", STUDY, "--watch"]);
    if !cockpit.until(&[trial]) {
        wrong.push(format!("the cockpit never showed {trial}:\n{}", cockpit.screen.screen().contents()));
    }
    // To the last trial, then through all panes, each as large as the screen.
    let mut drawn = String::new();
    for keys in ["G", "2", "3z", "z4z", "z5z", "z6z", "z7z", "z8z", "z9z"] {
        cockpit.press(keys);
        cockpit.quiet(Duration::from_millis(150));
        drawn.push_str(&cockpit.screen.screen().contents());
    }
    if !drawn.contains(word) {
        wrong.push(format!("no pane of the cockpit showed {word:?}:\n{}", cockpit.screen.screen().contents()));
    }
    wrong.extend(arrived("the cockpit", &cockpit.seen));
    if !cockpit.screen.screen().alternate_screen() {
        wrong.push("the cockpit lost its screen".into());
    }
    wrong
}
