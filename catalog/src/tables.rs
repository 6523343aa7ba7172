//! What a lake's schema is at a snapshot, also where other programs made it.

use std::sync::Arc;

use crate::{
    Catalog, ErrorKind, LakeId, LakeSchema, catalog::Result, error::Error, snapshots::SnapshotInfo,
};

impl Catalog {
    /// The schema at a snapshot; remembered by schema version.
    pub async fn schema(&self, lake: LakeId, at: &SnapshotInfo) -> Result<Arc<LakeSchema>> {
        let _ = (lake, at);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
