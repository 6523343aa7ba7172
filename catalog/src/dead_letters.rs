//! Records that could not be applied, kept with their reason.

use chrono::{DateTime, Utc};

use crate::{
    Catalog, ErrorKind, LakeId, Offset, catalog::Result, error::Error, publish::Rejection,
};

/// A rejected record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was rejected.
    pub rejection: Rejection,
    /// When.
    pub time: DateTime<Utc>,
}

impl Catalog {
    /// All rejected records of a lake by offset.
    pub async fn dead_letters(&self, lake: LakeId) -> Result<Vec<DeadLetter>> {
        let _ = lake;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }

    /// Why an offset was rejected; none: it was not.
    pub async fn rejection(&self, lake: LakeId, offset: Offset) -> Result<Option<Rejection>> {
        let _ = (lake, offset);
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
