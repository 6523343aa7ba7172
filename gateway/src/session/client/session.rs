//! What the connection loop asks of a session.

use super::*;

#[async_trait]
impl Session for ClientSession {
    type Statement = sql::Statement;
    type Prepared = PreparedStatement;
    type CopyIn = CopyIn;

    async fn parse(&mut self, sql: Arc<str>) -> PgResult<Vec<sql::Statement>> {
        let statements = sql::parse(sql).await.inspect_err(|_| self.note_error())?;
        if statements.len() > 1 {
            self.check_syntax(&statements).await.inspect_err(|_| self.note_error())?;
        }
        Ok(statements)
    }

    async fn type_oids(&mut self, names: &[TypeName]) -> PgResult<Vec<u32>> {
        let mut oids = Vec::with_capacity(names.len());
        for TypeName { name, position } in names {
            let known = if name.eq_ignore_ascii_case("unknown") { Some(0) } else { sql::system_type_oid(name) };
            oids.push(match known {
                Some(oid) => oid,
                None => {
                    let pin = self.schema_for_planning(true).await?;
                    let found = sql::type_oid(name, &self.plan_context(&pin, &[]));
                    found.map_err(|error| error.or_position(*position))?
                }
            });
        }
        Ok(oids)
    }

    async fn prepare(&mut self, statement: &sql::Statement, types: &[u32]) -> PgResult<PreparedStatement> {
        self.settle();
        self.statement_time = Utc::now();
        self.client_sql = Some(statement.source().clone());
        self.runs(statement.source());
        let (cancel, expired) = (self.cancel.clone(), expiry(self.settings.statement_timeout()));
        let prepared = tokio::select! {
            biased;
            prepared = self.prepare_now(statement, types) => prepared,
            reason = cancel.cancelled() => Err(Self::stopped(reason)),
            () = expired => Err(timed_out()),
        };
        prepared.inspect_err(|error| {
            self.lake.unsupported.note(statement.source(), error, self.statement_time);
            self.note_error();
        })
    }

    async fn describe(&mut self, prepared: &PreparedStatement) -> PgResult<Option<Arc<[ResultColumn]>>> {
        if let Some(known) = prepared.described() {
            return Ok(known.clone());
        }
        let columns = commands::describe::columns(self, prepared).await.inspect_err(|_| self.note_error())?;
        prepared.set_described(columns.clone());
        Ok(columns)
    }

    async fn execute(
        &mut self,
        prepared: &PreparedStatement,
        params: Params,
        place: Place,
    ) -> PgResult<Outcome<CopyIn>> {
        let failed = self.transaction.as_ref().is_some_and(|t| t.failed);
        if failed && !prepared.ends_failed_block() {
            return Err(aborted());
        }
        self.settle();
        self.moment += 1;
        self.statement_time = Utc::now();
        self.client_sql = Some(prepared.statement().source().clone());
        self.runs(prepared.statement().source());
        let outcome = self.execute_now(prepared, params, place).await;
        // A client that goes on elsewhere finds free what this statement gave back.
        self.advisory.settle().await;
        outcome.inspect_err(|error| {
            self.lake.unsupported.note(prepared.statement().source(), error, self.statement_time);
            self.note_error();
        })
    }

    async fn copy_done(&mut self, copy: CopyIn) -> PgResult<String> {
        let tag = commands::copy_in::finish(self, copy).await;
        tag.inspect_err(|_| self.note_error())
    }

