//! The cache of a remote store's files: one folder for each lake, one budget for the process.
//!
//! DuckDB reads files of the cache and of no other place. A file is in it whole and verified, or not at all; it is never
//! written again, and it stays while a statement reads it. It is never needed: what is lost is fetched again.

mod entries;
mod fill;
mod folder;
mod pin;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Semaphore;

use crate::{
    error::Result,
    remote::{RANGES_MAX, Remote},
};
use entries::Entries;
use folder::Folder;
pub use pin::Held;
pub(crate) use pin::Pin;

/// Files that are fetched at once, in this process.
const FILLS_AT_ONCE: usize = 16;

/// The budget that the lakes of a process share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache {
    entries: Arc<Entries>,
    fills: Arc<Semaphore>,
    /// Ranges on their way, to bound what they take in memory.
    ranges: Arc<Semaphore>,
    lakes: Arc<AtomicU64>,
}

/// One lake's part of it. Cheap to clone; with the last clone the lake's files are forgotten, and stay on disk.
#[derive(Clone, Debug)]
pub(crate) struct LakeCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cache: Cache,
    lake: u64,
    remote: Remote,
    folder: Arc<Folder>,
}

impl Cache {
    /// A cache of so many bytes. Files that statements read right now may take more.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Self {
        Self {
            entries: Arc::new(Entries::new(budget_bytes)),
            fills: Arc::new(Semaphore::new(FILLS_AT_ONCE)),
            ranges: Arc::new(Semaphore::new(RANGES_MAX)),
            lakes: Arc::default(),
        }
    }
}

impl LakeCache {
    /// Opens a lake's folders, and takes over what is there: each file is verified before its first use. Blocks.
    pub(crate) fn open(cache: &Cache, remote: Remote, files: PathBuf, partial: PathBuf, lake: &str) -> Result<Self> {
        let folder = Arc::new(Folder::open(files, partial, lake)?);
        let mut found = crate::store::walk(folder.files())?;
        found.sort_by_key(|file| file.modified);
        let lake = cache.lakes.fetch_add(1, Ordering::Relaxed);
        let dead = cache.entries.open(lake, &folder, &found);
        folder::remove(dead);
        Ok(Self(Arc::new(Inner { cache: cache.clone(), lake, remote, folder })))
    }

    /// The folder that the lake's engine may read.
    pub(crate) fn files(&self) -> &Path {
        self.0.folder.files()
    }

    /// The folder of files that have no place yet; emptied at the next start.
    pub(crate) fn partial(&self) -> &Path {
        self.0.folder.partial()
    }

    pub(crate) fn ranges(&self) -> &Arc<Semaphore> {
        &self.0.cache.ranges
    }

    /// The file is no part of the lake any more.
    pub(crate) fn forget(&self, relative: &str) {
        folder::remove(self.0.cache.entries.forget(self.0.lake, relative));
    }

    /// Takes in content that was just stored, as far as there is room: whoever reads it next finds it here.
    pub(crate) async fn insert(&self, relative: &str, bytes: bytes::Bytes) {
        if let Err(error) = self.0.insert(relative, bytes).await {
            tracing::debug!(%error, "what was stored is not in the cache");
        }
    }

    /// Takes a verified local file in, whose content was just stored; it stays as long as the pin.
    pub(crate) async fn adopt(&self, relative: &str, from: &Path, size_bytes: u64) -> Result<Pin> {
        Inner::adopt(&self.0, relative, from.to_path_buf(), size_bytes).await
    }

    /// Sees to it that a file is here, whole and verified, and keeps it.
    pub(crate) async fn pin(&self, relative: &str, size_bytes: u64) -> Result<Pin> {
        Inner::pin(&self.0, relative, size_bytes).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.cache.entries.close(self.lake);
    }
}
