//! The task behind a `Link`: live while an engine answers, cold while none does, and back.
//!
//! A wish that was sent and not answered when the engine was lost is never sent again: nobody knows whether it was
//! recorded, and its sender is told so. Facts reach the client in order and without gaps, or as a new snapshot.

use super::{
    Incoming, Link, LinkState, Request,
    cold::Cold,
    connection::{ConnectError, Connection},
};
use crate::archive;
use crate::protocol::{ToClient, ToEngine};
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

/// How a study is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Where its engine listens, see `protocol::socket::socket_path`.
    pub socket: PathBuf,
    /// Only look: commands are refused.
    pub watch: bool,
    /// Hear signals as well as facts.
    pub signals: bool,
}

/// Requests and messages that wait.
const WAITING: usize = 256;
/// How long things are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A lost engine that comes back within this time leaves the screen as it was.
    pub(super) comes_back: Duration,
    /// Between the first two tries to find it; each further pause is twice as long.
    pub(super) retry: Duration,
    /// The longest pause.
    pub(super) slowest: Duration,
    /// Between two looks at the directory of a study without an engine.
    pub(super) look: Duration,
}

const PACE: Pace = Pace {
    comes_back: Duration::from_secs(5),
    retry: Duration::from_millis(50),
    slowest: Duration::from_secs(1),
    look: Duration::from_millis(500),
};

/// Queries kept while the engine is being looked for.
const KEPT: usize = 64;

/// Opens a link to a study. Must be called within a tokio runtime; nothing is asked of the caller but to read `incoming`.
pub fn open(study_dir: &Path, options: OpenOptions) -> Link {
    open_at(study_dir, options, PACE)
}

pub(super) fn open_at(study_dir: &Path, options: OpenOptions, pace: Pace) -> Link {
    let (requests, asked) = mpsc::channel(WAITING);
    let (told, incoming) = mpsc::channel(WAITING);
    let task = Task { dir: study_dir.to_owned(), options, pace, asked, told, kept: VecDeque::new(), cold: None };
    tokio::spawn(task.run());
    Link { requests, incoming }
}

/// The client has dropped its link.
struct Dropped;

struct Task {
    dir: PathBuf,
    options: OpenOptions,
    pace: Pace,
    asked: mpsc::Receiver<Request>,
    told: mpsc::Sender<Incoming>,
    /// Requests that came while the engine was being looked for: nothing of them was sent.
    kept: VecDeque<Request>,
    /// What was read last without an engine, to go on from.
    cold: Option<Cold>,
}

/// How a live connection ended.
struct Lost {
    why: String,
    /// The engine said goodbye: it need not be waited for.
    goodbye: bool,
}

#[derive(Clone, Copy)]
enum Pending {
    Command,
    Query,
}

impl Task {
    async fn run(mut self) {
        let _ = self.follow().await;
    }

    async fn follow(&mut self) -> Result<(), Dropped> {
        let mut connection = self.connect().await;
        loop {
            connection = match connection {
                Ok(connection) => {
                    let lost = self.live(connection).await?;
                    if lost.goodbye { Err(ConnectError::Absent) } else { self.reconnect(lost.why).await? }
                }
                Err(why) => Ok(self.without_engine(why).await?),
            };
        }
    }

    async fn connect(&self) -> Result<Connection, ConnectError> {
        Connection::open(&self.dir, &self.options.socket, self.options.watch, self.options.signals).await
    }

    async fn tell(&self, incoming: Incoming) -> Result<(), Dropped> {
        self.told.send(incoming).await.map_err(|_| Dropped)
    }

    /// With a living engine, until it is lost.
    async fn live(&mut self, mut connection: Connection) -> Result<Lost, Dropped> {
        self.tell(Incoming::Link(LinkState::Live { pid: connection.pid })).await?;
        let mut pending: BTreeMap<u64, Pending> = BTreeMap::new();
        let mut seq = None;
        let lost = loop {
            let request = match self.kept.pop_front() {
                Some(request) => request,
                None => tokio::select! {
                    heard = connection.incoming.recv() => {
                        let heard = heard.unwrap_or_else(|| Err("the engine is gone".into()));
                        match self.hear(&mut connection, heard, &mut pending, &mut seq).await? {
                            None => continue,
                            Some(lost) => break lost,
                        }
                    }
                    request = self.asked.recv() => request.ok_or(Dropped)?,
                    () = self.told.closed() => return Err(Dropped),
                },
            };
            let (id, kind, message) = match request {
                Request::Command(id, command) => (id, Pending::Command, ToEngine::Command { id, command: Box::new(command) }),
                Request::Query(id, query) => (id, Pending::Query, ToEngine::Query { id, query }),
            };
            pending.insert(id, kind);
            if let Err(why) = connection.send(&message).await {
                break Lost { why, goodbye: false };
            }
        };
        // What the engine said before it went is still to be heard.
        while let Ok(heard) = connection.incoming.try_recv() {
            self.hear(&mut connection, heard, &mut pending, &mut seq).await?;
        }
        for (id, kind) in pending {
            self.tell(match kind {
                Pending::Command => Incoming::Acked(id, Err(format!("{}; it is not known whether this was recorded", lost.why))),
                Pending::Query => Incoming::Answered(id, Err(format!("{}; ask again", lost.why))),
            })
            .await?;
        }
        Ok(lost)
    }

