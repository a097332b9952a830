//! A connection for one errand of the command line: a wish, a question, or waiting until something has come about.

use super::{
    Incoming, Mirror,
    connection::{ConnectError, Connection},
};
use crate::protocol::{Ack, Answer, Command, Query, ToClient, ToEngine, Update};
use std::{collections::VecDeque, path::Path};

/// Updates kept for `next_update` while something else is waited for; older ones are in the mirror only.
const KEPT: usize = 1024;

/// A living engine and the mirror of its study. Losing the engine is an error: there are no retries.
pub struct Caller {
    connection: Connection,
    mirror: Mirror,
    next_id: u64,
    updates: VecDeque<Update>,
}

impl Caller {
    /// Connects to the engine of a study and takes its snapshot. `socket` is where it should listen, see `protocol::socket`.
    pub async fn connect(study_dir: &Path, socket: &Path) -> Result<Self, ConnectError> {
        let connection = Connection::open(study_dir, socket, false, false).await?;
        let mut caller = Self { connection, mirror: Mirror::default(), next_id: 1, updates: VecDeque::new() };
        while caller.mirror.header.is_none() {
            caller.hear().await.map_err(ConnectError::Refused)?;
        }
        Ok(caller)
    }

    /// Process id of the engine.
    pub fn pid(&self) -> u32 {
        self.connection.pid
    }

    /// The study as far as it was heard of.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Makes a wish and waits for what becomes of it. Errors: why it was refused, or that the engine was lost.
    pub async fn command(&mut self, command: Command) -> Result<Ack, String> {
        let id = self.number();
        self.connection.send(&ToEngine::Command { id, command: Box::new(command) }).await?;
        loop {
            match self.hear().await {
                Ok(Some(ToClient::Acked { id: answered, result })) if answered == id => return result,
                Ok(_) => {}
                Err(why) => return Err(format!("{why}; it is not known whether this was recorded")),
            }
        }
    }

    /// Asks a question.
    pub async fn query(&mut self, query: Query) -> Result<Answer, String> {
        let id = self.number();
        self.connection.send(&ToEngine::Query { id, query }).await?;
        loop {
            if let Some(ToClient::Answered { id: answered, result }) = self.hear().await?
                && answered == id
            {
                return result.map(|answer| *answer);
            }
        }
    }

    /// The next fact; those that came while something else was waited for are handed out first. The mirror may be ahead.
    pub async fn next_update(&mut self) -> Result<Update, String> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Ok(update);
            }
            self.hear().await?;
        }
    }

    /// Waits until `found` finds something in the mirror, now or after a fact. Errors: when the engine is lost before.
    pub async fn wait_until<T>(&mut self, mut found: impl FnMut(&Mirror) -> Option<T>) -> Result<T, String> {
        loop {
            if let Some(found) = found(&self.mirror) {
                return Ok(found);
            }
            let before = self.mirror.seq;
            while self.mirror.seq == before {
                self.hear().await?;
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Takes one message into the mirror, or returns it when it is an answer.
    async fn hear(&mut self) -> Result<Option<ToClient>, String> {
        let heard = self.connection.incoming.recv().await.unwrap_or_else(|| Err("the engine is gone".into()))?;
        match heard {
            ToClient::Snapshot(snapshot) => {
                self.mirror.take(&Incoming::Snapshot(snapshot));
            }
            ToClient::Update(update) => {
                let new = update.record.seq > self.mirror.seq;
                let incoming = Incoming::Update(update);
                if !self.mirror.take(&incoming) {
                    self.connection.send(&ToEngine::Refresh).await?;
                } else if new && let Incoming::Update(update) = incoming {
                    self.updates.push_back(*update);
                    if self.updates.len() > KEPT {
                        self.updates.pop_front();
                    }
                }
            }
            ToClient::Bye { reason } => return Err(reason),
            answer @ (ToClient::Acked { .. } | ToClient::Answered { .. }) => return Ok(Some(answer)),
            ToClient::Hello { .. } | ToClient::Signal(_) | ToClient::Lagged => {}
        }
        Ok(None)
    }
}
