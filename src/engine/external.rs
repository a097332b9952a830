//! Programs that propose (`--proposer command:"…"`): what each is granted, where it works, and the command as its shim gets it.
//!
//! A program sees a copy of one tree and what the user granted it by name, and nothing else: it is a stranger like a run's code.
//! Values of variables that it is granted go from hand to hand and are on no disk. `effects::command` sees it through.

use super::confinement::{self, Granted, Who};
use super::rig::{OURS, Rig};
use crate::lineage::Slot;
use crate::model::{Failure, Label, ProposalId, redact};
use crate::run::environment::base;
use crate::run::{Executor, Observation, Spec, durable};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Bytes that a program may write where the task sets no limit.
const OUTPUT: u64 = 2 << 30;
/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);
/// What lies beside the tree.
const DIGEST: &str = "DIGEST.md";
const BRIEF: &str = "BRIEF.md";

/// A program that proposes, as the study was made with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Its name in facts: `command/NAME`.
    pub name: String,
    /// Run by `/bin/sh -c`.
    pub run: String,
    /// It may use the network.
    #[serde(default)]
    pub network: bool,
    /// Variables of the user's that it gets.
    #[serde(default)]
    pub env: Vec<String>,
    /// What it may read beside the tree and its own interpreter.
    #[serde(default)]
    pub read: Vec<PathBuf>,
    /// Wall-clock limit of one proposal, in seconds.
    pub wall_secs: f64,
    /// Largest resident memory of its processes together, in bytes; the task's of a run when null.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
}

impl Program {
    /// What it is granted, for people.
    pub fn granted(&self) -> String {
        let network = self.network.then(|| "the network".to_owned());
        let env = self.env.iter().map(|name| format!("${name}"));
        let read = self.read.iter().map(|path| path.display().to_string());
        let all: Vec<String> = network.into_iter().chain(env).chain(read).collect();
        if all.is_empty() { "nothing but a copy of the code".into() } else { all.join(", ") }
    }

    /// Says who proposes by which command, and what it was granted.
    pub fn words(&self) -> String {
        format!("the proposer command/{} runs `{}` and is granted {}", self.name, self.run, self.granted())
    }

    /// Refuses a grant of what runs are kept from: the evaluator's files, hidden data, the repository with them.
    ///
    /// Errors: in words, which and what to do.
    pub fn may_read(&self, shut: &[PathBuf]) -> Result<(), String> {
        for path in &self.read {
            let real = path.canonicalize().map_err(|e| format!("{}, granted to command/{}: {e}", path.display(), self.name))?;
            if let Some(closed) = shut.iter().find(|s| s.starts_with(&real) || real.starts_with(s)) {
                return Err(format!(
                    "{} cannot be granted to command/{}: {} is kept from whoever proposes; grant a directory beside it",
                    path.display(),
                    self.name,
                    closed.display()
                ));
            }
        }
        Ok(())
    }
}

/// A program and what belongs to it while the engine runs.
pub(super) struct Seat {
    /// It.
    pub(super) program: Program,
    /// Its number: names its directory and its user.
    pub(super) number: u32,
    /// Held by the proposal that it works at.
    pub(super) busy: tokio::sync::Mutex<()>,
    /// Variables that it is granted, with their values.
    pub(super) private: BTreeMap<String, String>,
}

impl Seat {
    pub(super) fn all(programs: Vec<Program>, granted: &BTreeMap<String, String>) -> Vec<Self> {
        let private = |p: &Program| granted.iter().filter(|(n, _)| p.env.contains(n)).map(|(n, v)| (n.clone(), v.clone())).collect();
        programs
            .into_iter()
            .zip(0..)
            .map(|(program, number)| Self { private: private(&program), program, number, busy: tokio::sync::Mutex::new(()) })
            .collect()
    }
}

