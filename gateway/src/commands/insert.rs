//! INSERT: rows are typed here, so a wrong value fails with nothing appended.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use duckmesh_catalog::{ColumnDef, ColumnId, ColumnType, LakeSchema, TableDef};

use super::{
    barrier, calls, checks, conform,
    copy_in::CopyIn,
    current, defaults, describe,
    generated::Generated,
    numbers, render,
    row_buffer::{RowBuffer, Rows},
    select,
    tables::{self, Prelude},
    write::{self, Fate, Payload},
    wrong_plan,
};
use crate::{
    engine::{NumberSource, QueryRequest},
    limits::STALE_SCHEMA_RETRIES_MAX,
    session::{ClientSession, Pin, PreparedStatement, temporary},
    sql::plan::{Cell, InsertPlan, InsertSource, Plan, Returning},
    value::{ColumnBuilder, Param, ValueContext},
    wire::{
        PgError, PgResult, SqlState,
        backend::{Outcome, Params, Place, ResultColumn, RowTag, Session as _},
        same_shape,
    },
};

/// Runs an INSERT.
///
/// # Errors
/// Wrong values, constraints, errors of the log.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
    place: Place,
) -> PgResult<Outcome<CopyIn>> {
    if session.transaction_for_writes(place).is_some() {
        return in_transaction(session, prepared, &params).await;
    }
    let mut payload = Payload::new(session);
    payload.add_statement(prepared.statement().text(), &params);
    let described = prepared.described().cloned().flatten();
    let mut prepared = prepared.clone();
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        // Without a query in it, an INSERT needs no snapshot: the append itself checks the schema it was made for.
        let pin = match prepared.plan() {
            Plan::Insert(InsertPlan { source: InsertSource::Query(query), .. }) => {
                // What names no relation (`VALUES (now(), $1 + 1)`) waits for no row.
                let pin = if query.tables.is_empty() && query.system.is_empty() {
                    match barrier::repeat_pin(session).await? {
                        Some(pin) => pin,
                        None => barrier::planning_pin(session, false).await?,
                    }
                } else {
                    barrier::writing_pin(session).await?
                };
                prepared = current(session, &prepared, pin.clone()).await?.0;
                Some(pin)
            }
            _ if is_old(session, &prepared) => {
                let pin = barrier::planning_pin(session, false).await?;
                prepared = session.plan(prepared.statement(), prepared.types(), &pin).await?;
                continue;
            }
            _ => None,
        };
        let Plan::Insert(plan) = prepared.plan() else { return Err(wrong_plan()) };
        let made = prepared.schema().ddl_offset;
        let typed = match rows(session, plan, &params, pin.as_ref(), prepared.schema()).await {
            Ok(rows) => returned(session, plan, &rows, &params, prepared.schema()).await.map(|result| (rows, result)),
            Err(error) => Err(error),
        };
        let (rows, result) = match typed {
            Ok(typed) => typed,
            // What is wrong by the schema that it was planned for may be right by now.
            Err(error) if pin.is_none() => {
                let newer = barrier::planning_pin(session, false).await?;
                if session.made_for(&newer) == *prepared.made_for() {
                    return Err(error);
                }
                prepared = session.plan(prepared.statement(), prepared.types(), &newer).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        unchanged(&described, &result)?;
        if temporary::is_temporary(&plan.table) {
            keep(session, &plan.table, rows).await?;
            return Ok(result);
        }
        if rows.count == 0 {
            session.settings.set_internal("duckmesh.idempotency_key", "");
            return Ok(result);
        }
        match write::append(session, rows.parts, made, &payload).await? {
            Fate::Durable(_) => {
                duckmesh_catalog::failpoint::hit("insert-before-complete").map_err(super::failure::catalog)?;
                return Ok(result);
            }
            Fate::SchemaChanged | Fate::RowsArrived => {
                let pin = barrier::planning_pin(session, false).await?;
                prepared = session.plan(prepared.statement(), prepared.types(), &pin).await?;
            }
        }
    }
    Err(write::changed())
}

/// Fails when a statement that the client has described returns other columns now: before anything is stored.
fn unchanged(described: &Option<Arc<[ResultColumn]>>, result: &Outcome<CopyIn>) -> PgResult<()> {
    match (described, result) {
        (Some(then), Outcome::Rows(rows)) => same_shape(then, &rows.columns),
        _ => Ok(()),
    }
}

async fn in_transaction(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: &Params,
) -> PgResult<Outcome<CopyIn>> {
    let pin = barrier::transaction_pin(session).await?;
    let (prepared, pin) = current(session, prepared, pin).await?;
    let Plan::Insert(plan) = prepared.plan() else { return Err(wrong_plan()) };
    let rows = rows(session, plan, params, Some(&pin), &pin.schema).await?;
    let result = returned(session, plan, &rows, params, &pin.schema).await?;
    buffer(session, &plan.table, rows).await?;
    Ok(result)
}

/// Puts finished rows into the open transaction.
///
/// # Errors
/// 53400 when the transaction became too large.
pub async fn buffer(session: &mut ClientSession, table: &Arc<TableDef>, rows: Rows) -> PgResult<()> {
    if temporary::is_temporary(table) {
        return keep(session, table, rows).await;
    }
    let table = table.uuid;
    let transaction = session.transaction.as_mut().ok_or_else(|| PgError::internal("no transaction to write into"))?;
    for part in rows.parts {
        transaction.push(table, part);
    }
    transaction.claim(rows.claims);
    if transaction.bytes > crate::limits::TRANSACTION_BYTES_MAX {
        return Err(PgError::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "the transaction holds too many small writes",
        )
        .hint("Commit more often, or load with COPY, which is staged outside of memory."));
    }
    Ok(())
}

