//! The logs of all lakes in Postgres.
//!
//! Offsets come from `UPDATE duckmesh.lane … RETURNING` in the statement that inserts the records; the lane's
//! row lock is held to commit. A sequence would be wrong: a lower number could become visible after a higher
//! one.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{GenericClient, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use duckmesh_catalog::{LakeId, Offset};
use futures::{TryStreamExt, pin_mut};
use tokio_postgres::{NoTls, Row, error::SqlState};

use super::{AppendOutcome, Bus, LaneState, NewRecord, SeenKey, StoredRecord, failpoint};
use crate::error::{BusError, BusErrorKind};

type Result<T> = std::result::Result<T, BusError>;

const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/postgres/log_0001_lane.sql")];
/// Connections: each lake has one append in flight at a time.
const CONNECTIONS_MAX: usize = 8;
/// How long a request waits for a connection, and for a new connection.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// A lane that another session holds, or a server that hangs, must end as an error.
const SETTINGS: &str = "-c lock_timeout=10s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s";
/// Advisory lock of migrations ("DMLG").
const MIGRATION_LOCK: i64 = 0x444d_4c47;
/// Records removed in one statement: a long trim must end within the statement's timeout.
const TRIM_RECORDS: i64 = 5000;
/// Rows fetched at once while reading.
const READ_ROWS: i64 = 256;

const APPEND: &str = "\
WITH moved AS (
  UPDATE duckmesh.lane
  SET head = head + $2, ddl_offset = CASE WHEN $4 THEN head + $2 ELSE ddl_offset END
  WHERE lake_id = $1 AND ddl_offset = $3
  RETURNING head - $2 AS base
), stored AS (
  INSERT INTO duckmesh.frame (lake_id, first_offset, last_offset, ddl, body)
  SELECT $1, moved.base + r.first, moved.base + r.last, $4, r.body
  FROM moved, unnest($5::bigint[], $6::bigint[], $7::bytea[]) AS r (first, last, body)
)
SELECT base FROM moved";

/// The logs of all lakes in one Postgres database.
#[derive(Clone)]
pub struct PostgresBus {
    pool: Pool,
}

impl PostgresBus {
    /// Connects and migrates.
    pub async fn open(url: &str) -> Result<Self> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|e| BusError::caused(BusErrorKind::Unavailable, "read the log's URL", e))?;
        let options = config.get_options().map_or(SETTINGS.to_owned(), |o| format!("{SETTINGS} {o}"));
        config.options(options).application_name("duckmesh log");
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts::wait_millis(CONNECT_WAIT.as_millis() as u64))
            .create_timeout(Some(CONNECT_WAIT))
            .build()
            .map_err(|e| BusError::caused(BusErrorKind::Unavailable, "set up connections", e))?;
        let bus = Self { pool };
        bus.migrate().await?;
        Ok(bus)
    }

    async fn client(&self) -> Result<Object> {
        self.pool.get().await.map_err(|e| BusError::caused(BusErrorKind::Unavailable, "connect to the log", e))
    }

    async fn migrate(&self) -> Result<()> {
        let failed = |e| postgres("migrate the log", &e);
        let mut client = self.client().await?;
        let t = client.transaction().await.map_err(failed)?;
        t.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await.map_err(failed)?;
        t.batch_execute(
            "CREATE SCHEMA IF NOT EXISTS duckmesh;
             CREATE TABLE IF NOT EXISTS duckmesh.log_version (version integer NOT NULL)",
        )
        .await
        .map_err(failed)?;
        let row =
            t.query_one("SELECT coalesce(max(version), 0) FROM duckmesh.log_version", &[]).await.map_err(failed)?;
        let version: i32 = row.try_get(0).map_err(failed)?;
        let known = MIGRATIONS.len() as i32;
        if version > known {
            let message = format!("the log has version {version}, this program knows {known}: use a newer one");
            return Err(BusError::new(BusErrorKind::Corrupt, message));
        }
        for (done, sql) in (1_i32..).zip(MIGRATIONS).filter(|(n, _)| *n > version) {
            t.batch_execute(sql).await.map_err(failed)?;
            t.execute("INSERT INTO duckmesh.log_version VALUES ($1)", &[&done]).await.map_err(failed)?;
        }
        t.commit().await.map_err(failed)
    }
}

#[async_trait]
impl Bus for PostgresBus {
    async fn open_lane(&self, lake: LakeId) -> Result<LaneState> {
        let client = self.client().await?;
        let sql = "INSERT INTO duckmesh.lane VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
        client.execute(sql, &[&lake.get()]).await.map_err(|e| postgres("open the lane", &e))?;
        lane(&client, lake).await
    }

