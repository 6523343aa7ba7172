//! Rows in the lake's text form (those that another writer inlined in the catalog) as Arrow and Parquet.

use std::path::Path;

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnId, TableDef};

use crate::error::{Error, ErrorKind, Result};

/// Writes rows of text values, one per entry of `columns`, to a short-lived local Parquet file. Blocks.
pub fn write_rows(
    table: &TableDef,
    columns: &[ColumnId],
    rows: &[Vec<Option<String>>],
    path: &Path,
) -> Result<()> {
    let batch = rows_to_batch(table, columns, rows)?;
    crate::encode::write_scratch(table, columns, &[batch], path)
}

/// Rows of text values as one batch.
pub fn rows_to_batch(
    table: &TableDef,
    columns: &[ColumnId],
    rows: &[Vec<Option<String>>],
) -> Result<RecordBatch> {
    let _ = (table, columns, rows);
    Err(Error::new(ErrorKind::Io, "not here yet"))
}
