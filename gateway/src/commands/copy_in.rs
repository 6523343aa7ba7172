//! COPY FROM STDIN: parsed while it arrives, staged when it is large, one frame at its end. All or nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use bytes::Bytes;
use duckmesh_catalog::{ColumnDef, ColumnId, LakeSchema, RejectedRow};
use duckmesh_ingest::Part;

use super::{
    barrier,
    calls::Numbers,
    checks, conform,
    copy_judge::{self, Judge},
    copy_parquet::Reader,
    copy_places::Places,
    defaults,
    generated::Generated,
    insert,
    row_buffer::{RowBuffer, Rows},
    spool::Spool,
    write::{self, Fate, Payload},
};
use crate::{
    copy::{BatchLimits, CopyFormat, CopyParser, LogVerbosity, RowSink, SinkColumn},
    limits::{COPY_BATCH_BYTES, COPY_BATCH_ROWS, STALE_SCHEMA_RETRIES_MAX},
    session::{ClientSession, Pin, PreparedStatement, temporary},
    sql::{
        named::{SchemaNames, takes_names},
        plan::{CopyInPlan, Plan},
    },
    value::{NameFinder, ValueContext},
    wire::{
        PgError, PgResult,
        backend::{CopySink, Format, Outcome, Place, Session as _},
    },
};

/// A running COPY FROM STDIN.
pub struct CopyIn {
    plan: CopyInPlan,
    schema: Arc<LakeSchema>,
    input: Input,
    store: Store,
    payload: Payload,
    place: Place,
}

/// What becomes of the data as it arrives.
enum Input {
    /// It is parsed.
    Parsed { parser: CopyParser, sink: Box<RowSink> },
    /// It is kept until it is whole.
    Spooled(Spool),
}

/// Where rows go.
struct Store {
    /// Where each stored column's values come from.
    given: Vec<Given>,
    judge: Judge,
    numbers: Numbers,
    generated: Option<Generated>,
    values: Arc<ValueContext>,
    schema: Arc<LakeSchema>,
    buffer: RowBuffer,
}

/// Where a column's values come from.
enum Given {
    /// The data, at this place.
    Data(usize),
    /// The column's default.
    Default(defaults::Source),
}

/// Begins a COPY.
///
/// # Errors
/// When the table cannot be written.
pub async fn begin(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    plan: &CopyInPlan,
    place: Place,
) -> PgResult<Outcome<CopyIn>> {
    let in_transaction = session.transaction_for_writes(place).is_some();
    let pin = if in_transaction {
        barrier::transaction_pin(session).await?
    } else {
        barrier::planning_pin(session, false).await?
    };
    // A repeat may be for a table that is another one by now; it stores nothing.
    let fits = |pin: &Pin| pin.schema.table_by_uuid(plan.table.uuid).is_some_and(|t| t.columns == plan.table.columns);
    let pin = match fits(&pin) || in_transaction {
        true => pin,
        false => barrier::repeat_pin(session).await?.unwrap_or(pin),
    };
    let (prepared, pin) = super::current(session, prepared, pin).await?;
    let Plan::CopyIn(plan) = prepared.plan() else { return Err(super::wrong_plan()) };
    let (plan, table) = (plan.clone(), plan.table.clone());
    let ids: Vec<ColumnId> = stored(&table.columns).iter().map(|c| c.id).collect();
    let parquet = plan.options.format == CopyFormat::Parquet;
    // A Parquet file says itself which columns it has.
    let given = if parquet { Vec::new() } else { given(session, &pin.schema, &plan, &plan.columns).await? };
    let judge = Judge::new(session, &pin.schema, &plan, &ids).await?;
    let input = match parquet {
        true => Input::Spooled(Spool::create(&session.lake.spool, session.server.config.copy_parquet_bytes_max)?),
        false => parsed(session, &pin, &plan, judge.has_conditions())?,
    };
    let mut payload = if in_transaction { Payload::collecting() } else { Payload::new(session) };
    payload.add(table.name.as_bytes());
    let store = Store {
        given,
        judge,
        numbers: Numbers::of(session),
        generated: Generated::of(session, &pin.schema, &table).await?,
        values: session.value_context(),
        schema: Arc::clone(&pin.schema),
        buffer: RowBuffer::new(session, &pin.schema, table, ids)?,
    };
    Ok(Outcome::CopyIn(CopyIn { plan, schema: pin.schema, input, store, payload, place }))
}

/// How values are read, with the names of the catalog where a column takes them.
fn with_names(session: &ClientSession, pin: &Pin, columns: &[SinkColumn]) -> Arc<ValueContext> {
    let any = columns.iter().any(|column| takes_names(&column.ty));
    let values = session.value_context();
    if !any {
        return values;
    }
    let names = SchemaNames::new(session.plan_context(pin, &[]));
    Arc::new(ValueContext { names: NameFinder(Some(Arc::new(names))), ..(*values).clone() })
}

