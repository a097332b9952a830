//! One client: a task that reads its requests and one that writes to it.
//!
//! The order of facts is the driver's. The writer subscribes first and reads the study then, so that a snapshot and the
//! updates after it leave no gap; what the snapshot has already is not sent again.

use super::{
    super::handle::{Handle, Wish},
    Patience,
};
use crate::archive;
use crate::protocol::{
    Ack, Command, LONGEST_LINE, Query, Signal, Snapshot, ToClient, ToEngine, Update, VERSION, decode, encode, lines::read_line,
};
use std::{
    io,
    sync::{Arc, PoisonError},
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{
            self,
            error::{RecvError, TryRecvError},
        },
        mpsc, oneshot, watch,
    },
    time::timeout,
};

/// Requests of one client that are worked on at once; the next one is read when one is answered.
const IN_WORK: usize = 32;

/// What all connections share.
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) patience: Patience,
    /// Bounds the queries of all clients.
    pub(super) queries: Arc<Semaphore>,
    /// True once the engine leaves.
    pub(super) leaving: watch::Receiver<bool>,
}

/// What the writer has to send beside facts and signals.
enum Outgoing {
    Message(ToClient),
    Refresh,
    /// The last words to a client that is dropped.
    Drop(String),
}

/// What the client said of itself.
struct Introduction {
    watch: bool,
    signals: bool,
}

/// Talks with one client until it leaves, is dropped, or the engine leaves.
pub(super) async fn connection(stream: UnixStream, shared: Arc<Shared>) {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::with_capacity(64 << 10, read);
    let introduced = match timeout(shared.patience.hello, introduction(&mut reader)).await {
        Ok(introduced) => introduced,
        Err(_) => Err("a client says hello first".into()),
    };
    let study = read_study(&shared.handle, |study| study.name.clone());
    let hello = ToClient::Hello { version: VERSION, pid: std::process::id(), study };
    if send(&mut write, &hello, shared.patience).await.is_err() {
        return;
    }
    let introduced = match introduced {
        Ok(introduced) => introduced,
        Err(reason) => {
            let _ = send(&mut write, &ToClient::Bye { reason }, shared.patience).await;
            return;
        }
    };
    let (outgoing, queue) = mpsc::channel(IN_WORK);
    let in_work = Arc::new(Semaphore::new(IN_WORK));
    let signals = introduced.signals;
    let reading = tokio::spawn(requests(reader, shared.clone(), introduced.watch, outgoing, in_work.clone()));
    let _ = Writer { write, shared, queue, in_work, last: 0 }.run(signals).await;
    reading.abort();
}

async fn introduction(reader: &mut BufReader<OwnedReadHalf>) -> Result<Introduction, String> {
    let mut line = Vec::new();
    match read_line(reader, 4096, &mut line).await {
        Ok(true) => {}
        Ok(false) => return Err("a client says hello first".into()),
        Err(e) => return Err(e.to_string()),
    }
    // Another version's hello may look otherwise in all but these two.
    let value: serde_json::Value = decode(&line).map_err(|e| format!("this is not a message of trialdeck's: {e}"))?;
    if value.get("type").and_then(|t| t.as_str()) != Some("hello") {
        return Err("a client says hello first".into());
    }
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        version => {
            let theirs = version.map_or("an unknown version".into(), |v| format!("version {v}"));
            return Err(format!(
                "this engine (trialdeck {}) speaks version {VERSION} of the protocol and the client {theirs}: use the trialdeck that started \
                 the study, or stop the engine and resume the study with yours",
                env!("CARGO_PKG_VERSION")
            ));
        }
    }
    let flag = |key: &str| value.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
    Ok(Introduction { watch: flag("watch"), signals: flag("signals") })
}

