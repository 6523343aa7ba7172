//! Parses the lines that COPY FROM STDIN sends as text or csv, cut anywhere.

use super::fields::{Fields, check_text};
use super::lines::{Found, LineFinder, bad_format};
use super::options::{CopyOptions, Header, OnError};
use super::rejected::{RejectedRow, TEXT_BYTES_MAX};
use super::sink::RowSink;
use crate::wire::error::{PgError, PgResult, SqlState};

/// The longest line that is taken. Postgres takes 1 GB; a gateway serves many at once.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// A frame is taken in pieces of this size, so that the buffer stays small.
const PIECE_BYTES: usize = 256 << 10;
/// How much of a value or line an error shows.
pub(super) const SHOWN_BYTES_MAX: usize = 100;

/// The parser of one COPY.
pub struct LineParser {
    options: CopyOptions,
    finder: LineFinder,
    /// What is left of the line that has not ended.
    buffer: Vec<u8>,
    fields: Fields,
    line_number: u64,
    header_pending: bool,
    ended: bool,
}

impl LineParser {
    /// A parser at the beginning of the data.
    #[must_use]
    pub fn new(options: CopyOptions) -> Self {
        Self {
            finder: LineFinder::new(&options),
            buffer: Vec::new(),
            fields: Fields::default(),
            line_number: 0,
            header_pending: options.header != Header::False,
            ended: false,
            options,
        }
    }

