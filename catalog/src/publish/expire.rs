//! Old snapshots end, as DuckLake's `ducklake_expire_snapshots` does it: their rows go, and files that no other snapshot names
//! are scheduled for deletion.
//!
//! Never the newest one, and none that a reader has pinned. Who reads an expired one gets an error.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::commit::ATTEMPTS_BUSY;
use crate::{
    Catalog, LakeId, SnapshotId,
    catalog::{Book, Result},
    failpoint, params,
    pins::Pins,
    store::{Isolation, Row, Statement, Transaction},
};

/// Snapshots that end in one transaction.
const AT_ONCE: usize = 1000;

/// What ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Snapshots.
    pub snapshots: u64,
    /// Files that are to be deleted.
    pub files: u64,
    /// Snapshots that are old enough, and that readers keep.
    pub pinned: u64,
}

/// Rows of a table of the catalog whose life ended before any snapshot that is left.
const DEAD: &str = "end_snapshot IS NOT NULL AND NOT EXISTS (SELECT 1 FROM @ducklake_snapshot s
     WHERE s.snapshot_id >= begin_snapshot AND s.snapshot_id < end_snapshot)";

/// Tables whose rows are of a table and live from a snapshot to another.
const LIVES: [&str; 15] = [
    "ducklake_data_file",
    "ducklake_delete_file",
    "ducklake_column",
    "ducklake_column_tag",
    "ducklake_partition_info",
    "ducklake_schema",
    "ducklake_sort_info",
    "ducklake_table",
    "ducklake_tag",
    "ducklake_view",
    "duckmesh_column_tag",
    "duckmesh_constraint",
    "duckmesh_sequence",
    "duckmesh_tag",
    "duckmesh_type",
];

impl Catalog {
    /// Ends the snapshots that were made before a time. `own` are those that readers of this process keep; what others keep
    /// they say within `said_within`: so long the newest snapshot stays after another took its place.
    pub async fn expire_snapshots(
        &self,
        lake: LakeId,
        before: DateTime<Utc>,
        own: &BTreeSet<SnapshotId>,
        said_within: Duration,
    ) -> Result<Expired> {
        let book = self.book(lake).await?;
        let mut all = Expired::default();
        loop {
            let mut attempt = 0;
            let some = loop {
                attempt += 1;
                match self.expire_some(&book, lake, before, (own, said_within)).await {
                    Err(e) if e.is_soon_over() && attempt < ATTEMPTS_BUSY => {}
                    other => break other?,
                }
            };
            // What is remembered of files may be of snapshots that are gone.
            book.files.merges.fetch_add(1, Ordering::AcqRel);
            all = Expired {
                snapshots: all.snapshots + some.snapshots,
                files: all.files + some.files,
                pinned: some.pinned,
            };
            if some.snapshots < AT_ONCE as u64 {
                return Ok(all);
            }
        }
    }

    async fn expire_some(
        &self,
        book: &Book,
        lake: LakeId,
        before: DateTime<Utc>,
        kept: (&BTreeSet<SnapshotId>, Duration),
    ) -> Result<Expired> {
        let mut tx = book.store.begin_with(Isolation::RepeatableRead).await?;
        tx.take_long().await?;
        // The row that publications and merges take: none of them sees half of this.
        tx.execute("UPDATE @duckmesh_state SET epoch = epoch WHERE lake_id = $1", params![lake]).await?;
        // After that: a pin that comes later is of a snapshot that its reader looks for again.
        let pins = self.pins(lake).await?;
        let (old, pinned) = candidates(&mut tx, before, &pins, kept).await?;
        if old.is_empty() {
            tx.rollback().await;
            return Ok(Expired { pinned, ..Expired::default() });
        }
        let list = old.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tx.batch(vec![
            Statement::new(format!("DELETE FROM @ducklake_snapshot WHERE snapshot_id IN ({list})"), vec![])
                .expect(old.len() as u64),
            Statement::new(format!("DELETE FROM @ducklake_snapshot_changes WHERE snapshot_id IN ({list})"), vec![]),
        ])
        .await?;
        failpoint::hit("retention-after-list")?;
        let files = self.bury(&mut tx).await?;
        failpoint::hit("retention-before-delete")?;
        tx.commit().await?;
        Ok(Expired { snapshots: old.len() as u64, files, pinned })
    }

