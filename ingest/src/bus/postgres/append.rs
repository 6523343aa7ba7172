//! Appends: in one statement where that is enough, else in a transaction that holds the lane's row.

use super::*;

macro_rules! moved {
    () => {
        "\
WITH moved AS (
  UPDATE duckmesh.lane
  SET head = head + $2, ddl_offset = CASE WHEN $4 THEN head + $2 ELSE ddl_offset END
  WHERE lake_id = $1 AND ddl_offset = $3
  RETURNING head - $2 AS base
), stored AS (
  INSERT INTO duckmesh.frame (lake_id, first_offset, last_offset, ddl, body)
  SELECT $1, moved.base + r.first, moved.base + r.last, $4, r.body
  FROM moved, unnest($5::bigint[], $6::bigint[], $7::bytea[]) AS r (first, last, body)
)"
    };
}

/// Inside a transaction, which takes the seat at its end.
const APPEND: &str = concat!(moved!(), "\nSELECT base FROM moved");

/// On its own: it takes the seat as well, and where that is not ours any more it divides by zero, which undoes all of it.
const APPEND_SEATED: &str = concat!(
    moved!(),
    ", seated AS (
  UPDATE duckmesh.writer SET seq = $9::bigint, appended = $9::bigint, base = moved.base, touched = now()
  FROM moved WHERE writer.lake_id = $1 AND writer.writer = $8 AND writer.seq = $9::bigint - 1
  RETURNING 1
)
SELECT base, 1 / (SELECT count(*) FROM seated) FROM moved"
);

const TAKE_SEAT: &str = "UPDATE duckmesh.writer SET seq = $3::bigint, appended = $3::bigint, touched = now()
    WHERE lake_id = $1 AND writer = $2 AND seq = $3::bigint - 1";

/// An append on its way: who sends it, and its number among those of this process.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) lake: LakeId,
    pub(super) writer: &'a str,
    pub(super) seq: i64,
}

/// Appends in a transaction of its own. An error means that nothing is in the log, unless it is of the kind `Unknown`. Before a
/// transaction is committed `known` gets what became of its records if that succeeds: who gives up waiting has it then.
pub(super) async fn append(
    client: &mut Object,
    at: Attempt<'_>,
    records: &[NewRecord],
    known: &mut Option<Vec<AppendOutcome>>,
) -> Result<Vec<AppendOutcome>> {
    if is_one_statement(records) {
        // One statement is one transaction: no BEGIN and COMMIT round trips while the lane's row is locked.
        failpoint("bus-append-before-commit", BusErrorKind::Unavailable)?;
        let base = append_segment(client, at, records, true).await?;
        failpoint("bus-append-after-commit", BusErrorKind::Unknown)?;
        return Ok(match base {
            Some(base) => appended(base, records).collect(),
            None => {
                let current = lane(client, at.lake).await?.ddl_offset;
                records.iter().map(|_| AppendOutcome::Stale { current }).collect()
            }
        });
    }
    let t = client.transaction().await.map_err(|e| postgres("begin", &e))?;
    let outcomes = append_each(&t, at, records).await?;
    if outcomes.iter().any(|outcome| matches!(outcome, AppendOutcome::Appended { .. })) {
        let statement = t.prepare_cached(TAKE_SEAT).await.map_err(|e| postgres("append", &e))?;
        let taken = t.execute(&statement, &[&at.lake.get(), &at.writer, &at.seq]).await;
        if taken.map_err(|e| postgres("append", &e))? != 1 {
            return Err(BusError::new(BusErrorKind::Unavailable, "the append came too late: it was given up"));
        }
    }
    failpoint("bus-append-before-commit", BusErrorKind::Unavailable)?;
    *known = Some(outcomes.clone());
    t.commit().await.map_err(|e| postgres("commit", &e))?;
    failpoint("bus-append-after-commit", BusErrorKind::Unknown)?;
    Ok(outcomes)
}

pub(super) fn is_one_statement(records: &[NewRecord]) -> bool {
    records.iter().all(NewRecord::is_plain) && segments(records).count() == 1
}

/// Runs of records that one statement can append: made for the same schema, DDL alone.
fn segments(records: &[NewRecord]) -> impl Iterator<Item = &[NewRecord]> {
    records.chunk_by(|a, b| a.made_for == b.made_for && !a.ddl && !b.ddl)
}

/// Appends in a transaction that holds the lane's row from the start, so that keys are checked and recorded under it.
async fn append_each(t: &impl GenericClient, at: Attempt<'_>, records: &[NewRecord]) -> Result<Vec<AppendOutcome>> {
    let (failed, lake) = (|e| postgres("append", &e), at.lake);
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
        if let [one] = segment
            && has_given_up(t, lake, one).await?
        {
            outcomes.push(AppendOutcome::GivenUp);
            continue;
        }
        let moved = |one: &NewRecord| one.head_max.is_some_and(|max| head > max);
        if segment.iter().any(|one| one.made_for == current && moved(one)) {
            outcomes.extend(segment.iter().map(|_| AppendOutcome::Moved));
            continue;
        }
        let Some(base) = append_segment(t, at, segment, false).await? else {
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
async fn append_segment(
    client: &impl GenericClient,
    at: Attempt<'_>,
    records: &[NewRecord],
    seated: bool,
) -> Result<Option<i64>> {
    let failed = |e| postgres("append", &e);
    let (Some(first), total) = (records.first(), total(records)) else {
        return Ok(None);
    };
    let (mut firsts, mut lasts, mut last) = (Vec::new(), Vec::new(), 0_i64);
    for record in records {
        firsts.push(last + 1);
        last += i64::from(record.offsets);
        lasts.push(last);
    }
    let bodies: Vec<&[u8]> = records.iter().map(|r| &r.body[..]).collect();
    let statement = client.prepare_cached(if seated { APPEND_SEATED } else { APPEND }).await.map_err(failed)?;
    let (lake, made_for) = (at.lake.get(), first.made_for.get());
    let mut values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
        vec![&lake, &total, &made_for, &first.ddl, &firsts, &lasts, &bodies];
    if seated {
        values.extend([&at.writer as &(dyn tokio_postgres::types::ToSql + Sync), &at.seq]);
    }
    let row = client.query_opt(&statement, &values).await.map_err(failed)?;
    row.map(|row| row.try_get(0).map_err(failed)).transpose()
}

fn total(records: &[NewRecord]) -> i64 {
    records.iter().map(|r| i64::from(r.offsets)).sum()
}

pub(super) fn appended(base: i64, records: &[NewRecord]) -> impl Iterator<Item = AppendOutcome> {
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

/// Whether a file of a record was given up. Under the lane's lock and in a statement of its own, so that it sees what was
/// recorded before that lock was had.
async fn has_given_up(t: &impl GenericClient, lake: LakeId, record: &NewRecord) -> Result<bool> {
    if record.files.is_empty() {
        return Ok(false);
    }
    let failed = |e| postgres("look for files that were given up", &e);
    let sql = "SELECT 1 FROM duckmesh.given_up WHERE lake_id = $1 AND name = ANY ($2) LIMIT 1";
    let statement = t.prepare_cached(sql).await.map_err(failed)?;
    Ok(t.query_opt(&statement, &[&lake.get(), &record.files]).await.map_err(failed)?.is_some())
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
