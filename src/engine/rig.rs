//! What the effects of one study work with: the task, the store, the executor, the pristine evaluator, the watcher.

use super::cast::Cast;
use super::confinement::{self, Confinement, Granted, Who};
use super::external::{Program, Seat};
use super::grants::Grant;
use super::layout::Layout;
use crate::evaluate::{self, EvaluateError, Evaluation, Pristine, SelfReport};
use crate::lineage::{Record, Rules, Slot, Store};
use crate::model::{Draft, Failure, KnobValue, Label, Millis, ProposalId, RunId, SlotInfo, Telemetry, redact};
use crate::review::flags::TaskFacts;
use crate::run::setup::Built;
use crate::run::{EnvPlan, Executor, Local, Spec, Stream, durable, environment, interpreter, packages};
use crate::task::{self, Gate, Scoring, Stage, Task};
use crate::watch::{self, Meters, Watcher};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Bytes of a log's end in which a self-reported score is looked for.
const LOG_TAIL: usize = 4 << 20;
/// Room on the disk below which nothing new is started: what fails without room fails through no fault of its code.
pub const LEAST_ROOM: u64 = 16 << 20;
/// Directory of ours inside a slot: home and temporary files of a run.
pub(super) const OURS: &str = ".trialdeck";

/// Everything that the effects of one study work with.
pub struct Rig {
    /// Where everything lies.
    pub layout: Layout,
    /// The task.
    pub task: Task,
    /// What proposals may touch.
    pub rules: Rules,
    /// What the task says that the flags of a proposal depend on.
    pub flagged: TaskFacts,
    /// Directories in which runs find programs.
    pub path: String,
    /// Runs commands.
    pub executor: Local,
    /// Keeps the evaluator pristine.
    pub pristine: Pristine,
    /// Reads metrics of running runs.
    pub watcher: Watcher,
    /// The places to run.
    pub slots: Vec<SlotInfo>,
    /// Where the locks on GPUs lie: the same for all studies of the machine.
    pub lock_dir: PathBuf,
    /// The user's cache directory.
    pub cache: Option<PathBuf>,
    /// Variables of the user's that the setup gets; they are written nowhere.
    pub private: BTreeMap<String, String>,
    /// What runs are kept from.
    pub confinement: Confinement,
    /// The agents.
    pub cast: Cast,
    /// Held by the one preflight that an agent asked for.
    pub(super) trying: Mutex<()>,
    /// Where slots lie that must be open to their users, if the study's own place is not.
    open: Option<PathBuf>,
    pub(super) seats: Vec<Seat>,
    copied: Mutex<bool>,
    grants: Vec<Grant>,
    setup: Mutex<Option<Built>>,
    store: Mutex<Store>,
    meters: Mutex<Option<Meters>>,
    surfaces: Vec<(String, GlobSet)>,
    vectors: Mutex<BTreeMap<String, BTreeMap<String, KnobValue>>>,
    shapes: Mutex<BTreeMap<String, Option<u64>>>,
    packages: OnceLock<Option<String>>,
}

/// What a rig is made of beside the study's directory.
pub struct Parts {
    /// The task.
    pub task: Task,
    /// Directories in which runs find programs.
    pub path: String,
    /// Our own binary, which the shim is.
    pub program: PathBuf,
    /// The places to run.
    pub slots: Vec<SlotInfo>,
    /// Where the locks on GPUs lie.
    pub lock_dir: PathBuf,
    /// The user's cache directory.
    pub cache: Option<PathBuf>,
    /// Variables of the user's that the setup gets; they are written nowhere.
    pub private: BTreeMap<String, String>,
    /// Data that runs may read, where they lie.
    pub grants: Vec<Grant>,
    /// What runs are kept from.
    pub confinement: Confinement,
    /// Programs that propose.
    pub proposers: Vec<Program>,
    /// Variables of the user's that one of them is granted; they are written nowhere.
    pub granted: BTreeMap<String, String>,
    /// The agents.
    pub cast: Cast,
}

/// The evaluator's copy; one whose preparation waits for the setup is sealed after it.
fn open_pristine(task: &Task, layout: &Layout) -> anyhow::Result<Pristine> {
    match Pristine::open(layout.evaluator()) {
        Err(EvaluateError::NotSealed { .. }) if task.setup.is_some() && task.evaluator.prepare.is_some() => {
            Ok(Pristine::new(layout.evaluator()))
        }
        opened => Ok(opened?),
    }
}