    async fn hear(
        &self,
        connection: &mut Connection,
        heard: Result<ToClient, String>,
        pending: &mut BTreeMap<u64, Pending>,
        seq: &mut Option<u64>,
    ) -> Result<Option<Lost>, Dropped> {
        match heard {
            Ok(ToClient::Snapshot(snapshot)) => {
                *seq = Some(snapshot.seq);
                self.tell(Incoming::Snapshot(snapshot)).await?;
            }
            Ok(ToClient::Update(update)) => match *seq {
                Some(last) if update.record.seq <= last => {}
                Some(last) if update.record.seq == last + 1 => {
                    *seq = Some(update.record.seq);
                    self.tell(Incoming::Update(update)).await?;
                }
                // Something is missing; what comes before the new snapshot is of no use.
                Some(_) => {
                    *seq = None;
                    if let Err(why) = connection.send(&ToEngine::Refresh).await {
                        return Ok(Some(Lost { why, goodbye: false }));
                    }
                }
                None => {}
            },
            Ok(ToClient::Signal(signal)) => {
                // A client that does not keep up misses signals, never facts.
                let _ = self.told.try_send(Incoming::Signal(signal));
            }
            Ok(ToClient::Acked { id, result }) => {
                pending.remove(&id);
                self.tell(Incoming::Acked(id, result)).await?;
            }
            Ok(ToClient::Answered { id, result }) => {
                pending.remove(&id);
                self.tell(Incoming::Answered(id, result)).await?;
            }
            Ok(ToClient::Hello { .. } | ToClient::Lagged) => {}
            Ok(ToClient::Bye { reason }) => return Ok(Some(Lost { why: reason, goodbye: true })),
            Err(why) => return Ok(Some(Lost { why, goodbye: false })),
        }
        Ok(None)
    }

    /// Looks for the lost engine, or its successor, for a while.
    async fn reconnect(&mut self, why: String) -> Result<Result<Connection, ConnectError>, Dropped> {
        self.tell(Incoming::Link(LinkState::Reconnecting { why })).await?;
        let end = Instant::now() + self.pace.comes_back;
        let mut pause = self.pace.retry;
        loop {
            let found = self.connect().await;
            if found.is_ok() || Instant::now() >= end {
                return Ok(found);
            }
            let next = (Instant::now() + pause).min(end);
            pause = (pause * 2).min(self.pace.slowest);
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    request = self.asked.recv() => self.keep(request.ok_or(Dropped)?).await?,
                    () = self.told.closed() => return Err(Dropped),
                }
            }
        }
    }

    /// A question can wait for the engine; a wish that is carried out seconds later would surprise whoever made it.
    async fn keep(&mut self, request: Request) -> Result<(), Dropped> {
        match request {
            Request::Query(..) if self.kept.len() < KEPT => {
                self.kept.push_back(request);
                Ok(())
            }
            Request::Query(id, _) => self.tell(Incoming::Answered(id, Err("the engine is being looked for; ask again".into()))).await,
            Request::Command(id, _) => {
                self.tell(Incoming::Acked(id, Err("the engine was lost and is being looked for; nothing was sent".into()))).await
            }
        }
    }

    /// Shows what the directory holds until an engine answers.
    async fn without_engine(&mut self, why: ConnectError) -> Result<Connection, Dropped> {
        let mut shown: Option<Result<(), String>> = None;
        loop {
            match self.look(shown == Some(Ok(()))).await {
                Ok(told) => {
                    if shown != Some(Ok(())) {
                        self.tell(Incoming::Link(LinkState::Cold)).await?;
                    }
                    shown = Some(Ok(()));
                    for incoming in told {
                        self.tell(incoming).await?;
                    }
                }
                Err(problem) => {
                    if shown != Some(Err(problem.clone())) {
                        self.tell(Incoming::Link(LinkState::Reconnecting { why: problem.clone() })).await?;
                    }
                    shown = Some(Err(problem));
                }
            }
            let next = sleep(self.pace.look);
            tokio::pin!(next);
            loop {
                let request = match self.kept.pop_front() {
                    Some(request) => request,
                    None => tokio::select! {
                        () = &mut next => break,
                        request = self.asked.recv() => request.ok_or(Dropped)?,
                        () = self.told.closed() => return Err(Dropped),
                    },
                };
                self.answer_cold(request, &why).await?;
            }
            if let Ok(connection) = self.connect().await {
                return Ok(connection);
            }
        }
    }

    /// Looks at the directory: a snapshot the first time, then what is new.
    async fn look(&mut self, again: bool) -> Result<Vec<Incoming>, String> {
        let (dir, cold) = (self.dir.clone(), self.cold.take());
        let work = move || -> Result<(Cold, Vec<Incoming>), String> {
            match cold {
                Some(mut cold) => {
                    let grown = cold.grow()?;
                    let told = if again { grown } else { vec![cold.snapshot()] };
                    Ok((cold, told))
                }
                None => {
                    let cold = Cold::read(&dir)?;
                    let told = vec![cold.snapshot()];
                    Ok((cold, told))
                }
            }
        };
        let (cold, told) = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())??;
        self.cold = Some(cold);
        Ok(told)
    }

    async fn answer_cold(&self, request: Request, why: &ConnectError) -> Result<(), Dropped> {
        match (request, &self.cold) {
            (Request::Command(id, _), _) => {
                let what = format!("{why}; `trialdeck resume` starts one, nothing was recorded");
                self.tell(Incoming::Acked(id, Err(what))).await
            }
            (Request::Query(id, query), Some(cold)) => {
                let (dir, study, told) = (self.dir.clone(), cold.study.clone(), self.told.clone());
                tokio::task::spawn_blocking(move || {
                    let result = archive::answer(&dir, &study, &query).map(Box::new);
                    // Dropped means that nobody wants it any more.
                    let _ = told.blocking_send(Incoming::Answered(id, result));
                });
                Ok(())
            }
            (Request::Query(id, _), None) => self.tell(Incoming::Answered(id, Err("the study cannot be read".into()))).await,
        }
    }
}
