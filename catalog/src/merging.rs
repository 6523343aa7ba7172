//! Which files of a table may be merged, and which files wait for their deletion.
//!
//! Questions only: the merge itself is a publication.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::{
    Catalog, FileId, LakeId, SnapshotId, TableId,
    catalog::Result,
    files::MergeInput,
    params,
    store::{Store, quote},
    table_files,
};

/// Newest files of a table among which small ones are looked for: a large table has many that never change again.
const FILES_LOOKED_AT: u64 = 5000;

/// A file that no snapshot names any more, and that somebody may still be reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledFile {
    /// Its id.
    pub id: FileId,
    /// Path below the lake's data path, or absolute.
    pub path: String,
    /// Whether `path` is below the data path.
    pub path_is_relative: bool,
    /// Since when nothing names it; none is unknown.
    pub since: Option<DateTime<Utc>>,
}

impl Catalog {
    /// Tables with at least so many files that are smaller than a size.
    pub async fn tables_with_files(&self, lake: LakeId, files_min: usize, size_bytes: u64) -> Result<Vec<TableId>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT table_id FROM @ducklake_data_file WHERE end_snapshot IS NULL AND file_size_bytes < $1
                 GROUP BY table_id HAVING count(*) >= $2",
                params![size_bytes, files_min as u64],
            )
            .await?;
        rows.iter().map(|row| row.int(0).map(TableId::new)).collect()
    }

    /// The newest files of a table that may be merged and are smaller than a size, at most `files_max`, by row id.
    /// Left out are files with deleted rows, of other columns than the table has now, partitioned, encrypted and mapped ones.
    pub async fn merge_inputs(
        &self,
        lake: LakeId,
        table: TableId,
        size_bytes: u64,
        files_max: usize,
    ) -> Result<Vec<MergeInput>> {
        let book = self.book(lake).await?;
        let (since, leaves) = columns(&book.store, table).await?;
        let folder = table_files::folder(&book.store, table).await?;
        let deletes = with_deletes(&book.store, table).await?;
        let rows = book
            .store
            .query(
                "SELECT data_file_id, path, path_is_relative, record_count, file_size_bytes, row_id_start,
                    begin_snapshot, partial_max
                 FROM (SELECT * FROM @ducklake_data_file WHERE table_id = $1 AND begin_snapshot > $3
                       ORDER BY begin_snapshot DESC LIMIT $6) f
                 WHERE end_snapshot IS NULL AND file_size_bytes < $2 AND row_id_start IS NOT NULL
                    AND mapping_id IS NULL AND partition_id IS NULL AND encryption_key IS NULL
                    AND (SELECT count(*) FROM @ducklake_file_column_stats s
                         WHERE s.data_file_id = f.data_file_id) = $4
                 ORDER BY row_id_start DESC LIMIT $5",
                params![table, size_bytes, since, leaves, files_max as u64, FILES_LOOKED_AT],
            )
            .await?;
        let mut inputs = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let (id, begin) = (row.int(0)?, row.int(6)?);
            let (path, is_relative) = table_files::below(&folder, row.text(1)?, row.opt_bool(2)?);
            if !is_relative || deletes.contains(&id) {
                continue;
            }
            inputs.push(MergeInput {
                id: FileId::new(id),
                path,
                record_count: row.count(3)?,
                size_bytes: row.count(4)?,
                row_id_start: row.int(5)?,
                begin_snapshot: SnapshotId::new(begin),
                last_snapshot: SnapshotId::new(row.opt_int(7)?.unwrap_or(begin).max(begin)),
            });
        }
        Ok(inputs)
    }

    /// Files that wait for their deletion, by id, at most `files_max` with an id above `after`.
    pub async fn scheduled_files(&self, lake: LakeId, after: FileId, files_max: usize) -> Result<Vec<ScheduledFile>> {
        let book = self.book(lake).await?;
        let rows = book
            .store
            .query(
                "SELECT data_file_id, path, path_is_relative, schedule_start
                 FROM @ducklake_files_scheduled_for_deletion
                 WHERE data_file_id > $1 AND path IS NOT NULL ORDER BY data_file_id LIMIT $2",
                params![after, files_max as u64],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ScheduledFile {
                    id: FileId::new(row.int(0)?),
                    path: row.text(1)?,
                    path_is_relative: row.opt_bool(2)?.unwrap_or(true),
                    since: row.time(3).ok(),
                })
            })
            .collect()
    }

    /// Forgets files that are deleted.
    pub async fn forget_scheduled(&self, lake: LakeId, files: &[FileId]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let book = self.book(lake).await?;
        let sql = format!(
            "DELETE FROM @ducklake_files_scheduled_for_deletion WHERE data_file_id IN ({})",
            id_list(files.iter().copied())
        );
        book.store.execute(&sql, vec![]).await.map(drop)
    }
}

/// Numbers as SQL has them in a list.
pub(crate) fn id_list(ids: impl Iterator<Item = FileId>) -> String {
    ids.map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}

/// The table in which other writers note deleted positions of files; none where nobody did.
pub(crate) async fn inlined_delete_table(store: &Store, table: TableId) -> Result<Option<String>> {
    let name = format!("ducklake_inlined_delete_{table}");
    Ok((!store.columns_of(&name).await?.is_empty()).then(|| quote(&name)))
}

/// Since when the table's columns are what they are, and how many of them hold values.
async fn columns(store: &Store, table: TableId) -> Result<(i64, u64)> {
    let sql = "SELECT column_id, parent_column, begin_snapshot FROM @ducklake_column
         WHERE table_id = $1 AND end_snapshot IS NULL";
    let rows = store.query(sql, params![table]).await?;
    let (mut ids, mut parents, mut since) = (HashSet::new(), HashSet::new(), 0);
    for row in &rows {
        ids.insert(row.int(0)?);
        parents.extend(row.opt_int(1)?);
        since = since.max(row.int(2)?);
    }
    Ok((since, ids.difference(&parents).count() as u64))
}

/// Files of a table some of whose rows are deleted.
async fn with_deletes(store: &Store, table: TableId) -> Result<HashSet<i64>> {
    let sql = "SELECT DISTINCT data_file_id FROM @ducklake_delete_file WHERE table_id = $1";
    let mut rows = store.query(sql, params![table]).await?;
    if let Some(name) = inlined_delete_table(store, table).await? {
        rows.extend(store.query(&format!("SELECT DISTINCT file_id FROM @{name}"), vec![]).await?);
    }
    rows.iter().map(|row| row.int(0)).collect()
}