impl Rig {
    /// Opens a study's store and evaluator.
    pub fn open(layout: Layout, parts: Parts, watcher: Watcher) -> anyhow::Result<Self> {
        let store = Store::open(&layout.store())?;
        let rules = super::create::rules(&parts.task, &parts.grants)?;
        let mut surfaces = Vec::new();
        for surface in &parts.task.surfaces {
            let mut set = GlobSetBuilder::new();
            for path in &surface.paths {
                set.add(Glob::new(path)?);
            }
            surfaces.push((surface.name.clone(), set.build()?));
        }
        Ok(Self {
            rules,
            flagged: flagged(&parts.task),
            path: parts.path,
            executor: Local::new(parts.program),
            pristine: open_pristine(&parts.task, &layout)?,
            watcher,
            slots: parts.slots,
            lock_dir: parts.lock_dir,
            cache: parts.cache,
            private: parts.private,
            open: parts.confinement.settle(&layout.work())?,
            seats: Seat::all(parts.proposers, &parts.granted),
            copied: Mutex::new(false),
            cast: parts.cast,
            trying: Mutex::new(()),
            confinement: parts.confinement,
            grants: parts.grants,
            setup: Mutex::new(None),
            store: Mutex::new(store),
            meters: Mutex::new(None),
            surfaces,
            vectors: Mutex::new(BTreeMap::new()),
            shapes: Mutex::new(BTreeMap::new()),
            packages: OnceLock::new(),
            task: parts.task,
            layout,
        })
    }

    /// Whether there is room on the study's disk to start anything. A disk that cannot be asked has some.
    pub fn has_room(&self) -> bool {
        rustix::fs::statvfs(self.layout.root()).map_or(true, |fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= LEAST_ROOM)
    }

    /// Takes the environment of this content into use; false where it is not there or not whole.
    pub fn find_setup(&self, hash: &str) -> bool {
        let found = Built::at(&self.layout.setup_built(hash));
        let there = found.is_some();
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = found;
        there
    }

    /// What was built for the runs.
    pub fn setup(&self) -> Option<Built> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The Python that the run's command uses.
    pub fn interpreter(&self) -> Option<PathBuf> {
        let (path, _) = self.programs();
        interpreter::of_command(&self.task.run.command, &path, self.setup().as_ref().map(|s| s.dir.as_path()))
    }

    /// The version of the runs' Python and of its packages, asked once; none before the setup is there.
    pub(super) fn packages(&self) -> Option<&str> {
        if self.task.setup.is_some() && self.setup().is_none() {
            return None;
        }
        self.packages.get_or_init(|| packages::of_interpreter(&self.interpreter()?)).as_deref()
    }

    /// Directories in which runs find programs, what was built for them first, and the variables that belong to it.
    pub fn programs(&self) -> (String, BTreeMap<String, String>) {
        match self.setup() {
            Some(built) => (built.path(&self.path), built.variables()),
            None => (self.path.clone(), BTreeMap::new()),
        }
    }

    /// Data that runs may read, where they lie.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The object store.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the body of a revision, durably, before the fact that speaks of it.
    pub fn store_draft(&self, proposal: ProposalId, revision: u32, draft: &Draft) -> io::Result<()> {
        fs::create_dir_all(self.layout.proposal(proposal))?;
        let covered = |text: &str| redact::ours().text(text).into_owned();
        let draft = &Draft { hypothesis: covered(&draft.hypothesis), reasoning: covered(&draft.reasoning), ..draft.clone() };
        durable::write_json(&self.layout.revision(proposal, revision), draft, durable::Keep::Durable)
    }

    /// Reads the body of a revision.
    pub fn draft(&self, proposal: ProposalId, revision: u32) -> io::Result<Draft> {
        let path = self.layout.revision(proposal, revision);
        let bytes = fs::read(&path).map_err(|e| io::Error::new(e.kind(), format!("cannot read {}: {e}", path.display())))?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    /// The knob values of a tree; a tree never changes, so each is read once.
    pub fn knob_vector(&self, tree: &str, read: impl FnOnce() -> BTreeMap<String, KnobValue>) -> BTreeMap<String, KnobValue> {
        if let Some(known) = self.vectors.lock().unwrap_or_else(PoisonError::into_inner).get(tree) {
            return known.clone();
        }
        let values = read();
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner).insert(tree.to_owned(), values.clone());
        values
    }

