//! COPY TO STDOUT: a query whose rows are written as text, csv, binary or Parquet.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};

use super::{copy_in::CopyIn, copy_out_parquet, current, describe, select, wrong_plan};
use crate::{
    copy::{CopyFormat, CopyOptions, CopyTarget, CopyWriter, Direction},
    limits::COPY_OUT_PIECE_BYTES,
    session::{ClientSession, PreparedStatement},
    sql::plan::Plan,
    value::Encoder,
    wire::{
        PgError, PgResult,
        backend::{CopySource, Format, Outcome, Params, Session as _},
    },
};

/// Begins a COPY.
///
/// # Errors
/// As a query's.
pub async fn run(
    session: &mut ClientSession,
    prepared: &PreparedStatement,
    params: Params,
) -> PgResult<Outcome<CopyIn>> {
    let pin = select::pin(session).await?;
    let (prepared, pin) = current(session, prepared, pin).await?;
    let Plan::CopyOut(plan) = prepared.plan() else { return Err(wrong_plan()) };
    let running = select::start(session, &pin, &plan.query, &params).await?;
    let columns = describe::result_columns(session, &running.stream, &plan.query)?;
    let names: Vec<String> = match plan.columns.is_empty() {
        true => columns.iter().map(|c| c.name.clone()).collect(),
        false => plan.columns.clone(),
    };
    if plan.options.format == CopyFormat::Parquet {
        return Ok(Outcome::CopyOut(copy_out_parquet::source(session, running, &columns, &names)?));
    }
    let ctx = session.value_context();
    let engine = running.stream.schema.fields().iter().zip(columns.iter());
    let encoders = engine
        .map(|(field, column)| Encoder::new(field.data_type(), &column.duckdb_type, column.declared.as_ref(), &ctx))
        .collect::<PgResult<Vec<_>>>()?;
    let options = match plan.columns.is_empty() {
        true => {
            let target = CopyTarget { relation: None, all: &names, columns: &names };
            CopyOptions::new(&plan.raw, Direction::To, &target)?
        }
        false => plan.options.clone(),
    };
    let format = if options.format == CopyFormat::Binary { Format::Binary } else { Format::Text };
    let writer = CopyWriter::new(options, encoders);
    let mut header = BytesMut::new();
    writer.header(&names, &mut header);
    // In binary it is no message of its own: it goes with the first row, or with the trailer. Clients count on it.
    let begun = match format {
        Format::Binary => BytesMut::new(),
        Format::Text => message(|out| out.put(header.split()))?,
    };
    Ok(Outcome::CopyOut(Box::new(Source {
        running,
        writer,
        format,
        columns: names.len(),
        rows: 0,
        header,
        begun,
        current: None,
        ended: false,
    })))
}

/// What is written as a message of its own; nothing where nothing is.
fn message(write: impl FnOnce(&mut BytesMut)) -> PgResult<BytesMut> {
    let mut body = BytesMut::new();
    write(&mut body);
    let mut message = BytesMut::new();
    if !body.is_empty() {
        message.put_u8(b'd');
        message.put_i32(i32::try_from(body.len() + 4).map_err(PgError::internal)?);
        message.put(body);
    }
    Ok(message)
}

/// Puts bytes at the beginning of the message at `start`.
fn lead(messages: &mut BytesMut, start: usize, header: &[u8]) -> PgResult<()> {
    const PREFIX: usize = 5;
    let rest = messages.split_off(start);
    let length = rest.get(1..PREFIX).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
    let length = length.ok_or_else(|| PgError::internal("a message without a length"))?;
    messages.put_u8(b'd');
    messages.put_i32(length + i32::try_from(header.len()).map_err(PgError::internal)?);
    messages.put(header);
    messages.put(rest.get(PREFIX..).unwrap_or_default());
    Ok(())
}

struct Source {
    running: select::Running,
    writer: CopyWriter,
    format: Format,
    columns: usize,
    rows: u64,
    /// What the next message begins with.
    header: BytesMut,
    /// Bytes that are not sent yet.
    begun: BytesMut,
    /// The batch being written, and its next row.
    current: Option<(RecordBatch, usize)>,
    ended: bool,
}

#[async_trait]
impl CopySource for Source {
    fn column_count(&self) -> usize {
        self.columns
    }

    fn format(&self) -> Format {
        self.format
    }

    async fn next(&mut self) -> PgResult<Option<Bytes>> {
        while self.begun.len() < COPY_OUT_PIECE_BYTES && !self.ended {
            match self.current.take() {
                Some((batch, from)) => self.write(batch, from)?,
                None => match self.running.next().await? {
                    Some(batch) => self.current = Some((batch, 0)),
                    None => {
                        self.ended = true;
                        let header = self.header.split();
                        self.begun.put(message(|out| {
                            out.put(header);
                            self.writer.trailer(out);
                        })?);
                    }
                },
            }
        }
        Ok(if self.begun.is_empty() { None } else { Some(self.begun.split().freeze()) })
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}

impl Source {
    /// Writes some rows of a batch; puts the batch back while it has more.
    fn write(&mut self, batch: RecordBatch, from: usize) -> PgResult<()> {
        const ROWS: usize = 1024;
        let to = batch.num_rows().min(from + ROWS);
        let start = self.begun.len();
        self.writer.write_messages(&batch, from..to, &mut self.begun)?;
        if !self.header.is_empty() && self.begun.len() > start {
            lead(&mut self.begun, start, &self.header.split())?;
        }
        self.rows += (to - from) as u64;
        if to < batch.num_rows() {
            self.current = Some((batch, to));
        }
        Ok(())
    }
}
