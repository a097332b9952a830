//! What the driver shares with the server: the study to read, wishes to send, facts and signals to hear.

use super::aloud::Aloud;
use crate::model::Study;
use crate::protocol::{Ack, Command, Update};
use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
};
use tokio::sync::{broadcast, mpsc, oneshot};

/// A command on its way to the driver, and where its answer goes.
pub struct Wish {
    /// What is wanted.
    pub command: Command,
    /// Gets the acknowledgement once the fact is durable, or the reason of the refusal.
    pub reply: oneshot::Sender<Result<Ack, String>>,
}

/// One engine as its server sees it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    /// The study's directory.
    pub dir: PathBuf,
    /// The fold of all durable facts; the driver alone writes.
    pub study: Arc<RwLock<Study>>,
    /// Commands to the driver.
    pub wishes: mpsc::Sender<Wish>,
    /// Facts in order, sent after they are durable and `study` has them: who subscribes first and reads the study then misses none.
    pub updates: broadcast::Sender<Arc<Update>>,
    /// Signals, and what proposers have said so far.
    pub aloud: Aloud,
}
