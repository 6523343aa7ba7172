//! Files of a table become one: a snapshot that shows the same rows.
//!
//! The log is not touched: the snapshot covers of it what the one before did. Older snapshots find their rows in the
//! merged file, by the snapshot that it has of each row.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    commit::{ATTEMPTS, ATTEMPTS_BUSY, cover, is_store_conflict},
    files::{Place, insert_file},
};
use crate::{
    Catalog, Epoch, ErrorKind, FileId, LakeId, SnapshotId, TableId,
    catalog::{Book, Result},
    error::Error,
    failpoint,
    files::{MergeInput, NewFile},
    leases::millis,
    merging::{id_list, inlined_delete_table},
    params, snapshots,
    store::{Isolation, Row, Statement, Transaction},
};

/// A server that was stopped for longer than this is not expected back: its staged and merged files are swept without a trace.
const GIVEN_UP_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Files that are to be one.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The lake.
    pub lake: LakeId,
    /// The merger's epoch; an old one is refused as [`ErrorKind::Fenced`]. None beside another process that publishes: then
    /// what was read of the inputs alone says whether they are still the ones.
    pub epoch: Option<Epoch>,
    /// The table.
    pub table: TableId,
    /// The files, without gaps between their row ids.
    pub inputs: Vec<MergeInput>,
    /// What has all their rows, in this order, and of each the snapshot it came in.
    pub file: NewFile,
}

impl Catalog {
    /// Puts the merged file in the place of its inputs, which are scheduled for deletion. None where an input is not
    /// any more what it was (its rows were deleted, its table was dropped, another program merged it): then nothing happened.
    pub async fn merge(&self, merge: &Merge) -> Result<Option<SnapshotId>> {
        let book = self.book(merge.lake).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let merged = self.merge_once(&book, merge).await;
            // Also where the outcome is not known: what is remembered may name files that will be deleted.
            book.files.merges.fetch_add(1, Ordering::AcqRel);
            match merged {
                Err(e)
                    if (attempt < ATTEMPTS && is_store_conflict(&e))
                        || (attempt < ATTEMPTS_BUSY && e.is_soon_over()) => {}
                Err(e) if is_store_conflict(&e) => {
                    return Err(Error::caused(ErrorKind::Retry, "other writers keep taking the next snapshot", e));
                }
                other => return other,
            }
        }
    }

    async fn merge_once(&self, book: &Book, merge: &Merge) -> Result<Option<SnapshotId>> {
        let mut tx = book.store.begin_with(Isolation::RepeatableRead).await?;
        match self.write_merge(&mut tx, book, merge).await {
            Ok(Some(snapshot)) => {
                failpoint::hit("compact-before-publish")?;
                tx.commit().await?;
                Ok(Some(snapshot))
            }
            other => {
                tx.rollback().await;
                other
            }
        }
    }

    async fn write_merge(&self, tx: &mut Transaction, book: &Book, merge: &Merge) -> Result<Option<SnapshotId>> {
        let (Some(first), Some(last)) = (merge.inputs.first(), merge.inputs.last()) else {
            return Ok(None);
        };
        holds_lease(tx, merge).await?;
        let latest = snapshots::info(&tx.query_one(snapshots::LATEST, vec![]).await?)?;
        let given_up = "SELECT count(*) FROM @duckmesh_given_up WHERE name = $1";
        if tx.query_one(given_up, params![&merge.file.path]).await?.int(0)? > 0 {
            return Err(Error::new(ErrorKind::Fenced, "the merged file came too late: it was given up"));
        }
        if !are_unchanged(tx, book, merge).await? {
            return Ok(None);
        }
        let ids = "SELECT next_catalog_id, next_file_id FROM @ducklake_snapshot WHERE snapshot_id = $1";
        let ids = tx.query_one(ids, params![latest.id]).await?;
        let (snapshot, id) = (latest.id.next(), ids.int(1)?);
        let now = self.inner.clock.now();
        let time = now.max(latest.time + chrono::Duration::microseconds(1));
        let mut statements = vec![
            Statement::new(
                "INSERT INTO @ducklake_snapshot(snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id)
                 VALUES ($1, $2, $3, $4, $5)",
                params![snapshot, time, latest.schema_version, ids.int(0)?, id + 1],
            ),
            Statement::new(
                "INSERT INTO @ducklake_snapshot_changes(snapshot_id, changes_made) VALUES ($1, $2)",
                params![snapshot, format!("merge_adjacent:{}", merge.table)],
            ),
        ];
        let begins = merge.inputs.iter().map(|input| input.begin_snapshot);
        let ends = merge.inputs.iter().map(|input| input.last_snapshot);
        let place = Place {
            id,
            table: merge.table,
            begin: begins.min().unwrap_or(first.begin_snapshot),
            partial_max: Some(ends.max().unwrap_or(last.last_snapshot)),
            row_id: first.row_id_start,
        };
        insert_file(&mut statements, &place, &merge.file);
        statements.push(Statement::new(
            "UPDATE @ducklake_table_stats SET file_size_bytes = file_size_bytes + $2 WHERE table_id = $1",
            params![merge.table, merge.file.size_bytes],
        ));
        for input in &merge.inputs {
            statements.push(self.scheduled(input, now));
        }
        let list = inputs(merge);
        let of_files = format!("DELETE FROM @ducklake_file_column_stats WHERE data_file_id IN ({list})");
        statements.push(Statement::new(of_files, vec![]));
        let files = format!("DELETE FROM @ducklake_data_file WHERE data_file_id IN ({list})");
        statements.push(Statement::new(files, vec![]).expect(merge.inputs.len() as u64));
        statements.push(cover(snapshot, latest.watermark, latest.ddl_offset, latest.gap));
        tx.batch(statements).await?;
        Ok(Some(snapshot))
    }
}

