//! The rows of new data files: the files, their statistics, and the table's.

use std::collections::HashMap;

use super::{
    diff::is_retyped,
    stats::{Range, TableStats},
};
use crate::{
    ColumnId, ColumnType, SnapshotId, TableDef, TableId,
    catalog::Result,
    files::NewFile,
    params,
    store::{Statement, Transaction},
};

/// Adds the statements that insert files into a table.
pub(super) async fn insert(
    tx: &mut Transaction,
    statements: &mut Vec<Statement>,
    snapshot: SnapshotId,
    (table, old): (&TableDef, Option<&TableDef>),
    files: &[NewFile],
    next_file_id: &mut i64,
) -> Result<()> {
    let known = tx
        .query_opt("SELECT record_count, next_row_id FROM @ducklake_table_stats WHERE table_id = $1", params![table.id])
        .await?;
    let (had_rows, first_row) = match &known {
        Some(row) => (row.opt_int(0)?.unwrap_or(0) > 0, row.opt_int(1)?.unwrap_or(0)),
        None => (false, 0),
    };
    let mut row_id = first_row;
    for file in files {
        let place = Place { id: *next_file_id, table: table.id, begin: snapshot, partial_max: None, row_id };
        insert_file(statements, &place, file);
        *next_file_id += 1;
        row_id += count(file.record_count);
    }
    let size: i64 = files.iter().map(|f| count(f.size_bytes)).sum();
    statements.push(if known.is_some() {
        Statement::new(
            "UPDATE @ducklake_table_stats SET record_count = record_count + $2, next_row_id = $3,
                file_size_bytes = file_size_bytes + $4 WHERE table_id = $1",
            params![table.id, row_id - first_row, row_id, size],
        )
        .expect(1)
    } else {
        Statement::new(
            "INSERT INTO @ducklake_table_stats(table_id, record_count, next_row_id, file_size_bytes)
             VALUES ($1, $2, $3, $4)",
            params![table.id, row_id - first_row, row_id, size],
        )
    });
    merge_stats(tx, statements, table, old, files, had_rows).await
}

/// Where a file comes in a table.
pub(super) struct Place {
    pub id: i64,
    pub table: TableId,
    pub begin: SnapshotId,
    /// For a merged file: since when all of it is visible.
    pub partial_max: Option<SnapshotId>,
    pub row_id: i64,
}

/// Adds the statements for the rows of one file.
pub(super) fn insert_file(statements: &mut Vec<Statement>, place: &Place, file: &NewFile) {
    statements.push(Statement::new(
        "INSERT INTO @ducklake_data_file(data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format,
            record_count, file_size_bytes, footer_size, row_id_start, partial_max)
         VALUES ($1, $2, $3, $4, $5, 'parquet', $6, $7, $8, $9, $10)",
        params![
            place.id,
            place.table,
            place.begin,
            &file.path,
            true,
            file.record_count,
            file.size_bytes,
            file.footer_size_bytes,
            place.row_id,
            place.partial_max
        ],
    ));
    for stats in &file.stats {
        statements.push(Statement::new(
            "INSERT INTO @ducklake_file_column_stats(data_file_id, table_id, column_id, column_size_bytes, value_count,
                null_count, min_value, max_value, contains_nan)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                place.id,
                place.table,
                stats.column,
                stats.size_bytes,
                stats.value_count,
                stats.null_count,
                stats.min.as_ref(),
                stats.max.as_ref(),
                stats.contains_nan
            ],
        ));
    }
}

async fn merge_stats(
    tx: &mut Transaction,
    statements: &mut Vec<Statement>,
    table: &TableDef,
    old: Option<&TableDef>,
    files: &[NewFile],
    had_rows: bool,
) -> Result<()> {
    let rows = tx
        .query(
            "SELECT column_id, contains_null, contains_nan, min_value, max_value
             FROM @ducklake_table_column_stats WHERE table_id = $1",
            params![table.id],
        )
        .await?;
    let mut known = HashMap::new();
    for row in rows {
        let range = match (row.opt_text(3)?, row.opt_text(4)?) {
            (Some(min), Some(max)) => Range::Known(min, max),
            _ => Range::Unknown,
        };
        let stats = TableStats { contains_null: row.opt_bool(1)?, contains_nan: row.opt_bool(2)?, range };
        known.insert(ColumnId::new(row.int(0)?), stats);
    }
    for (column, ty, initial_default) in leaves(table) {
        let before = known.remove(&column);
        let start = before.clone().unwrap_or_else(|| TableStats::before_first_file(had_rows, initial_default));
        let retyped = old.and_then(|old| Some((old.column_by_id(column)?, table.column_by_id(column)?)));
        let mut after = match retyped.is_some_and(|(old, new)| is_retyped(old, new)) {
            true => TableStats { contains_null: Some(true), contains_nan: None, range: Range::Unknown },
            false => start,
        };
        for file in files {
            after = match file.stats.iter().find(|s| s.column == column) {
                Some(stats) => after.merge(ty, stats),
                // A file that says nothing of a column may hold anything of it.
                None => {
                    TableStats { contains_null: Some(true), contains_nan: after.contains_nan, range: Range::Unknown }
                }
            };
        }
        // Most files of a growing table stay within its ranges.
        if before.as_ref() == Some(&after) {
            continue;
        }
        let (min, max) = after.bounds();
        let sql = if before.is_some() {
            "UPDATE @ducklake_table_column_stats
             SET contains_null = $3, contains_nan = $4, min_value = $5, max_value = $6
             WHERE table_id = $1 AND column_id = $2"
        } else {
            "INSERT INTO @ducklake_table_column_stats(table_id, column_id, contains_null, contains_nan, min_value, max_value)
             VALUES ($1, $2, $3, $4, $5, $6)"
        };
        statements
            .push(Statement::new(sql, params![table.id, column, after.contains_null, after.contains_nan, min, max]));
    }
    // What is left is nested in columns of other writers: in rows of ours they are NULL.
    for (column, _) in known.iter().filter(|(_, stats)| stats.contains_null != Some(true)) {
        statements.push(Statement::new(
            "UPDATE @ducklake_table_column_stats SET contains_null = $3 WHERE table_id = $1 AND column_id = $2",
            params![table.id, *column, true],
        ));
    }
    Ok(())
}

/// Leaf columns with their types: an array's element stands for the array.
fn leaves(table: &TableDef) -> impl Iterator<Item = (ColumnId, &ColumnType, Option<&str>)> {
    table.columns.iter().filter_map(|column| match (&column.ty, column.element_id) {
        (ColumnType::Array(element), Some(id)) => Some((id, element.as_ref(), None)),
        // Nested columns of other writers: their leaves are not known here, and no file of ours has values for them.
        (ColumnType::Other(name), _) if name.contains(['(', '[']) => None,
        (ty, _) => Some((column.id, ty, column.initial_default.as_deref())),
    })
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