/// Puts finished rows into a temporary table.
///
/// # Errors
/// 53400 where they take too much.
pub async fn keep(session: &mut ClientSession, table: &Arc<TableDef>, rows: Rows) -> PgResult<()> {
    let in_memory = rows.parts.into_iter().filter_map(|part| match part {
        duckmesh_ingest::Part::Rows { columns, batch, .. } => Some((columns, batch)),
        _ => None,
    });
    session.temporary.push(table, rows.own, in_memory.collect()).await
}

/// Whether a plan was made inside a transaction with DDL of its own, for other temporary tables or under another
/// search_path: it may mean something else now.
fn is_old(session: &ClientSession, prepared: &PreparedStatement) -> bool {
    let made_for = prepared.made_for();
    made_for.own_ddl != 0
        || made_for.temporary != session.temporary.version()
        || made_for.settings != session.settings.version()
}

/// The rows of a plan, constraints checked.
pub(super) async fn rows(
    session: &mut ClientSession,
    plan: &InsertPlan,
    params: &Params,
    pin: Option<&Pin>,
    schema: &Arc<LakeSchema>,
) -> PgResult<Rows> {
    let table = &plan.table;
    let columns: Vec<&ColumnDef> = table.columns.iter().filter(|c| c.ty.is_writable()).collect();
    let ids: Vec<ColumnId> = columns.iter().map(|c| c.id).collect();
    let generated = Generated::of(session, schema, table).await?;
    let mut buffer = RowBuffer::new(session, schema, table.clone(), ids.clone())?;
    match &plan.source {
        InsertSource::DefaultValues => {
            let batch = complete(session, schema, plan, &columns, Vec::new(), 1).await?;
            let batch = filled(generated.as_ref(), batch).await?;
            checks::not_null(&session.value_context(), schema, table, &ids, &batch)?;
            buffer.push(batch).await?;
        }
        InsertSource::Values(cells) => {
            let batch = values(session, schema, plan, &columns, cells, params).await?;
            let batch = filled(generated.as_ref(), batch).await?;
            checks::not_null(&session.value_context(), schema, table, &ids, &batch)?;
            buffer.push(batch).await?;
        }
        InsertSource::Query(query) => {
            let pin = pin.ok_or_else(|| PgError::internal("INSERT … SELECT without a snapshot"))?;
            let mut running = select::start(session, pin, query, params).await?;
            let targets: Vec<&ColumnDef> = plan.columns.iter().filter_map(|id| table.column_by_id(*id)).collect();
            while let Some(batch) = running.next().await? {
                if batch.num_rows() == 0 {
                    continue;
                }
                // Rows that are written anew may have none of the columns that they had.
                let given = match targets.is_empty() {
                    true => Vec::new(),
                    false => conform::batch(&batch, &targets, &session.value_context())?.columns().to_vec(),
                };
                let rows = batch.num_rows();
                let batch = complete(session, schema, plan, &columns, given, rows).await?;
                let batch = filled(generated.as_ref(), batch).await?;
                checks::not_null(&session.value_context(), schema, table, &ids, &batch)?;
                buffer.push(batch).await?;
            }
        }
    }
    let rows = buffer.finish().await?;
    checks::check(session, schema, table, &rows).await?;
    Ok(rows)
}

