//! Writes as values, and the bytes that the log keeps of them.
//!
//! A **record** is what one group commit makes of frames: a checksummed, versioned blob that covers one or more
//! consecutive offsets. Many small frames of one table share one Arrow batch in it; the rows of each offset are
//! counted, so that a record can be taken apart again.

mod decode;
mod encode;
mod layout;

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, Offset, RejectedRow, ddl::DdlOp, files::NewFile};
use thiserror::Error;
use uuid::Uuid;

pub use decode::{decode, decoded_bytes, staged_files};
pub use encode::{encode_parts, encode_rows};

/// One atomic write: a statement, or a whole transaction.
#[derive(Clone, Debug)]
pub struct Write {
    /// What it does, in order. Rows and files may name tables that its DDL makes.
    pub parts: Vec<Part>,
    /// The `ddl_offset` of the schema it was made for.
    pub made_for: Offset,
    /// With a key, a repeat has no second effect.
    pub key: Option<IdempotencyKey>,
    /// What was found out about rows of tables before this was made, if it is right only while that stays true.
    pub validated: Option<Validated>,
}

/// All rows of some tables were looked at: a write that depends on it is refused once other rows are in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// Up to which offset.
    pub through: Offset,
    /// Of which tables.
    pub tables: Vec<Uuid>,
}

/// A part of a write.
#[derive(Clone, Debug)]
pub enum Part {
    /// Rows of a table: one Arrow column per entry of `columns`, typed as `ColumnType::arrow()`.
    Rows {
        /// The table's uuid.
        table: Uuid,
        /// Which columns the batch has, in its order.
        columns: Vec<ColumnId>,
        /// The rows.
        batch: RecordBatch,
    },
    /// Staged files that become part of a table.
    Files {
        /// The table's uuid.
        table: Uuid,
        /// The files.
        files: Vec<NewFile>,
    },
    /// Schema changes.
    Ddl(Vec<DdlOp>),
    /// Rows that this write left out, to be kept with their reasons.
    Rejected(Vec<RejectedRow>),
}

impl Part {
    /// The table whose rows it has.
    pub(crate) fn table(&self) -> Option<Uuid> {
        match self {
            Self::Rows { table, .. } | Self::Files { table, .. } => Some(*table),
            Self::Ddl(_) | Self::Rejected(_) => None,
        }
    }
}

/// What makes a write repeatable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The client's key, at most [`KEY_BYTES_MAX`] bytes.
    pub key: String,
    /// SHA-256 of what the client sent.
    pub payload_sha256: [u8; 32],
}

/// Longest idempotency key, in bytes: it must fit an index row of every store.
pub const KEY_BYTES_MAX: usize = 512;

/// A record's body, decoded.
#[derive(Clone, Debug)]
pub struct Body {
    /// The `ddl_offset` that all its frames were made for.
    pub made_for: Offset,
    /// Its frames.
    pub content: Content,
}

/// What a record holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Rows of one table from one or more frames.
    Rows(SharedRows),
    /// One frame with any parts.
    Parts(Vec<Part>),
}

/// Rows of consecutive frames in one batch.
#[derive(Clone, Debug)]
pub struct SharedRows {
    /// The table's uuid.
    pub table: Uuid,
    /// Which columns the batch has, in its order.
    pub columns: Vec<ColumnId>,
    /// Rows of each offset, in order; they add up to the batch's.
    pub rows_per_offset: Vec<u32>,
    /// The rows.
    pub batch: RecordBatch,
}

/// Why bytes are not a record, or a write cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct FrameError(pub(crate) String);

impl FrameError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

#[cfg(test)]
mod tests;
