//! COPY FROM STDIN: data goes on as it arrives, and is never collected.

use bytes::BytesMut;
use tokio::time::Instant;

use super::{
    PgError, SqlState,
    backend::{CopySink, Session},
    fault::Fault,
    guard::{self, Cut},
    message,
    pipe::Socket,
    reply,
    session_loop::{Conversation, watched},
};

/// Small messages that are already here are passed on together, so that a client that sends a line a message is not
/// slow.
const GATHER_BYTES: usize = 64 * 1024;
/// Room for reading.
const STREAM_BYTES: usize = 128 * 1024;

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    /// Takes the data until CopyDone; gives the tag. On any error the sink is dropped, so nothing becomes visible,
    /// and what the client still sends is thrown away by the main loop.
    pub(super) async fn copy_in(&mut self, mut sink: B::CopyIn) -> Result<String, Fault> {
        // The client sends nothing before it sees this, so nothing before it can be kept back any longer.
        self.pipe.release();
        reply::copy_in(&mut self.pipe.output, sink.format(), sink.column_count());
        self.pipe.flush().await?;
        let mut gathered = BytesMut::new();
        let deadline = self.session.copy_timeout().map(|timeout| Instant::now() + timeout);
        loop {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(timed_out());
            }
            match guard::cut(&mut self.pipe.input, self.limits)? {
                Cut::CopyData(bytes) => self.copy_data(&mut sink, &mut gathered, (bytes, deadline)).await?,
                Cut::Missing(_) => {
                    pass_on(&mut sink, &mut gathered).await?;
                    self.copy_wait(deadline).await?;
                }
                Cut::Frame { kind: b'c', body } => {
                    message::nothing(&body)?;
                    pass_on(&mut sink, &mut gathered).await?;
                    let done = self.session.copy_done(sink);
                    return Ok(watched(self.pipe, self.registration, done).await?);
                }
                Cut::Frame { kind: b'f', body } => {
                    let reason = message::text(&body)?;
                    let message = format!("COPY from stdin failed: {reason}");
                    return Err(PgError::new(SqlState::QUERY_CANCELED, message).into());
                }
                // As Postgres does, for clients that send a Sync right behind Execute.
                Cut::Frame { kind: b'H' | b'S', body } => message::nothing(&body)?,
                Cut::Frame { kind, .. } => return Err(self.not_in_copy(kind)),
            }
        }
    }

    /// One CopyData message, its header already taken.
    async fn copy_data(
        &mut self,
        sink: &mut impl CopySink,
        gathered: &mut BytesMut,
        (bytes, deadline): (usize, Option<Instant>),
    ) -> Result<(), Fault> {
        if bytes <= self.pipe.input.len() && gathered.len() + bytes <= GATHER_BYTES {
            gathered.extend_from_slice(&self.pipe.input.split_to(bytes));
            return Ok(());
        }
        // The count stays with the pipe: if the sink refuses a piece, the main loop throws away the rest of the
        // message.
        self.pipe.copy_data = bytes;
        pass_on(sink, gathered).await?;
        while self.pipe.copy_data > 0 {
            if self.pipe.input.is_empty() {
                self.copy_wait(deadline).await?;
            }
            sink.data(self.pipe.take_copy_data().freeze()).await?;
        }
        Ok(())
    }

    async fn copy_wait(&mut self, deadline: Option<Instant>) -> Result<(), Fault> {
        if self.pipe.gone {
            return Err(Fault::Gone);
        }
        self.pipe.expect_stream(STREAM_BYTES);
        tokio::select! {
            biased;
            reason = self.registration.cancel().cancelled() => Err(reason.error().into()),
            () = until(deadline) => Err(timed_out()),
            read = self.pipe.read_more(0) => Ok(read?),
        }
    }

    /// Postgres tells the statement's error first, and then ends the connection, since it read no further.
    fn not_in_copy(&mut self, kind: u8) -> Fault {
        let message = format!("unexpected message type 0x{kind:02X} during COPY from stdin");
        reply::error(&mut self.pipe.output, &PgError::new(SqlState::PROTOCOL_VIOLATION, message));
        let message = "terminating connection because protocol synchronization was lost";
        Fault::Fatal(PgError::fatal(SqlState::PROTOCOL_VIOLATION, message))
    }
}

/// Resolves at the deadline; never without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn timed_out() -> Fault {
    PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout").into()
}

async fn pass_on(sink: &mut impl CopySink, gathered: &mut BytesMut) -> Result<(), Fault> {
    if !gathered.is_empty() {
        sink.data(gathered.split().freeze()).await?;
    }
    Ok(())
}