/// Reads requests until the client leaves or talks nonsense. The end of this task ends the writer, since its queue closes.
async fn requests(
    mut reader: BufReader<OwnedReadHalf>,
    shared: Arc<Shared>,
    watch: bool,
    outgoing: mpsc::Sender<Outgoing>,
    in_work: Arc<Semaphore>,
) {
    let mut line = Vec::new();
    loop {
        match read_line(&mut reader, LONGEST_LINE, &mut line).await {
            Ok(true) => {}
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                let _ = outgoing.send(Outgoing::Drop(e.to_string())).await;
                return;
            }
            Ok(false) | Err(_) => return,
        }
        let request: ToEngine = match decode(&line) {
            Ok(request) => request,
            Err(e) => {
                let _ = outgoing.send(Outgoing::Drop(format!("this is not a message of trialdeck's: {e}"))).await;
                return;
            }
        };
        let Ok(permit) = in_work.clone().acquire_owned().await else { return };
        match request {
            ToEngine::Hello { .. } => {}
            ToEngine::Refresh => {
                let _ = outgoing.send(Outgoing::Refresh).await;
            }
            ToEngine::Command { id, .. } if watch => {
                let result = Err("this client only watches: attach without --watch to change the study".into());
                let _ = outgoing.send(Outgoing::Message(ToClient::Acked { id, result })).await;
            }
            ToEngine::Command { id, command } => {
                // In order: the driver gets a client's wishes as they were sent.
                let reply = wish(&shared.handle, *command).await;
                tokio::spawn(acknowledge(id, reply, outgoing.clone(), permit));
            }
            ToEngine::Query { id, query } => {
                tokio::spawn(answer(id, query, shared.clone(), outgoing.clone(), permit));
            }
        }
    }
}

async fn wish(handle: &Handle, command: Command) -> Option<oneshot::Receiver<Result<Ack, String>>> {
    let (reply, answer) = oneshot::channel();
    handle.wishes.send(Wish { command, reply }).await.ok().map(|()| answer)
}

async fn acknowledge(
    id: u64,
    reply: Option<oneshot::Receiver<Result<Ack, String>>>,
    outgoing: mpsc::Sender<Outgoing>,
    permit: OwnedSemaphorePermit,
) {
    let result = match reply {
        Some(reply) => reply.await.unwrap_or_else(|_| Err("the engine is leaving; it is not known whether this was recorded".into())),
        None => Err("the engine is leaving; nothing was recorded".into()),
    };
    let _ = outgoing.send(Outgoing::Message(ToClient::Acked { id, result })).await;
    drop(permit);
}

async fn answer(id: u64, query: Query, shared: Arc<Shared>, outgoing: mpsc::Sender<Outgoing>, permit: OwnedSemaphorePermit) {
    let Ok(turn) = shared.queries.clone().acquire_owned().await else { return };
    let handle = shared.handle.clone();
    let work = move || read_study(&handle, |study| archive::resolve(study, &query))?.read(&handle.dir);
    let result = match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map(Box::new),
        Err(e) => Err(format!("the query failed: {e}")),
    };
    drop(turn);
    let _ = outgoing.send(Outgoing::Message(ToClient::Answered { id, result })).await;
    drop(permit);
}

fn read_study<T>(handle: &Handle, read: impl FnOnce(&crate::model::Study) -> T) -> T {
    // A poisoned lock means that the driver is gone; what it left is still a fold of facts.
    read(&handle.study.read().unwrap_or_else(PoisonError::into_inner))
}

/// The end of a connection, for whatever reason.
struct Ended;

struct Writer {
    write: OwnedWriteHalf,
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Outgoing>,
    in_work: Arc<Semaphore>,
    /// Number of the last fact that the client has.
    last: u64,
}

impl Writer {
    async fn run(mut self, signals: bool) -> Result<(), Ended> {
        let mut leaving = self.shared.leaving.clone();
        let mut updates = self.shared.handle.updates.subscribe();
        let (heard, mut signals) = if signals {
            let (heard, signals) = self.shared.handle.aloud.listen();
            (heard, Some(signals))
        } else {
            (Vec::new(), None)
        };
        self.snapshot().await?;
        for so_far in heard {
            self.send(&ToClient::Signal(so_far)).await?;
        }
        loop {
            tokio::select! {
                biased;
                () = left(&mut leaving) => return self.farewell(updates).await,
                update = updates.recv() => self.update(update, &mut updates).await?,
                outgoing = self.queue.recv() => self.outgoing(outgoing, &mut updates).await?,
                signal = next_signal(&mut signals) => match signal {
                    Some(signal) => self.send(&ToClient::Signal((*signal).clone())).await?,
                    // Points are in the runs' own files. Words are not: a sentence without its middle is worse than none.
                    None => {
                        let (heard, from_now) = self.shared.handle.aloud.listen_again();
                        signals = Some(from_now);
                        for so_far in heard {
                            self.send(&ToClient::Signal(so_far)).await?;
                        }
                    }
                },
            }
        }
    }

