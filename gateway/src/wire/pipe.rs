//! One client's socket with its two bounded buffers.

use std::{future::pending, io, time::Duration};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::WireLimits;

const READ_BYTES: usize = 8 * 1024;
/// Buffers above this are given back when they are empty: one big message must not weigh on an idle session for ever.
const KEEP_BYTES_MAX: usize = 256 * 1024;

/// A socket that can carry a conversation.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

pub(super) struct Pipe<S> {
    stream: S,
    /// What came and was not looked at yet.
    pub input: BytesMut,
    /// Bytes to come of a CopyData message whose header was taken.
    pub copy_data: usize,
    /// What is to be sent. Whoever writes here leaves whole messages.
    pub output: BytesMut,
    /// From here on the output waits for the commit of its implicit transaction.
    held: Option<usize>,
    /// A message being written may be cut from here on if its writer panics.
    pub unfinished: Option<usize>,
    /// End of file or reset was seen while a statement ran.
    pub gone: bool,
    write_deadline: Duration,
    read_ahead_bytes_max: usize,
}

impl<S: Socket> Pipe<S> {
    pub fn new(stream: S, limits: &WireLimits) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            copy_data: 0,
            output: BytesMut::with_capacity(READ_BYTES),
            held: None,
            unfinished: None,
            gone: false,
            write_deadline: limits.write_deadline,
            read_ahead_bytes_max: limits.read_ahead_bytes_max,
        }
    }

    /// Reads what is there, at least one byte. `missing`: how much the message being read still needs, as its header
    /// declares; room for it grows with what really came, since a declaration costs the client nothing.
    pub async fn read_more(&mut self, missing: usize) -> io::Result<()> {
        if self.input.is_empty() && self.input.capacity() > KEEP_BYTES_MAX {
            self.input = BytesMut::new();
        }
        let room = missing.min(self.input.len()).max(READ_BYTES);
        if self.input.capacity() - self.input.len() < READ_BYTES / 2 {
            self.input.reserve(room);
        }
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What is here of the CopyData message being read.
    pub fn take_copy_data(&mut self) -> BytesMut {
        let here = self.copy_data.min(self.input.len());
        self.copy_data -= here;
        self.input.split_to(here)
    }

    /// Room for a stream of data: fewer, larger reads.
    pub fn expect_stream(&mut self, bytes: usize) {
        if self.input.capacity() - self.input.len() < bytes / 2 {
            self.input.reserve(bytes);
        }
    }

    /// Reads exactly up to `total` bytes of input and not one more: what follows may be for TLS.
    pub async fn read_exactly(&mut self, total: usize) -> io::Result<()> {
        while self.input.len() < total {
            let missing = total - self.input.len();
            self.input.reserve(missing);
            let n = (&mut self.stream).take(missing as u64).read_buf(&mut self.input).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Ends when the client is gone. Until then, keeps what it sends, up to a bound: beyond that it does not look.
    pub async fn watch(&mut self) {
        loop {
            if self.gone || self.input.len() >= self.read_ahead_bytes_max {
                pending::<()>().await;
            }
            if self.read_more(0).await.is_err() {
                self.gone = true;
                return;
            }
        }
    }

    /// How much could be sent now.
    pub fn sendable(&self) -> usize {
        self.held.unwrap_or(self.output.len())
    }

    /// How much is kept back.
    pub fn held_bytes(&self) -> usize {
        self.output.len() - self.sendable()
    }

    /// Keeps back everything from `mark`, an offset in the output at a message's start.
    pub fn hold_from(&mut self, mark: usize) {
        self.held.get_or_insert(mark);
    }

    /// Nothing is kept back any more.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// What was kept back will never be true.
    pub fn drop_held(&mut self) {
        if let Some(mark) = self.held.take() {
            self.output.truncate(mark);
        }
    }

    /// Sends all that may be sent. Dropping the future loses nothing.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.sendable() > 0 {
            let sendable = self.sendable();
            let ready = self.output.get(..sendable).unwrap_or_default();
            let written = timeout(self.write_deadline, self.stream.write(ready)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.output.advance(written);
            self.held = self.held.map(|mark| mark - written);
        }
        if self.output.is_empty() && self.output.capacity() > KEEP_BYTES_MAX {
            self.output = BytesMut::with_capacity(READ_BYTES);
        }
        Ok(())
    }

    /// Says goodbye: sends the rest, closes our side, and takes for a moment what the client still sends, because
    /// closing a socket with unread bytes makes the peer's kernel throw away our last words.
    pub async fn finish(&mut self, linger: Duration) {
        let _ = timeout(linger, async {
            self.flush().await?;
            self.stream.shutdown().await?;
            let mut sink = [0_u8; 4096];
            while self.stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }
}