impl Rig {
    /// The program of this name.
    pub(super) fn seat(&self, name: &str) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.program.name == name)
    }

    /// Variables that programs are granted and that are not set here, in words.
    pub fn grants_unset(&self) -> Vec<String> {
        let missing = |seat: &Seat| {
            let names: Vec<&String> = seat.program.env.iter().filter(|n| !seat.private.contains_key(*n)).collect();
            names
                .into_iter()
                .map(|n| format!("${n}, granted to command/{}, is not set where this engine was started", seat.program.name))
                .collect()
        };
        self.seats.iter().flat_map(|seat| -> Vec<String> { missing(seat) }).collect()
    }

    /// Where a program works.
    pub(super) fn seat_dir(&self, seat: &Seat) -> PathBuf {
        self.layout.work().join(format!("proposer-{}", seat.number))
    }

    /// Notes which run of a program is the last, so that a later engine can end it.
    pub(super) fn note_seat(&self, seat: &Seat, run_dir: &Path) -> std::io::Result<()> {
        let file = self.seat_file(seat);
        let noted =
            file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| durable::write_json(&file, &run_dir, durable::Keep::Whole));
        noted.map_err(|e| std::io::Error::new(e.kind(), format!("{} cannot be written: {e}", file.display())))
    }

    fn seat_file(&self, seat: &Seat) -> PathBuf {
        self.layout.root().join("proposals").join(format!("last-{}.json", seat.number))
    }

    /// Asks for the end of what a program was at when its engine went away. True once nothing of it is left.
    pub(super) fn end_seat(&self, seat: &Seat) -> bool {
        let Some(dir) = durable::read_json::<PathBuf>(&self.seat_file(seat)) else { return true };
        match self.executor.observe(&dir) {
            Observation::Absent | Observation::Ended(_) | Observation::Lost { .. } | Observation::Rebooted => true,
            Observation::Starting { .. } | Observation::Running { .. } => {
                let why = Failure::new(Label::Killed, "the engine that it worked for is gone");
                if let Err(error) = self.executor.cancel(&dir, &why) {
                    super::log::line(&format!("a program of an earlier engine cannot be ended: {error}"));
                }
                false
            }
        }
    }

    /// Ends what programs of an earlier engine are still at: what they propose would come to nobody.
    pub fn end_seats(&self) {
        self.seats.iter().for_each(|seat| {
            self.end_seat(seat);
        });
    }

    /// Makes a program's directory equal to a tree, with brief and digest beside it.
    pub(super) fn prepare_seat(&self, seat: &Seat, tree: &str, brief: &str, digest: &str) -> anyhow::Result<()> {
        let dir = self.seat_dir(seat);
        let owner = self.confinement.user(Who::Proposer(seat.number));
        let slot = Slot::new(&dir).owned_by(owner);
        slot.prepare(&self.store(), tree, &[])?;
        for ours in [OURS, "public"] {
            slot.remove_reserved(ours)?;
        }
        slot.make_reserved(&[&format!("{OURS}/home"), &format!("{OURS}/tmp")])?;
        let covered = |text: &str| redact::ours().text(text).into_owned();
        fs::write(dir.join(OURS).join(BRIEF), covered(brief))?;
        fs::write(dir.join(OURS).join(DIGEST), covered(digest))?;
        confinement::give(&dir.join(OURS), owner)?;
        Ok(())
    }

    /// What a program runs: its own command with the brief on standard input, in a sandbox that knows its directory and its grants.
    pub(super) fn seat_spec(&self, seat: &Seat, proposal: ProposalId) -> Spec {
        let program = &seat.program;
        let dir = self.as_seen(self.seat_dir(seat));
        let ours = dir.join(OURS);
        let (path, own) = self.programs();
        let mut env = base(&path, &ours.join("home"), &ours.join("tmp"));
        env.extend(own);
        // A variable of ours would stand before the one that was granted.
        env.retain(|name, _| !seat.private.contains_key(name));
        let word = |path: PathBuf| path.to_string_lossy().into_owned();
        env.extend([
            ("TRIALDECK_DIGEST".to_owned(), word(ours.join(DIGEST))),
            ("TRIALDECK_BRIEF".to_owned(), word(ours.join(BRIEF))),
            ("TRIALDECK_PROPOSAL".to_owned(), proposal.to_string()),
            ("TRIALDECK_WALL_SECONDS".to_owned(), program.wall_secs.to_string()),
            ("CUDA_VISIBLE_DEVICES".to_owned(), String::new()),
        ]);
        let mut spec = Spec {
            label: format!("{} {proposal}, command/{}", self.task.task.name, program.name),
            command: program.run.clone(),
            env,
            inherit: true,
            wall_secs: program.wall_secs,
            grace_secs: GRACE.as_secs_f64(),
            memory_bytes: program.memory_bytes.or(self.task.budget.memory_bytes),
            output_bytes: Some(self.task.budget.output_bytes.unwrap_or(OUTPUT)),
            watched_dirs: vec![dir.clone()],
            // It may wait for a server for as long as it likes.
            stall_secs: None,
            sandbox: None,
            locks: Vec::new(),
            cwd: dir.clone(),
        };
        let granted = Granted { read: program.read.clone(), write: vec![dir], gpus: Vec::new(), network: program.network };
        let setup = self.setup().map(|s| s.dir);
        self.confinement.contain(&mut spec, Who::Proposer(seat.number), granted, &self.task, setup.as_deref());
        spec.command = format!("exec <\"$TRIALDECK_BRIEF\"\n{}", spec.command);
        spec
    }

    /// Starts a program; what it is granted is handed over beside the spec.
    pub(super) fn start_seat(&self, seat: &Seat, dir: &Path, spec: &Spec) -> Result<(), crate::run::RunError> {
        let mut private = seat.private.clone();
        if !private.is_empty() {
            private.insert(redact::GRANTED.to_owned(), private.keys().cloned().collect::<Vec<_>>().join(","));
        }
        self.executor.submit_with(dir, spec, &private)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        Program {
            name: "claude".into(),
            run: "claude -p".into(),
            network: false,
            env: Vec::new(),
            read: Vec::new(),
            wall_secs: 600.0,
            memory_bytes: None,
        }
    }

    #[test]
    fn grants_are_said_and_never_reach_the_evaluator() {
        assert_eq!(program().words(), "the proposer command/claude runs `claude -p` and is granted nothing but a copy of the code");
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("repo/hidden")).unwrap();
        fs::create_dir(root.join("tools")).unwrap();
        let granted = |read: &str| Program { network: true, env: vec!["K".into()], read: vec![root.join(read)], ..program() };
        assert_eq!(granted("tools").granted(), format!("the network, $K, {}", root.join("tools").display()));
        let shut = [root.join("repo")];
        assert_eq!(granted("tools").may_read(&shut), Ok(()));
        for bad in ["repo", "", "repo/hidden"] {
            assert!(granted(bad).may_read(&shut).unwrap_err().contains("is kept from whoever proposes"), "{bad}");
        }
        assert!(granted("gone").may_read(&shut).is_err());
    }
}
