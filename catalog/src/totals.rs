//! How many rows and bytes each table of a lake has at a snapshot, in one look.

use std::collections::HashMap;

use crate::{Catalog, LakeId, SnapshotId, TableId, catalog::Result, params};

/// Sums over a table's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows that are not deleted. Rows that other writers keep in the catalog itself are not counted.
    pub rows: u64,
    /// Bytes of data files and delete files.
    pub bytes: u64,
}

impl Catalog {
    /// The sums of every table that has files at a snapshot.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn totals(&self, lake: LakeId, snapshot: SnapshotId) -> Result<HashMap<TableId, Totals>> {
        let book = self.book(lake).await?;
        let mut totals: HashMap<TableId, Totals> = HashMap::new();
        let data = book
            .store
            .query(
                "SELECT table_id, CAST(SUM(record_count) AS BIGINT), CAST(SUM(file_size_bytes) AS BIGINT)
                 FROM @ducklake_data_file
                 WHERE begin_snapshot <= $1 AND (end_snapshot IS NULL OR end_snapshot > $1) GROUP BY table_id",
                params![snapshot],
            )
            .await?;
        for row in data {
            let entry = totals.entry(TableId::new(row.int(0)?)).or_default();
            (entry.rows, entry.bytes) = (row.count(1)?, row.count(2)?);
        }
        let deleted = book
            .store
            .query(
                "SELECT table_id, CAST(SUM(delete_count) AS BIGINT), CAST(SUM(file_size_bytes) AS BIGINT)
                 FROM @ducklake_delete_file
                 WHERE begin_snapshot <= $1 AND (end_snapshot IS NULL OR end_snapshot > $1) GROUP BY table_id",
                params![snapshot],
            )
            .await?;
        for row in deleted {
            let entry = totals.entry(TableId::new(row.int(0)?)).or_default();
            entry.rows = entry.rows.saturating_sub(row.count(1)?);
            entry.bytes = entry.bytes.saturating_add(row.count(2)?);
        }
        Ok(totals)
    }
}
