//! The way to the gateway: whole frames, one after another, whichever thread writes them.

use std::{
    io::{self, BufWriter, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError},
};

use crate::engine::protocol::{FrameKind, write_frame};

/// Small frames are gathered to this before they are written.
const OUT_BYTES: usize = 64 << 10;

/// One connection's way out; clones are the same.
#[derive(Clone)]
pub struct Out(Arc<Mutex<BufWriter<UnixStream>>>);

impl Out {
    /// Over the connection.
    pub fn new(stream: &UnixStream) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(BufWriter::with_capacity(OUT_BYTES, stream.try_clone()?)))))
    }

    /// Adds a frame.
    pub fn frame(&self, kind: FrameKind, head: &[u8], body: &[u8]) -> io::Result<()> {
        write_frame(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), kind, head, body)
    }

    /// Sends what was gathered.
    pub fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
