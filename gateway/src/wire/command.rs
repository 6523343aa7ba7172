//! PREPARE, EXECUTE, DEALLOCATE, and cursors: SQL about what the conversation holds, under the same names as the protocol's.

use std::sync::Arc;

use chrono::Utc;

use super::{
    PgError, PgResult, SqlState,
    backend::{
        Command, CursorOptions, Direction, Directory, Format, Given, HeldStatement, Outcome, Params, Place, Prepared,
        ResultColumn, RowTag, Rows, Session, Status, TypeName,
    },
    cursor::Cursor,
    extended::no_statement,
    fault::Fault,
    pipe::Socket,
    portal::{Portal, PortalState, Stored},
    rows::{RowStream, check_shape},
    session_loop::{Conversation, watched},
};

impl<S: Socket, B: Session> Conversation<'_, S, B> {
    /// Executes a statement, be it a command about what is held here.
    pub(super) async fn perform(
        &mut self,
        prepared: &B::Prepared,
        params: Params,
        place: Place,
    ) -> Result<Outcome<B::CopyIn>, Fault> {
        let Some(command) = self.session.command(prepared) else {
            if self.session.wants_directory(prepared) {
                let directory = self.directory();
                self.session.set_directory(directory);
            }
            self.check_not_in_use(prepared)?;
            let execution = self.session.execute(prepared, params, place);
            let outcome = watched(self.pipe, self.registration, execution).await?;
            if let Some(moment) = self.session.take_rolled_back_to() {
                let now = self.session.transaction_id();
                self.portals.retain(|portal| portal.transaction != now || portal.moment <= moment);
            }
            return Ok(outcome);
        };
        if self.session.status() == Status::Failed {
            self.check_not_failed()?;
        }
        match command {
            Command::Prepare { name, statement, param_types, text } => {
                self.sql_prepare(&name, &statement, &param_types, text).await
            }
            Command::Execute { name, given, explain: None } => self.sql_execute(&name, given, place).await,
            Command::Execute { name, given, explain: Some(prefix) } => {
                self.execute_within(&name, given, (&prefix, ""), Place::Last).await
            }
            Command::CreateAs { name, given, before, after } => {
                self.execute_within(&name, given, (&before, &after), place).await
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                complete("DEALLOCATE ALL")
            }
            Command::Deallocate(Some(name)) => {
                self.statements.get(&name).filter(|_| !name.is_empty()).ok_or_else(|| no_statement(&name))?;
                self.statements.remove(&name);
                complete("DEALLOCATE")
            }
            Command::Declare { name, statement, options, text } => {
                let query = (&statement, prepared.param_types(), params);
                self.declare(&name, query, options, text, place).await
            }
            Command::Fetch { name, direction, moves } => self.sql_fetch(&name, direction, moves, place).await,
            Command::Close(None) => {
                self.portals.clear();
                complete("CLOSE CURSOR ALL")
            }
            Command::Close(Some(name)) => {
                self.portal(&name).ok_or_else(|| no_cursor(&name))?;
                self.portals.remove(&name);
                complete("CLOSE CURSOR")
            }
        }
    }

    /// What cursors of the transaction read.
    fn check_not_in_use(&self, prepared: &B::Prepared) -> PgResult<()> {
        let now = self.session.transaction_id();
        let open = self.portals.iter().filter_map(|(_, portal)| match portal.state {
            PortalState::Cursor(_) if portal.transaction == now => portal.prepared.as_ref(),
            _ => None,
        });
        let open: Vec<&B::Prepared> = open.collect();
        if open.is_empty() { Ok(()) } else { self.session.check_not_in_use(prepared, &open) }
    }

    /// The columns of a command's rows; none: it is no such command.
    pub(super) async fn command_columns(
        &mut self,
        prepared: &B::Prepared,
    ) -> Result<Option<Option<Arc<[ResultColumn]>>>, Fault> {
        Ok(match self.session.command(prepared) {
            None => None,
            Some(Command::Execute { name, explain: None, .. }) => {
                let stored = self.statements.get(&name).ok_or_else(|| no_statement(&name))?;
                let inner = stored.prepared.clone();
                Some(match inner {
                    Some(inner) => watched(self.pipe, self.registration, self.session.describe(&inner)).await?,
                    None => None,
                })
            }
            Some(Command::Execute { explain, .. }) => Some(Some([explanation(explain.as_deref())].into())),
            Some(Command::Fetch { name, moves: false, .. }) => {
                let portal = self.portal(&name).filter(|_| !name.is_empty()).ok_or_else(|| no_cursor(&name))?;
                if let PortalState::Cursor(cursor) = &portal.state {
                    return Ok(Some(Some(cursor.columns.clone())));
                }
                let Some(inner) = portal.prepared.clone().filter(|inner| self.session.command(inner).is_none()) else {
                    return Err(no_rows(&name).into());
                };
                Some(watched(self.pipe, self.registration, self.session.describe(&inner)).await?)
            }
            Some(_) => Some(None),
        })
    }

    async fn sql_prepare(
        &mut self,
        name: &str,
        statement: &B::Statement,
        types: &[TypeName],
        text: String,
    ) -> Result<Outcome<B::CopyIn>, Fault> {
        if self.statements.get(name).is_some() {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(PgError::new(SqlState::DUPLICATE_PREPARED_STATEMENT, message).into());
        }
        let types = watched(self.pipe, self.registration, self.session.type_oids(types)).await?;
        let preparing = self.session.prepare(statement, &types);
        let prepared = watched(self.pipe, self.registration, preparing).await?;
        // What it shows now is what it must show at every EXECUTE.
        watched(self.pipe, self.registration, self.session.describe(&prepared)).await?;
        let bytes = text.len();
        self.check_statement_room(bytes)?;
        let stored = Stored { prepared: Some(prepared), bytes, sql: Some(text), made: Utc::now() };
        self.statements.insert(name, stored);
        complete("PREPARE")
    }

    async fn sql_execute(&mut self, name: &str, given: Given, place: Place) -> Result<Outcome<B::CopyIn>, Fault> {
        let stored = self.statements.get(name).ok_or_else(|| no_statement(name))?;
        let Some(prepared) = stored.prepared.clone() else { return Ok(Outcome::Empty) };
        let params = self.given_params(name, &prepared, given).await?;
        let described = watched(self.pipe, self.registration, self.session.describe(&prepared)).await?;
        let execution = self.session.execute(&prepared, params, place);
        let outcome = watched(self.pipe, self.registration, execution).await?;
        if let Outcome::Rows(rows) = &outcome {
            check_shape(described.as_deref(), &rows.columns)?;
        }
        Ok(outcome)
    }

    async fn sql_fetch(
        &mut self,
        name: &str,
        direction: Direction,
        moves: bool,
        place: Place,
    ) -> Result<Outcome<B::CopyIn>, Fault> {
        let cursor = self.opened(name, place).await?;
        if let Some((rows, at)) = cursor.turns(direction).await {
            let kept = watched(self.pipe, self.registration, self.session.keep(rows)).await?;
            cursor.keep(kept, at).await;
        }
        let window = match cursor.fetch(direction).await {
            Ok(window) => window,
            Err(error) => {
                // As in Postgres, what failed once is not run again.
                if let Some(portal) = self.portal(name) {
                    portal.state = PortalState::Done;
                }
                return Err(error.into());
            }
        };
        let binary = cursor.options.binary;
        let rows = Rows { columns: cursor.columns, batches: Box::new(window), tag: RowTag::Fetch, binary };
        if moves { self.moved(rows).await } else { Ok(Outcome::Rows(rows)) }
    }

    /// A prepared statement's text as a part of another statement: EXPLAIN, CREATE TABLE AS.
    async fn execute_within(
        &mut self,
        name: &str,
        given: Given,
        (before, after): (&str, &str),
        place: Place,
    ) -> Result<Outcome<B::CopyIn>, Fault> {
        let stored = self.statements.get(name).ok_or_else(|| no_statement(name))?;
        let Some(prepared) = stored.prepared.clone() else { return Ok(Outcome::Empty) };
        let types = prepared.param_types().to_vec();
        let params = self.given_params(name, &prepared, given).await?;
        let text: Arc<str> = format!("{before}{}{after}", prepared.text()).into();
        let statements = watched(self.pipe, self.registration, self.session.parse(text)).await?;
        let [statement] = statements.as_slice() else { return Ok(Outcome::Empty) };
        let whole = watched(self.pipe, self.registration, self.session.prepare(statement, &types)).await?;
        let execution = self.session.execute(&whole, params, place);
        Ok(watched(self.pipe, self.registration, execution).await?)
    }

    async fn declare(
        &mut self,
        name: &str,
        (statement, types, params): (&B::Statement, &[u32], Params),
        options: CursorOptions,
        text: String,
        place: Place,
    ) -> Result<Outcome<B::CopyIn>, Fault> {
        if !options.hold && self.session.status() == Status::Idle && matches!(place, Place::Last | Place::First) {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(PgError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message).into());
        }
        self.check_portal_room(name, text.len())?;
        let prepared = watched(self.pipe, self.registration, self.session.prepare(statement, types)).await?;
        let execution = self.session.execute(&prepared, params, place);
        let Outcome::Rows(rows) = watched(self.pipe, self.registration, execution).await? else {
            return Err(PgError::internal("a cursor's query without rows").into());
        };
        let declared = Utc::now();
        let bytes = text.len();
        let cursor = if options.hold || options.scroll == Some(true) {
            let columns = rows.columns.clone();
            let kept = watched(self.pipe, self.registration, self.session.keep(rows)).await?;
            Cursor::kept(columns, kept, options, text, declared)
        } else {
            Cursor::streaming(rows, options, text, declared)
        };
        let (transaction, moment) = (self.session.transaction_id(), self.session.moment());
        let portal = Portal {
            prepared: Some(prepared),
            // Of Execute: BINARY is about FETCH.
            formats: Vec::new(),
            transaction,
            moment,
            bytes,
            made: declared,
            hold: options.hold,
            state: PortalState::Cursor(cursor),
        };
        self.portals.insert(name, portal);
        complete("DECLARE CURSOR")
    }

    /// The cursor of that name. A portal that the protocol made becomes one, which goes forward only, as in Postgres.
    async fn opened(&mut self, name: &str, place: Place) -> Result<Cursor, Fault> {
        let portal = self.portal(name).filter(|_| !name.is_empty()).ok_or_else(|| no_cursor(name))?;
        let (prepared, made) = (portal.prepared.clone(), portal.made);
        let Some(prepared) = prepared else { return Err(no_rows(name).into()) };
        let (rows, begun) = match std::mem::replace(&mut portal.state, PortalState::Done) {
            PortalState::Cursor(cursor) => {
                portal.state = PortalState::Cursor(cursor.clone());
                return Ok(cursor);
            }
            PortalState::Rows(stream) => stream.left(),
            PortalState::Ready(params) => {
                if self.session.command(&prepared).is_some() {
                    return Err(no_rows(name).into());
                }
                let execution = self.session.execute(&prepared, params, place);
                let Outcome::Rows(rows) = watched(self.pipe, self.registration, execution).await? else {
                    return Err(no_rows(name).into());
                };
                (rows, (None, 0))
            }
            PortalState::Done => return Err(no_rows(name).into()),
        };
        let options = CursorOptions { scroll: Some(false), ..CursorOptions::default() };
        let cursor = Cursor::begun(rows, begun, options, prepared.text().to_owned(), made);
        if let Some(portal) = self.portal(name) {
            portal.state = PortalState::Cursor(cursor.clone());
        }
        Ok(cursor)
    }

    /// MOVE: the rows are gone over.
    async fn moved(&mut self, mut rows: Rows) -> Result<Outcome<B::CopyIn>, Fault> {
        let mut count = 0;
        while let Some(batch) = watched(self.pipe, self.registration, rows.batches.next()).await? {
            count += batch.num_rows();
        }
        complete(&format!("MOVE {count}"))
    }

    /// Rows as a FETCH, EXECUTE or query answers them.
    pub(super) fn stream(rows: Rows, formats: Vec<Format>) -> RowStream {
        let formats = if rows.binary { vec![Format::Binary; rows.columns.len()] } else { formats };
        RowStream::new(rows, formats)
    }

    fn directory(&mut self) -> Directory {
        let named = self.statements.iter();
        let statements = named.filter_map(|(name, stored)| {
            let prepared = stored.prepared.as_ref()?;
            Some(HeldStatement {
                name: name.to_owned(),
                text: stored.sql.as_deref().unwrap_or(prepared.text()).to_owned(),
                param_types: prepared.param_types().to_vec(),
                from_sql: stored.sql.is_some(),
                made: stored.made,
            })
        });
        let cursors = self.portals.iter().filter_map(|(name, portal)| match &portal.state {
            PortalState::Cursor(cursor) => {
                Some((name.to_owned(), cursor.text.clone(), cursor.options, cursor.declared))
            }
            _ => {
                let options = CursorOptions { scroll: Some(false), ..CursorOptions::default() };
                Some((name.to_owned(), portal.prepared.as_ref()?.text().to_owned(), options, portal.made))
            }
        });
        Directory { statements: statements.collect(), cursors: cursors.collect() }
    }
}

fn complete<C>(tag: &str) -> Result<Outcome<C>, Fault> {
    Ok(Outcome::Complete(tag.to_owned()))
}

/// For a portal that shows no rows, or none any more.
fn no_rows(name: &str) -> PgError {
    let message = format!("portal \"{name}\" cannot be run");
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
}

fn no_cursor(name: &str) -> PgError {
    PgError::new(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

/// The one column of EXPLAIN, by what stands before EXECUTE.
fn explanation(before: Option<&str>) -> ResultColumn {
    use duckmesh_catalog::types::oid;
    let json = before.is_some_and(|text| text.to_ascii_lowercase().contains("json"));
    ResultColumn {
        name: "QUERY PLAN".to_owned(),
        table_oid: 0,
        attnum: 0,
        type_oid: if json { oid::JSON } else { oid::TEXT },
        typlen: -1,
        typmod: -1,
        duckdb_type: duckmesh_catalog::ColumnType::Text.duckdb(),
        declared: Some(duckmesh_catalog::ColumnType::Text),
    }
}
