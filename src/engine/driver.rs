//! The driver: tells the machine what happened, makes its facts durable, and keeps in flight what is wanted.
//!
//! One task owns the journal and is alone in changing the study. Effects run beside it and report back; a restart after a
//! crash is the same call, for every effect first looks whether it was done already.

use super::aloud::Aloud;
use super::clock::now;
use super::effects::{self, Report};
use super::handle::{Handle, Wish};
use super::machine::{self, Effect, EffectId, Input};
use super::recording::{Player, Turn};
use super::rig::{LEAST_ROOM, Rig};
use crate::journal::{Journal, JournalError, head};
use crate::model::{Draft, Event, Failure, Label, Record, SetupStage, Study, TrialId, redact};
use crate::protocol::{self, Ack, Command, Signal, Update};
use crate::run::Executor;
use crate::watch::{Diverged, Seen};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, mpsc, watch};

/// Facts that a slow client may lag behind before it gets a new snapshot.
const UPDATES: usize = 1024;
/// Signals that may wait for a slow client.
const SIGNALS: usize = 256;
/// Facts after which the snapshot cache is written anew.
const SNAPSHOT_EVERY: u64 = 2000;
/// Time until an effect that changed nothing is tried again; it doubles with each try.
const COOL_DOWN: Duration = Duration::from_secs(1);
/// Doublings of that time at most: 4 minutes.
const DOUBLINGS: u32 = 8;
/// Longest wait for work off the loop, once the engine leaves: the next engine must not meet it.
const LAST_WORK: Duration = Duration::from_secs(20);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Tries of an effect after which a study that is over waits for it no longer; its next engine tries again.
const LAST_TRIES: u32 = 3;

struct Flight {
    kill: watch::Sender<Option<String>>,
    task: tokio::task::JoinHandle<()>,
}

/// The driver of one study.
pub struct Driver {
    rig: Arc<Rig>,
    journal: Journal,
    handle: Handle,
    wishes: mpsc::Receiver<Wish>,
    /// Edits of people that were tried and can be taken.
    tried: (mpsc::Sender<Wish>, mpsc::Receiver<Wish>),
    reports: (mpsc::Sender<Report>, mpsc::Receiver<Report>),
    seen: mpsc::UnboundedReceiver<Seen>,
    flights: BTreeMap<EffectId, Flight>,
    cooling: BTreeMap<EffectId, Instant>,
    tries: BTreeMap<EffectId, u32>,
    no_room: bool,
    leave: Option<watch::Receiver<bool>>,
    head_due: bool,
    snapshot_seq: u64,
    journal_identity: Option<(u64, u64)>,
    notes: Vec<String>,
    /// The recording that the study replays.
    player: Option<Player>,
}

impl Driver {
    /// Takes a study. `notes` are told to people once the engine runs.
    pub fn new(rig: Rig, journal: Journal, study: Study, seen: mpsc::UnboundedReceiver<Seen>, notes: Vec<String>) -> Self {
        let (wish_tx, wishes) = mpsc::channel(64);
        let dir = rig.layout.root().to_owned();
        let handle = Handle {
            dir: dir.clone(),
            study: Arc::new(RwLock::new(study)),
            wishes: wish_tx,
            updates: broadcast::channel(UPDATES).0,
            aloud: Aloud::new(SIGNALS),
        };
        Self {
            rig: Arc::new(rig),
            journal,
            handle,
            wishes,
            tried: mpsc::channel(64),
            reports: mpsc::channel(256),
            seen,
            flights: BTreeMap::new(),
            cooling: BTreeMap::new(),
            tries: BTreeMap::new(),
            no_room: false,
            leave: None,
            head_due: true,
            snapshot_seq: 0,
            journal_identity: file_identity(&dir.join(crate::journal::FILE)),
            notes,
            player: None,
        }
    }

    /// Goes by a recording.
    pub fn replaying(self, player: Player) -> Self {
        Self { player: Some(player), ..self }
    }

