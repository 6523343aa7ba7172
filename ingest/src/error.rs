//! The errors of this crate: one for each thing a caller does (append, wait, open) and one for backends.

use std::sync::Arc;

use duckmesh_catalog::Offset;
use thiserror::Error;

/// Why a write was not acknowledged, in words for the operator; [`AppendError::kind`] says what the caller must do.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct AppendError {
    kind: AppendErrorKind,
    message: Arc<str>,
}

/// What a caller must do about a write that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendErrorKind {
    /// Made for another schema version: wait until `current` is published, load the schema, check again, append
    /// again.
    StaleSchema {
        /// The lane's offset of the last DDL frame.
        current: Offset,
    },
    /// It was made for rows of a table that others have joined: look at them, and append again. Nothing happened.
    RowsArrived,
    /// Its staged files were given up meanwhile: make them again. Nothing happened.
    GivenUp,
    /// The idempotency key was used with another payload: tell the user. Nothing happened.
    KeyReused,
    /// The log did not take the write within the wait limit: tell the user to come later. Nothing happened.
    QueueFull,
    /// The write is larger than a frame may be: stage it as files. Nothing happened.
    TooLarge,
    /// The write contradicts itself (columns and batch differ, a key too long): a bug of the caller. Nothing
    /// happened.
    Invalid,
    /// The log has no room. Nothing happened.
    Full,
    /// Whether the write is in the log is not known: say so, and repeat only with an idempotency key.
    Unknown,
    /// The log cannot be reached or cannot take writes now. Nothing happened.
    Unavailable,
    /// The log may lack what was acknowledged: an operator must begin a new incarnation. Nothing happened.
    Lost,
    /// The lake is being closed. Nothing happened.
    Closed,
}

impl AppendError {
    /// An error of that kind.
    pub(crate) fn new(kind: AppendErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn closed() -> Self {
        Self::new(AppendErrorKind::Closed, "the lake is being closed")
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> AppendErrorKind {
        self.kind
    }
}

impl From<BusError> for AppendError {
    fn from(error: BusError) -> Self {
        let kind = match error.kind() {
            BusErrorKind::Full => AppendErrorKind::Full,
            BusErrorKind::Unknown => AppendErrorKind::Unknown,
            BusErrorKind::Unavailable | BusErrorKind::Corrupt => AppendErrorKind::Unavailable,
            BusErrorKind::Lost => AppendErrorKind::Lost,
        };
        Self::new(kind, error.to_string())
    }
}

/// Why a barrier did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// No write with that offset was ever acknowledged.
    #[error("offset {offset} is above the head {head}")]
    AboveHead {
        /// The offset that was asked for.
        offset: Offset,
        /// The highest acknowledged offset.
        head: Offset,
    },
    /// The lake is being closed.
    #[error("the lake is being closed")]
    Closed,
    /// The log could not be asked for its head.
    #[error("the log is unavailable: {0}")]
    Unavailable(Arc<str>),
}

/// Why a lake could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The catalog failed.
    #[error("could not open the lake: {0}")]
    Catalog(#[from] duckmesh_catalog::Error),
    /// The log failed.
    #[error("could not open the lake's log: {0}")]
    Bus(#[from] BusError),
    /// The log ends before what is published already: it was lost or replaced.
    #[error("the log ends at offset {head}, but offsets up to {watermark} are published: writes may be lost")]
    LogLost {
        /// The log's head.
        head: Offset,
        /// The catalog's watermark.
        watermark: Offset,
    },
}

/// A failure of a log backend, in words for the operator; [`BusError::kind`] says what the caller must do.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct BusError {
    kind: BusErrorKind,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller must do about a failure of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusErrorKind {
    /// No room. Nothing happened.
    Full,
    /// The commit was sent, or began, and its answer was lost: the records are in the log whole, or not at all.
    Unknown,
    /// The log cannot be reached, or refuses. Nothing happened; trying again may help.
    Unavailable,
    /// The log may lack what was acknowledged: nothing works until an operator begins a new incarnation.
    Lost,
    /// The log holds what must not be there, or was made by a newer program: an operator must look.
    Corrupt,
}

impl BusError {
    /// An error that started here.
    pub fn new(kind: BusErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// An error that another one caused.
    pub fn caused(
        kind: BusErrorKind,
        doing: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source = source.into();
        Self { kind, message: format!("could not {doing}: {source}"), source: Some(source) }
    }

    /// What the caller must do.
    #[must_use]
    pub fn kind(&self) -> BusErrorKind {
        self.kind
    }
}
