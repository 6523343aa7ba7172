//! A running statement: its rows as they come, and everything that can end it early.
//!
//! A task of its own reads the connection, so that a worker is never left waiting: after a cancel, a deadline or a
//! dropped stream the task tells the worker, reads on until the worker has stopped, and only then gives the connection
//! back. What does not stop is ended with its process.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use futures::future::BoxFuture;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until, timeout},
};

use super::{
    errors,
    options::{NumberSource, QueryRequest},
    pool::{Engine, Slot, Worker},
    protocol::{Columns, EngineColumn, EngineError, FrameKind, Numbered, NumbersWanted},
    transport::{self, Connection, Frame},
};
use crate::wire::error::{PgError, PgResult, SqlState};

/// Batches that wait for the reader; the next ones wait in the socket, and then in the worker.
const BATCHES_AHEAD: usize = 2;
/// Numbers that are asked for at once: the engine asks for a chunk of rows.
const NUMBERS_MAX: usize = 1 << 20;
/// How long a connection that closed may take to turn out as the end of its process.
const DEATH_SEEN_WITHIN: Duration = Duration::from_millis(500);

/// Stops a statement from anywhere. Clones stop the same one.
#[derive(Clone, Default)]
pub struct CancelHandle(Arc<CancelState>);

#[derive(Default)]
struct CancelState {
    error: Mutex<Option<PgError>>,
    told: Notify,
}

impl CancelHandle {
    /// Stops it, as by the user's request.
    pub fn cancel(&self) {
        self.cancel_with(PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"));
    }

    /// Stops it with an error of the caller's. The first error stays.
    pub fn cancel_with(&self, error: PgError) {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.0.told.notify_waiters();
    }

    /// The error that it was stopped with.
    #[must_use]
    pub fn error(&self) -> Option<PgError> {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is stopped.
    pub async fn cancelled(&self) -> PgError {
        loop {
            let told = self.0.told.notified();
            tokio::pin!(told);
            // Before the look: a cancel between look and wait must not be missed.
            told.as_mut().enable();
            if let Some(error) = self.error() {
                return error;
            }
            told.await;
        }
    }
}

impl std::fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CancelHandle").field(&self.error()).finish()
    }
}

/// The error of a statement that ran out of time.
pub(super) fn timed_out() -> PgError {
    PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to statement timeout")
}

/// The rows of a statement. Dropping it stops the statement.
pub struct ResultStream {
    /// The columns, with DuckDB's names of their types.
    pub columns: Vec<EngineColumn>,
    /// Their Arrow types.
    pub schema: SchemaRef,
    items: mpsc::Receiver<Item>,
    outcome: Outcome,
    /// What may be run again, until the first rows were given.
    again: Option<Box<(Engine, QueryRequest)>>,
    /// It is being run again. Kept here, so that a dropped [`ResultStream::next`] loses nothing.
    retry: Option<BoxFuture<'static, Result<Self, Failure>>>,
}

impl ResultStream {
    /// The next rows; none when all have come.
    pub async fn next(&mut self) -> PgResult<Option<RecordBatch>> {
        loop {
            if let Some(retry) = &mut self.retry {
                let retried = retry.await;
                self.retry = None;
                let retried = retried.map_err(|failure| failure.error)?;
                if retried.schema != self.schema {
                    return Err(PgError::internal("a statement that was run again gives other columns"));
                }
                *self = retried;
            }
            match self.items.recv().await {
                Some(Item::Rows(batch)) => {
                    self.again = None;
                    return Ok(Some(batch));
                }
                Some(Item::Columns(..)) => return Err(PgError::internal("the engine sent columns twice")),
                None => match (self.outcome.take(), self.again.take()) {
                    (Err(Failure { is_victim: true, .. }), Some(again)) => {
                        self.retry = Some(Box::pin(async move { again.0.once(&again.1).await }));
                    }
                    (ended, _) => return ended.map(|()| None).map_err(|failure| failure.error),
                },
            }
        }
    }

    /// Lets it be run again when its worker is ended because of another statement.
    pub(super) fn or_again(mut self, engine: Engine, request: QueryRequest) -> Self {
        self.again = Some(Box::new((engine, request)));
        self
    }
}

/// Why a statement gave no (further) rows.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub error: PgError,
    /// Its worker was ended because of another statement.
    pub is_victim: bool,
}

impl From<PgError> for Failure {
    fn from(error: PgError) -> Self {
        Self { error, is_victim: false }
    }
}

/// What the task hands on.
pub(super) enum Item {
    Columns(Vec<EngineColumn>, Option<SchemaRef>),
    Rows(RecordBatch),
}

/// How the statement ended; set before the channel closes.
#[derive(Clone)]
struct Outcome(Arc<Mutex<Option<Result<(), Failure>>>>);

impl Outcome {
    fn set(&self, outcome: Result<(), Failure>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
    }

    fn take(&self) -> Result<(), Failure> {
        let set = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        set.unwrap_or_else(|| Err(PgError::internal("the task of a statement ended without outcome").into()))
    }
}

