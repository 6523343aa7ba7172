//! .

pub mod error;

pub use error::{PgError, PgResult, SqlState};
