//! One lake's engine: at most one worker takes new statements; it is started when one is needed.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    options::{EngineOptions, QueryRequest},
    process::{Process, WorkerHello},
    protocol::{EngineColumn, Request, Verb, Wall},
    quarantine::{Fingerprint, Quarantine},
    stream::{Failure, ResultStream, Running, follow, timed_out},
    transport::Connection,
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Retired workers of a lake that still run for their other statements; each may need as much memory as the first.
const RETIRED_MAX: usize = 2;
/// A worker that took the connection and ended before the request reached it is replaced so often.
const ATTEMPTS: usize = 3;

/// The engine of one lake. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: Arc<EngineOptions>,
    /// Held while a worker is started, so that only one is.
    workers: AsyncMutex<Workers>,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    closed: AtomicBool,
    quarantine: Arc<Quarantine>,
}

#[derive(Default)]
struct Workers {
    /// Takes new statements.
    current: Option<Arc<Worker>>,
    /// Taken from service, oldest first; gone when the last statement on them ends.
    retired: Vec<Weak<Worker>>,
}

impl Workers {
    /// Those that are still there.
    fn retired(&mut self) -> Vec<Arc<Worker>> {
        let retired: Vec<_> = self.retired.drain(..).filter_map(|worker| worker.upgrade()).collect();
        let alive: Vec<_> = retired.into_iter().filter(|worker| !worker.process.has_exited()).collect();
        self.retired = alive.iter().map(Arc::downgrade).collect();
        alive
    }
}

/// What an operator wants to know of an engine.
#[derive(Clone, Debug)]
pub struct EngineStatus {
    /// The worker's process id.
    pub pid: u32,
    /// DuckDB's version.
    pub duckdb: String,
    /// The walls around the worker.
    pub walls: Vec<Wall>,
}

impl Engine {
    /// An engine; nothing is started.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        let running = Arc::new(Semaphore::new(options.concurrent_max.max(1)));
        Self(Arc::new(Inner {
            options: Arc::new(options),
            workers: AsyncMutex::default(),
            running,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            quarantine: Arc::default(),
        }))
    }

    /// Runs a statement; returns when its columns are known.
    pub async fn query(&self, request: QueryRequest) -> PgResult<ResultStream> {
        self.run(request).await
    }

    /// Names the columns that a statement would give, without running it.
    pub async fn describe(&self, mut request: QueryRequest) -> PgResult<Vec<EngineColumn>> {
        request.verb = Verb::Describe;
        let mut described = self.run(request).await?;
        // To the end, so that the connection is free again.
        while described.next().await?.is_some() {}
        Ok(described.columns)
    }

    /// Starts the worker where none runs, and tells about it. The error is for operators, not for clients.
    pub async fn status(&self) -> Result<EngineStatus, String> {
        let worker = self.0.worker().await?;
        let WorkerHello { pid, duckdb, walls, .. } = worker.process.hello.clone();
        Ok(EngineStatus { pid, duckdb, walls })
    }

    /// Ends the worker and takes no more statements; those that run fail. Returns when the process and its folders
    /// are gone.
    pub async fn shutdown(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        let mut workers = self.0.workers.lock().await;
        let all: Vec<_> = workers.current.take().into_iter().chain(workers.retired()).collect();
        drop(workers);
        futures::future::join_all(all.iter().map(|worker| worker.close())).await;
    }

    /// A statement whose worker is ended because of another one is run once more, as long as nobody saw rows of it.
    async fn run(&self, request: QueryRequest) -> PgResult<ResultStream> {
        match self.once(&request).await {
            Ok(stream) => Ok(stream.or_again(self.clone(), request)),
            Err(Failure { is_victim: true, .. }) => self.once(&request).await.map_err(|failure| failure.error),
            Err(failure) => Err(failure.error),
        }
    }

    pub(super) async fn once(&self, request: &QueryRequest) -> Result<ResultStream, Failure> {
        let fingerprint = Fingerprint::of(&request.sql);
        if let Some(left) = self.0.quarantine.refused(fingerprint, Instant::now()) {
            return Err(quarantined(left).into());
        }
        let permit = self.0.permit(request).await?;
        let (slot, connection, id) = self.0.send(request, fingerprint).await?;
        let (client_sql, cancel, deadline) = (request.client_sql.clone(), request.cancel.clone(), request.deadline);
        let numbers = request.numbers.clone();
        follow(Running { slot, connection, id, client_sql, deadline, cancel, permit, numbers }).await
    }
}

