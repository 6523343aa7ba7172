//! Applying changes to a schema.

use crate::{ErrorKind, LakeSchema, catalog::Result, ddl::DdlOp, error::Error};

impl LakeSchema {
    /// The schema after the changes. Messages of its errors are Postgres' own.
    pub fn apply(&self, ops: &[DdlOp]) -> Result<Self> {
        let _ = ops;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
