//! The transaction itself.

use crate::{
    Catalog, ErrorKind,
    catalog::Result,
    error::Error,
    publish::{Publication, Published},
};

impl Catalog {
    /// Publishes: all of it, or nothing.
    pub async fn publish(&self, publication: &Publication) -> Result<Published> {
        let _ = publication;
        Err(Error::new(ErrorKind::Store, "not yet"))
    }
}
