//! One study per tier, with everything beside it that a trial must not reach: keys in the environment and in the home, the
//! user's repository with the labels, listeners, a process of the user's, directories of other programs.

use super::{
    listeners::Listeners,
    support::{Out, Place, Running, alive, wait_until},
    tiers::Tier,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The study's name.
pub(crate) const STUDY: &str = "ground";
/// Who runs the program where it must not be root.
const NOBODY: u32 = 64_977;

/// A secret of the user's and what it means when a run has it.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) breach: &'static str,
    pub(crate) value: String,
}

/// The ground of one tier.
pub(crate) struct Ground {
    pub(crate) place: Place,
    pub(crate) tier: Tier,
    pub(crate) listeners: Listeners,
    pub(crate) canaries: Vec<Canary>,
    /// The labels as JSON, for attacks that know them.
    pub(crate) truth: String,
    /// In names of files and on command lines of this ground's attacks, and nowhere else on the machine.
    pub(crate) mark: String,
    /// Score of the baseline.
    pub(crate) honest: f64,
    victim: Child,
    as_user: bool,
}

/// Numbers without a source of randomness.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn write(path: PathBuf, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

impl Ground {
    /// Makes everything and starts the study; none, with the reason, where this machine does not offer the tier.
    pub(crate) fn new(tier: Tier) -> Result<Self, String> {
        let place = Place::new();
        let root = place.path("");
        // As open as a shared machine: what protects is to be the tier, not a directory that happens to be closed.
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        let word = root.file_name().unwrap().to_string_lossy().replace(['-', '.'], "");
        let mark = format!("td-mark-{word}");
        let canary = |breach: &'static str, what: &str| Canary { breach, value: format!("canary{what}{word}0123456789") };
        let canaries = vec![
            canary("keys", "env"),
            canary("keys", "aws"),
            canary("keys", "home"),
            canary("keys", "file"),
            canary("labels", "labels"),
            canary("labels", "cache"),
            canary("runs", "output"),
            canary("journal", "journal"),
            canary("memory", "victim"),
        ];
        let value = |what: &str| canaries.iter().find(|c| c.value.starts_with(&format!("canary{what}"))).unwrap().value.clone();
        let listeners = Listeners::start(&place.path("run/agent.sock"), &place.path("run/daemon.sock"), &mark);
        for (path, what, mode) in [
            ("home/.ssh/id_ed25519", value("home"), 0o600),
            ("home/.aws/credentials", value("file"), 0o600),
            ("home/.netrc", value("file"), 0o600),
            ("home/.cache/huggingface/token", value("home"), 0o600),
            ("home/notes.txt", value("home"), 0o644),
            ("home/.bash_history", value("home"), 0o600),
            ("elsewhere/labels.json", value("cache"), 0o644),
            ("evil/sitecustomize.py", "EVIL = 1\n".into(), 0o644),
            ("trip/.keep", String::new(), 0o644),
        ] {
            write(place.path(path), &what, mode);
        }
        fs::set_permissions(place.path("trip"), fs::Permissions::from_mode(0o777)).unwrap();
        let as_user = tier.as_user();
        let victim = victim(&place, &mark, &value("victim"), as_user);
        let (labels, journal) = (value("labels"), value("journal"));
        let mut ground = Self { place, tier, listeners, canaries, truth: String::new(), mark, honest: f64::NAN, victim, as_user };
        ground.task(&labels);
        ground.start(&journal)?;
        Ok(ground)
    }