    /// What a server needs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Works until the study is over and nothing is in flight, or until `leave` says so. Runs go on without the engine.
    ///
    /// Gives the journal back, and with it the lock: the study is free once the caller lets it go.
    pub async fn work(mut self, leave: watch::Receiver<bool>) -> (Journal, Result<(), JournalError>) {
        let worked = self.until_over(leave).await;
        // What was not heard in time was not done, and its sender can be told so for certain.
        self.wishes.close();
        while let Ok(wish) = self.wishes.try_recv() {
            let _ = wish.reply.send(Err("the engine is leaving; nothing was recorded".into()));
        }
        (self.journal, worked)
    }

    async fn until_over(&mut self, mut leave: watch::Receiver<bool>) -> Result<(), JournalError> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.leave = Some(leave.clone());
        let started = Input::EngineStarted {
            pid: std::process::id(),
            host,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: self.rig.slots.clone(),
        };
        self.tell(started).await?;
        self.look_for_setup().await?;
        for text in std::mem::take(&mut self.notes) {
            self.tell(Input::Note { warning: true, text }).await?;
        }
        self.look_at_room().await?;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            self.reconcile();
            let given_up = |id: &EffectId| self.tries.get(id).is_some_and(|n| *n >= LAST_TRIES);
            if self.flights.is_empty() && self.cooling.keys().all(given_up) && self.read(|s| s.is_over()) {
                break;
            }
            tokio::select! {
                Some(report) = self.reports.1.recv() => self.take_report(report).await?,
                Some(wish) = self.wishes.recv() => self.hear(wish).await?,
                Some(wish) = self.tried.1.recv() => self.take_wish(wish).await?,
                Some(seen) = self.seen.recv() => self.take_seen(seen),
                _ = second.tick() => self.tick().await?,
                _ = leave.changed() => break,
            }
        }
        for flight in self.flights.values() {
            flight.task.abort();
        }
        last_work(&self.rig).await;
        // Answers that were broken off were paid for.
        while let Ok(report) = self.reports.1.try_recv() {
            if let Some(input @ Input::Spent { .. }) = report.input {
                let events = self.read(|study| machine::step(study, input, now()));
                self.record(events).await?;
            }
        }
        self.record(vec![Event::EngineStopped]).await?;
        self.snapshot()();
        self.write_head();
        Ok(())
    }

    /// Writing the snapshot cache of the study as it is now.
    fn snapshot(&self) -> impl FnOnce() + Send + 'static {
        let (study, place, rig) = (self.read(Study::clone), self.journal.snapshot_place(), Arc::clone(&self.rig));
        move || {
            if let Err(error) = place.save(&study) {
                super::log::line(&format!("no snapshot: {error}"));
            }
            drop(rig);
        }
    }

    /// What was built may have gone with a cache that somebody emptied.
    async fn look_for_setup(&mut self) -> Result<(), JournalError> {
        let built = |s: &Study| {
            let setup = s.setup.as_ref().filter(|e| !s.is_over() && matches!(e.stage, SetupStage::Preparing | SetupStage::Ready))?;
            setup.hash.clone()
        };
        match self.read(built) {
            Some(hash) if !self.rig.find_setup(&hash) => {
                let detail = format!("{} is not there any more", self.rig.layout.setup_built(&hash).display());
                self.tell(Input::SetupGone { detail }).await
            }
            _ => Ok(()),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Study) -> T) -> T {
        look(&self.handle.study.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Tells the machine, and everything that follows from it.
    async fn tell(&mut self, input: Input) -> Result<(), JournalError> {
        let events = self.read(|study| machine::step(study, input, now()));
        self.record(events).await?;
        self.settle().await
    }

    async fn settle(&mut self) -> Result<(), JournalError> {
        loop {
            let events = self.read(|study| machine::step(study, Input::Settle, now()));
            let events = self.player.as_ref().map_or(events.clone(), |player| player.settle(events));
            if events.is_empty() && !self.play_on().await? {
                return Ok(());
            }
            self.record(events).await?;
        }
    }

    /// Goes one step further in a recording; false where there is none, or nothing is due.
    async fn play_on(&mut self) -> Result<bool, JournalError> {
        let study = Arc::clone(&self.handle.study);
        let turn = match &mut self.player {
            Some(player) => player.next(&study.read().unwrap_or_else(std::sync::PoisonError::into_inner)),
            None => return Ok(false),
        };
        match turn {
            Turn::Wait => return Ok(false),
            Turn::Take(id, input) => {
                let events = self.read(|study| machine::step(study, input, now()));
                self.record(events).await?;
                // What came too late to count is done again.
                if self.read(|study| machine::wanted(study).contains_key(&id)) {
                    self.cool(id, 0);
                }
            }
            Turn::Record(events, body) => {
                if let Some((proposal, revision, draft)) = body
                    && let Err(error) = self.rig.store_draft(proposal, revision, &draft)
                {
                    super::log::line(&format!("{proposal} could not be stored: {error}"));
                    return Ok(false);
                }
                self.record(events).await?;
            }
        }
        Ok(true)
    }

    /// Records facts. A full disk is waited out: nothing is decided meanwhile.
    async fn record(&mut self, events: Vec<Event>) -> Result<(), JournalError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut told = false;
        while let Some(full) = self.try_record(&events)? {
            if !told {
                super::log::line(&full);
                told = true;
            }
            // Whoever wants something is told why nothing happens.
            while let Ok(wish) = self.wishes.try_recv() {
                let _ = wish.reply.send(Err(full.clone()));
            }
            let Some(leave) = &mut self.leave else { continue };
            if tokio::time::timeout(Duration::from_secs(1), leave.wait_for(|l| *l)).await.is_ok() {
                return Err(JournalError::Unwritable { detail: full });
            }
        }
        Ok(())
    }

    /// Makes facts durable, then true, then known; the reason when there is no room for them.
    fn try_record(&mut self, events: &[Event]) -> Result<Option<String>, JournalError> {
        let records = match self.journal.append(now(), events) {
            Ok(records) => records,
            Err(error @ JournalError::DiskFull { .. }) => return Ok(Some(error.to_string())),
            Err(error) => return Err(error),
        };
        for record in records {
            if let Some(player) = &mut self.player {
                player.heard(&record.event);
            }
            let update = self.apply(record);
            // Nobody listening is no error.
            let _ = self.handle.updates.send(Arc::new(update));
        }
        self.head_due = true;
        if self.journal.seq() >= self.snapshot_seq + SNAPSHOT_EVERY {
            self.snapshot_seq = self.journal.seq();
            tokio::task::spawn_blocking(self.snapshot());
        }
        Ok(None)
    }

    fn apply(&self, record: Record) -> Update {
        let mut study = self.handle.study.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        crate::model::apply(&mut study, &record);
        let rows = record.event.trial().and_then(|id| protocol::row(&study, id)).into_iter().collect();
        Update { header: protocol::header(&study), rows, record }
    }

    /// Starts what is wanted and not in flight, passes a changed wish to kill on, and drops what is no longer wanted.
    fn reconcile(&mut self) {
        let wanted = self.read(|study| {
            let mut wanted = machine::wanted(study);
            if let Some(player) = &self.player {
                wanted.retain(|id, effect| player.works(study, *id, effect));
            }
            wanted
        });
        self.flights.retain(|id, flight| {
            let keep = wanted.contains_key(id);
            if !keep {
                flight.task.abort();
            }
            keep
        });
        let time = Instant::now();
        self.cooling.retain(|id, until| *until > time && wanted.contains_key(id));
        self.tries.retain(|id, _| wanted.contains_key(id));
        for (id, effect) in wanted {
            let kill = match &effect {
                Effect::Run { kill, .. } | Effect::Setup { kill, .. } | Effect::Prepare { kill } | Effect::Evaluate { kill } => {
                    kill.clone()
                }
                Effect::Propose { .. }
                | Effect::Rewrite { .. }
                | Effect::Rebase { .. }
                | Effect::Check { .. }
                | Effect::Label
                | Effect::Unseal => None,
            };
            if let Some(flight) = self.flights.get(&id) {
                flight.kill.send_if_modified(|before| {
                    let new = *before != kill;
                    before.clone_from(&kill);
                    new
                });
            } else if !self.cooling.contains_key(&id) && !self.no_room {
                let (sender, receiver) = watch::channel(kill);
                let (rig, study) = (Arc::clone(&self.rig), Arc::clone(&self.handle.study));
                let work = effects::start(rig, study, id, effect, receiver, self.reports.0.clone(), self.handle.aloud.clone());
                let reports = self.reports.0.clone();
                let task = tokio::spawn(async move {
                    // A panic in one effect must become a fact, not the end of the engine.
                    let inner = AbortOnDrop(tokio::spawn(work));
                    if let Err(error) = inner.join().await
                        && error.is_panic()
                    {
                        let _ = reports.send(Report { id, input: Some(effects::broken(id)), done: true }).await;
                    }
                });
                self.flights.insert(id, Flight { kill: sender, task });
            }
        }
    }

    async fn take_report(&mut self, report: Report) -> Result<(), JournalError> {
        if report.done && self.flights.remove(&report.id).is_none() {
            return Ok(());
        }
        let tries = self.tries.get(&report.id).copied().unwrap_or(0);
        match report.input {
            // Without room on the disk nothing was tried in earnest: it stays wanted until there is some.
            Some(input) if report.done && machines_fault(&input) && !self.rig.has_room() => {
                super::log::line(&format!("{:?} waits for room on the disk: {input:?}", report.id));
                self.cool(report.id, tries);
                return Ok(());
            }
            Some(Input::Note { text, .. }) if tries > 0 => super::log::line(&text),
            // What was spent is in the recording.
            Some(Input::Spent { .. }) if self.player.is_some() => return Ok(()),
            Some(input) => {
                let due = match &mut self.player {
                    Some(player) if report.done => player.keep(report.id, input),
                    Some(_) | None => Some(input),
                };
                // What is not due yet is taken in its turn.
                let Some(input) = due else { return self.settle().await };
                let input = self.stored(input);
                self.tell(input).await?;
            }
            None => {}
        }
        if report.done && self.read(|study| machine::wanted(study).contains_key(&report.id)) {
            self.cool(report.id, tries);
        }
        Ok(())
    }

    fn cool(&mut self, id: EffectId, tries: u32) {
        self.tries.insert(id, tries.saturating_add(1));
        self.cooling.insert(id, Instant::now() + COOL_DOWN * 2_u32.pow(tries.min(DOUBLINGS)));
    }

    /// Starts nothing while the disk is full, and says so once.
    async fn look_at_room(&mut self) -> Result<(), JournalError> {
        let now = !self.rig.has_room();
        let before = std::mem::replace(&mut self.no_room, now);
        let text = match (before, self.no_room) {
            (false, true) => format!(
                "less than {} MiB are free on the disk of {}: nothing new starts until there is room",
                LEAST_ROOM >> 20,
                self.handle.dir.display()
            ),
            (true, false) => {
                self.cooling.clear();
                "there is room on the disk again: the study goes on".to_owned()
            }
            _ => return Ok(()),
        };
        super::log::line(&text);
        self.tell(Input::Note { warning: self.no_room, text }).await
    }

    /// The body of a draft must be durable before the fact that speaks of it.
    fn stored(&self, input: Input) -> Input {
        if let Input::Rebased { trial, revision, parents, result: Ok(draft) } = &input {
            // The edits were stored before, so they bring in no key that they did not.
            let proposal = self.read(|s| s.trial(*trial)?.proposal);
            let refused = |why: String| Input::Rebased { trial: *trial, revision: *revision, parents: parents.clone(), result: Err(why) };
            return match proposal.map(|p| self.rig.store_draft(p, *revision, draft)) {
                Some(Err(error)) => refused(format!("its new revision could not be stored: {error}")),
                Some(Ok(())) | None => input,
            };
        }
        let (proposal, revision, draft) = match &input {
            Input::Drafted { proposal, draft, .. } if self.read(|study| study.asked.contains(proposal)) => (*proposal, 1, draft),
            Input::Redrafted { trial, revision, draft } => match self.read(|study| study.trial(*trial)?.proposal) {
                Some(proposal) => (proposal, *revision, draft),
                None => return input,
            },
            _ => return input,
        };
        let parent =
            self.read(|s| s.trial_of(proposal).and_then(|t| t.parents.first()).or(s.proposals.get(&proposal)?.parents.first()).copied());
        let refused = self.brings_a_key(draft, parent).or_else(|| {
            self.rig.store_draft(proposal, revision, draft).err().map(|error| format!("the proposal could not be stored: {error}"))
        });
        match (refused, &input) {
            (None, _) => input,
            (Some(detail), Input::Redrafted { trial, .. }) => Input::NotRedrafted { trial: *trial, revision, detail },
            (Some(detail), _) => Input::NoDraft { proposal, detail, gave_up: false },
        }
    }

    /// Why a draft must not be stored, if its edits bring in a key of the user's.
    fn brings_a_key(&self, draft: &Draft, parent: Option<TrialId>) -> Option<String> {
        draft.key_in_edits(redact::ours(), |path| {
            let tree = self.read(|s| s.trial(parent?)?.tree.clone())?;
            String::from_utf8(self.rig.store().read(&tree, path).ok()??).ok()
        })
    }

    /// A wish from a client. An edit is tried off the loop first: one that cannot be taken is refused to the person, and the
    /// proposal stays as it was.
    async fn hear(&mut self, wish: Wish) -> Result<(), JournalError> {
        let brought = match &wish.command {
            Command::Propose { draft, parent, .. } => self.brings_a_key(draft, Some(parent.unwrap_or_else(|| self.read(|s| s.incumbent)))),
            Command::Edit { draft, proposal, .. } => {
                let parent = self.read(|s| s.trials.iter().find(|t| t.proposal == Some(*proposal))?.parents.first().copied());
                self.brings_a_key(draft, parent)
            }
            _ => None,
        };
        if let Some(why) = brought {
            let _ = wish.reply.send(Err(why));
            return Ok(());
        }
        let Command::Edit { draft, .. } = &wish.command else { return self.take_wish(wish).await };
        let trial = match self.read(|study| machine::command(study, wish.command.clone(), now())) {
            Ok((_, ack)) => ack.trial,
            Err(refusal) => {
                let _ = wish.reply.send(Err(refusal));
                return Ok(());
            }
        };
        let Some(trial) = trial else { return self.take_wish(wish).await };
        let (rig, study, draft, tried) = (Arc::clone(&self.rig), Arc::clone(&self.handle.study), draft.clone(), self.tried.0.clone());
        tokio::spawn(async move {
            let work = move || effects::check::refusal(&rig, &study, trial, &draft);
            match tokio::task::spawn_blocking(work).await {
                Ok(None) => drop(tried.send(wish).await),
                Ok(Some(why)) => drop(wish.reply.send(Err(format!("your edit was not taken: {why}; the proposal is as it was")))),
                Err(error) => drop(wish.reply.send(Err(error.to_string()))),
            }
        });
        Ok(())
    }

    async fn take_wish(&mut self, wish: Wish) -> Result<(), JournalError> {
        let result = self.command(wish.command).await?;
        // A client that left does not want to know.
        let _ = wish.reply.send(result);
        Ok(())
    }

    async fn command(&mut self, command: Command) -> Result<Result<Ack, String>, JournalError> {
        let decided = self.read(|study| machine::command(study, command.clone(), now()));
        let (events, mut ack) = match decided {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // The body must be durable before the fact that speaks of it.
        if let Command::Propose { draft, .. } | Command::Edit { draft, .. } = &command {
            let revision = events.iter().find_map(|e| match e {
                Event::Proposed { proposal, .. } => Some((*proposal, 1)),
                Event::Revised { revision, .. } => ack.proposal.map(|p| (p, *revision)),
                _ => None,
            });
            if let Some((proposal, revision)) = revision
                && let Err(error) = self.rig.store_draft(proposal, revision, draft)
            {
                return Ok(Err(format!("the proposal could not be stored: {error}")));
            }
        }
        if !events.is_empty()
            && let Some(full) = self.try_record(&events)?
        {
            return Ok(Err(full));
        }
        ack.seq = self.journal.seq();
        self.settle().await?;
        Ok(Ok(ack))
    }

    fn take_seen(&mut self, seen: Seen) {
        let signal = match seen {
            Seen::Points(batch) => Signal::Points { batch },
            Seen::LogGrew { run, stdout, stderr } => Signal::LogGrew { run, stdout, stderr },
            Seen::Diverged(Diverged { run, key, step, value }) => {
                let value = crate::model::number::short(value);
                let failure = Failure::new(Label::Diverged, format!("{key} became {value} at step {step}"));
                if let Err(error) = self.rig.executor.cancel(&self.rig.layout.run(run), &failure) {
                    super::log::line(&format!("{run}: {error}"));
                }
                return;
            }
            Seen::Note(text) => {
                super::log::line(&text);
                return;
            }
        };
        let _ = self.handle.aloud.signals.send(Arc::new(signal));
    }

    async fn tick(&mut self) -> Result<(), JournalError> {
        // A study whose directory was deleted or replaced has no place for facts any more.
        let journal = self.handle.dir.join(crate::journal::FILE);
        if file_identity(&journal) != self.journal_identity {
            super::log::line(&format!("{} is gone or another file now: leaving", journal.display()));
            return Err(JournalError::Missing { path: journal });
        }
        self.look_at_room().await?;
        self.settle().await?;
        if std::mem::take(&mut self.head_due) {
            self.write_head();
        }
        if self.handle.aloud.signals.receiver_count() > 0 {
            let (rig, signals) = (Arc::clone(&self.rig), self.handle.aloud.signals.clone());
            let owners = self.read(|s| s.runs_in_flight().map(|(run, _)| run).collect::<Vec<_>>());
            tokio::task::spawn_blocking(move || {
                if let Some(telemetry) = rig.sample(now(), &owners) {
                    let _ = signals.send(Arc::new(Signal::Telemetry { telemetry: Box::new(telemetry) }));
                }
            });
        }
        Ok(())
    }

    fn write_head(&self) {
        let result = self.read(|study| head::write(&self.handle.dir, study, Some(std::process::id())));
        if let Err(error) = result {
            super::log::line(&format!("no head: {error}"));
        }
    }
}

/// An aborted task leaves its blocking thread at work, on a slot or in the store. Each of them holds the rig.
async fn last_work(rig: &Arc<Rig>) {
    let end = Instant::now() + LAST_WORK;
    while Arc::strong_count(rig) > 1 && Instant::now() < end {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a report tells of a fault that was not the code's.
fn machines_fault(input: &Input) -> bool {
    let fault = |failure: &Failure| failure.label == Label::Infrastructure;
    match input {
        Input::NoDraft { .. } | Input::Note { .. } => true,
        Input::Checked { result: Err(failure), .. } | Input::Scored { result: Err(failure), .. } => fault(failure),
        // A command that ran is not what waits for room: its repeat does.
        Input::Ended { failure: Some(failure), seconds, .. } => fault(failure) && *seconds <= 0.0,
        _ => false,
    }
}

/// Device and inode of a file; none when it cannot be seen.
fn file_identity(path: &std::path::Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<(), tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
