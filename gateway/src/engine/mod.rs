//! The engine: DuckDB in child processes, and how the gateway asks them.
//!
//! *Invariant:* no DuckDB runs in the gateway's process. A dead or stuck worker costs its statements an error.

mod options;
mod pool;
mod process;
mod quarantine;
mod stream;
mod transport;

pub mod errors;
pub mod protocol;
pub mod worker;

pub use errors::DECIMAL_OVERFLOW;
pub use options::{EngineOptions, NumberSource, QueryRequest};
pub use pool::{Engine, EngineStatus};
pub use protocol::{
    EngineColumn, EngineError, InlineRows, Relation, SMALL_BYTES_MAX, SMALL_ROWS_MAX, SmallFiles, SmallType, Verb, Wall,
};
pub use stream::{CancelHandle, ResultStream};