    /// The user's repository: a task, its data, its labels.
    fn task(&mut self, canary: &str) {
        let place = &self.place;
        let mut numbers = Numbers(7);
        let mut rows = |n: usize| -> Vec<(f64, f64)> {
            (0..n).map(|_| (numbers.next() * 4.0 - 2.0, numbers.next() - 0.5)).map(|(x, e)| (x, 2.0 * x + 0.3 + e)).collect()
        };
        let (train, test) = (rows(200), rows(40));
        let key = |i: usize| format!("id{i:03}");
        let labels: serde_json::Map<String, Value> = test.iter().enumerate().map(|(i, (_, y))| (key(i), json!(y))).collect();
        let inputs: Vec<Value> = test.iter().enumerate().map(|(i, (x, _))| json!([key(i), x])).collect();
        self.truth = Value::from(labels.clone()).to_string();
        let places = json!({
            "root": place.path("").to_string_lossy(),
            "study": place.study(STUDY).to_string_lossy(),
            "name": STUDY,
            "home": place.path("home").to_string_lossy(),
            "repo": place.path("repo").to_string_lossy(),
            "cache": place.path("elsewhere").to_string_lossy(),
            "runtime": place.path("run").to_string_lossy(),
            "state": place.path("state").to_string_lossy(),
            "locks": place.path("tmp").to_string_lossy(),
            "trip": place.path("trip").to_string_lossy(),
            "evil_path": [place.path("evil").to_string_lossy()],
            "unix": place.path("run/agent.sock").to_string_lossy(),
            "open_unix": place.path("run/daemon.sock").to_string_lossy(),
            "abstract": self.mark,
            "mark": self.mark,
            "program": self.program().to_string_lossy(),
            "victim": self.victim.id(),
            "tcp": self.listeners.tcp,
            "tcp6": self.listeners.tcp6,
            "udp": self.listeners.udp,
            "meeting": self.listeners.meeting,
        });
        for (path, text) in [
            ("task.toml", include_str!("ground/task.toml").replace("@PLACES@", &places.to_string())),
            ("train.py", include_str!("ground/train.py").to_owned()),
            ("kit.py", include_str!("ground/kit.py").to_owned()),
            ("evaluate.py", include_str!("ground/evaluate.py").to_owned()),
            ("truth.json", json!({ "note": canary, "labels": labels }).to_string()),
            ("data/train.json", json!(train).to_string()),
            ("data/inputs.json", json!(inputs).to_string()),
            ("data/notes.md", "What the data are.\n".to_owned()),
            ("lib/__init__.py", String::new()),
        ] {
            write(place.path("repo").join(path), &text, 0o644);
        }
        let repo = place.path("repo");
        place.git(&repo, &["init", "-q"]);
        place.git(&repo, &["add", "."]);
        place.git(&repo, &["commit", "-qm", "first"]);
    }

    /// The binary that is run: a copy of it where another user must reach it.
    fn program(&self) -> PathBuf {
        if self.as_user { self.place.path("trialdeck") } else { PathBuf::from(env!("CARGO_BIN_EXE_trialdeck")) }
    }

