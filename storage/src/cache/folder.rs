//! One lake's files on this machine: whole ones at the paths that they have in the store, and those without a place.

use std::{
    fs::{self, Metadata},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use metrics::{Counter, Gauge, counter, gauge};

use crate::{
    error::{Error, Result},
    names,
};

/// Nobody writes a file of the cache.
const MODE: u32 = 0o444;

#[derive(Debug)]
pub(super) struct Folder {
    files: PathBuf,
    partial: PathBuf,
    next: AtomicU64,
    pub(super) meters: Meters,
}

/// What a lake's cache counts for operators.
pub(super) struct Meters {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) fetched_bytes: Counter,
    pub(super) evictions: Counter,
    pub(super) verify_failures: Counter,
    pub(super) bytes: Gauge,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

/// How a file on disk looked when it was verified: whoever changes it afterwards changes this. Not by when it was
/// modified, which anybody can set, but by when its inode changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size_bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self { inode: meta.ino(), size_bytes: meta.len(), changed: (meta.ctime(), meta.ctime_nsec()) }
    }
}

impl Folder {
    /// Makes the folders, and removes what a crash left without a place.
    pub(super) fn open(files: PathBuf, partial: PathBuf, lake: &str) -> Result<Self> {
        match fs::remove_dir_all(&partial) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("empty a folder", e)),
            _ => {}
        }
        for folder in [&files, &partial] {
            fs::create_dir_all(folder).map_err(|e| Error::io("make a folder of the cache", e))?;
        }
        Ok(Self { files, partial, next: AtomicU64::new(0), meters: Meters::new(lake) })
    }

    pub(super) fn files(&self) -> &Path {
        &self.files
    }

    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// The place of a whole file.
    pub(super) fn place(&self, relative: &str) -> Result<PathBuf> {
        Ok(self.files.join(names::object_path(relative)?.as_ref()))
    }

    /// A path that no other file has.
    pub(super) fn without_place(&self) -> PathBuf {
        self.partial.join(format!("cache-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Gives a whole and verified file its place. Blocks.
    pub(super) fn show(&self, from: &Path, relative: &str) -> Result<Stamp> {
        let place = self.place(relative)?;
        let failed = |e| Error::io("put a file into the cache", e);
        fs::set_permissions(from, fs::Permissions::from_mode(MODE)).map_err(failed)?;
        if let Some(above) = place.parent() {
            fs::create_dir_all(above).map_err(failed)?;
        }
        fs::rename(from, &place).map_err(failed)?;
        self.stamp(relative)
    }

    /// How the file in its place looks now.
    pub(super) fn stamp(&self, relative: &str) -> Result<Stamp> {
        let meta = fs::metadata(self.place(relative)?).map_err(|e| Error::io("look at a file of the cache", e))?;
        Ok(Stamp::of(&meta))
    }

    /// Takes a file from its place, so that the place is free at once; the file is to be removed.
    pub(super) fn take(&self, relative: &str) -> Option<PathBuf> {
        let dead = self.without_place();
        fs::rename(self.place(relative).ok()?, &dead).ok()?;
        Some(dead)
    }
}

/// Removes files that were taken from their places, beside the runtime's workers where there is one.
pub(super) fn remove(dead: Vec<PathBuf>) {
    if dead.is_empty() {
        return;
    }
    let remove = move || {
        for path in dead {
            // What stays is removed at the next start.
            let _ = fs::remove_file(path);
        }
    };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(remove)),
        Err(_) => remove(),
    }
}

impl Meters {
    fn new(lake: &str) -> Self {
        let lake = || [("lake", lake.to_owned())];
        Self {
            hits: counter!("duckmesh_cache_hits_total", &lake()),
            misses: counter!("duckmesh_cache_misses_total", &lake()),
            fetched_bytes: counter!("duckmesh_cache_fetched_bytes_total", &lake()),
            evictions: counter!("duckmesh_cache_evictions_total", &lake()),
            verify_failures: counter!("duckmesh_cache_verify_failures_total", &lake()),
            bytes: gauge!("duckmesh_cache_bytes", &lake()),
        }
    }
}
