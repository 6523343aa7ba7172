//! The catalog of one deployment: where its stores are, and what is remembered of them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{clock::Clock, error::Error, store::Store};

/// Result of the catalog.
pub type Result<T> = std::result::Result<T, Error>;

/// Where the catalog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// SQLite files below a folder.
    Sqlite {
        /// The folder of the whole server.
        data_dir: PathBuf,
    },
    /// A Postgres database.
    Postgres {
        /// `postgres://…`, or key=value.
        url: String,
    },
}

/// The book of all lakes. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) location: Location,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Store,
}

impl Catalog {
    /// Opens the catalog: makes what is missing, brings it up to date under a lock, refuses what a newer program made.
    pub async fn open(location: Location, clock: Arc<dyn Clock>) -> Result<Self> {
        let _ = (location, clock);
        Err(crate::error::Error::new(crate::ErrorKind::Store, "not yet"))
    }

    /// Closes all stores.
    pub async fn close(&self) {
        self.inner.registry.close().await;
    }
}

#[allow(dead_code)]
fn registry_path(data_dir: &Path) -> PathBuf {
    data_dir.join("duckmesh.sqlite")
}
