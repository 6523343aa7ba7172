//! The conversation of one session: takes a message, has its verb done, waits for the next.

use std::{future::Future, pin::pin, time::Duration};

use bytes::Bytes;
use tokio::time::sleep;

use super::{
    PgError, PgResult, SqlState, WireLimits,
    backend::{Session, Status},
    cancel::{Reason, Registration},
    extended::Unsynced,
    fault::Fault,
    guard::{self, Cut},
    listener::Shutdown,
    message,
    pipe::{Pipe, Socket},
    portal::{Portal, Slots, Stored},
    reply,
};

/// Everything one session's conversation is made of.
pub(super) struct Conversation<'a, S, B: Session> {
    pub pipe: &'a mut Pipe<S>,
    pub session: B,
    pub registration: &'a Registration,
    pub limits: &'a WireLimits,
    pub statements: Slots<Stored<B::Prepared>>,
    pub portals: Slots<Portal<B::Prepared>>,
    /// What happened since the last Sync.
    pub unsynced: Unsynced,
    /// Whether a portal was executed since the last Sync.
    pub executed: bool,
    /// The transaction that the portals belong to.
    transaction: u64,
    shutdown: Shutdown,
}

impl<'a, S: Socket, B: Session> Conversation<'a, S, B> {
    pub fn new(
        pipe: &'a mut Pipe<S>,
        session: B,
        registration: &'a Registration,
        limits: &'a WireLimits,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            pipe,
            transaction: session.transaction_id(),
            session,
            registration,
            limits,
            statements: Slots::default(),
            portals: Slots::default(),
            unsynced: Unsynced::Fine,
            executed: false,
            shutdown,
        }
    }

    /// Until Terminate, which is the only good end.
    pub async fn run(&mut self) -> Result<(), Fault> {
        loop {
            if self.pipe.gone {
                let _ = self.pipe.flush().await;
                return Err(Fault::Gone);
            }
            let (kind, body) = self.incoming().await?;
            if kind == b'X' {
                return Ok(());
            }
            self.registration.statement_starts();
            let done = self.message(kind, &body).await;
            self.registration.statement_ends();
            match done {
                Ok(()) => {}
                Err(Fault::Statement(error)) => self.extended_error(&error),
                Err(fault) => return Err(fault),
            }
            if self.pipe.sendable() > self.limits.flush_bytes {
                self.pipe.flush().await?;
            }
        }
    }

    /// The conversation is over: portals first, their row sources may borrow the session's worker.
    pub async fn close(self) {
        let Self { session, portals, statements, .. } = self;
        drop((portals, statements));
        session.close().await;
    }

    async fn message(&mut self, kind: u8, body: &Bytes) -> Result<(), Fault> {
        match kind {
            // After an error everything is skipped until Sync.
            b'S' => self.sync(body).await,
            _ if self.unsynced == Unsynced::Failed => Ok(()),
            b'Q' => self.simple_query(body).await,
            b'P' => self.parse(body).await,
            b'B' => self.bind(body).await,
            b'D' => self.describe(body).await,
            b'E' => self.execute(body).await,
            b'C' => self.close_target(body),
            b'H' => self.flush(body).await,
            b'c' | b'f' => Ok(()),
            b'F' => self.function_call().await,
            other => Err(Fault::Fatal(PgError::fatal(
                SqlState::PROTOCOL_VIOLATION,
                format!("invalid frontend message type {other}"),
            ))),
        }
    }

    /// The next message. Copy data outside of a COPY is what was on its way when the COPY failed.
    async fn incoming(&mut self) -> Result<(u8, Bytes), Fault> {
        loop {
            self.discard_copy_data().await?;
            match guard::cut(&mut self.pipe.input, self.limits)? {
                Cut::Frame { kind, body } => return Ok((kind, body)),
                Cut::CopyData(bytes) => self.pipe.copy_data = bytes,
                Cut::Missing(bytes) => self.wait(bytes).await?,
            }
        }
    }

    /// Waits for more input, and sends what there is to send before it does: the client may be waiting for it.
    async fn wait(&mut self, missing: usize) -> Result<(), Fault> {
        self.pipe.flush().await?;
        self.session.idles();
        let idle = self.session.idle_timeout();
        let ended = self.registration.cancel();
        let (notified, free) = (self.session.notified(), self.session.status() == Status::Idle);
        tokio::select! {
            biased;
            () = self.shutdown.requested() => Err(Reason::Shutdown.error().into()),
            () = ended.terminated() => Err(Reason::Shutdown.error().into()),
            read = self.pipe.read_more(missing) => Ok(read?),
            () = notified.notified(), if free => {
                self.tell();
                Ok(())
            }
            () = maybe_sleep(idle) => Err(Fault::Fatal(idle_error(self.session.status()))),
        }
    }

    /// Throws away what is left of a CopyData message.
    async fn discard_copy_data(&mut self) -> Result<(), Fault> {
        while self.pipe.copy_data > 0 {
            if self.pipe.input.is_empty() {
                self.wait(self.pipe.copy_data).await?;
            }
            drop(self.pipe.take_copy_data());
        }
        Ok(())
    }

    /// After the last message of a batch: ends its implicit transaction, sends what was kept back for it, and says
    /// ready.
    pub async fn end_batch(&mut self, failed: bool) -> Result<(), Fault> {
        self.executed = false;
        let ended = watched(self.pipe, self.registration, self.session.end_implicit(failed)).await;
        match ended {
            Ok(()) => self.pipe.release(),
            Err(error) => {
                // What was said to be done was not: the client gets the error in place of it.
                self.pipe.drop_held();
                self.statement_error(Fault::from(error))?;
            }
        }
        self.asides();
        let now = self.session.transaction_id();
        if self.session.status() == Status::Idle || now != self.transaction {
            let session = &self.session;
            let lives = |portal: &Portal<B::Prepared>| {
                // A query string may have ended one transaction and begun the next.
                let open = session.status() != Status::Idle && portal.transaction == now;
                open || (portal.hold && !session.is_rolled_back(portal.transaction))
            };
            self.portals.retain(lives);
        }
        self.transaction = now;
        self.tell();
        // As in Postgres once, with what holds then: a change that was rolled back is none.
        for (name, value) in self.session.take_parameter_changes() {
            reply::parameter_status(&mut self.pipe.output, name, value);
        }
        reply::ready(&mut self.pipe.output, self.session.status());
        self.registration.statement_ends();
        self.pipe.flush().await?;
        Ok(())
    }

    /// Notifications, between transactions.
    fn tell(&mut self) {
        if self.session.status() == Status::Idle {
            let all = self.session.take_notifications();
            // That some were missed comes before what came after them.
            self.asides();
            for told in all {
                reply::notification(&mut self.pipe.output, &told);
            }
        }
    }

    /// Tells a statement's error, after the notices before it; what ends the connection is passed on.
    pub fn statement_error(&mut self, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::Statement(error) => {
                self.session.note_error();
                self.asides();
                reply::error(&mut self.pipe.output, &error);
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Notices: they go out before the statement's completion.
    pub fn asides(&mut self) {
        for notice in self.session.take_notices() {
            reply::error(&mut self.pipe.output, &notice);
        }
    }

    /// Sends answers while a statement runs, once there are enough of them; a cancel is heard even if the client
    /// takes none.
    pub async fn flush_some(&mut self) -> Result<(), Fault> {
        self.check_held()?;
        if let Some(reason) = self.registration.cancel().is_cancelled() {
            return Err(reason.error().into());
        }
        if self.pipe.sendable() < self.limits.flush_bytes {
            return Ok(());
        }
        tokio::select! {
            biased;
            sent = self.pipe.flush() => Ok(sent?),
            reason = self.registration.cancel().cancelled() => Err(reason.error().into()),
        }
    }

    /// Sends answers once there are enough of them, whatever is cancelled.
    pub async fn flush_much(&mut self) -> Result<(), Fault> {
        if self.pipe.sendable() >= self.limits.flush_bytes {
            self.pipe.flush().await?;
        }
        Ok(())
    }

    /// What is kept back is bounded.
    pub fn check_held(&self) -> PgResult<()> {
        if self.pipe.held_bytes() <= self.limits.held_bytes_max {
            return Ok(());
        }
        let message = "too much output before the implicit transaction's end";
        Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
            .hint("Put the writes into a transaction of their own, with BEGIN and COMMIT."))
    }

    /// Fails in a failed transaction block.
    pub fn check_not_failed(&self) -> PgResult<()> {
        if self.session.status() != Status::Failed {
            return Ok(());
        }
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        Err(PgError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message))
    }

    async fn function_call(&mut self) -> Result<(), Fault> {
        let error = PgError::unsupported("function calls by message are not supported");
        self.statement_error(error.hint("Use SELECT.").into())?;
        self.end_batch(true).await
    }

    async fn flush(&mut self, body: &Bytes) -> Result<(), Fault> {
        message::nothing(body)?;
        // The client wants its answers before it ends the batch, and waits for them. As in Postgres they are not a
        // promise: that is only the answer to Sync.
        self.pipe.release();
        self.pipe.flush().await?;
        Ok(())
    }
}

/// Runs a step of the session while looking after the client: if it goes, the step is told and comes to its end.
pub(super) async fn watched<S: Socket, F: Future>(
    pipe: &mut Pipe<S>,
    registration: &Registration,
    step: F,
) -> F::Output {
    let mut step = pin!(step);
    tokio::select! {
        biased;
        output = &mut step => return output,
        () = pipe.watch() => registration.cancel().cancel(Reason::ClientGone),
    }
    step.await
}

async fn maybe_sleep(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

fn idle_error(status: Status) -> PgError {
    match status {
        Status::Idle => {
            PgError::fatal(SqlState::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout")
        }
        Status::InTransaction | Status::Failed => PgError::fatal(
            SqlState::IDLE_IN_TRANSACTION_TIMEOUT,
            "terminating connection due to idle-in-transaction timeout",
        ),
    }
}
