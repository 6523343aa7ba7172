//! COPY's binary format: the parser of what FROM STDIN sends, and the bytes of TO STDOUT.

use bytes::{BufMut, BytesMut};

use super::{lines::bad_format, parser::LINE_BYTES_MAX, sink::RowSink};
use crate::{
    value::BoundEncoder,
    wire::error::{PgError, PgResult, SqlState},
};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// The flag of a form that PostgreSQL dropped.
const WITH_OIDS: u32 = 1 << 16;
/// Flags that a reader must know.
const CRITICAL: u32 = 0xFFFF_0000;

/// The parser of one COPY.
#[derive(Default)]
pub struct BinaryParser {
    /// What is left of the row that has not ended.
    buffer: Vec<u8>,
    /// Bytes that the row is known to need: no look at it before.
    needed: usize,
    /// The column in which the data ended so far.
    column: Option<usize>,
    state: State,
    rows: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    /// Bytes of the header's extension that are still to come.
    Extension(usize),
    Rows,
    Ended,
}

/// What the bytes begin with.
enum Found {
    /// So many bytes were taken.
    Taken(usize),
    /// So many are needed.
    Incomplete(usize),
}

impl BinaryParser {
    /// Takes the body of one CopyData message, cut anywhere. After an error the COPY has failed.
    pub fn feed(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<()> {
        if self.buffer.is_empty() {
            let used = self.take(data, sink)?;
            self.buffer.extend_from_slice(data.get(used..).unwrap_or_default());
        } else {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.extend_from_slice(data);
            let used = self.take(&buffer, sink)?;
            buffer.drain(..used);
            self.buffer = buffer;
        }
        if self.buffer.len().max(self.needed) > LINE_BYTES_MAX {
            let error = PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "row of COPY data is too long");
            let detail = format!("A row of COPY data may have {LINE_BYTES_MAX} bytes.");
            return Err(self.in_row(error.detail(detail), self.rows + 1, sink));
        }
        Ok(())
    }

    /// CopyDone. The data may end without its last word, as PostgreSQL takes it.
    pub fn finish(&mut self, sink: &mut RowSink) -> PgResult<()> {
        if self.state == State::Header {
            // What is there of it is wrong before it is short.
            let buffer = std::mem::take(&mut self.buffer);
            self.header(&buffer)?;
            self.buffer = buffer;
        }
        match self.state {
            State::Header if self.buffer.len() < SIGNATURE.len() => {
                Err(bad_format("COPY file signature not recognized"))
            }
            State::Header if self.buffer.len() < SIGNATURE.len() + 4 => {
                Err(bad_format("invalid COPY file header (missing flags)"))
            }
            State::Header => Err(bad_format("invalid COPY file header (missing length)")),
            State::Extension(_) => Err(bad_format("invalid COPY file header (wrong length)")),
            State::Rows if self.buffer.len() > 1 => {
                let (error, row) = (bad_format("unexpected EOF in COPY data"), self.rows + 1);
                Err(match self.column {
                    Some(column) => self.in_column(error, column, row, sink),
                    None => self.in_row(error, row, sink),
                })
            }
            State::Rows | State::Ended => Ok(()),
        }
    }

