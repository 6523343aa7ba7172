//! Connections to one Postgres: a bounded pool that survives restarts and failovers, and an end for every wait.
//!
//! It never repeats a statement: whoever sent it knows whether it may be.

mod connect;
mod pooler;
mod target;
mod tls;
mod witness;

use std::{
    future::Future,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_postgres::{
    Client, Config, Notification,
    error::{Severity, SqlState},
};

use self::{
    connect::{Connector, ForPool},
    target::Target,
};
pub use self::{
    pooler::{ADVICE as POOLER_ADVICE, Between, MARK as POOLER_MARK},
    witness::Witness,
};
use crate::{ErrorKind, error::Error, store::Result};

/// How long a statement waits for a Postgres that is away or says nothing, where nobody says otherwise: a server that restarts is
/// back before that, and nobody was told.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// What is known to take long (migrations, the end of old snapshots, a lake that is dropped) may take this at the server. Not
/// between its statements: a server that froze there gives up its locks as soon as ever.
pub const LONG_AT_SERVER: &str = "SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '10s'";
/// And this as seen from here.
pub const LONG: Duration = Duration::from_secs(33);
/// Pauses between tries to connect; each is between half of it and all of it.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A connection that was used within this is taken as it is.
const TRUSTED: Duration = Duration::from_secs(2);
/// One that nobody used for so long is given back: others may wait for it.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// How long an idle one may take to say that it lives.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// Statements that a connection keeps prepared: lists of ids make ever new ones, and both sides would keep all of them.
const PREPARED_MAX: usize = 256;
/// Notifications that wait to be looked at.
const NOTIFICATIONS_MAX: usize = 1024;

/// How one use of a Postgres is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Settings of its sessions, as the startup option `options`: what the server itself bounds.
    pub settings: &'static str,
    /// Its `application_name`, where the URL gives none.
    pub name: &'static str,
    /// How long a caller waits in all: for a connection, and then for a word of the server. The server itself ends a statement
    /// after four fifths of it (with `settings`), so that from here only that is ended whose server is not there.
    pub budget: Duration,
}

impl Limits {
    /// The settings with what of the budget the server keeps: a statement has four fifths of it, a lock half.
    fn server_settings(&self) -> String {
        if self.settings.is_empty() {
            return String::new();
        }
        let (statement, lock) = (self.budget * 4 / 5, self.budget / 2);
        let (statement, lock) = (statement.as_millis(), lock.as_millis());
        format!("{} -c statement_timeout={statement}ms -c lock_timeout={lock}ms", self.settings)
    }
}

/// A pool of connections to the hosts of one URL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections {
    pool: Pool,
    connector: Arc<Connector>,
    doubt: Arc<Doubt>,
    budget: Duration,
    /// When idle connections were looked for last.
    swept: Arc<Mutex<Instant>>,
}

