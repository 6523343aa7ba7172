//! The logs of all lakes in Postgres.
//!
//! Offsets come from `UPDATE duckmesh.lane … RETURNING` in the statement that inserts the records; the lane's
//! row lock is held to commit. A sequence would be wrong: a lower number could become visible after a higher
//! one.

mod append;
mod migrate;
mod settle;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{GenericClient, Object};
use duckmesh_catalog::{
    LakeId, Offset,
    postgres::{Connections, Failure, LONG, LONG_AT_SERVER, Limits, PATIENCE, Witness},
};
use futures::{TryStreamExt, pin_mut};
use tokio::time::{Instant, timeout};
use tokio_postgres::{
    Row,
    error::{Severity, SqlState},
};

use self::settle::Seat;
use super::{AppendOutcome, Bus, LaneState, NewRecord, SeenKey, StoredRecord, failpoint};
use crate::{
    error::{BusError, BusErrorKind},
    signals::{self, Signals},
};

type Result<T> = std::result::Result<T, BusError>;

/// Connections, where nobody says otherwise: each lake has one append in flight at a time.
const CONNECTIONS: usize = 8;
/// A server that froze in the middle of an append gives up the lane it holds, before those who wait for it give up. Limits of
/// statements and locks are of the budget.
const SETTINGS: &str = "-c idle_in_transaction_session_timeout=3s";
/// Records removed in one statement: a long trim must end within the statement's timeout.
const TRIM_RECORDS: i64 = 5000;
/// A process that was stopped for longer than this is not expected back: what it staged was swept without a trace.
const GIVEN_UP_KEPT: &str = "90 days";
/// Rows fetched at once while reading.
const READ_ROWS: i64 = 256;

/// The logs of all lakes in one Postgres database. Cheap to clone; one for each process and database is enough.
#[derive(Clone)]
pub struct PostgresBus {
    connections: Connections,
    /// This process among the writers of a lane.
    writer: Arc<str>,
    seats: Arc<Mutex<HashMap<LakeId, Arc<tokio::sync::Mutex<Seat>>>>>,
    signals: Signals,
}

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct PostgresBusOptions {
    /// Connections at once; one more listens.
    pub connections: usize,
    /// How long a statement waits in all while Postgres is away, has no more connections, or says nothing.
    pub patience: Duration,
    /// Whether its tables are made or brought up to date; else it is refused where that is due.
    pub migrate: bool,
    /// Refuses a Postgres that may lack what was acknowledged: the catalog's, if it has one; none accepts any.
    pub witness: Option<Witness>,
}

impl Default for PostgresBusOptions {
    fn default() -> Self {
        Self { connections: CONNECTIONS, patience: PATIENCE, migrate: true, witness: None }
    }
}

impl PostgresBus {
    /// Connects and migrates.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, PostgresBusOptions::default()).await.map(|(bus, _)| bus)
    }

    /// Connects; gives the names of the migrations that it applied.
    pub async fn open_with(url: &str, options: PostgresBusOptions) -> Result<(Self, Vec<&'static str>)> {
        let limits = Limits {
            connections: options.connections,
            settings: SETTINGS,
            name: "duckmesh log",
            budget: options.patience,
        };
        let connections = Connections::new(url, &limits, options.witness)
            .map_err(|e| BusError::caused(BusErrorKind::Unavailable, "read the log's URL", e))?;
        let writer: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let applied = migrate::run(&connections, options.migrate).await?;
        let told = signals::told_so_far(&connections).await.map_err(unreachable)?;
        let signals = Signals::start(connections.clone(), writer.clone(), told);
        Ok((Self { connections, writer, seats: Arc::default(), signals }, applied))
    }

    async fn client(&self) -> Result<Object> {
        client(&self.connections).await
    }

    /// Gets a connection and runs something on it, not longer than the budget; a connection that failed is given up.
    async fn on<T, F: AsyncFnOnce(&mut Object) -> Result<T>>(&self, work: F) -> Result<T> {
        let began = Instant::now();
        let client = self.client().await?;
        self.on_this(client, self.connections.left_of(began), work).await
    }

    async fn on_this<T, F: AsyncFnOnce(&mut Object) -> Result<T>>(
        &self,
        mut client: Object,
        limit: Duration,
        work: F,
    ) -> Result<T> {
        let done = timeout(limit, work(&mut client)).await;
        let late = || BusError::new(BusErrorKind::Unknown, "the log did not answer in time");
        let done = done.unwrap_or_else(|_| Err(late()));
        if done.as_ref().is_err_and(|e| e.kind() == BusErrorKind::Unknown) {
            self.connections.raise_doubt();
            Connections::discard(client);
        }
        done
    }

    /// The log was seen to go up to here: a database without it is not the same any more.
    fn saw(&self, lake: LakeId, head: i64) {
        if let Some(witness) = self.connections.witness() {
            witness.saw(lake.get(), head);
        }
    }

    async fn seen_lane(&self, lake: LakeId, client: &mut Object) -> Result<LaneState> {
        let state = lane(client, lake).await?;
        self.saw(lake, state.head.get());
        Ok(state)
    }

    /// This process' place among the writers of a lane: one append at a time.
    fn seat(&self, lake: LakeId) -> Arc<tokio::sync::Mutex<Seat>> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.entry(lake).or_default().clone()
    }
}

