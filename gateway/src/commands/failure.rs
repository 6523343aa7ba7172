//! Errors of the crates below as clients get them.

use duckmesh_catalog::{Offset, Token};
use duckmesh_ingest::{AppendError, AppendErrorKind, BusError, BusErrorKind, OpenError, WaitError};

use crate::wire::{PgError, SqlState};

/// An error of the catalog.
#[must_use]
pub fn catalog(error: duckmesh_catalog::Error) -> PgError {
    use duckmesh_catalog::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => PgError::new(SqlState::UNDEFINED_OBJECT, error.to_string()),
        Kind::AlreadyExists => PgError::new(SqlState::DUPLICATE_OBJECT, error.to_string()),
        Kind::Invalid => PgError::new(SqlState::FEATURE_NOT_SUPPORTED, error.to_string()),
        Kind::SnapshotExpired => PgError::new(SqlState::SNAPSHOT_EXPIRED, "the snapshot asked for is no longer there")
            .hint("duckmesh.snapshots lists those that are."),
        Kind::Full => disk_full(),
        Kind::Lost => lost(&error),
        Kind::Retry | Kind::Unknown => unavailable(&error),
        _ => PgError::internal(detail(&error)),
    }
}

/// An error of the files.
#[must_use]
pub fn storage(error: duckmesh_storage::Error) -> PgError {
    use duckmesh_storage::ErrorKind as Kind;
    match error.kind() {
        Kind::Full => disk_full(),
        Kind::Invalid => PgError::new(SqlState::FEATURE_NOT_SUPPORTED, error.to_string()),
        Kind::NotFound => {
            tracing::error!(detail = detail(&error), "a file of the lake is missing");
            PgError::new(SqlState::UNDEFINED_FILE, "a file of the lake is missing")
                .hint("The server's log names it. Restore it from a backup, or drop the rows it held.")
        }
        Kind::Corrupt => {
            tracing::error!(detail = detail(&error), "a file of the lake is damaged");
            PgError::new(SqlState::DATA_CORRUPTED, "a file of the lake is damaged")
                .hint("The server's log names it. Restore it from a backup.")
        }
        _ => {
            tracing::error!(detail = detail(&error), "the lake's files cannot be used");
            PgError::new(SqlState::IO_ERROR, "the lake's files cannot be read or written")
                .hint("The server's log has the details.")
        }
    }
}

/// An error of an append. A stale schema is the caller's to handle and is here the end of its retries.
#[must_use]
pub fn append(error: AppendError) -> PgError {
    match error.kind() {
        AppendErrorKind::StaleSchema { .. } => {
            PgError::new(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent schema change")
                .hint("Retry the transaction.")
        }
        AppendErrorKind::GivenUp => {
            tracing::warn!(detail = detail(&error), "staged files were given up before their write reached the log");
            let message = "the rows were given up: the server did not renew its claim on them in time";
            PgError::new(SqlState::SERIALIZATION_FAILURE, message)
                .detail("Nothing was written.")
                .hint("Repeat the statement.")
        }
        AppendErrorKind::KeyReused => {
            PgError::new(SqlState::UNIQUE_VIOLATION, "the idempotency key was used before for another write")
                .hint("Use a new key for a new write, and the same statement for a repeated one.")
        }
        AppendErrorKind::QueueFull => {
            PgError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, "too many writes are waiting for the log")
                .hint("Nothing was written. Retry later, or write more rows in one statement.")
        }
        AppendErrorKind::TooLarge => {
            PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "the write is too large for the log").hint("Use COPY.")
        }
        AppendErrorKind::Full => disk_full(),
        AppendErrorKind::Lost => lost(&error),
        AppendErrorKind::Unknown => {
            tracing::error!(detail = detail(&error), "the outcome of an append is unknown");
            PgError::new(
                SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
                "the connection to the log broke while it was writing; whether the rows are stored is not known",
            )
            .hint("Retry with the same duckmesh.idempotency_key; without a key, check before you retry.")
        }
        AppendErrorKind::Closed => PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down"),
        _ => {
            tracing::error!(detail = detail(&error), "the log cannot be written");
            PgError::new(SqlState::CONNECTION_FAILURE, "the log cannot be written now; nothing was stored")
                .hint("The server's log has the details.")
        }
    }
}

/// The log could not be asked.
#[must_use]
pub fn bus(error: BusError) -> PgError {
    match error.kind() {
        BusErrorKind::Full => disk_full(),
        BusErrorKind::Lost => lost(&error),
        BusErrorKind::Unavailable | BusErrorKind::Unknown => log_unavailable(&error),
        BusErrorKind::Corrupt => PgError::internal(detail(&error)),
    }
}

/// A wait for an offset that ended without it, before anything was written. A token above the head is the caller's to say.
#[must_use]
pub fn wait(error: WaitError) -> PgError {
    match error {
        WaitError::Closed => {
            PgError::new(SqlState::ADMIN_SHUTDOWN, "the server is shutting down, or the database was dropped")
        }
        error @ WaitError::Unavailable(_) => log_unavailable(&error),
        error => PgError::internal(error),
    }
}

/// A lake could not be opened.
#[must_use]
pub fn open(error: OpenError) -> PgError {
    match error {
        OpenError::Catalog(error) => catalog(error),
        OpenError::Bus(error) => bus(error),
        error => PgError::internal(error),
    }
}

/// The log does not answer; nothing was to be written.
#[must_use]
pub fn log_unavailable(error: &(dyn std::error::Error + 'static)) -> PgError {
    tracing::error!(detail = detail(error), "the log is not available");
    PgError::new(SqlState::CONNECTION_FAILURE, "the log is not available now").hint("Retry later.")
}

/// The database is not the one that acknowledged writes.
fn lost(error: &dyn std::error::Error) -> PgError {
    tracing::error!(detail = detail(error), "the incarnation is lost");
    let message = "lost incarnation: the database may lack writes that were acknowledged";
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .hint("An operator decides: stop all servers, run duckmesh admin new-incarnation, and start them again.")
}

/// A token of a history that was lost, above what is left of it.
#[must_use]
pub fn token_of_lost_incarnation(token: &Token) -> PgError {
    let message = format!("token {token} was issued by a lost incarnation");
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail("The write it was given for was lost in a failover or a restore.")
        .hint("Look what is there, and write again what is missing.")
}

/// A token nobody was given.
#[must_use]
pub fn above_head(token: &Token, head: Offset) -> PgError {
    PgError::new(SqlState::TOKEN_ABOVE_HEAD, format!("token {token} is above the head of the log"))
        .detail(format!("The highest token given so far is {}.", Token { offset: head, ..token.clone() }))
}

fn disk_full() -> PgError {
    PgError::new(SqlState::DISK_FULL, "no space left on the server's disk; nothing was stored")
        .hint("Free disk space and retry.")
}

fn unavailable(error: &duckmesh_catalog::Error) -> PgError {
    tracing::error!(detail = detail(error), "the catalog is not available");
    PgError::new(SqlState::CONNECTION_FAILURE, "the catalog is not available now").hint("Retry later.")
}

/// The whole chain of causes, for the log.
fn detail(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
