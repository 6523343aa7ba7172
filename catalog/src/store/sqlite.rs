//! SQLite as a store: one writer thread and a few reader threads on one file.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, ffi, types::ValueRef};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, mpsc, oneshot};

use super::{Result, Row, Statement, Value, check_rows, render};
use crate::error::{Error, ErrorKind};

/// Readers of one file: enough to keep two slow reads from holding up the fast one that every statement makes.
const READERS: usize = 3;
/// How long a statement waits for another process that writes into the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements that each connection keeps prepared.
const STATEMENTS: usize = 128;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;
type Queue = mpsc::UnboundedSender<Job>;

/// One SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    /// Whoever holds it owns the writer; its queue holds at most this owner's statements.
    writer: Arc<AsyncMutex<Option<Queue>>>,
    readers: Mutex<Option<Queue>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Sqlite {
    pub(super) async fn open(path: PathBuf) -> Result<Self> {
        blocking(move || {
            // The writer makes the file, and switches it to WAL, before the readers open it.
            let writer = connect(&path)?;
            let readers = (0..READERS).map(|_| connect(&path)).collect::<Result<Vec<_>>>()?;
            let mut threads = Vec::with_capacity(READERS + 1);
            let (write_queue, jobs) = mpsc::unbounded_channel();
            threads.push(spawn("sqlite-writer", writer, Arc::new(Mutex::new(jobs)))?);
            let (read_queue, jobs) = mpsc::unbounded_channel();
            let jobs = Arc::new(Mutex::new(jobs));
            for reader in readers {
                threads.push(spawn("sqlite-reader", reader, Arc::clone(&jobs))?);
            }
            Ok(Self {
                writer: Arc::new(AsyncMutex::new(Some(write_queue))),
                readers: Mutex::new(Some(read_queue)),
                threads: Mutex::new(threads),
            })
        })
        .await
    }

    pub(super) async fn query(&self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let sql = render(sql, None);
        let queue = lock(&self.readers).clone().ok_or_else(closed)?;
        run(&queue, move |db| select(db, &sql, &params)).await
    }

    pub(super) async fn begin(&self) -> Result<SqliteTransaction> {
        let guard = Arc::clone(&self.writer).lock_owned().await;
        let queue = guard.as_ref().ok_or_else(closed)?.clone();
        Ok(SqliteTransaction { queue, open: true, begun: false, _guard: guard })
    }

    pub(super) async fn close(&self) {
        self.writer.lock().await.take();
        lock(&self.readers).take();
        let threads = std::mem::take(&mut *lock(&self.threads));
        // Joining waits for running statements, and for the checkpoint that closing the last connection makes.
        let _ = blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
            Ok(())
        })
        .await;
    }
}

/// A transaction on the writer; it begins with its first statement, which saves a way to the writer's thread and back.
/// Dropped without commit, it is rolled back before the next one begins.
#[derive(Debug)]
pub(super) struct SqliteTransaction {
    queue: Queue,
    open: bool,
    begun: bool,
    _guard: OwnedMutexGuard<Option<Queue>>,
}

impl SqliteTransaction {
    pub(super) async fn query(&mut self, sql: &str, params: Vec<Value>) -> Result<Vec<Row>> {
        let sql = render(sql, None);
        let begun = std::mem::replace(&mut self.begun, true);
        run(&self.queue, move |db| {
            begin(db, begun)?;
            select(db, &sql, &params)
        })
        .await
    }

    pub(super) async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        let begun = std::mem::replace(&mut self.begun, true);
        run(&self.queue, move |db| write(db, begun, &statements)).await
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<()> {
        let sql = render(sql, None);
        let begun = std::mem::replace(&mut self.begun, true);
        run(&self.queue, move |db| {
            begin(db, begun)?;
            db.execute_batch(&sql).map_err(|e| error("script", e))
        })
        .await
    }

    pub(super) async fn commit_with(mut self, statements: Vec<Statement>) -> Result<()> {
        let begun = self.begun;
        let result = run(&self.queue, move |db| {
            write(db, begun, &statements)?;
            db.execute_batch("COMMIT").map_err(commit_error)
        })
        .await;
        if result.is_ok() {
            self.open = false;
        }
        result
    }