/// A statement that was sent.
pub(super) struct Running {
    pub slot: Slot,
    pub connection: Connection,
    pub id: u64,
    pub client_sql: Arc<str>,
    pub deadline: Option<Instant>,
    pub cancel: CancelHandle,
    pub permit: OwnedSemaphorePermit,
    pub numbers: Option<NumberSource>,
}

/// Follows a statement; returns when its columns are known.
pub(super) async fn follow(running: Running) -> Result<ResultStream, Failure> {
    let (sender, mut items) = mpsc::channel(BATCHES_AHEAD);
    let outcome = Outcome(Arc::new(Mutex::new(None)));
    tokio::spawn(drive(running, sender, outcome.clone()));
    match items.recv().await {
        Some(Item::Columns(columns, schema)) => {
            let schema = schema.unwrap_or_else(|| SchemaRef::new(arrow::datatypes::Schema::empty()));
            Ok(ResultStream { columns, schema, items, outcome, again: None, retry: None })
        }
        Some(Item::Rows(_)) => Err(PgError::internal("the engine sent rows before columns").into()),
        None => Err(outcome.take().err().unwrap_or_else(|| PgError::internal("the engine sent no columns").into())),
    }
}

/// Why the task stopped handing on rows.
enum End {
    /// The worker said its last word on this request.
    Told(Result<(), EngineError>),
    /// It failed because the gateway had no numbers for it.
    Unnumbered(PgError),
    /// Someone wants it stopped; the worker does not know yet.
    Stop(Stop),
    /// The connection closed.
    Lost(io::Error),
    /// The worker sent what cannot be read.
    Garbled(String),
}

enum Stop {
    Cancelled(PgError),
    Deadline,
    /// The reader is gone.
    Dropped,
}

async fn drive(mut running: Running, sender: mpsc::Sender<Item>, outcome: Outcome) {
    let end = {
        let wanted = stop_wanted(running.cancel.clone(), running.deadline, sender.clone());
        tokio::select! {
            biased;
            stop = wanted => End::Stop(stop),
            end = forward(&mut running.connection, &sender, running.numbers.as_ref()) => end,
        }
    };
    let Running { slot, connection, id, client_sql, permit, .. } = running;
    match end {
        End::Told(told) => {
            if told.as_ref().is_err_and(EngineError::is_fatal) {
                slot.worker.retire("an internal error of DuckDB");
            }
            let of_files = slot.worker.options.foreign_files;
            outcome.set(told.map_err(|error| match of_files {
                true => errors::of_foreign_file(&error).into(),
                false => errors::from_engine(&error, &client_sql).into(),
            }));
            slot.give_back(connection);
            drop(permit);
            drop(sender);
        }
        End::Unnumbered(error) => {
            outcome.set(Err(error.into()));
            slot.give_back(connection);
            drop(permit);
            drop(sender);
        }
        End::Stop(stop) => {
            let grace = stop.grace(&slot.worker);
            outcome.set(Err(stop.error().into()));
            drop(sender);
            stop_worker(slot, connection, id, grace).await;
            drop(permit);
        }
        End::Lost(error) => {
            outcome.set(Err(slot.lost(&error).await));
            drop(permit);
            drop(sender);
        }
        End::Garbled(what) => {
            slot.worker.retire("it sent what cannot be read");
            outcome.set(Err(PgError::internal(what).into()));
            drop(permit);
            drop(sender);
        }
    }
}

