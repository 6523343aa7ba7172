//! ALTER TABLE that changes every row: the rows it had, read and made anew for the table as it will be.

use std::sync::Arc;

use duckmesh_catalog::{TableDef, ddl::DdlOp};

use super::{failure, insert, row_buffer::Rows};
use crate::{
    session::{ClientSession, Pin},
    sql::plan::{InsertPlan, InsertSource, TableRewrite},
    wire::{PgError, PgResult, SqlState, backend::Params},
};

/// Each table as `ops` leave it, with its rows. Nothing is stored.
///
/// # Errors
/// Rows that do not fit.
pub async fn rows(
    session: &mut ClientSession,
    pin: &Pin,
    ops: &[DdlOp],
    rewrites: &[TableRewrite],
) -> PgResult<Vec<(Arc<TableDef>, Rows)>> {
    let mut made = Vec::with_capacity(rewrites.len());
    if rewrites.is_empty() {
        return Ok(made);
    }
    let schema = Arc::new(pin.schema.apply(ops).map_err(failure::catalog)?);
    for rewrite in rewrites {
        let table = schema.table_by_uuid(rewrite.table).cloned();
        let table = table.ok_or_else(|| PgError::internal("a table that is written anew is not there"))?;
        let plan = InsertPlan {
            schema_name: schema.schema_name(table.schema_id).unwrap_or_default().to_owned(),
            columns: rewrite.columns.clone(),
            source: InsertSource::Query(rewrite.query.clone()),
            returning: None,
            params: Vec::new(),
            table: Arc::new(without_unlooked(&table)),
        };
        let rows = insert::rows(session, &plan, &Params::default(), Some(pin), &schema).await.map_err(reworded)?;
        made.push((table, rows));
    }
    Ok(made)
}

/// The table as its rows that are there are tested: a constraint that is NOT VALID asks nothing of them.
fn without_unlooked(table: &TableDef) -> TableDef {
    let mut tested = table.clone();
    tested.constraints.retain(|constraint| !constraint.options.not_valid);
    tested
}

/// A row that was there is not new.
fn reworded(error: PgError) -> PgError {
    let fields = error.fields();
    let with_schema = |error: PgError| match &fields.schema {
        Some(schema) => error.schema(schema.clone()),
        None => error,
    };
    let (table, column) = (fields.table.clone().unwrap_or_default(), fields.column.clone().unwrap_or_default());
    match (error.code(), &fields.constraint) {
        (SqlState::CHECK_VIOLATION, Some(name)) if fields.message.starts_with("new row for relation") => {
            let message = format!("check constraint \"{name}\" of relation \"{table}\" is violated by some row");
            with_schema(PgError::new(SqlState::CHECK_VIOLATION, message).table(table).constraint(name.clone()))
        }
        (SqlState::NOT_NULL_VIOLATION, None) if !table.is_empty() => {
            let message = format!("column \"{column}\" of relation \"{table}\" contains null values");
            with_schema(PgError::new(SqlState::NOT_NULL_VIOLATION, message).table(table).column(column))
        }
        _ => error,
    }
}
