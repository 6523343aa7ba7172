//! Rows of one statement on their way to the log: in memory while they are few, staged as Parquet when they are many.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, LakeSchema, TableDef};
use duckmesh_ingest::Part;
use duckmesh_storage::{Claim, StagedWriter};

use super::failure;
use crate::{
    limits::BUFFERED_WRITE_BYTES_MAX,
    session::{OpenLake, scratch_path},
    wire::{PgError, PgResult},
};

/// Collects rows. Dropping it unfinished leaves nothing visible.
pub struct RowBuffer {
    lake: Arc<OpenLake>,
    table: Arc<TableDef>,
    schema_path: String,
    columns: Vec<ColumnId>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    staged: Option<StagedWriter>,
    rows: u64,
}

/// Finished rows.
pub struct Rows {
    /// For the log.
    pub parts: Vec<Part>,
    /// How many.
    pub count: u64,
    /// Local Parquet files that hold all of them, if they were staged.
    pub staged: Vec<PathBuf>,
    /// Keep those files, until the log names them.
    pub claims: Vec<Claim>,
}

impl RowBuffer {
    /// An empty buffer for rows with those columns.
    ///
    /// # Errors
    /// When the table's schema is not in `schema`: a bug.
    pub fn new(
        lake: Arc<OpenLake>,
        schema: &LakeSchema,
        table: Arc<TableDef>,
        columns: Vec<ColumnId>,
    ) -> PgResult<Self> {
        let folder = schema.schemas.values().find(|s| s.id == table.schema_id);
        let folder = folder.ok_or_else(|| PgError::internal("a table without a schema"))?;
        let schema_path = folder.path.clone();
        Ok(Self { lake, table, schema_path, columns, batches: Vec::new(), bytes: 0, staged: None, rows: 0 })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When they cannot be staged.
    pub async fn push(&mut self, batch: RecordBatch) -> PgResult<()> {
        self.rows += batch.num_rows() as u64;
        if let Some(writer) = &mut self.staged {
            return writer.write(batch).await.map_err(failure::storage);
        }
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.bytes <= BUFFERED_WRITE_BYTES_MAX {
            return Ok(());
        }
        let mut writer = self.lake.files.stage(self.table.clone(), self.schema_path.clone(), self.columns.clone());
        for batch in self.batches.drain(..) {
            writer.write(batch).await.map_err(failure::storage)?;
        }
        self.staged = Some(writer);
        Ok(())
    }

    /// Everything is here.
    ///
    /// # Errors
    /// When the staged files cannot be finished.
    pub async fn finish(self) -> PgResult<Rows> {
        let table = self.table.uuid;
        let Some(writer) = self.staged else {
            let columns = &self.columns;
            let rows = |batch| Part::Rows { table, columns: columns.clone(), batch };
            let parts = self.batches.into_iter().filter(|b| b.num_rows() > 0).map(rows).collect();
            return Ok(Rows { parts, count: self.rows, staged: Vec::new(), claims: Vec::new() });
        };
        let (files, claims) = writer.finish().await.map_err(failure::storage)?;
        let local = |file: &duckmesh_catalog::files::NewFile| {
            self.lake.files.local_path(&format!("{}{}{}", self.schema_path, self.table.path, file.path))
        };
        let staged = files.iter().filter_map(local).collect();
        duckmesh_catalog::failpoint::hit("copy-after-stage").map_err(PgError::internal)?;
        Ok(Rows { parts: vec![Part::Files { table, files }], count: self.rows, staged, claims })
    }
}

impl Rows {
    /// Local Parquet files with all rows: the staged ones, or a new scratch file, which is the second value.
    ///
    /// # Errors
    /// When the scratch folder cannot be written.
    pub async fn files(&self, lake: &OpenLake, table: &Arc<TableDef>) -> PgResult<(Vec<PathBuf>, Option<Scratch>)> {
        if !self.staged.is_empty() || self.parts.is_empty() {
            return Ok((self.staged.clone(), None));
        }
        let mut all = Vec::new();
        let mut of_columns = Vec::new();
        for part in &self.parts {
            if let Part::Rows { columns, batch, .. } = part {
                of_columns.clone_from(columns);
                all.push(batch.clone());
            }
        }
        let path = scratch_path(&lake.scratch);
        let (table, to) = (table.clone(), path.clone());
        tokio::task::spawn_blocking(move || duckmesh_storage::write_scratch(&table, &of_columns, &all, &to))
            .await
            .map_err(PgError::internal)?
            .map_err(failure::storage)?;
        Ok((vec![path.clone()], Some(Scratch(path))))
    }
}

/// A scratch file that goes with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Of a file that may be made there.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}