async fn stop_wanted(cancel: CancelHandle, deadline: Option<Instant>, sender: mpsc::Sender<Item>) -> Stop {
    let late = async {
        match deadline {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        error = cancel.cancelled() => Stop::Cancelled(error),
        () = late => Stop::Deadline,
        () = sender.closed() => Stop::Dropped,
    }
}

impl Stop {
    fn error(self) -> PgError {
        match self {
            Self::Cancelled(error) => error,
            Self::Deadline => timed_out(),
            // Nobody is there to read it.
            Self::Dropped => PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"),
        }
    }

    fn grace(&self, worker: &Worker) -> Duration {
        match self {
            Self::Deadline => worker.options.interrupt_grace,
            Self::Cancelled(_) | Self::Dropped => worker.options.cancel_grace,
        }
    }
}

async fn forward(connection: &mut Connection, sender: &mpsc::Sender<Item>, numbers: Option<&NumberSource>) -> End {
    let mut schema: Option<SchemaRef> = None;
    // The engine says of it what its function said, without state and hint.
    let mut unnumbered = None;
    loop {
        let frame = match connection.read().await {
            Ok(frame) => frame,
            Err(error) => return End::Lost(error),
        };
        let item = match frame.kind {
            FrameKind::Done => return End::Told(Ok(())),
            FrameKind::Failed => return unnumbered.map_or_else(|| failed(&frame), End::Unnumbered),
            FrameKind::Described => match columns(&frame) {
                // The only frame of its answer.
                Ok(columns) => {
                    let _ = sender.send(Item::Columns(columns, None)).await;
                    return End::Told(Ok(()));
                }
                Err(what) => return End::Garbled(what),
            },
            FrameKind::Schema => match columns(&frame).and_then(|columns| {
                let read = transport::schema(&frame.body).map_err(|e| e.to_string())?;
                Ok((columns, read))
            }) {
                Ok((columns, read)) => {
                    schema = Some(SchemaRef::clone(&read));
                    Item::Columns(columns, Some(read))
                }
                Err(what) => return End::Garbled(what),
            },
            FrameKind::Batch => match schema.as_ref().map(|schema| transport::batch(&frame, schema)) {
                Some(Ok(batch)) => Item::Rows(batch),
                Some(Err(error)) => return End::Garbled(error.to_string()),
                None => return End::Garbled("a batch before its schema".to_owned()),
            },
            FrameKind::Numbers => match serde_json::from_slice(&frame.head) {
                Ok(wanted) => {
                    let answer = numbered(numbers, wanted).await.unwrap_or_else(|error| {
                        let text = format!("SQLSTATE {}: {}", error.code().0, error.fields().message);
                        unnumbered = Some(error);
                        Numbered { numbers: Vec::new(), error: Some(text) }
                    });
                    match connection.numbered(&answer).await {
                        Ok(()) => continue,
                        Err(error) => return End::Lost(error),
                    }
                }
                Err(error) => return End::Garbled(error.to_string()),
            },
            FrameKind::Request | FrameKind::Cancel | FrameKind::Numbered => {
                return End::Garbled("a request from the worker".to_owned());
            }
        };
        if sender.send(item).await.is_err() {
            return End::Stop(Stop::Dropped);
        }
    }
}

/// What a statement asked for.
async fn numbered(source: Option<&NumberSource>, wanted: NumbersWanted) -> PgResult<Numbered> {
    let source = source.filter(|_| wanted.count <= NUMBERS_MAX);
    let source =
        source.ok_or_else(|| PgError::internal("a statement asked for numbers that it has no sequence for"))?;
    let numbers = (source.next)(wanted.sequence, wanted.count).await?;
    Ok(Numbered { numbers, error: None })
}

fn columns(frame: &Frame) -> Result<Vec<EngineColumn>, String> {
    serde_json::from_slice::<Columns>(&frame.head).map(|c| c.columns).map_err(|e| e.to_string())
}

fn failed(frame: &Frame) -> End {
    match serde_json::from_slice::<EngineError>(&frame.head) {
        Ok(error) => End::Told(Err(error)),
        Err(error) => End::Garbled(error.to_string()),
    }
}

/// The watchdog: cancels, and ends the process where that does not work.
async fn stop_worker(mut slot: Slot, mut connection: Connection, id: u64, grace: Duration) {
    let worker = Arc::clone(&slot.worker);
    let told = {
        let asked = async {
            connection.cancel(id).await?;
            drain(&mut connection).await
        };
        tokio::pin!(asked);
        match timeout(worker.options.answer_grace, &mut asked).await {
            Ok(told) => Some(told),
            Err(_) => {
                // What comes now must not depend on it. What runs on it gets the time that is left.
                worker.retire("it does not answer a stop");
                slot.give_up();
                let left = grace.saturating_sub(worker.options.answer_grace);
                tokio::select! {
                    biased;
                    told = timeout(left, &mut asked) => told.ok(),
                    () = worker.deserted() => None,
                }
            }
        }
    };
    match told {
        Some(Ok(told)) => {
            if told.is_err_and(|error| error.is_fatal()) {
                worker.retire("an internal error of DuckDB");
            }
            slot.give_back(connection);
        }
        Some(Err(error)) => {
            slot.lost(&error).await;
        }
        None => worker.end("it does not stop").await,
    }
}

/// Reads until the worker's last word.
async fn drain(connection: &mut Connection) -> io::Result<Result<(), EngineError>> {
    loop {
        let frame = connection.read().await?;
        match frame.kind {
            FrameKind::Done | FrameKind::Described => return Ok(Ok(())),
            FrameKind::Failed => {
                return Ok(Err(serde_json::from_slice(&frame.head).unwrap_or_else(|_| EngineError::interrupted())));
            }
            _ => {}
        }
    }
}

impl Slot {
    /// The connection closed under a statement: nearly always the end of the process.
    async fn lost(&self, error: &io::Error) -> Failure {
        self.worker.retire("a connection to it closed");
        if timeout(DEATH_SEEN_WITHIN, self.worker.process.exited()).await.is_err() {
            return PgError::internal(format!("the engine closed the connection: {error}")).into();
        }
        // Not its fault where the watchdog ended the worker for another statement.
        if !self.worker.was_ended() {
            self.count_crash();
        }
        let is_victim = self.worker.is_replaced();
        let error = PgError::new(SqlState::CRASH_SHUTDOWN, "the query engine stopped while it ran this statement")
            .detail("Nothing was changed. Other statements of this database may have ended in the same way.")
            .hint("The engine is started again with the next statement.");
        Failure { error, is_victim }
    }
}
