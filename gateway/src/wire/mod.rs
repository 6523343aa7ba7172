//! Bytes and messages of the Postgres protocol. Only this module writes to client sockets.

pub mod backend;
pub mod cancel;
pub mod error;

pub use error::{PgError, PgResult, SqlState};
