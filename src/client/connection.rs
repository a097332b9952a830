//! One connection to a living engine: says hello, then hands messages over in both directions.
//!
//! Knows no mirror and no retries; `link` and `Caller` are built on it.

use crate::protocol::{LONGEST_LINE, ToClient, ToEngine, VERSION, decode, encode, lines::read_line, socket};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

/// An engine on this machine answers at once, unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Messages that wait to be taken; the engine waits when there are more, and then tells us that we lag.
const WAITING: usize = 256;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens.
    #[error("no engine runs this study")]
    Absent,
    /// Somebody listens, but it came to nothing.
    #[error("{0}")]
    Refused(String),
}

/// What the engine said, or the reason why it says no more.
pub(super) type Heard = Result<ToClient, String>;

/// A connection whose greetings were exchanged. Dropping it ends it.
pub(super) struct Connection {
    /// Process id of the engine.
    pub(super) pid: u32,
    /// Ends with the reason; the channel closes after it.
    pub(super) incoming: mpsc::Receiver<Heard>,
    write: OwnedWriteHalf,
    reading: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// The sockets on which an engine of this study might answer, the announced one first.
pub(super) fn candidates(study_dir: &Path, computed: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = socket::announced(study_dir).into_iter().chain([computed.to_owned()]).collect();
    all.dedup();
    all
}

impl Connection {
    /// Connects to the engine of a study. The first message that follows is a snapshot.
    pub(super) async fn open(study_dir: &Path, computed: &Path, watch: bool, signals: bool) -> Result<Self, ConnectError> {
        let mut answer = Err(ConnectError::Absent);
        for socket in candidates(study_dir, computed) {
            answer = Self::to(&socket, watch, signals).await;
            match answer {
                Err(ConnectError::Absent) => {}
                _ => return answer,
            }
        }
        answer
    }

    async fn to(socket: &Path, watch: bool, signals: bool) -> Result<Self, ConnectError> {
        let refused = |what: &str| ConnectError::Refused(format!("{} {what}", socket.display()));
        let stream = match timeout(PATIENCE, UnixStream::connect(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Err(ConnectError::Absent);
            }
            Ok(Err(e)) => return Err(refused(&format!("cannot be reached: {e}"))),
            Err(_) => return Err(refused("does not take connections: its engine may be stopped")),
        };
        let own = rustix::process::geteuid().as_raw();
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own) {
            return Err(refused("belongs to another user"));
        }
        let (read, write) = stream.into_split();
        let (sender, incoming) = mpsc::channel(WAITING);
        let reading = tokio::spawn(read_all(read, sender));
        let mut connection = Self { pid: 0, incoming, write, reading };
        connection.send(&ToEngine::Hello { version: VERSION, watch, signals }).await.map_err(ConnectError::Refused)?;
        match timeout(PATIENCE, connection.incoming.recv()).await {
            Ok(Some(Ok(ToClient::Hello { version: VERSION, pid, .. }))) => connection.pid = pid,
            // The engine says in its own words what to do about it.
            Ok(Some(Ok(ToClient::Hello { version, .. }))) => {
                let told = match timeout(PATIENCE, connection.incoming.recv()).await {
                    Ok(Some(Ok(ToClient::Bye { reason }))) => reason,
                    _ => format!("the engine speaks version {version} of the protocol and this program {VERSION}"),
                };
                return Err(ConnectError::Refused(told));
            }
            Ok(Some(Ok(ToClient::Bye { reason }))) => return Err(ConnectError::Refused(reason)),
            Ok(Some(Ok(_)) | None) => return Err(refused("does not speak the protocol of trialdeck")),
            Ok(Some(Err(why))) => return Err(ConnectError::Refused(why)),
            Err(_) => return Err(refused("does not answer: its engine may be stopped")),
        }
        Ok(connection)
    }

    /// Sends one message. Errors: in words, when the engine is gone or takes nothing.
    pub(super) async fn send(&mut self, message: &ToEngine) -> Result<(), String> {
        let line = encode(message).map_err(|e| format!("a message cannot be written: {e}"))?;
        if line.len() > LONGEST_LINE {
            return Err(format!("a message of {} bytes is too long (at most {LONGEST_LINE})", line.len()));
        }
        match timeout(PATIENCE, self.write.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(format!("the engine is gone: {e}")),
            Err(_) => Err("the engine takes no messages".into()),
        }
    }
}

async fn read_all(read: OwnedReadHalf, sender: mpsc::Sender<Heard>) {
    let mut reader = BufReader::with_capacity(64 << 10, read);
    let mut line = Vec::new();
    loop {
        let heard = match read_line(&mut reader, LONGEST_LINE, &mut line).await {
            Ok(true) => decode(&line).map_err(|e| format!("the engine said something that this program does not understand: {e}")),
            Ok(false) => Err("the engine is gone".into()),
            Err(e) => Err(format!("the engine is gone: {e}")),
        };
        let last = heard.is_err();
        if sender.send(heard).await.is_err() || last {
            return;
        }
    }
}