/// Rows with their generated columns, where there are any.
async fn filled(generated: Option<&Generated>, batch: RecordBatch) -> PgResult<RecordBatch> {
    match generated {
        Some(generated) => generated.fill(batch).await,
        None => Ok(batch),
    }
}

/// Adds the defaults of columns that the statement does not name; `given` stands for `plan.columns`, in order.
async fn complete(
    session: &ClientSession,
    schema: &LakeSchema,
    plan: &InsertPlan,
    columns: &[&ColumnDef],
    given: Vec<ArrayRef>,
    rows: usize,
) -> PgResult<RecordBatch> {
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        let named = plan.columns.iter().position(|id| *id == column.id).and_then(|index| given.get(index));
        arrays.push(match named {
            Some(array) => array.clone(),
            None => defaults::column(session, schema, &plan.table, column, rows).await?,
        });
    }
    conform::record_batch(columns, arrays)
}

/// Rows of constants, parameters and defaults.
async fn values(
    session: &ClientSession,
    schema: &LakeSchema,
    plan: &InsertPlan,
    columns: &[&ColumnDef],
    cells: &[Vec<Cell>],
    params: &Params,
) -> PgResult<RecordBatch> {
    let ctx = session.value_context();
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        let Some(index) = plan.columns.iter().position(|id| *id == column.id) else {
            arrays.push(defaults::column(session, schema, &plan.table, column, cells.len()).await?);
            continue;
        };
        let mut builder = ColumnBuilder::new(&column.ty, cells.len())?;
        let computed = said_default(session, schema, plan, column, cells, index).await?;
        for (number, row) in cells.iter().enumerate() {
            let cell = row.get(index).unwrap_or(&Cell::Null);
            if let Err(error) = append(&mut builder, &column.ty, cell, plan, params, &ctx) {
                return Err(placed(session, error, cell, (number, index)).await);
            }
        }
        let built = builder.finish();
        arrays.push(match computed {
            Some(computed) => merged(&built, &computed, cells, index)?,
            None => built,
        });
    }
    conform::record_batch(columns, arrays)
}

/// Values for the rows that say DEFAULT, in their places; none where no row does.
async fn said_default(
    session: &ClientSession,
    schema: &LakeSchema,
    plan: &InsertPlan,
    column: &ColumnDef,
    cells: &[Vec<Cell>],
    index: usize,
) -> PgResult<Option<ArrayRef>> {
    let says: Vec<bool> = cells.iter().map(|row| matches!(row.get(index), Some(Cell::Default))).collect();
    let count = says.iter().filter(|says| **says).count();
    if count == 0 {
        return Ok(None);
    }
    // Other rows' places are never looked at: any value does.
    let values = defaults::column(session, schema, &plan.table, column, count).await?;
    let mut next = 0_u32;
    let places: arrow::array::UInt32Array = says
        .into_iter()
        .map(|says| {
            let at = next;
            next += u32::from(says);
            says.then_some(at)
        })
        .collect();
    arrow::compute::take(&values, &places, None).map(Some).map_err(PgError::internal)
}

