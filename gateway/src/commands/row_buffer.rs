//! Rows of one statement on their way to the log: in memory while they are few, staged as Parquet when they are many.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, LakeSchema, TableDef};
use duckmesh_ingest::Part;
use duckmesh_storage::{Claim, StagedWriter};

use super::failure;
use crate::{
    limits::BUFFERED_WRITE_BYTES_MAX,
    session::{
        ClientSession, OpenLake, scratch_path,
        temporary::{self, TempFile},
    },
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
    /// Files with rows of a temporary table.
    own: Vec<Arc<TempFile>>,
    /// What they may take together; none for a table of the lake.
    room: Option<u64>,
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
    /// Files of a temporary table, the ones of `staged`.
    pub own: Vec<Arc<TempFile>>,
}

impl RowBuffer {
    /// An empty buffer for rows with those columns.
    ///
    /// # Errors
    /// When the table's schema is not in `schema`: a bug.
    pub fn new(
        session: &ClientSession,
        schema: &LakeSchema,
        table: Arc<TableDef>,
        columns: Vec<ColumnId>,
    ) -> PgResult<Self> {
        let folder = schema.schemas.values().find(|s| s.id == table.schema_id);
        let folder = folder.ok_or_else(|| PgError::internal("a table without a schema"))?;
        let schema_path = folder.path.clone();
        let room = temporary::is_temporary(&table).then(|| session.temporary.room());
        Ok(Self {
            lake: session.lake.clone(),
            table,
            schema_path,
            columns,
            batches: Vec::new(),
            bytes: 0,
            staged: None,
            rows: 0,
            own: Vec::new(),
            room,
        })
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
        if self.room.is_some() {
            return self.write_own().await;
        }
        let mut writer = self.lake.files.stage(self.table.clone(), self.schema_path.clone(), self.columns.clone());
        for batch in self.batches.drain(..) {
            writer.write(batch).await.map_err(failure::storage)?;
        }
        self.staged = Some(writer);
        Ok(())
    }

    /// Rows of a temporary table, to a file of the session's own.
    async fn write_own(&mut self) -> PgResult<()> {
        let (columns, batches) = (self.columns.clone(), std::mem::take(&mut self.batches));
        self.bytes = 0;
        self.own.push(temporary::write_file(&self.lake.scratch, &self.table, columns, batches).await?);
        let bytes: u64 = self.own.iter().map(|file| file.bytes).sum();
        // Here, so that an endless query ends.
        if self.room.is_some_and(|room| bytes > room) { Err(temporary::too_large()) } else { Ok(()) }
    }

    /// Everything is here.
    ///
    /// # Errors
    /// When the staged files cannot be finished.
    pub async fn finish(mut self) -> PgResult<Rows> {
        let table = self.table.uuid;
        if !self.own.is_empty() {
            if !self.batches.is_empty() {
                self.write_own().await?;
            }
            let staged = self.own.iter().map(|file| file.path.clone()).collect();
            return Ok(Rows { parts: Vec::new(), count: self.rows, staged, claims: Vec::new(), own: self.own });
        }
        let Some(writer) = self.staged else {
            let columns = &self.columns;
            let rows = |batch| Part::Rows { table, columns: columns.clone(), batch };
            let parts = self.batches.into_iter().filter(|b| b.num_rows() > 0).map(rows).collect();
            return Ok(Rows { parts, count: self.rows, staged: Vec::new(), claims: Vec::new(), own: Vec::new() });
        };
        let (files, claims) = writer.finish().await.map_err(failure::storage)?;
        let local = |file: &duckmesh_catalog::files::NewFile| {
            self.lake.files.local_path(&format!("{}{}{}", self.schema_path, self.table.path, file.path))
        };
        let staged = files.iter().filter_map(local).collect();
        duckmesh_catalog::failpoint::hit("copy-after-stage").map_err(PgError::internal)?;
        let parts = vec![Part::Files { table, files }];
        Ok(Rows { parts, count: self.rows, staged, claims, own: Vec::new() })
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
