//! What domains say of COPY's values: as Postgres' input does, before WHERE sees a row, and one by one.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::{
    array::{Array, BooleanArray, Int64Array, RecordBatch},
    compute::{filter, filter_record_batch},
    datatypes::Int64Type,
};
use duckmesh_catalog::{ColumnId, LakeSchema, TableDef};

use super::{copy_where::RowQuery, render};
use crate::{
    copy::{Rejected, RejectedRow},
    session::{ClientSession, Pin},
    sql::{self, domain::CompiledTest},
    value::{ValueContext, failing_value},
    wire::{PgError, PgResult, SqlState, backend::Session as _},
};

/// The domains of the columns that the data has.
pub struct Domains {
    query: RowQuery,
    tests: Vec<CompiledTest>,
    table: Arc<TableDef>,
    columns: Vec<ColumnId>,
    values: Arc<ValueContext>,
    /// Whether rows that a domain refuses are left out.
    ignore: bool,
    rejected: Rejected,
}

impl Domains {
    /// None where no column of `data` was declared with one. `columns` are those of the batches.
    ///
    /// # Errors
    /// Of a domain's expression that means nothing any more.
    pub async fn of(
        session: &ClientSession,
        schema: &LakeSchema,
        (table, columns): (&Arc<TableDef>, &[ColumnId]),
        data: &[ColumnId],
        ignore: bool,
    ) -> PgResult<Option<Self>> {
        let with_domain = |id: &ColumnId| table.column_by_id(*id).is_some_and(|column| column.domain.is_some());
        if !data.iter().any(with_domain) {
            return Ok(None);
        }
        let (compiled, context) = (table.clone(), session.plan_context(&Pin::types_of(schema), &[]));
        let mut tests = sql::thread::run(move || sql::domain::compile(&compiled, &context)).await?;
        tests.retain(|test| data.contains(&test.column));
        let mut whens = String::new();
        for (n, test) in tests.iter().enumerate() {
            let condition = render::sql(session, &test.sql, &[], None)?;
            whens.push_str(&format!(" WHEN NOT ({condition}) THEN {}", n + 1));
        }
        if tests.is_empty() {
            return Ok(None);
        }
        let query = RowQuery::new(session, table, columns, &format!("CAST(CASE{whens} ELSE 0 END AS BIGINT)"));
        let (table, columns, values) = (table.clone(), columns.to_vec(), session.value_context());
        Ok(Some(Self { query, tests, table, columns, values, ignore, rejected: Rejected::default() }))
    }

    /// The rows that all domains take; what they refuse is left out, or an error. `places` says where in the data each is.
    ///
    /// # Errors
    /// 23514 or 23502 of the first row that is refused.
    pub async fn taken(
        &mut self,
        batch: RecordBatch,
        places: Int64Array,
        what: &str,
    ) -> PgResult<(RecordBatch, Int64Array)> {
        let failed = self.query.values(&batch).await?;
        let failed =
            failed.as_primitive_opt::<Int64Type>().ok_or_else(|| PgError::internal("a test without a number"))?;
        if failed.values().iter().all(|test| *test == 0) {
            return Ok((batch, places));
        }
        for (row, test) in failed.values().iter().enumerate() {
            let test = usize::try_from(*test).ok().and_then(|n| self.tests.get(n.checked_sub(1)?));
            let Some(test) = test else { continue };
            let place = places.values().get(row).copied().unwrap_or_default();
            let shown = |id: ColumnId| {
                let column = self.table.column_by_id(id)?;
                let array = batch.columns().get(self.columns.iter().position(|known| *known == id)?)?;
                (!array.is_null(row)).then(|| failing_value(&self.values, &column.ty, array, row))
            };
            let (value, name) = (shown(test.column), self.table.column_by_id(test.column).map(|c| c.name.clone()));
            let name = name.unwrap_or_default();
            if !self.ignore {
                let value = value.map_or_else(|| "null input".to_owned(), |value| format!("\"{value}\""));
                let context = format!("COPY {}, {what} {place}, column {name}: {value}", self.table.name);
                return Err(test.error.clone().context(context));
            }
            let text: Vec<String> =
                self.columns.iter().map(|id| shown(*id).unwrap_or_else(|| "\\N".to_owned())).collect();
            self.rejected.push(RejectedRow {
                line: u64::try_from(place).unwrap_or_default(),
                column: name,
                value,
                text: text.join("\t"),
                reason: test.error.fields().message.clone(),
            });
        }
        let kept = BooleanArray::from_iter(failed.values().iter().map(|test| Some(*test == 0)));
        let places = filter(&places, &kept).map_err(PgError::internal)?.as_primitive::<Int64Type>().clone();
        Ok((filter_record_batch(&batch, &kept).map_err(PgError::internal)?, places))
    }

    /// The rows that were left out, and how many there are.
    pub fn rejected(&mut self) -> &mut Rejected {
        &mut self.rejected
    }
}

/// Fails where more rows were left out than may be.
///
/// # Errors
/// 22P02.
pub fn within(limit: Option<u64>, rejected: u64, table: &TableDef) -> PgResult<()> {
    match limit {
        Some(limit) if rejected > limit => {
            let message = format!("skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility");
            let error = PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message);
            Err(error.context(format!("COPY {}", table.name)))
        }
        _ => Ok(()),
    }
}
