//! One thread that follows all running runs and tells what it sees.
//!
//! File events only wake it; what is new is found by looking, every 200 ms at the latest (100 ms without events), so that a point shows
//! within 250 ms. Points go to the cache of their run first, then to the sink, in at most 20 batches a second for each run.

use super::{
    discover::GlobError,
    followed::{BETWEEN_BATCHES, Followed},
    reader::PatternError,
    tail::Mood,
    wake::Wake,
};
use crate::model::{Batch, Millis, Point, RunId};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What to watch of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which run.
    pub run: RunId,
    /// Its standard output: patterns, and JSON objects that fill a line.
    pub stdout: PathBuf,
    /// Its standard error: only its size is told.
    pub stderr: Option<PathBuf>,
    /// `[live] stdout`: regular expressions, see `reader::Patterns::compile`.
    pub patterns: Vec<String>,
    /// Whether what trainers commonly print is read too, from the lines and for the keys that the patterns leave.
    pub automatic: bool,
    /// Keys that the task takes from standard output itself (`from = "stdout:KEY"`), read as `KEY: number` or `KEY=number`.
    pub printed: Vec<String>,
    /// The slot's directory.
    pub root: PathBuf,
    /// `[live] files`: globs relative to `root`.
    pub files: Vec<String>,
    /// The run's `metrics.jsonl`.
    pub cache: PathBuf,
    /// The metric whose first NaN or infinity is told; also the key of an unnamed group in a pattern.
    pub primary: Option<String>,
}

/// The first value of the primary metric that is no finite number.
#[derive(Debug, Clone, PartialEq)]
pub struct Diverged {
    /// Which run.
    pub run: RunId,
    /// Which metric.
    pub key: String,
    /// Where.
    pub step: f64,
    /// NaN or an infinity.
    pub value: f64,
}

/// What the watcher tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// New points; a very large batch is thinned, the cache has all.
    Points(Batch),
    /// The primary metric is no number any more. Told once, and once more after a restart.
    Diverged(Diverged),
    /// Sizes of the run's output, in bytes.
    LogGrew {
        /// Which run.
        run: RunId,
        /// Of standard output.
        stdout: u64,
        /// Of standard error.
        stderr: u64,
    },
    /// Something a person may want to know, in words.
    Note(String),
}

/// What a run gave in all, with what was seen before a restart.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Totals {
    /// The last value of each key.
    pub last: BTreeMap<String, f64>,
    /// Points.
    pub points: u64,
    /// The first non-finite value of the primary metric.
    pub diverged: Option<Diverged>,
    /// Lines that looked like none of their file's format.
    pub rubbish_lines: u64,
    /// Lines over 1 MiB, skipped.
    pub long_lines: u64,
}

impl Totals {
    /// Counts a point; true if it is the one where the run diverged.
    pub(super) fn count(&mut self, run: RunId, point: &Point, primary: Option<&str>) -> bool {
        self.points += 1;
        match self.last.get_mut(&point.key) {
            Some(last) => *last = point.value,
            None => {
                self.last.insert(point.key.clone(), point.value);
            }
        }
        let diverged = self.diverged.is_none() && !point.value.is_finite() && primary == Some(point.key.as_str());
        if diverged {
            self.diverged = Some(Diverged { run, key: point.key.clone(), step: point.step, value: point.value });
        }
        diverged
    }
}

/// Why a run cannot be watched, or nothing can.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A pattern of the task.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A file glob of the task.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// The cache cannot be opened.
    #[error("{path} cannot be opened: {source}")]
    Cache {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread.
    #[error("the watcher's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// The thread is gone: the sink panicked.
    #[error("the watcher's thread has ended")]
    Gone,
}

enum Message {
    Look,
    Add(RunId, Box<Followed>),
    Finish(RunId, Sender<Totals>),
    Stop,
}

/// The watcher. Dropping it stores what was seen and ends its thread.
pub struct Watcher {
    mailbox: Sender<Message>,
    runs: Mutex<BTreeSet<RunId>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread. `now` stamps the points; `sink` is called on the thread and must not block for long.
    ///
    /// Errors: no thread. A machine without file events is none: a note says so and the poll does the work.
    pub fn start(now: impl Fn() -> Millis + Send + 'static, sink: impl FnMut(Seen) + Send + 'static) -> Result<Self, WatchError> {
        let (mailbox, messages) = mpsc::channel();
        let rung = Arc::new(AtomicBool::new(false));
        let ring = {
            let (mailbox, rung) = (mailbox.clone(), Arc::clone(&rung));
            move || {
                if !rung.swap(true, Ordering::AcqRel) {
                    // The thread may have ended; then nobody needs waking.
                    let _ = mailbox.send(Message::Look);
                }
            }
        };
        let (wake, note) = Wake::start(ring);
        Self::spawn(mailbox, messages, rung, wake, note, now, sink)
    }