/// An error of a constant, with where it stands in what the client sent. Only errors ask: the text is read again for it.
async fn placed(session: &ClientSession, error: PgError, cell: &Cell, (row, column): (usize, usize)) -> PgError {
    // What does not parse is told where it stands; what is too long or too large for its column is not, as in Postgres.
    let fields = error.fields();
    let unread = fields.message.starts_with("invalid input syntax")
        || fields.message.starts_with("invalid input value for enum")
        || fields.message.starts_with("range lower bound")
        || fields.message.starts_with("malformed ")
        || fields.message.ends_with(" is not a valid binary digit")
        || fields.message.ends_with(" is not a valid hexadecimal digit")
        || fields.message.starts_with("date/time field value")
        || (fields.message.starts_with("value \"") && !fields.message.starts_with("value too long"));
    let at = match (&session.client_sql, cell) {
        (Some(sql), Cell::Text(_)) if unread => crate::sql::value_place::of(sql.clone(), row, column).await,
        _ => None,
    };
    error.or_position(at)
}

fn append(
    builder: &mut ColumnBuilder,
    target: &ColumnType,
    cell: &Cell,
    plan: &InsertPlan,
    params: &Params,
    ctx: &ValueContext,
) -> PgResult<()> {
    match cell {
        Cell::Default | Cell::Null => builder.append_null(),
        Cell::Text(text) => builder.append_text(text.as_bytes(), ctx)?,
        Cell::Param(index) => match render::parameter_value(params, *index) {
            None => return Err(PgError::internal("too few parameters were bound")),
            Some(param) => parameter(builder, target, param, plan.params.get(*index).map(|p| &p.ty), ctx)?,
        },
    }
    Ok(())
}

/// A parameter is a value of the type the client gave, which may differ from the column's: then through its text.
fn parameter(
    builder: &mut ColumnBuilder,
    target: &ColumnType,
    param: Param<'_>,
    given: Option<&ColumnType>,
    ctx: &ValueContext,
) -> PgResult<()> {
    let read = |builder: &mut ColumnBuilder| match param {
        Param::Null => {
            builder.append_null();
            Ok(())
        }
        Param::Text(bytes) => builder.append_parameter(bytes, ctx),
        Param::Binary(bytes) => builder.append_binary(bytes, ctx),
    };
    match given.filter(|ty| ty.oid() != target.oid() && !matches!(param, Param::Null)) {
        None => read(builder),
        Some(ty) => {
            let mut own = ColumnBuilder::new(ty, 1)?;
            read(&mut own)?;
            let array = own.finish();
            let encoder = crate::value::Encoder::new(&ty.arrow(), &ty.duckdb(), Some(ty), &Arc::new(ctx.clone()))?;
            let mut text = bytes::BytesMut::new();
            encoder.bind(&array)?.encode_text(0, &mut text)?;
            builder.append_text(&text, ctx)
        }
    }
}

/// Takes `computed` where the row said DEFAULT, `built` elsewhere.
fn merged(built: &ArrayRef, computed: &ArrayRef, cells: &[Vec<Cell>], column: usize) -> PgResult<ArrayRef> {
    let mask: arrow::array::BooleanArray =
        cells.iter().map(|row| Some(matches!(row.get(column), Some(Cell::Default)))).collect();
    arrow::compute::kernels::zip::zip(&mask, computed, built).map_err(PgError::internal)
}

