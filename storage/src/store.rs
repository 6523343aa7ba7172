//! One lake's objects.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem};

use crate::{
    encode::EncodedFile,
    error::{Error, ErrorKind, Result},
    names,
    stage::StagedWriter,
};

/// One lake's objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LakeFiles {
    pub(crate) store: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
}

/// An object that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Path below the lake's data path.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

impl LakeFiles {
    /// Opens a lake's data path: an absolute local folder, made if it is not there. Blocks shortly.
    pub fn open(data_path: &str) -> Result<Self> {
        let folder = PathBuf::from(data_path);
        if !folder.is_absolute() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("not an absolute folder: {data_path}"),
            ));
        }
        std::fs::create_dir_all(&folder).map_err(|e| Error::io("create the data folder", e))?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|e| Error::store("open the data folder", e))?
            .with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            folder: Some(folder),
        })
    }

    /// Where a file below the data path is on this machine; none if it is not, or if the path is unsafe.
    #[must_use]
    pub fn local_path(&self, relative: &str) -> Option<PathBuf> {
        let path = names::object_path(relative).ok()?;
        Some(self.folder.as_ref()?.join(path.as_ref()))
    }

    /// Stores a part below `schema_path` and `table_path` (with slashes at their ends). Durable on return.
    /// The same content again is success.
    pub async fn put(
        &self,
        schema_path: &str,
        table_path: &str,
        file: EncodedFile,
    ) -> Result<NewFile> {
        let _ = (schema_path, table_path, file);
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }

    /// A writer of staged files for a table.
    #[must_use]
    pub fn stage(
        &self,
        table: Arc<TableDef>,
        schema_path: String,
        columns: Vec<ColumnId>,
    ) -> StagedWriter {
        StagedWriter::new(self.clone(), table, schema_path, columns)
    }

    /// Whether a file is there.
    pub async fn exists(&self, relative: &str) -> Result<bool> {
        match self.store.head(&names::object_path(relative)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(Error::store("look for a file", e)),
        }
    }

    /// Deletes a file; one that is gone already is success.
    pub async fn delete(&self, relative: &str) -> Result<()> {
        match self.store.delete(&names::object_path(relative)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::store("delete a file", e)),
        }
    }

    /// Checks that a file has the size and the hash it was written with.
    pub async fn verify(&self, schema_path: &str, table_path: &str, file: &NewFile) -> Result<()> {
        let _ = (schema_path, table_path, file);
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }

    /// All files below the data path.
    pub async fn list(&self) -> Result<Vec<StoredFile>> {
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }

    /// Deletes files that were written here, are older than `grace` at `now`, and are not referenced. Returns their paths.
    pub async fn sweep(
        &self,
        now: DateTime<Utc>,
        grace: Duration,
        is_referenced: impl Fn(&str) -> bool + Send,
    ) -> Result<Vec<String>> {
        let _ = (now, grace, is_referenced);
        Err(Error::new(ErrorKind::Io, "not here yet"))
    }
}