    fn has_unsettled_writes(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| !transaction.parts.is_empty())
    }

    async fn end_implicit(&mut self, failed: bool) -> PgResult<()> {
        if self.in_block() {
            return Ok(());
        }
        if failed || self.transaction.is_none() {
            self.settings.on_implicit_end(failed);
        }
        if self.transaction.is_none() {
            self.advisory.end_transaction();
            self.advisory.settle().await;
            self.listening.end(!failed);
            if !failed {
                self.temporary.committed();
            }
            self.ended_alone(failed);
            return Ok(());
        }
        if failed {
            self.end_transaction();
            self.rolled_back();
            self.advisory.settle().await;
            return Ok(());
        }
        match commands::write::commit(self).await {
            Ok(()) => {
                self.committed();
                self.settings.on_implicit_end(false);
                self.advisory.settle().await;
                Ok(())
            }
            Err(error) => {
                self.rolled_back();
                self.settings.on_implicit_end(true);
                self.advisory.settle().await;
                Err(error)
            }
        }
    }

    fn command(&self, prepared: &PreparedStatement) -> Option<Command<sql::Statement>> {
        match prepared.plan() {
            Plan::Command(command) => Some((**command).clone()),
            _ => None,
        }
    }

    fn moment(&self) -> u64 {
        self.moment
    }

    fn take_rolled_back_to(&mut self) -> Option<u64> {
        self.rolled_back_to.take()
    }

    fn is_rolled_back(&self, transaction: u64) -> bool {
        self.rolled_back.contains(&transaction)
    }

    async fn keep(&mut self, rows: Rows) -> PgResult<Box<dyn KeptRows>> {
        commands::cursor::keep(self, rows).await
    }

    fn wants_directory(&self, prepared: &PreparedStatement) -> bool {
        let shows = |plan: &QueryPlan| {
            plan.system.iter().any(|s| matches!(s.name.as_str(), "pg_cursors" | "pg_prepared_statements"))
        };
        match prepared.plan() {
            Plan::Query(plan) => shows(plan),
            Plan::CopyOut(plan) => shows(&plan.query),
            _ => false,
        }
    }

    fn set_directory(&mut self, directory: Directory) {
        self.directory = directory;
    }

    fn take_notifications(&mut self) -> Vec<Notification> {
        let (told, missed) = self.listening.take();
        if missed {
            let message = "notifications may have been lost: this server did not hear the others for too long";
            let missed = PgError::warning(SqlState::WARNING, message);
            self.notices.push(missed.hint("Look for what they would have told of."));
        }
        told
    }

    fn notified(&self) -> Arc<tokio::sync::Notify> {
        self.listening.arrived()
    }

    fn note_error(&mut self) {
        if let Some(transaction) = self.transaction.as_mut().filter(|t| t.explicit && !t.failed) {
            transaction.failed = true;
            self.settings.on_failure();
        }
    }

    fn status(&self) -> Status {
        match &self.transaction {
            Some(transaction) if transaction.explicit && transaction.failed => Status::Failed,
            Some(transaction) if transaction.explicit => Status::InTransaction,
            _ => Status::Idle,
        }
    }

    fn idles(&mut self) {
        let state = match self.status() {
            Status::Idle => "idle",
            Status::InTransaction => "idle in transaction",
            Status::Failed => "idle in transaction (aborted)",
        };
        let began = self.transaction.as_ref().map(|t| t.started);
        let application = self.settings.get("application_name").unwrap_or_default();
        self.seat.say(|doing| {
            if doing.state == "active" {
                (doing.changed, doing.application) = (Utc::now(), application);
            }
            (doing.state, doing.transaction) = (state, began);
        });
    }

    fn take_notices(&mut self) -> Vec<PgError> {
        let settings = &self.settings;
        let mut notices = std::mem::take(&mut self.notices);
        notices.retain(|notice| settings.sends(notice.fields().severity));
        notices
    }

    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        self.settings.take_changes()
    }

    fn value_context(&self) -> Arc<ValueContext> {
        let (version, now) = (self.settings.version(), self.transaction_time());
        let mut cached = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match cached.as_ref().filter(|(v, values)| *v == version && values.now == now) {
            Some((_, values)) => values.clone(),
            None => {
                let values = Arc::new(self.settings.value_context(now));
                *cached = Some((version, values.clone()));
                values
            }
        }
    }

    fn transaction_id(&self) -> u64 {
        self.transaction_id
    }

    fn check_not_in_use(&self, prepared: &PreparedStatement, open: &[&PreparedStatement]) -> PgResult<()> {
        commands::in_use::check(prepared.plan(), open.iter().map(|cursor| cursor.plan()))
    }

    fn copy_timeout(&self) -> Option<Duration> {
        // A bulk load may take its time, where nobody said otherwise.
        self.settings.statement_timeout().filter(|timeout| *timeout != self.server.config.statement_timeout)
    }

    fn idle_timeout(&self) -> Option<Duration> {
        if self.in_block() {
            self.settings.idle_in_transaction_session_timeout()
        } else {
            self.settings.idle_session_timeout()
        }
    }

    async fn close(self) {
        drop(self);
    }
}
