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
    copy::{OnError, Rejected, RejectedRow},
    session::ClientSession,
    sql::plan::CopyInPlan,
    value::{ValueContext, failing_value},
    wire::{PgError, PgResult, SqlState, backend::Session as _},
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
    /// Rows of the data that a domain refused, where they are left out.
    rejected: Rejected,
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
        Ok(Self { conditions, filter, tests, columns: columns.to_vec(), values, schema, rejected: Rejected::default() })
    }

    /// Whether it asks for more than NOT NULL.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        self.filter.is_some() || !self.tests.is_empty()
    }

    /// Rows that were left out: with ON_ERROR ignore those that a domain refuses.
    pub fn rejected(&mut self) -> &mut Rejected {
        &mut self.rejected
    }

    /// What is asked of values as they are read: domains. Then WHERE.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn read(&mut self, plan: &CopyInPlan, batch: RecordBatch, places: Places) -> PgResult<Judged> {
        let mut rows = Judged { batch, places, stop: None };
        let ignores = plan.options.on_error == OnError::Ignore;
        let mut left_out = Vec::new();
        for test in &self.tests {
            match test.column().filter(|id| !is_generated(plan, *id)) {
                None => {}
                Some(column) if ignores && plan.columns.contains(&column) => {
                    left_out.extend(self.leave_out(plan, test, column, &mut rows).await?);
                }
                Some(column) => self.ask(plan, test, Some(column), &mut rows).await?,
            }
        }
        left_out.into_iter().for_each(|row| self.rejected.push(row));
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

    /// Leaves out the rows that a column's domain refuses.
    async fn leave_out(
        &self,
        plan: &CopyInPlan,
        test: &Test,
        of: ColumnId,
        rows: &mut Judged,
    ) -> PgResult<Vec<RejectedRow>> {
        if rows.batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let truths = self.truths(plan, &test.condition, rows).await?;
        let takes = |row: usize| !truths.is_valid(row) || truths.value(row);
        let kept = BooleanArray::from_iter((0..truths.len()).map(|row| Some(takes(row))));
        let error = || test.error(&self.values, &plan.table, &self.columns, (&rows.batch, 0));
        let refused = (0..truths.len()).filter(|row| !takes(*row)).map(|row| {
            let (line, text) = rows.places.line(row);
            let (column, value) = self.shown(plan, of, rows, row).unwrap_or_default();
            let reason = error().fields().message.clone();
            RejectedRow { line, column, value, text, reason }
        });
        let refused: Vec<RejectedRow> = refused.collect();
        if !refused.is_empty() {
            rows.batch = filter_record_batch(&rows.batch, &kept).map_err(PgError::internal)?;
            rows.places = rows.places.filter(&kept)?;
        }
        Ok(refused)
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
        let (column, shown) = self.shown(plan, of?, rows, row)?;
        Some(rows.places.context_of_value(plan, row, &column, shown.as_deref()))
    }

    /// A column's name, and its value in a row; none for NULL.
    fn shown(&self, plan: &CopyInPlan, of: ColumnId, rows: &Judged, row: usize) -> Option<(String, Option<String>)> {
        let column = plan.table.column_by_id(of)?;
        let index = self.columns.iter().position(|id| *id == column.id)?;
        let array = rows.batch.columns().get(index)?;
        let shown = array.is_valid(row).then(|| failing_value(&self.values, &column.ty, array, row));
        Some((column.name.clone(), shown))
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

/// Fails where more rows were left out than may be.
///
/// # Errors
/// 22P02.
pub fn within(plan: &CopyInPlan, rejected: u64) -> PgResult<()> {
    match plan.options.reject_limit {
        Some(limit) if rejected > limit => {
            let message = format!("skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility");
            let error = PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message);
            Err(error.context(format!("COPY {}", plan.table.name)))
        }
        _ => Ok(()),
    }
}
