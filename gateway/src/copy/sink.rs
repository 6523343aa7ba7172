//! Turns fields into record batches.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use duckmesh_catalog::types::ColumnType;

use crate::value::{ColumnBuilder, ValueContext};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Rows that room is made for at once.
const CAPACITY_MAX: usize = 8_192;

/// A column that COPY fills.
#[derive(Clone, Debug)]
pub struct SinkColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
    /// NULL is refused (23502) with the line in the error's context.
    pub not_null: bool,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Rows of a batch.
    pub rows: usize,
    /// Bytes of input that one batch is made of, about.
    pub bytes: usize,
}

/// Collects rows and yields record batches.
pub struct RowSink {
    relation: String,
    columns: Vec<SinkColumn>,
    builders: Vec<ColumnBuilder>,
    schema: SchemaRef,
    limits: BatchLimits,
    ctx: Arc<ValueContext>,
    ready: VecDeque<RecordBatch>,
    /// Rows and bytes of the batch that grows.
    batch_rows: usize,
    batch_bytes: usize,
    /// The first column of this row that is NULL and must not be.
    null_column: Option<usize>,
    rows: u64,
}

impl RowSink {
    /// `relation` is the table's name as errors say it.
    pub fn new(relation: &str, columns: &[SinkColumn], limits: BatchLimits, ctx: Arc<ValueContext>) -> PgResult<Self> {
        let capacity = limits.rows.min(CAPACITY_MAX);
        let builders =
            columns.iter().map(|column| ColumnBuilder::new(&column.ty, capacity)).collect::<PgResult<Vec<_>>>()?;
        let fields: Vec<Field> =
            columns.iter().map(|column| Field::new(&column.name, column.ty.arrow(), true)).collect();
        Ok(Self {
            relation: relation.to_owned(),
            columns: columns.to_vec(),
            builders,
            schema: Arc::new(Schema::new(fields)),
            limits,
            ctx,
            ready: VecDeque::new(),
            batch_rows: 0,
            batch_bytes: 0,
            null_column: None,
            rows: 0,
        })
    }

    /// A full batch, if there is one; call until none after each `feed`.
    pub fn take_batch(&mut self) -> Option<RecordBatch> {
        self.ready.pop_front()
    }

    /// The rows that fill no batch yet; call after the parser's `finish`.
    pub fn take_rest(&mut self) -> PgResult<Option<RecordBatch>> {
        if self.ready.is_empty() {
            self.close_batch()?;
        }
        Ok(self.ready.pop_front())
    }

    /// All rows so far: `COPY n`.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes are held.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let ready: usize = self.ready.iter().map(RecordBatch::get_array_memory_size).sum();
        ready + self.builders.iter().map(ColumnBuilder::size_bytes).sum::<usize>()
    }

    pub(super) fn relation(&self) -> &str {
        &self.relation
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn name(&self, i: usize) -> &str {
        self.columns.get(i).map_or("", |column| &column.name)
    }

    #[inline]
    pub(super) fn append(&mut self, i: usize, value: Option<&[u8]>) -> PgResult<()> {
        let Some(builder) = self.builders.get_mut(i) else {
            return Ok(());
        };
        match value {
            Some(text) => builder.append_text(text, &self.ctx),
            None => {
                if self.columns.get(i).is_some_and(|column| column.not_null) {
                    self.null_column.get_or_insert(i);
                }
                builder.append_null();
                Ok(())
            }
        }
    }

    /// A value in binary form. NULL where none may be is refused when the batch is stored.
    pub(super) fn append_binary(&mut self, i: usize, value: Option<&[u8]>) -> PgResult<()> {
        match (self.builders.get_mut(i), value) {
            (Some(builder), Some(bytes)) => builder.append_binary(bytes, &self.ctx),
            (Some(builder), None) => {
                builder.append_null();
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }

    /// Refuses a row with NULL where none may be; `field` gives the row's values for the error.
    #[inline]
    pub(super) fn check_row<'a>(&self, field: impl Fn(usize) -> Option<&'a [u8]>) -> PgResult<()> {
        let Some(i) = self.null_column else {
            return Ok(());
        };
        let shown: Vec<String> = (0..self.columns.len())
            .map(|i| field(i).map_or_else(|| "null".to_owned(), |text| String::from_utf8_lossy(text).into_owned()))
            .collect();
        let (column, relation) = (self.name(i), &self.relation);
        let message =
            format!("null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint");
        Err(PgError::new(SqlState::NOT_NULL_VIOLATION, message)
            .detail(format!("Failing row contains ({}).", shown.join(", ")))
            .table(relation.clone())
            .column(column))
    }

    #[inline]
    pub(super) fn end_row(&mut self, bytes: usize) -> PgResult<()> {
        self.rows += 1;
        self.batch_rows += 1;
        self.batch_bytes += bytes;
        if self.batch_rows >= self.limits.rows || self.batch_bytes >= self.limits.bytes {
            self.close_batch()?;
        }
        Ok(())
    }

    fn close_batch(&mut self) -> PgResult<()> {
        if self.batch_rows == 0 {
            return Ok(());
        }
        let columns = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.batch_rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(PgError::internal)?;
        self.ready.push_back(batch);
        self.batch_rows = 0;
        self.batch_bytes = 0;
        Ok(())
    }
}
