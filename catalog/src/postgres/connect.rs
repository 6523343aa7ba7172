//! One connection: the hosts in turn, beginning with the last that was good; few at a time.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
};

use deadpool_postgres::Connect;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{AsyncMessage, Client, Config, Error, Notification};

use super::{target::Target, witness::Witness};

/// Connections that one pool makes at a time: a server that comes back is not met by all of them at once.
const MADE_AT_ONCE: usize = 2;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes the connections of a pool.
#[derive(Debug)]
pub(super) struct Connector {
    target: Target,
    /// None where it does not matter which history the database has.
    witness: Option<Witness>,
    /// The host to begin with.
    first: AtomicUsize,
    gate: Semaphore,
}

impl Connector {
    pub(super) fn new(target: Target, witness: Option<Witness>) -> Self {
        Self { target, witness, first: AtomicUsize::new(0), gate: Semaphore::new(MADE_AT_ONCE) }
    }

    pub(super) fn witness(&self) -> Option<&Witness> {
        self.witness.as_ref()
    }

    /// Connects to the first host that lets us write. What it notifies of goes to `notified`.
    pub(super) async fn connect(
        &self,
        notified: Option<mpsc::Sender<Notification>>,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let _turn = self.gate.acquire().await;
        let count = self.target.hosts.len();
        let first = self.first.load(Ordering::Acquire);
        let mut failed = None;
        for at in (0..count).map(|i| (first + i) % count) {
            let Some(host) = self.target.hosts.get(at) else { continue };
            // Before the try: whoever gives up waiting for this host leaves the next one to the next caller.
            self.first.store((at + 1) % count, Ordering::Release);
            match timeout(self.target.connect_limit, self.one(host, notified.clone())).await {
                Ok(Ok(made)) => {
                    self.first.store(at, Ordering::Release);
                    return Ok(made);
                }
                Ok(Err(error)) => failed = Some(more_telling(failed, error)),
                Err(_) => failed = Some(more_telling(failed, Error::__private_api_timeout())),
            }
        }
        Err(failed.unwrap_or_else(Error::__private_api_timeout))
    }

    async fn one(
        &self,
        host: &Config,
        notified: Option<mpsc::Sender<Notification>>,
    ) -> Result<(Client, JoinHandle<()>), Error> {
        let (client, mut connection) = host.connect(self.target.tls.connector()).await?;
        let task = tokio::spawn(async move {
            loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(notification))) => {
                        if let Some(notified) = &notified {
                            // Full: the reader is behind, and looks for itself from time to time.
                            let _ = notified.try_send(notification);
                        }
                    }
                    Some(Ok(AsyncMessage::Notice(notice))) => {
                        tracing::debug!(target: "tokio_postgres", "{}: {}", notice.severity(), notice.message());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return tracing::info!(%error, "a connection to Postgres ended"),
                    None => return,
                }
            }
        });
        if let Some(witness) = &self.witness
            && !witness.accepts(&client).await?
        {
            task.abort();
            // Whoever asked for the connection asks the witness why.
            return Err(Error::__private_api_timeout());
        }
        Ok((client, task))
    }
}

/// What the server said says more than that another host was not there.
fn more_telling(before: Option<Error>, now: Error) -> Error {
    match before {
        Some(before) if before.as_db_error().is_some() && now.as_db_error().is_none() => before,
        _ => now,
    }
}

/// As the pool wants it.
#[derive(Debug)]
pub(super) struct ForPool(pub(super) std::sync::Arc<Connector>);

impl Connect for ForPool {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(self.0.connect(None))
    }
}
