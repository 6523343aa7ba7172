//! How a file gets into the cache: fetched or taken over, verified, and only then given its place.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use duckmesh_catalog::failpoint;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{
    Inner, Pin,
    entries::{Outcome, Step},
    folder::{self, Stamp},
};
use crate::{
    error::{Error, ErrorKind, Result},
    file::hex,
    footer,
    remote::Expected,
    store::blocking,
};

/// Bytes that are hashed at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A fill that is on its way. Whatever becomes of it, those who wait learn it.
pub(super) struct Filling {
    inner: Arc<Inner>,
    relative: String,
    outcome: watch::Sender<Outcome>,
    is_done: bool,
    /// Who asked for it may be gone before it is here.
    _pin: Pin,
}

impl Filling {
    pub(super) fn new(inner: Arc<Inner>, relative: &str, outcome: watch::Sender<Outcome>) -> Self {
        inner.cache.entries.hold(inner.lake, relative);
        let pin = Pin::counted(&inner, relative);
        Self { inner, relative: relative.to_owned(), outcome, is_done: false, _pin: pin }
    }

    pub(super) async fn run(mut self, size_bytes: u64) {
        let filled = self.inner.fill(&self.relative, size_bytes).await;
        self.is_done = true;
        match filled {
            Ok(stamp) => self.ready(size_bytes, stamp),
            Err(error) => self.failed(error),
        }
    }

    fn ready(&self, size_bytes: u64, stamp: Stamp) {
        self.inner.cache.entries.filled(self.inner.lake, &self.relative, size_bytes, stamp);
        self.outcome.send_replace(Some(Ok(())));
    }

    fn failed(&self, error: Error) {
        folder::remove(self.inner.cache.entries.lost(self.inner.lake, &self.relative));
        self.outcome.send_replace(Some(Err(Arc::new(error))));
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if !self.is_done {
            self.failed(Error::new(ErrorKind::Io, "the fetch of a file ended early"));
        }
    }
}

impl Inner {
    /// Verifies what is in the file's place, or fetches it.
    async fn fill(&self, relative: &str, size_bytes: u64) -> Result<Stamp> {
        let expected = Expected::of(relative, size_bytes);
        if let Some(stamp) = self.take_over(relative, &expected).await? {
            self.folder.meters.hits.increment(1);
            return Ok(stamp);
        }
        self.folder.meters.misses.increment(1);
        let _turn = self.cache.fills.acquire().await;
        match self.fetch(relative, &expected).await {
            // The disk is full: everything goes that nobody reads, and if that does not help, the statement fails.
            Err(error) if error.kind() == ErrorKind::Full => {
                let dead = self.cache.entries.clear();
                blocking(move || {
                    dead.iter().for_each(|path| drop(std::fs::remove_file(path)));
                    Ok(())
                })
                .await?;
                self.fetch(relative, &expected).await
            }
            fetched => fetched,
        }
    }

    /// What an earlier run left, or what somebody changed: if it is what it must be, it is taken.
    async fn take_over(&self, relative: &str, expected: &Expected) -> Result<Option<Stamp>> {
        let (place, expected) = (self.folder.place(relative)?, expected.clone());
        if !place.exists() {
            return Ok(None);
        }
        let before = self.folder.stamp(relative)?;
        let is_right = blocking(move || Ok(verify(&place, &expected).is_ok())).await?;
        if is_right && self.folder.stamp(relative)? == before {
            return Ok(Some(before));
        }
        self.folder.meters.verify_failures.increment(1);
        tracing::warn!(relative, "a file of the cache is not what was stored; it is fetched again");
        folder::remove(self.folder.take(relative).into_iter().collect());
        Ok(None)
    }

    async fn fetch(&self, relative: &str, expected: &Expected) -> Result<Stamp> {
        let partial = Partial(self.folder.without_place());
        self.remote.download(relative, expected, &partial.0, &self.cache.ranges).await.inspect_err(|error| {
            if error.kind() == ErrorKind::Corrupt {
                self.folder.meters.verify_failures.increment(1);
            }
        })?;
        self.folder.meters.fetched_bytes.increment(expected.size_bytes);
        let (folder, relative, expected) = (Arc::clone(&self.folder), relative.to_owned(), expected.clone());
        blocking(move || {
            if expected.sha256.is_none() {
                // Another program's file: what can be known of it is that its end is that of a Parquet file.
                footer::metadata(&partial.0, expected.size_bytes)
                    .map_err(|e| Error::caused(ErrorKind::Corrupt, format!("{relative}: {e}"), e))?;
            }
            let stopped = |e: duckmesh_catalog::Error| Error::caused(ErrorKind::Io, e.to_string(), e);
            failpoint::hit("cache-after-download").map_err(stopped)?;
            failpoint::hit("cache-before-rename").map_err(stopped)?;
            folder.show(&partial.0, &relative)
        })
        .await
    }

    /// Takes in what was just stored.
    pub(super) async fn insert(self: &Arc<Self>, relative: &str, bytes: Bytes) -> Result<()> {
        let size_bytes = bytes.len() as u64;
        if !self.cache.entries.has_room(size_bytes) {
            return Ok(());
        }
        let partial = Partial(self.folder.without_place());
        let written = blocking(move || {
            std::fs::write(&partial.0, &bytes).map_err(|e| Error::io("write a file of the cache", e))?;
            Ok(partial)
        })
        .await?;
        Self::adopt(self, relative, written.0.clone(), size_bytes).await.map(drop)
    }

    /// Gives a whole file its place, whose content is known to be right.
    pub(super) async fn adopt(this: &Arc<Self>, relative: &str, from: PathBuf, size_bytes: u64) -> Result<Pin> {
        this.folder.place(relative)?;
        let (step, dead) = this.cache.entries.want(this.lake, relative, size_bytes);
        let pin = Pin::counted(this, relative);
        folder::remove(dead);
        // Where it is here, or on its way, the content is the same.
        let Step::Fill(sender, _) = step else {
            drop(pin);
            return Self::pin(this, relative, size_bytes).await;
        };
        let mut filling = Filling::new(Arc::clone(this), relative, sender);
        let (folder, name) = (Arc::clone(&this.folder), relative.to_owned());
        let shown = blocking(move || folder.show(&from, &name)).await;
        filling.is_done = true;
        match shown {
            Ok(stamp) => {
                filling.ready(size_bytes, stamp);
                Ok(pin)
            }
            Err(error) => {
                let told = Error::new(error.kind(), error.to_string());
                filling.failed(error);
                Err(told)
            }
        }
    }
}

/// A file that goes with this value, unless it got a place.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether a local file is what it must be. Blocks.
fn verify(path: &Path, expected: &Expected) -> Result<()> {
    let corrupt = || Error::new(ErrorKind::Corrupt, "a file of the cache is not what was stored");
    let failed = |e| Error::io("read a file of the cache", e);
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() != expected.size_bytes {
        return Err(corrupt());
    }
    if expected.sha256.is_none() {
        return footer::metadata(path, expected.size_bytes).map(drop);
    }
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => break,
            n => hash.update(chunk.get(..n).unwrap_or_default()),
        }
    }
    if expected.is(expected.size_bytes, &hex(hash.finalize().as_slice())) { Ok(()) } else { Err(corrupt()) }
}
