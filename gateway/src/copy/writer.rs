//! Writes what COPY TO STDOUT sends.

use std::ops::Range;

use arrow::record_batch::RecordBatch;
use bytes::BytesMut;

use super::options::CopyOptions;
use crate::value::Encoder;
use crate::wire::error::PgResult;

/// The writer of one COPY.
pub struct CopyWriter {
    options: CopyOptions,
    encoders: Vec<Encoder>,
}

impl CopyWriter {
    #[must_use]
    pub fn new(options: CopyOptions, encoders: Vec<Encoder>) -> Self {
        Self { options, encoders }
    }

    /// The header line, if the options ask for one.
    pub fn header(&self, names: &[String], out: &mut BytesMut) {
        let _ = (names, out, &self.options);
    }

    /// Appends rows, one line each.
    pub fn write(
        &self,
        batch: &RecordBatch,
        rows: Range<usize>,
        out: &mut BytesMut,
    ) -> PgResult<()> {
        let _ = (batch, rows, out, &self.encoders);
        Ok(())
    }

    /// Appends one row and tells nothing of others: Postgres sends one CopyData message per line.
    pub fn write_row(&self, batch: &RecordBatch, row: usize, out: &mut BytesMut) -> PgResult<()> {
        self.write(batch, row..row + 1, out)
    }
}
