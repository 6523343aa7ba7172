//! NOT NULL and CHECK, for rows that are about to be stored.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnDef, ColumnId, ConstraintKind, LakeSchema, TableDef};

use super::{render, row_buffer::Rows, select, tables};
use crate::{
    engine::QueryRequest,
    pgcatalog::sql_schema,
    session::{ClientSession, Pin},
    sql,
    value::{ValueContext, failing_value},
    wire::{PgError, PgResult, SqlState, backend::Session as _},
};

/// The view that CHECK expressions read.
const CHECKED_VIEW: &str = "checked_rows";

/// Fails at the first NULL in a NOT NULL column of `batch`, as Postgres.
///
/// # Errors
/// 23502.
pub fn not_null(
    ctx: &Arc<ValueContext>,
    schema: &LakeSchema,
    table: &TableDef,
    columns: &[ColumnId],
    batch: &RecordBatch,
) -> PgResult<()> {
    first_null(ctx, table, columns, batch).map_or(Ok(()), |(_, error)| Err(in_schema(error, schema, table)))
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
            let error = PgError::new(
                SqlState::CHECK_VIOLATION,
                format!(
                    "new row for relation \"{}\" violates check constraint \"{}\"",
                    table.name, check.constraint.name
                ),
            )
            .detail(failing_row(&session.value_context(), table, &columns, &failing, 0))
            .table(table.name.clone())
            .constraint(check.constraint.name);
            return Err(in_schema(error, schema, table));
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

/// The error with the name of the table's schema, as Postgres gives it beside the table's.
#[must_use]
pub fn in_schema(error: PgError, schema: &LakeSchema, table: &TableDef) -> PgError {
    let names_table = error.fields().table.is_some();
    match schema.schema_name(table.schema_id).filter(|_| names_table) {
        Some(name) => error.schema(sql_schema(name)),
        None => error,
    }
}

/// `Failing row contains (1, null, …).`
fn failing_row(
    ctx: &Arc<ValueContext>,
    table: &TableDef,
    columns: &[ColumnId],
    batch: &RecordBatch,
    row: usize,
) -> String {
    let values = table.columns.iter().map(|column| {
        let index = columns.iter().position(|id| *id == column.id);
        let array = index.and_then(|index| batch.columns().get(index));
        array.map_or_else(|| "null".to_owned(), |array| failing_value(ctx, &column.ty, array, row))
    });
    format!("Failing row contains ({}).", values.collect::<Vec<_>>().join(", "))
}
