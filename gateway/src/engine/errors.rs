//! DuckDB's errors as Postgres' clients know them. Stub.

use super::protocol::EngineError;
use crate::wire::error::{PgError, SqlState};

/// The error for a client.
pub fn from_engine(error: &EngineError, _sql: &str) -> PgError {
    PgError::new(SqlState::INTERNAL_ERROR, format!("{}: {} {:?}", error.exception_type, error.message, error.extra))
}
