//! Turns fields into record batches.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use duckmesh_catalog::types::ColumnType;

use super::{
    parser::{SHOWN_BYTES_MAX, shorten},
    rejected::Rejected,
};
use crate::value::{ColumnBuilder, ValueContext, failing_text};
use crate::wire::error::{PgError, PgResult, SqlState};

/// The name of the columns of line numbers and texts, which are behind the others.
const LINE_COLUMN: &str = "";

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
    /// Rows of the growing batch that are left out: false. Empty while none is.
    kept: Vec<bool>,
    /// The line of each row of the growing batch, if they are wanted.
    lines: Option<Vec<i64>>,
    /// The beginning of each of those lines, if they are wanted.
    texts: Option<StringBuilder>,
    rejected: Rejected,
}

impl RowSink {
    /// `relation` is the table's name as errors say it.
    pub fn new(relation: &str, columns: &[SinkColumn], limits: BatchLimits, ctx: Arc<ValueContext>) -> PgResult<Self> {
        let capacity = limits.rows.min(CAPACITY_MAX);
        let builders = columns.iter().map(|column| Ok(ColumnBuilder::new(&column.ty, capacity)?.as_input()));
        let builders = builders.collect::<PgResult<Vec<_>>>()?;
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
            kept: Vec::new(),
            lines: None,
            texts: None,
            rejected: Rejected::default(),
        })
    }

    /// Gives batches a column of line numbers behind the others, for errors of rows that are found later.
    #[must_use]
    pub fn with_lines(mut self) -> Self {
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(LINE_COLUMN, DataType::Int64, false)));
        self.schema = Arc::new(Schema::new(fields));
        self.lines = Some(Vec::new());
        self
    }

    /// Gives batches a further column of how the lines begin, as errors show them.
    #[must_use]
    pub fn with_texts(mut self) -> Self {
        let mut fields: Vec<_> = self.schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(LINE_COLUMN, DataType::Utf8, false)));
        self.schema = Arc::new(Schema::new(fields));
        self.texts = Some(StringBuilder::new());
        self
    }

    /// Leaves out the row that broke off in its middle, so that those before it can be taken.
    pub fn drop_broken_row(&mut self) -> PgResult<()> {
        self.null_column = None;
        let rows = self.batch_rows;
        if self.builders.iter().all(|builder| builder.len() == rows) {
            return Ok(());
        }
        self.reject_row(0, &[], 0)
    }

    /// Rows that were left out because a value was not of its type.
    pub fn rejected(&mut self) -> &mut Rejected {
        &mut self.rejected
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

    /// Ends the row in whose column `i` a value was refused: it is left out.
    pub(super) fn reject_row(&mut self, i: usize, line: &[u8], number: u64) -> PgResult<()> {
        let rows = self.batch_rows;
        for builder in self.builders.iter_mut().skip(i).filter(|builder| builder.len() == rows) {
            builder.append_null();
        }
        self.null_column = None;
        self.kept.resize(rows, true);
        self.kept.push(false);
        self.end_batch_row(line, number)
    }

    /// Refuses a row with NULL where none may be; `field` gives the row's values for the error.
    #[inline]
    pub(super) fn check_row<'a>(&self, field: impl Fn(usize) -> Option<&'a [u8]>) -> PgResult<()> {
        let Some(i) = self.null_column else {
            return Ok(());
        };
        let shown: Vec<String> = (0..self.columns.len())
            .zip(&self.columns)
            .map(|(i, column)| match field(i) {
                Some(text) => failing_text(&self.ctx, &column.ty, text),
                None => "null".to_owned(),
            })
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
    pub(super) fn end_row(&mut self, line: &[u8], number: u64) -> PgResult<()> {
        self.rows += 1;
        self.end_batch_row(line, number)
    }

    #[inline]
    fn end_batch_row(&mut self, line: &[u8], number: u64) -> PgResult<()> {
        if let Some(lines) = &mut self.lines {
            lines.push(i64::try_from(number).unwrap_or(i64::MAX));
        }
        if let Some(texts) = &mut self.texts {
            texts.append_value(shorten(line, SHOWN_BYTES_MAX));
        }
        self.batch_rows += 1;
        self.batch_bytes += line.len();
        if self.batch_rows >= self.limits.rows || self.batch_bytes >= self.limits.bytes {
            self.close_batch()?;
        }
        Ok(())
    }

    fn close_batch(&mut self) -> PgResult<()> {
        if self.batch_rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        if let Some(lines) = &mut self.lines {
            columns.push(Arc::new(Int64Array::from(std::mem::take(lines))));
        }
        if let Some(texts) = &mut self.texts {
            columns.push(Arc::new(texts.finish()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.batch_rows));
        let mut batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(PgError::internal)?;
        if !self.kept.is_empty() {
            let mut kept = std::mem::take(&mut self.kept);
            kept.resize(self.batch_rows, true);
            batch =
                arrow::compute::filter_record_batch(&batch, &BooleanArray::from(kept)).map_err(PgError::internal)?;
        }
        if batch.num_rows() > 0 {
            self.ready.push_back(batch);
        }
        self.batch_rows = 0;
        self.batch_bytes = 0;
        Ok(())
    }
}
