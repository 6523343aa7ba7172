//! One client's session.

mod session;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use duckmesh_catalog::{LakeSchema, Offset, Token, schema::DEFAULT_SCHEMA};

use super::{
    MadeFor, OpenLake, Pin, PreparedStatement, Server, Transaction,
    activity::{Doing, Seat},
    advisory::Held,
    channels::{Listening, Notification},
    gaps::Gaps,
    sequences::Given,
    settings::Settings,
    temporary::{self, Temporary},
};
use crate::{
    commands::{self, copy_in::CopyIn},
    sql::{
        self,
        plan::{Plan, PlanContext, QueryPlan},
    },
    value::ValueContext,
    wire::{
        PgError, PgResult, SqlState,
        backend::{
            Command, Directory, KeptRows, Outcome, Params, Place, Prepared, ResultColumn, Rows, Session, Startup,
            Status, TypeName,
        },
        cancel::{Cancel, Reason},
    },
};

/// State of one connection.
pub struct ClientSession {
    /// What all sessions share.
    pub server: Arc<Server>,
    /// The lake it is connected to.
    pub lake: Arc<OpenLake>,
    /// Its settings.
    pub settings: Settings,
    /// Its user.
    pub user: String,
    /// Its backend id.
    pub process_id: i32,
    /// Tells it to stop.
    pub cancel: Cancel,
    /// Its temporary tables.
    pub temporary: Temporary,
    /// Statements executed so far.
    pub moment: u64,
    /// The moment of the savepoint that was just rolled back to.
    pub rolled_back_to: Option<u64>,
    /// What was temporary before the transaction that ends now.
    ending: Option<Arc<temporary::State>>,
    /// The open transaction, explicit or implicit.
    pub transaction: Option<Transaction>,
    /// Offset of its own last write (0: none): what `session` consistency waits for.
    pub last_write: Offset,
    /// The text that the running statement came in, for positions of the engine's errors.
    pub client_sql: Option<Arc<str>>,
    /// When the running statement started.
    pub statement_time: DateTime<Utc>,
    /// Set while a write is on its way to the log: then it is too late to cancel.
    pub shield: Arc<AtomicBool>,
    /// Numbers that sequences gave it.
    pub given: Arc<Mutex<Given>>,
    /// Its advisory locks.
    pub advisory: Held,
    /// What it does, for `pg_stat_activity`.
    seat: Seat,
    /// What it listens to, and what it will tell others at its transaction's end.
    pub listening: Listening,
    /// Prepared statements and cursors, when a query asks for them.
    pub directory: Directory,
    /// Transactions that ended without effect: cursors that outlive transactions do not outlive these.
    rolled_back: std::collections::VecDeque<u64>,
    /// Whether it was told that rows are not locked: once is enough.
    pub told_of_locks: bool,
    /// Writes that could not be applied, as far as it was told of them.
    pub gaps: Gaps,
    /// What existed when a statement was last planned.
    schema: Option<Arc<LakeSchema>>,
    transaction_id: u64,
    notices: Vec<PgError>,
    /// Made of the settings, kept while they and the moment stay: every value that is read or written asks for it.
    values: Mutex<Option<(u64, Arc<ValueContext>)>>,
}

impl ClientSession {
    /// A new session with the client's startup settings.
    ///
    /// # Errors
    /// What the settings refuse.
    pub fn open(server: Arc<Server>, lake: Arc<OpenLake>, startup: Startup, cancel: Cancel) -> PgResult<Self> {
        // What the client says itself comes later, and wins.
        let timeout = server.config.statement_timeout.as_millis().to_string();
        let mut said = vec![("statement_timeout".to_owned(), timeout)];
        said.extend(startup.settings.iter().cloned());
        let mut settings = Settings::new(&startup.user, &said)?;
        settings.set_of_server("port", server.config.listen.port().to_string());
        let advisory = Held::new(lake.locks.clone(), startup.process_id);
        let listening = Listening::new(lake.channels.clone(), startup.process_id);
        let temporary = Temporary::new(lake.scratch.clone(), startup.process_id, server.config.temporary_bytes);
        let application = settings.get("application_name").unwrap_or_default();
        server.cancels.connected(startup.process_id, lake.info.id);
        let seat = server.activity.enter(Doing::begins(&startup, &lake.info, application, Utc::now()));
        Ok(Self {
            seat,
            temporary,
            ending: None,
            moment: 0,
            rolled_back_to: None,
            given: Arc::default(),
            directory: Directory::default(),
            rolled_back: std::collections::VecDeque::new(),
            told_of_locks: false,
            gaps: Gaps::default(),
            advisory,
            listening,
            server,
            lake,
            settings,
            user: startup.user,
            process_id: startup.process_id,
            cancel,
            transaction: None,
            last_write: Offset::ZERO,
            client_sql: None,
            statement_time: Utc::now(),
            shield: Arc::default(),
            schema: None,
            transaction_id: 0,
            notices: Vec::new(),
            values: Mutex::default(),
        })
    }

