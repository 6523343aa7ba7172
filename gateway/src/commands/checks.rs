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

/// A condition that no row may be false for.
pub struct Test {
    /// DuckDB SQL over the table's columns.
    pub condition: String,
    of: Of,
}

/// Where a condition is from.
enum Of {
    /// The domain of a column.
    Domain(ColumnId, PgError),
    /// The constraint of that name.
    Constraint(String),
}

impl Test {
    /// The column whose domain asks for it.
    #[must_use]
    pub fn column(&self) -> Option<ColumnId> {
        match &self.of {
            Of::Domain(column, _) => Some(*column),
            Of::Constraint(_) => None,
        }
    }

    /// What is said of row `row` of `batch`, which fails.
    #[must_use]
    pub fn error(
        &self,
        ctx: &Arc<ValueContext>,
        table: &TableDef,
        columns: &[ColumnId],
        (batch, row): (&RecordBatch, usize),
    ) -> PgError {
        match &self.of {
            Of::Domain(_, error) => error.clone(),
            Of::Constraint(name) => {
                let relation = &table.name;
                let message = format!("new row for relation \"{relation}\" violates check constraint \"{name}\"");
                PgError::new(SqlState::CHECK_VIOLATION, message)
                    .detail(failing_row(ctx, table, columns, batch, row))
                    .table(relation.clone())
                    .constraint(name.clone())
            }
        }
    }
}

/// What rows of a table are tested for, in Postgres' order: domains, then constraints.
///
/// # Errors
/// Of expressions that mean nothing any more.
pub async fn tests(session: &ClientSession, schema: &LakeSchema, table: &Arc<TableDef>) -> PgResult<Vec<Test>> {
    if !has_checks(table) {
        return Ok(Vec::new());
    }
    let (of, context) = (table.clone(), session.plan_context(&Pin::types_of(schema), &[]));
    let compile = move || Ok((sql::domain::compile(&of, &context)?, sql::check::compile(&of, &context)?));
    let (domains, constraints) = sql::thread::run(compile).await?;
    let mut tests = Vec::with_capacity(domains.len() + constraints.len());
    for test in domains {
        let of = Of::Domain(test.column, test.error);
        tests.push(Test { condition: render::sql(session, &test.sql, &[], None)?, of });
    }
    for check in constraints {
        let of = Of::Constraint(check.constraint.name);
        tests.push(Test { condition: render::sql(session, &check.sql, &[], None)?, of });
    }
    Ok(tests)
}

/// Fails if a row is false for a CHECK constraint. All rows are looked at in one query for each constraint.
///
/// # Errors
/// 23514, or what evaluating an expression gives.
pub async fn check(session: &ClientSession, schema: &LakeSchema, table: &Arc<TableDef>, rows: &Rows) -> PgResult<()> {
    let tests = if rows.count > 0 { tests(session, schema, table).await? } else { Vec::new() };
    if tests.is_empty() {
        return Ok(());
    }
    let (files, _scratch) = rows.files(&session.lake, table).await?;
    let columns: Vec<ColumnId> = table.columns.iter().map(|c| c.id).collect();
    for test in tests {
        if let Some(failing) = failing(session, table, &files, &test.condition).await? {
            let error = test.error(&session.value_context(), table, &columns, (&failing, 0));
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