    /// What a tree's code is beside the baseline's, as one number; read once, unless it could not be.
    pub(super) fn shape(&self, tree: &str, read: impl FnOnce() -> Option<Option<u64>>) -> Option<Option<u64>> {
        if let Some(known) = self.shapes.lock().unwrap_or_else(PoisonError::into_inner).get(tree) {
            return Some(*known);
        }
        let shape = read()?;
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner).insert(tree.to_owned(), shape);
        Some(shape)
    }

    /// The surface that the changed paths belong to: the one that the proposer names, if its paths hold all of them, else the
    /// first whose paths do. One file often holds several.
    pub fn surface_of(&self, changed: &[String], named: Option<&str>) -> Option<String> {
        let mut fitting = self.surfaces.iter().filter(|(_, set)| changed.iter().all(|p| set.is_match(p))).map(|(name, _)| name);
        let first = fitting.next()?;
        let named = named.filter(|named| *named == first.as_str() || fitting.any(|other| other == named));
        Some(named.map_or_else(|| first.clone(), str::to_owned))
    }

    /// The bound of a gate, for people.
    pub fn bound(gate: &Gate) -> String {
        use crate::model::number::short;
        match (gate.min, gate.max) {
            (Some(min), Some(max)) => format!("{} to {}", short(min), short(max)),
            (Some(min), None) => format!("at least {}", short(min)),
            (None, Some(max)) => format!("at most {}", short(max)),
            (None, None) => "anything".into(),
        }
    }

    /// Makes a slot's directory equal to a tree, with a home, a place for temporary files and the public data. What is returned
    /// may be saved while the run goes, and must be before the slot is prepared again.
    pub fn prepare(&self, slot: u32, tree: &str, run: RunId) -> anyhow::Result<Record> {
        let dir = self.layout.slot(slot);
        let owner = self.confinement.user(Who::Run(slot));
        let slot = Slot::new(&dir).owned_by(owner);
        self.confinement.expect_run();
        for grant in &self.grants {
            grant.check().map_err(anyhow::Error::msg)?;
        }
        let (_, record) = slot.make_equal(&self.store(), tree, &self.task.run.keep)?;
        slot.remove_reserved(OURS)?;
        if !self.grants.is_empty() {
            let taken = super::create::taken(&self.store(), tree, super::create::unseen(&self.task))?;
            slot.link(&super::grants::links(&self.grants, &taken))?;
        }
        let ours = dir.join(OURS);
        slot.make_reserved(&[&format!("{OURS}/home"), &format!("{OURS}/tmp")])?;
        confinement::give(&ours, owner)?;
        if let Some(public) = self.public() {
            let link = dir.join("public");
            if link.read_link().ok().as_deref() != Some(&public) {
                slot.remove_reserved("public")?;
                std::os::unix::fs::symlink(&public, &link)?;
            }
        }
        fs::create_dir_all(self.layout.run(run))?;
        self.confinement.expect_run();
        Ok(record)
    }

    /// The working directory of a slot, by the path that its runs know it by.
    fn slot_dir(&self, slot: u32) -> PathBuf {
        self.as_seen(self.layout.slot(slot))
    }

    /// A working directory by the path that is open to the user of what runs there.
    pub(super) fn as_seen(&self, dir: PathBuf) -> PathBuf {
        if self.open.is_some() { dir.canonicalize().unwrap_or(dir) } else { dir }
    }

    /// What the evaluator gives to every run, where its user can get to it.
    pub fn public(&self) -> Option<PathBuf> {
        let public = self.pristine.public()?;
        let Some(open) = &self.open else { return Some(public) };
        let copy = open.join("public");
        let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        if !*copied {
            match confinement::copy_open(&public, &copy) {
                Ok(()) => *copied = true,
                Err(error) => super::log::line(&format!("{} cannot be copied to {}: {error}", public.display(), copy.display())),
            }
        }
        Some(copy)
    }

    /// Directory of a run's preflight.
    pub fn preflight_dir(&self, run: RunId) -> PathBuf {
        self.layout.run(run).join("preflight")
    }

    /// What the preflight runs, where the task has one.
    pub fn preflight_spec(&self, run: RunId, slot: u32, seed: u64) -> Option<Spec> {
        let preflight = self.task.run.preflight.as_ref()?;
        let mut spec = self.open_spec(run, slot, seed);
        spec.label = format!("{} preflight {run}", self.task.task.name);
        spec.command.clone_from(&preflight.command);
        spec.wall_secs = preflight.wall.as_secs_f64();
        self.contain_run(&mut spec, slot);
        Some(spec)
    }

    /// Gates of the stage `preflight`: numbers in the last JSON object that the preflight printed.
    pub fn preflight_gates(&self, run: RunId) -> Result<(), Failure> {
        let gates: Vec<&Gate> = self.task.gates.iter().filter(|g| g.stage == Stage::Preflight).collect();
        if gates.is_empty() {
            return Ok(());
        }
        let text = self.tail(&self.preflight_dir(run), Stream::Stdout);
        let said: serde_json::Value =
            text.lines().rev().find_map(|l| serde_json::from_str(l).ok().filter(serde_json::Value::is_object)).unwrap_or_default();
        for gate in gates {
            let Some(value) = said.get(&gate.key).and_then(serde_json::Value::as_f64) else {
                let detail = format!("gate {}: the preflight printed no JSON object with this key", gate.key);
                return Err(Failure::new(Label::GateFailed, detail));
            };
            if !gate.holds(value) {
                let detail = format!("gate {} is {}, allowed is {}", gate.key, crate::model::number::short(value), Self::bound(gate));
                return Err(Failure::new(Label::GateFailed, detail));
            }
        }
        Ok(())
    }

    /// What a run runs: the task's command under its budget, in its sandbox, in an environment made from nothing.
    pub fn run_spec(&self, run: RunId, slot: u32, seed: u64) -> Spec {
        let mut spec = self.open_spec(run, slot, seed);
        self.contain_run(&mut spec, slot);
        spec
    }

    /// Puts code of a trial into the sandbox of a slot: it writes its directory, and reads what is granted to every run.
    fn contain_run(&self, spec: &mut Spec, slot: u32) {
        let mut read: Vec<PathBuf> = self.grants.iter().map(|g| g.at.clone()).collect();
        read.extend(self.public());
        let gpus = self.slots.get(slot as usize).map(|p| p.gpus.clone()).unwrap_or_default();
        let granted = Granted { read, write: vec![spec.cwd.clone()], gpus, network: false };
        let setup = self.setup().map(|s| s.dir);
        self.confinement.contain(spec, Who::Run(slot), granted, &self.task, setup.as_deref());
    }

    /// Puts an evaluation in `dir` into a sandbox of its own: it reads the pristine tree, hidden data and the artifacts, and
    /// writes nothing but its own directories.
    pub fn contain_evaluator(&self, spec: &mut Spec, slot: u32, dir: &Path, artifacts: &Path) -> io::Result<()> {
        let own = ["home", "tmp"].map(|name| dir.join(name));
        for path in &own {
            confinement::give(path, self.confinement.user(Who::Evaluator(slot)))?;
        }
        let mut read: Vec<PathBuf> = self.grants.iter().map(|g| g.at.clone()).collect();
        read.extend([self.layout.evaluator(), artifacts.to_owned()]);
        let granted = Granted { read, write: own.into(), gpus: Vec::new(), network: false };
        let setup = self.setup().map(|s| s.dir);
        self.confinement.contain(spec, Who::Evaluator(slot), granted, &self.task, setup.as_deref());
        Ok(())
    }

    /// The same before it is put into a sandbox.
    pub(super) fn open_spec(&self, run: RunId, slot: u32, seed: u64) -> Spec {
        let (task, cwd) = (&self.task, self.slot_dir(slot));
        let place = self.slots.get(slot as usize);
        let gpus: Vec<String> = place.map(|p| p.gpus.clone()).unwrap_or_default();
        let (command, seeded) = task.run.seeded(seed);
        let seed_variable = seeded.map(|(name, _)| name);
        let (path, mut own) = self.programs();
        own.extend(task.run.env.clone());
        let env = environment(&EnvPlan {
            path,
            home: cwd.join(OURS).join("home"),
            tmp: cwd.join(OURS).join("tmp"),
            gpus: gpus.clone(),
            threads: place.map_or(1, |p| p.threads),
            seed,
            seed_variable,
            public: self.public(),
            wall_secs: task.budget.wall.as_secs_f64(),
            run: run.to_string(),
            task: own,
        });
        let wall = task.budget.wall.as_secs_f64();
        Spec {
            label: format!("{} {run}", task.task.name),
            command,
            env,
            inherit: false,
            wall_secs: wall,
            grace_secs: task.budget.grace.as_secs_f64(),
            memory_bytes: task.budget.memory_bytes,
            output_bytes: task.budget.output_bytes,
            watched_dirs: vec![cwd.clone()],
            // A program that sleeps is over its budget sooner than it is stalled, unless the budget is long.
            stall_secs: Some((wall / 2.0).max(60.0)),
            sandbox: None,
            locks: gpus.iter().map(|uuid| self.lock_dir.join(format!("trialdeck-{uuid}.lock"))).collect(),
            cwd,
        }
    }

    /// Begins to read a run's metrics.
    pub fn watch(&self, run: RunId, slot: u32) {
        let dir = self.layout.run(run);
        let plan = watch::Plan {
            run,
            stdout: dir.join("stdout.log"),
            stderr: Some(dir.join("stderr.log")),
            patterns: self.patterns(),
            // Patterns come first; what they leave is read as well, so that naming one curve hides no other.
            automatic: true,
            printed: Vec::new(),
            root: self.layout.slot(slot),
            files: self.task.live.files.clone(),
            cache: dir.join("metrics.jsonl"),
            primary: self.task.live.primary.clone(),
        };
        if let Err(error) = self.watcher.add(plan) {
            super::log::line(&format!("{run} is not watched: {error}"));
        }
    }

    /// The task's patterns, and that of a self-reported score, so that its curve can be seen.
    fn patterns(&self) -> Vec<String> {
        let mut patterns = self.task.live.stdout.clone();
        let metric = &self.task.task.metric;
        let names_a_group =
            metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !metric.starts_with(|c: char| c.is_ascii_digit());
        // A pattern of the task's own reads it with its step already.
        let read = patterns.iter().any(|p| p.contains(&format!("(?P<{metric}>")));
        if let (Scoring::SelfReported(report), true, false) = (&self.task.evaluator.scoring, names_a_group, read) {
            patterns.push(report.pattern.replacen("(?P<value>", &format!("(?P<{metric}>"), 1));
        }
        patterns
    }

    /// The score that a run printed itself, where the task names one.
    pub fn self_reported(&self, run: RunId) -> Option<f64> {
        let Scoring::SelfReported(report) = &self.task.evaluator.scoring else { return None };
        let report = searched(report).ok()?;
        report.last_value(&self.tail(&self.layout.run(run), report.stream()))
    }

    /// The same from the whole log, under the rules.
    pub fn self_reported_score(&self, report: &task::SelfReport, run_dir: &Path, rules: &evaluate::Rules) -> Evaluation {
        let of_key = |key: &str| Some((key.to_owned(), searched(&task::SelfReport::of_key(report.stream, key)).ok()?));
        let others: Vec<_> = rules.gates.iter().filter_map(|gate| of_key(&gate.key)).collect();
        match searched(report) {
            Ok(report) => report.evaluate(&others, &self.executor, run_dir, rules),
            Err(error) => Evaluation::failed(Failure::new(Label::InvalidScore, error.to_string())),
        }
    }

    fn tail(&self, dir: &Path, stream: Stream) -> String {
        let end = self.executor.log(dir, stream, u64::MAX, 0).map_or(0, |part| part.end);
        let part = self.executor.log(dir, stream, end.saturating_sub(LOG_TAIL as u64), LOG_TAIL);
        part.map(|p| String::from_utf8_lossy(&p.bytes).into_owned()).unwrap_or_default()
    }

    /// Reads the machine's meters. None when they cannot be read.
    pub fn sample(&self, at: Millis, running: &[RunId]) -> Option<Telemetry> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if meters.is_none() {
            *meters = Meters::open(self.layout.root()).ok();
        }
        let pids: Vec<(u32, RunId)> = running
            .iter()
            .filter_map(|run| match self.executor.observe(&self.layout.run(*run)) {
                crate::run::Observation::Running { pid, .. } => Some((pid, *run)),
                _ => None,
            })
            .collect();
        meters.as_mut().map(|m| m.sample(at, |pid| pids.iter().find(|(p, _)| *p == pid).map(|(_, run)| *run)))
    }
}

/// What a task says that the flags of a proposal depend on.
fn flagged(task: &Task) -> TaskFacts {
    let seeds = match &task.run.seed {
        task::SeedForm::Env(name) => vec![name.clone()],
        task::SeedForm::Arg(form) => {
            let name = form.split(['=', ' ']).next().unwrap_or_default().trim_start_matches('-');
            vec![name.to_owned()].into_iter().filter(|n| !n.is_empty()).collect()
        }
        task::SeedForm::None => Vec::new(),
    };
    let hidden = task.data.iter().filter(|d| d.hidden).map(|d| d.path.clone());
    let evaluator = task.evaluator.files.iter().cloned().chain(hidden).collect();
    TaskFacts { metric: task.task.metric.clone(), seeds, evaluator }
}

/// What a task says of its score, for the room that reads logs.
fn searched(report: &task::SelfReport) -> Result<SelfReport, regex::Error> {
    let stream = match report.stream {
        task::Stream::Stdout => Stream::Stdout,
        task::Stream::Stderr => Stream::Stderr,
    };
    SelfReport::new(stream, &report.pattern)
}