    /// Removes what no snapshot names any more; gives the number of files.
    async fn bury(&self, tx: &mut Transaction) -> Result<u64> {
        let mut statements = vec![
            self.schedule("ducklake_data_file", "data_file_id"),
            self.schedule("ducklake_delete_file", "delete_file_id"),
        ];
        for table in ["ducklake_file_column_stats", "ducklake_file_variant_stats", "ducklake_file_partition_value"] {
            let sql = format!(
                "DELETE FROM @{table} WHERE data_file_id IN (SELECT data_file_id FROM @ducklake_data_file WHERE {DEAD})"
            );
            statements.push(Statement::new(sql, vec![]));
        }
        for table in LIVES {
            statements.push(Statement::new(format!("DELETE FROM @{table} WHERE {DEAD}"), vec![]));
        }
        for table in ["ducklake_table_stats", "ducklake_table_column_stats"] {
            let sql = format!("DELETE FROM @{table} WHERE table_id NOT IN (SELECT table_id FROM @ducklake_table)");
            statements.push(Statement::new(sql, vec![]));
        }
        // A snapshot of another writer covers what the one of ours before it did: the last of those is kept.
        statements.push(Statement::new(
            "DELETE FROM @duckmesh_snapshot WHERE snapshot_id < (SELECT max(d.snapshot_id) FROM @duckmesh_snapshot d
                WHERE d.snapshot_id <= (SELECT min(s.snapshot_id) FROM @ducklake_snapshot s))",
            vec![],
        ));
        let counts = tx.batch(statements).await?;
        Ok(counts.iter().take(2).sum())
    }

    /// Files that no snapshot names, with their whole path below the lake's folder: the table's may go with the table.
    fn schedule(&self, files: &str, id: &str) -> Statement {
        let now = if self.is_shared() { "clock_timestamp()" } else { "$1" };
        let sql = format!(
            "INSERT INTO @ducklake_files_scheduled_for_deletion(data_file_id, path, path_is_relative, schedule_start)
             SELECT f.{id},
                CASE WHEN NOT COALESCE(f.path_is_relative, TRUE) THEN f.path
                    WHEN NOT COALESCE(t.path_is_relative, TRUE) THEN t.path || f.path
                    ELSE sc.path || t.path || f.path END,
                COALESCE(f.path_is_relative, TRUE) AND COALESCE(t.path_is_relative, TRUE)
                    AND COALESCE(sc.path_is_relative, TRUE),
                {now}
             FROM (SELECT * FROM @{files} WHERE {DEAD}) f
             JOIN @ducklake_table t ON t.table_id = f.table_id AND t.begin_snapshot =
                (SELECT max(b.begin_snapshot) FROM @ducklake_table b WHERE b.table_id = f.table_id)
             JOIN @ducklake_schema sc ON sc.schema_id = t.schema_id"
        );
        Statement::new(sql, if self.is_shared() { vec![] } else { params![self.inner.clock.now()] })
    }
}

/// Old snapshots that nobody keeps, and how many somebody does. Never the newest.
async fn candidates(
    tx: &mut Transaction,
    before: DateTime<Utc>,
    pins: &Pins,
    (own, said_within): (&BTreeSet<SnapshotId>, Duration),
) -> Result<(Vec<SnapshotId>, u64)> {
    let sql = "SELECT s.snapshot_id, s.snapshot_time, d.made_ms FROM @ducklake_snapshot s
         LEFT JOIN @duckmesh_snapshot d ON d.snapshot_id = s.snapshot_id ORDER BY s.snapshot_id";
    let rows = tx.query(sql, vec![]).await?;
    // Readers say what they keep by the database's clock; another program's snapshot has only a time of its own.
    let of = |row: &Row| -> Result<_> {
        let time = row.time(1)?;
        let made = row.opt_int(2)?.and_then(DateTime::from_timestamp_millis).unwrap_or(time);
        Ok((SnapshotId::new(row.int(0)?), time, made))
    };
    let unsaid = pins.now - TimeDelta::from_std(said_within).unwrap_or(TimeDelta::MAX);
    let (mut old, mut pinned) = (Vec::new(), 0);
    for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
        let ((id, time, _), (_, _, replaced)) = (of(row)?, of(next)?);
        // Times are in the order of ids.
        if time >= before || (replaced > unsaid && !said_within.is_zero()) || old.len() == AT_ONCE {
            break;
        }
        match own.contains(&id) || pins.keeps(id) {
            true => pinned += 1,
            false => old.push(id),
        }
    }
    Ok((old, pinned))
}