    fn spawn(
        mailbox: Sender<Message>,
        messages: Receiver<Message>,
        rung: Arc<AtomicBool>,
        wake: Wake,
        note: Option<String>,
        now: impl Fn() -> Millis + Send + 'static,
        mut sink: impl FnMut(Seen) + Send + 'static,
    ) -> Result<Self, WatchError> {
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || {
            note.into_iter().map(Seen::Note).for_each(&mut sink);
            let mut buffer = Vec::new();
            let worker = Worker { messages, rung, wake, runs: BTreeMap::new(), last_pass: Instant::now() };
            worker.run(&now, &mut sink, &mut buffer);
        })?;
        Ok(Self { mailbox, runs: Mutex::new(BTreeSet::new()), thread: Some(thread) })
    }

    /// Watches a run from the beginning of its files; one that was watched before goes on where its cache ends, without
    /// a point lost or doubled. Adding it twice changes nothing.
    ///
    /// Errors: a pattern or glob that cannot be used, a cache that cannot be opened.
    pub fn add(&self, plan: Plan) -> Result<(), WatchError> {
        let run = plan.run;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.contains(&run) {
            return Ok(());
        }
        let followed = Box::new(Followed::new(plan)?);
        self.mailbox.send(Message::Add(run, followed)).map_err(|_| WatchError::Gone)?;
        runs.insert(run);
        Ok(())
    }

    /// Reads what is left of a run, tells it, stores it and closes its files. Blocks until that is done.
    ///
    /// A run that is not watched has empty totals.
    pub fn finish(&self, run: RunId) -> Totals {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        let (reply, answer) = mpsc::channel();
        match self.mailbox.send(Message::Finish(run, reply)) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => Totals::default(),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.mailbox.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in the sink was reported by its own thread.
            let _ = thread.join();
        }
    }
}

struct Worker {
    messages: Receiver<Message>,
    rung: Arc<AtomicBool>,
    wake: Wake,
    runs: BTreeMap<RunId, Box<Followed>>,
    last_pass: Instant,
}

impl Worker {
    fn run(mut self, now: &dyn Fn() -> Millis, sink: &mut dyn FnMut(Seen), buffer: &mut Vec<u8>) {
        let mut soon = false;
        let mut at_once = false;
        loop {
            let period = self.runs.values().map(|run| run.period()).min();
            let wait = match period {
                None => None,
                Some(_) if at_once => Some(Duration::ZERO),
                Some(period) => {
                    let period = if soon { BETWEEN_BATCHES } else { period };
                    Some((self.last_pass + period).saturating_duration_since(Instant::now()))
                }
            };
            let message = match wait {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => self.messages.recv_timeout(wait),
            };
            match message {
                Ok(Message::Look) => {
                    soon = true;
                    // A storm of events costs no more than 20 looks a second.
                    if self.last_pass.elapsed() < BETWEEN_BATCHES {
                        continue;
                    }
                }
                Ok(Message::Add(id, mut run)) => {
                    run.arm(&mut self.wake);
                    self.runs.insert(id, run);
                }
                Ok(Message::Finish(id, reply)) => {
                    let totals = self.runs.remove(&id).map(|run| self.close(run, now(), sink, buffer));
                    // Whoever asked may have gone.
                    let _ = reply.send(totals.unwrap_or_default());
                    continue;
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Before the look: what changes during it rings again.
            self.rung.store(false, Ordering::Release);
            self.last_pass = Instant::now();
            (soon, at_once) = (false, false);
            for run in self.runs.values_mut() {
                at_once |= run.pass(&mut self.wake, Mood::Patient, now(), buffer);
                soon |= run.emit(Mood::Patient, self.last_pass, sink);
            }
        }
        for run in self.runs.values_mut() {
            run.emit(Mood::Final, Instant::now(), sink);
        }
    }

    fn close(&mut self, mut run: Box<Followed>, at: Millis, sink: &mut dyn FnMut(Seen), buffer: &mut Vec<u8>) -> Totals {
        // A process that outlived its run may write on for ever: what takes longer than this is left in the log.
        let end = Instant::now() + Duration::from_secs(30);
        while run.pass(&mut self.wake, Mood::Final, at, buffer) && Instant::now() < end {
            run.emit(Mood::Patient, Instant::now(), sink);
        }
        let totals = run.finish(at);
        run.emit(Mood::Final, Instant::now(), sink);
        run.disarm(&mut self.wake);
        totals
    }
}

#[cfg(test)]
mod tests;
