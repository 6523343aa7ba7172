//! One lake's objects, in a folder of this machine or in a bucket.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use duckmesh_catalog::{ColumnId, TableDef, files::NewFile};
use futures::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, local::LocalFileSystem};
use sha2::{Digest, Sha256};

use crate::{
    cache::Held,
    claims::Claims,
    encode::EncodedFile,
    error::{Error, ErrorKind, Result},
    file::hex,
    lake::RemoteLake,
    location::Location,
    names,
    stage::StagedWriter,
};

/// One lake's objects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LakeFiles {
    pub(crate) place: Place,
    pub(crate) claims: Claims,
}

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a folder of this machine, which DuckDB reads.
    Folder { store: Arc<LocalFileSystem>, folder: PathBuf },
    /// In a bucket; DuckDB reads copies in the cache.
    Remote(Arc<RemoteLake>),
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
        let Location::Folder(folder) = Location::parse(data_path)? else {
            return Err(Error::new(ErrorKind::Invalid, format!("not a folder of this machine: {data_path}")));
        };
        create_durably(&folder).map_err(|e| Error::io("create the data folder", e))?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|e| Error::store("open the data folder", e))?
            .with_fsync(true);
        Ok(Self { place: Place::Folder { store: Arc::new(store), folder }, claims: Claims::default() })
    }

    /// Where a file below the data path is on this machine; none if the path is unsafe. The copy of a remote file is
    /// there only while it is held ([`LakeFiles::hold`], [`crate::Claim`]).
    #[must_use]
    pub fn local_path(&self, relative: &str) -> Option<PathBuf> {
        let path = names::object_path(relative).ok()?;
        Some(self.local_folder().join(path.as_ref()))
    }

    /// Whether files are in a bucket, and have to be fetched to be read.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.place, Place::Remote(_))
    }

    /// The folder of this machine that has all files that are read.
    #[must_use]
    pub fn local_folder(&self) -> &Path {
        match &self.place {
            Place::Folder { folder, .. } => folder,
            Place::Remote(lake) => lake.cache.files(),
        }
    }

    /// The path below the data path, of a file that another program entered with its whole path. None where the file is
    /// elsewhere; in a folder of this machine it is read where it is.
    #[must_use]
    pub fn relative_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        match &self.place {
            Place::Folder { .. } => None,
            Place::Remote(lake) => lake.relative(path),
        }
    }

    /// Sees to it that files, each with its size, are on this machine, whole and verified, until what this gives is
    /// dropped. Files of a local folder are there already, and are not looked at.
    ///
    /// # Errors
    /// `NotFound` and `Corrupt` where the store has not what was written, `Full` where the disk has no room.
    pub async fn hold(&self, files: Vec<(String, u64)>) -> Result<Held> {
        match &self.place {
            Place::Folder { .. } => Ok(Held::default()),
            Place::Remote(lake) => lake.hold(files).await,
        }
    }

    /// A file on this machine, and what keeps it there.
    pub(crate) async fn local(&self, relative: &str, size_bytes: u64) -> Result<(Held, PathBuf)> {
        let unsafe_path = || Error::new(ErrorKind::Corrupt, format!("unsafe path in the catalog: {relative:?}"));
        let path = self.local_path(relative).ok_or_else(unsafe_path)?;
        Ok((self.hold(vec![(relative.to_owned(), size_bytes)]).await?, path))
    }

    /// Stores a part below `schema_path` and `table_path` (with slashes at their ends). Durable on return.
    /// The same content again is success.
    pub async fn put(&self, schema_path: &str, table_path: &str, file: EncodedFile) -> Result<NewFile> {
        let relative = format!("{schema_path}{table_path}{}", file.file.path);
        let store = match &self.place {
            Place::Folder { store, .. } => store,
            Place::Remote(lake) => return lake.put(&relative, file).await,
        };
        let EncodedFile { file, bytes } = file;
        let path = names::object_path(&relative)?;
        let create = PutOptions::from(PutMode::Create);
        match store.put_opts(&path, bytes.into(), create).await {
            Ok(_) => self.seal(&relative).await?,
            // An earlier try of the same work succeeded: its answer was lost, or its process died behind it.
            Err(object_store::Error::AlreadyExists { .. }) => {
                self.verify(schema_path, table_path, &file).await.map_err(|e| match e.kind() {
                    ErrorKind::Corrupt => Error::caused(
                        ErrorKind::AlreadyExists,
                        format!("{relative} is there already with other content"),
                        e,
                    ),
                    _ => e,
                })?;
                self.sync(&relative).await?;
                self.seal(&relative).await?;
            }
            Err(e) => return Err(Error::store("store a file", e)),
        }
        Ok(file)
    }

    /// A writer of staged files for a table.
    #[must_use]
    pub fn stage(&self, table: Arc<TableDef>, schema_path: String, columns: Vec<ColumnId>) -> StagedWriter {
        StagedWriter::new(self.clone(), table, &schema_path, columns)
    }

    /// Whether a file is there.
    pub async fn exists(&self, relative: &str) -> Result<bool> {
        let store = match &self.place {
            Place::Folder { store, .. } => store,
            Place::Remote(lake) => return lake.exists(relative).await,
        };
        match store.head(&names::object_path(relative)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(Error::store("look for a file", e)),
        }
    }

    /// Deletes a file; one that is gone already is success.
    pub async fn delete(&self, relative: &str) -> Result<()> {
        let store = match &self.place {
            Place::Folder { store, .. } => store,
            Place::Remote(lake) => return lake.delete(relative).await,
        };
        match store.delete(&names::object_path(relative)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::store("delete a file", e)),
        }
    }

    /// Checks that a file has the size and the hash it was written with.
    pub async fn verify(&self, schema_path: &str, table_path: &str, file: &NewFile) -> Result<()> {
        let relative = format!("{schema_path}{table_path}{}", file.path);
        let path = names::object_path(&relative)?;
        let corrupt =
            |what: &str| Error::new(ErrorKind::Corrupt, format!("{relative}: {what} is not what was written"));
        let store = match &self.place {
            Place::Folder { store, .. } => store,
            Place::Remote(lake) if lake.is(&relative, file).await? => return Ok(()),
            Place::Remote(_) => return Err(corrupt("the content")),
        };
        let found = store.get(&path).await.map_err(|e| Error::store("read a file", e))?;
        if found.meta.size != file.size_bytes {
            return Err(corrupt("the size"));
        }
        let mut content = found.into_stream();
        let mut hash = Sha256::new();
        while let Some(chunk) = content.next().await {
            hash.update(chunk.map_err(|e| Error::store("read a file", e))?);
        }
        if hex(hash.finalize().as_slice()) != file.sha256 {
            return Err(corrupt("the content"));
        }
        Ok(())
    }

    /// All files below the data path, those of unfinished uploads too.
    pub async fn list(&self) -> Result<Vec<StoredFile>> {
        match &self.place {
            // Not by object_store: it leaves out what a killed process had not finished.
            Place::Folder { folder, .. } => {
                let folder = folder.clone();
                blocking(move || walk(&folder)).await
            }
            Place::Remote(lake) => lake.list().await,
        }
    }

    /// Deletes all of the lake's files: the lake was dropped.
    pub async fn destroy(&self) -> Result<()> {
        let folder = match &self.place {
            Place::Folder { folder, .. } => folder.clone(),
            Place::Remote(lake) => return lake.destroy().await,
        };
        blocking(move || match std::fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove a folder", e)),
            _ => Ok(()),
        })
        .await
    }

    /// The time by the clock that the times of files are of: whatever the one of this machine says.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        let name = names::clock();
        let folder = match &self.place {
            Place::Folder { folder, .. } => folder.clone(),
            Place::Remote(lake) => return lake.now(&name).await,
        };
        blocking(move || {
            let path = folder.join(name);
            let failed = |e| Error::io("ask the file system for the time", e);
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let file = File::create_new(&path).map_err(failed)?;
            let time = file.metadata().and_then(|metadata| metadata.modified());
            std::fs::remove_file(&path).map_err(failed)?;
            time.map(DateTime::from).map_err(failed)
        })
        .await
    }

    /// Files that were written here, are older than `grace` at `now`, and that nobody in this process claims. Which of
    /// them are garbage the caller must find out, after this: what was not claimed then is named by a frame in the
    /// log already, or by the catalog, or by nobody ever. Uploads to a bucket that were begun so long ago are aborted.
    pub async fn unclaimed(&self, now: DateTime<Utc>, grace: Duration) -> Result<Vec<StoredFile>> {
        if let Place::Remote(lake) = &self.place {
            return lake.unclaimed(&self.claims, now, grace).await;
        }
        let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
        let mut files = self.list().await?;
        files.retain(|file| {
            let is_old = now.signed_duration_since(file.modified) > grace;
            is_old && names::is_ours(&file.path) && !self.claims.has(&file.path)
        });
        Ok(files)
    }

    /// Deletes garbage: by the file system where there is one: object_store refuses the names of unfinished uploads.
    pub async fn remove(&self, relative: &str) -> Result<()> {
        if let Place::Remote(lake) = &self.place {
            return lake.delete(relative).await;
        }
        let Some(path) = self.local_path(relative) else { return Ok(()) };
        blocking(move || match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete a file", e)),
            _ => Ok(()),
        })
        .await
    }

    /// Takes the right to write from a finished local file: nothing may change it any more.
    pub(crate) async fn seal(&self, relative: &str) -> Result<()> {
        let (Place::Folder { .. }, Some(path)) = (&self.place, self.local_path(relative)) else {
            return Ok(());
        };
        blocking(move || {
            let mut permissions = std::fs::metadata(&path).map_err(|e| Error::io("look at a file", e))?.permissions();
            permissions.set_readonly(true);
            std::fs::set_permissions(&path, permissions).map_err(|e| Error::io("seal a file", e))
        })
        .await
    }

    /// Makes a local file durable that another process wrote: it may have died before its folder's fsync.
    async fn sync(&self, relative: &str) -> Result<()> {
        let (Some(path), Place::Folder { folder, .. }) = (self.local_path(relative), &self.place) else {
            return Ok(());
        };
        let top = folder.clone();
        blocking(move || {
            for path in path.ancestors().take_while(|p| p.starts_with(&top)) {
                let file = File::open(path).map_err(|e| Error::io("open a file", e))?;
                file.sync_all().map_err(|e| Error::io("sync a file", e))?;
            }
            Ok(())
        })
        .await
    }
}

/// Makes a folder and those above it, and makes them durable: files in them are promised to be.
fn create_durably(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(above) = folder.parent() else {
        return Ok(());
    };
    create_durably(above)?;
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| File::open(above)?.sync_all()),
    }
}

/// Runs blocking work beside the runtime's workers.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::caused(ErrorKind::Io, "a storage task ended early", e))?
}

/// All files below a folder, paths with slashes. Links are not followed; what vanishes meanwhile is left out.
pub(crate) fn walk(top: &Path) -> Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    let mut folders = vec![(top.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|e| Error::io("list a folder", e))?,
        };
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("list a folder", e))?;
            // Names that are not UTF-8 were not written here, and no catalog can refer to them.
            let (Ok(name), Ok(meta)) = (entry.file_name().into_string(), entry.metadata()) else {
                continue;
            };
            if meta.is_dir() {
                folders.push((entry.path(), format!("{prefix}{name}/")));
            } else if meta.is_file() {
                let modified = meta.modified().map_err(|e| Error::io("look at a file", e))?;
                files.push(StoredFile {
                    path: format!("{prefix}{name}"),
                    size_bytes: meta.len(),
                    modified: modified.into(),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