impl Inner {
    /// Waits for a free place, unless too many do.
    async fn permit(&self, request: &QueryRequest) -> PgResult<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(&self.waiting, self.options.waiting_max)?;
        let late = async {
            match request.deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            error = request.cancel.cancelled() => Err(error),
            () = late => Err(timed_out()),
            permit = Arc::clone(&self.running).acquire_owned() => {
                permit.map_err(|_| PgError::internal("the engine's queue is closed"))
            }
        }
    }

    /// Sends the request to a worker that lives.
    async fn send(&self, request: &QueryRequest, fingerprint: Fingerprint) -> PgResult<(Slot, Connection, u64)> {
        let message = Request {
            id: 0,
            verb: request.verb,
            prelude: request.prelude.clone(),
            relations: request.relations.clone(),
            at_once: request.at_once,
            one_row: request.one_row,
            sql: request.sql.clone(),
            time_zone: request.time_zone.clone(),
            numbers: request.numbers.as_ref().map(|source| source.key),
        };
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let worker = self.worker().await.map_err(PgError::internal)?;
            let sent = async {
                let mut connection = worker.connection().await?;
                let id = connection.send(message.clone()).await?;
                Ok::<_, std::io::Error>((connection, id))
            };
            match sent.await {
                Ok((connection, id)) => {
                    let slot = Slot::on(worker, fingerprint, Arc::clone(&self.quarantine));
                    return Ok((slot, connection, id));
                }
                // It ended while nothing ran on this connection: another one can take the statement.
                Err(error) => {
                    worker.retire("it takes no requests");
                    last = Some(error);
                }
            }
        }
        Err(PgError::internal(format!("no engine takes the statement: {last:?}")))
    }

    /// The worker that takes new statements; started where there is none.
    async fn worker(&self) -> Result<Arc<Worker>, String> {
        let mut workers = self.workers.lock().await;
        if self.closed.load(Ordering::SeqCst) {
            return Err("the engine is shut down".to_owned());
        }
        if let Some(worker) = workers.current.as_ref().filter(|worker| worker.takes_statements()) {
            return Ok(Arc::clone(worker));
        }
        // The old one ends with its last statement, or is gone.
        let old = workers.current.take();
        workers.retired.extend(old.as_ref().map(Arc::downgrade));
        drop(old);
        let retired = workers.retired();
        let too_many = retired.len().saturating_sub(RETIRED_MAX);
        for worker in retired.into_iter().take(too_many) {
            // What it runs is run again on the new one.
            tokio::spawn(async move { worker.end("too many are retired").await });
        }
        let process = Process::start(&self.options).await?;
        let worker = Arc::new(Worker {
            process,
            options: Arc::clone(&self.options),
            idle: Mutex::new(Vec::new()),
            retired: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            wanted: watch::Sender::new(0),
        });
        workers.current = Some(Arc::clone(&worker));
        Ok(worker)
    }
}

/// A worker process and the connections to it. It ends when the last statement on a retired one does.
pub(super) struct Worker {
    pub process: Process,
    pub options: Arc<EngineOptions>,
    idle: Mutex<Vec<Connection>>,
    retired: AtomicBool,
    ended: AtomicBool,
    closed: AtomicBool,
    /// Statements on it that somebody still wants.
    wanted: watch::Sender<usize>,
}

impl Worker {
    /// It gets no new statements from now on.
    pub fn retire(&self, why: &str) {
        if !self.retired.swap(true, Ordering::SeqCst) {
            tracing::warn!(pid = self.process.hello.pid, why, "engine worker retired");
        }
    }

    /// Ends the process: asked by signal, then made to.
    pub async fn end(&self, why: &str) {
        self.ended.store(true, Ordering::SeqCst);
        self.retire(why);
        self.process.signal(libc::SIGTERM);
        if timeout(self.options.term_grace, self.process.exited()).await.is_err() {
            self.process.signal(libc::SIGKILL);
            self.process.exited().await;
        }
    }

    /// Ends the process in an orderly way.
    async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.ended.store(true, Ordering::SeqCst);
        self.retired.store(true, Ordering::SeqCst);
        self.process.close();
        if timeout(self.options.term_grace, self.process.exited()).await.is_err() {
            self.process.signal(libc::SIGKILL);
            self.process.exited().await;
        }
    }

    /// Whether the gateway itself ended it.
    pub fn was_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Waits until nobody wants anything of it any more.
    pub async fn deserted(&self) {
        // It has the sender itself, so this cannot fail.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted == 0).await;
    }

    /// Whether the engine goes on without it: what it ran can run elsewhere.
    pub fn is_replaced(&self) -> bool {
        self.was_ended() && !self.closed.load(Ordering::SeqCst)
    }

    fn takes_statements(&self) -> bool {
        !self.retired.load(Ordering::SeqCst) && !self.process.has_exited()
    }

    async fn connection(&self) -> std::io::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.process.hello.socket).await,
        }
    }
}

/// A statement's place on a worker.
pub(super) struct Slot {
    pub worker: Arc<Worker>,
    fingerprint: Fingerprint,
    quarantine: Arc<Quarantine>,
    is_wanted: bool,
}

impl Slot {
    fn on(worker: Arc<Worker>, fingerprint: Fingerprint, quarantine: Arc<Quarantine>) -> Self {
        worker.wanted.send_modify(|wanted| *wanted += 1);
        Self { worker, fingerprint, quarantine, is_wanted: true }
    }

    /// Nobody waits for the statement any more: its worker may be ended because of it.
    pub fn give_up(&mut self) {
        if std::mem::take(&mut self.is_wanted) {
            self.worker.wanted.send_modify(|wanted| *wanted = wanted.saturating_sub(1));
        }
    }

    /// Keeps a connection for the next statement. Their number is bounded by the statements that run at once.
    pub fn give_back(&self, connection: Connection) {
        self.worker.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// The worker ended under this statement.
    pub fn count_crash(&self) {
        self.quarantine.count(self.fingerprint, Instant::now());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A statement in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, max: usize) -> PgResult<Self> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::SeqCst) < max {
            return Ok(waiting);
        }
        Err(PgError::new(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "too many statements are waiting for the query engine",
        )
        .hint("Try again later."))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn quarantined(left: Duration) -> PgError {
    PgError::new(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "this statement is refused because it ended the query engine several times",
    )
    .hint(format!("It is accepted again in {} seconds.", left.as_secs() + 1))
}
