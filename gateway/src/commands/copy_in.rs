//! COPY FROM STDIN: parsed while it arrives, staged when it is large, one frame at its end. All or nothing.

use std::sync::Arc;

use arrow::array::ArrayRef;
use async_trait::async_trait;
use bytes::Bytes;
use duckmesh_catalog::{ColumnDef, ColumnId, LakeSchema, SequenceDef};

use super::{
    barrier,
    calls::Numbers,
    checks, conform, defaults, insert,
    row_buffer::RowBuffer,
    write::{self, Fate, Payload},
};
use crate::{
    copy::{BatchLimits, CopyFormat, CopyParser, RowSink, SinkColumn},
    limits::{COPY_BATCH_BYTES, COPY_BATCH_ROWS, STALE_SCHEMA_RETRIES_MAX},
    session::{ClientSession, Pin},
    sql::plan::CopyInPlan,
    value::ValueContext,
    wire::{
        PgError, PgResult,
        backend::{CopySink, Format, Outcome, Place, Session as _},
    },
};

/// A running COPY FROM STDIN.
pub struct CopyIn {
    plan: CopyInPlan,
    schema: Arc<LakeSchema>,
    parser: CopyParser,
    sink: RowSink,
    buffer: RowBuffer,
    /// Where each column's values come from.
    defaults: Vec<Given>,
    numbers: Numbers,
    payload: Payload,
    values: Arc<ValueContext>,
    place: Place,
}

/// Where a column's values come from.
enum Given {
    /// The data.
    Data,
    /// A value for all rows, as an array of one.
    Constant(ArrayRef),
    /// A number for each row.
    Sequence(Arc<SequenceDef>),
}

/// Begins a COPY.
///
/// # Errors
/// When the table cannot be written.
pub async fn begin(session: &mut ClientSession, plan: &CopyInPlan, place: Place) -> PgResult<Outcome<CopyIn>> {
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
    let table = pin.schema.table_by_uuid(plan.table.uuid).cloned();
    let table = table.filter(|table| table.columns == plan.table.columns).ok_or_else(write::changed)?;
    let columns = stored(&table.columns);
    let mut given = Vec::with_capacity(columns.len());
    for column in &columns {
        let named = plan.columns.contains(&column.id);
        given.push(if named {
            Given::Data
        } else if let Some(sequence) = defaults::sequence_of(&pin.schema, &table, column) {
            Given::Sequence(sequence)
        } else {
            Given::Constant(defaults::column(session, &pin.schema, &table, column, 1).await?)
        });
    }
    let named = plan.columns.iter().filter_map(|id| table.column_by_id(*id));
    let sink_columns: Vec<SinkColumn> =
        named.map(|c| SinkColumn { name: c.name.clone(), ty: c.ty.clone(), not_null: !c.nullable }).collect();
    let limits = BatchLimits { rows: COPY_BATCH_ROWS, bytes: COPY_BATCH_BYTES };
    let mut payload = if in_transaction { Payload::collecting() } else { Payload::new(session) };
    payload.add(table.name.as_bytes());
    let ids = columns.iter().map(|c| c.id).collect();
    Ok(Outcome::CopyIn(CopyIn {
        parser: CopyParser::new(plan.options.clone()),
        sink: RowSink::new(&table.name, &sink_columns, limits, session.value_context())?,
        buffer: RowBuffer::new(session.lake.clone(), &pin.schema, table.clone(), ids)?,
        plan: CopyInPlan { table: table.clone(), ..plan.clone() },
        schema: pin.schema,
        defaults: given,
        numbers: Numbers::of(session),
        payload,
        values: session.value_context(),
        place,
    }))
}