/// The parser of a format with rows that are whole before the data ends.
fn parsed(session: &ClientSession, pin: &Pin, plan: &CopyInPlan, shows_lines: bool) -> PgResult<Input> {
    let named = plan.columns.iter().filter_map(|id| plan.table.column_by_id(*id));
    // With WHERE, constraints are for the rows that it lets through; domains come before NOT NULL.
    let early = !shows_lines;
    let column = |c: &ColumnDef| SinkColumn { name: c.name.clone(), ty: c.ty.clone(), not_null: early && !c.nullable };
    let columns: Vec<SinkColumn> = named.map(column).collect();
    let limits = BatchLimits { rows: COPY_BATCH_ROWS, bytes: COPY_BATCH_BYTES };
    let values = with_names(session, pin, &columns);
    let sink = RowSink::new(&plan.table.name, &columns, limits, values)?.with_lines();
    let sink = if shows_lines && plan.options.format != CopyFormat::Binary { sink.with_texts() } else { sink };
    Ok(Input::Parsed { parser: CopyParser::new(plan.options.clone()), sink: Box::new(sink) })
}

/// Where the values of all stored columns come from, when the data has those of `named`, in that order.
async fn given(
    session: &ClientSession,
    schema: &LakeSchema,
    plan: &CopyInPlan,
    named: &[ColumnId],
) -> PgResult<Vec<Given>> {
    let mut given = Vec::new();
    for column in stored(&plan.table.columns) {
        given.push(match named.iter().position(|id| *id == column.id) {
            Some(index) => Given::Data(index),
            None => Given::Default(defaults::source(session, schema, &plan.table, column).await?),
        });
    }
    Ok(given)
}

/// Ends a COPY: checks, then one append (or the transaction's buffer).
///
/// # Errors
/// What the last rows, CHECK constraints or the log say. Nothing is stored then.
pub async fn finish(session: &mut ClientSession, copy: CopyIn) -> PgResult<String> {
    let CopyIn { plan, schema, input, mut store, payload, place } = copy;
    let mut rejected = Vec::new();
    match input {
        Input::Parsed { mut parser, mut sink } => {
            if let Err(error) = tokio::task::block_in_place(|| parser.finish(&mut sink)) {
                return Err(store.first_error(&plan, &mut sink, error).await);
            }
            while let Some(batch) = sink.take_batch() {
                store.lines(&plan, batch).await?;
            }
            if let Some(batch) = sink.take_rest()? {
                store.lines(&plan, batch).await?;
            }
            sink.rejected().add(store.judge.rejected());
            copy_judge::within(&plan, sink.rejected().count())?;
            rejected = self::rejected(session, &plan, &mut sink);
        }
        Input::Spooled(spool) => file(session, &plan, &schema, &mut store, spool).await?,
    }
    let mut rows = store.buffer.finish().await?;
    if !rows.staged.is_empty() {
        crate::memory::give_back_soon();
    }
    if !rejected.is_empty() {
        rows.parts.push(Part::Rejected(rejected));
    }
    duckmesh_catalog::failpoint::hit("copy-before-append").map_err(PgError::internal)?;
    let tag = format!("COPY {}", rows.count);
    if session.transaction_for_writes(place).is_some() {
        if let Some(transaction) = &mut session.transaction {
            transaction.payload.add(&payload.digest());
        }
        insert::buffer(session, &plan.table, rows).await?;
        return Ok(tag);
    }
    if temporary::is_temporary(&plan.table) {
        insert::keep(session, &plan.table, rows).await?;
        return Ok(tag);
    }
    if !rows.parts.is_empty() {
        append(session, &plan, &schema, rows, &payload).await?;
    }
    Ok(tag)
}

async fn append(
    session: &mut ClientSession,
    plan: &CopyInPlan,
    schema: &LakeSchema,
    rows: Rows,
    payload: &Payload,
) -> PgResult<()> {
    let mut made_for = schema.ddl_offset;
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        match write::append(session, rows.parts.clone(), made_for, payload).await? {
            Fate::Durable(_) => return Ok(()),
            Fate::SchemaChanged | Fate::RowsArrived => {
                let newer = barrier::planning_pin(session, false).await?;
                if !write::same_table(schema, &newer.base, plan.table.uuid) {
                    return Err(write::changed());
                }
                made_for = newer.base.ddl_offset;
            }
        }
    }
    Err(write::changed())
}

/// Stores the rows of a Parquet file, which is whole now.
async fn file(
    session: &ClientSession,
    plan: &CopyInPlan,
    schema: &LakeSchema,
    store: &mut Store,
    spool: Spool,
) -> PgResult<()> {
    let wanted: Vec<ColumnDef> = plan.columns.iter().filter_map(|id| plan.table.column_by_id(*id)).cloned().collect();
    let mut reader = Reader::open(session, spool, &plan.table, &wanted, plan.all_columns).await?;
    let found: Vec<ColumnId> = reader.columns().iter().map(|c| c.id).collect();
    store.given = given(session, schema, plan, &found).await?;
    loop {
        let first = i64::try_from(reader.next_row()).unwrap_or(i64::MAX);
        let Some(batch) = reader.next().await? else { return Ok(()) };
        let rows = Places::rows_from(first, batch.num_rows());
        store.store(plan, batch, rows).await?;
    }
}

