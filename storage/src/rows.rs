//! Rows that another writer inlined in the catalog, as a Parquet file.
//!
//! Their columns are all text in the file: DuckDB casts each to the type that `read_parquet`'s schema names (tried with
//! 1.5.5). So a value means what DuckDB says it means, also where Parquet could not hold it (negative intervals)
//! and for types that DuckMesh does not write (structs, maps, hugeint).

use std::{path::Path, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use duckmesh_catalog::{ColumnId, ColumnType, TableDef};

use crate::{
    encode::write_local,
    error::{Error, ErrorKind, Result},
    layout::Layout,
    parse,
};

/// Writes rows, one value per entry of `columns`, to a short-lived local Parquet file. Blocks.
///
/// Values are as the stores print them: booleans `1` or `t`, text and json as themselves (Postgres holds them as bytes:
/// the catalog decodes them), blobs as `\x` and hex, intervals as DuckDB or Postgres write them, lists and structs as
/// DuckDB writes them.
pub fn write_rows(table: &TableDef, columns: &[ColumnId], rows: &[Vec<Option<String>>], path: &Path) -> Result<()> {
    let layout = Layout::text(table, columns)?;
    if rows.iter().any(|row| row.len() != columns.len()) {
        return Err(Error::new(ErrorKind::Corrupt, "an inlined row has another number of values than columns"));
    }
    let arrays = columns.iter().enumerate().map(|(index, id)| {
        let ty = table.column_by_id(*id).map_or(&ColumnType::Text, |c| &c.ty);
        let mut builder = StringBuilder::with_capacity(rows.len(), 0);
        for row in rows {
            let value = row.get(index).and_then(Option::as_deref);
            builder.append_option(value.map(|v| duckdb_text(v, ty)).transpose()?);
        }
        Ok(Arc::new(builder.finish()) as ArrayRef)
    });
    let arrays = arrays.collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(layout.arrow.clone(), arrays, &options)
        .map_err(|e| Error::caused(ErrorKind::Corrupt, format!("inlined rows do not fit: {e}"), e))?;
    write_local(layout, &[batch], path)
}

/// A value in the form that DuckDB casts from.
fn duckdb_text(value: &str, ty: &ColumnType) -> Result<String> {
    match ty.bare() {
        ColumnType::Bytea => {
            let bytes = value
                .strip_prefix("\\x")
                .and_then(parse::hex)
                .ok_or_else(|| Error::new(ErrorKind::Corrupt, "an inlined blob is not hex"))?;
            Ok(bytes.iter().map(|byte| format!("\\x{byte:02X}")).collect())
        }
        ColumnType::Interval => {
            let words = value.split_whitespace().map(|word| match word {
                "mon" | "mons" => "months",
                word => word.strip_prefix('+').unwrap_or(word),
            });
            Ok(words.collect::<Vec<_>>().join(" "))
        }
        _ => Ok(value.to_owned()),
    }
}
