//! Turns fields into record batches.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use duckmesh_catalog::types::ColumnType;

use crate::value::ValueContext;
use crate::wire::error::{PgError, PgResult};

/// A column that COPY fills.
#[derive(Clone, Debug)]
pub struct SinkColumn {
    pub name: String,
    pub ty: ColumnType,
    /// NULL is refused (23502) with the line in the error's context.
    pub not_null: bool,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    pub rows: usize,
    pub bytes: usize,
}

/// Collects rows and yields record batches.
pub struct RowSink {
    rows: u64,
}

impl RowSink {
    /// `relation` is the table's name as errors say it.
    pub fn new(
        relation: &str,
        columns: &[SinkColumn],
        limits: BatchLimits,
        ctx: Arc<ValueContext>,
    ) -> PgResult<Self> {
        let _ = (relation, columns, limits, ctx);
        Err(PgError::unsupported("not yet"))
    }

    /// A full batch, if there is one; call until none after each `feed`.
    pub fn take_batch(&mut self) -> Option<RecordBatch> {
        None
    }

    /// The rows that fill no batch yet; call after the parser's `finish`.
    pub fn take_rest(&mut self) -> PgResult<Option<RecordBatch>> {
        Ok(None)
    }

    /// All rows so far: `COPY n`.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes are held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        0
    }
}