impl Connections {
    /// Reads the URL and the files it names; connects to nothing. With a witness, a database that may lack what was
    /// acknowledged is refused.
    pub fn new(url: &str, limits: &Limits, witness: Option<Witness>) -> Result<Self> {
        let connector = Arc::new(Connector::new(Target::parse(url, &limits.server_settings(), limits.name)?, witness));
        let doubt = Arc::new(Doubt::new());
        let manager = Manager::from_connect(
            Config::new(),
            ForPool(connector.clone()),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(limits.connections.max(1))
            // The one that was used last: what is too many stays idle, and goes.
            .queue_mode(QueueMode::Lifo)
            .pre_recycle(check_idle(doubt.clone()))
            .build()
            .map_err(|e| Error::caused(ErrorKind::Store, "the connection pool cannot be made", e))?;
        let swept = Arc::new(Mutex::new(Instant::now()));
        Ok(Self { pool, connector, doubt, budget: limits.budget, swept })
    }

    /// A connection that lives, as far as can be seen. What passes (a restart, a failover, no more connections) is waited
    /// for, for some seconds.
    pub async fn get(&self) -> std::result::Result<Object, Failure> {
        self.give_back();
        let end = Instant::now() + self.budget;
        let (mut pause, mut failed) = (PAUSE_FIRST, None);
        loop {
            self.not_lost()?;
            match timeout_at(end, self.pool.get()).await {
                Ok(Ok(client)) => {
                    if client.statement_cache.size() > PREPARED_MAX {
                        client.statement_cache.clear();
                    }
                    return Ok(client);
                }
                Ok(Err(PoolError::Backend(error))) => {
                    self.not_lost()?;
                    let failure = Failure::Server(error);
                    let until = Instant::now() + jittered(pause);
                    if !failure.is_passing() || until >= end {
                        return Err(failure);
                    }
                    failed = Some(failure);
                    sleep_until(until).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Ok(Err(_)) => return Err(Failure::Closed),
                Err(_) => return Err(failed.unwrap_or(Failure::Late)),
            }
        }
    }

    /// Closes what a burst left idle: where a Postgres has few connections, one server could keep all of them from the others.
    /// A server looks at its fleet each second, so that somebody comes by.
    fn give_back(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.elapsed() > IDLE_MAX / 2 {
            *swept = Instant::now();
            self.pool.retain(|_, metrics| metrics.last_used() < IDLE_MAX);
        }
    }

    /// How long a caller waits in all, for a connection and for a word of the server.
    #[must_use]
    pub fn budget(&self) -> Duration {
        self.budget
    }

    /// What is left of the budget of somebody who began to wait for a connection then; never so little that a server which
    /// just came back could not answer.
    #[must_use]
    pub fn left_of(&self, began: Instant) -> Duration {
        self.budget.saturating_sub(began.elapsed()).max(self.budget / 4)
    }

    /// Waits for one answer of the server, not longer than the budget.
    pub async fn bounded<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, Failure> {
        self.within(self.budget, work).await
    }

    /// Waits for one answer of the server, not longer than that.
    pub async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, Failure> {
        match timeout(limit, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let failure = Failure::Server(error);
                if failure.is_of_connection() {
                    self.doubt.raise();
                }
                Err(failure)
            }
            Err(_) => {
                self.doubt.raise();
                Err(Failure::Late)
            }
        }
    }

    /// A peer did not answer: connections that lie idle are not trusted.
    pub fn raise_doubt(&self) {
        self.doubt.raise();
    }

    /// Ends a connection whose state is not known: it never goes back to the pool.
    pub fn discard(client: Object) {
        drop(Object::take(client));
    }

    /// A connection outside of the pool, and what it is notified of. It ends when the task is ended.
    pub async fn alone(&self) -> std::result::Result<Alone, Failure> {
        self.not_lost()?;
        let (sender, notifications) = mpsc::channel(NOTIFICATIONS_MAX);
        let (client, task) = self.connector.connect(Some(sender)).await.map_err(Failure::Server)?;
        Ok(Alone { client, notifications, task })
    }

    /// Looks whether a pooler stands between that forgets what connections were told. They are to begin with [`POOLER_MARK`].
    ///
    /// # Errors
    /// When there are no two connections.
    pub async fn between(&self) -> std::result::Result<Between, Failure> {
        pooler::between(self).await
    }

    /// What this process knows of the database's history.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        self.connector.witness()
    }

    fn not_lost(&self) -> std::result::Result<(), Failure> {
        self.witness().and_then(Witness::lost).map_or(Ok(()), |why| Err(Failure::Lost(why)))
    }

    /// Gives out no more connections.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// A connection of one's own.
#[derive(Debug)]
pub struct Alone {
    /// To talk to it.
    pub client: Client,
    /// What it is notified of; ends with the connection.
    pub notifications: mpsc::Receiver<Notification>,
    task: JoinHandle<()>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a statement gave nothing.
#[derive(Debug)]
pub enum Failure {
    /// The server said so, or the connection to it failed.
    Server(tokio_postgres::Error),
    /// No answer in time.
    Late,
    /// The pool is closed.
    Closed,
    /// The database may lack what was acknowledged; what to do.
    Lost(String),
}

impl Failure {
    /// What the server said.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Server(error) => error.code(),
            Self::Late | Self::Closed | Self::Lost(_) => None,
        }
    }

