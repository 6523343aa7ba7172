//! COPY TO STDOUT: a query whose rows are written as text, csv or binary.

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::{BufMut, Bytes, BytesMut};

use super::{copy_in::CopyIn, current, describe, select, wrong_plan};
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
    let begun = message(|out| writer.header(&names, out))?;
    let head = if format == Format::Binary { begun.len() } else { 0 };
    Ok(Outcome::CopyOut(Box::new(Source {
        running,
        writer,
        format,
        columns: names.len(),
        rows: 0,
        begun,
        head,
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

struct Source {
    running: select::Running,
    writer: CopyWriter,
    format: Format,
    columns: usize,
    rows: u64,
    /// Bytes that are not sent yet.
    begun: BytesMut,
    /// How many of them are the binary form's header, alone so far; none: it is in the first row's message.
    head: usize,
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
                        self.begun.put(message(|out| self.writer.trailer(out))?);
                    }
                },
            }
        }
        self.join_head()?;
        Ok(if self.begun.is_empty() { None } else { Some(self.begun.split().freeze()) })
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}

impl Source {
    /// The header stands in one message with the first row, or with the trailer, as PostgreSQL sends it: DuckDB's reader takes
    /// nothing else.
    fn join_head(&mut self) -> PgResult<()> {
        // A message's kind and its length.
        const START: usize = 5;
        let head = std::mem::take(&mut self.head);
        if head < START || self.begun.len() < head + START {
            return Ok(());
        }
        let mut rest = self.begun.split_off(head);
        let length = rest.get(1..START).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
        let whole = u32::try_from(head - 1).map_err(PgError::internal)? + length - 4;
        if let Some(place) = self.begun.get_mut(1..START) {
            place.copy_from_slice(&whole.to_be_bytes());
        }
        self.begun.unsplit(rest.split_off(START));
        Ok(())
    }

    /// Writes some rows of a batch; puts the batch back while it has more.
    fn write(&mut self, batch: RecordBatch, from: usize) -> PgResult<()> {
        const ROWS: usize = 1024;
        let to = batch.num_rows().min(from + ROWS);
        self.writer.write_messages(&batch, from..to, &mut self.begun)?;
        self.rows += (to - from) as u64;
        if to < batch.num_rows() {
            self.current = Some((batch, to));
        }
        Ok(())
    }
}