    /// A command of trialdeck's, with keys and traps in its environment as in a researcher's shell.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let program = self.program();
        let mut command = if self.as_user {
            let id = NOBODY.to_string();
            let words = ["--reuid", &id, "--regid", &id, "--clear-groups", "--", &program.to_string_lossy()].map(str::to_owned);
            let words: Vec<&str> = words.iter().map(String::as_str).chain(args.iter().copied()).collect();
            self.place.program("setpriv", &words)
        } else {
            self.place.program(&program.to_string_lossy(), args)
        };
        let value = |n: usize| self.canaries[n].value.as_str();
        // A Python in somebody's home would be refused by the tiers with another user.
        if Path::new("/usr/bin/python3").exists() {
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
        }
        command
            .env("OPENAI_API_KEY", format!("sk-{}", value(0)))
            .env("AWS_SECRET_ACCESS_KEY", value(1))
            .env("HF_TOKEN", format!("hf_{}", value(0)))
            .env("MY_PRIVATE_SETTING", value(0))
            .env("PYTHONPATH", self.place.path("evil"))
            .env("PYTHONSTARTUP", self.place.path("evil/sitecustomize.py"))
            .env("SSH_AUTH_SOCK", self.place.path("run/agent.sock"))
            .env("BASH_ENV", self.place.path("evil/sitecustomize.py"));
        command
    }

    /// Runs trialdeck to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Out {
        self.spawn(args).end()
    }

    /// Starts trialdeck.
    pub(crate) fn spawn(&self, args: &[&str]) -> Running {
        self.place.start(self.command(args))
    }

    fn start(&mut self, canary: &str) -> Result<(), String> {
        if self.as_user {
            fs::copy(env!("CARGO_BIN_EXE_trialdeck"), self.program()).unwrap();
            // What belongs to the suite, it keeps.
            let own = format!("{NOBODY}:{NOBODY}");
            let dirs: Vec<String> =
                ["home", "run", "tmp", "repo", "elsewhere"].map(|d| self.place.path(d).to_string_lossy().into_owned()).into();
            let status = Command::new("chown").arg("-R").arg(&own).args(&dirs).status().unwrap();
            assert!(status.success());
            fs::create_dir_all(self.place.path("state")).unwrap();
            let status = Command::new("chown").arg(&own).arg(self.place.path("state")).status().unwrap();
            assert!(status.success());
        }
        let isolation = self.tier.argument();
        let repo = self.place.path("repo");
        let out = self.run(&[
            "run",
            &repo.to_string_lossy(),
            "--detach",
            "--name",
            STUDY,
            "--proposer",
            "researcher",
            "--autonomy",
            "auto",
            "--slots",
            "2",
            "--isolation",
            isolation,
            "--json",
        ]);
        if out.code == 2 {
            return Err(out.err.lines().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing").to_owned());
        }
        assert_eq!(out.code, 0, "{out:#?}");
        let shown = wait_until("the baseline", || Some(self.show()).filter(|s| s["trials"][0]["status"] == "done"));
        self.honest = shown["trials"][0]["score"].as_f64().unwrap_or_else(|| panic!("the baseline has no score: {shown:#}"));
        if shown["isolation"] != self.tier.letter() {
            return Err(format!("the study says that it is isolated by {}", shown["isolation"]));
        }
        self.other_run(canary);
        Ok(())
    }

    /// A trial of somebody else's, with outputs that nobody is to copy, and words in the journal that nobody is to read.
    fn other_run(&self, canary: &str) {
        let output = self.canaries.iter().find(|c| c.breach == "runs").unwrap().value.clone();
        let code = format!("def after():\n    kit.rewrite(lambda said: said.update(note=\"{output}\"))\n");
        let patch = self.hand_in("other", &code);
        let done =
            self.run(&["propose", STUDY, "--patch", &patch.to_string_lossy(), "-m", canary, "--parent", "t0000", "--wait", "--json"]);
        assert_eq!(done.json()["status"], "done", "{done:#?}");
    }

    /// Writes an edit of train.py that puts code into the proposal's place.
    pub(crate) fn hand_in(&self, name: &str, code: &str) -> PathBuf {
        let code = code.replace("@TRUTH@", &self.truth);
        let path = self.place.path(format!("shots/{name}.txt"));
        let place = "# the proposal's place\n";
        write(path.clone(), &format!("train.py\n<<<<<<< SEARCH\n{place}=======\n{code}\n{place}>>>>>>> REPLACE\n"), 0o644);
        path
    }

    /// `show --json` of the study.
    pub(crate) fn show(&self) -> Value {
        let out = self.run(&["show", STUDY, "--json"]);
        if out.code == 0 { out.json() } else { Value::Null }
    }

    pub(crate) fn study(&self) -> PathBuf {
        self.place.study(STUDY)
    }

    /// Whether the user's process is still there; a new one takes the place of one that is not.
    pub(crate) fn victim_alive(&self) -> bool {
        alive(self.victim_pid())
    }

    pub(crate) fn victim_pid(&self) -> i32 {
        i32::try_from(self.victim.id()).unwrap()
    }

    /// Another victim in the place of one that was ended. Its number is not known to attacks any more.
    pub(crate) fn replace_victim(&mut self) {
        let _ = self.victim.wait();
        let value = self.canaries.iter().find(|c| c.breach == "memory").unwrap().value.clone();
        self.victim = victim(&self.place, &self.mark, &value, self.as_user);
    }

    /// Places outside of the study in which an attack may leave something.
    pub(crate) fn common_places() -> [&'static Path; 3] {
        ["/dev/shm", "/tmp", "/var/tmp"].map(Path::new)
    }
}

/// A process of the user's with a secret in its environment.
fn victim(place: &Place, mark: &str, secret: &str, as_user: bool) -> Child {
    let id = NOBODY.to_string();
    // Whoever it runs as, it finds this one.
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let words = [python, "-c", "import time\ntime.sleep(3600)", mark];
    let mut command = if as_user {
        let mut command = place.program("setpriv", &["--reuid", &id, "--regid", &id, "--clear-groups", "--"]);
        command.args(words);
        command
    } else {
        place.program(words[0], &words[1..])
    };
    command.env("VICTIM_SECRET", secret).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}
