//! The log of one lake in a SQLite file of its own, so that whoever writes the lake never blocks appends.
//!
//! One named thread owns the writing connection: appends, trims and key clean-up are its requests, in order.
//! Reads have a connection of their own (WAL: they never wait for the writer).

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use duckmesh_catalog::{LakeId, Offset};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::{AppendOutcome, Bus, LaneState, NewRecord, SeenKey, StoredRecord, failpoint};
use crate::error::{BusError, BusErrorKind};

type Result<T> = std::result::Result<T, BusError>;

const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/sqlite/log_0001_lane.sql")];
/// "DMLG": says to `file` and to us that this is a log.
const APPLICATION_ID: i32 = 0x444d_4c47;
/// Appends that wait for the thread. The group commit sends one at a time; the rest is trims.
const REQUESTS_MAX: usize = 64;
/// Another process may look at the file, none may hold it long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of WAL before SQLite moves them to the file: larger than the default, for fewer stalls of appends.
const CHECKPOINT_PAGES: i32 = 4000;
/// Records removed in one transaction: a long trim must not hold up appends.
const TRIM_RECORDS: i64 = 512;
/// Statements kept prepared on each connection.
const STATEMENTS: usize = 32;

/// The log of one lake in a file.
pub struct SqliteBus {
    requests: mpsc::SyncSender<Job>,
    reader: Arc<Mutex<Connection>>,
}

/// Work for the writing thread. It gets no connection once a commit failed: what the file holds is not known then.
type Job = Box<dyn FnOnce(&mut Writer) + Send>;

struct Writer {
    connection: Connection,
    /// A failed write or fsync must never be followed by a success: the kernel may have dropped the pages.
    broken: Option<String>,
}

impl SqliteBus {
    /// Opens or creates the file. Blocks.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path).map_err(|e| sqlite("open the log", e))?;
        prepare(&mut connection).map_err(|e| sqlite("open the log", e))??;
        let reader =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .and_then(|reader| {
                    reader.busy_timeout(BUSY_TIMEOUT)?;
                    reader.pragma_update(None, "query_only", true)?;
                    reader.set_prepared_statement_cache_capacity(STATEMENTS);
                    Ok(reader)
                })
                .map_err(|e| sqlite("open the log", e))?;
        let (requests, jobs) = mpsc::sync_channel::<Job>(REQUESTS_MAX);
        let mut writer = Writer { connection, broken: None };
        std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || jobs.into_iter().for_each(|job| job(&mut writer)))
            .map_err(|e| BusError::caused(BusErrorKind::Unavailable, "start the log's thread", e))?;
        Ok(Self { requests, reader: Arc::new(Mutex::new(reader)) })
    }

    /// Runs `work` in a transaction on the writing thread; appends pass the failpoints.
    async fn write<T: Send + 'static>(
        &self,
        failpoints: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            let _ = reply.send(writer.transact(failpoints, work));
        });
        // The queue is longer than its users are many, so this does not block; a full one is an error, not a wait.
        self.requests
            .try_send(job)
            .map_err(|e| BusError::new(BusErrorKind::Unavailable, format!("the log is busy: {e}")))?;
        answer.await.map_err(|_| BusError::new(BusErrorKind::Unknown, "the log's thread ended"))?
    }

    /// Runs `work` on the reading connection, off the runtime's workers.
    async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let reader = Arc::clone(&self.reader);
        tokio::task::spawn_blocking(move || work(&reader.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|e| BusError::caused(BusErrorKind::Unavailable, "read the log", e))?
    }
}

impl Writer {
    fn transact<T>(&mut self, failpoints: bool, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        if let Some(reason) = &self.broken {
            return Err(BusError::new(BusErrorKind::Unavailable, reason.clone()));
        }
        let done = commit(&mut self.connection, failpoints, work);
        if let Err(error) = &done
            && is_io_failure(error)
        {
            self.broken = Some(format!("the log failed and must be opened again: {error}"));
            tracing::error!(%error, "the log's file cannot be trusted any more: appends are refused");
        }
        done
    }
}

fn commit<T>(
    connection: &mut Connection,
    failpoints: bool,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| sqlite("begin", e))?;
    // An error up to here rolls back, whatever it is: nothing happened.
    let done = work(&transaction)?;
    if failpoints {
        failpoint("bus-append-before-commit", BusErrorKind::Unavailable)?;
    }
    transaction.commit().map_err(|e| match e.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => BusError::caused(BusErrorKind::Unknown, "commit", e),
        _ => sqlite("commit", e),
    })?;
    if failpoints {
        failpoint("bus-append-after-commit", BusErrorKind::Unknown)?;
    }
    Ok(done)
}

