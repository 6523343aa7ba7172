//! Snapshots of a lake: the newest, one by id, one by time, all.

use chrono::{DateTime, Utc};

use crate::{Catalog, ErrorKind, LakeId, Offset, SnapshotId, catalog::Result, error::Error};

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

impl Catalog {
    /// The newest snapshot.
    pub async fn latest(&self, lake: LakeId) -> Result<SnapshotInfo> {
        let _ = lake;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// A snapshot by id; [`ErrorKind::SnapshotExpired`] where it is not there.
    pub async fn snapshot(&self, lake: LakeId, id: SnapshotId) -> Result<SnapshotInfo> {
        let _ = (lake, id);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// The newest snapshot that is not younger than a time; [`ErrorKind::SnapshotExpired`] where none is.
    pub async fn snapshot_as_of(&self, lake: LakeId, at: DateTime<Utc>) -> Result<SnapshotInfo> {
        let _ = (lake, at);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// All snapshots, oldest first.
    pub async fn snapshots(&self, lake: LakeId) -> Result<Vec<SnapshotRow>> {
        let _ = lake;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
