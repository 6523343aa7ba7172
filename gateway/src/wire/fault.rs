//! How a step of a conversation can fail, by what follows from it.

use std::io;

use super::PgError;
use super::error::Severity;

/// What ends a statement or a connection.
#[derive(Debug)]
pub(super) enum Fault {
    /// The statement failed; the conversation goes on.
    Statement(PgError),
    /// The client is told, and the connection ends.
    Fatal(PgError),
    /// Nobody is there to be told: goodbye, end of file, reset, or a client that takes nothing.
    Gone,
}

impl From<PgError> for Fault {
    fn from(error: PgError) -> Self {
        match error.fields().severity {
            Severity::Fatal => Self::Fatal(error),
            _ => Self::Statement(error),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}
