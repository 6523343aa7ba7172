//! Staged files: Parquet that is written to its final place while the rows arrive, before any frame names it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};

use crate::{
    error::{Error, ErrorKind, Result},
    store::LakeFiles,
};

/// Writes one table's rows to staged files, with bounded memory. Dropped without [`StagedWriter::finish`], it deletes
/// what it wrote as well as it can; the sweep gets the rest.
pub struct StagedWriter {
    files: LakeFiles,
    table: Arc<TableDef>,
    schema_path: String,
    columns: Vec<ColumnId>,
}

impl StagedWriter {
    pub(crate) fn new(
        files: LakeFiles,
        table: Arc<TableDef>,
        schema_path: String,
        columns: Vec<ColumnId>,
    ) -> Self {
        Self {
            files,
            table,
            schema_path,
            columns,
        }
    }

    /// Takes a batch; returns when the one before is encoded, so that the caller's parsing overlaps with encoding.
    /// After an error the writer is only good for [`StagedWriter::abort`].
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let _ = (
            batch,
            &self.files,
            &self.table,
            &self.schema_path,
            &self.columns,
        );
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }

    /// Makes everything durable and says what was written; nothing if no row came.
    pub async fn finish(self) -> Result<Vec<NewFile>> {
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }

    /// Deletes everything that was written.
    pub async fn abort(self) {}

    /// Rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        0
    }
}