    /// Takes the body of one CopyData message. After an error the COPY has failed.
    pub fn feed(&mut self, data: &[u8], sink: &mut RowSink) -> PgResult<()> {
        for piece in data.chunks(PIECE_BYTES) {
            if self.ended {
                return Ok(());
            }
            if self.buffer.is_empty() {
                let used = self.lines(piece, false, sink)?;
                self.buffer.extend_from_slice(piece.get(used..).unwrap_or_default());
            } else {
                let mut buffer = std::mem::take(&mut self.buffer);
                buffer.extend_from_slice(piece);
                let used = self.lines(&buffer, false, sink)?;
                buffer.drain(..used);
                self.buffer = buffer;
            }
            if self.ended {
                self.buffer = Vec::new();
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                let detail = format!("A line of COPY data may have {LINE_BYTES_MAX} bytes.");
                let error = PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "line of COPY data is too long");
                return Err(self.in_unread_line(error.detail(detail), sink));
            }
        }
        Ok(())
    }

    /// CopyDone: the last line may lack its end.
    pub fn finish(&mut self, sink: &mut RowSink) -> PgResult<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let used = self.lines(&buffer, true, sink)?;
        let rest = buffer.get(used..).unwrap_or_default();
        if !self.ended && !rest.is_empty() {
            self.ended = true;
            self.line(rest, sink)?;
        }
        self.ended = true;
        Ok(())
    }

    /// Takes all whole lines of `data`; answers how many bytes they have.
    fn lines(&mut self, data: &[u8], last: bool, sink: &mut RowSink) -> PgResult<usize> {
        let mut start = 0;
        while !self.ended {
            let rest = data.get(start..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.finder.find(rest, last) {
                Ok(Found::Line { end, next }) => {
                    self.line(rest.get(..end).unwrap_or_default(), sink)?;
                    start += next;
                }
                Ok(Found::EndOfCopy { end }) => {
                    self.ended = true;
                    if end > 0 {
                        self.line(rest.get(..end).unwrap_or_default(), sink)?;
                    }
                    return Ok(data.len());
                }
                Ok(Found::Incomplete) => break,
                Err(error) => return Err(self.in_unread_line(error, sink)),
            }
        }
        Ok(start)
    }

    fn line(&mut self, line: &[u8], sink: &mut RowSink) -> PgResult<()> {
        self.line_number += 1 + std::mem::take(&mut self.finder.inner_lines);
        if let Err(error) = check_text(line) {
            let context = format!("COPY {}, line {}", sink.relation(), self.line_number);
            return Err(error.context(context));
        }
        if std::mem::take(&mut self.header_pending) {
            return self.header(line, sink);
        }
        self.row(line, sink)
    }

    fn row(&mut self, line: &[u8], sink: &mut RowSink) -> PgResult<()> {
        let columns = sink.width();
        if columns == 0 {
            return if line.is_empty() {
                sink.end_row(line, self.line_number)
            } else {
                Err(self.in_line(too_many(), line, sink))
            };
        }
        self.fields.split(line, &self.options).map_err(|error| self.in_line(error, line, sink))?;
        if self.fields.len() > columns {
            return Err(self.in_line(too_many(), line, sink));
        }
        for i in 0..columns {
            if i >= self.fields.len() {
                let error = bad_format(format!("missing data for column \"{}\"", sink.name(i)));
                return Err(self.in_line(error, line, sink));
            }
            let mut value = self.fields.get(i, line);
            if value.is_none() {
                if self.options.force_not_null.get(i) == Some(&true) {
                    value = Some(&self.options.null);
                }
            } else if self.options.force_null.get(i) == Some(&true) && value == Some(&self.options.null) {
                value = None;
            }
            if let Err(error) = sink.append(i, value) {
                let ignores = self.options.on_error == OnError::Ignore && is_of_value(&error);
                let (place, value) = (self.line_number, value.map(|v| shorten(v, SHOWN_BYTES_MAX)));
                let error = self.in_column(error, i, value.as_deref().unwrap_or_default(), sink);
                if !ignores {
                    return Err(error);
                }
                return Self::reject(&self.options, &error, (i, place, value), line, sink);
            }
        }
        sink.check_row(|i| self.fields.get(i, line)).map_err(|error| self.in_line(error, line, sink))?;
        sink.end_row(line, self.line_number)
    }

    /// Leaves out a row with a value that its column's type does not take.
    #[cold]
    fn reject(
        options: &CopyOptions,
        error: &PgError,
        (column, number, value): (usize, u64, Option<String>),
        line: &[u8],
        sink: &mut RowSink,
    ) -> PgResult<()> {
        sink.reject_row(column, line, number)?;
        let row = RejectedRow {
            line: number,
            column: sink.name(column).to_owned(),
            value,
            text: shorten(line, TEXT_BYTES_MAX),
            reason: shorten(error.fields().message.as_bytes(), TEXT_BYTES_MAX),
        };
        sink.rejected().push(row);
        match options.reject_limit {
            Some(limit) if sink.rejected().count() > limit => {
                let message = format!("skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility");
                let context = error.fields().context.clone().unwrap_or_default();
                Err(PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, message).context(context))
            }
            _ => Ok(()),
        }
    }

    fn header(&mut self, line: &[u8], sink: &RowSink) -> PgResult<()> {
        if self.options.header != Header::Match {
            return Ok(());
        }
        self.check_header(line, sink).map_err(|error| self.in_line(error, line, sink))
    }

    fn check_header(&mut self, line: &[u8], sink: &RowSink) -> PgResult<()> {
        self.fields.split(line, &self.options)?;
        let (got, expected) = (self.fields.len(), sink.width());
        if got != expected {
            let message = format!("wrong number of fields in header line: got {got}, expected {expected}");
            return Err(bad_format(message));
        }
        for i in 0..expected {
            let name = sink.name(i);
            let field = i + 1;
            match self.fields.get(i, line) {
                Some(text) if text == name.as_bytes() => {}
                Some(text) => {
                    let text = String::from_utf8_lossy(text);
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {field}: got \"{text}\", expected \"{name}\""
                    )));
                }
                None => {
                    let null = String::from_utf8_lossy(&self.options.null);
                    return Err(bad_format(format!(
                        "column name mismatch in header line field {field}: \
                         got null value (\"{null}\"), expected \"{name}\""
                    )));
                }
            }
        }
        Ok(())
    }

    /// The context of an error that is not of one column.
    #[cold]
    fn in_line(&self, error: PgError, line: &[u8], sink: &RowSink) -> PgError {
        let (relation, number) = (sink.relation(), self.line_number);
        with_context(error, format!("COPY {relation}, line {number}: \"{}\"", shorten(line, SHOWN_BYTES_MAX)))
    }

    /// The context of an error of one value.
    #[cold]
    fn in_column(&self, error: PgError, i: usize, shown: &str, sink: &RowSink) -> PgError {
        let (relation, number, name) = (sink.relation(), self.line_number, sink.name(i));
        with_context(error, format!("COPY {relation}, line {number}, column {name}: \"{shown}\""))
    }

    /// The context of an error in finding a line's end.
    fn in_unread_line(&self, error: PgError, sink: &RowSink) -> PgError {
        let line = self.line_number + 1 + self.finder.inner_lines;
        error.context(format!("COPY {}, line {line}", sink.relation()))
    }
}

/// A value's own context (JSON has one) comes first.
fn with_context(error: PgError, context: String) -> PgError {
    let own = error.fields().context.clone();
    error.context(own.map_or(context.clone(), |own| format!("{own}\n{context}")))
}

fn too_many() -> PgError {
    bad_format("extra data after last expected column")
}

/// Whether an error is of a value that its type does not take, and not of the server or its limits.
fn is_of_value(error: &PgError) -> bool {
    let code = error.code();
    code.0.starts_with("22") || code == SqlState::FEATURE_NOT_SUPPORTED
}

/// What is shown of a value or line: whole characters of its first bytes.
pub(super) fn shorten(bytes: &[u8], most: usize) -> String {
    if bytes.len() <= most {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut end = most;
    while end > 0 && bytes.get(end).is_some_and(|b| b & 0xC0 == 0x80) {
        end -= 1;
    }
    format!("{}...", String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()))
}
