//! COPY FROM … WHERE: which rows of a batch are stored.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch},
    compute::{concat, prep_null_mask_filter},
};
use duckmesh_catalog::{ColumnId, TableDef};

use super::{aside::Aside, failure, render, row_buffer::Scratch, tables};
use crate::{
    session::{ClientSession, scratch_path},
    sql::plan::SqlPart,
    wire::{PgError, PgResult},
};

/// The relation that the condition reads.
const RELATION: &str = "copied_rows";

/// An expression over a table's columns, for rows on their way to it.
pub struct RowQuery {
    aside: Aside,
    table: Arc<TableDef>,
    columns: Vec<ColumnId>,
    sql: String,
}

impl RowQuery {
    /// `expression` is DuckDB SQL; `columns` are those of the batches.
    #[must_use]
    pub fn new(session: &ClientSession, table: &Arc<TableDef>, columns: &[ColumnId], expression: &str) -> Self {
        let sql = format!("SELECT {expression} AS kept FROM \"{RELATION}\" AS {}", tables::quote(&table.name));
        Self { aside: Aside::of(session), table: table.clone(), columns: columns.to_vec(), sql }
    }

    /// Its value for each row.
    ///
    /// # Errors
    /// What evaluating it gives.
    pub async fn values(&self, batch: &RecordBatch) -> PgResult<ArrayRef> {
        let scratch = Scratch::new(scratch_path(&self.aside.lake.scratch));
        let (table, columns, rows) = (self.table.clone(), self.columns.clone(), batch.clone());
        let path = scratch.path().to_owned();
        tokio::task::spawn_blocking(move || duckmesh_storage::write_scratch(&table, &columns, &[rows], &path))
            .await
            .map_err(PgError::internal)?
            .map_err(failure::storage)?;
        let relations = vec![tables::relation_over(RELATION, &self.table, &[scratch.path().to_owned()])];
        let mut stream = self.aside.query(self.sql.clone(), relations).await?;
        let mut pieces = Vec::new();
        while let Some(batch) = self.aside.stoppable(stream.next()).await? {
            pieces.extend(batch.columns().first().cloned());
        }
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        let all = concat(&pieces).map_err(PgError::internal)?;
        match all.len() == batch.num_rows() {
            true => Ok(all),
            false => Err(PgError::internal("an expression gave something else than one value for each row")),
        }
    }
}

/// A condition over a table's columns.
pub struct Condition(RowQuery);

impl Condition {
    /// The condition of a plan, for batches of those columns of the table.
    ///
    /// # Errors
    /// When a value of the session cannot be shown.
    pub fn new(
        session: &ClientSession,
        table: &Arc<TableDef>,
        columns: &[ColumnId],
        condition: &[SqlPart],
    ) -> PgResult<Self> {
        let condition = render::sql(session, condition, &[], None)?;
        Ok(Self(RowQuery::new(session, table, columns, &format!("({condition})"))))
    }

    /// For each row whether the condition is true; unknown is not.
    ///
    /// # Errors
    /// What evaluating it gives.
    pub async fn kept(&self, batch: &RecordBatch) -> PgResult<BooleanArray> {
        let all = self.0.values(batch).await?;
        match all.as_any().downcast_ref::<BooleanArray>() {
            Some(all) if all.null_count() == 0 => Ok(all.clone()),
            Some(all) => Ok(prep_null_mask_filter(all)),
            None => Err(PgError::internal("a condition gave something else than truths")),
        }
    }
}