    /// Takes what is whole; answers how many bytes that was.
    fn take(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<usize> {
        let mut start = 0;
        loop {
            let rest = data.get(start..).unwrap_or_default();
            if rest.is_empty() || rest.len() < self.needed {
                return Ok(start);
            }
            self.needed = 0;
            let found = match self.state {
                State::Header => self.header(rest)?,
                State::Extension(bytes) => {
                    let taken = bytes.min(rest.len());
                    self.state = if taken == bytes { State::Rows } else { State::Extension(bytes - taken) };
                    Found::Taken(taken)
                }
                State::Rows => self.row(rest, sink)?,
                State::Ended => {
                    let error = bad_format("received copy data after EOF marker");
                    return Err(self.in_row(error, self.rows + 1, sink));
                }
            };
            match found {
                Found::Taken(bytes) => start += bytes,
                Found::Incomplete(needed) => {
                    self.needed = needed;
                    return Ok(start);
                }
            }
        }
    }

    fn header(&mut self, data: &[u8]) -> PgResult<Found> {
        let Some(signature) = data.get(..SIGNATURE.len()) else {
            return Ok(Found::Incomplete(SIGNATURE.len()));
        };
        if signature != SIGNATURE {
            return Err(bad_format("COPY file signature not recognized"));
        }
        let whole = SIGNATURE.len() + 8;
        let Some(flags) = number(data, SIGNATURE.len()) else {
            return Ok(Found::Incomplete(SIGNATURE.len() + 4));
        };
        if flags & WITH_OIDS != 0 {
            return Err(bad_format("invalid COPY file header (WITH OIDS)"));
        }
        if flags & CRITICAL != 0 {
            return Err(bad_format("unrecognized critical flags in COPY file header"));
        }
        let Some(extension) = number(data, SIGNATURE.len() + 4) else {
            return Ok(Found::Incomplete(whole));
        };
        let extension = usize::try_from(extension.cast_signed())
            .map_err(|_| bad_format("invalid COPY file header (missing length)"))?;
        self.state = if extension == 0 { State::Rows } else { State::Extension(extension) };
        Ok(Found::Taken(whole))
    }

    fn row(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<Found> {
        let Some(count) = data.get(..2).and_then(|b| b.try_into().ok()).map(i16::from_be_bytes) else {
            return Ok(Found::Incomplete(2));
        };
        if count == -1 {
            self.state = State::Ended;
            return Ok(Found::Taken(2));
        }
        let (row, width) = (self.rows + 1, sink.width());
        if usize::try_from(count).ok() != Some(width) {
            let error = bad_format(format!("row field count is {count}, expected {width}"));
            return Err(self.in_row(error, row, sink));
        }
        // First whether the row is whole: a value is appended once.
        let mut end = 2;
        for i in 0..width {
            self.column = Some(i);
            let Some(length) = number(data, end) else { return Ok(Found::Incomplete(end + 4)) };
            end += 4;
            match length.cast_signed() {
                -1 => {}
                length => {
                    let invalid = || self.in_column(bad_format("invalid field size"), i, row, sink);
                    end += usize::try_from(length).map_err(|_| invalid())?;
                    if data.len() < end {
                        return Ok(Found::Incomplete(end));
                    }
                }
            }
        }
        self.column = None;
        let mut at = 2;
        for i in 0..width {
            let length = number(data, at).unwrap_or(u32::MAX).cast_signed();
            at += 4;
            let value = usize::try_from(length).ok().and_then(|length| data.get(at..at + length));
            at += value.map_or(0, <[u8]>::len);
            sink.append_binary(i, value).map_err(|error| self.in_column(error, i, row, sink))?;
        }
        self.rows = row;
        // Rows of the binary format are never shown.
        sink.end_row(data.get(..end).unwrap_or_default(), row)?;
        Ok(Found::Taken(end))
    }

    #[cold]
    fn in_row(&self, error: PgError, row: u64, sink: &RowSink) -> PgError {
        error.context(format!("COPY {}, line {row}", sink.relation()))
    }

    #[cold]
    fn in_column(&self, error: PgError, i: usize, row: u64, sink: &RowSink) -> PgError {
        error.context(format!("COPY {}, line {row}, column {}", sink.relation(), sink.name(i)))
    }
}

fn number(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// What stands before the first row.
pub(super) fn header(out: &mut BytesMut) {
    out.put_slice(SIGNATURE);
    out.put_u64(0);
}

/// One row.
pub(super) fn row(columns: &[BoundEncoder<'_>], row: usize, out: &mut BytesMut) -> PgResult<()> {
    out.put_i16(i16::try_from(columns.len()).map_err(PgError::internal)?);
    for column in columns {
        if column.is_null(row) {
            out.put_i32(-1);
            continue;
        }
        let length_at = out.len();
        out.put_i32(0);
        column.encode_binary(row, out)?;
        let length = i32::try_from(out.len() - length_at - 4).map_err(PgError::internal)?;
        if let Some(slot) = out.get_mut(length_at..length_at + 4) {
            slot.copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

/// What stands behind the last row.
pub(super) fn trailer(out: &mut BytesMut) {
    out.put_i16(-1);
}
