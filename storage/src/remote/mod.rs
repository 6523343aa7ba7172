//! A prefix of a bucket: objects are put once, whole, read by ranges, listed by pages, deleted.
//!
//! Every operation has an end, and knows what it means that an answer was lost.

mod attempts;
mod build;
mod get;
mod meters;
mod profile;
mod put;
mod unfinished;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use object_store::{ObjectMeta, ObjectStoreExt, list::PaginatedListOptions, path::Path};

pub use attempts::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, RETRY_BUDGET, SLOWEST_BYTES_PER_SECOND};
use build::Clients;
pub use build::Environment;
pub(crate) use get::{Expected, RANGES_MAX};
pub(crate) use unfinished::Unfinished;

use crate::{
    error::{Error, Result},
    location::{BucketPrefix, Scheme},
    names,
    store::StoredFile,
};

/// Pages of a listing, each of up to 1,000 objects: a store that never ends is broken.
const PAGES_MAX: usize = 100_000;

/// A prefix of a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    bucket: Arc<Bucket>,
    /// Without slashes at its ends; may be empty.
    prefix: String,
}

/// A bucket and how it is reached now.
pub(crate) struct Bucket {
    scheme: Scheme,
    name: String,
    environment: Arc<Environment>,
    /// Counted up when they are made anew.
    clients: Mutex<(Clients, u64)>,
    pub(crate) meters: meters::Meters,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.name)
    }
}

impl Bucket {
    pub(crate) fn open(at: &BucketPrefix, environment: Arc<Environment>) -> Result<Self> {
        let clients = build::clients(at.scheme, &at.bucket, &environment)?;
        Ok(Self {
            scheme: at.scheme,
            name: at.bucket.clone(),
            environment,
            clients: Mutex::new((clients, 0)),
            meters: meters::Meters::new(&at.bucket),
        })
    }

    fn clients(&self) -> (Clients, u64) {
        self.lock().clone()
    }

    /// Makes clients with the credentials of now, unless that happened since `generation`.
    fn renew(&self, generation: u64) {
        if self.lock().1 != generation {
            return;
        }
        match build::clients(self.scheme, &self.name, &self.environment) {
            Ok(clients) => {
                let mut now = self.lock();
                if now.1 == generation {
                    tracing::info!(bucket = self.name, "the store refused the credentials; they were read anew");
                    *now = (clients, generation + 1);
                }
            }
            Err(error) => tracing::warn!(bucket = self.name, %error, "credentials cannot be read"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Clients, u64)> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    pub(crate) fn new(bucket: Arc<Bucket>, prefix: &str) -> Self {
        Self { bucket, prefix: prefix.to_owned() }
    }

    /// A folder of it.
    pub(crate) fn below_folder(&self, folder: &str) -> Self {
        let prefix = if self.prefix.is_empty() { folder.to_owned() } else { format!("{}/{folder}", self.prefix) };
        Self { bucket: Arc::clone(&self.bucket), prefix }
    }

    /// The object of a path below the prefix. Refuses what leads out of it.
    fn object(&self, relative: &str) -> Result<Path> {
        let below = names::object_path(relative)?;
        if self.prefix.is_empty() {
            return Ok(below);
        }
        let prefix = names::object_path(&self.prefix)?;
        Ok(prefix.parts().chain(below.parts()).collect())
    }

    /// Whether an object is there.
    pub(crate) async fn exists(&self, relative: &str) -> Result<bool> {
        let path = self.object(relative)?;
        let found = self.attempts("look for a file", 0, |clients| {
            let path = path.clone();
            async move { clients.objects.head(&path).await }
        });
        match found.await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(Error::store("look for a file", e)),
        }
    }

    /// When an object was made, by the store's clock.
    pub(crate) async fn modified(&self, relative: &str) -> Result<DateTime<Utc>> {
        let path = self.object(relative)?;
        let found = self.attempts("look at a file", 0, |clients| {
            let path = path.clone();
            async move { clients.objects.head(&path).await }
        });
        found.await.map(|meta| meta.last_modified).map_err(|e| Error::store("look at a file", e))
    }

    /// Deletes an object; one that is gone already is success, and so is a lost answer.
    pub(crate) async fn delete(&self, relative: &str) -> Result<()> {
        let path = self.object(relative)?;
        let deleted = self.attempts("delete a file", 0, |clients| {
            let path = path.clone();
            async move { clients.objects.delete(&path).await }
        });
        match deleted.await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(Error::store("delete a file", e)),
        }
    }

    /// All objects below the prefix. Only for the sweep and for what a person asks: nothing else may depend on what a
    /// store lists.
    pub(crate) async fn list(&self) -> Result<Vec<StoredFile>> {
        let prefix = if self.prefix.is_empty() { None } else { Some(format!("{}/", self.prefix)) };
        let (mut files, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.attempts("list files", 0, |clients| {
                let (prefix, token) = (prefix.clone(), token.clone());
                let options = PaginatedListOptions { page_token: token, ..PaginatedListOptions::default() };
                async move { clients.pages.list_paginated(prefix.as_deref(), options).await }
            });
            let page = page.await.map_err(|e| Error::store("list files", e))?;
            files.extend(page.result.objects.into_iter().filter_map(|object| self.stored(object)));
            token = page.page_token;
            if token.is_none() {
                break;
            }
        }
        files.sort_by(|a: &StoredFile, b| a.path.cmp(&b.path));
        Ok(files)
    }

    fn stored(&self, object: ObjectMeta) -> Option<StoredFile> {
        let path = self.below(object.location.as_ref())?;
        Some(StoredFile { path, size_bytes: object.size, modified: object.last_modified })
    }

    /// A key as a path below the prefix.
    fn below(&self, key: &str) -> Option<String> {
        if self.prefix.is_empty() {
            return Some(key.to_owned());
        }
        key.strip_prefix(&self.prefix)?.strip_prefix('/').map(str::to_owned)
    }
}
