//! Writes what COPY TO STDOUT sends.

use std::ops::Range;

use arrow::record_batch::RecordBatch;
use bytes::{BufMut, BytesMut};
use memchr::memchr3;

use super::binary;
use super::options::{CopyFormat, CopyOptions, Header};
use crate::value::{BoundEncoder, Encoder};
use crate::wire::error::{PgError, PgResult};

/// The writer of one COPY.
pub struct CopyWriter {
    options: CopyOptions,
    encoders: Vec<Encoder>,
    /// Columns whose values never need escapes or quotes.
    plain: Vec<bool>,
}

impl CopyWriter {
    /// One encoder per column.
    #[must_use]
    pub fn new(options: CopyOptions, encoders: Vec<Encoder>) -> Self {
        let csv = options.format == CopyFormat::Csv;
        let special = |b: &u8| *b == options.delimiter || csv && (*b == options.quote || *b == options.escape);
        let plain = encoders
            .iter()
            .enumerate()
            .map(|(i, encoder)| {
                let forced = csv && options.force_quote.get(i) == Some(&true);
                let alphabet = encoder.alphabet();
                // A NULL that could be a value makes CSV quote that value.
                let null_apart = options.null.is_empty() || options.null.iter().any(|b| !alphabet.contains(b));
                !forced && !alphabet.is_empty() && null_apart && !alphabet.iter().any(special)
            })
            .collect();
        Self { options, encoders, plain }
    }

    /// What stands before the first row: the header line, if the options ask for one.
    pub fn header(&self, names: &[String], out: &mut BytesMut) {
        if self.options.format == CopyFormat::Binary {
            return binary::header(out);
        }
        if self.options.header == Header::False {
            return;
        }
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                out.put_u8(self.options.delimiter);
            }
            let start = out.len();
            out.put_slice(name.as_bytes());
            self.dress(start, false, names.len() == 1, out);
        }
        out.put_u8(b'\n');
    }

    /// Appends rows, one line each.
    pub fn write(&self, batch: &RecordBatch, rows: Range<usize>, out: &mut BytesMut) -> PgResult<()> {
        let bound = self.bind(batch)?;
        for row in rows.start..rows.end.min(batch.num_rows()) {
            self.line(&bound, row, out)?;
        }
        Ok(())
    }

    /// Appends rows as CopyData messages, one per row, as Postgres sends them.
    pub fn write_messages(&self, batch: &RecordBatch, rows: Range<usize>, out: &mut BytesMut) -> PgResult<()> {
        let bound = self.bind(batch)?;
        for row in rows.start..rows.end.min(batch.num_rows()) {
            out.put_u8(b'd');
            let length_at = out.len();
            out.put_i32(0);
            self.line(&bound, row, out)?;
            let length = i32::try_from(out.len() - length_at).map_err(PgError::internal)?;
            if let Some(slot) = out.get_mut(length_at..length_at + 4) {
                slot.copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(())
    }

    fn bind<'a>(&'a self, batch: &'a RecordBatch) -> PgResult<Vec<BoundEncoder<'a>>> {
        if batch.num_columns() != self.encoders.len() {
            return Err(PgError::internal("a result's columns are not those that were described"));
        }
        self.encoders.iter().zip(batch.columns()).map(|(encoder, array)| encoder.bind(array)).collect()
    }

    /// What stands behind the last row; nothing in most formats.
    pub fn trailer(&self, out: &mut BytesMut) {
        if self.options.format == CopyFormat::Binary {
            binary::trailer(out);
        }
    }

    #[inline]
    fn line(&self, columns: &[BoundEncoder<'_>], row: usize, out: &mut BytesMut) -> PgResult<()> {
        if self.options.format == CopyFormat::Binary {
            return binary::row(columns, row, out);
        }
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                out.put_u8(self.options.delimiter);
            }
            if column.is_null(row) {
                out.put_slice(&self.options.null);
                continue;
            }
            let start = out.len();
            column.encode_text(row, out)?;
            if self.plain.get(i) == Some(&true) {
                continue;
            }
            let force = self.options.force_quote.get(i) == Some(&true);
            self.dress(start, force, columns.len() == 1, out);
        }
        out.put_u8(b'\n');
        Ok(())
    }

    /// Escapes or quotes what stands in `out` from `start` on; most values need nothing.
    #[inline]
    fn dress(&self, start: usize, force: bool, single: bool, out: &mut BytesMut) {
        let value = out.get(start..).unwrap_or_default();
        let needed = match self.options.format {
            CopyFormat::Text => self.needs_escape(value),
            CopyFormat::Csv => force || self.needs_quotes(value, single),
            CopyFormat::Binary | CopyFormat::Parquet => false,
        };
        if !needed {
            return;
        }
        let value = out.split_off(start);
        match self.options.format {
            CopyFormat::Text => self.escape(&value, out),
            CopyFormat::Csv => self.quote(&value, out),
            CopyFormat::Binary | CopyFormat::Parquet => {}
        }
    }

    fn needs_escape(&self, value: &[u8]) -> bool {
        value.iter().any(|b| *b == self.options.delimiter || *b == b'\\' || matches!(b, 8..=13))
    }

    fn escape(&self, value: &[u8], out: &mut BytesMut) {
        for byte in value {
            match byte {
                8 => out.put_slice(b"\\b"),
                9 => out.put_slice(b"\\t"),
                10 => out.put_slice(b"\\n"),
                11 => out.put_slice(b"\\v"),
                12 => out.put_slice(b"\\f"),
                13 => out.put_slice(b"\\r"),
                b if *b == b'\\' || *b == self.options.delimiter => out.put_slice(&[b'\\', *b]),
                b => out.put_u8(*b),
            }
        }
    }

    fn needs_quotes(&self, value: &[u8], single: bool) -> bool {
        value == self.options.null
            || single && value == b"\\."
            || memchr3(self.options.delimiter, self.options.quote, b'\n', value).is_some()
            || memchr::memchr(b'\r', value).is_some()
    }

    fn quote(&self, value: &[u8], out: &mut BytesMut) {
        let (quote, escape) = (self.options.quote, self.options.escape);
        out.put_u8(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                out.put_u8(escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(quote);
    }
}
