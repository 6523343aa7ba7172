//! Result rows on their way out: small chunks joined, types made plain, written as Arrow IPC.

use std::{io, sync::Arc};

use arrow::{
    array::RecordBatch,
    compute::concat_batches,
    datatypes::{Schema, SchemaRef},
    error::ArrowError,
    ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions},
};

use super::{out::Out, plain};
use crate::engine::protocol::{BODY_BYTES_MAX, Columns, EngineError, FrameKind};

/// Chunks are joined until they hold this much: DuckDB's are 2048 rows, whatever a row weighs.
const JOIN_BYTES: usize = 512 << 10;
/// … or this many rows.
const JOIN_ROWS: usize = 64 << 10;
/// A batch that holds more is cut, so that no frame comes near its limit.
const CUT_BYTES: usize = 64 << 20;

/// Why rows could not be sent.
pub enum SendError {
    /// The gateway is gone.
    Gone,
    /// They could not be written as Arrow.
    Rows(EngineError),
}

impl From<io::Error> for SendError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<ArrowError> for SendError {
    fn from(error: ArrowError) -> Self {
        Self::Rows(EngineError::arrow(error))
    }
}

/// Collects chunks and writes batches.
pub struct BatchWriter<'out> {
    out: &'out Out,
    to: SchemaRef,
    options: IpcWriteOptions,
    dictionaries: DictionaryTracker,
    compression: CompressionContext,
    held: Vec<RecordBatch>,
    held_bytes: usize,
    held_rows: usize,
}

impl<'out> BatchWriter<'out> {
    /// Writes the schema frame.
    pub fn start(out: &'out Out, columns: &Columns, from: &SchemaRef) -> Result<Self, SendError> {
        let to: SchemaRef = Arc::new(Schema::new(from.fields().iter().map(plain::field).collect::<Vec<_>>()));
        let options = IpcWriteOptions::default();
        let mut dictionaries = DictionaryTracker::new(false);
        let message =
            IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(&to, &mut dictionaries, &options);
        let head = serde_json::to_vec(columns).map_err(io::Error::from)?;
        out.frame(FrameKind::Schema, &head, &message.ipc_message)?;
        Ok(Self {
            out,
            to,
            options,
            dictionaries,
            compression: CompressionContext::default(),
            held: Vec::new(),
            held_bytes: 0,
            held_rows: 0,
        })
    }

    /// Sends the columns now, before there are rows.
    pub fn send_columns(&mut self) -> Result<(), SendError> {
        Ok(self.out.flush()?)
    }

    /// Takes a chunk; writes when enough has come together.
    pub fn push(&mut self, chunk: RecordBatch) -> Result<(), SendError> {
        // Plain before they are joined: joined dictionaries run out of numbers.
        let chunk = plain::batch(&chunk, &self.to)?;
        self.held_bytes += chunk.get_array_memory_size();
        self.held_rows += chunk.num_rows();
        self.held.push(chunk);
        if self.held_bytes >= JOIN_BYTES || self.held_rows >= JOIN_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is held.
    pub fn flush(&mut self) -> Result<(), SendError> {
        let held = std::mem::take(&mut self.held);
        (self.held_bytes, self.held_rows) = (0, 0);
        let batch = match <[RecordBatch; 1]>::try_from(held) {
            Ok([only]) => only,
            Err(held) if held.is_empty() => return Ok(()),
            Err(held) => concat_batches(&self.to, &held)?,
        };
        self.write(&batch)
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), SendError> {
        let bytes = batch.get_array_memory_size();
        if bytes > CUT_BYTES && batch.num_rows() > 1 {
            let pieces = (bytes / CUT_BYTES + 1).min(batch.num_rows());
            let rows = batch.num_rows().div_ceil(pieces);
            for start in (0..batch.num_rows()).step_by(rows) {
                self.write_whole(&batch.slice(start, rows.min(batch.num_rows() - start)))?;
            }
            return Ok(());
        }
        self.write_whole(batch)
    }

    fn write_whole(&mut self, batch: &RecordBatch) -> Result<(), SendError> {
        let generator = IpcDataGenerator::default();
        let (_, encoded) = generator.encode(batch, &mut self.dictionaries, &self.options, &mut self.compression)?;
        if encoded.arrow_data.len() > BODY_BYTES_MAX as usize {
            return Err(SendError::Rows(EngineError::new("Object Size", "a row of the result is too large")));
        }
        self.out.frame(FrameKind::Batch, &encoded.ipc_message, &encoded.arrow_data)?;
        Ok(())
    }
}
