//! Conditions over the rows of COPY FROM while they arrive: WHERE, CHECK and domains.

use std::sync::Arc;

use arrow::{
    array::{Array, BooleanArray, RecordBatch},
    compute::concat,
};
use duckmesh_catalog::{ColumnId, TableDef};

use super::{aside::Aside, failure, row_buffer::Scratch, tables};
use crate::{
    session::{ClientSession, scratch_path},
    wire::{PgError, PgResult},
};

/// The relation that conditions read.
const RELATION: &str = "copied_rows";

/// Evaluates conditions over batches of a table's rows.
pub struct Conditions {
    aside: Aside,
    table: Arc<TableDef>,
    columns: Vec<ColumnId>,
}

impl Conditions {
    /// For batches of those columns of the table.
    #[must_use]
    pub fn new(session: &ClientSession, table: &Arc<TableDef>, columns: &[ColumnId]) -> Self {
        Self { aside: Aside::of(session), table: table.clone(), columns: columns.to_vec() }
    }

    /// For each row whether the condition, DuckDB SQL, is true, false or unknown (NULL). If evaluating it fails for a
    /// row, the truths of the rows before that one and what it gives for it.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn truths(&self, condition: &str, batch: &RecordBatch) -> PgResult<(BooleanArray, Option<PgError>)> {
        match self.evaluate(condition, batch).await {
            Ok(truths) => Ok((truths, None)),
            Err(error) if is_of_value(&error) => self.before_failing(condition, batch, error).await,
            Err(error) => Err(error),
        }
    }

    /// Looks for the first row whose evaluation fails by halves: the engine names none.
    #[cold]
    async fn before_failing(
        &self,
        condition: &str,
        batch: &RecordBatch,
        mut error: PgError,
    ) -> PgResult<(BooleanArray, Option<PgError>)> {
        let (mut good, mut bad, mut truths) = (0, batch.num_rows(), BooleanArray::from(Vec::<bool>::new()));
        while good + 1 < bad {
            let middle = good.midpoint(bad);
            match self.evaluate(condition, &batch.slice(0, middle)).await {
                Ok(of_first) => (good, truths) = (middle, of_first),
                Err(of_row) if is_of_value(&of_row) => (bad, error) = (middle, of_row),
                Err(other) => return Err(other),
            }
        }
        Ok((truths, Some(error)))
    }

    async fn evaluate(&self, condition: &str, batch: &RecordBatch) -> PgResult<BooleanArray> {
        let rows = self.write(batch).await?;
        let sql = format!("SELECT ({condition}) AS truth FROM \"{RELATION}\" AS {}", tables::quote(&self.table.name));
        let relations = vec![tables::relation_over(RELATION, &self.table, &[rows.path().to_owned()])];
        let mut stream = self.aside.query(sql, relations).await?;
        let mut pieces = Vec::new();
        while let Some(batch) = self.aside.stoppable(stream.next()).await? {
            pieces.extend(batch.columns().first().cloned());
        }
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        let all = concat(&pieces).map_err(PgError::internal)?;
        match all.as_any().downcast_ref::<BooleanArray>() {
            Some(all) if all.len() == batch.num_rows() => Ok(all.clone()),
            _ => Err(PgError::internal("a condition gave something else than one truth for each row")),
        }
    }

    /// Writes a batch where the engine can read it.
    async fn write(&self, batch: &RecordBatch) -> PgResult<Scratch> {
        let scratch = Scratch::new(scratch_path(&self.aside.lake.scratch));
        let (table, columns, rows) = (self.table.clone(), self.columns.clone(), batch.clone());
        let path = scratch.path().to_owned();
        tokio::task::spawn_blocking(move || duckmesh_storage::write_scratch(&table, &columns, &[rows], &path))
            .await
            .map_err(PgError::internal)?
            .map_err(failure::storage)?;
        Ok(scratch)
    }
}

/// Whether an error is of a row's values: data exceptions.
fn is_of_value(error: &PgError) -> bool {
    error.code().0.starts_with("22")
}
