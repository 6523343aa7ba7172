//! Limits of the server in one place, each with its reason.

use std::time::Duration;

/// Rows of one write that are kept in memory until they are appended; more is staged as Parquet while it arrives.
/// Small enough for 200 sessions, large enough that ordinary statements cost no file of their own.
pub const BUFFERED_WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often a write is planned again because the schema changed under it, before it gives up with 40001.
pub const STALE_SCHEMA_RETRIES_MAX: usize = 16;

/// How long a DDL statement waits for its publication before it says that its outcome is unknown.
pub const DDL_PUBLICATION_WAIT: Duration = Duration::from_secs(60);

/// The largest EXPLAIN answer in bytes.
pub const EXPLAIN_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Files of one lake's open transactions are removed when they end; leftovers of a crash are removed at start.
pub const SCRATCH_FILE_PREFIX: &str = "own-";

/// Rows of small statements that one transaction may hold in memory before COMMIT. COPY and large statements are staged and do
/// not count.
pub const TRANSACTION_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Temporary tables, views and sequences of one session: each statement looks through them.
pub const TEMPORARY_OBJECTS_MAX: usize = 1000;

/// Rows of INSERT … RETURNING that are kept in memory until the rows are durable.
pub const RETURNING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Rows of COPY that are parsed before they are passed on: one Parquet row group has about this many.
pub const COPY_BATCH_ROWS: usize = 8192;

/// Bytes of COPY that are parsed before they are passed on, for wide rows.
pub const COPY_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Parquet files that are read for COPY FROM STDIN at once, each by an engine of its own; further ones wait.
pub static COPY_PARQUET_READERS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(4);

/// Memory of each of those engines: one reads one row group after the other.
pub const COPY_PARQUET_READERS_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;

/// Bytes of COPY TO STDOUT gathered before they are sent.
pub const COPY_OUT_PIECE_BYTES: usize = 256 * 1024;

/// Rows of a cursor that are kept in memory; what is more goes to a file.
pub const CURSOR_MEMORY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Rows of a cursor that are kept at all.
pub const CURSOR_FILE_BYTES_MAX: usize = 8 * 1024 * 1024 * 1024;