fn is_io_failure(error: &BusError) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<rusqlite::Error>())
        .is_some_and(|e| e.sqlite_error_code() == Some(ErrorCode::SystemIoFailure))
}

#[async_trait]
impl Bus for SqliteBus {
    async fn open_lane(&self, lake: LakeId) -> Result<LaneState> {
        self.write(false, move |t| {
            let other: Option<i64> = t
                .query_row("SELECT lake_id FROM lane WHERE lake_id <> ?1", [lake.get()], |r| r.get(0))
                .optional()
                .map_err(|e| sqlite("open the lane", e))?;
            if let Some(other) = other {
                let message = format!("this is the log of lake {other}, not of lake {lake}");
                return Err(BusError::new(BusErrorKind::Corrupt, message));
            }
            t.execute(
                "INSERT INTO lane (lake_id, head, ddl_offset) VALUES (?1, 0, 0) ON CONFLICT DO NOTHING",
                [lake.get()],
            )
            .map_err(|e| sqlite("open the lane", e))?;
            lane(t, lake)
        })
        .await
    }

    async fn append(&self, lake: LakeId, records: Vec<NewRecord>) -> Result<Vec<AppendOutcome>> {
        self.write(true, move |t| append(t, lake, &records)).await
    }

    async fn read(&self, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>> {
        let _ = lake;
        self.query(move |c| read(c, after, bytes_max).map_err(|e| sqlite("read the log", e))).await
    }

    async fn lane(&self, lake: LakeId) -> Result<LaneState> {
        self.query(move |c| lane(c, lake)).await
    }

    async fn trim(&self, lake: LakeId, watermark: Offset) -> Result<u64> {
        let _ = lake;
        let mut removed = 0;
        loop {
            let some = self
                .write(false, move |t| {
                    let sql = "DELETE FROM frame WHERE last_offset IN
                        (SELECT last_offset FROM frame WHERE last_offset <= ?1 ORDER BY 1 LIMIT ?2)";
                    t.prepare_cached(sql)
                        .and_then(|mut s| s.execute([watermark.get(), TRIM_RECORDS]))
                        .map_err(|e| sqlite("trim the log", e))
                })
                .await?;
            removed += some as u64;
            if some < TRIM_RECORDS as usize {
                return Ok(removed);
            }
        }
    }

    async fn recorded(&self, lake: LakeId, key: &str) -> Result<Option<Offset>> {
        let (_, key) = (lake, key.to_owned());
        self.query(move |c| {
            c.prepare_cached("SELECT first_offset FROM idempotency WHERE key = ?1")
                .and_then(|mut s| s.query_row([key], |r| Ok(Offset::new(r.get(0)?))).optional())
                .map_err(|e| sqlite("look up a key", e))
        })
        .await
    }

    async fn forget_keys(&self, lake: LakeId, window: Duration) -> Result<u64> {
        let _ = lake;
        let seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        self.write(false, move |t| {
            let sql = "DELETE FROM idempotency WHERE recorded_unix_s < unixepoch() - ?1";
            let removed = t.execute(sql, [seconds]).map_err(|e| sqlite("forget keys", e))?;
            Ok(removed as u64)
        })
        .await
    }

    async fn drop_lane(&self, lake: LakeId) -> Result<()> {
        self.write(false, move |t| {
            t.execute_batch("DELETE FROM frame; DELETE FROM idempotency")
                .and_then(|()| t.execute("DELETE FROM lane WHERE lake_id = ?1", [lake.get()]))
                .map(drop)
                .map_err(|e| sqlite("drop the lane", e))
        })
        .await
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// Settings and migrations. The outer error is SQLite's, the inner one ours.
fn prepare(connection: &mut Connection) -> rusqlite::Result<Result<()>> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL: the WAL is synced at every commit, and not only at checkpoints.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let application: i32 = transaction.pragma_query_value(None, "application_id", |r| r.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if version > known || (version > 0 && application != APPLICATION_ID) {
        let message = format!("the log has version {version}, this program knows {known}: use a newer one");
        return Ok(Err(BusError::new(BusErrorKind::Corrupt, message)));
    }
    for sql in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(Ok(()))
}

fn lane(connection: &Connection, lake: LakeId) -> Result<LaneState> {
    connection
        .prepare_cached("SELECT head, ddl_offset FROM lane WHERE lake_id = ?1")
        .and_then(|mut s| {
            s.query_row([lake.get()], |r| {
                Ok(LaneState { head: Offset::new(r.get(0)?), ddl_offset: Offset::new(r.get(1)?) })
            })
            .optional()
        })
        .map_err(|e| sqlite("read the lane", e))?
        .ok_or_else(|| BusError::new(BusErrorKind::Corrupt, format!("lake {lake} has no lane")))
}

fn append(t: &Transaction<'_>, lake: LakeId, records: &[NewRecord]) -> Result<Vec<AppendOutcome>> {
    let mut at = lane(t, lake)?;
    let mut outcomes = Vec::with_capacity(records.len());
    let failed = |e| sqlite("append", e);
    for record in records {
        let seen = seen_keys(t, record).map_err(failed)?;
        if !seen.is_empty() {
            outcomes.push(AppendOutcome::KeysSeen(seen));
            continue;
        }
        if record.made_for != at.ddl_offset {
            outcomes.push(AppendOutcome::Stale { current: at.ddl_offset });
            continue;
        }
        if record.head_max.is_some_and(|max| at.head > max) {
            outcomes.push(AppendOutcome::Moved);
            continue;
        }
        let first = at.head.next();
        at.head = Offset::new(at.head.get() + i64::from(record.offsets));
        if record.ddl {
            at.ddl_offset = at.head;
        }
        insert(t, record, first, at.head).map_err(failed)?;
        outcomes.push(AppendOutcome::Appended { first });
    }
    t.prepare_cached("UPDATE lane SET head = ?2, ddl_offset = ?3 WHERE lake_id = ?1")
        .and_then(|mut s| s.execute([lake.get(), at.head.get(), at.ddl_offset.get()]))
        .map_err(failed)?;
    Ok(outcomes)
}

fn insert(t: &Transaction<'_>, record: &NewRecord, first: Offset, last: Offset) -> rusqlite::Result<()> {
    let sql = "INSERT INTO frame (last_offset, first_offset, ddl, body) VALUES (?1, ?2, ?3, ?4)";
    let body: &[u8] = &record.body;
    t.prepare_cached(sql)?.execute(params![last.get(), first.get(), record.ddl, body])?;
    if record.keys.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO idempotency (key, payload_sha256, first_offset) VALUES (?1, ?2, ?3)";
    let mut statement = t.prepare_cached(sql)?;
    for key in &record.keys {
        let offset = first.get() + i64::from(key.index);
        statement.execute(params![key.key.key, &key.key.payload_sha256[..], offset])?;
    }
    Ok(())
}

fn seen_keys(t: &Transaction<'_>, record: &NewRecord) -> rusqlite::Result<Vec<SeenKey>> {
    let mut seen = Vec::new();
    if record.keys.is_empty() {
        return Ok(seen);
    }
    let sql = "SELECT first_offset, payload_sha256 FROM idempotency WHERE key = ?1";
    let mut statement = t.prepare_cached(sql)?;
    for key in &record.keys {
        let found =
            statement.query_row([&key.key.key], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, Vec<u8>>(1)?))).optional()?;
        if let Some((first, sha256)) = found {
            seen.push(SeenKey {
                index: key.index,
                first: Offset::new(first),
                same_payload: sha256 == key.key.payload_sha256,
            });
        }
    }
    Ok(seen)
}

fn read(c: &Connection, after: Offset, bytes_max: usize) -> rusqlite::Result<Vec<StoredRecord>> {
    let sql = "SELECT first_offset, last_offset, ddl, body FROM frame WHERE last_offset > ?1 ORDER BY last_offset";
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query([after.get()])?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let body: Vec<u8> = row.get(3)?;
        bytes += body.len();
        records.push(StoredRecord {
            first: Offset::new(row.get(0)?),
            last: Offset::new(row.get(1)?),
            ddl: row.get(2)?,
            body: Bytes::from(body),
        });
    }
    Ok(records)
}

/// An error of SQLite by what the caller must do.
fn sqlite(doing: &str, error: rusqlite::Error) -> BusError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BusErrorKind::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BusErrorKind::Corrupt,
        _ => BusErrorKind::Unavailable,
    };
    BusError::caused(kind, doing, error)
}
