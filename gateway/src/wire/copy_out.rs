//! COPY TO STDOUT.

use super::{
    backend::{CopySource, Session},
    fault::Fault,
    pipe::Socket,
    reply,
    session_loop::{Conversation, watched},
};

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    pub(super) async fn copy_out(&mut self, mut source: Box<dyn CopySource>) -> Result<(), Fault> {
        reply::copy_out(&mut self.pipe.output, source.format(), source.column_count());
        while let Some(piece) = watched(self.pipe, self.registration, source.next()).await? {
            self.pipe.output.extend_from_slice(&piece);
            self.flush_some().await?;
        }
        reply::copy_done(&mut self.pipe.output);
        self.asides();
        reply::complete(&mut self.pipe.output, &format!("COPY {}", source.rows()));
        Ok(())
    }
}
