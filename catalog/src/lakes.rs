//! Which lakes there are.

use chrono::{DateTime, Utc};

use crate::{Catalog, ErrorKind, LakeId, LakeName, catalog::Result, error::Error};

/// A lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeInfo {
    /// Its identity.
    pub id: LakeId,
    /// Its name: the name of the Postgres database.
    pub name: LakeName,
    /// Absolute folder or URL of its files, with a slash at the end.
    pub data_path: String,
    /// When it was made.
    pub created: DateTime<Utc>,
}

impl Catalog {
    /// Makes a lake with the schema `main` and snapshot 0.
    pub async fn create_lake(&self, name: &LakeName, data_path: &str) -> Result<LakeInfo> {
        let _ = (name, data_path);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// Removes a lake from the catalog; its files, where they are not below the catalog's folder, are the caller's.
    pub async fn drop_lake(&self, lake: LakeId) -> Result<()> {
        let _ = lake;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// All lakes by name.
    pub async fn lakes(&self) -> Result<Vec<LakeInfo>> {
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// The lake of that name.
    pub async fn lake(&self, name: &LakeName) -> Result<Option<LakeInfo>> {
        let _ = name;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
