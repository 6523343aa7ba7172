//! Domains, NOT NULL and CHECK for the rows of COPY FROM while they arrive.

use std::sync::Arc;

use arrow::{
    array::{Array, BooleanArray, RecordBatch},
    compute::{filter_record_batch, prep_null_mask_filter},
};
use duckmesh_catalog::{ColumnId, LakeSchema};

use super::{
    checks::{self, Test},
    copy_places::Places,
    copy_where::Conditions,
    render,
};
use crate::{
    session::ClientSession,
    sql::plan::CopyInPlan,
    value::{ValueContext, failing_value},
    wire::{PgError, PgResult, backend::Session as _},
};

/// What COPY asks of a table's rows.
pub struct Judge {
    conditions: Conditions,
    /// WHERE, as DuckDB SQL.
    filter: Option<String>,
    tests: Vec<Test>,
    columns: Vec<ColumnId>,
    values: Arc<ValueContext>,
    schema: Arc<LakeSchema>,
}

/// Rows that passed so far: where one did not, only those before it, and what is said of it. So each next question is
/// asked of earlier rows only, and the error that is left at the end is the one that Postgres finds first.
pub struct Judged {
    /// The rows.
    pub batch: RecordBatch,
    /// Where they came from.
    pub places: Places,
    stop: Option<PgError>,
}

impl Judge {
    /// For batches of those columns of the table.
    ///
    /// # Errors
    /// Of expressions that mean nothing any more.
    pub async fn new(
        session: &ClientSession,
        schema: &Arc<LakeSchema>,
        plan: &CopyInPlan,
        columns: &[ColumnId],
    ) -> PgResult<Self> {
        let table = &plan.table;
        let filter = plan.condition.as_deref().map(|c| render::sql(session, c, &[], None)).transpose()?;
        let tests = checks::tests(session, schema, table).await?;
        let conditions = Conditions::new(session, table, columns);
        let (values, schema) = (session.value_context(), Arc::clone(schema));
        Ok(Self { conditions, filter, tests, columns: columns.to_vec(), values, schema })
    }

    /// Whether it asks for more than NOT NULL.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        self.filter.is_some() || !self.tests.is_empty()
    }

    /// What is asked of values as they are read: domains. Then WHERE.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn read(&self, plan: &CopyInPlan, batch: RecordBatch, places: Places) -> PgResult<Judged> {
        let mut rows = Judged { batch, places, stop: None };
        for test in &self.tests {
            if let Some(column) = test.column().filter(|id| !is_generated(plan, *id)) {
                self.ask(plan, test, Some(column), &mut rows).await?;
            }
        }
        let Some(filter) = self.filter.as_ref().filter(|_| rows.batch.num_rows() > 0) else { return Ok(rows) };
        let truths = self.truths(plan, filter, &mut rows).await?;
        // Unknown is not true.
        let kept = if truths.null_count() > 0 { prep_null_mask_filter(&truths) } else { truths };
        rows.batch = filter_record_batch(&rows.batch, &kept).map_err(PgError::internal)?;
        rows.places = rows.places.filter(&kept)?;
        Ok(rows)
    }

    /// What is asked of whole rows: domains of generated columns, NOT NULL, CHECK.
    ///
    /// # Errors
    /// 23502 and 23514 for the first row that was refused, by now or before; what evaluating a condition gives.
    pub async fn whole(&self, plan: &CopyInPlan, mut rows: Judged) -> PgResult<RecordBatch> {
        for test in &self.tests {
            if let Some(column) = test.column().filter(|id| is_generated(plan, *id)) {
                self.ask(plan, test, Some(column), &mut rows).await?;
            }
        }
        if let Some((row, error)) = checks::first_null(&self.values, &plan.table, &self.columns, &rows.batch) {
            let error = error.context(rows.places.context(plan, row));
            rows.stop_at(row, error);
        }
        for test in self.tests.iter().filter(|test| test.column().is_none()) {
            self.ask(plan, test, None, &mut rows).await?;
        }
        match rows.stop {
            Some(error) => Err(checks::in_schema(error, &self.schema, &plan.table)),
            None => Ok(rows.batch),
        }
    }

    async fn ask(&self, plan: &CopyInPlan, test: &Test, of: Option<ColumnId>, rows: &mut Judged) -> PgResult<()> {
        if rows.batch.num_rows() == 0 {
            return Ok(());
        }
        let truths = self.truths(plan, &test.condition, rows).await?;
        let Some(row) = (0..truths.len()).find(|row| truths.is_valid(*row) && !truths.value(*row)) else {
            return Ok(());
        };
        let error = test.error(&self.values, &plan.table, &self.columns, (&rows.batch, row));
        let context = self.value(plan, of, rows, row).unwrap_or_else(|| rows.places.context(plan, row));
        rows.stop_at(row, error.context(context));
        Ok(())
    }

    /// The context of one column's value.
    fn value(&self, plan: &CopyInPlan, of: Option<ColumnId>, rows: &Judged, row: usize) -> Option<String> {
        let column = plan.table.column_by_id(of?)?;
        let index = self.columns.iter().position(|id| *id == column.id)?;
        let array = rows.batch.columns().get(index)?;
        let shown = array.is_valid(row).then(|| failing_value(&self.values, &column.ty, array, row));
        Some(rows.places.context_of_value(plan, row, &column.name, shown.as_deref()))
    }

    /// A condition's truths; where it fails for a row, of the rows before that.
    async fn truths(&self, plan: &CopyInPlan, condition: &str, rows: &mut Judged) -> PgResult<BooleanArray> {
        match self.conditions.truths(condition, &rows.batch).await? {
            (truths, None) => Ok(truths),
            (truths, Some(error)) => {
                let row = truths.len();
                let context = rows.places.context(plan, row);
                rows.stop_at(row, error.context(context));
                Ok(truths)
            }
        }
    }
}

impl Judged {
    fn stop_at(&mut self, row: usize, error: PgError) {
        self.batch = self.batch.slice(0, row);
        self.places = self.places.first(row);
        self.stop = Some(error);
    }
}

fn is_generated(plan: &CopyInPlan, column: ColumnId) -> bool {
    plan.table.column_by_id(column).is_some_and(|column| column.generated().is_some())
}
