//! The gateway's end of a connection to a worker.

use std::{io, path::Path};

use arrow::{
    buffer::{Buffer, MutableBuffer},
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::{convert::fb_to_schema, reader::read_record_batch, root_as_message},
    record_batch::RecordBatch,
};
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::protocol::{Cancel, FrameKind, Numbered, PREFIX_BYTES, Prefix, Request};

/// A frame from the worker.
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// JSON, or the Arrow IPC message of a batch.
    pub head: Vec<u8>,
    /// Arrow data, aligned as Arrow wants it, so that batches refer to it without a copy.
    pub body: Buffer,
}

/// A connection that serves one request at a time.
pub struct Connection {
    reader: FrameReader,
    writer: OwnedWriteHalf,
    /// A frame that is only sent in part stays here when the future that sends it is dropped: the next one comes after it.
    unsent: BytesMut,
    next_id: u64,
}

impl Connection {
    /// Connects.
    pub async fn open(socket: &Path) -> io::Result<Self> {
        let (read, writer) = UnixStream::connect(socket).await?.into_split();
        let reader = FrameReader { read, state: State::default() };
        Ok(Self { reader, writer, unsent: BytesMut::new(), next_id: 1 })
    }

    /// Sends a request; gives the id that cancels it.
    pub async fn send(&mut self, mut request: Request) -> io::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        request.id = id;
        self.write(FrameKind::Request, &serde_json::to_vec(&request)?).await?;
        Ok(id)
    }

    /// Asks to stop a request.
    pub async fn cancel(&mut self, id: u64) -> io::Result<()> {
        self.write(FrameKind::Cancel, &serde_json::to_vec(&Cancel { id })?).await
    }

    /// Answers a statement that asked for numbers.
    pub async fn numbered(&mut self, numbered: &Numbered) -> io::Result<()> {
        self.write(FrameKind::Numbered, &serde_json::to_vec(numbered)?).await
    }

    /// The next frame. Dropping the future loses nothing.
    pub async fn read(&mut self) -> io::Result<Frame> {
        self.reader.next().await
    }

    async fn write(&mut self, kind: FrameKind, head: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(&Prefix::encode(kind, head, &[])?);
        self.unsent.extend_from_slice(head);
        self.writer.write_all_buf(&mut self.unsent).await
    }
}

struct FrameReader {
    read: OwnedReadHalf,
    state: State,
}

/// A frame that is only read in part stays here when the future that reads it is dropped.
#[derive(Default)]
struct State {
    prefix: [u8; PREFIX_BYTES],
    parsed: Option<(Prefix, Vec<u8>, MutableBuffer)>,
    filled: usize,
}

impl FrameReader {
    async fn next(&mut self) -> io::Result<Frame> {
        let state = &mut self.state;
        if state.parsed.is_none() {
            fill(&mut self.read, &mut state.prefix, &mut state.filled, 0).await?;
            let prefix = Prefix::decode(state.prefix)?;
            let parts = (prefix, vec![0; prefix.head_bytes], MutableBuffer::from_len_zeroed(prefix.body_bytes));
            state.parsed = Some(parts);
            state.filled = 0;
        }
        if let Some((prefix, head, body)) = &mut state.parsed {
            fill(&mut self.read, head, &mut state.filled, 0).await?;
            fill(&mut self.read, body.as_slice_mut(), &mut state.filled, prefix.head_bytes).await?;
        }
        let state = std::mem::take(state);
        let (prefix, head, body) = state.parsed.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Frame { kind: prefix.kind, head, body: body.into() })
    }
}

/// Reads until `into` is full. `filled` counts from `offset` before it.
async fn fill(read: &mut OwnedReadHalf, into: &mut [u8], filled: &mut usize, offset: usize) -> io::Result<()> {
    while let Some(rest) = into.get_mut(filled.saturating_sub(offset)..).filter(|rest| !rest.is_empty()) {
        match read.read(rest).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => *filled += n,
        }
    }
    Ok(())
}

/// The schema in a schema frame's body.
pub fn schema(body: &[u8]) -> Result<SchemaRef, ArrowError> {
    let message = root_as_message(body).map_err(|e| ArrowError::IpcError(e.to_string()))?;
    let schema = message.header_as_schema().ok_or_else(|| ArrowError::IpcError("not a schema".to_owned()))?;
    Ok(SchemaRef::new(fb_to_schema(schema)))
}

/// The batch in a batch frame. It is validated: the gateway's memory must not depend on the worker's honesty.
pub fn batch(frame: &Frame, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let message = root_as_message(&frame.head).map_err(|e| ArrowError::IpcError(e.to_string()))?;
    let batch = message.header_as_record_batch().ok_or_else(|| ArrowError::IpcError("not a batch".to_owned()))?;
    read_record_batch(&frame.body, batch, SchemaRef::clone(schema), &Default::default(), None, &message.version())
}