    async fn append(&self, lake: LakeId, records: Vec<NewRecord>) -> Result<Vec<AppendOutcome>> {
        let mut client = self.client().await?;
        let one_statement = records.iter().all(NewRecord::is_plain) && segments(&records).count() == 1;
        if one_statement {
            // One statement is one transaction: no BEGIN and COMMIT round trips while the lane's row is locked.
            failpoint("bus-append-before-commit", BusErrorKind::Unavailable)?;
            let base = append_segment(&client, lake, &records).await?;
            failpoint("bus-append-after-commit", BusErrorKind::Unknown)?;
            return match base {
                Some(base) => Ok(appended(base, &records).collect()),
                None => {
                    let current = lane(&client, lake).await?.ddl_offset;
                    Ok(records.iter().map(|_| AppendOutcome::Stale { current }).collect())
                }
            };
        }
        let t = client.transaction().await.map_err(|e| postgres("begin", &e))?;
        let outcomes = append_each(&t, lake, &records).await?;
        failpoint("bus-append-before-commit", BusErrorKind::Unavailable)?;
        t.commit().await.map_err(|e| postgres("commit", &e))?;
        failpoint("bus-append-after-commit", BusErrorKind::Unknown)?;
        Ok(outcomes)
    }

    async fn read(&self, lake: LakeId, after: Offset, bytes_max: usize) -> Result<Vec<StoredRecord>> {
        let failed = |e| postgres("read the log", &e);
        let client = self.client().await?;
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

    async fn lane(&self, lake: LakeId) -> Result<LaneState> {
        lane(&self.client().await?, lake).await
    }

    async fn trim(&self, lake: LakeId, watermark: Offset) -> Result<u64> {
        let sql = "DELETE FROM duckmesh.frame WHERE lake_id = $1 AND last_offset IN
            (SELECT last_offset FROM duckmesh.frame WHERE lake_id = $1 AND last_offset <= $2 ORDER BY 1 LIMIT $3)";
        let client = self.client().await?;
        let mut removed = 0;
        loop {
            let some = client
                .execute(sql, &[&lake.get(), &watermark.get(), &TRIM_RECORDS])
                .await
                .map_err(|e| postgres("trim the log", &e))?;
            removed += some;
            if some < TRIM_RECORDS as u64 {
                return Ok(removed);
            }
        }
    }

    async fn recorded(&self, lake: LakeId, key: &str) -> Result<Option<Offset>> {
        let failed = |e| postgres("look up a key", &e);
        let client = self.client().await?;
        let sql = "SELECT first_offset FROM duckmesh.idempotency WHERE lake_id = $1 AND key = $2";
        let statement = client.prepare_cached(sql).await.map_err(failed)?;
        let row = client.query_opt(&statement, &[&lake.get(), &key]).await.map_err(failed)?;
        row.map(|row| row.try_get(0).map(Offset::new).map_err(failed)).transpose()
    }

    async fn forget_keys(&self, lake: LakeId, window: Duration) -> Result<u64> {
        let sql = "DELETE FROM duckmesh.idempotency
            WHERE lake_id = $1 AND recorded < now() - make_interval(secs => $2)";
        let client = self.client().await?;
        client.execute(sql, &[&lake.get(), &window.as_secs_f64()]).await.map_err(|e| postgres("forget keys", &e))
    }

    async fn drop_lane(&self, lake: LakeId) -> Result<()> {
        let failed = |e| postgres("drop the lane", &e);
        let mut client = self.client().await?;
        let t = client.transaction().await.map_err(failed)?;
        for table in ["lane", "frame", "idempotency"] {
            let sql = format!("DELETE FROM duckmesh.{table} WHERE lake_id = $1");
            t.execute(&sql, &[&lake.get()]).await.map_err(failed)?;
        }
        t.commit().await.map_err(failed)
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Runs of records that one statement can append: made for the same schema, DDL alone.
fn segments(records: &[NewRecord]) -> impl Iterator<Item = &[NewRecord]> {
    records.chunk_by(|a, b| a.made_for == b.made_for && !a.ddl && !b.ddl)
}

/// Appends in a transaction that holds the lane's row from the start, so that keys are checked and recorded under it.
async fn append_each(t: &impl GenericClient, lake: LakeId, records: &[NewRecord]) -> Result<Vec<AppendOutcome>> {
    let failed = |e| postgres("append", &e);
    // Always the lane first, then the keys: two appends with the same keys cannot wait for each other in a circle.
    let sql = "SELECT ddl_offset, head FROM duckmesh.lane WHERE lake_id = $1 FOR UPDATE";
    let row = t.query_opt(sql, &[&lake.get()]).await.map_err(failed)?;
    let row = row.ok_or_else(|| no_lane(lake))?;
    let mut current = Offset::new(row.try_get(0).map_err(failed)?);
    let mut head = Offset::new(row.try_get(1).map_err(failed)?);
    let mut outcomes = Vec::with_capacity(records.len());
    for segment in records.chunk_by(|a, b| a.made_for == b.made_for && !a.ddl && !b.ddl && a.is_plain() && b.is_plain())
    {
        let seen = match segment {
            [one] if !one.keys.is_empty() => seen_keys(t, lake, one).await?,
            _ => Vec::new(),
        };
        if !seen.is_empty() {
            outcomes.push(AppendOutcome::KeysSeen(seen));
            continue;
        }
        let moved = |one: &NewRecord| one.head_max.is_some_and(|max| head > max);
        if segment.iter().any(|one| one.made_for == current && moved(one)) {
            outcomes.extend(segment.iter().map(|_| AppendOutcome::Moved));
            continue;
        }
        let Some(base) = append_segment(t, lake, segment).await? else {
            outcomes.extend(segment.iter().map(|_| AppendOutcome::Stale { current }));
            continue;
        };
        head = Offset::new(base + total(segment));
        outcomes.extend(appended(base, segment));
        if let [one] = segment {
            if one.ddl {
                current = Offset::new(base + i64::from(one.offsets));
            }
            record_keys(t, lake, base, one).await?;
        }
    }
    Ok(outcomes)
}

/// Appends records in one statement; gives the head before them, or nothing if they are stale.
async fn append_segment(client: &impl GenericClient, lake: LakeId, records: &[NewRecord]) -> Result<Option<i64>> {
    let failed = |e| postgres("append", &e);
    let (Some(first), total) = (records.first(), total(records)) else {
        return Ok(None);
    };
    let (mut firsts, mut lasts, mut at) = (Vec::new(), Vec::new(), 0_i64);
    for record in records {
        firsts.push(at + 1);
        at += i64::from(record.offsets);
        lasts.push(at);
    }
    let bodies: Vec<&[u8]> = records.iter().map(|r| &r.body[..]).collect();
    let statement = client.prepare_cached(APPEND).await.map_err(failed)?;
    let made_for = first.made_for.get();
    let row = client
        .query_opt(&statement, &[&lake.get(), &total, &made_for, &first.ddl, &firsts, &lasts, &bodies])
        .await
        .map_err(failed)?;
    row.map(|row| row.try_get(0).map_err(failed)).transpose()
}

fn total(records: &[NewRecord]) -> i64 {
    records.iter().map(|r| i64::from(r.offsets)).sum()
}

fn appended(base: i64, records: &[NewRecord]) -> impl Iterator<Item = AppendOutcome> {
    records.iter().scan(base, |at, record| {
        let first = Offset::new(*at + 1);
        *at += i64::from(record.offsets);
        Some(AppendOutcome::Appended { first })
    })
}

async fn seen_keys(t: &impl GenericClient, lake: LakeId, record: &NewRecord) -> Result<Vec<SeenKey>> {
    let failed = |e| postgres("look up keys", &e);
    let keys: Vec<&str> = record.keys.iter().map(|k| k.key.key.as_str()).collect();
    let sql = "SELECT key, first_offset, payload_sha256 FROM duckmesh.idempotency
        WHERE lake_id = $1 AND key = ANY ($2)";
    let statement = t.prepare_cached(sql).await.map_err(failed)?;
    let mut seen = Vec::new();
    for row in t.query(&statement, &[&lake.get(), &keys]).await.map_err(failed)? {
        let key: &str = row.try_get(0).map_err(failed)?;
        let first = Offset::new(row.try_get(1).map_err(failed)?);
        let sha256: &[u8] = row.try_get(2).map_err(failed)?;
        seen.extend(record.keys.iter().filter(|k| k.key.key == key).map(|k| SeenKey {
            index: k.index,
            first,
            same_payload: sha256 == k.key.payload_sha256,
        }));
    }
    Ok(seen)
}

async fn record_keys(t: &impl GenericClient, lake: LakeId, base: i64, record: &NewRecord) -> Result<()> {
    if record.keys.is_empty() {
        return Ok(());
    }
    let failed = |e| postgres("record keys", &e);
    let keys: Vec<&str> = record.keys.iter().map(|k| k.key.key.as_str()).collect();
    let payloads: Vec<&[u8]> = record.keys.iter().map(|k| &k.key.payload_sha256[..]).collect();
    let offsets: Vec<i64> = record.keys.iter().map(|k| base + 1 + i64::from(k.index)).collect();
    let sql = "INSERT INTO duckmesh.idempotency (lake_id, key, payload_sha256, first_offset)
        SELECT $1, k, p, o FROM unnest($2::text[], $3::bytea[], $4::bigint[]) AS r (k, p, o)";
    let statement = t.prepare_cached(sql).await.map_err(failed)?;
    t.execute(&statement, &[&lake.get(), &keys, &payloads, &offsets]).await.map_err(failed)?;
    Ok(())
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
    let kind = match error.code() {
        Some(code) if [SqlState::DISK_FULL, SqlState::INSUFFICIENT_RESOURCES].contains(code) => BusErrorKind::Full,
        Some(code) if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) => BusErrorKind::Corrupt,
        Some(code) if *code == SqlState::ADMIN_SHUTDOWN || *code == SqlState::CRASH_SHUTDOWN => BusErrorKind::Unknown,
        Some(_) => BusErrorKind::Unavailable,
        None => BusErrorKind::Unknown,
    };
    let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    BusError::caused(kind, doing, message)
}
