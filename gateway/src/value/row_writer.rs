//! Writes whole DataRow messages from a record batch.

use std::ops::Range;

use arrow::record_batch::RecordBatch;
use bytes::{BufMut, BytesMut};

use super::encoder::{BoundEncoder, Encoder};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Text or binary, per column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// Format code 0.
    #[default]
    Text,
    /// Format code 1.
    Binary,
}

/// Writes DataRow messages.
pub struct DataRowWriter {
    columns: Vec<(Encoder, Format)>,
}

impl DataRowWriter {
    /// One encoder and format per column of the batches.
    #[must_use]
    pub fn new(columns: Vec<(Encoder, Format)>) -> Self {
        Self { columns }
    }

    /// Appends one DataRow message for each row of `rows`. After an error the bytes from the start of the broken
    /// row on are taken back: whole rows stay.
    pub fn write(&self, batch: &RecordBatch, rows: Range<usize>, out: &mut BytesMut) -> PgResult<()> {
        if batch.num_columns() != self.columns.len() {
            return Err(PgError::internal("a result's columns are not those that were described"));
        }
        let bound = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|((encoder, format), array)| Ok((encoder.bind(array)?, *format)))
            .collect::<PgResult<Vec<_>>>()?;
        let count = i16::try_from(bound.len())
            .map_err(|_| PgError::new(SqlState::TOO_MANY_COLUMNS, "target lists can have at most 1664 entries"))?;
        for row in rows.start..rows.end.min(batch.num_rows()) {
            let start = out.len();
            if let Err(error) = write_row(&bound, count, row, out) {
                out.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }
}

#[inline]
fn write_row(columns: &[(BoundEncoder<'_>, Format)], count: i16, row: usize, out: &mut BytesMut) -> PgResult<()> {
    out.put_u8(b'D');
    let length_at = out.len();
    out.put_i32(0);
    out.put_i16(count);
    for (column, format) in columns {
        if column.is_null(row) {
            out.put_i32(-1);
            continue;
        }
        let value_at = out.len();
        out.put_i32(0);
        match format {
            Format::Text => column.encode_text(row, out)?,
            Format::Binary => column.encode_binary(row, out)?,
        }
        patch(out, value_at, out.len() - value_at - 4)?;
    }
    patch(out, length_at, out.len() - length_at)
}

/// Writes a length into the four bytes that were kept for it.
fn patch(out: &mut BytesMut, at: usize, length: usize) -> PgResult<()> {
    let length = i32::try_from(length)
        .map_err(|_| PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "a row is too long to be sent"))?;
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
