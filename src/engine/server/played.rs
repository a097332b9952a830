//! A driver played by a test: it records what the test says and answers wishes when the test wants it to. Behind it lie a
//! real journal in a temporary directory and, once served, a real socket.

use super::{Bound, PATIENCE, Patience};
use crate::engine::{
    aloud::Aloud,
    handle::{Handle, Wish},
};
use crate::journal::Journal;
use crate::model::*;
use crate::protocol::{Ack, Command, socket::socket_path, update};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
};

/// Facts that a client may lag behind.
pub(crate) const BEHIND: usize = 16;

pub(crate) struct Played {
    pub(crate) handle: Handle,
    journal: Journal,
    wishes: mpsc::Receiver<Wish>,
    clock: i64,
}

pub(crate) fn settings() -> Settings {
    Settings {
        task: "wind-power".into(),
        title: "Wind power".into(),
        metric: "mse".into(),
        seed: 7,
        limits: Limits { trials: Some(12), ..Limits::default() },
        wall_secs: 30.0,
        ..sample::settings()
    }
}

pub(crate) fn created(settings: Settings, tree: &str) -> Event {
    Event::StudyCreated {
        format: FORMAT,
        study: "wind-1".into(),
        settings: Box::new(settings),
        commit: "c0".into(),
        tree: tree.into(),
        source: "a directory".into(),
        evaluator: None,
    }
}

pub(crate) fn started() -> Event {
    let slot = |n: u32| SlotInfo { name: format!("CPU {n}"), gpus: Vec::new(), threads: 1 };
    Event::EngineStarted { pid: 42, host: "here".into(), version: "0.1.0".into(), slots: vec![slot(0), slot(1)] }
}

pub(crate) fn proposed(n: u32, parent: u32, hypothesis: &str) -> Event {
    Event::Proposed {
        proposal: ProposalId(n),
        trial: TrialId(n),
        proposer: "knobs/tpe".into(),
        parents: vec![TrialId(parent)],
        operator: Operator::Improve,
        hypothesis: hypothesis.into(),
        surface: Some("optimizer".into()),
        expected: None,
        knobs: BTreeMap::new(),
        accepted: false,
        basis: 0,
    }
}

pub(crate) fn noted(text: &str) -> Event {
    Event::Noted { warning: false, text: text.into() }
}

/// The socket of a study whose runtime directory is its own.
pub(crate) fn socket_of(study_dir: &Path) -> PathBuf {
    socket_path(study_dir, None, study_dir, rustix::process::geteuid().as_raw())
}

impl Played {
    /// A new study with a living engine.
    pub(crate) fn create(study_dir: &Path) -> Self {
        let mut journal = Journal::create(study_dir).unwrap();
        let records = journal.append(Millis(1_000), &[created(settings(), "tree0"), started()]).unwrap();
        let mut study = create(&records[0]).unwrap();
        apply(&mut study, &records[1]);
        Self::with(study_dir, journal, study)
    }

    /// The same study with another engine.
    pub(crate) fn resume(study_dir: &Path) -> Self {
        let opened = Journal::open(study_dir).unwrap();
        let mut played = Self::with(study_dir, opened.journal, opened.study.unwrap());
        played.record(started());
        played
    }

    fn with(study_dir: &Path, journal: Journal, study: Study) -> Self {
        let (wishes, heard) = mpsc::channel(8);
        let clock = study.at.0;
        let handle = Handle {
            dir: study_dir.to_owned(),
            study: Arc::new(RwLock::new(study)),
            wishes,
            updates: broadcast::channel(BEHIND).0,
            aloud: Aloud::new(BEHIND),
        };
        Self { handle, journal, wishes: heard, clock }
    }

    /// Journals a fact, applies it, and tells everybody; returns its number.
    pub(crate) fn record(&mut self, event: Event) -> u64 {
        self.clock += 1_000;
        let record = self.journal.append(Millis(self.clock), &[event]).unwrap().remove(0);
        let mut study = self.handle.study.write().unwrap();
        apply(&mut study, &record);
        let told = update(&study, record);
        drop(study);
        // Nobody may be listening.
        let _ = self.handle.updates.send(Arc::new(told));
        self.seq()
    }

    pub(crate) fn seq(&self) -> u64 {
        self.handle.study.read().unwrap().seq
    }

    /// The next wish.
    pub(crate) async fn wish(&mut self) -> Wish {
        self.wishes.recv().await.unwrap()
    }

    /// Records a note for the next wish, and acknowledges it.
    pub(crate) async fn grant(&mut self) -> Command {
        let wish = self.wish().await;
        let seq = self.record(noted("granted"));
        let _ = wish.reply.send(Ok(Ack { seq, trial: None, proposal: None }));
        wish.command
    }

    /// Serves until the sender is used or dropped.
    pub(crate) async fn serve(&self) -> (oneshot::Sender<()>, JoinHandle<()>) {
        self.serve_with(PATIENCE).await
    }

    pub(super) async fn serve_with(&self, patience: Patience) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let bound = Bound::new(&self.handle.dir, &socket_of(&self.handle.dir)).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = self.handle.clone();
        let serving = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            bound.serve_with(handle, shutdown, patience).await;
        });
        (stop, serving)
    }
}
