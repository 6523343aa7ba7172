//! Snapshots of a lake: the newest, one by id, one by time, all.

use chrono::{DateTime, Utc};

use crate::{
    Catalog, ErrorKind, LakeId, Offset, SnapshotId,
    catalog::{Book, Result},
    error::Error,
    params,
    store::Row,
};

/// Snapshots read at once while one is searched by its time.
const PAGE: i64 = 1000;

/// A snapshot, as readers pin it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its id.
    pub id: SnapshotId,
    /// When it was made.
    pub time: DateTime<Utc>,
    /// DuckLake's schema version.
    pub schema_version: i64,
    /// The watermark it covers.
    pub watermark: Offset,
    /// The last DDL frame it covers.
    pub ddl_offset: Offset,
    /// The last offset it covers whose acknowledged write could not be applied; none: all are in it.
    pub gap: Option<Offset>,
}

/// A snapshot with what was written about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// The snapshot.
    pub info: SnapshotInfo,
    /// DuckLake's list of changes.
    pub changes_made: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// Why.
    pub commit_message: Option<String>,
}

/// A snapshot by a condition, with what it covers of the log: its own row of `duckmesh_snapshot`, or the newest before it.
macro_rules! snapshot_where {
    ($condition:literal) => {
        concat!(
            "SELECT s.snapshot_id, s.snapshot_time, s.schema_version, d.watermark, d.ddl_offset, d.gap ",
            "FROM @ducklake_snapshot s JOIN @duckmesh_snapshot d ON d.snapshot_id = ",
            "(SELECT max(c.snapshot_id) FROM @duckmesh_snapshot c WHERE c.snapshot_id <= s.snapshot_id) WHERE ",
            $condition
        )
    };
}

pub(crate) const LATEST: &str =
    snapshot_where!("s.snapshot_id = (SELECT max(n.snapshot_id) FROM @ducklake_snapshot n)");
const BY_ID: &str = snapshot_where!("s.snapshot_id = $1");
const BELOW: &str = snapshot_where!(
    "s.snapshot_id = (SELECT max(n.snapshot_id) FROM @ducklake_snapshot n WHERE n.snapshot_id <
        (SELECT min(w.snapshot_id) FROM @duckmesh_snapshot w WHERE w.watermark >= $1))"
);
const BEFORE: &str = snapshot_where!("s.snapshot_id < $1 ORDER BY s.snapshot_id DESC LIMIT $2");
const ALL: &str = "SELECT s.snapshot_id, s.snapshot_time, s.schema_version, d.watermark, d.ddl_offset, d.gap,
        h.changes_made, h.author, h.commit_message
    FROM @ducklake_snapshot s
    JOIN @duckmesh_snapshot d ON d.snapshot_id =
        (SELECT max(c.snapshot_id) FROM @duckmesh_snapshot c WHERE c.snapshot_id <= s.snapshot_id)
    LEFT JOIN @ducklake_snapshot_changes h ON h.snapshot_id = s.snapshot_id
    ORDER BY s.snapshot_id";

impl Catalog {
    /// The newest snapshot.
    pub async fn latest(&self, lake: LakeId) -> Result<SnapshotInfo> {
        let book = self.book(lake).await?;
        info(&book.store.query_one(LATEST, vec![]).await?)
    }

    /// A snapshot by id; [`ErrorKind::SnapshotExpired`] where it is not there.
    pub async fn snapshot(&self, lake: LakeId, id: SnapshotId) -> Result<SnapshotInfo> {
        let book = self.book(lake).await?;
        match book.store.query_opt(BY_ID, params![id]).await? {
            Some(row) => info(&row),
            None => Err(Error::new(ErrorKind::SnapshotExpired, format!("snapshot {id} is not there"))),
        }
    }

    /// The newest snapshot that does not cover an offset; none when that is the newest of all, or is gone.
    pub async fn snapshot_below(&self, lake: LakeId, offset: Offset) -> Result<Option<SnapshotInfo>> {
        let book = self.book(lake).await?;
        book.store.query_opt(BELOW, params![offset]).await?.as_ref().map(info).transpose()
    }

    /// The newest snapshot that is not younger than a time; [`ErrorKind::SnapshotExpired`] where none is.
    pub async fn snapshot_as_of(&self, lake: LakeId, at: DateTime<Utc>) -> Result<SnapshotInfo> {
        let book = self.book(lake).await?;
        // Times are compared here and not by the store: in SQLite they are text, in whatever zone their writer had.
        let mut before = i64::MAX;
        loop {
            let page = page_before(&book, before).await?;
            for snapshot in &page {
                if snapshot.time <= at {
                    return Ok(snapshot.clone());
                }
            }
            match page.last() {
                Some(oldest) => before = oldest.id.get(),
                None => {
                    return Err(Error::new(
                        ErrorKind::SnapshotExpired,
                        format!("no snapshot is as old as {}", at.format("%Y-%m-%d %H:%M:%S%.6f+00")),
                    ));
                }
            }
        }
    }

    /// All snapshots, oldest first.
    pub async fn snapshots(&self, lake: LakeId) -> Result<Vec<SnapshotRow>> {
        let book = self.book(lake).await?;
        let rows = book.store.query(ALL, vec![]).await?;
        rows.iter()
            .map(|row| {
                Ok(SnapshotRow {
                    info: info(row)?,
                    changes_made: row.opt_text(6)?,
                    author: row.opt_text(7)?,
                    commit_message: row.opt_text(8)?,
                })
            })
            .collect()
    }
}

async fn page_before(book: &Book, before: i64) -> Result<Vec<SnapshotInfo>> {
    let rows = book.store.query(BEFORE, params![before, PAGE]).await?;
    rows.iter().map(info).collect()
}

pub(crate) fn info(row: &Row) -> Result<SnapshotInfo> {
    Ok(SnapshotInfo {
        id: SnapshotId::new(row.int(0)?),
        time: row.time(1)?,
        schema_version: row.int(2)?,
        watermark: Offset::new(row.int(3)?),
        ddl_offset: Offset::new(row.int(4)?),
        gap: row.opt_int(5)?.map(Offset::new),
    })
}
