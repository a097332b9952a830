//! The engine's server: one unix socket a study, any number of clients of the same user.
//!
//! It reads the study and never writes it: commands go to the driver, queries to the archive. A client that is slow is told
//! so and gets a new snapshot; one that is stuck or talks nonsense is dropped, and nothing that a client does can hold up
//! the driver. Tested over real sockets with a driver played by the test.

mod bind;
mod connection;
#[cfg(test)]
pub(crate) mod played;
#[cfg(test)]
mod tests;

pub use bind::{Bound, ServeError};

use super::handle::Handle;
use connection::Shared;
use std::{future::Future, path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How patient the server is.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// With a client that does not say hello.
    hello: Duration,
    /// With a client that does not take a line.
    write: Duration,
    /// With all clients together when the engine leaves.
    leave: Duration,
}

const PATIENCE: Patience = Patience { hello: Duration::from_secs(5), write: Duration::from_secs(10), leave: Duration::from_secs(2) };

/// Queries that are worked on at once, of all clients together: a diff or a log must not take the processors from the runs.
const QUERIES_AT_ONCE: usize = 2;

/// Clients at once; more are a mistake.
const CLIENTS: usize = 256;

/// Serves a study on `socket` until `shutdown` is done; then every client gets what is already on its way, and a farewell.
///
/// Errors: when the socket cannot be made, or another engine answers on it.
pub async fn serve(handle: Handle, socket: &Path, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let bound = Bound::new(&handle.dir, socket).await?;
    bound.serve(handle, shutdown).await;
    Ok(())
}

impl Bound {
    /// Serves a study until `shutdown` is done. For an engine that must know that the socket stands before it says so.
    pub async fn serve(self, handle: Handle, shutdown: impl Future<Output = ()>) {
        self.serve_with(handle, shutdown, PATIENCE).await;
    }

    async fn serve_with(self, handle: Handle, shutdown: impl Future<Output = ()>, patience: Patience) {
        let (leave, leaving) = watch::channel(false);
        let shared = Arc::new(Shared { handle, patience, queries: Arc::new(Semaphore::new(QUERIES_AT_ONCE)), leaving });
        let mut clients = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.accept() => match accepted {
                    Some(stream) if clients.len() < CLIENTS => {
                        clients.spawn(connection::connection(stream, shared.clone()));
                    }
                    Some(_) => {}
                    // Out of file descriptors, most likely: those in use are given back in time.
                    None => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
            }
        }
        // Nobody may connect any more, but those who are there hear the last facts.
        drop(self);
        let _ = leave.send(true);
        let _ = tokio::time::timeout(patience.leave, async { while clients.join_next().await.is_some() {} }).await;
    }
}
