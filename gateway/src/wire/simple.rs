//! The simple protocol: a text of statements, one implicit transaction, answers to each.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    PgResult,
    backend::{Format, Outcome, Params, Place, Session, Status},
    fault::Fault,
    message,
    pipe::Socket,
    reply,
    rows::RowStream,
    session_loop::{Conversation, watched},
};

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    pub(super) async fn simple_query(&mut self, body: &Bytes) -> Result<(), Fault> {
        // As in Postgres, a simple query ends the unnamed statement's life.
        self.statements.remove("");
        let done = self.simple_statements(body).await;
        let failed = done.is_err();
        if let Err(fault) = done {
            self.statement_error(fault)?;
        }
        self.end_batch(failed).await
    }

    async fn simple_statements(&mut self, body: &Bytes) -> Result<(), Fault> {
        let sql: Arc<str> = message::text(body)?.into();
        let statements = watched(self.pipe, self.registration, self.session.parse(sql)).await?;
        if statements.is_empty() {
            reply::empty_query(&mut self.pipe.output);
        }
        let last = statements.len().saturating_sub(1);
        for (at, statement) in statements.iter().enumerate() {
            let place = match at == last {
                true if last == 0 => Place::Last,
                true => Place::LastOfSeveral,
                false => Place::MoreMayFollow,
            };
            self.simple_statement(statement, place).await?;
            if self.pipe.sendable() > self.limits.flush_bytes {
                self.pipe.flush().await?;
            }
        }
        Ok(())
    }

    async fn simple_statement(&mut self, statement: &B::Statement, place: Place) -> Result<(), Fault> {
        let prepared = watched(self.pipe, self.registration, self.session.prepare(statement, &[])).await?;
        let before = self.before_statement()?;
        let outcome = self.perform(&prepared, Params::default(), place).await?;
        match outcome {
            Outcome::Rows(rows) => {
                let tag = rows.tag;
                self.settle(&before, RowStream::writes(tag));
                let formats = if rows.binary { vec![Format::Binary; rows.columns.len()] } else { Vec::new() };
                reply::row_description(&mut self.pipe.output, &rows.columns, &formats);
                let mut stream = Self::stream(rows, formats);
                let sent = self.send_rows(&mut stream, None).await?;
                self.asides();
                reply::complete_rows(&mut self.pipe.output, tag, sent.rows);
                Ok(())
            }
            other => self.answer(other, &before).await,
        }
    }

    /// Answers to everything that is not rows.
    pub(super) async fn answer(&mut self, outcome: Outcome<B::CopyIn>, before: &Before) -> Result<(), Fault> {
        match outcome {
            Outcome::Empty => reply::empty_query(&mut self.pipe.output),
            Outcome::Complete(tag) => {
                self.settle(before, true);
                self.asides();
                if tag == "DISCARD ALL" {
                    self.statements.clear();
                    self.portals.clear();
                }
                reply::complete(&mut self.pipe.output, &tag);
            }
            Outcome::CopyIn(sink) => {
                let tag = self.copy_in(sink).await?;
                let before = Before { mark: self.pipe.output.len(), ..*before };
                self.settle(&before, true);
                self.asides();
                reply::complete(&mut self.pipe.output, &tag);
            }
            Outcome::CopyOut(source) => {
                self.settle(before, false);
                self.copy_out(source).await?;
            }
            // Rows are sent by their caller, who knows about portals.
            Outcome::Rows(_) => {}
        }
        Ok(())
    }

    /// Where things stand before a statement is executed.
    pub(super) fn before_statement(&self) -> PgResult<Before> {
        self.check_held()?;
        Ok(Before { mark: self.pipe.output.len(), transaction: self.session.transaction_id() })
    }

    /// After a statement was executed: whether its answers, and those before it, may be sent.
    pub(super) fn settle(&mut self, before: &Before, writes: bool) {
        let ended = self.session.transaction_id() != before.transaction;
        if ended || self.session.status() != Status::Idle {
            // Committed just now, or part of a block whose COMMIT will have its own answer.
            self.pipe.release();
        } else if writes && self.session.has_unsettled_writes() {
            self.pipe.hold_from(before.mark);
        }
    }
}

/// See `before_statement`.
pub(super) struct Before {
    mark: usize,
    transaction: u64,
}
