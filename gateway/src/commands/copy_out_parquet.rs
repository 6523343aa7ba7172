//! COPY TO STDOUT as an Apache Parquet file, written while the query runs: one row group is held at most.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};
use duckmesh_catalog::ColumnType;
use duckmesh_storage::Export;

use super::{failure, select};
use crate::{
    limits::COPY_OUT_PIECE_BYTES,
    session::ClientSession,
    value::{ColumnBuilder, Encoder, ValueContext},
    wire::{
        PgError, PgResult,
        backend::{CopySource, Format, ResultColumn, Session as _},
    },
};

/// Bytes of the file in one CopyData message.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The file of a query that runs.
///
/// # Errors
/// When a column's type has no place in the file.
pub fn source(
    session: &ClientSession,
    running: select::Running,
    columns: &[ResultColumn],
    names: &[String],
) -> PgResult<Box<dyn CopySource>> {
    let ctx = session.value_context();
    let fields = running.stream.schema.fields().clone();
    let written = fields.iter().zip(columns).map(|(field, column)| {
        let ty = file_type(field.data_type(), column);
        // Numbers that stand for names come with both.
        let named = matches!(column.declared, Some(ColumnType::System(_)));
        let same = *field.data_type() == ty.arrow() && !named;
        let encoder = Encoder::new(field.data_type(), &column.duckdb_type, column.declared.as_ref(), &ctx)?;
        Ok(Written { encoder: (!same).then_some(encoder), ty })
    });
    let written = written.collect::<PgResult<Vec<_>>>()?;
    let named: Vec<_> = names.iter().cloned().zip(written.iter().map(|w| w.ty.clone())).collect();
    let fields: Vec<Field> = named.iter().map(|(name, ty)| Field::new(name, ty.arrow(), true)).collect();
    Ok(Box::new(Source {
        running,
        export: Some(Export::new(&named).map_err(failure::storage)?),
        written,
        schema: Arc::new(Schema::new(fields)),
        ctx,
        rows: 0,
        ready: BytesMut::new(),
    }))
}

struct Source {
    running: select::Running,
    /// None when the file has ended.
    export: Option<Export>,
    written: Vec<Written>,
    schema: SchemaRef,
    ctx: Arc<ValueContext>,
    rows: u64,
    /// Messages that are not sent yet.
    ready: BytesMut,
}

/// How a column of the result comes into the file.
struct Written {
    ty: ColumnType,
    /// By its text, where the engine holds it otherwise than a table would.
    encoder: Option<Encoder>,
}

#[async_trait]
impl CopySource for Source {
    fn column_count(&self) -> usize {
        self.written.len()
    }

    fn format(&self) -> Format {
        Format::Binary
    }

    async fn next(&mut self) -> PgResult<Option<Bytes>> {
        while self.ready.len() < COPY_OUT_PIECE_BYTES && self.export.is_some() {
            let batch = self.running.next().await?;
            // Encoding is CPU work: not on the task's own turn.
            tokio::task::block_in_place(|| self.step(batch))?;
        }
        Ok(if self.ready.is_empty() { None } else { Some(self.ready.split().freeze()) })
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}

impl Source {
    /// Writes a batch; none is the end.
    fn step(&mut self, batch: Option<RecordBatch>) -> PgResult<()> {
        let bytes = match (batch, &mut self.export) {
            (Some(batch), Some(export)) => {
                self.rows += batch.num_rows() as u64;
                let batch = conformed(&batch, &self.written, &self.schema, &self.ctx)?;
                export.write(&batch).map_err(failure::storage)?;
                export.take()
            }
            _ => match self.export.take() {
                Some(export) => export.finish().map_err(failure::storage)?,
                None => Vec::new(),
            },
        };
        for piece in bytes.chunks(MESSAGE_BYTES) {
            self.ready.put_u8(b'd');
            self.ready.put_i32(i32::try_from(piece.len() + 4).map_err(PgError::internal)?);
            self.ready.put_slice(piece);
        }
        Ok(())
    }
}

fn conformed(
    batch: &RecordBatch,
    written: &[Written],
    schema: &SchemaRef,
    ctx: &ValueContext,
) -> PgResult<RecordBatch> {
    let arrays = batch.columns().iter().zip(written).map(|(array, written)| match &written.encoder {
        None => Ok(array.clone()),
        Some(encoder) => by_text(array, encoder, &written.ty, ctx),
    });
    let arrays = arrays.collect::<PgResult<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(PgError::internal)
}

fn by_text(array: &ArrayRef, encoder: &Encoder, ty: &ColumnType, ctx: &ValueContext) -> PgResult<ArrayRef> {
    let bound = encoder.bind(array)?;
    let mut builder = ColumnBuilder::new(ty, array.len())?;
    let mut text = BytesMut::new();
    for row in 0..array.len() {
        if bound.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        bound.encode_text(row, &mut text)?;
        builder.append_text(&text, ctx)?;
    }
    Ok(builder.finish())
}

/// The type that a result column has in the file: that of a table's column which could hold it, else text.
fn file_type(arrow: &DataType, column: &ResultColumn) -> ColumnType {
    match &column.declared {
        // What a table's column holds is written as it is held.
        Some(declared) if *arrow == declared.arrow() && is_stored(declared) => declared.clone(),
        Some(declared @ (ColumnType::Uuid | ColumnType::Json | ColumnType::Jsonb)) => declared.clone(),
        Some(ColumnType::System(_)) => ColumnType::Text,
        _ => natural(arrow, &column.duckdb_type),
    }
}

/// Types of columns that tables can have.
fn is_stored(ty: &ColumnType) -> bool {
    match ty {
        // Without a scale: a number of any length, as text.
        ColumnType::Numeric(precision, _) => *precision > 0,
        ColumnType::Array(element) => is_stored(element) && !matches!(**element, ColumnType::Array(_)),
        ColumnType::Record(row) => row.uuid.is_some(),
        ColumnType::System(_) | ColumnType::Other(_) => false,
        _ => true,
    }
}

/// By what the engine says alone.
fn natural(arrow: &DataType, duckdb: &str) -> ColumnType {
    match arrow {
        DataType::Boolean => ColumnType::Bool,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => ColumnType::Int2,
        DataType::UInt16 | DataType::Int32 => ColumnType::Int4,
        DataType::UInt32 | DataType::Int64 => ColumnType::Int8,
        DataType::UInt64 => ColumnType::Numeric(20, 0),
        DataType::Float32 => ColumnType::Float4,
        DataType::Float64 => ColumnType::Float8,
        DataType::Decimal128(precision, scale) if *scale >= 0 => ColumnType::Numeric(*precision, *scale),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if duckdb == "UUID" => ColumnType::Uuid,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if duckdb == "JSON" => ColumnType::Json,
        DataType::FixedSizeBinary(16) if duckdb == "UUID" => ColumnType::Uuid,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ColumnType::Bytea,
        DataType::Date32 => ColumnType::Date,
        DataType::Time64(_) if duckdb == "TIME" => ColumnType::Time,
        DataType::Timestamp(_, None) => ColumnType::Timestamp,
        DataType::Timestamp(_, Some(_)) => ColumnType::Timestamptz,
        DataType::Interval(_) => ColumnType::Interval,
        DataType::List(field) => {
            let element = duckdb.strip_suffix("[]").unwrap_or_default();
            match natural(field.data_type(), element) {
                ColumnType::Array(_) => ColumnType::Text,
                element => ColumnType::Array(Box::new(element)),
            }
        }
        _ => ColumnType::Text,
    }
}