    /// Whether the whole budget was waited for a server that is not there, or says nothing.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Late)
    }

    /// Whether the server, or a pooler before it, gave up the session and not the statement: what became of a commit that was
    /// under way is not said.
    #[must_use]
    pub fn ends_session(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let severity = error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity);
        matches!(severity, Some(Severity::Panic | Severity::Fatal))
    }

    /// Whether the connection is of no more use: it is gone, or leads to a server that cannot write.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        match self {
            Self::Late | Self::Closed | Self::Lost(_) => true,
            Self::Server(error) => match error.code() {
                Some(code) => code.code().starts_with("57P") || *code == SqlState::READ_ONLY_SQL_TRANSACTION,
                None => error.is_closed() || io_source(error).is_some(),
            },
        }
    }

    /// Whether it is likely to pass by itself: the server restarts, fails over, or has no more connections now.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Server(error) = self else { return matches!(self, Self::Late) };
        match error.code() {
            // Of its class, this one is of what was said, and not of the connection.
            Some(code) if *code == SqlState::PROTOCOL_VIOLATION => false,
            Some(code) => ["57P", "53", "08"].iter().any(|class| code.code().starts_with(class)),
            None => {
                io_source(error).is_none_or(|io| {
                    // A handshake that TLS refuses is refused the next time as well.
                    !matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput)
                }) && !error.to_string().contains("TLS handshake")
            }
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(error) => match error.as_db_error() {
                Some(db) if db.message().contains("unsupported startup parameter") => {
                    let found = "a pooler stands between that refuses settings (PgBouncer: ignore_startup_parameters)";
                    write!(f, "{}: {found}. {POOLER_ADVICE}", db.message())
                }
                Some(db) => write!(f, "{}", db.message()),
                None => match std::error::Error::source(error) {
                    Some(cause) => write!(f, "{error}: {cause}"),
                    None => write!(f, "{error}"),
                },
            },
            Self::Late => f.write_str("no answer in time"),
            Self::Closed => f.write_str("the connections are closed"),
            Self::Lost(why) => f.write_str(why),
        }
    }
}

/// No connection was had in all the time there is.
#[derive(Debug)]
pub(crate) struct Unconnected(pub(crate) Failure);

impl std::fmt::Display for Unconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unconnected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Server(error) => Some(error),
            Self::Late | Self::Closed | Self::Lost(_) => None,
        }
    }
}

fn io_source(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Since when connections that lie idle are not to be trusted: one of them met a dead peer.
#[derive(Debug)]
struct Doubt {
    start: std::time::Instant,
    since_ms: AtomicU64,
}

impl Doubt {
    fn new() -> Self {
        Self { start: std::time::Instant::now(), since_ms: AtomicU64::new(0) }
    }

    fn raise(&self) {
        self.since_ms.fetch_max(self.at(std::time::Instant::now()), Ordering::AcqRel);
    }

    fn covers(&self, used: std::time::Instant) -> bool {
        self.at(used) < self.since_ms.load(Ordering::Acquire)
    }

    fn at(&self, time: std::time::Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Looks at a connection before it is used again. After one was found dead, those beside it are not asked one by one.
fn check_idle(doubt: Arc<Doubt>) -> Hook {
    Hook::async_fn(move |client, metrics| {
        let doubt = doubt.clone();
        Box::pin(async move {
            let dead = || Err(HookError::message("the connection is dead"));
            let used = metrics.recycled.unwrap_or(metrics.created);
            if client.is_closed() || doubt.covers(used) {
                return dead();
            }
            if used.elapsed() < TRUSTED {
                return Ok(());
            }
            match timeout(CHECK_LIMIT, client.simple_query("")).await {
                Ok(Ok(_)) => Ok(()),
                _ => {
                    doubt.raise();
                    dead()
                }
            }
        })
    })
}

/// Between half of it and all of it: those that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.5 + (random % 1024) as f64 / 2048.0)
}
