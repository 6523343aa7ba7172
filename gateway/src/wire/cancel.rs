//! Cancel requests: who may stop which statement, and how a statement learns of it.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a running statement to stop. One per connection; a new statement starts uncancelled.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<Option<Reason>>>);

/// Why a statement is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A CancelRequest (57014).
    User,
    /// The client's connection is gone.
    ClientGone,
    /// The server shuts down (57P01).
    Shutdown,
}

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::channel(None).0))
    }
}

impl Cancel {
    /// Waits until the running statement is told to stop.
    pub async fn cancelled(&self) -> Reason {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(reason) = *receiver.borrow_and_update() {
                return reason;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the running statement was told to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> Option<Reason> {
        *self.0.borrow()
    }

    /// Tells the running statement to stop.
    pub fn cancel(&self, reason: Reason) {
        self.0.send_replace(Some(reason));
    }

    /// A new statement starts. What is final (client gone, shutdown) stays.
    pub fn reset(&self) {
        self.0.send_if_modified(|reason| {
            let user = *reason == Some(Reason::User);
            if user {
                *reason = None;
            }
            user
        });
    }
}
