//! A place of its own for every test: studies, home and runtime directory below one temporary directory, a toy task whose
//! runs take a tenth of a second, and a guard that leaves no process behind.

mod processes;
mod toy;

pub(crate) use processes::{alive, kill};
pub(crate) use toy::Toy;

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Longest wait for anything: the machine may do other work.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(5);

/// Waits for a named condition.
pub(crate) fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(LOOK);
    }
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Out {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that the message contains all of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word) || self.out.contains(word), "no `{word}` in {self:#?}");
        }
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// A command in the background.
pub(crate) struct Running {
    child: Child,
    streams: [PathBuf; 2],
    words: String,
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Presses its Ctrl-C.
    pub(crate) fn interrupt(&self) {
        processes::interrupt(self.pid());
    }

    /// What it has said on standard output so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.streams[0]).unwrap_or_default()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Out {
        // A whole study may take longer than that on a busy machine; what counts is that it still has something to say.
        let (mut end, mut heard) = (Instant::now() + PATIENCE, 0);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let said = self.streams.iter().map(|s| fs::metadata(s).map_or(0, |m| m.len())).sum::<u64>();
            if said > heard {
                (end, heard) = (Instant::now() + PATIENCE, said);
            }
            if Instant::now() > end {
                let _ = self.child.kill();
                panic!("`{}` does not end; it said {:?}", self.words, self.streams.map(|s| fs::read_to_string(s).unwrap_or_default()));
            }
            std::thread::sleep(LOOK);
        };
        let [out, err] = self.streams.map(|s| String::from_utf8_lossy(&fs::read(s).unwrap_or_default()).into_owned());
        Out { code: status.code().unwrap_or(-1), out, err }
    }
}

/// One test's own corner of the machine.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    root: PathBuf,
    counter: AtomicU32,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("td-").tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for sub in ["home", "run", "tmp", "said"] {
            fs::create_dir(root.join(sub)).unwrap();
        }
        // A toy notes its starts outside of its directory, for the test to see; what isolates is tested for itself.
        fs::create_dir_all(root.join("home/.config/trialdeck")).unwrap();
        fs::write(root.join("home/.config/trialdeck/config.toml"), "[run]\nisolation = \"none\"\n").unwrap();
        Self { dir, root, counter: AtomicU32::new(0) }
    }

    pub(crate) fn path(&self, inner: impl AsRef<Path>) -> PathBuf {
        self.root.join(inner)
    }

    /// A command with nothing of the environment of the test but PATH.
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_trialdeck"), args)
    }

    /// Starts a command with its output in files.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let streams = ["out", "err"].map(|s| self.path(format!("said/{number}.{s}")));
        let [out, err] = streams.each_ref().map(|s| fs::File::create(s).unwrap());
        let words = format!("{command:?}");
        let child = command.stdout(out).stderr(err).spawn().unwrap_or_else(|e| panic!("{words}: {e}"));
        Running { child, streams, words }
    }

    /// Starts trialdeck.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        self.start(self.command(args))
    }

    /// Runs trialdeck to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Out {
        self.spawn(args).end()
    }

    /// Runs git in a directory of this place.
    #[track_caller]
    pub(crate) fn git(&self, dir: &Path, args: &[&str]) -> String {
        let who =
            ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"];
        let mut command = self.program("git", &who);
        command.args(args).current_dir(dir);
        let out = self.start(command).end();
        assert_eq!(out.code, 0, "git {args:?}: {out:#?}");
        out.out
    }

    pub(crate) fn study(&self, name: &str) -> PathBuf {
        self.path("state/trialdeck/studies").join(name)
    }

    /// `show NAME --json`.
    #[track_caller]
    pub(crate) fn show(&self, name: &str) -> Value {
        self.run(&["show", name, "--json"]).exits(0).json()
    }

    /// Bytes of the whole lines of a study's journal.
    pub(crate) fn journal_bytes(&self, name: &str) -> Vec<u8> {
        let mut bytes = fs::read(self.study(name).join("journal.jsonl")).unwrap_or_default();
        bytes.truncate(bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1));
        bytes
    }

    /// The facts of a study.
    pub(crate) fn journal(&self, name: &str) -> Vec<Value> {
        let bytes = self.journal_bytes(name);
        String::from_utf8(bytes).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// Waits until `show` answers as wanted.
    pub(crate) fn shown(&self, name: &str, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait_until(what, || Some(self.run(&["show", name, "--json"])).filter(|o| o.code == 0).map(|o| o.json()).filter(|v| good(v)))
    }

    /// The living engine of a study.
    pub(crate) fn engine(&self, name: &str) -> Option<i32> {
        processes::with_arguments(&["engine", &self.study(name).to_string_lossy()])
    }

    /// Lines that runs of the toy task wrote when they started, outside of their slots.
    pub(crate) fn starts(&self) -> Vec<String> {
        fs::read_to_string(self.path("starts")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        while processes::kill_below(&self.root) && Instant::now() < end {
            std::thread::sleep(LOOK);
        }
        // Read-only directories of evaluators would outlive a test that does not run as root.
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(self.dir.path()).status();
    }
}

/// One trial of a document.
#[track_caller]
pub(crate) fn trial<'a>(document: &'a Value, id: &str) -> &'a Value {
    let trials = document["trials"].as_array().unwrap();
    trials.iter().find(|t| t["id"] == id).unwrap_or_else(|| panic!("no {id} in {document:#}"))
}
