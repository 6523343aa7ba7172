//! The values of generated columns: computed by the engine from the rows that are about to be stored.

use std::sync::Arc;

use arrow::array::RecordBatch;
use duckmesh_catalog::{ColumnDef, ColumnId, LakeSchema, TableDef};

use super::{conform, render, select, tables};
use crate::{
    engine::QueryRequest,
    session::{ClientSession, OpenLake, Pin, temporary},
    sql::{self, plan::SqlPart},
    value::ValueContext,
    wire::{PgError, PgResult, backend::Session as _},
};

/// What the rows are called while they are looked at.
const COMPUTED_VIEW: &str = "computed_rows";

/// The generated columns of a table, ready to be computed.
pub struct Generated {
    lake: Arc<OpenLake>,
    table: Arc<TableDef>,
    request: QueryRequest,
    values: Arc<ValueContext>,
}

impl Generated {
    /// None for a table without any.
    ///
    /// # Errors
    /// Of expressions that mean nothing any more.
    pub async fn of(session: &ClientSession, schema: &LakeSchema, table: &Arc<TableDef>) -> PgResult<Option<Self>> {
        if table.columns.iter().all(|c| c.generated().is_none()) {
            return Ok(None);
        }
        let (of, context) = (table.clone(), session.plan_context(&Pin::types_of(schema), &[]));
        let compiled = sql::thread::run(move || {
            let columns = of.columns.iter().filter(|c| c.ty.is_writable());
            columns.map(|column| sql::check::compile_generated(column, &of, &context)).collect::<PgResult<Vec<_>>>()
        });
        let compiled: Vec<Vec<SqlPart>> = compiled.await?;
        let mut list = Vec::with_capacity(compiled.len());
        for (column, parts) in columns(table).into_iter().zip(compiled) {
            let name = tables::quote(&column.name);
            list.push(match parts.is_empty() {
                true => name,
                false => format!("{} AS {name}", render::sql(session, &parts, &[], None)?),
            });
        }
        let sql = format!("SELECT {} FROM \"{COMPUTED_VIEW}\"", list.join(", "));
        let request = select::request(session, sql);
        let (lake, values) = (session.lake.clone(), session.value_context());
        Ok(Some(Self { lake, table: table.clone(), request, values }))
    }

    /// The same rows with their generated columns.
    ///
    /// # Errors
    /// What computing them gives, for any row.
    pub async fn fill(&self, batch: RecordBatch) -> PgResult<RecordBatch> {
        if batch.num_rows() == 0 {
            return Ok(batch);
        }
        let columns = columns(&self.table);
        let ids: Vec<ColumnId> = columns.iter().map(|c| c.id).collect();
        let schema = batch.schema();
        let file = temporary::write_file(&self.lake.scratch, &self.table, ids, vec![batch]).await?;
        let rows = tables::relation_over(COMPUTED_VIEW, &self.table, std::slice::from_ref(&file.path));
        let request = QueryRequest { relations: vec![rows], ..self.request.clone() };
        let mut stream = self.lake.engine.query(request).await?;
        let mut filled = Vec::new();
        while let Some(batch) = stream.next().await? {
            if batch.num_rows() > 0 {
                filled.push(conform::batch(&batch, &columns, &self.values)?);
            }
        }
        let schema = filled.first().map_or(schema, RecordBatch::schema);
        arrow::compute::concat_batches(&schema, &filled).map_err(PgError::internal)
    }
}

/// The columns that a write stores.
fn columns(table: &TableDef) -> Vec<&ColumnDef> {
    table.columns.iter().filter(|c| c.ty.is_writable()).collect()
}
