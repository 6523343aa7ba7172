//! One lake's files in a bucket: what is stored there, what of it is on this machine, and who still needs it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use duckmesh_catalog::files::NewFile;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use object_store::local::LocalFileSystem;
use uuid::Uuid;

use crate::{
    cache::{Cache, Held, LakeCache, Pin},
    claims::Claims,
    encode::EncodedFile,
    error::{Error, Result},
    names,
    remote::{Remote, Unfinished},
    store::StoredFile,
};

/// Files of one statement that are seen to at once.
const PINS_AT_ONCE: usize = 32;
/// Objects that are deleted at once, with a lake.
const DELETES_AT_ONCE: usize = 16;
/// Where processes say which staged files they need.
const CLAIMS_FOLDER: &str = "duckmesh-claims/";

/// One lake's files in a bucket.
#[derive(Debug)]
pub(crate) struct RemoteLake {
    remote: Remote,
    /// The lake's data path.
    url: String,
    pub(crate) cache: LakeCache,
    /// Staged files, until they are whole and uploaded.
    pub(crate) staging: Arc<LocalFileSystem>,
    /// This process's list of claims.
    claims_path: String,
    has_claims: AtomicBool,
}

impl RemoteLake {
    /// Blocks.
    pub(crate) fn open(remote: Remote, url: String, cache: &Cache, folder: &Path, lake: &str) -> Result<Self> {
        let cache = LakeCache::open(cache, remote.clone(), folder.join("cache"), folder.join("staging"), lake)?;
        let staging = LocalFileSystem::new_with_prefix(cache.partial())
            .map_err(|e| Error::store("open the folder of staged files", e))?;
        Ok(Self {
            remote,
            url,
            cache,
            staging: Arc::new(staging),
            claims_path: format!("{CLAIMS_FOLDER}{}", Uuid::now_v7()),
            has_claims: AtomicBool::new(false),
        })
    }

    /// A path below the data path, of one that begins with it.
    pub(crate) fn relative<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.url)
    }

    pub(crate) async fn put(&self, relative: &str, file: EncodedFile) -> Result<NewFile> {
        let EncodedFile { file, bytes } = file;
        self.remote.create(relative, bytes.clone(), &file.sha256, self.cache.ranges()).await?;
        // It will be read next, and here.
        self.cache.insert(relative, bytes).await;
        Ok(file)
    }

    /// Stores a staged file, and makes it one of the cache.
    pub(crate) async fn put_staged(&self, relative: &str, from: PathBuf, file: &NewFile) -> Result<Pin> {
        self.remote.upload(relative, &from, file.size_bytes, &file.sha256, self.cache.ranges()).await?;
        self.cache.adopt(relative, &from, file.size_bytes).await
    }

    pub(crate) async fn exists(&self, relative: &str) -> Result<bool> {
        self.remote.exists(relative).await
    }

    pub(crate) async fn delete(&self, relative: &str) -> Result<()> {
        self.remote.delete(relative).await?;
        self.cache.forget(relative);
        Ok(())
    }

    pub(crate) async fn is(&self, relative: &str, file: &NewFile) -> Result<bool> {
        Ok(self.remote.hash(relative, file.size_bytes, self.cache.ranges()).await? == file.sha256)
    }

    pub(crate) async fn list(&self) -> Result<Vec<StoredFile>> {
        let mut files = self.remote.list().await?;
        files.retain(|file| !file.path.starts_with(CLAIMS_FOLDER));
        Ok(files)
    }

    pub(crate) async fn hold(&self, files: Vec<(String, u64)>) -> Result<Held> {
        // Boxed: the compiler does not see that a stream of borrowed futures can go to another thread.
        let pins = files.into_iter().map(|(relative, size)| -> BoxFuture<'static, Result<Pin>> {
            let cache = self.cache.clone();
            Box::pin(async move { cache.pin(&relative, size).await })
        });
        stream::iter(pins).buffer_unordered(PINS_AT_ONCE).try_collect().await.map(Held)
    }

    /// Tells other processes which staged files this one needs.
    pub(crate) async fn publish_claims(&self, claimed: &[String]) -> Result<()> {
        if claimed.is_empty() {
            if self.has_claims.swap(false, Ordering::SeqCst) {
                self.remote.delete(&self.claims_path).await?;
            }
            return Ok(());
        }
        self.has_claims.store(true, Ordering::SeqCst);
        self.remote.overwrite(&self.claims_path, Bytes::from(claimed.join("\n"))).await
    }

    /// The store's time: the one of an object that is made now.
    pub(crate) async fn now(&self, name: &str) -> Result<DateTime<Utc>> {
        let path = format!("{CLAIMS_FOLDER}{name}");
        self.remote.overwrite(&path, Bytes::new()).await?;
        let made = self.remote.modified(&path).await;
        self.remote.delete(&path).await?;
        made
    }

    /// Objects that are old, ours, and that no living process claims; uploads of that kind are aborted.
    pub(crate) async fn unclaimed(
        &self,
        claims: &Claims,
        now: DateTime<Utc>,
        grace: Duration,
    ) -> Result<Vec<StoredFile>> {
        let grace = TimeDelta::from_std(grace).unwrap_or(TimeDelta::MAX);
        let is_old = |at: DateTime<Utc>| now.signed_duration_since(at) > grace;
        let objects = self.remote.list().await?;
        let uploads = self.unfinished().await;
        let (lists, mut files): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| object.path.starts_with(CLAIMS_FOLDER));
        files.retain(|file| is_old(file.modified) && names::is_ours(&file.path));
        let uploads: Vec<_> = uploads.into_iter().filter(|u| is_old(u.begun) && names::is_ours(&u.path)).collect();
        // The lists of claims after the files: a claim is older than its file, and ends when the log names the file.
        let mut claimed = Vec::new();
        for list in lists {
            if is_old(list.modified) {
                self.remote.delete(&list.path).await?;
            } else if !(files.is_empty() && uploads.is_empty()) {
                match self.remote.read(&list.path).await {
                    Ok(text) => claimed.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned)),
                    // Its process needs nothing any more.
                    Err(error) if error.kind() == crate::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let is_claimed = |path: &str| claims.has(path) || claimed.iter().any(|claimed| claimed == path);
        for upload in uploads.iter().filter(|upload| !is_claimed(&upload.path)) {
            self.remote.abort_unfinished(upload).await?;
            tracing::info!(path = upload.path, "aborted an upload that nobody finished");
        }
        files.retain(|file| !is_claimed(&file.path));
        Ok(files)
    }

    /// Deletes all objects of the lake.
    pub(crate) async fn destroy(&self) -> Result<()> {
        let objects = self.remote.list().await?;
        let deletes = objects.into_iter().map(|object| -> BoxFuture<'static, Result<()>> {
            let remote = self.remote.clone();
            Box::pin(async move { remote.delete(&object.path).await })
        });
        stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect::<()>().await?;
        for upload in self.unfinished().await {
            self.remote.abort_unfinished(&upload).await?;
        }
        Ok(())
    }

    /// Unfinished uploads, as far as they may be listed: the right to is another one than that to list objects.
    async fn unfinished(&self) -> Vec<Unfinished> {
        self.remote.unfinished().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "unfinished uploads cannot be listed; a lifecycle rule of the bucket can abort them");
            Vec::new()
        })
    }
}