    /// Says that a statement runs.
    fn runs(&self, sql: &str) {
        let began = self.transaction.as_ref().map_or(self.statement_time, |t| t.started);
        self.seat.say(|doing| doing.runs(sql, self.statement_time, began));
    }

    /// Tells the client something beside the result.
    pub fn notice(&mut self, notice: PgError) {
        self.notices.push(notice);
    }

    /// Start of the transaction, or of the statement outside of one: `now()`.
    #[must_use]
    pub fn transaction_time(&self) -> DateTime<Utc> {
        self.transaction.as_ref().map_or(self.statement_time, |t| t.started)
    }

    /// A moment in the session's time zone.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let seconds = self.settings.time_zone().offset_at(at.timestamp_micros());
        at.naive_utc() + TimeDelta::seconds(i64::from(seconds))
    }

    /// Whether BEGIN was said.
    #[must_use]
    pub fn in_block(&self) -> bool {
        self.transaction.as_ref().is_some_and(|t| t.explicit)
    }

    /// Statements without a transaction ended: what is held of them is not of the transaction that comes next.
    fn ended_alone(&mut self, failed: bool) {
        if failed {
            self.remember_rolled_back();
        }
        self.transaction_id += 1;
    }

    fn remember_rolled_back(&mut self) {
        // One query string ends few transactions; the wire asks after each.
        const REMEMBERED_MAX: usize = 1000;
        if self.rolled_back.len() >= REMEMBERED_MAX {
            self.rolled_back.pop_front();
        }
        self.rolled_back.push_back(self.transaction_id);
    }

    /// A write became durable: for the wire, a transaction of one statement ended.
    pub fn wrote(&mut self) {
        self.transaction_id += 1;
    }

    /// What sequences gave it: `currval`.
    pub fn given(&self) -> std::sync::MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// NOTIFY: delivered when the transaction commits.
    ///
    /// # Errors
    /// A name or payload that is too long.
    pub fn notify(&mut self, channel: &str, payload: &str) -> PgResult<()> {
        self.listening.notify(channel, payload)
    }

    /// What ended last did so with all its effects.
    pub fn committed(&mut self) {
        self.rolled_back.pop_back();
        self.advisory.end_transaction();
        self.listening.end(true);
        self.ending = None;
        self.temporary.committed();
    }

    /// What ended last had no effect.
    pub fn rolled_back(&mut self) {
        self.advisory.end_transaction();
        self.listening.end(false);
        self.settle();
    }

    /// A transaction whose end was cut off had no effect.
    fn settle(&mut self) {
        if let Some(before) = self.ending.take() {
            self.advisory.end_transaction();
            self.temporary.restore(before);
        }
    }

    /// Ends the transaction, until [`Self::committed`] says otherwise without effect: portals of it are gone.
    ///
    /// Its advisory locks stay until its fate is known: who waits for one must see what was written under it.
    pub fn end_transaction(&mut self) -> Option<Transaction> {
        self.remember_rolled_back();
        self.transaction_id += 1;
        self.settle();
        self.ending = self.transaction.as_ref().map(|t| t.temporary.clone());
        self.transaction.take()
    }

    /// The transaction that writes go into, if writes are to be buffered: the open one, or a new implicit one when other
    /// statements may follow.
    pub fn transaction_for_writes(&mut self, place: Place) -> Option<&mut Transaction> {
        if self.transaction.is_none() && matches!(place, Place::First | Place::MoreMayFollow) {
            let temporary = self.temporary.state();
            self.transaction = Some(Transaction::begin(self.lake.clone(), false, self.statement_time, temporary));
        }
        self.transaction.as_mut()
    }

    /// What exists, for planning: the transaction's view, a pinned old snapshot for reads, or the newest.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn schema_for_planning(&mut self, reads: bool) -> PgResult<Pin> {
        let pin = match self.transaction.is_some() {
            true => commands::barrier::transaction_pin(self).await?,
            false => commands::barrier::planning_pin(self, reads).await?,
        };
        self.schema = Some(pin.schema.clone());
        Ok(pin)
    }

    /// `search_path`, without the schemas that do not exist.
    #[must_use]
    pub fn search_path(&self) -> Vec<String> {
        let path = self.settings.search_path().into_iter();
        path.filter(|name| self.schema.as_ref().is_none_or(|schema| exists(schema, name))).collect()
    }

    /// Where names without a schema are looked for: in temporary ones first, unless the path names them.
    #[must_use]
    pub fn lookup_path(&self) -> Vec<String> {
        self.with_own(self.search_path())
    }

    fn with_own(&self, mut path: Vec<String>) -> Vec<String> {
        if let Some(own) = self.temporary.schema_name().filter(|own| !temporary::names_own(&path, own)) {
            path.insert(0, own.to_owned());
        }
        path
    }

    /// What a plan made now is made for.
    #[must_use]
    pub fn made_for(&self, pin: &Pin) -> MadeFor {
        MadeFor {
            schema_version: pin.snapshot.schema_version,
            own_ddl: self.transaction.as_ref().map_or(0, |t| t.own_ddl),
            temporary: self.temporary.version(),
            settings: self.settings.version(),
        }
    }

    /// Plans a statement against `pin`.
    ///
    /// # Errors
    /// Whatever is wrong with the statement.
    pub async fn plan(&self, statement: &sql::Statement, types: &[u32], pin: &Pin) -> PgResult<PreparedStatement> {
        let context = PlanContext { start: statement.start(), ..self.plan_context(pin, types) };
        let plan = sql::plan(statement, context).await?;
        let made_for = self.made_for(pin);
        Ok(PreparedStatement::new(statement.clone(), plan, made_for, pin.schema.clone()))
    }

    /// Plans a statement again, in a context that is another in some way.
    ///
    /// # Errors
    /// Whatever is wrong with the statement.
    pub async fn plan_otherwise(
        &self,
        prepared: &PreparedStatement,
        pin: &Pin,
        change: impl FnOnce(&mut PlanContext),
    ) -> PgResult<PreparedStatement> {
        let types: Vec<u32> = prepared.plan().params().iter().map(|param| param.oid).collect();
        let start = prepared.statement().start();
        let mut context = PlanContext { start, ..self.plan_context(pin, &types) };
        change(&mut context);
        let plan = sql::plan(prepared.statement(), context).await?;
        let made_for = self.made_for(pin);
        Ok(PreparedStatement::new(prepared.statement().clone(), plan, made_for, pin.schema.clone()))
    }

    /// What planning may look at.
    #[must_use]
    pub fn plan_context(&self, pin: &Pin, types: &[u32]) -> PlanContext {
        let path = self.settings.search_path().into_iter();
        let search_path = self.with_own(path.filter(|name| exists(&pin.schema, name)).collect());
        PlanContext {
            lake: self.lake.info.name.clone(),
            schema: pin.schema.clone(),
            search_path,
            param_types: types.to_vec(),
            grids: Vec::new(),
            exact: false,
            values: self.value_context(),
            user: self.user.clone(),
            start: sql::position::Start::default(),
        }
    }

    /// A token of this lake.
    #[must_use]
    pub fn token(&self, offset: Offset) -> Token {
        Token { lake: self.lake.info.name.clone(), incarnation: self.lake.incarnations.current(), offset }
    }

    /// The error for a statement that was told to stop.
    #[must_use]
    pub fn stopped(reason: Reason) -> PgError {
        match reason {
            Reason::User | Reason::ClientGone => {
                PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
            }
            Reason::Shutdown => {
                PgError::fatal(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            }
        }
    }

    /// No statement of a text runs where another is written wrong: those that the parser did not read are read here,
    /// without a look at what exists by now.
    async fn check_syntax(&self, statements: &[sql::Statement]) -> PgResult<()> {
        let nothing = Pin::nothing();
        let pin = Pin { schema: self.schema.clone().unwrap_or(nothing.schema.clone()), ..nothing };
        for statement in statements.iter().filter(|statement| statement.is_read_late()) {
            match self.plan(statement, &[], &pin).await {
                Err(error) if error.is_of_grammar() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn prepare_now(&mut self, statement: &sql::Statement, types: &[u32]) -> PgResult<PreparedStatement> {
        let failed = self.transaction.as_ref().is_some_and(|t| t.failed);
        if failed && !statement.ends_failed_transaction() {
            return Err(aborted());
        }
        let verb = statement.verb().to_ascii_uppercase();
        if WITHOUT_SCHEMA.split(' ').any(|word| word == verb) {
            let command = self.plan(statement, types, &Pin::nothing()).await?;
            return match command.plan() {
                // A cursor's query may have parameters: they are the command's.
                Plan::Command(of)
                    if let Command::Declare { statement: query, .. } = &**of
                        && query.text().contains('$') =>
                {
                    let query = Box::pin(self.prepare_now(query, types)).await?;
                    Ok(command.with_parameters(query.types()))
                }
                _ => Ok(command),
            };
        }
        let text = statement.text();
        let makes_temporary = match verb.as_str() {
            "CREATE" | "EXPLAIN" => temporary::mentions(text),
            "SELECT" | "WITH" => into_temporary(text),
            _ => false,
        };
        if makes_temporary {
            self.temporary.show();
        }
        let pin = self.schema_for_planning(READING.contains(&verb.as_str())).await?;
        match self.plan(statement, types, &pin).await {
            // A repeat of a write that succeeded, such as CREATE TABLE, may be an error on what it made itself.
            Err(error) if self.transaction.is_none() => match commands::barrier::repeat_pin(self).await? {
                Some(pin) => self.plan(statement, types, &pin).await,
                None => Err(error),
            },
            planned => planned,
        }
    }

    async fn execute_now(
        &mut self,
        prepared: &PreparedStatement,
        params: Params,
        place: Place,
    ) -> PgResult<Outcome<CopyIn>> {
        let (cancel, shield) = (self.cancel.clone(), self.shield.clone());
        shield.store(false, Ordering::Relaxed);
        let timeout = self.settings.statement_timeout();
        let expired = expiry(timeout);
        let work = commands::run(self, prepared, params, place);
        tokio::pin!(work);
        let stopped = tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            reason = cancel.cancelled() => Self::stopped(reason),
            () = expired => timed_out(),
        };
        if shield.load(Ordering::Relaxed) {
            // The log has the write already, or is getting it: stopping now would call a stored row cancelled.
            return work.await;
        }
        Err(stopped)
    }
}

/// Commands that look at nothing in the lake: they must work when the catalog does not, and cost no look at it.
const WITHOUT_SCHEMA: &str = "DEALLOCATE PREPARE EXECUTE DECLARE FETCH MOVE CLOSE LISTEN UNLISTEN NOTIFY BEGIN START COMMIT END \
    ROLLBACK ABORT SAVEPOINT RELEASE SET RESET SHOW DISCARD";

/// Commands that time travel applies to.
const READING: [&str; 6] = ["SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "COPY"];

/// Whether a SELECT makes a temporary table. Only then: a session that has none does not see a schema for them.
fn into_temporary(text: &str) -> bool {
    const NEXT: [&str; 4] = ["temp", "temporary", "local", "global"];
    let mut words = text.split_ascii_whitespace();
    while words.by_ref().any(|word| word.eq_ignore_ascii_case("into")) {
        if words.clone().next().is_some_and(|word| NEXT.iter().any(|next| word.eq_ignore_ascii_case(next))) {
            return true;
        }
    }
    false
}

/// Resolves when a statement's time is over; never without a limit.
async fn expiry(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

fn timed_out() -> PgError {
    PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
}

fn aborted() -> PgError {
    PgError::new(
        SqlState::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

/// Whether there is a schema of that SQL name: `public` is DuckLake's `main`.
fn exists(schema: &LakeSchema, name: &str) -> bool {
    schema.schema(if name == "public" { DEFAULT_SCHEMA } else { name }).is_some()
}
