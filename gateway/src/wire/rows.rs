//! Rows on their way to the client, a bounded piece at a time.

use arrow::array::RecordBatch;

use super::{
    PgError, PgResult, SqlState,
    backend::{Format, ResultColumn, RowTag, Rows, Session},
    fault::Fault,
    pipe::Socket,
    session_loop::{Conversation, watched},
};
use crate::value::{self, DataRowWriter, Encoder};

/// Rows written before their size is known.
const FIRST_ROWS: usize = 16;
/// Rows written between two looks at the output's size and at cancellation.
const PIECE_ROWS_MAX: usize = 4096;

/// A result that was not sent to its end yet.
pub(super) struct RowStream {
    rows: Rows,
    formats: Vec<Format>,
    writer: Option<DataRowWriter>,
    /// The batch being sent, and the first row of it not sent yet.
    batch: Option<(RecordBatch, usize)>,
    /// How many rows made about one flush last time.
    piece_rows: usize,
    finished: bool,
    sent: u64,
}

/// What one call sent.
pub(super) struct Sent {
    pub rows: u64,
    /// Whether nothing is left.
    pub finished: bool,
}

impl RowStream {
    pub fn new(rows: Rows, formats: Vec<Format>) -> Self {
        Self { rows, formats, writer: None, batch: None, piece_rows: FIRST_ROWS, finished: false, sent: 0 }
    }

    /// What was not sent yet: rows to come, what is left of a batch, and how many went before.
    pub fn left(self) -> (Rows, (Option<RecordBatch>, u64)) {
        let rest = self.batch.map(|(batch, from)| batch.slice(from, batch.num_rows() - from));
        (self.rows, (rest, self.sent))
    }

    pub fn tag(&self) -> RowTag {
        self.rows.tag
    }

    /// Whether a command with this tag wrote something that its implicit transaction may still lose.
    pub fn writes(tag: RowTag) -> bool {
        tag == RowTag::Insert
    }
}

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    /// Sends rows, all or at most `rows_max`.
    pub(super) async fn send_rows(&mut self, stream: &mut RowStream, rows_max: Option<u64>) -> Result<Sent, Fault> {
        let mut sent = 0;
        while !stream.finished && rows_max.is_none_or(|max| sent < max) {
            if stream.batch.is_none() {
                let next = watched(self.pipe, self.registration, stream.rows.batches.next()).await;
                match next {
                    Ok(Some(batch)) => stream.batch = Some((batch, 0)),
                    Ok(None) => stream.finished = true,
                    Err(error) => {
                        stream.finished = true;
                        return Err(error.into());
                    }
                }
                continue;
            }
            let left = rows_max.map_or(u64::MAX, |max| max - sent);
            let rows = self.send_piece(stream, left)?;
            sent += rows;
            stream.sent += rows;
            // Rows of a write that is durable are no longer cancelled: that would call stored rows cancelled.
            if RowStream::writes(stream.tag()) && self.pipe.held_bytes() == 0 {
                self.flush_much().await?;
            } else {
                self.flush_some().await?;
            }
        }
        Ok(Sent { rows: sent, finished: stream.finished })
    }

    /// Writes some rows of the current batch to the output.
    fn send_piece(&mut self, stream: &mut RowStream, left: u64) -> PgResult<u64> {
        let Some((batch, from)) = stream.batch.take() else {
            return Ok(0);
        };
        let writer = match &mut stream.writer {
            Some(writer) => writer,
            none => none.insert(self.writer(&batch, &stream.rows.columns, &stream.formats)?),
        };
        let rows = stream.piece_rows.min(batch.num_rows() - from).min(usize::try_from(left).unwrap_or(usize::MAX));
        let mark = self.pipe.output.len();
        self.pipe.unfinished = Some(mark);
        let written = writer.write(&batch, from..from + rows, &mut self.pipe.output);
        self.pipe.unfinished = None;
        if let Err(error) = written {
            // Half a message must not go out.
            self.pipe.output.truncate(mark);
            return Err(error);
        }
        let bytes_per_row = ((self.pipe.output.len() - mark) / rows.max(1)).max(1);
        stream.piece_rows = (self.limits.flush_bytes / bytes_per_row).clamp(1, PIECE_ROWS_MAX);
        if from + rows < batch.num_rows() {
            stream.batch = Some((batch, from + rows));
        }
        Ok(rows as u64)
    }

    fn writer(&self, batch: &RecordBatch, columns: &[ResultColumn], formats: &[Format]) -> PgResult<DataRowWriter> {
        if batch.num_columns() != columns.len() {
            return Err(PgError::internal(format!(
                "{} columns in a batch, {} described",
                batch.num_columns(),
                columns.len()
            )));
        }
        let context = self.session.value_context();
        let mut encoders = Vec::with_capacity(columns.len());
        for (at, (field, column)) in batch.schema_ref().fields().iter().zip(columns).enumerate() {
            let format = match formats.get(at) {
                Some(Format::Binary) => value::Format::Binary,
                Some(Format::Text) | None => value::Format::Text,
            };
            let encoder = Encoder::new(field.data_type(), &column.duckdb_type, column.declared.as_ref(), &context)?;
            encoders.push((encoder, format));
        }
        Ok(DataRowWriter::new(encoders))
    }
}

/// Refuses rows of another shape than the client was told: it would read them wrongly.
pub(super) fn check_shape(told: Option<&[ResultColumn]>, given: &[ResultColumn]) -> PgResult<()> {
    same_shape(told.unwrap_or_default(), given)
}

/// Refuses columns of other names or types than there were. Drivers that prepare a statement again then (asyncpg, pgjdbc, Rails)
/// know the error by the function of Postgres that it comes from.
///
/// # Errors
/// 0A000.
pub fn same_shape(told: &[ResultColumn], given: &[ResultColumn]) -> PgResult<()> {
    let is_same =
        |(a, b): (&ResultColumn, &ResultColumn)| a.name == b.name && a.type_oid == b.type_oid && a.typmod == b.typmod;
    if told.len() == given.len() && told.iter().zip(given).all(is_same) {
        return Ok(());
    }
    let changed = PgError::new(SqlState::FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
    Err(changed.routine("RevalidateCachedQuery"))
}
