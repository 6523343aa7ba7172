//! NOT NULL and CHECK, for rows that are about to be stored.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnDef, ColumnId, ConstraintKind, LakeSchema, TableDef};

use super::{render, row_buffer::Rows, select, tables};
use crate::{
    engine::QueryRequest,
    session::{ClientSession, Pin},
    sql,
    value::{Encoder, ValueContext},
    wire::{PgError, PgResult, SqlState, backend::Session as _},
};

/// The view that CHECK expressions read.
const CHECKED_VIEW: &str = "checked_rows";

/// Fails at the first NULL in a NOT NULL column of `batch`, as Postgres.
///
/// # Errors
/// 23502.
pub fn not_null(ctx: &Arc<ValueContext>, table: &TableDef, columns: &[ColumnId], batch: &RecordBatch) -> PgResult<()> {
    first_null(ctx, table, columns, batch).map_or(Ok(()), |(_, error)| Err(error))
}

/// The same with the row that it is of.
#[must_use]
pub fn first_null(
    ctx: &Arc<ValueContext>,
    table: &TableDef,
    columns: &[ColumnId],
    batch: &RecordBatch,
) -> Option<(usize, PgError)> {
    let first = |column: &ColumnDef| {
        let index = columns.iter().position(|id| *id == column.id)?;
        let array = batch.columns().get(index).filter(|array| array.null_count() > 0)?;
        (0..array.len()).find(|row| array.is_null(*row))
    };
    // Of several in one row the table's first column is named.
    let nulls = table.columns.iter().filter(|c| !c.nullable).filter_map(|c| Some((first(c)?, c)));
    let (row, column) = nulls.min_by_key(|(row, _)| *row)?;
    let message =
        format!("null value in column \"{}\" of relation \"{}\" violates not-null constraint", column.name, table.name);
    let error = PgError::new(SqlState::NOT_NULL_VIOLATION, message)
        .detail(failing_row(ctx, table, columns, batch, row))
        .table(table.name.clone())
        .column(column.name.clone());
    Some((row, error))
}

/// Whether a table has CHECK constraints, its columns' domains counted.
#[must_use]
pub fn has_checks(table: &TableDef) -> bool {
    table.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::Check { .. }))
        || table.columns.iter().any(|c| c.domain.is_some())
}

/// Fails if a row is false for a CHECK constraint. All rows are looked at in one query for each constraint.
///
/// # Errors
/// 23514, or what evaluating an expression gives.
pub async fn check(session: &ClientSession, schema: &LakeSchema, table: &Arc<TableDef>, rows: &Rows) -> PgResult<()> {
    if !has_checks(table) || rows.count == 0 {
        return Ok(());
    }
    let (tests, compiled) = {
        let (table, context) = (table.clone(), session.plan_context(&Pin::types_of(schema), &[]));
        let compile = move || Ok((sql::domain::compile(&table, &context)?, sql::check::compile(&table, &context)?));
        sql::thread::run(compile).await?
    };
    let (files, _scratch) = rows.files(&session.lake, table).await?;
    for test in tests {
        let condition = render::sql(session, &test.sql, &[], None)?;
        if failing(session, table, &files, &condition).await?.is_some() {
            return Err(test.error);
        }
    }
    for check in compiled {
        let condition = render::sql(session, &check.sql, &[], None)?;
        if let Some(failing) = failing(session, table, &files, &condition).await? {
            let columns: Vec<ColumnId> = table.columns.iter().map(|c| c.id).collect();
            return Err(PgError::new(
                SqlState::CHECK_VIOLATION,
                format!(
                    "new row for relation \"{}\" violates check constraint \"{}\"",
                    table.name, check.constraint.name
                ),
            )
            .detail(failing_row(&session.value_context(), table, &columns, &failing, 0))
            .table(table.name.clone())
            .constraint(check.constraint.name));
        }
    }
    Ok(())
}

async fn failing(
    session: &ClientSession,
    table: &TableDef,
    files: &[PathBuf],
    condition: &str,
) -> PgResult<Option<RecordBatch>> {
    let sql = format!("SELECT * FROM \"{CHECKED_VIEW}\" WHERE NOT ({condition}) LIMIT 1");
    let relations = vec![tables::relation_over(CHECKED_VIEW, table, files)];
    let request = QueryRequest { relations, ..select::request(session, sql) };
    let mut stream = session.lake.engine.query(request).await?;
    while let Some(batch) = stream.next().await? {
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

/// `Failing row contains (1, null, …).`
fn failing_row(
    ctx: &Arc<ValueContext>,
    table: &TableDef,
    columns: &[ColumnId],
    batch: &RecordBatch,
    row: usize,
) -> String {
    /// Postgres cuts each value after 64 bytes.
    const VALUE_BYTES_MAX: usize = 64;
    let values = table.columns.iter().map(|column| {
        let index = columns.iter().position(|id| *id == column.id);
        let Some(array) = index.and_then(|index| batch.columns().get(index)) else { return "null".to_owned() };
        if array.is_null(row) {
            return "null".to_owned();
        }
        let mut text = bytes::BytesMut::new();
        let written = Encoder::new(array.data_type(), &column.ty.duckdb(), Some(&column.ty), ctx)
            .and_then(|encoder| encoder.bind(array)?.encode_text(row, &mut text));
        let mut text = written.map_or_else(|_| "?".to_owned(), |()| String::from_utf8_lossy(&text).into_owned());
        if text.len() > VALUE_BYTES_MAX {
            let end = (0..=VALUE_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push_str("...");
        }
        text
    });
    format!("Failing row contains ({}).", values.collect::<Vec<_>>().join(", "))
}
