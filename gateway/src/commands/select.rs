//! Queries: barrier, pin, files, engine, rows.

use std::{path::PathBuf, sync::Arc};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use duckmesh_ingest::{Reading, SnapshotPin};
use duckmesh_storage::Held;

use super::{
    barrier,
    calls::{self, RowCalls},
    copy_in::CopyIn,
    current, describe, numbers, render, tables, wrong_plan,
};
use crate::{
    engine::{DECIMAL_OVERFLOW, QueryRequest, ResultStream},
    session::{ClientSession, OpenLake, Pin, PreparedStatement, temporary::TempFile},
    sql::plan::{Plan, PlanContext, QueryPlan},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Params, ResultColumn, RowSource, RowTag, Rows},
        cancel::Cancel,
    },
};

/// Runs a query.
///
/// # Errors
/// Barrier, pin, parameter and engine errors.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
) -> PgResult<Outcome<CopyIn>> {
    let pin = pin(session).await?;
    let (mut prepared, pin) = current(session, prepared, pin).await?;
    let grids = render::grids(session, prepared.plan().params(), &params)?;
    // What has an effect is not run twice: it has all digits from the start.
    let once = matches!(prepared.plan(), Plan::Query(plan) if plan.decimals && calls::has_effects(plan));
    if once || !grids.is_empty() {
        let change = |context: &mut PlanContext| {
            context.grids.clone_from(&grids);
            context.exact = once;
        };
        prepared = session.plan_otherwise(&prepared, &pin, change).await?;
    }
    let running = match begun(session, &pin, &prepared, &params).await {
        Err(error) if !once && has_no_room(&error) => {
            prepared = session
                .plan_otherwise(&prepared, &pin, |context| {
                    context.grids = grids;
                    context.exact = true;
                })
                .await?;
            begun(session, &pin, &prepared, &params).await?
        }
        begun => begun?,
    };
    let Plan::Query(plan) = prepared.plan() else { return Err(wrong_plan()) };
    let columns = describe::result_columns(session, &running.stream, plan)?;
    Ok(Outcome::Rows(Rows { columns, batches: Box::new(running), tag: RowTag::Select, binary: false }))
}

/// Starts a query. One that computes with the engine's decimals is waited for until it has rows: it may have to be computed again.
async fn begun(session: &mut ClientSession, pin: &Pin, of: &PreparedStatement, params: &Params) -> PgResult<Running> {
    let Plan::Query(plan) = of.plan() else { return Err(wrong_plan()) };
    let mut running = start(session, pin, plan, params).await?;
    if plan.decimals {
        running.first = running.next().await?;
    }
    Ok(running)
}

/// Whether the engine's decimals were too short: those of 18 digits make none of more.
#[must_use]
pub fn has_no_room(error: &PgError) -> bool {
    error.code() == SqlState::NUMERIC_VALUE_OUT_OF_RANGE
        && [DECIMAL_OVERFLOW, "numeric field overflow"].contains(&error.fields().message.as_str())
}

/// The snapshot a read sees now, after its barrier.
///
/// # Errors
/// MD001 to MD005.
pub async fn pin(session: &mut ClientSession) -> PgResult<Pin> {
    if session.transaction.is_some() {
        return barrier::transaction_pin(session).await;
    }
    barrier::reading_pin(session).await
}

/// A request to the engine under the session's time zone and deadline.
#[must_use]
pub fn request(session: &ClientSession, sql: String) -> QueryRequest {
    QueryRequest {
        client_sql: session.client_sql.clone().unwrap_or_default(),
        time_zone: session.settings.time_zone().engine_name().unwrap_or_default(),
        deadline: session.settings.statement_timeout().map(|timeout| tokio::time::Instant::now() + timeout),
        ..QueryRequest::new(sql)
    }
}

/// A query that runs on the engine.
pub struct Running {
    /// Its results.
    pub stream: ResultStream,
    /// What came already.
    first: Option<RecordBatch>,
    cancel: Cancel,
    calls: Option<RowCalls>,
    /// Whether the rows are shown without columns.
    no_columns: bool,
    _scratch: ScratchFiles,
    _held: Vec<Arc<TempFile>>,
    _files: Held,
    _reading: Reading,
    _kept: Option<Arc<SnapshotPin>>,
    /// The lake stays open while it runs.
    _lake: Arc<OpenLake>,
}

