//! The catalog's one error.

use thiserror::Error;

use crate::postgres::{Failure, Unconnected};

/// What went wrong, in words for the operator; [`Error::kind`] says what the caller must do.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller must do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object does not exist: tell the user. The message is fit for a client.
    NotFound,
    /// The object exists already: tell the user. The message is fit for a client.
    AlreadyExists,
    /// The change cannot be made to this lake (a rule of SQL or of DuckLake): tell the user. The message is fit for a client.
    Invalid,
    /// Another epoch publishes for this lake now: stop publishing.
    Fenced,
    /// The watermark is not the one that was read: read again from the new one.
    WatermarkMoved,
    /// The snapshot is no longer there.
    SnapshotExpired,
    /// The store answered that it cannot now (busy, serialization, connection lost before the commit was sent): try again.
    Retry,
    /// The commit was sent and its answer lost: read the state before anything else.
    Unknown,
    /// The store may lack what was acknowledged: nothing works until an operator begins a new incarnation. The message says so.
    Lost,
    /// The store has no room.
    Full,
    /// The store was made by a newer program, or holds what must not be there: an operator must look.
    Corrupt,
    /// Anything else of the store.
    Store,
}

impl Error {
    /// An error that started here.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error that another one caused.
    pub fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), source: Some(source.into()) }
    }

    /// Whether it is worth to try again at once, and within one statement: not where all the patience there is went into it.
    #[must_use]
    pub fn is_soon_over(&self) -> bool {
        let is_spent = self.source.as_deref().is_some_and(|source| {
            source.is::<Unconnected>() || source.downcast_ref::<Failure>().is_some_and(Failure::is_silence)
        });
        self.kind == ErrorKind::Retry && !is_spent
    }

    /// What of Postgres it is, if it is.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        let source = self.source.as_deref()?;
        source.downcast_ref::<Failure>().or_else(|| source.downcast_ref::<Unconnected>().map(|failure| &failure.0))
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}
