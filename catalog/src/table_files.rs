//! The files of a table at a snapshot, and the statistics to prune them by; only what is new is read.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Catalog, ColumnId, ErrorKind, FileId, LakeId, SnapshotId, TableId,
    catalog::Result,
    error::Error,
    files::{FileRange, TableFiles},
};

impl Catalog {
    /// The files of a table at a snapshot.
    pub async fn files(
        &self,
        lake: LakeId,
        snapshot: SnapshotId,
        table: TableId,
    ) -> Result<Arc<TableFiles>> {
        let _ = (lake, snapshot, table);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// The range of a column in each file of a table that has statistics.
    pub async fn ranges(
        &self,
        lake: LakeId,
        table: TableId,
        column: ColumnId,
    ) -> Result<Arc<HashMap<FileId, FileRange>>> {
        let _ = (lake, table, column);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