impl Catalog {
    /// From now on no merge may show these files, and none that is on its way: what shows them by then is in the catalog.
    pub async fn give_up(&self, lake: LakeId, files: &[String]) -> Result<()> {
        let book = self.book(lake).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match give_up(&book, lake, files).await {
                Err(e) if e.is_soon_over() && attempt < ATTEMPTS_BUSY => {}
                other => return other,
            }
        }
    }

    /// A file that is to be deleted. Several servers compare that time with when their readers began: it is the database's.
    fn scheduled(&self, input: &MergeInput, now: DateTime<Utc>) -> Statement {
        let (id, path) = (input.id, &input.path);
        if self.is_shared() {
            let sql = "INSERT INTO @ducklake_files_scheduled_for_deletion
                    (data_file_id, path, path_is_relative, schedule_start) VALUES ($1, $2, $3, clock_timestamp())";
            return Statement::new(sql, params![id, path, true]);
        }
        let sql = "INSERT INTO @ducklake_files_scheduled_for_deletion
                (data_file_id, path, path_is_relative, schedule_start) VALUES ($1, $2, $3, $4)";
        Statement::new(sql, params![id, path, true, now])
    }
}

async fn give_up(book: &Book, lake: LakeId, files: &[String]) -> Result<()> {
    // The row that merges take: one that comes later begins behind this, and one that waits for it begins anew.
    let mut tx = book.store.begin_with(Isolation::RepeatableRead).await?;
    tx.execute("UPDATE @duckmesh_state SET epoch = epoch WHERE lake_id = $1", params![lake]).await?;
    let mut statements = vec![Statement::new(
        "DELETE FROM @duckmesh_given_up WHERE given_up_ms < @@now_ms - $1",
        params![millis(GIVEN_UP_KEPT)],
    )];
    statements.extend(files.iter().map(|file| {
        let sql = "INSERT INTO @duckmesh_given_up(name, given_up_ms) VALUES ($1, @@now_ms) ON CONFLICT DO NOTHING";
        Statement::new(sql, params![file])
    }));
    tx.batch(statements).await?;
    tx.commit().await
}

fn inputs(merge: &Merge) -> String {
    id_list(merge.inputs.iter().map(|input| input.id))
}

/// Takes the row that publications take, so that one comes after the other; for the right epoch alone.
async fn holds_lease(tx: &mut Transaction, merge: &Merge) -> Result<()> {
    let sql = "UPDATE @duckmesh_state SET epoch = epoch WHERE epoch = COALESCE($1, epoch) AND lake_id = $2";
    if tx.execute(sql, params![merge.epoch.map(Epoch::get), merge.lake]).await? == 1 {
        return Ok(());
    }
    let epoch = merge.epoch.map_or_else(|| "no".to_owned(), |epoch| epoch.to_string());
    Err(Error::new(ErrorKind::Fenced, format!("epoch {epoch} merges no more: another publishes now")))
}

/// Whether all inputs are live, whole and next to each other, and the new file has all their rows. What other writers
/// change behind this look takes the next snapshot's id, and one of the two is made again.
async fn are_unchanged(tx: &mut Transaction, book: &Book, merge: &Merge) -> Result<bool> {
    let list = inputs(merge);
    let sql = format!(
        "SELECT data_file_id, record_count, row_id_start, begin_snapshot, partial_max FROM @ducklake_data_file
         WHERE data_file_id IN ({list}) AND table_id = $1 AND end_snapshot IS NULL ORDER BY row_id_start"
    );
    let rows = tx.query(&sql, params![merge.table]).await?;
    let as_planned = |row: &Row, input: &MergeInput| -> Result<bool> {
        let begin = row.int(3)?;
        Ok(FileId::new(row.int(0)?) == input.id
            && row.count(1)? == input.record_count
            && row.opt_int(2)? == Some(input.row_id_start)
            && begin == input.begin_snapshot.get()
            && row.opt_int(4)?.unwrap_or(begin) == input.last_snapshot.get())
    };
    if rows.len() != merge.inputs.len() {
        return Ok(false);
    }
    for (row, input) in rows.iter().zip(&merge.inputs) {
        if !as_planned(row, input)? {
            return Ok(false);
        }
    }
    let total: u64 = merge.inputs.iter().map(|input| input.record_count).sum();
    let gaps = merge.inputs.windows(2).any(|pair| matches!(pair, [a, b] if a.row_id_end() != b.row_id_start));
    if gaps || total != merge.file.record_count {
        return Err(Error::new(ErrorKind::Invalid, "a merged file must have the rows of its inputs, without a gap"));
    }
    let sql = format!("SELECT count(*) FROM @ducklake_delete_file WHERE table_id = $1 AND data_file_id IN ({list})");
    let mut deletes = tx.query_one(&sql, params![merge.table]).await?.int(0)?;
    if let Some(name) = inlined_delete_table(&book.store, merge.table).await? {
        let sql = format!("SELECT count(*) FROM @{name} WHERE file_id IN ({list})");
        deletes += tx.query_one(&sql, vec![]).await?.int(0)?;
    }
    Ok(deletes == 0)
}