/// What was left out, for `duckmesh.dead_letters`; with the notices of PostgreSQL 17 about it.
fn rejected(session: &mut ClientSession, plan: &CopyInPlan, sink: &mut RowSink) -> Vec<RejectedRow> {
    let (count, verbosity) = (sink.rejected().count(), plan.options.log_verbosity);
    if count == 0 {
        return Vec::new();
    }
    let relation = format!("{}.{}", plan.schema_name, plan.table.name);
    let mut kept = Vec::new();
    for row in sink.rejected().take() {
        let value = row.value.map_or_else(|| "null input".to_owned(), |value| format!("\"{value}\""));
        let (line, column) = (row.line, row.column);
        if verbosity == LogVerbosity::Verbose {
            let message = format!(
                "skipping row due to data type incompatibility at line {line} for column \"{column}\": {value}"
            );
            session.notice(PgError::notice(message).context(format!("COPY {}", plan.table.name)));
        }
        kept.push(RejectedRow {
            relation: relation.clone(),
            line: i64::try_from(line).ok(),
            column: Some(column),
            reason: row.reason,
            content: Some(row.text),
        });
    }
    let further = count.saturating_sub(kept.len() as u64);
    if further > 0 {
        let reason = format!("{further} further rows were skipped; only the first {} are kept", kept.len());
        kept.push(RejectedRow { relation, line: None, column: None, reason, content: None });
    }
    if verbosity >= LogVerbosity::Default {
        let rows = if count == 1 { "row was" } else { "rows were" };
        session.notice(PgError::notice(format!("{count} {rows} skipped due to data type incompatibility")));
    }
    kept
}

#[async_trait]
impl CopySink for CopyIn {
    fn column_count(&self) -> usize {
        self.plan.columns.len()
    }

    fn format(&self) -> Format {
        match self.plan.options.format {
            CopyFormat::Binary | CopyFormat::Parquet => Format::Binary,
            CopyFormat::Text | CopyFormat::Csv => Format::Text,
        }
    }

    async fn data(&mut self, piece: Bytes) -> PgResult<()> {
        self.payload.add_stream(&piece);
        let (parser, sink) = match &mut self.input {
            Input::Parsed { parser, sink } => (parser, sink),
            Input::Spooled(spool) => return tokio::task::block_in_place(|| spool.write(&piece)),
        };
        // Parsing is CPU work of up to a message's size: not on the task's own turn.
        let fed = tokio::task::block_in_place(|| parser.feed(&piece, sink));
        if let Err(error) = fed {
            return Err(self.store.first_error(&self.plan, sink, error).await);
        }
        while let Some(batch) = sink.take_batch() {
            self.store.lines(&self.plan, batch).await?;
        }
        copy_judge::within(&self.plan, sink.rejected().count() + self.store.judge.rejected().count())
    }
}

impl Store {
    /// Stores rows of the parser.
    async fn lines(&mut self, plan: &CopyInPlan, batch: RecordBatch) -> PgResult<()> {
        let (batch, places) = Places::split(batch, plan.columns.len())?;
        self.store(plan, batch, places).await
    }

    /// The error of a COPY whose parser stopped: rows before the broken one are judged before it, as Postgres, which
    /// takes one row after the other.
    #[cold]
    async fn first_error(&mut self, plan: &CopyInPlan, sink: &mut RowSink, error: PgError) -> PgError {
        let earlier = async {
            sink.drop_broken_row()?;
            while let Some(batch) = sink.take_batch() {
                self.lines(plan, batch).await?;
            }
            match sink.take_rest()? {
                Some(batch) => self.lines(plan, batch).await,
                None => Ok(()),
            }
        };
        earlier.await.err().unwrap_or_else(|| checks::in_schema(error, &self.schema, &plan.table))
    }

    /// Adds defaults, leaves out what WHERE does, checks, and passes rows on.
    async fn store(&mut self, plan: &CopyInPlan, batch: RecordBatch, places: Places) -> PgResult<()> {
        let table = &plan.table;
        let columns = stored(&table.columns);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        for (column, given) in columns.iter().zip(&self.given) {
            arrays.push(match given {
                Given::Default(source) => {
                    source.next(batch.num_rows(), &column.ty, &self.numbers, &self.values).await?
                }
                Given::Data(index) => {
                    let array = batch.columns().get(*index).cloned();
                    array.ok_or_else(|| PgError::internal("COPY lost a column"))?
                }
            });
        }
        let mut rows = self.judge.read(plan, conform::record_batch(&columns, arrays)?, places).await?;
        if let Some(generated) = &self.generated {
            rows.batch = generated.fill(rows.batch).await?;
        }
        let batch = self.judge.whole(plan, rows).await?;
        match batch.num_rows() {
            0 => Ok(()),
            _ => self.buffer.push(batch).await,
        }
    }
}

/// Columns that are stored: those of types that only other programs write are left to their default, NULL.
fn stored(columns: &[ColumnDef]) -> Vec<&ColumnDef> {
    columns.iter().filter(|c| c.ty.is_writable()).collect()
}