/// What the statement answers: a tag, or rows.
async fn returned(
    session: &mut ClientSession,
    plan: &InsertPlan,
    rows: &Rows,
    params: &Params,
    schema: &LakeSchema,
) -> PgResult<Outcome<CopyIn>> {
    match &plan.returning {
        None => Ok(Outcome::Complete(format!("INSERT 0 {}", rows.count))),
        Some(Returning::Columns(columns)) if rows.staged.is_empty() => {
            let described = describe::returned_columns(plan, columns);
            let batches = rows.parts.iter().filter_map(|part| projected(&plan.table, part, columns)).collect();
            Ok(select::ready(described, batches, RowTag::Insert))
        }
        Some(Returning::Columns(columns)) => {
            let names: Vec<String> =
                columns.iter().filter_map(|(_, id)| Some(tables::quote(&plan.table.column_by_id(*id)?.name))).collect();
            let sql = format!("SELECT {} FROM \"{}\"", names.join(", "), describe::RETURNING_VIEW);
            let described = describe::returned_columns(plan, columns);
            let batches = query_rows(session, plan, rows, sql, (Prelude::default(), None)).await?.1;
            Ok(select::ready(described, batches, RowTag::Insert))
        }
        Some(Returning::Query(query)) => {
            let parts = calls::run(session, schema, &query.sql, &plan.params, params).await?;
            let numbers = numbers::source(session, schema, &query.numbers, &plan.params, params)?;
            // Its subqueries read what was there before the statement.
            let _reading = session.lake.lake.read();
            let needs = if query.tables.is_empty() && query.system.is_empty() {
                Prelude::default()
            } else {
                let pin = select::pin(session).await?;
                tables::prelude(session, &pin, query, Some(params)).await?
            };
            let parts = needs.filled(numbers::filled(parts, numbers.as_ref()));
            let sql = render::sql(session, &parts, &plan.params, Some(params))?;
            let (stream, batches) = query_rows(session, plan, rows, sql, (needs, numbers)).await?;
            let columns = describe::result_columns(session, &stream, query)?;
            Ok(select::ready(columns, batches, RowTag::Insert))
        }
    }
}

/// Runs `sql` over the inserted rows; before they are appended, so that a failing RETURNING stores nothing.
async fn query_rows(
    session: &ClientSession,
    plan: &InsertPlan,
    rows: &Rows,
    sql: String,
    (needs, numbers): (Prelude, Option<NumberSource>),
) -> PgResult<(crate::engine::ResultStream, Vec<RecordBatch>)> {
    let (files, _scratch) = rows.files(&session.lake, &plan.table).await?;
    let (_of_needs, _held) = (needs.scratch, (needs.held, needs.files));
    let mut relations = needs.relations;
    relations.push(tables::relation_over(describe::RETURNING_VIEW, &plan.table, &files));
    let request = QueryRequest { relations, numbers, ..select::request(session, sql) };
    let mut stream = session.lake.engine.query(request).await?;
    let mut batches = Vec::new();
    let mut bytes = 0;
    while let Some(batch) = stream.next().await? {
        bytes += batch.get_array_memory_size();
        if bytes > crate::limits::RETURNING_BYTES_MAX {
            return Err(PgError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "the rows that RETURNING would send are too many",
            )
            .hint("Nothing was stored. Leave RETURNING out, or insert fewer rows at once."));
        }
        batches.push(batch);
    }
    Ok((stream, batches))
}

/// Columns of a row part, for RETURNING.
fn projected(table: &TableDef, part: &duckmesh_ingest::Part, columns: &[(String, ColumnId)]) -> Option<RecordBatch> {
    let duckmesh_ingest::Part::Rows { columns: stored, batch, .. } = part else { return None };
    let mut arrays = Vec::with_capacity(columns.len());
    for (position, (_, id)) in columns.iter().enumerate() {
        let array = match stored.iter().position(|s| s == id) {
            Some(index) => batch.columns().get(index)?.clone(),
            None => arrow::array::new_null_array(&table.column_by_id(*id)?.ty.arrow(), batch.num_rows()),
        };
        // Names may repeat (RETURNING id, id), so they are positions here.
        arrays.push((position.to_string(), array, true));
    }
    RecordBatch::try_from_iter_with_nullable(arrays).ok()
}