/// Ends a COPY: checks, then one append (or the transaction's buffer).
///
/// # Errors
/// What the last rows, CHECK constraints or the log say. Nothing is stored then.
pub async fn finish(session: &mut ClientSession, mut copy: CopyIn) -> PgResult<String> {
    let CopyIn { parser, sink, .. } = &mut copy;
    let rest = tokio::task::block_in_place(|| parser.finish(sink).and_then(|()| sink.take_rest()))?;
    if let Some(batch) = rest {
        copy.store(batch).await?;
    }
    let CopyIn { plan, schema, buffer, payload, place, .. } = copy;
    let rows = buffer.finish().await?;
    if !rows.staged.is_empty() {
        crate::memory::give_back_soon();
    }
    checks::check(session, &schema, &plan.table, &rows).await?;
    duckmesh_catalog::failpoint::hit("copy-before-append").map_err(PgError::internal)?;
    let tag = format!("COPY {}", rows.count);
    if session.transaction_for_writes(place).is_some() {
        if let Some(transaction) = &mut session.transaction {
            transaction.payload.add(&payload.digest());
        }
        insert::buffer(session, plan.table.uuid, rows)?;
        return Ok(tag);
    }
    if rows.count == 0 {
        return Ok(tag);
    }
    let mut made_for = schema.ddl_offset;
    for _ in 0..STALE_SCHEMA_RETRIES_MAX {
        match write::append(session, rows.parts.clone(), made_for, &payload).await? {
            Fate::Durable(_) => return Ok(tag),
            Fate::SchemaChanged | Fate::RowsArrived => {
                let newer = barrier::planning_pin(session, false).await?;
                if !write::same_table(&schema, &newer.base, plan.table.uuid) {
                    return Err(write::changed());
                }
                made_for = newer.base.ddl_offset;
            }
        }
    }
    Err(write::changed())
}

#[async_trait]
impl CopySink for CopyIn {
    fn column_count(&self) -> usize {
        self.plan.columns.len()
    }

    fn format(&self) -> Format {
        if self.plan.options.format == CopyFormat::Binary { Format::Binary } else { Format::Text }
    }

    async fn data(&mut self, piece: Bytes) -> PgResult<()> {
        self.payload.add_stream(&piece);
        let (parser, sink) = (&mut self.parser, &mut self.sink);
        // Parsing is CPU work of up to a message's size: not on the task's own turn.
        let full = tokio::task::block_in_place(|| {
            parser.feed(&piece, sink)?;
            let mut full = Vec::new();
            while let Some(batch) = sink.take_batch() {
                full.push(batch);
            }
            Ok::<_, PgError>(full)
        })?;
        for batch in full {
            self.store(batch).await?;
        }
        Ok(())
    }
}

impl CopyIn {
    /// Adds defaults and passes rows on.
    async fn store(&mut self, batch: arrow::array::RecordBatch) -> PgResult<()> {
        let table = self.plan.table.clone();
        let columns = stored(&table.columns);
        let mut arrays = Vec::with_capacity(columns.len());
        for (column, default) in columns.iter().zip(&self.defaults) {
            arrays.push(match default {
                Given::Constant(one) => repeated(one, batch.num_rows())?,
                Given::Sequence(sequence) => {
                    let numbers = self.numbers.next(sequence, batch.num_rows()).await?;
                    defaults::numbers(&numbers, &column.ty, &self.values)?
                }
                Given::Data => {
                    let index = self.plan.columns.iter().position(|id: &ColumnId| *id == column.id);
                    let array = index.and_then(|index| batch.columns().get(index));
                    array.cloned().ok_or_else(|| PgError::internal("COPY lost a column"))?
                }
            });
        }
        let batch = conform::record_batch(&columns, arrays)?;
        let ids: Vec<ColumnId> = columns.iter().map(|c| c.id).collect();
        checks::not_null(&self.values, &table, &ids, &batch)?;
        self.buffer.push(batch).await
    }
}

/// Columns that are stored: those of types that only other programs write are left to their default, NULL.
fn stored(columns: &[ColumnDef]) -> Vec<&ColumnDef> {
    columns.iter().filter(|c| c.ty.is_writable()).collect()
}

/// A one-row array, `rows` times.
fn repeated(one: &ArrayRef, rows: usize) -> PgResult<ArrayRef> {
    let indexes = arrow::array::UInt32Array::from(vec![0u32; rows]);
    arrow::compute::take(one, &indexes, None).map_err(PgError::internal)
}