/// Starts a planned query on the engine.
///
/// # Errors
/// Parameter and engine errors.
pub async fn start(session: &mut ClientSession, pin: &Pin, plan: &QueryPlan, params: &Params) -> PgResult<Running> {
    if plan.locks && !std::mem::replace(&mut session.told_of_locks, true) {
        session.notice(PgError::notice("rows are not locked: readers have a fixed snapshot, and writers never wait"));
    }
    let parts = calls::run(session, &pin.schema, &plan.sql, &plan.params, params).await?;
    let calls = RowCalls::of(session, &pin.schema, plan, params)?;
    let numbers = numbers::source(session, &pin.schema, &plan.numbers, &plan.params, params)?;
    let reading = session.lake.lake.read();
    let prelude = tables::prelude(session, pin, plan, Some(params)).await?;
    let parts = prelude.filled(numbers::filled(parts, numbers.as_ref()));
    let sql = render::sql(session, &parts, &plan.params, Some(params))?;
    // What is made of the catalog alone is small, and its planning takes longer than its rows.
    let at_once = plan.one_row || (plan.tables.is_empty() && !plan.system.is_empty());
    let request =
        QueryRequest { relations: prelude.relations, at_once, one_row: plan.one_row, numbers, ..request(session, sql) };
    let stream = session.lake.engine.query(request).await?;
    Ok(Running {
        stream,
        first: None,
        cancel: session.cancel.clone(),
        calls,
        no_columns: plan.no_columns,
        _scratch: prelude.scratch,
        _held: prelude.held,
        _files: prelude.files,
        _reading: reading,
        _kept: pin.kept.clone(),
        _lake: session.lake.clone(),
    })
}

impl Running {
    /// The next batch. Dropping `self` after an error stops the engine's work.
    ///
    /// # Errors
    /// Engine errors; 57014 when the statement was told to stop.
    pub async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let batch = tokio::select! {
            biased;
            reason = self.cancel.cancelled() => Err(ClientSession::stopped(reason)),
            batch = self.stream.next() => batch,
        }?;
        match (batch, &self.calls) {
            (Some(batch), Some(calls)) => calls.fill(batch).await.map(Some),
            (Some(batch), None) if self.no_columns => batch.project(&[]).map(Some).map_err(PgError::internal),
            (batch, _) => Ok(batch),
        }
    }

    /// All rows of a small result.
    ///
    /// # Errors
    /// Engine errors.
    pub async fn collect(mut self) -> PgResult<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// Files made for one statement alone; they go with it.
#[derive(Default)]
pub struct ScratchFiles(pub Vec<PathBuf>);

impl Drop for ScratchFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            // A file that cannot be removed now is removed at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[async_trait]
impl RowSource for Running {
    async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        Self::next(self).await
    }
}

/// Rows that are here already.
pub struct Ready(pub std::vec::IntoIter<RecordBatch>);

#[async_trait]
impl RowSource for Ready {
    async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        Ok(self.0.next())
    }
}

/// A result whose rows are here already.
#[must_use]
pub fn ready(columns: Arc<[ResultColumn]>, batches: Vec<RecordBatch>, tag: RowTag) -> Outcome<CopyIn> {
    Outcome::Rows(Rows { columns, batches: Box::new(Ready(batches.into_iter())), tag, binary: false })
}

/// A small result of text columns, one inner vector a row.
///
/// # Errors
/// When rows and names differ in number: a bug of the caller.
pub fn text_rows(names: &[&str], rows: &[Vec<Option<String>>], tag: RowTag) -> PgResult<Outcome<CopyIn>> {
    text_rows_as(names.iter().map(|name| describe::text_column(name)).collect(), rows, tag)
}

/// The same with columns whose values are written as text, whatever their type.
///
/// # Errors
/// When rows and columns differ in number: a bug of the caller.
pub fn text_rows_as(
    columns: Arc<[ResultColumn]>,
    rows: &[Vec<Option<String>>],
    tag: RowTag,
) -> PgResult<Outcome<CopyIn>> {
    use arrow::array::{ArrayRef, StringArray};
    let arrays: Vec<(String, ArrayRef)> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let values: StringArray = rows.iter().map(|row| row.get(index).cloned().flatten()).collect();
            (column.name.clone(), Arc::new(values) as ArrayRef)
        })
        .collect();
    let batch = RecordBatch::try_from_iter_with_nullable(arrays.into_iter().map(|(n, a)| (n, a, true)))
        .map_err(crate::wire::PgError::internal)?;
    Ok(ready(columns, vec![batch], tag))
}
