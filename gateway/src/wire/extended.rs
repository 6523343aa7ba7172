//! The extended protocol: Parse, Bind, Describe, Execute, Close, and the Sync that ends a batch.

use std::{mem, sync::Arc};

use bytes::Bytes;

use super::{
    PgError, PgResult, SqlState,
    backend::{Direction, Outcome, Params, Place, Prepared, ResultColumn, RowTag, Rows, Session, Status},
    cursor::Cursor,
    fault::Fault,
    guard,
    message::{self, Bind, Execute, Parse, Target},
    pipe::Socket,
    portal::{Portal, PortalState, Stored},
    reply,
    rows::{RowStream, check_shape},
    session_loop::{Conversation, watched},
};

/// What happened since the last Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsynced {
    /// Nothing bad.
    Fine,
    /// A message failed: everything up to the next Sync is skipped.
    Failed,
}

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    /// A message failed.
    pub(super) fn extended_error(&mut self, error: &PgError) {
        self.session.note_error();
        self.asides();
        reply::error(&mut self.pipe.output, error);
        self.unsynced = Unsynced::Failed;
    }

    pub(super) async fn sync(&mut self, body: &Bytes) -> Result<(), Fault> {
        let wrong = message::nothing(body);
        let failed = mem::replace(&mut self.unsynced, Unsynced::Fine) == Unsynced::Failed;
        let wrong_too = wrong.is_err();
        if let Err(error) = wrong {
            self.statement_error(error.into())?;
        }
        self.end_batch(failed || wrong_too).await
    }

    pub(super) async fn parse(&mut self, body: &Bytes) -> Result<(), Fault> {
        let parse = Parse::read(body)?;
        if parse.name.is_empty() {
            self.statements.remove("");
        } else if self.statements.get(parse.name).is_some() {
            let message = format!("prepared statement \"{}\" already exists", parse.name);
            return Err(PgError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message).into());
        }
        let bytes = parse.sql.len();
        self.check_statement_room(bytes)?;
        let parsing = self.session.parse(parse.sql.into());
        let statements = watched(self.pipe, self.registration, parsing).await?;
        let prepared = match statements.as_slice() {
            [] => None,
            [statement] => {
                let preparing = self.session.prepare(statement, &parse.param_types);
                Some(watched(self.pipe, self.registration, preparing).await?)
            }
            _ => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(PgError::new(SqlState::SYNTAX_ERROR, message).into());
            }
        };
        let stored = Stored { prepared, bytes, sql: None, made: chrono::Utc::now() };
        self.statements.insert(parse.name, stored);
        reply::parse_complete(&mut self.pipe.output);
        Ok(())
    }

    pub(super) fn check_statement_room(&self, bytes: usize) -> PgResult<()> {
        let full = self.statements.named() >= self.limits.statements_max
            || self.statements.bytes() + bytes > self.limits.statement_bytes_max;
        if full { Err(too_many("prepared statements", "DEALLOCATE or Close")) } else { Ok(()) }
    }

    pub(super) async fn bind(&mut self, body: &Bytes) -> Result<(), Fault> {
        let mut bind = Bind::read(body)?;
        let stored = self.statements.get(bind.statement).ok_or_else(|| no_statement(bind.statement))?;
        let prepared = stored.prepared.clone();
        let params = self.check_params(&mut bind, prepared.as_ref())?;
        if !prepared.as_ref().is_some_and(|prepared| prepared.ends_failed_block()) {
            self.check_not_failed()?;
        }
        self.check_portal_room(bind.portal, body.len())?;
        let columns = self.columns(prepared.as_ref()).await?.map_or(0, |columns| columns.len());
        let codes = bind.result_formats.len();
        // A statement without rows ignores the formats of its result.
        if columns > 0 && codes > 1 && codes != columns {
            return Err(mismatch(format!("bind message has {codes} result formats but query has {columns} columns")));
        }
        let formats = if columns > 0 { message::formats(&bind.result_formats, columns)? } else { Vec::new() };
        let portal = Portal {
            prepared,
            formats,
            transaction: self.session.transaction_id(),
            moment: self.session.moment(),
            bytes: body.len(),
            made: chrono::Utc::now(),
            hold: false,
            state: PortalState::Ready(params),
        };
        self.portals.insert(bind.portal, portal);
        reply::bind_complete(&mut self.pipe.output);
        Ok(())
    }

    /// The result columns of a statement; none for one without rows.
    async fn columns(&mut self, prepared: Option<&B::Prepared>) -> Result<Option<Arc<[ResultColumn]>>, Fault> {
        let Some(prepared) = prepared else { return Ok(None) };
        if let Some(columns) = self.command_columns(prepared).await? {
            return Ok(columns);
        }
        let describing = self.session.describe(prepared);
        Ok(watched(self.pipe, self.registration, describing).await?)
    }

    fn check_params(&self, bind: &mut Bind<'_>, prepared: Option<&B::Prepared>) -> Result<Params, Fault> {
        let (codes, given) = (bind.param_formats.len(), bind.params.len());
        if codes > 1 && codes != given {
            return Err(mismatch(format!("bind message has {codes} parameter formats but {given} parameters")));
        }
        let wanted = prepared.map_or(0, |prepared| prepared.param_types().len());
        if given != wanted {
            return Err(mismatch(format!(
                "bind message supplies {given} parameters, but prepared statement \"{}\" requires {wanted}",
                bind.statement
            )));
        }
        let formats = if given > 0 { message::formats(&bind.param_formats, given)? } else { Vec::new() };
        Ok(Params { values: mem::take(&mut bind.params), formats })
    }

    pub(super) fn check_portal_room(&mut self, name: &str, bytes: usize) -> PgResult<()> {
        if name.is_empty() {
            self.portals.remove("");
        } else if self.portal(name).is_some() {
            let message = format!("cursor \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_CURSOR, message));
        }
        if self.portals.named() >= self.limits.portals_max
            || self.portals.bytes() + bytes > self.limits.portal_bytes_max
        {
            return Err(too_many("portals", "Close"));
        }
        Ok(())
    }

    /// A portal of the transaction that is open now.
    pub(super) fn portal(&mut self, name: &str) -> Option<&mut Portal<B::Prepared>> {
        let transaction = self.session.transaction_id();
        if self.portals.get(name).is_some_and(|portal| portal.transaction != transaction && !portal.hold) {
            self.portals.remove(name);
        }
        self.portals.get_mut(name)
    }

    pub(super) async fn describe(&mut self, body: &Bytes) -> Result<(), Fault> {
        let target = Target::read(body)?;
        let failed = self.session.status() == Status::Failed;
        let (prepared, formats) = match target.kind {
            b'S' => {
                let stored = self.statements.get(target.name).ok_or_else(|| no_statement(target.name))?;
                (stored.prepared.clone(), Vec::new())
            }
            b'P' => {
                let portal = self.portal(target.name).ok_or_else(|| no_portal(target.name))?;
                (portal.prepared.clone(), portal.formats.clone())
            }
            other => {
                let message = format!("invalid DESCRIBE message subtype {other}");
                return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message).into());
            }
        };
        if failed && !prepared.as_ref().is_some_and(Prepared::ends_failed_block) {
            self.check_not_failed()?;
        }
        let columns = self.columns(prepared.as_ref()).await?;
        let out = &mut self.pipe.output;
        if target.kind == b'S' {
            reply::parameter_description(out, prepared.as_ref().map_or(&[], |prepared| prepared.param_types()));
        }
        match columns {
            Some(columns) => reply::row_description(out, &columns, &formats),
            None => reply::no_data(out),
        }
        Ok(())
    }

    pub(super) fn close_target(&mut self, body: &Bytes) -> Result<(), Fault> {
        let target = Target::read(body)?;
        match target.kind {
            b'S' => self.statements.remove(target.name),
            b'P' => self.portals.remove(target.name),
            other => {
                let message = format!("invalid CLOSE message subtype {other}");
                return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message).into());
            }
        }
        reply::close_complete(&mut self.pipe.output);
        Ok(())
    }

    pub(super) async fn execute(&mut self, body: &Bytes) -> Result<(), Fault> {
        let execute = Execute::read(body)?;
        let portal = self.portal(execute.portal).ok_or_else(|| no_portal(execute.portal))?;
        let Some(prepared) = portal.prepared.clone() else {
            reply::empty_query(&mut self.pipe.output);
            return Ok(());
        };
        let state = mem::replace(&mut portal.state, PortalState::Done);
        if !prepared.ends_failed_block() {
            self.check_not_failed()?;
        }
        match state {
            PortalState::Ready(params) => self.execute_portal(&execute, prepared, params).await,
            PortalState::Rows(stream) => self.portal_rows(&execute, stream).await,
            PortalState::Cursor(cursor) => {
                if let Some(portal) = self.portals.get_mut(execute.portal) {
                    portal.state = PortalState::Cursor(cursor.clone());
                }
                self.cursor_rows(&execute, &cursor).await
            }
            PortalState::Done => {
                let message = format!("portal \"{}\" cannot be run", execute.portal);
                Err(PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).into())
            }
        }
    }

    /// Execute of a cursor that DECLARE made, or FETCH read from: its next rows.
    async fn cursor_rows(&mut self, execute: &Execute<'_>, cursor: &Cursor) -> Result<(), Fault> {
        let count = execute.rows_max.map_or(i64::MAX, |rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let batches = Box::new(cursor.fetch(Direction::Forward(count)).await?);
        let rows = Rows { columns: cursor.columns.clone(), batches, tag: RowTag::Select, binary: false };
        let formats = self.portals.get(execute.portal).map(|portal| portal.formats.clone()).unwrap_or_default();
        let mut stream = RowStream::new(rows, formats);
        let sent = self.send_rows(&mut stream, execute.rows_max).await?;
        self.asides();
        if execute.rows_max.is_some_and(|max| sent.rows >= max) {
            reply::portal_suspended(&mut self.pipe.output);
        } else {
            reply::complete_rows(&mut self.pipe.output, RowTag::Select, sent.rows);
        }
        Ok(())
    }

    async fn execute_portal(
        &mut self,
        execute: &Execute<'_>,
        prepared: B::Prepared,
        params: Params,
    ) -> Result<(), Fault> {
        let first = !mem::replace(&mut self.executed, true);
        let place = match guard::sync_follows(&self.pipe.input, self.limits) {
            true => Place::Last,
            false if first => Place::First,
            false => Place::MoreMayFollow,
        };
        let before = self.before_statement()?;
        let rows = match self.perform(&prepared, params, place).await? {
            Outcome::Rows(rows) => rows,
            other => return self.answer(other, &before).await,
        };
        let described = self.columns(Some(&prepared)).await?;
        check_shape(described.as_deref(), &rows.columns)?;
        self.settle(&before, RowStream::writes(rows.tag));
        let formats = self.portals.get(execute.portal).map(|portal| portal.formats.clone()).unwrap_or_default();
        self.portal_rows(execute, Box::new(Self::stream(rows, formats))).await
    }

    /// Sends rows, and keeps what is left for the portal's next Execute.
    async fn portal_rows(&mut self, execute: &Execute<'_>, mut stream: Box<RowStream>) -> Result<(), Fault> {
        let sent = self.send_rows(&mut stream, execute.rows_max).await?;
        self.asides();
        if sent.finished {
            // As in Postgres the tag counts the rows of this call.
            reply::complete_rows(&mut self.pipe.output, stream.tag(), sent.rows);
        } else {
            reply::portal_suspended(&mut self.pipe.output);
        }
        if let Some(portal) = self.portals.get_mut(execute.portal) {
            portal.state = PortalState::Rows(stream);
        }
        Ok(())
    }
}

pub(super) fn no_statement(name: &str) -> PgError {
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    PgError::new(SqlState::INVALID_SQL_STATEMENT_NAME, message)
}

fn no_portal(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}

fn mismatch(message: String) -> Fault {
    Fault::Statement(PgError::new(SqlState::PROTOCOL_VIOLATION, message))
}

fn too_many(what: &str, how: &str) -> PgError {
    let message = format!("too many {what} in this session");
    PgError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message).hint(format!("Free some with {how}."))
}