    pub(super) async fn rollback(mut self) {
        self.open = false;
        let _ = run(&self.queue, |db| {
            end(db);
            Ok(())
        })
        .await;
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        if self.open {
            // Runs before the job of whoever takes the guard next: the queue keeps order.
            let _ = self.queue.send(Box::new(end));
        }
    }
}

/// Begins the transaction unless it has begun. One that an error ended already goes on for nobody.
fn begin(db: &Connection, begun: bool) -> Result<()> {
    match (begun, db.is_autocommit()) {
        (false, _) => db.execute_batch("BEGIN IMMEDIATE").map_err(|e| error("begin", e)),
        (true, false) => Ok(()),
        (true, true) => Err(Error::new(ErrorKind::Store, "SQLite has rolled the transaction back")),
    }
}

fn write(db: &Connection, begun: bool, statements: &[Statement]) -> Result<Vec<u64>> {
    begin(db, begun)?;
    let write = |statement: &Statement| {
        let rows = change(db, &render(&statement.sql, None), &statement.params)?;
        check_rows(statement, rows)?;
        Ok(rows)
    };
    statements.iter().map(write).collect()
}

fn end(db: &mut Connection) {
    // An error of a statement may have ended the transaction already.
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", "ON")?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(db)
    };
    open().map_err(|e| error(&format!("cannot open {}", path.display()), e))
}

type Jobs = Arc<Mutex<mpsc::UnboundedReceiver<Job>>>;

fn spawn(name: &str, mut db: Connection, jobs: Jobs) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            loop {
                let job = lock(&jobs).blocking_recv();
                match job {
                    Some(job) => job(&mut db),
                    None => break,
                }
            }
        })
        .map_err(|e| Error::caused(ErrorKind::Store, "cannot start a thread", e))
}

async fn run<T: Send + 'static>(
    queue: &Queue,
    work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |db| {
        let _ = reply.send(work(db));
    });
    queue.send(job).map_err(|_| closed())?;
    answer.await.map_err(|_| closed())?
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::caused(ErrorKind::Store, "work on a SQLite file ended early", e))?
}

fn select(db: &Connection, sql: &str, params: &[Value]) -> Result<Vec<Row>> {
    let run = || -> rusqlite::Result<Vec<Row>> {
        let mut statement = db.prepare_cached(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(Bind)))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let fields = (0..width).map(|i| row.get_ref(i).map(from_sqlite));
            out.push(Row(fields.collect::<rusqlite::Result<_>>()?));
        }
        Ok(out)
    };
    run().map_err(|e| error(sql, e))
}

fn change(db: &Connection, sql: &str, params: &[Value]) -> Result<u64> {
    let run = || -> rusqlite::Result<usize> {
        db.prepare_cached(sql)?.execute(rusqlite::params_from_iter(params.iter().map(Bind)))
    };
    run().map(|n| n as u64).map_err(|e| error(sql, e))
}

struct Bind<'a>(&'a Value);

impl rusqlite::ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(v) => ValueRef::Integer(*v),
            Value::Bool(v) => ValueRef::Integer(i64::from(*v)),
            Value::Float(v) => ValueRef::Real(*v),
            Value::Text(v) => ValueRef::Text(v.as_bytes()),
            Value::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Float(v),
        ValueRef::Text(v) => match std::str::from_utf8(v) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(v.to_vec()),
        },
        ValueRef::Blob(v) => Value::Blob(v.to_vec()),
    }
}

fn error(what: &str, error: rusqlite::Error) -> Error {
    let kind = match &error {
        rusqlite::Error::SqliteFailure(e, _) => match (e.code, e.extended_code) {
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => ErrorKind::Retry,
            (ErrorCode::DiskFull, _) => ErrorKind::Full,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => ErrorKind::Corrupt,
            (_, ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE) => ErrorKind::AlreadyExists,
            _ => ErrorKind::Store,
        },
        _ => ErrorKind::Store,
    };
    Error::caused(kind, format!("SQLite: {error} ({what})"), error)
}

/// After an input or output error of COMMIT nobody knows what the disk has.
fn commit_error(e: rusqlite::Error) -> Error {
    match e.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => Error::caused(ErrorKind::Unknown, format!("SQLite: {e} (commit)"), e),
        _ => error("commit", e),
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Store, "the store is closed")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