async fn client(connections: &Connections) -> Result<Object> {
    connections.get().await.map_err(unreachable)
}

fn unreachable(failure: Failure) -> BusError {
    let full = failure.code().is_some_and(|code| *code == SqlState::DISK_FULL);
    let kind = match &failure {
        Failure::Lost(_) => BusErrorKind::Lost,
        _ if full => BusErrorKind::Full,
        _ => BusErrorKind::Unavailable,
    };
    BusError::caused(kind, "connect to the log", failure)
}

#[async_trait]
impl Bus for PostgresBus {
    async fn open_lane(&self, lake: LakeId) -> Result<LaneState> {
        self.on(async |client| {
            let sql = "INSERT INTO duckmesh.lane VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
            client.execute(sql, &[&lake.get()]).await.map_err(|e| postgres("open the lane", &e))?;
            self.seen_lane(lake, client).await
        })
        .await
    }

    async fn append(&self, lake: LakeId, records: Vec<NewRecord>) -> Result<Vec<AppendOutcome>> {
        self.append_settled(lake, &records).await
    }

    async fn read(&self, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>> {
        self.on(async |client| read(client, lake, after, bytes_max).await).await
    }

    async fn lane(&self, lake: LakeId) -> Result<LaneState> {
        self.on(async |client| self.seen_lane(lake, client).await).await
    }

    async fn trim(&self, lake: LakeId, watermark: Offset) -> Result<u64> {
        let sql = "DELETE FROM duckmesh.frame WHERE lake_id = $1 AND last_offset IN
            (SELECT last_offset FROM duckmesh.frame WHERE lake_id = $1 AND last_offset <= $2 ORDER BY 1 LIMIT $3)";
        let mut removed = 0;
        loop {
            let some = self
                .on(async |client| {
                    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                        [&lake.get(), &watermark.get(), &TRIM_RECORDS];
                    client.execute(sql, &values).await.map_err(|e| postgres("trim the log", &e))
                })
                .await?;
            removed += some;
            if some < TRIM_RECORDS as u64 {
                return Ok(removed);
            }
        }
    }

    async fn recorded(&self, lake: LakeId, key: &str) -> Result<Option<Offset>> {
        let failed = |e| postgres("look up a key", &e);
        self.on(async |client| {
            let sql = "SELECT first_offset FROM duckmesh.idempotency WHERE lake_id = $1 AND key = $2";
            let statement = client.prepare_cached(sql).await.map_err(failed)?;
            let row = client.query_opt(&statement, &[&lake.get(), &key]).await.map_err(failed)?;
            row.map(|row| row.try_get(0).map(Offset::new).map_err(failed)).transpose()
        })
        .await
    }

    async fn oldest_age(&self, lake: LakeId, after: Offset) -> Result<Option<f64>> {
        let failed = |e| postgres("look at the oldest record", &e);
        self.on(async |client| {
            let sql = "SELECT extract(epoch FROM clock_timestamp() - recorded)::float8 FROM duckmesh.frame
                WHERE lake_id = $1 AND last_offset > $2 ORDER BY last_offset LIMIT 1";
            let row = client.query_opt(sql, &[&lake.get(), &after.get()]).await.map_err(failed)?;
            row.map(|row| row.try_get(0).map_err(failed)).transpose()
        })
        .await
    }

    async fn forget_keys(&self, lake: LakeId, window: Duration) -> Result<u64> {
        let failed = |e| postgres("forget keys", &e);
        self.on(async |client| {
            let (seconds, id) = (window.as_secs_f64(), lake.get());
            let sql = "DELETE FROM duckmesh.writer
                WHERE lake_id = $1 AND touched < now() - greatest(make_interval(secs => $2), $3::text::interval)";
            client.execute(sql, &[&id, &seconds, &settle::SEAT_KEPT]).await.map_err(failed)?;
            let sql = "DELETE FROM duckmesh.idempotency
                WHERE lake_id = $1 AND recorded < now() - make_interval(secs => $2)";
            client.execute(sql, &[&id, &seconds]).await.map_err(failed)
        })
        .await
    }

    async fn give_up(&self, lake: LakeId, files: &[String]) -> Result<LaneState> {
        let failed = |e| postgres("give files up", &e);
        self.on(async |client| {
            let sql = "INSERT INTO duckmesh.given_up (lake_id, name) SELECT $1, n FROM unnest($2::text[]) AS n
                ON CONFLICT DO NOTHING";
            client.execute(sql, &[&lake.get(), &files]).await.map_err(failed)?;
            let sql = "DELETE FROM duckmesh.given_up WHERE lake_id = $1 AND recorded < now() - $2::text::interval";
            client.execute(sql, &[&lake.get(), &GIVEN_UP_KEPT]).await.map_err(failed)?;
            // Who had the lane before this did not see them, and is below this head; who has it later does.
            let sql = "SELECT head, ddl_offset FROM duckmesh.lane WHERE lake_id = $1 FOR UPDATE";
            let row = client.query_opt(sql, &[&lake.get()]).await.map_err(failed)?.ok_or_else(|| no_lane(lake))?;
            let offset = |n| row.try_get(n).map(Offset::new).map_err(failed);
            Ok(LaneState { head: offset(0)?, ddl_offset: offset(1)? })
        })
        .await
    }

    async fn drop_lane(&self, lake: LakeId) -> Result<()> {
        let failed = |e| postgres("drop the lane", &e);
        let client = self.client().await?;
        self.on_this(client, LONG, async |client| {
            let t = client.transaction().await.map_err(failed)?;
            t.batch_execute(LONG_AT_SERVER).await.map_err(failed)?;
            for table in ["lane", "frame", "idempotency", "writer", "given_up"] {
                let sql = format!("DELETE FROM duckmesh.{table} WHERE lake_id = $1");
                t.execute(&sql, &[&lake.get()]).await.map_err(failed)?;
            }
            t.commit().await.map_err(failed)
        })
        .await?;
        if let Some(witness) = self.connections.witness() {
            witness.forget(lake.get());
        }
        Ok(())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn signals(&self) -> Option<&Signals> {
        Some(&self.signals)
    }
}

async fn read(client: &Object, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>> {
    let failed = |e| postgres("read the log", &e);
    let sql = "SELECT first_offset, last_offset, ddl, body FROM duckmesh.frame
        WHERE lake_id = $1 AND last_offset > $2 ORDER BY last_offset LIMIT $3";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let (mut records, mut bytes, mut after) = (Vec::new(), 0, after);
    loop {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&lake.get(), &after.get(), &READ_ROWS];
        let rows = client.query_raw(&statement, values).await.map_err(failed)?;
        pin_mut!(rows);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let record = stored(&row).map_err(failed)?;
            (count, bytes, after) = (count + 1, bytes + record.body.len(), record.last);
            records.push(record);
            if bytes >= bytes_max {
                return Ok(records);
            }
        }
        if count < READ_ROWS {
            return Ok(records);
        }
    }
}

async fn lane(client: &impl GenericClient, lake: LakeId) -> Result<LaneState> {
    let failed = |e| postgres("read the lane", &e);
    let sql = "SELECT head, ddl_offset FROM duckmesh.lane WHERE lake_id = $1";
    let statement = client.prepare_cached(sql).await.map_err(failed)?;
    let row = client.query_opt(&statement, &[&lake.get()]).await.map_err(failed)?;
    let row = row.ok_or_else(|| no_lane(lake))?;
    Ok(LaneState {
        head: Offset::new(row.try_get(0).map_err(failed)?),
        ddl_offset: Offset::new(row.try_get(1).map_err(failed)?),
    })
}

fn no_lane(lake: LakeId) -> BusError {
    BusError::new(BusErrorKind::Corrupt, format!("lake {lake} has no lane"))
}

fn stored(row: &Row) -> std::result::Result<StoredRecord, tokio_postgres::Error> {
    Ok(StoredRecord {
        first: Offset::new(row.try_get(0)?),
        last: Offset::new(row.try_get(1)?),
        ddl: row.try_get(2)?,
        body: Bytes::copy_from_slice(row.try_get(3)?),
    })
}

/// An error of Postgres by what the caller must do. Without an answer of the server the outcome is not known.
fn postgres(doing: &str, error: &tokio_postgres::Error) -> BusError {
    let ends_server =
        |e: &tokio_postgres::error::DbError| matches!(e.parsed_severity(), Some(Severity::Panic | Severity::Fatal));
    let kind = match error.code() {
        // Whether a commit that it was in the middle of happened, its recovery decides.
        _ if error.as_db_error().is_some_and(ends_server) => BusErrorKind::Unknown,
        // A server that was demoted: its neighbour is the one to ask.
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => BusErrorKind::Unknown,
        Some(code) if [SqlState::DISK_FULL, SqlState::INSUFFICIENT_RESOURCES].contains(code) => BusErrorKind::Full,
        Some(code) if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) => BusErrorKind::Corrupt,
        Some(code) if *code == SqlState::ADMIN_SHUTDOWN || *code == SqlState::CRASH_SHUTDOWN => BusErrorKind::Unknown,
        Some(_) => BusErrorKind::Unavailable,
        None => BusErrorKind::Unknown,
    };
    let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    BusError::caused(kind, doing, message)
}