    async fn update(
        &mut self,
        update: Result<Arc<Update>, RecvError>,
        updates: &mut broadcast::Receiver<Arc<Update>>,
    ) -> Result<(), Ended> {
        match update {
            Ok(update) if update.record.seq <= self.last => Ok(()),
            Ok(update) if update.record.seq == self.last + 1 => {
                self.last = update.record.seq;
                self.send(&ToClient::Update(Box::new((*update).clone()))).await
            }
            // Something is missing in between: the client was too slow.
            Ok(_) => {
                self.send(&ToClient::Lagged).await?;
                self.refresh(updates).await
            }
            // The oldest fact that is left comes next, and tells whether the client has all that came before it.
            Err(RecvError::Lagged(_)) => Ok(()),
            // The driver is gone without a word.
            Err(RecvError::Closed) => Err(Ended),
        }
    }

    async fn outgoing(&mut self, outgoing: Option<Outgoing>, updates: &mut broadcast::Receiver<Arc<Update>>) -> Result<(), Ended> {
        match outgoing {
            Some(Outgoing::Message(message)) => self.send(&message).await,
            Some(Outgoing::Refresh) => self.refresh(updates).await,
            Some(Outgoing::Drop(reason)) => {
                self.send(&ToClient::Bye { reason }).await?;
                Err(Ended)
            }
            None => Err(Ended),
        }
    }

    async fn refresh(&mut self, updates: &mut broadcast::Receiver<Arc<Update>>) -> Result<(), Ended> {
        *updates = self.shared.handle.updates.subscribe();
        self.snapshot().await
    }

    async fn snapshot(&mut self) -> Result<(), Ended> {
        let handle = self.shared.handle.clone();
        let work = move || {
            let mut snapshot: Snapshot = read_study(&handle, |study| crate::protocol::snapshot(study, Vec::new()));
            snapshot.recent = archive::recent(&handle.dir, snapshot.seq);
            (snapshot.seq, encode(&ToClient::Snapshot(Box::new(snapshot))))
        };
        let Ok((seq, Ok(line))) = tokio::task::spawn_blocking(work).await else { return Err(Ended) };
        self.last = seq;
        self.write(&line).await
    }

    /// Sends what is already on its way: answers in work, then the last facts, then the farewell.
    async fn farewell(mut self, mut updates: broadcast::Receiver<Arc<Update>>) -> Result<(), Ended> {
        let in_work = self.in_work.clone();
        let all = in_work.acquire_many(IN_WORK as u32);
        tokio::pin!(all);
        loop {
            tokio::select! {
                biased;
                outgoing = self.queue.recv() => match outgoing {
                    Some(Outgoing::Message(message)) => self.send(&message).await?,
                    Some(Outgoing::Refresh | Outgoing::Drop(_)) => {}
                    None => break,
                },
                _ = &mut all => break,
            }
        }
        while let Ok(Outgoing::Message(message)) = self.queue.try_recv() {
            self.send(&message).await?;
        }
        loop {
            match updates.try_recv() {
                Ok(update) => self.update(Ok(update), &mut updates).await?,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.send(&ToClient::Bye { reason: "the engine has left".into() }).await
    }

    async fn send(&mut self, message: &ToClient) -> Result<(), Ended> {
        send(&mut self.write, message, self.shared.patience).await
    }

    async fn write(&mut self, line: &[u8]) -> Result<(), Ended> {
        write_line(&mut self.write, line, self.shared.patience).await
    }
}

/// Returns once the engine leaves.
async fn left(leaving: &mut watch::Receiver<bool>) {
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// The next signal; never, for a client that wants none. None once some were missed: the client was too slow.
async fn next_signal(signals: &mut Option<broadcast::Receiver<Arc<Signal>>>) -> Option<Arc<Signal>> {
    loop {
        match signals {
            None => return std::future::pending().await,
            Some(receiver) => match receiver.recv().await {
                Ok(signal) => return Some(signal),
                Err(RecvError::Lagged(_)) => return None,
                Err(RecvError::Closed) => *signals = None,
            },
        }
    }
}

async fn send(write: &mut OwnedWriteHalf, message: &ToClient, patience: Patience) -> Result<(), Ended> {
    let line = encode(message).map_err(|_| Ended)?;
    write_line(write, &line, patience).await
}

/// Patience is for each piece that the client takes, so that a long line over a slow link is no reason to drop it.
async fn write_line(write: &mut OwnedWriteHalf, line: &[u8], patience: Patience) -> Result<(), Ended> {
    for piece in line.chunks(64 << 10) {
        match timeout(patience.write, write.write_all(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(Ended),
        }
    }
    Ok(())
}
